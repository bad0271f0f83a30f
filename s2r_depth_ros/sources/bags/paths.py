"""Recognise bags by file names and first bytes, without a library that reads bags."""

from __future__ import annotations

from pathlib import Path
import re

from ..frames import IMAGE_SUFFIXES

METADATA = 'metadata.yaml'
METADATA_ROOT = 'rosbag2_bagfile_information'
MCAP_MAGIC = b'\x89MCAP0\r\n'
SQLITE_MAGIC = b'SQLite format 3\0'
ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
ROS1_MAGIC = b'#ROSBAG V'
ROS1_SUFFIX = '.bag'
STORAGES = {'.db3': 'sqlite3', '.mcap': 'mcap'}
_PACKED = ('.zstd', '.zst')
_APPLE_DOUBLE = '._'


def is_bag(path: Path) -> bool:
    """Return whether a path names a bag or a folder of bags, not images or a video."""
    path = path.expanduser()
    try:
        if path.name == METADATA:
            return is_bag_folder(path.parent)
        if path.is_dir():
            return (
                is_bag_folder(path)
                or not _has_images(path)
                and any(map(is_bag_folder, filter(Path.is_dir, path.iterdir())))
            )
        if storage_suffix(path) in STORAGES or path.suffix == ROS1_SUFFIX:
            return True
        with path.open('rb') as file:
            begin = file.read(16)
    except OSError:
        return False
    return begin.startswith((MCAP_MAGIC, SQLITE_MAGIC, ROS1_MAGIC, ZSTD_MAGIC))


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder, without those that macOS adds on disks of other systems."""
    return [
        file
        for file in folder.iterdir()
        if not file.is_dir() and not file.name.startswith(_APPLE_DOUBLE)
    ]


def is_bag_folder(path: Path) -> bool:
    """Return whether a folder holds files of a bag; False if it also holds images."""
    try:
        metadata = path / METADATA
        if metadata.is_file() and METADATA_ROOT in metadata.read_text(errors='replace'):
            return True
        suffixes = {storage_suffix(file) for file in files_in(path)}
        return bool(suffixes & {*STORAGES, ROS1_SUFFIX}) and not _has_images(path)
    except OSError:
        return False


def is_recorded_folder(path: Path) -> bool:
    """Return whether a folder is one bag as a recorder names it, not a collection of files."""
    if (path / METADATA).is_file():
        return is_bag_folder(path)
    names = [file.name for file in files_in(path) if storage_suffix(file) in STORAGES]
    return bool(names) and all(
        re.fullmatch(rf'{re.escape(path.name)}_\d+\..*', name) for name in names
    )


def storage_suffix(file: Path) -> str:
    """Return the suffix of a file in small letters; of a compressed one that of its content."""
    return without_packed(file).suffix.lower()


def without_packed(file: Path) -> Path:
    """Return the path without the suffix of the compression."""
    return file.with_suffix('') if file.suffix in _PACKED else file


def _has_images(folder: Path) -> bool:
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in files_in(folder))
