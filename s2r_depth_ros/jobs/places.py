"""
Files and folders by path or URL; a URL needs fsspec, and often a package for its protocol.

A URL is read through a local copy. A folder is first written locally. At a URL, a folder cannot
appear at once, so the empty file ``_SUCCESS`` is written last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import glob
import os
from pathlib import Path, PurePosixPath
import re
from tempfile import TemporaryDirectory
from typing import Any
import uuid

_URL = re.compile('[A-Za-z][A-Za-z0-9+.-]+://')
_LOCAL = 'file://'
_DONE = '_SUCCESS'


def is_url(place: str) -> bool:
    """Return whether a text is a URL, not a path."""
    return bool(_URL.match(place))


def joined(place: str, name: str) -> str:
    """Return the place of a name in a folder."""
    return f'{place.rstrip("/")}/{name}' if is_url(place) else os.path.join(place, name)


def real(place: str) -> PurePosixPath:
    """Return the canonical form of a place, for comparison."""
    if is_url(place) and not place.startswith(_LOCAL):
        return PurePosixPath(place)
    return PurePosixPath(os.path.realpath(os.path.expanduser(place.removeprefix(_LOCAL))))


def is_pattern(place: str) -> bool:
    """Return whether a text is a pattern, and not an existing path."""
    path = place.partition('://')[2] or place
    return glob.has_magic(path) and (is_url(place) or not os.path.lexists(place))


def matches(pattern: str) -> tuple[str, list[str]]:
    """
    Return the sorted places that match a pattern, and their common folder.

    :param pattern: with ``*``, ``?``, ``[...]`` or ``**``.
    :raises OSError: if a URL cannot be searched.
    """
    pattern = pattern if is_url(pattern) else os.path.expanduser(pattern)
    parts = pattern.split('/')
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    root = '/'.join(parts[:fixed]) or ('/' if pattern.startswith('/') else '.')
    if not is_url(pattern):
        return root, sorted(glob.glob(pattern, recursive=True))
    files, path = _opened(pattern)
    with _os_errors(pattern):
        return root, sorted(map(files.unstrip_protocol, files.glob(path)))


def is_done(place: str) -> bool:
    """
    Return whether a folder is complete.

    :raises OSError: if that cannot be told of a URL.
    """
    if not is_url(place):
        path = Path(place)
        return path.is_dir() and any(path.iterdir()) or path.is_file()
    files, path_there = _opened(place)
    with _os_errors(place):
        return files.exists(f'{path_there}/{_DONE}')


@contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """
    Yield the local path of a file or folder; for a URL, that of a temporary copy.

    :raises OSError: if it cannot be read.
    """
    if not is_url(place):
        yield Path(place)
        return
    with TemporaryDirectory(prefix='s2r-') as folder:
        files, path = _opened(place)
        copy = Path(folder) / PurePosixPath(path).name
        with _os_errors(place):
            if files.isdir(path):
                found = files.find(path)
            elif files.exists(path):
                found = [path]
            else:
                raise FileNotFoundError(f'{place} is not there')
            for file in found:
                target = copy / PurePosixPath(file).relative_to(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(file, str(target))
        yield copy


@contextmanager
def folder_for(place: str) -> Iterator[Path]:
    """
    Yield a local folder, and copy it to a URL at the end.

    Each file is copied under a temporary name, then moved. After an exception, nothing is copied.

    :raises OSError: if it cannot be written.
    """
    with TemporaryDirectory(prefix='s2r-') as temporary:
        local = Path(temporary) / PurePosixPath(place).name
        yield local
        files, path = _opened(place)
        part = str(PurePosixPath(path).parent / f'.{local.name}.{uuid.uuid4().hex[:8]}.part')
        names = [
            file.relative_to(local).as_posix()
            for file in sorted(local.rglob('*'))
            if file.is_file()
        ]
        (local / _DONE).touch()
        with _os_errors(place):
            if files.exists(f'{path}/{_DONE}'):
                files.rm_file(f'{path}/{_DONE}')
            try:
                for name in [*names, _DONE]:
                    files.makedirs(str(PurePosixPath(f'{part}/{name}').parent), exist_ok=True)
                    files.put_file(str(local / name), f'{part}/{name}')
                for name in [*names, _DONE]:
                    files.makedirs(str(PurePosixPath(f'{path}/{name}').parent), exist_ok=True)
                    files.mv(f'{part}/{name}', f'{path}/{name}')
            finally:
                if files.exists(part):
                    files.rm(part, recursive=True)


def write_text(place: str, text: str) -> None:
    """
    Write a small file atomically.

    :raises OSError: if it cannot be written.
    """
    if is_url(place):
        files, path = _opened(place)
        part_there = str(PurePosixPath(path).with_name(f'.{uuid.uuid4().hex[:8]}.part'))
        with _os_errors(place):
            files.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            files.pipe_file(part_there, text.encode())
            files.mv(part_there, path)
        return
    from ..atomic_files import atomic_file

    Path(place).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(place)) as part:
        part.write_text(text, encoding='utf-8')


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path there."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise OSError(f'{url} is a URL, which needs fsspec: pip install fsspec') from error
    with _os_errors(url):
        files, path = url_to_fs(url)
        return files, path.rstrip('/')


@contextmanager
def _os_errors(url: str) -> Iterator[None]:
    """Convert the errors of a file system, which come from many libraries, to OSError."""
    try:
        yield
    except FileNotFoundError as error:
        text = str(error)
        raise FileNotFoundError(text if url in text else f'{url} is not there: {text}') from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OSError(f'{url} cannot be used: {reason}') from error
