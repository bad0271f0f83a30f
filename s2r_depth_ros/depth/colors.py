"""Depth in colours, for display."""

from functools import cache
import math

import cv2
import numpy as np

_FAR_INDEX = 254
_INVALID_INDEX = 255
_LAST_DEPTH_INDEX = 253
_FAR_BGR = (64, 64, 64)


def color_depth(depth_m: np.ndarray, near_m: float, far_m: float) -> np.ndarray:
    """
    Colour a depth image on a logarithmic scale with OpenCV's Turbo map.

    Near is red, far is blue. Equal *ratios* of depth are equal steps of colour: 1 m against 2 m
    reads as clearly as 20 m against 40 m, so one picture serves a street and a room.

    :param depth_m: (H, W) float metres.
    :param near_m: depth of the reddest colour, positive; nearer depths and -inf also have it.
    :param far_m: depth of the bluest colour; farther finite depths also have it.
    :returns: (H, W, 3) uint8 BGR; black where NaN, dark grey where +inf (far, sky).
    :raises ValueError: unless 0 < near_m < far_m < inf.
    """
    if not 0 < near_m < far_m < math.inf:
        raise ValueError(f'colours need 0 < near < far, got near {near_m} m and far {far_m} m')
    depth = np.clip(depth_m, near_m, far_m)  # keeps NaN
    position = np.log(depth, dtype=np.float32)
    position -= np.float32(math.log(far_m))
    position *= np.float32(_LAST_DEPTH_INDEX / math.log(near_m / far_m))  # far 0, near the last
    np.nan_to_num(position, copy=False, nan=_INVALID_INDEX)
    index = np.rint(position).astype(np.uint8)
    index[depth_m == np.inf] = _FAR_INDEX
    return cv2.applyColorMap(index, _color_table())


@cache
def _color_table() -> np.ndarray:
    """Return the (256, 1, 3) uint8 BGR look-up: Turbo, then the colours of far and invalid."""
    levels = np.linspace(0, 255, _LAST_DEPTH_INDEX + 1).round().astype(np.uint8)
    table = np.zeros((256, 1, 3), np.uint8)
    table[: _LAST_DEPTH_INDEX + 1] = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_TURBO)
    table[_FAR_INDEX] = _FAR_BGR
    return table
