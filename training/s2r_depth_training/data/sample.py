"""The sample that every reader yields, its check, and the errors of readers."""

from typing import NamedTuple, Protocol

import numpy as np


class DataError(ValueError):
    """A data set that is not laid out as expected; the text names the path and the layout."""


class CorruptSampleError(DataError):
    """One file that cannot be used; the text names it."""


class Sample(NamedTuple):
    """
    An image with its depth.

    ``image`` is (H, W, 3) uint8 RGB. ``depth_m`` is (H, W) float32 metres along the optical axis:
    NaN where not measured, +inf for sky or beyond the sensor. ``intrinsics`` is the (3, 3) float32
    camera matrix, the centre of the first pixel at (0, 0). ``name`` is the image's file.
    """

    image: np.ndarray
    depth_m: np.ndarray
    intrinsics: np.ndarray
    name: str


class StyleImage(NamedTuple):
    """An image without depth: ``image`` (H, W, 3) uint8 RGB, ``name`` its file."""

    image: np.ndarray
    name: str


class SampleReader(Protocol):
    """A data set with depth: a sequence of samples, read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def checked_sample(
    image: np.ndarray,
    depth_m: np.ndarray,
    intrinsics: np.ndarray,
    name: str,
    calibrated_px: tuple[int, int] | None = None,
) -> Sample:
    """
    Make a sample of what was read, if it can be one.

    :param image: (H, W, 3) uint8 RGB.
    :param depth_m: (H, W) float32 metres, NaN where not measured.
    :param intrinsics: (3, 3) camera matrix in pixels; all NaN if it is not known.
    :param name: the image's file, for messages.
    :param calibrated_px: (height, width) of the images that the camera matrix is for, if known.
    :returns: the sample, the intrinsics as float32.
    :raises CorruptSampleError: if the depth or the camera is of another size than the image, the
        depth is nowhere valid, or the camera cannot be.
    """
    if calibrated_px not in (None, image.shape[:2]):
        raise CorruptSampleError(
            f'{name} has {image.shape[1]} x {image.shape[0]} pixels, and its calibration is for '
            f'{calibrated_px[1]} x {calibrated_px[0]}: both must be of the same size'
        )
    if depth_m.shape != image.shape[:2]:
        raise CorruptSampleError(
            f'{name} has {image.shape[1]} x {image.shape[0]} pixels but its depth has '
            f'{depth_m.shape[1]} x {depth_m.shape[0]}; both must have the same size'
        )
    if np.isnan(depth_m).all():
        raise CorruptSampleError(f'{name} has no valid depth in any pixel')
    matrix = np.asarray(intrinsics, np.float32)
    is_known = not np.isnan(matrix).all()
    if is_known and not (np.isfinite(matrix).all() and matrix[0, 0] > 0 < matrix[1, 1]):
        raise CorruptSampleError(
            f'{name} has a camera that cannot be: expected finite numbers and focal lengths '
            f'above 0, got fx, fy, cx, cy = {matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()}'
        )
    return Sample(image, depth_m, matrix, name)


def camera_matrix(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """Return the (3, 3) float32 camera matrix of the focal lengths and centre, in pixels."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)
