"""
Camera model of one image: region of interest, binning, resize, crop and rectification.

Conventions are those of ROS's ``image_geometry``: pixel coordinates (u, v) with the centre of the
first pixel at (0, 0); ``K`` and ``D`` describe the raw image, ``P`` (and the rotation ``R``) the
rectified one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import cv2
import numpy as np
import yaml

_MAX_SIDES = 100  # no camera has a focal length of 100 times the longest side, or of a hundredth
_ROTATION_TOLERANCE = 0.01  # files round
_ANGLES = 2000  # samples of a lens, of 0.05 degrees
MAX_SIDE_PX = 32767  # OpenCV's fixed-point maps hold 16-bit coordinates

_PLUMB_BOB, _RATIONAL, _EQUIDISTANT = 'plumb_bob', 'rational_polynomial', 'equidistant'
_PINHOLE_COEFFICIENTS = (4, 5, 8, 12, 14)  # OpenCV accepts k1 k2 p1 p2 [k3 [k4 k5 k6 ...]]
_PLUMB_BOB_COEFFICIENTS = 5
_EQUIDISTANT_COEFFICIENTS = 4
# Other names for these, of Kalibr, OpenCV, librealsense, ORB-SLAM and early camera_calibration.
_OTHER_NAMES = {
    'radtan': _PLUMB_BOB,
    'brown_conrady': _PLUMB_BOB,
    'rational': _RATIONAL,
    'fisheye': _EQUIDISTANT,
    'equi': _EQUIDISTANT,
    'opencv_fisheye': _EQUIDISTANT,
    'kannala_brandt': _EQUIDISTANT,
    'kannala_brandt4': _EQUIDISTANT,
    'kannalabrandt4': _EQUIDISTANT,
    'kannalabrandt8': _EQUIDISTANT,
    'none': '',
}
_RECTIFIED_WORDS = {'rect', 'rectified'}
_KNOWN_MODELS = (
    f'{_PLUMB_BOB} (4 or 5 coefficients), {_RATIONAL} (8, 12 or 14) or {_EQUIDISTANT} (4)'
)


class CameraError(ValueError):
    """A calibration is impossible or not supported; the message gives the reason."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """
    A calibrated (or not yet calibrated) camera, for one image size.

    :param width_px: width of the image; 0 if unknown, which only an uncalibrated camera may be.
    :param height_px: height of the image; 0 if unknown.
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
        cls,
        width_px: int,
        height_px: int,
        k: Sequence[float] | np.ndarray,
        d: Sequence[float] | np.ndarray,
        r: Sequence[float] | np.ndarray,
        p: Sequence[float] | np.ndarray,
        distortion_model: str = 'plumb_bob',
        *,
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
        binning: tuple[int, int] = (1, 1),
    ) -> 'CameraModel':
        """
        Check a calibration and adapt it to a region of interest and binning.

        As in ``image_geometry``, the offset of the region is subtracted from the centres of K and
        P. Then both are divided by the binning. An all-zero R counts as the identity, and an
        all-zero P as K.

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
        :raises CameraError: if a value is not finite, a focal length is not positive, a size is
            zero or too large, or the region leaves the image. The message names the fault.
        """
        model = cls(
            width_px,
            height_px,
            _matrix('K', k, 3, 3),
            np.asarray(d, np.float64).reshape(-1),
            _matrix('R', r, 3, 3),
            _matrix('P', p, 3, 4),
            distortion_model,
        )
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
        """Whether the camera has intrinsics; in ROS, ``K[0] == 0`` means that it has none."""
        return self.k[0, 0] != 0

    @property
    def is_rectified(self) -> bool:
        """Whether rectification would change nothing: no distortion, no rotation, P equals K."""
        return bool(
            _is_ideal(self.distortion_model, self.d)
            and np.array_equal(self.r, np.eye(3))
            and np.array_equal(self.p[:, :3], self.k)
        )

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
            k=self.p[:, :3].copy(), d=np.zeros(5), r=np.eye(3), distortion_model='plumb_bob'
        )

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
        return self._mapped(
            width_px,
            height_px,
            np.array(
                [
                    [scale_x, 0.0, 0.5 * scale_x - 0.5],
                    [0.0, scale_y, 0.5 * scale_y - 0.5],
                    [0.0, 0.0, 1.0],
                ]
            ),
        )

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
        if (
            min(x_px, y_px) < 0
            or min(width_px, height_px) < 1
            or x_px + width_px > self.width_px
            or y_px + height_px > self.height_px
        ):
            raise CameraError(
                f'the region of {width_px} x {height_px} pixels at ({x_px}, {y_px}) is not inside '
                f'the image of {self.width_px} x {self.height_px}'
            )
        return self._mapped(
            width_px, height_px, np.array([[1.0, 0.0, -x_px], [0.0, 1.0, -y_px], [0.0, 0.0, 1.0]])
        )

    def _binned(self, binning_x: int, binning_y: int) -> 'CameraModel':
        if binning_x == binning_y == 1:
            return self
        width_px, height_px = self.width_px // binning_x, self.height_px // binning_y
        if min(width_px, height_px) < 1:
            raise CameraError(
                f'binning of {binning_x} x {binning_y} leaves nothing of the image of '
                f'{self.width_px} x {self.height_px} pixels'
            )
        return self._mapped(width_px, height_px, np.diag((1.0 / binning_x, 1.0 / binning_y, 1.0)))

    def _mapped(self, width_px: int, height_px: int, pixel_map: np.ndarray) -> 'CameraModel':
        return self._replaced(
            width_px=width_px, height_px=height_px, k=pixel_map @ self.k, p=pixel_map @ self.p
        )

    def _replaced(self, **changes) -> 'CameraModel':
        return CameraModel(**{**vars(self), **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CameraModel):
            return NotImplemented
        return (self.width_px, self.height_px, self.distortion_model) == (
            other.width_px,
            other.height_px,
            other.distortion_model,
        ) and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in 'kdrp')

    def _check(self) -> None:
        _check_size(self.width_px, self.height_px)
        for name in 'kdrp':
            values = getattr(self, name)
            if not np.isfinite(values).all():
                raise CameraError(
                    f'{name.upper()} of the calibration has values that are not finite: '
                    f'{values.ravel().tolist()}'
                )
        least_px = max(self.width_px, self.height_px) / _MAX_SIDES
        for name, matrix in (('K', self.k), ('P', self.p)):
            if matrix.any() and not min(matrix[0, 0], matrix[1, 1]) > least_px:
                raise CameraError(
                    f'focal lengths are above {least_px:g} px in an image of {self.width_px} x '
                    f'{self.height_px}, {name} of the calibration has fx {matrix[0, 0]:g} and fy '
                    f'{matrix[1, 1]:g}; give pixels, not millimetres or fractions of the width'
                )
            if np.abs(matrix[:2]).max() > _MAX_SIDES * MAX_SIDE_PX:
                raise CameraError(
                    f'{name} of the calibration is not that of an image of {self.width_px} x '
                    f'{self.height_px} pixels: {matrix.ravel().tolist()}'
                )
            if matrix.any() and matrix[2, :3].tolist() != [0.0, 0.0, 1.0]:
                raise CameraError(
                    f'the last row of {name} of the calibration begins 0 0 1, '
                    f'not {matrix[2, :3].tolist()}'
                )


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
        name, d = usable_distortion(model.distortion_model, model.d)
        make_maps = (
            cv2.fisheye.initUndistortRectifyMap
            if name == _EQUIDISTANT
            else cv2.initUndistortRectifyMap
        )
        map_x, map_y = make_maps(model.k, d, model.r, target, size, cv2.CV_32FC1)
        is_seen = _seen_by_lens(model, name, d)
        map_x[~is_seen] = -2  # outside, which remap leaves black
        self.valid_mask = (
            is_seen
            & (map_x >= 0)
            & (map_x <= model.width_px - 1)
            & (map_y >= 0)
            & (map_y <= model.height_px - 1)
        )
        """(H, W) bool: where the raw image has content; a rectified image is black elsewhere."""
        if not self.valid_mask.any():
            raise CameraError(
                'rectification leaves nothing of the image; look at the distortion '
                f'{model.d.tolist()} and the rotation {model.r.ravel().tolist()}'
            )
        if np.abs(model.r @ model.r.T - np.eye(3)).max() > _ROTATION_TOLERANCE or (
            np.linalg.det(model.r) < 0
        ):
            raise CameraError(
                'R of the calibration must be a rotation matrix (orthogonal rows of length 1), '
                f'got {model.r.ravel().tolist()}'
            )
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
                f'the image has {image.shape[1]} x {image.shape[0]}'
            )
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)


