"""A folder of RGB, depth and intrinsics: the layout for your own data."""

from contextlib import suppress
import logging
import math
from os import PathLike
from pathlib import Path
import reprlib
import tokenize
from typing import NamedTuple

import numpy as np
import yaml

from ..sample import camera_matrix, checked_sample, CorruptSampleError, DataError, Sample
from . import files

_LOG = logging.getLogger(__name__)

LAYOUT = (
    'rgb/NAME.png or .jpg, depth/NAME.png (uint16) or depth/NAME.npy (metres), and '
    'intrinsics.yaml or intrinsics.json'
)
INTRINSICS_LAYOUT = (
    'either one camera, {fx: ., fy: ., cx: ., cy: .} or a file of ROS camera_calibration '
    '(camera_matrix: {data: [9 numbers]}), or one such entry per image under its NAME'
)


class Folder:
    """
    Images and depth files of the same names.

    :param root: the folder that holds ``rgb``, ``depth`` and ``intrinsics.yaml`` (or ``.json``).
    :param depth_scale: metres per integer step of PNG depth; 0 there means not measured. ``.npy``
        depth is float metres: NaN or 0 not measured, +inf far.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike, depth_scale: float = 0.001):
        if not 0 < depth_scale < math.inf:
            raise DataError(f'depth_scale must be a number of metres above 0, got {depth_scale}')
        root = Path(root)
        rgb = files.require_folder(root / 'rgb', LAYOUT)
        depth = files.require_folder(root / 'depth', LAYOUT)
        images = files.image_files(rgb)
        files.require_any(images, rgb, LAYOUT)
        depths: dict[str, Path] = {}
        for file in sorted(depth.iterdir()):
            if file.name.startswith('.'):  # of a Mac
                continue
            if file.suffix in ('.png', '.npy') and depths.setdefault(file.stem, file) != file:
                raise DataError(
                    f'{depths[file.stem]} and {file.name} are depth of the same image: keep one'
                )
        self._pairs = []
        for image, following in zip(images, [*images[1:], None]):
            if following and image.stem == following.stem:
                raise DataError(f'{image} and {following.name} have the same depth: keep one')
            if image.stem not in depths:
                raise DataError(
                    f'{image} has no depth {depth / image.stem}.png or .npy; expected {LAYOUT}'
                )
            self._pairs.append((image, depths[image.stem]))
        if others := sorted(depths.keys() - {image.stem for image in images}):
            _LOG.warning(
                '%d depth files have no image and are not used; the first: %s',
                len(others),
                depths[others[0]],
            )
        self._depth_scale = depth_scale
        self._cameras = _read_cameras(root, images)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        image_file, depth_file = self._pairs[index]
        depth_m = (
            _read_npy(depth_file)
            if depth_file.suffix == '.npy'
            else files.read_depth(depth_file, self._depth_scale)
        )
        camera = self._cameras[image_file.stem]
        return checked_sample(
            files.read_rgb(image_file), depth_m, camera.intrinsics, str(image_file), camera.size_px
        )


def _read_npy(file: Path) -> np.ndarray:
    try:
        depth_m = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, tokenize.TokenError) as error:
        raise CorruptSampleError(f'{file} is not a readable array: {error}') from error
    if not isinstance(depth_m, np.ndarray):
        raise CorruptSampleError(f'{file} holds several arrays: expected one, (H, W) float metres')
    if depth_m.ndim != 2 or not np.issubdtype(depth_m.dtype, np.floating):
        raise CorruptSampleError(
            f'{file}: expected (H, W) float metres, got {depth_m.dtype} {depth_m.shape}'
        )
    depth_m = depth_m.astype(np.float32)
    depth_m[~(depth_m > 0)] = np.nan
    return depth_m


class _Camera(NamedTuple):
    """
    The camera of rectified images.

    ``intrinsics`` is the (3, 3) matrix in pixels. ``size_px`` is (height, width) of the images, or
    None if the file does not tell.
    """

    intrinsics: np.ndarray
    size_px: tuple[int, int] | None


def _read_cameras(root: Path, images: list[Path]) -> dict[str, _Camera]:
    names = [image.stem for image in images]
    file = next(
        (path for path in (root / 'intrinsics.yaml', root / 'intrinsics.json') if path.is_file()),
        None,
    )
    if file is None:
        raise DataError(
            f'there is no {root}/intrinsics.yaml or .json; expected {INTRINSICS_LAYOUT}'
        )
    try:
        # JSON is YAML, too; BaseLoader keeps a name such as 000001 a string.
        content = yaml.load(file.read_text(encoding='utf-8', errors='replace'), yaml.BaseLoader)  # noqa: S506  makes strings, lists and mappings, nothing else
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f'{file} cannot be parsed: {error}') from error
    if not isinstance(content, dict):
        raise DataError(f'{file}: expected {INTRINSICS_LAYOUT}')
    if 'fx' in content or 'camera_matrix' in content:
        camera = _parse_camera(content, file)
        return dict.fromkeys(names, camera._replace(size_px=camera.size_px or _size_px(images)))
    missing = [name for name in names if name not in content]
    if missing:
        raise DataError(
            f'{file} has no entry for the image "{missing[0]}"; expected {INTRINSICS_LAYOUT}'
        )
    return {name: _parse_camera(content[name], file) for name in names}


def _size_px(images: list[Path]) -> tuple[int, int] | None:
    """Return the size of the first image that can be read: one camera has one size."""
    for image in images:
        with suppress(CorruptSampleError):
            height_px, width_px = files.read_rgb(image).shape[:2]
            return height_px, width_px
    return None


def _parse_camera(entry: object, file: Path) -> _Camera:
    size_px = None
    try:
        if 'camera_matrix' in entry:  # type: ignore[operator]
            matrix, size_px = _parse_calibration(entry)  # type: ignore[arg-type]
        else:
            matrix = camera_matrix(*(float(entry[key]) for key in ('fx', 'fy', 'cx', 'cy')))  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f'{file}: expected {INTRINSICS_LAYOUT}, got {reprlib.repr(entry)}'
        ) from error
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise DataError(f'{file}: focal lengths must be positive, got {reprlib.repr(entry)}')
    return _Camera(matrix, size_px)


def _parse_calibration(entry: dict) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Return matrix and size of the rectified images: P, which differs from K of the raw ones."""
    matrix: np.ndarray = np.array(entry['camera_matrix']['data'], np.float32).reshape(3, 3)
    if 'projection_matrix' in entry:
        projection = np.array(entry['projection_matrix']['data'], np.float32).reshape(3, 4)
        matrix = projection[:, :3] if projection[0, 0] else matrix  # as in ROS, 0 means K
    if 'image_width' in entry and 'image_height' in entry:
        return matrix, (int(entry['image_height']), int(entry['image_width']))
    return matrix, None
