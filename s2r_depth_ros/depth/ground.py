"""The ground plane below a camera, in the optical frame."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import NamedTuple

import numpy as np

# From image to image, the camera of a moving head or lift changes less than this.
_JUMP_RATIO = 1.2
_JUMP_RAD = math.radians(20)
# After this many consecutive images that agree, the new plane is accepted.
_BELIEVED_AFTER = 5

_UNIT_TOLERANCE = 0.01
# If the frame is at the height of the camera, rounding gives a small random height.
_LEAST_HEIGHT_M = 0.01


class GroundError(ValueError):
    """A pose gives no ground plane; the message gives the reason."""


class GroundPlane(NamedTuple):
    """
    The ground below a camera.

    ``height_m`` is the distance of the optical centre from the plane, metres, above 0.
    ``pitch_rad`` is how far the optical axis points below the horizon. ``roll_rad`` is how far the
    camera is turned about its optical axis, clockwise as seen from behind it.
    """

    height_m: float
    pitch_rad: float = 0.0
    roll_rad: float = 0.0

    @classmethod
    def of_pose(
        cls, translation_m: Sequence[float], quaternion_xyzw: Sequence[float]
    ) -> GroundPlane:
        """
        Return the plane z = 0 of a frame whose pose in the optical frame is known.

        :param translation_m: (3,) origin of the frame in the optical frame.
        :param quaternion_xyzw: (4,) rotation of the frame in the optical frame.
        :raises GroundError: if a number is not finite, if the quaternion has not the length 1, or
            if the camera is less than 1 cm above the plane.
        """
        origin = np.asarray(translation_m, np.float64)
        x, y, z, w = rotation = np.asarray(quaternion_xyzw, np.float64)
        if not (np.isfinite(origin).all() and np.isfinite(rotation).all()):
            raise GroundError('the pose of the camera has numbers that are not finite')
        length = float(np.linalg.norm(rotation))
        if abs(length - 1) > _UNIT_TOLERANCE:
            raise GroundError(f'the rotation of the camera has the length {length:.3g}, not 1')
        down = -np.array((2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)))
        down /= np.linalg.norm(down)
        height_m = float(origin @ down)
        if height_m < _LEAST_HEIGHT_M:
            where = 'below' if height_m <= -_LEAST_HEIGHT_M else 'above'
            raise GroundError(
                f'the camera is {abs(height_m):.2g} m {where} the frame, which must lie on the '
                'ground'
            )
        return cls(height_m, math.asin(down[2]), math.atan2(down[0], down[1]))

    def __str__(self) -> str:
        """Return height and angles as text."""
        angles = ', '.join(
            f'{name} {math.degrees(angle):.1f} degrees'
            for name, angle in (('pitch', self.pitch_rad), ('roll', self.roll_rad))
        )
        return f'height {self.height_m:.3g} m, {angles}'

    def is_near(self, other: GroundPlane) -> bool:
        """Return whether the plane can change to the other one from one image to the next."""
        ratio = self.height_m / other.height_m
        return 1 / _JUMP_RATIO < ratio < _JUMP_RATIO and self.angle_rad(other) < _JUMP_RAD

    def angle_rad(self, other: GroundPlane) -> float:
        """Return the angle between two planes, 0 to pi."""
        return math.acos(max(-1.0, min(1.0, float(self.down @ other.down))))

    @property
    def down(self) -> np.ndarray:
        """Unit vector (3,) towards the ground, in the optical frame (x right, y down, z ahead)."""
        level = math.cos(self.pitch_rad)
        return np.array(
            (
                level * math.sin(self.roll_rad),
                level * math.cos(self.roll_rad),
                math.sin(self.pitch_rad),
            )
        )

    def depth_m(
        self, size_px: tuple[int, int], intrinsics: np.ndarray, margin_rad: float
    ) -> np.ndarray:
        """
        Return the depth at which the rays of an image meet the ground.

        :param size_px: (height, width) of the image.
        :param intrinsics: (3, 3) camera matrix in pixels of this image.
        :param margin_rad: tolerance of the angles: the rays point downwards by this much less.
        :returns: (H, W) float32 metres along the optical axis, +inf where a ray stays above.
        """
        height_px, width_px = size_px
        x = ((np.arange(width_px) - intrinsics[0, 2]) / intrinsics[0, 0]).astype(np.float32)
        y = ((np.arange(height_px) - intrinsics[1, 2]) / intrinsics[1, 1]).astype(np.float32)
        right, down, ahead = self.down.astype(np.float32)
        sines = right * x + (down * y + ahead)[:, np.newaxis]
        # sin(a - margin) is at least sin(a) - sin(margin).
        lengths = np.sqrt(x * x + (y * y + 1)[:, np.newaxis])
        sines -= np.float32(math.sin(margin_rad)) * lengths
        with np.errstate(divide='ignore'):
            return np.where(sines > 0, np.float32(self.height_m) / sines, np.float32(np.inf))

    def height_of(self, points_m: np.ndarray) -> np.ndarray:
        """
        Return how high points are above the ground.

        :param points_m: (..., 3) metres in the optical frame; NaN stays.
        :returns: (...) metres, of the same dtype.
        """
        down = self.down.astype(points_m.dtype)
        height_m = points_m[..., 0] * -down[0]  # a matrix product is slow for planes of x, y, z
        height_m -= points_m[..., 1] * down[1]
        height_m -= points_m[..., 2] * down[2]
        height_m += points_m.dtype.type(self.height_m)
        return height_m


class GroundReading(NamedTuple):
    """The ground plane of one image, or the reason why it is unknown or doubtful."""

    plane: GroundPlane | None = None
    fault: str = ''


class HeldGround:
    """
    The ground plane of one camera over time.

    The last plane is kept while the plane is unknown. If it jumps, the last plane is kept until
    five images agree on the new one.
    """

    def __init__(self) -> None:
        self._plane: GroundPlane | None = None
        self._next: GroundPlane | None = None
        self._agreeing = 0

    @property
    def plane(self) -> GroundPlane | None:
        """The last plane, None if there was none yet."""
        return self._plane

    def update(self, reading: GroundReading) -> GroundReading:
        """
        Return the plane in force, with the reason if it is not the one of this image.

        :param reading: the reading of this image.
        """
        plane, held = reading.plane, self._plane
        if plane is None:
            self._agreeing = 0
            return GroundReading(held, reading.fault)
        if held is None or plane.is_near(held):
            self._plane, self._agreeing = plane, 0
            return reading
        is_same = self._next is not None and plane.is_near(self._next)
        self._agreeing = self._agreeing + 1 if self._agreeing and is_same else 1
        self._next = plane
        if self._agreeing >= _BELIEVED_AFTER:
            self._plane, self._agreeing = plane, 0
            return reading
        return GroundReading(held, f'the ground plane jumps from {held} to {plane}')