def _seen_by_lens(model: CameraModel, name: str, d: np.ndarray) -> np.ndarray:
    """
    Return which pixels of the rectified image the lens can see.

    The formulas of OpenCV have no limit of the angle. They map rays from behind the camera, and
    rays beyond the angle at which the distortion turns back, into the image again.

    :param name: a distortion model, as in :func:`usable_distortion`.
    :param d: its coefficients, likewise.
    :returns: (H, W) bool.
    """
    u, v = (np.arange(side, dtype=np.float32) for side in (model.width_px, model.height_px))
    inverse = np.linalg.pinv(model.rectified_intrinsics @ model.r).astype(np.float32)
    x, y, ahead = inverse[:, :1, None] * u + (inverse[:, 1:2] * v + inverse[:, 2:])[..., None]
    with np.errstate(all='ignore'):
        tangents = np.where(ahead > 0, np.hypot(x, y) / ahead, np.inf)
        widest = tangents.max(initial=0, where=np.isfinite(tangents))
        angles = np.linspace(0, np.arctan(widest), _ANGLES)
        if name == _EQUIDISTANT:
            radii = angles * np.polyval((*d[::-1], 1), angles**2)
        else:
            k1, k2, _, _, k3, k4, k5, k6 = np.pad(d, (0, 8))[:8]
            squares = np.tan(angles) ** 2
            radii = np.sqrt(squares) * (
                np.polyval((k3, k2, k1, 1), squares) / np.polyval((k6, k5, k4, 1), squares)
            )
        turns_back = ~(np.diff(radii) > 0)
        limit = np.tan(angles[turns_back.argmax()]) if turns_back.any() else widest
    return tangents <= limit


