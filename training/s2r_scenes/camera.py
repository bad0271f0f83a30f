"""A pinhole camera in a z-up world, with pixel centres at whole numbers (as KITTI and OpenCV)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Camera(NamedTuple):
    """
    Where a picture is taken from.

    ``position`` (3,) metres in the world (x forward, y left, z up); ``rotation`` (3, 3) turns
    world vectors into the optical frame (x right, y down, z forward); ``intrinsics`` (3, 3) in
    pixels.
    """

    position: np.ndarray
    rotation: np.ndarray
    intrinsics: np.ndarray
    width_px: int
    height_px: int

    @property
    def forward(self) -> np.ndarray:
        """Return the direction of the optical axis in the world, (3,)."""
        return self.rotation[2]


def look(
    position: ArrayLike,
    yaw_rad: float,
    pitch_rad: float,
    roll_rad: float,
    intrinsics: np.ndarray,
    width_px: int,
    height_px: int,
) -> Camera:
    """
    Aim a camera.

    :param yaw_rad: counter-clockwise from the world's x axis, seen from above.
    :param pitch_rad: upwards.
    :param roll_rad: clockwise turn of the camera about its axis.
    """
    cy, sy = np.cos(yaw_rad), np.sin(yaw_rad)
    cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
    forward = np.array([cy * cp, sy * cp, sp])
    right = np.array([sy, -cy, 0.0])
    down = np.cross(forward, right)
    cr, sr = np.cos(roll_rad), np.sin(roll_rad)
    rotation = np.stack([cr * right + sr * down, cr * down - sr * right, forward])
    return Camera(np.asarray(position, float), rotation, intrinsics, width_px, height_px)


def pinhole(
    hfov_rad: float, width_px: int, height_px: int, offset_px: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """
    Make the intrinsics of a camera with square pixels.

    :param hfov_rad: horizontal field of view, from the left edge of the picture to the right one.
    :param offset_px: principal point (x, y) relative to the middle of the picture.
    :returns: (3, 3) float64.
    """
    focal_px = width_px / (2 * np.tan(hfov_rad / 2))
    return np.array(
        [
            [focal_px, 0, (width_px - 1) / 2 + offset_px[0]],
            [0, focal_px, (height_px - 1) / 2 + offset_px[1]],
            [0, 0, 1],
        ]
    )


def rays(camera: Camera, samples: int = 1) -> np.ndarray:
    """
    Cast one ray through the middle of each of ``samples`` x ``samples`` parts of each pixel.

    :returns: (height * samples, width * samples, 3) float32 world directions, one metre long along
        the optical axis, so that the distance along a ray is the depth Z.
    """
    k = camera.intrinsics
    u = (np.arange(camera.width_px * samples) + 0.5) / samples - 0.5
    v = (np.arange(camera.height_px * samples) + 0.5) / samples - 0.5
    x, y = np.meshgrid((u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1])
    optical = np.stack([x, y, np.ones_like(x)], -1)
    return (optical @ camera.rotation).astype(np.float32)


def projection(camera: Camera, near_m: float, far_m: float) -> np.ndarray:
    """
    Return the (4, 4) world-to-clip matrix; clip y points down, so row 0 is the picture's top row.

    :param near_m: nothing nearer is drawn.
    :param far_m: nothing farther is drawn.
    """
    k, w, h = camera.intrinsics, camera.width_px, camera.height_px
    clip = np.array(
        [
            [2 * k[0, 0] / w, 0, 2 * (k[0, 2] + 0.5) / w - 1, 0],
            [0, 2 * k[1, 1] / h, 2 * (k[1, 2] + 0.5) / h - 1, 0],
            [0, 0, (far_m + near_m) / (far_m - near_m), -2 * far_m * near_m / (far_m - near_m)],
            [0, 0, 1, 0],
        ]
    )
    view = np.eye(4)
    view[:3, :3] = camera.rotation
    view[:3, 3] = -camera.rotation @ camera.position
    return clip @ view


def orthographic(
    towards: np.ndarray, centre: np.ndarray, radius_m: float, depth_m: float
) -> np.ndarray:
    """
    Return the (4, 4) world-to-clip matrix of a parallel view, as a shadow map needs.

    :param towards: unit vector from the scene to the eye.
    :param centre: middle of the view, metres.
    :param radius_m: half the width and height of what is seen.
    :param depth_m: how far the view reaches before and behind the centre.
    """
    helper = np.array([0.0, 0.0, 1.0]) if abs(towards[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(towards, right), -towards])
    scale = np.array([radius_m, radius_m, depth_m])[:, None]
    matrix = np.eye(4)
    matrix[:3, :3] = axes / scale
    matrix[:3, 3] = -(axes / scale) @ centre
    return matrix
