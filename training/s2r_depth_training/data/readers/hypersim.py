"""Hypersim: rendered rooms whose depth files hold distances along the ray."""

from os import PathLike
from pathlib import Path

import numpy as np

from ..sample import camera_matrix, checked_sample, CorruptSampleError, Sample
from . import files
from .hdf5 import read_hdf5

LAYOUT = (
    'the layout of Hypersim: SCENE/images/scene_cam_00_final_preview/frame.0000.tonemap.jpg and '
    'SCENE/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5'
)

_FOCAL_AT_1024_PX = 886.81
_IMAGE, _GEOMETRY = '_final_preview', '_geometry_hdf5'
_IMAGE_SUFFIX, _DEPTH_SUFFIX = '.tonemap.jpg', '.depth_meters.hdf5'


class Hypersim:
    """
    Hypersim frames: the tone-mapped preview with the depth along the optical axis.

    :param root: the folder that holds the scenes ``ai_001_001`` and so on.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike):
        files.require_folder(Path(root), LAYOUT)
        images = files.matching(Path(root), f'*/images/*{_IMAGE}/*{_IMAGE_SUFFIX}')
        files.require_any(images, Path(root), LAYOUT)
        self._pairs = [(image, files.require_file(_depth_file(image), LAYOUT)) for image in images]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        image_file, depth_file = self._pairs[index]
        distance_m = read_hdf5(depth_file, 'dataset')
        if distance_m.ndim != 2:
            raise CorruptSampleError(
                f'{depth_file}: expected (H, W) distances, got the shape {distance_m.shape}'
            )
        height, width = distance_m.shape
        intrinsics = hypersim_intrinsics(height, width)
        return checked_sample(
            files.read_rgb(image_file),
            depth_from_distance(distance_m, intrinsics),
            intrinsics,
            str(image_file),
        )


def hypersim_intrinsics(height_px: int, width_px: int) -> np.ndarray:
    """Return the published (3, 3) camera matrix, 886.81 px at 1024 x 768, for an image size."""
    focal_px = _FOCAL_AT_1024_PX * width_px / 1024
    return camera_matrix(focal_px, focal_px, (width_px - 1) / 2, (height_px - 1) / 2)


def depth_from_distance(distance_m: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """
    Convert the distance from the optical centre to the depth along the optical axis.

    ``Z = distance / sqrt(((u - cx) / fx)^2 + ((v - cy) / fy)^2 + 1)`` (Hypersim's documentation of
    ``depth_meters``).

    :param distance_m: (H, W) metres along the ray.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :returns: (H, W) float32 metres, NaN where the distance is not finite or not positive.
    """
    height, width = distance_m.shape
    x = (np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]
    ray_length = np.sqrt(x**2 + y[:, None] ** 2 + 1)
    depth_m = (distance_m / ray_length).astype(np.float32)
    depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
    return depth_m


def _depth_file(image_file: Path) -> Path:
    camera = image_file.parent.name.removesuffix(_IMAGE)
    frame = image_file.name.removesuffix(_IMAGE_SUFFIX)
    return image_file.parent.parent / f'{camera}{_GEOMETRY}' / f'{frame}{_DEPTH_SUFFIX}'
