"""Obstacles: the points of a cloud above the ground."""

from __future__ import annotations

import cv2
import numpy as np

from .ground import GroundPlane


def obstacle_points(
    points_m: np.ndarray,
    ground: GroundPlane,
    min_height_m: float,
    max_height_m: float,
    voxel_m: float = 0.0,
    is_ground: np.ndarray | None = None,
) -> np.ndarray:
    """
    Return the points between two heights above the ground.

    :param points_m: (H, W, 3) float32 metres in the optical frame, NaN where there is none.
    :param ground: the ground below the camera.
    :param min_height_m: points at this height or lower are ground.
    :param max_height_m: points at this height or higher hang above the robot.
    :param voxel_m: edge length of the voxels. Each keeps one point; 0 keeps all points.
    :param is_ground: (H, W) bool, True for points that are ground at any height; None for none.
    :returns: (N, 3) float32 metres in the optical frame, all finite, row by row of the image.
    """
    height_m = ground.height_of(points_m).ravel()
    planes_m = np.moveaxis(points_m, -1, 0).reshape(3, -1)  # a view of what back_project returns
    is_obstacle = (height_m > min_height_m) & (height_m < max_height_m)
    if is_ground is not None:
        is_obstacle &= ~is_ground.ravel()
    chosen = np.flatnonzero(is_obstacle)
    obstacles_m = planes_m.take(chosen, axis=1)
    if not len(chosen):
        return np.empty((0, 3), np.float32)
    if voxel_m > 0:
        obstacles_m = obstacles_m.take(_first_of_voxels(obstacles_m, voxel_m), axis=1)
    return cv2.merge(list(obstacles_m)).reshape(-1, 3)  # the transpose; faster than NumPy's


def _first_of_voxels(planes_m: np.ndarray, voxel_m: float) -> np.ndarray:
    """
    Return the indices of the first point in each voxel.

    :param planes_m: (3, N) float metres, N at least 1, all finite.
    :param voxel_m: edge length of the voxels, metres, above 0.
    :returns: (M,) indices in ascending order.
    """
    cells = np.floor(planes_m / np.float32(voxel_m)).astype(np.int64)
    cells -= cells.min(axis=1, keepdims=True)
    keys = np.ravel_multi_index(tuple(cells), tuple(cells.max(axis=1) + 1))
    return np.sort(np.unique(keys, return_index=True)[1])
