"""
Write files atomically: a file appears completely or not at all.

The renderer does not import this module and has its own version.
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
    Yield a temporary path, and move its file to the final path at the end.

    After an exception, the new file is removed, and the old file is unchanged.

    :param path: the final path; the temporary path has the same folder and suffix.
    :param is_shared: whether several processes may write it at the same time. Otherwise the
        temporary file has a fixed name, so killed processes leave at most one file.
    :param is_synced: whether to wait until the content is on the disk, so that the file survives a
        power cut.
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

    The system releases the folder when the process ends, also after a kill.

    :param folder: all processes must call this function for it.
    :raises BlockingIOError: if another process has the folder.
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
    Wait until files, and the names in folders, are on the disk.

    :param paths: files and folders. A folder that the file system cannot sync is ignored.
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
