"""
Files that appear whole or not at all.

The renderer, which imports nothing of this package, has its own three lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path


@contextmanager
def atomic_file(path: Path, *, is_shared: bool = False, is_synced: bool = False) -> Iterator[Path]:
    """
    Give a path to write to, and put that file in the place of another at the end.

    An exception removes the new file, and leaves the old file unchanged.

    :param path: the place; the path to write to has the same folder and suffix.
    :param is_shared: whether several processes may write it at a time. A file of one process only
        has a fixed name meanwhile, so that one that was killed leaves no more than one behind.
    :param is_synced: whether to wait until the content is on the disk, which a power cut then
        leaves whole, too.
    :raises OSError: if it cannot be written.
    """
    owner = f'.{os.getpid()}' if is_shared else ''
    part = path.with_name(f'.{path.stem}{owner}.part{path.suffix}')
    try:
        yield part
        if is_synced:
            sync(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """
    Keep other processes of this machine out of a folder of unfinished work.

    The system lets go of the folder when the process ends, however it ends.

    :param folder: that all of them enter by this function.
    :raises BlockingIOError: if another process is there.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f'another process works in {folder}: wait for its end'
            ) from error
        except OSError:  # some network file systems cannot lock a folder
            pass
        yield
    finally:
        os.close(handle)


def sync(*paths: Path) -> None:
    """
    Wait until files and the names in folders are on the disk, not only on their way to it.

    :param paths: of files and folders; of a folder that its file system cannot sync nothing.
    :raises OSError: if a file cannot be.
    """
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError:
            if not path.is_dir():  # for folders some network file systems cannot
                raise
        finally:
            os.close(handle)
