"""Corrects depth by the places where things stand on the known ground."""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import subsample
from .ground import GroundPlane

_STRIDE = 4  # the network's depth is smooth over more pixels than that
# From this probability on, a pixel is ground. A lower limit lets obstacles sink into the ground.
_LEAST_PROBABILITY = 0.85
_LEAST_M = 1e-2
_MOST_LOG = 1.2  # limit of the correction; a greater one is a fault
# Sides of the windows over which the correction is averaged, as shares of the width of the image.
_NEAR_SHARE, _ACROSS_SHARE = 1 / 60, 1 / 30
_MOST_LOG_ERROR = 5.0  # keeps its exponential finite


def contact_correction(
    depth_m: np.ndarray,
    ground_probability: np.ndarray,
    log_error: np.ndarray,
    ground: GroundPlane,
    intrinsics: np.ndarray,
    angle_error_rad: float,
) -> np.ndarray:
    """
    Return the factor on each depth that moves things to where they stand on the ground.

    Where a pixel shows the ground, the plane gives its depth, and the ratio to the predicted depth
    is the factor. Any other pixel takes the factor of the nearest ground below it in its column.
    The logarithm of the factor has the weight e² / (e² + s²). e is the error of ln(depth) that the
    network expects. s is that of the plane: the error of its angle times depth / height.

    :param depth_m: (H, W) float32, finite, in the unit of the height of ``ground``.
    :param ground_probability: (H, W) float32 in [0, 1].
    :param log_error: (H, W) float32, ln e.
    :param ground: the ground below the camera.
    :param intrinsics: (3, 3) camera matrix in pixels of this image.
    :param angle_error_rad: expected error of pitch and roll.
    :returns: (H, W) float32; 1 where no ground is below.
    """
    height_px, width_px = depth_m.shape
    coarse_m, coarse_intrinsics = subsample(depth_m, intrinsics, _STRIDE)
    plane_m = ground.depth_m(coarse_m.shape, coarse_intrinsics, margin_rad=0.0)
    is_ground = ground_probability[::_STRIDE, ::_STRIDE] > _LEAST_PROBABILITY
    is_ground &= np.isfinite(plane_m)
    plane_m = np.where(is_ground, plane_m, np.float32(1))
    error = np.exp(np.minimum(log_error[::_STRIDE, ::_STRIDE], _MOST_LOG_ERROR))
    plane_error = angle_error_rad * plane_m / ground.height_m
    correction = np.log(plane_m / np.maximum(coarse_m, _LEAST_M)).clip(-_MOST_LOG, _MOST_LOG)
    correction *= error**2 / (error**2 + plane_error**2)

    correction = _mean_of_ground(correction, is_ground, _window(_NEAR_SHARE, width_px))
    carried = _carried_up(correction, is_ground)
    blurred = cv2.blur(carried, (_window(_ACROSS_SHARE, width_px), 1))
    carried = np.where(is_ground, correction, blurred)
    return cv2.resize(cv2.exp(carried), (width_px, height_px))


def _window(share: float, width_px: int) -> int:
    """Return the odd side of a window, in coarse pixels, that is a share of the width."""
    return 2 * round(share * width_px / _STRIDE / 2) + 1


def _mean_of_ground(values: np.ndarray, is_ground: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of the ground pixels in a square window around each pixel."""
    weights = cv2.blur(is_ground.astype(np.float32), (side, side))
    means = cv2.blur(np.where(is_ground, values, 0).astype(np.float32), (side, side))
    return means / np.maximum(weights, np.float32(1e-3))


def _carried_up(values: np.ndarray, is_ground: np.ndarray) -> np.ndarray:
    """Return for each pixel the value of the nearest ground at or below it; 0 without ground."""
    rows = len(values)
    below = np.where(is_ground, np.arange(rows)[:, np.newaxis], rows)
    below = np.minimum.accumulate(below[::-1], axis=0)[::-1]  # row of the nearest ground
    carried = np.take_along_axis(values, np.minimum(below, rows - 1), axis=0)
    return np.where(below < rows, carried, np.float32(0))