def usable_distortion(name: str, d: np.ndarray) -> tuple[str, np.ndarray]:
    """
    Return ROS's name of a distortion model, and its coefficients.

    :param name: name in ROS or in other software: ``radtan``, ``fisheye``, ``kannala_brandt4`` ...
    :param d: (N,) float64 coefficients; without any, or if all of a pinhole's are zero, there is
        no distortion. An equidistant lens with zeros is an ideal fisheye.
    :returns: ``plumb_bob``, ``rational_polynomial`` or ``equidistant``, and its coefficients. More
        than five of ``plumb_bob`` are those of ``rational_polynomial``, as in ``image_geometry``;
        without distortion it is ``plumb_bob``.
    :raises CameraError: if the model is unknown, or has another number of coefficients.
    """
    if _is_ideal(name, d):
        return _PLUMB_BOB, d if d.size in _PINHOLE_COEFFICIENTS else d[:0]
    model = _model_named(name)
    if not model:
        raise CameraError(
            f'the distortion coefficients {d.tolist()} are not zero, and the distortion model '
            f'is {name!r}; it must be {_KNOWN_MODELS}'
        )
    if model == _EQUIDISTANT:
        if d.size < _EQUIDISTANT_COEFFICIENTS or d[_EQUIDISTANT_COEFFICIENTS:].any():
            raise CameraError(
                f'the distortion model {name!r} has {_EQUIDISTANT_COEFFICIENTS} coefficients, '
                f'not {d.size}: {d.tolist()}; only zeros may follow'
            )
        return model, d[:_EQUIDISTANT_COEFFICIENTS]
    if d.size not in _PINHOLE_COEFFICIENTS:
        raise CameraError(
            f'the distortion model {name!r} has '
            f'{" or ".join(map(str, _PINHOLE_COEFFICIENTS))} coefficients, not {d.size}: '
            f'{d.tolist()}'
        )
    return _RATIONAL if d[_PLUMB_BOB_COEFFICIENTS:].any() else model, d


def is_rectified_topic(topic: str) -> bool:
    """
    Return whether the name of a topic says that its images are rectified.

    :param topic: an image topic. The last part of ``/front/image_rect_color`` contains the word
        ``rect``. That of ``/front/image_corrected`` does not.
    """
    return not _RECTIFIED_WORDS.isdisjoint(topic.rpartition('/')[2].lower().split('_'))


