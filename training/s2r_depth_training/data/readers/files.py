"""Checked access to the files of data sets: folders, images, depth images, lists."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path

import cv2
import numpy as np

from s2r_depth_ros.encoded_images import is_cut_off

from ..sample import CorruptSampleError, DataError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')


def require_folder(path: Path, layout: str) -> Path:
    """
    Return ``path`` if it is a folder.

    :param path: the folder that a data set needs.
    :param layout: what the data set looks like, for the message.
    :raises DataError: if there is no such folder.
    """
    if not path.is_dir():
        raise DataError(f'there is no folder {path}; expected {layout}')
    return path


def require_file(path: Path, layout: str) -> Path:
    """
    Return ``path`` if it is a file.

    :param path: the file that a data set needs.
    :param layout: what the data set looks like, for the message.
    :raises DataError: if there is no such file.
    """
    if not path.is_file():
        raise DataError(f'there is no file {path}; expected {layout}')
    return path


def require_any(samples: Sequence, path: Path, layout: str) -> None:
    """
    Check that a data set is not empty.

    :param samples: the samples that were found.
    :param path: the folder or file that should contain them.
    :param layout: what the data set looks like, for the message.
    :raises DataError: if nothing was found.
    """
    if not samples:
        raise DataError(f'{path} holds no sample; expected {layout}')


def matching(root: Path, pattern: str) -> list[Path]:
    """
    Return the paths below a folder that match a pattern, sorted.

    :param root: the folder.
    :param pattern: relative, as for ``Path.glob``, which leaves out folders it may not read.
    :raises OSError: if a folder cannot be read.
    """
    paths = [root]
    for part in pattern.split('/'):
        paths = [
            child
            for folder in paths
            if folder.is_dir()
            for child in sorted(folder.iterdir())
            if fnmatchcase(child.name, part)
        ]
    return paths


def image_files(folder: Path) -> list[Path]:
    """Return the visible PNG and JPEG files directly in ``folder``, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith('.')
    )


def read_lines(path: str | PathLike, layout: str) -> list[str]:
    """
    Read a list file.

    :param path: a text file.
    :param layout: what a line holds, for the message.
    :returns: its non-empty lines, without leading and trailing blanks.
    :raises DataError: if there is no such file, or if it is empty.
    """
    file = require_file(Path(path), layout)
    text = file.read_text(encoding='utf-8', errors='replace')  # the parser reports what is wrong
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    require_any(lines, file, layout)
    return lines


def read_rgb(path: Path) -> np.ndarray:
    """
    Read a colour image.

    :param path: a PNG or JPEG file.
    :returns: (H, W, 3) uint8 RGB.
    :raises CorruptSampleError: if it is missing or cannot be decoded.
    """
    image = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_depth(
    path: Path,
    metres_per_unit: float,
    dtype: type[np.unsignedinteger] = np.uint16,
    far: int | None = None,
) -> np.ndarray:
    """
    Read a depth image with integer pixels, and convert it to metres.

    :param path: a PNG file with one channel.
    :param metres_per_unit: metres per integer step.
    :param dtype: the integers expected.
    :param far: the integer that stands for sky or beyond the range, if there is one.
    :returns: (H, W) float32 metres, NaN where not measured (0), +inf where far.
    :raises CorruptSampleError: if it is missing, cannot be decoded, or is of another kind.
    """
    return metres_from_integers(read_png(path, dtype), metres_per_unit, far)


def read_png(path: Path, dtype: type[np.unsignedinteger] = np.uint16) -> np.ndarray:
    """
    Read an image of integers.

    :param path: a PNG file with one channel.
    :param dtype: the integers expected.
    :returns: (H, W) of ``dtype``.
    :raises CorruptSampleError: if it is missing, cannot be decoded, or is of another kind.
    """
    values = _decode(path, cv2.IMREAD_UNCHANGED)
    if values.ndim != 2 or values.dtype != dtype:
        channels = 1 if values.ndim == 2 else values.shape[2]
        raise CorruptSampleError(
            f'{path} is expected to be a PNG with one channel of {np.dtype(dtype).name}, '
            f'it has {channels} of {values.dtype}'
        )
    return values


def metres_from_integers(
    values: np.ndarray, metres_per_unit: float, far: int | None = None
) -> np.ndarray:
    """
    Convert the integers of a depth image to metres.

    :param values: (H, W) unsigned integers, 0 where nothing was measured.
    :param metres_per_unit: metres per integer step.
    :param far: the integer that stands for sky or beyond the range, if there is one.
    :returns: (H, W) float32 metres, NaN where not measured, +inf where far.
    """
    depth_m = values.astype(np.float32)
    depth_m *= metres_per_unit
    depth_m[values == 0] = np.nan
    if far is not None:
        depth_m[values == far] = np.inf
    return depth_m


def _decode(path: Path, flags: int) -> np.ndarray:
    """
    Decode an image file.

    :param path: a PNG or JPEG file.
    :param flags: the flags of ``cv2.imdecode``.
    :raises CorruptSampleError: if it is missing, truncated or corrupt.
    """
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise CorruptSampleError(f'{path} cannot be read: {error.strerror}') from error
    try:
        # OpenCV fills the missing part of a truncated file. Training must not learn from it.
        image = None if is_cut_off(encoded.tobytes()) else cv2.imdecode(encoded, flags)
    except cv2.error as error:
        raise CorruptSampleError(f'{path} cannot be decoded: {error.err}') from error
    if image is None:
        raise CorruptSampleError(f'{path} is not a readable image: truncated or corrupt')
    return image
