"""Turns the ramps of depth at the outlines of things into steps."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

# All values were chosen on rendered validation scenes (seed 9205): the sharpest edges that raise
# no error of depth.
_RADIUS_PX = 4  # of the windows, in pixels of the network
_LEAST_VARIANCE = 1e-3  # of grey in [0, 1]: flatter windows do not guide
_STEEPNESS = 16.0
_MIDDLE = 0.6  # up to this share of the way from near to far, a pixel is of the near surface
# A step of ln(depth) counts from the first value on, and fully from the second one.
_LEAST_STEP, _WHOLE_STEP = 0.03, 0.09
# Windows twice as large have the same step, but twice the range of a slope.
_SLOPE_RATIO, _STEP_RATIO = 1.9, 1.5
_LEAST_DEPTH_M = 1e-3
# Largest size of the computation, in multiples of the size of the network. More takes more time,
# and its edges are hardly sharper.
_FINEST = 2


class _Edges(NamedTuple):
    """
    The edges of depth, each (h, w) float32 at the size of the network.

    The depth of a pixel becomes ``kept`` * depth + ``near_m`` + share * ``step_m``. Its share of
    the far surface is 1 / (1 + exp(``slope`` * grey + ``offset``)).
    """

    slope: np.ndarray
    offset: np.ndarray
    kept: np.ndarray
    near_m: np.ndarray
    step_m: np.ndarray


def sharpened(
    depth_m: np.ndarray, rgb: np.ndarray, network_size_px: tuple[int, int]
) -> np.ndarray:
    """
    Return the depth with steps where the network's output has ramps.

    The network is smaller than the image, so an outline in its depth is some pixels wide. Each
    such pixel moves towards the nearer or the farther surface beside it. The image decides where
    the outline lies. Slopes and flat surfaces keep their depth.

    :param depth_m: (H, W) float32 metres, finite.
    :param rgb: (H, W, 3) uint8, the image of the depth.
    :param network_size_px: (height, width) of the image in the input of the network.
    :returns: (H, W) float32 metres.
    """
    height, width = depth_m.shape
    size = min(width, _FINEST * network_size_px[1]), min(height, _FINEST * network_size_px[0])
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), size)
    smooth_m = cv2.resize(depth_m, size)
    edges = _Edges(
        *(cv2.resize(values, size) for values in _edges(smooth_m, grey, network_size_px))
    )
    divisor = np.multiply(edges.slope, grey, out=edges.slope)
    divisor += edges.offset
    cv2.exp(divisor, dst=divisor)  # np.exp would warn of an overflow, which is right here
    divisor += 1
    moved_m = np.divide(edges.step_m, divisor, out=edges.step_m)
    moved_m += edges.near_m
    kept, moved_m = (cv2.resize(values, (width, height)) for values in (edges.kept, moved_m))
    return moved_m + kept * depth_m


def _edges(depth_m: np.ndarray, grey: np.ndarray, size_px: tuple[int, int]) -> _Edges:
    """Find the edges of depth at the size of the network, (height, width)."""
    columns_rows = size_px[::-1]
    ln_depth = cv2.log(np.maximum(cv2.resize(depth_m, columns_rows), _LEAST_DEPTH_M))
    window = np.ones((2 * _RADIUS_PX + 1,) * 2, np.uint8)
    near, far = cv2.erode(ln_depth, window), cv2.dilate(ln_depth, window)
    step = far - near
    near_m, far_m = cv2.exp(near), cv2.exp(far)
    # The inverse depth of a plane is linear in the image, so its range grows with the window.
    narrow = 1 / near_m - 1 / far_m
    wide = cv2.dilate(1 / near_m, window) - cv2.erode(1 / far_m, window)
    ratio = wide / np.maximum(narrow, 1e-6) * _missing_at_borders(size_px)
    weight = np.clip((step - _LEAST_STEP) / (_WHOLE_STEP - _LEAST_STEP), 0, 1)
    weight *= np.clip((_SLOPE_RATIO - ratio) / (_SLOPE_RATIO - _STEP_RATIO), 0, 1)
    slope, offset = _guide(ln_depth, cv2.resize(grey, columns_rows) / np.float32(255))
    step = np.maximum(step, _LEAST_STEP)
    return _Edges(
        slope=-_STEEPNESS * slope / (255 * step),
        offset=_STEEPNESS * (_MIDDLE - (offset - near) / step),
        kept=1 - weight,
        near_m=weight * near_m,
        step_m=weight * (far_m - near_m),
    )


@lru_cache(maxsize=16)
def _missing_at_borders(size_px: tuple[int, int]) -> np.ndarray:
    """Return 2 over the ratio of the windows' sides, which the borders of the image cut."""
    ratios = []
    for length in size_px:
        place = np.arange(length)
        narrow, wide = (
            np.minimum(place + radius, length - 1) - np.maximum(place - radius, 0)
            for radius in (_RADIUS_PX, 2 * _RADIUS_PX)
        )
        ratios.append(np.maximum(wide, 1) / np.maximum(narrow, 1))
    return (2 / np.minimum.outer(*ratios)).astype(np.float32)


def _guide(values: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Fit values by slope * grey + offset in each window (He et al., ECCV 2010, equations 5 to 8).

    :param values: (h, w) float32.
    :param grey: (h, w) float32 in [0, 1].
    :returns: slope and offset, the means over all windows of a pixel.
    """
    mean_grey, mean_values = _mean(grey), _mean(values)
    covariance = _mean(grey * values) - mean_grey * mean_values
    variance = _mean(grey * grey) - mean_grey * mean_grey
    slope = covariance / (variance + _LEAST_VARIANCE)
    return _mean(slope), _mean(mean_values - slope * mean_grey)


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (2 * _RADIUS_PX + 1,) * 2)