def read_calibration(path: str | Path) -> CameraModel:
    """
    Read a calibration file of camera_calibration (``camera_info_manager``), OpenCV or Kalibr.

    :param path: a YAML file with image_width, image_height, camera_matrix, and usually
        distortion_model, distortion_coefficients, rectification_matrix and projection_matrix; each
        matrix has rows, cols and data. Or a camera chain of Kalibr with one camera.
    :returns: the camera at the size that was calibrated.
    :raises CameraError: if the file is incomplete or wrong; the message names file and fault.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
        # OpenCV's first line is no directive of YAML: it has a colon for the space.
        content = _CalibrationLoader(re.sub(r'\A\s*%YAML:.*', '', text)).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f' in line {error.problem_mark.line + 1}' if error.problem_mark else ''
        raise CameraError(
            f'cannot read the calibration {path}: it is not YAML, {error.problem}{line}; of '
            'ost.txt, ost.ini and ost.yaml, use ost.yaml'
        ) from error
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise CameraError(f'cannot read the calibration {path}: {error}') from error
    try:
        if not isinstance(content, dict):
            raise CameraError('it is not a mapping with image_width, camera_matrix and so on')
        chain = {
            name: about
            for name, about in content.items()
            if isinstance(about, dict) and 'intrinsics' in about
        }
        return _kalibr_camera(chain) if chain else _ros_camera(content)
    except CameraError as error:
        raise CameraError(f'the calibration {path} is wrong: {error}') from error


class _CalibrationLoader(yaml.SafeLoader):
    """Reads a matrix of OpenCV as a mapping with rows, cols and data."""

    def opencv_matrix(self, node: yaml.MappingNode) -> dict[Any, Any]:
        return self.construct_mapping(node, deep=True)


_CalibrationLoader.add_constructor(
    'tag:yaml.org,2002:opencv-matrix', _CalibrationLoader.opencv_matrix
)


def _ros_camera(content: dict[str, Any]) -> CameraModel:
    width_px, height_px = (_side(content, key) for key in ('image_width', 'image_height'))
    _check_size(width_px, height_px)
    stated = [
        str(key)
        for key, entry in content.items()
        if str(key).lower().startswith('dist') and entry not in (None, '', 'none')
    ]
    if stated and 'distortion_coefficients' not in content:
        raise CameraError(
            'the coefficients of the lens must be in distortion_coefficients, which is missing; '
            f'there is {", ".join(stated)}; rename it, or add an empty list of coefficients'
        )
    d = np.asarray(_entries(content, 'distortion_coefficients', ()), np.float64)
    camera_model = content.get('camera_model')
    if 'fisheye_model' in content:  # of OpenCV's calibration sample
        camera_model = 'fisheye' if content['fisheye_model'] else _PLUMB_BOB
    name, d = _named_distortion(camera_model, content.get('distortion_model'), d)
    return CameraModel.from_calibration(
        width_px,
        height_px,
        _entries(content, 'camera_matrix', None),
        d,
        _entries(content, 'rectification_matrix', np.eye(3)),
        _entries(content, 'projection_matrix', np.zeros((3, 4))),
        name,
    )


def _kalibr_camera(chain: dict[str, dict[str, Any]]) -> CameraModel:
    if len(chain) > 1:
        raise CameraError(
            f'it must have one camera of Kalibr, and has {", ".join(map(str, chain))}; copy the '
            'part of the wanted one to a file of its own'
        )
    ((camera, about),) = chain.items()
    if about.get('camera_model') != 'pinhole':
        raise CameraError(
            f'the camera_model of Kalibr must be pinhole, not {about.get("camera_model")!r}'
        )
    try:
        fx, fy, cx, cy = map(float, about['intrinsics'])
        width_px, height_px = map(int, about['resolution'])
        d = np.array(about['distortion_coeffs'], np.float64).reshape(-1)
    except (KeyError, TypeError, ValueError) as error:
        raise CameraError(
            f'{camera} must have four intrinsics, the resolution and distortion_coeffs, '
            f'got {about!r}'
        ) from error
    name, d = _named_distortion('', about.get('distortion_model'), d)
    return CameraModel.from_calibration(
        width_px, height_px, (fx, 0, cx, 0, fy, cy, 0, 0, 1), d, np.eye(3), np.zeros(12), name
    )


def _named_distortion(
    camera_model: Any, distortion_model: Any, d: np.ndarray
) -> tuple[str, np.ndarray]:
    """
    Return ROS's name of the distortion model in a file, and its coefficients.

    :raises CameraError: if the entries are missing or contradict each other.
    """
    lens, name = ('' if text is None else str(text) for text in (camera_model, distortion_model))
    lens_model = '' if lens.strip().lower() in ('', 'pinhole') else _model_named(lens)
    model = _model_named(name)
    if _EQUIDISTANT in (model, lens_model) and not d.size:
        raise CameraError(
            f'an {_EQUIDISTANT} lens has {_EQUIDISTANT_COEFFICIENTS} distortion coefficients, and '
            'there are none'
        )
    # A pinhole may be equidistant, in Kalibr's words.
    if lens_model and model and (lens_model == _EQUIDISTANT) != (model == _EQUIDISTANT):
        raise CameraError(
            f'camera_model {lens!r} and distortion_model {name!r} contradict each other: correct '
            'one of them'
        )
    if name.strip() or lens_model or not d.any():
        return usable_distortion(name if model or not lens_model else lens, d)
    # A pinhole without a distortion model is OpenCV's. Five coefficients without a model are not
    # equidistant, since programs name that model.
    if lens.strip() or d.size > _EQUIDISTANT_COEFFICIENTS:
        return usable_distortion(_PLUMB_BOB, d)
    raise CameraError(
        f'the distortion coefficients {d.tolist()} may be those of {_PLUMB_BOB} or of '
        f'{_EQUIDISTANT}: set distortion_model'
    )


def _model_named(name: str) -> str:
    """
    Return the distortion model by ROS's name, empty for none.

    :raises CameraError: if it is unknown.
    """
    model = _ros_name(name)
    if model not in (_PLUMB_BOB, _RATIONAL, _EQUIDISTANT, ''):
        raise CameraError(
            f'the distortion model {name!r} is not known; it must be {_KNOWN_MODELS}'
        )
    return model


def _ros_name(name: str) -> str:
    word = re.sub('[^a-z0-9]+', '_', name.strip().lower())
    return _OTHER_NAMES.get(word, word)


def _is_ideal(name: str, d: np.ndarray) -> bool:
    """
    Return whether a lens is a pinhole without distortion.

    An equidistant lens with coefficients of 0 distorts the image, since r = f theta, not
    f tan(theta).
    """
    return not d.any() and (not d.size or _ros_name(name) != _EQUIDISTANT)


def _side(content: dict[str, Any], key: str) -> int:
    if type(content.get(key)) is not int:  # True is an int, too
        raise CameraError(f'{key} must be a whole number of pixels, got {content.get(key)!r}')
    return content[key]


def _entries(content: dict[str, Any], key: str, default: Any) -> Any:
    """Return the data of a matrix of the file, checked to be numbers and as many as it says."""
    matrix: Any = content.get(key)
    if matrix is None and default is not None:
        return default
    try:
        values = np.array(matrix['data'], np.float64).reshape(-1)  # some write a list of rows
        expected = int(matrix['rows']) * int(matrix['cols'])
    except (KeyError, TypeError, ValueError) as error:
        raise CameraError(
            f'{key} must have rows, cols and data (a list of numbers), got {matrix!r}'
        ) from error
    if values.size != expected:
        raise CameraError(f'{key} says {expected} values, its data has {values.size}')
    return values


def _matrix(
    name: str, values: Sequence[float] | np.ndarray, rows: int, columns: int
) -> np.ndarray:
    matrix = np.array(values, np.float64)
    if matrix.size != rows * columns:
        raise CameraError(
            f'{name} of the calibration has {rows * columns} values, not {matrix.size}'
        )
    return matrix.reshape(rows, columns)


def _check_size(width_px: int, height_px: int) -> None:
    if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
        raise CameraError(
            f'image sides are 1 to {MAX_SIDE_PX} pixels, not {width_px} x {height_px}'
        )
