"""Conversion between the network's output in [-1, 1] and metres."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import numpy as np

# The top of the range stands for all farther depths and for the sky; it is not a measurement.
FAR_FRACTION = 0.95

Array = TypeVar('Array', bound=Any)  # a NumPy array or a torch tensor


def to_metres(depth: Array, max_depth_m: float) -> Array:
    """
    Return ``(depth + 1) / 2 * max_depth_m`` (S2R-DepthNet, reference implementation).

    :param depth: network output in [-1, 1], any shape.
    :param max_depth_m: metres at 1, the top of the range: 80 outdoor, 8 indoor.
    :returns: metres, same shape and kind.
    """
    return (depth + 1) * (max_depth_m / 2)


def from_metres(depth_m: Array, max_depth_m: float) -> Array:
    """
    Return the network output that stands for ``depth_m``, the inverse of :func:`to_metres`.

    :param depth_m: metres, any shape; +inf (sky) and all beyond the range become 1, NaN stays.
    :param max_depth_m: metres at 1, the top of the range.
    :returns: values in [-1, 1], same shape and kind.
    """
    return depth_m.clip(0, max_depth_m) * (2 / max_depth_m) - 1


def mark_out_of_range(depth_m: Array, min_depth_m: float, max_depth_m: float) -> Array:
    """
    Return a copy of ``depth_m`` with the marks of REP 117 for values out of the limits.

    :param depth_m: metres, any shape; NaN stays.
    :param min_depth_m: nearer depths become -inf.
    :param max_depth_m: farther depths become +inf.
    :returns: metres, same shape and kind.
    """
    if not isinstance(depth_m, np.ndarray):
        torch = sys.modules['torch']  # loaded, since the input is a tensor
        marked = torch.where(depth_m > max_depth_m, float('inf'), depth_m)
        return torch.where(depth_m < min_depth_m, -float('inf'), marked)
    marked = depth_m.copy()  # this is several times faster than np.where
    marked[depth_m > max_depth_m] = np.inf
    marked[depth_m < min_depth_m] = -np.inf
    return marked
