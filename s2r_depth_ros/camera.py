"""
Intrinsics of exactly the image at hand: region of interest, binning, resize, crop, rectification.

Conventions are those of ROS's ``image_geometry``: pixel coordinates (u, v) with the centre of the
first pixel at (0, 0); ``K`` and ``D`` describe the raw image, ``P`` (and the rotation ``R``) the
rectified one.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

_LEAST_FOCAL_PX = 0.1
_MAX_SIDES = 100  # a focal length of a hundred of the longest sides is no camera
MAX_SIDE_PX = 32767  # OpenCV's fixed-point maps hold 16-bit coordinates

_PINHOLE_MODELS = ('plumb_bob', 'rational_polynomial')
_PINHOLE_COEFFICIENTS = (4, 5, 8, 12, 14)  # what OpenCV accepts: k1 k2 p1 p2 [k3 [k4 k5 k6 ...]]
_FISHEYE_MODEL = 'equidistant'
_FISHEYE_COEFFICIENTS = 4


class CameraError(ValueError):
    """A calibration that cannot be true, or that this package cannot use; the text says why."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """
    A calibrated (or not yet calibrated) camera, for one image size.

    :param width_px: width of the image; 0 if unknown, which only an uncalibrated camera may be.
    :param height_px: height of the image, likewise.
    :param k: (3, 3) float64 camera matrix of the raw image, pixels; all zero if uncalibrated.
    :param d: (N,) float64 distortion coefficients; none means no distortion.
    :param r: (3, 3) float64 rotation from the raw to the rectified camera.
    :param p: (3, 4) float64 projection matrix of the rectified image, pixels.
    :param distortion_model: ``plumb_bob``, ``rational_polynomial`` or ``equidistant``.
    """

    width_px: int
    height_px: int
    k: np.ndarray
    d: np.ndarray
    r: np.ndarray
    p: np.ndarray
    distortion_model: str = 'plumb_bob'

    @classmethod
    def from_intrinsics(cls, width_px: int, height_px: int, k: np.ndarray) -> 'CameraModel':
        """
        Make an ideal pinhole camera.

        :param width_px: width of its image.
        :param height_px: height of its image.
        :param k: (3, 3) camera matrix, pixels.
        :returns: a camera without distortion whose raw image is the rectified one.
        :raises CameraError: if the size or the matrix cannot be true.
        """
        return cls.from_calibration(width_px, height_px, k, (), np.eye(3), np.zeros((3, 4)))

    @classmethod
    def from_calibration(
        cls, width_px: int, height_px: int, k: Sequence[float] | np.ndarray,
        d: Sequence[float] | np.ndarray, r: Sequence[float] | np.ndarray,
        p: Sequence[float] | np.ndarray, distortion_model: str = 'plumb_bob', *,
        roi: tuple[int, int, int, int] = (0, 0, 0, 0), binning: tuple[int, int] = (1, 1),
    ) -> 'CameraModel':
        """
        Check a calibration and adapt it to the image that a region of interest and binning leave.

        The offset of the region is subtracted from the centres of K and P first, then both are
        divided by the binning, as ``image_geometry`` does. An all-zero R counts as the identity,
        an all-zero P as K.

        :param width_px: width of the full image that was calibrated.
        :param height_px: its height.
        :param k: 9 values, row by row; ``k[0] == 0`` says that the camera is not calibrated, and
            nothing else is checked then.
        :param d: distortion coefficients.
        :param r: 9 values.
        :param p: 12 values.
        :param distortion_model: name of the meaning of ``d``.
        :param roi: x offset, y offset, width, height in the full image; all zero is all of it.
        :param binning: pixels of the full image per pixel, in x and y; 0 means 1.
        :returns: the model of the image at hand.
        :raises CameraError: naming what is wrong: a value that is not finite, a focal length that
            is not positive, a size of zero or absurdly large, a region that leaves the image.
        """
        model = cls(
            width_px, height_px, _matrix('K', k, 3, 3), np.asarray(d, np.float64).reshape(-1),
            _matrix('R', r, 3, 3), _matrix('P', p, 3, 4), distortion_model)
        if not model.is_calibrated:
            return model
        model._check()
        if not model.r.any():
            model = model._replaced(r=np.eye(3))
        if model.p[0, 0] == 0:
            model = model._replaced(p=np.hstack((model.k, np.zeros((3, 1)))))
        if any(roi):
            model = model.cropped(*roi)
        return model._binned(*(max(1, factor) for factor in binning))

    @property
    def is_calibrated(self) -> bool:
        """Whether there are intrinsics; ``K[0] == 0`` is how ROS says that there are none."""
        return self.k[0, 0] != 0

    @property
    def is_rectified(self) -> bool:
        """Whether rectification would change nothing: no distortion, no rotation, P equals K."""
        return bool(
            not self.d.any() and np.array_equal(self.r, np.eye(3))
            and np.array_equal(self.p[:, :3], self.k))

    @property
    def rectified_intrinsics(self) -> np.ndarray:
        """The (3, 3) float64 camera matrix of the rectified image: that of P."""
        return self.p[:, :3]

    def rectified(self) -> 'CameraModel':
        """
        Describe the image after rectification.

        :returns: K of P, no distortion, no rotation; P is kept, with a stereo pair's baseline.
        """
        return self._replaced(
            k=self.p[:, :3].copy(), d=np.zeros(5), r=np.eye(3), distortion_model='plumb_bob')

    def resized(self, width_px: int, height_px: int) -> 'CameraModel':
        """
        Describe the image after it was resized.

        Pixel areas are scaled, so the centre of the first pixel moves:
        cx' = (cx + 0.5) sx - 0.5, as ``cv2.resize`` does.

        :param width_px: new width.
        :param height_px: new height.
        :returns: the model with focal lengths and centres scaled.
        :raises CameraError: if a size is not positive.
        """
        _check_size(width_px, height_px)
        scale_x, scale_y = width_px / self.width_px, height_px / self.height_px
        return self._mapped(width_px, height_px, np.array([
            [scale_x, 0.0, 0.5 * scale_x - 0.5], [0.0, scale_y, 0.5 * scale_y - 0.5],
            [0.0, 0.0, 1.0]]))

    def cropped(self, x_px: int, y_px: int, width_px: int, height_px: int) -> 'CameraModel':
        """
        Describe a rectangle cut from the image.

        :param x_px: first column of the rectangle.
        :param y_px: first row of the rectangle.
        :param width_px: width of the rectangle.
        :param height_px: height of the rectangle.
        :returns: the model with the offset subtracted from the centres.
        :raises CameraError: if the rectangle is empty or leaves the image.
        """
        if (min(x_px, y_px) < 0 or min(width_px, height_px) < 1
                or x_px + width_px > self.width_px or y_px + height_px > self.height_px):
            raise CameraError(
                f'the region of {width_px} x {height_px} pixels at ({x_px}, {y_px}) is not inside '
                f'the image of {self.width_px} x {self.height_px}')
        return self._mapped(width_px, height_px, np.array(
            [[1.0, 0.0, -x_px], [0.0, 1.0, -y_px], [0.0, 0.0, 1.0]]))

    def _binned(self, binning_x: int, binning_y: int) -> 'CameraModel':
        if binning_x == binning_y == 1:
            return self
        width_px, height_px = self.width_px // binning_x, self.height_px // binning_y
        if min(width_px, height_px) < 1:
            raise CameraError(
                f'binning of {binning_x} x {binning_y} leaves nothing of the image of '
                f'{self.width_px} x {self.height_px} pixels')
        return self._mapped(
            width_px, height_px, np.diag((1.0 / binning_x, 1.0 / binning_y, 1.0)))

    def _mapped(self, width_px: int, height_px: int, pixel_map: np.ndarray) -> 'CameraModel':
        return self._replaced(
            width_px=width_px, height_px=height_px, k=pixel_map @ self.k, p=pixel_map @ self.p)

    def _replaced(self, **changes) -> 'CameraModel':
        return CameraModel(**{**vars(self), **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CameraModel):
            return NotImplemented
        return (
            (self.width_px, self.height_px, self.distortion_model)
            == (other.width_px, other.height_px, other.distortion_model)
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in 'kdrp'))

    def _check(self) -> None:
        _check_size(self.width_px, self.height_px)
        for name in 'kdrp':
            values = getattr(self, name)
            if not np.isfinite(values).all():
                raise CameraError(
                    f'{name.upper()} of the calibration has values that are not finite: '
                    f'{values.ravel().tolist()}')
        for name, matrix in (('K', self.k), ('P', self.p)):
            if matrix.any() and not min(matrix[0, 0], matrix[1, 1]) > _LEAST_FOCAL_PX:
                raise CameraError(
                    f'focal lengths are above {_LEAST_FOCAL_PX} px, {name} of the calibration has '
                    f'fx {matrix[0, 0]:g} and fy {matrix[1, 1]:g}')
            if np.abs(matrix[:2]).max() > _MAX_SIDES * MAX_SIDE_PX:
                raise CameraError(
                    f'{name} of the calibration is not that of an image of {self.width_px} x '
                    f'{self.height_px} pixels: {matrix.ravel().tolist()}')
            if matrix.any() and matrix[2, :3].tolist() != [0.0, 0.0, 1.0]:
                raise CameraError(
                    f'the last row of {name} of the calibration begins 0 0 1, '
                    f'not {matrix[2, :3].tolist()}')


class Rectifier:
    """
    Removes distortion and rotation from raw images of one camera.

    The maps are built once, at construction; rectifying an image is then one ``cv2.remap``.

    :param model: a calibrated camera.
    :raises CameraError: if the camera is not calibrated, or its distortion model is unknown or has
        the wrong number of coefficients, or nothing of the image is left.
    """

    def __init__(self, model: CameraModel) -> None:
        if not model.is_calibrated:
            raise CameraError('an image of an uncalibrated camera cannot be rectified')
        self.model = model
        """The camera of the raw images; ``model.rectified()`` is that of the results."""
        size = (model.width_px, model.height_px)
        target = model.rectified_intrinsics
        if model.d.size == 0 or not model.d.any():
            maps = cv2.initUndistortRectifyMap(
                model.k, None, model.r, target, size, cv2.CV_32FC1)
        elif model.distortion_model in _PINHOLE_MODELS:
            _check_coefficients(model, _PINHOLE_COEFFICIENTS)
            maps = cv2.initUndistortRectifyMap(
                model.k, model.d, model.r, target, size, cv2.CV_32FC1)
        elif model.distortion_model == _FISHEYE_MODEL:
            _check_coefficients(model, (_FISHEYE_COEFFICIENTS,))
            maps = cv2.fisheye.initUndistortRectifyMap(
                model.k, model.d, model.r, target, size, cv2.CV_32FC1)
        else:
            raise CameraError(
                f'the distortion model {model.distortion_model!r} is not known; rectification '
                f'knows {", ".join(_PINHOLE_MODELS)} and {_FISHEYE_MODEL}')
        map_x, map_y = maps
        self.seen = (
            (map_x >= 0) & (map_x <= model.width_px - 1)
            & (map_y >= 0) & (map_y <= model.height_px - 1))
        """(H, W) bool: where the raw image has content; a rectified image is black elsewhere."""
        if not self.seen.any():
            raise CameraError(
                'rectification leaves nothing of the image; look at the distortion '
                f'{model.d.tolist()} and the rotation {model.r.ravel().tolist()}')
        self._maps = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)

    def rectify(self, image: np.ndarray) -> np.ndarray:
        """
        Rectify one image.

        :param image: (H, W) or (H, W, C) raw image of the model's size.
        :returns: the rectified image, the same shape and type, black where the camera saw nothing.
        :raises CameraError: if the image has another size.
        """
        expected = (self.model.height_px, self.model.width_px)
        if image.shape[:2] != expected:
            raise CameraError(
                f'the camera was calibrated for {expected[1]} x {expected[0]} pixels, '
                f'the image has {image.shape[1]} x {image.shape[0]}')
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)


def read_calibration(path: str | Path) -> CameraModel:
    """
    Read a calibration file in the form of ``camera_info_manager``.

    :param path: a YAML file with image_width, image_height, camera_matrix, and usually
        distortion_model, distortion_coefficients, rectification_matrix and projection_matrix; each
        matrix has rows, cols and data.
    :returns: the camera at the size that was calibrated.
    :raises CameraError: naming the file and what is missing or wrong in it.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CameraError(f'cannot read the calibration {path}: {error}') from error
    try:
        if not isinstance(content, dict):
            raise CameraError('it is not a mapping with image_width, camera_matrix and so on')
        width_px, height_px = (_side(content, key) for key in ('image_width', 'image_height'))
        _check_size(width_px, height_px)
        return CameraModel.from_calibration(
            width_px, height_px,
            _entries(content, 'camera_matrix', None),
            _entries(content, 'distortion_coefficients', ()),
            _entries(content, 'rectification_matrix', np.eye(3)),
            _entries(content, 'projection_matrix', np.zeros((3, 4))),
            str(content.get('distortion_model', 'plumb_bob')))
    except CameraError as error:
        raise CameraError(f'the calibration {path} is wrong: {error}') from error


def _side(content: dict[str, Any], key: str) -> int:
    if not isinstance(content.get(key), int):
        raise CameraError(f'{key} must be a whole number of pixels, got {content.get(key)!r}')
    return content[key]


def _entries(content: dict[str, Any], key: str, default: Any) -> Any:
    """Return the data of a matrix of the file, checked to be numbers and as many as it says."""
    matrix: Any = content.get(key)
    if matrix is None and default is not None:
        return default
    try:
        values = np.array(matrix['data'], np.float64)
        expected = int(matrix['rows']) * int(matrix['cols'])
    except (KeyError, TypeError, ValueError) as error:
        raise CameraError(
            f'{key} must have rows, cols and data (a list of numbers), got {matrix!r}') from error
    if values.ndim != 1 or values.size != expected:
        raise CameraError(f'{key} says {expected} values, its data has {values.size}')
    return values


def _matrix(
    name: str, values: Sequence[float] | np.ndarray, rows: int, columns: int,
) -> np.ndarray:
    matrix = np.array(values, np.float64)
    if matrix.size != rows * columns:
        raise CameraError(
            f'{name} of the calibration has {rows * columns} values, not {matrix.size}')
    return matrix.reshape(rows, columns)


def _check_size(width_px: int, height_px: int) -> None:
    if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
        raise CameraError(
            f'image sides are 1 to {MAX_SIDE_PX} pixels, not {width_px} x {height_px}')


def _check_coefficients(model: CameraModel, numbers: tuple[int, ...]) -> None:
    if model.d.size not in numbers:
        raise CameraError(
            f"the distortion model '{model.distortion_model}' has "
            f'{" or ".join(map(str, numbers))} coefficients, not {model.d.size}')
