"""
Confidence in the depth of each pixel, from 0 to 1.

A network with a judge tells the error that it expects. Without a judge, the confidence comes from
the depth of the mirrored image, in a second run of the network. Depth that the network infers from
the image is equal in both. Depth that it guesses differs.
"""

from __future__ import annotations

import cv2
import numpy as np

# The disagreement is that of regions, so one pixel in four along both axes is enough.
_STRIDE = 4
# Side of the square over which the disagreement is averaged, as a share of the image's width.
_REGION = 0.2
# Doubt in depth that is e times as far as the median of the image: far depth is less certain.
_FAR_DOUBT = 0.05
_LEAST_DEPTH_M = 1e-2
# The doubt with confidence 0.5: the median of rendered training scenes.
_MEDIAN_DOUBT = 0.06
_MEDIAN_ERROR = 0.16  # the same of a judge
_MOST_LOG_ERROR = 20.0  # keeps its exponential finite


def mirrored(image: np.ndarray) -> np.ndarray:
    """Return an image or a map, (H, W, ...), with left and right exchanged, contiguous."""
    return np.ascontiguousarray(image[:, ::-1])


def confidence_of_error(log_error: np.ndarray) -> np.ndarray:
    """
    Return the confidence in depth whose error is expected to be e: 1 / (1 + e / m).

    :param log_error: (H, W) float32, ln e, e being the expected error of ln(depth).
    :returns: (H, W) float32 in [0, 1]; 0.5 is the median of rendered scenes, where e is m.
    """
    ratio = cv2.exp(np.minimum(log_error, _MOST_LOG_ERROR))
    ratio *= np.float32(1 / _MEDIAN_ERROR)
    ratio += 1
    return np.reciprocal(ratio, out=ratio)


def confidence(depth_m: np.ndarray, mirrored_depth_m: np.ndarray) -> np.ndarray:
    """
    Return the confidence in the depth of each pixel.

    It is 1 / (1 + d / m) of the doubt d, with m the median of d in rendered scenes. d is
    |ln(depth / mirrored depth)|, averaged over a fifth of the width, after the mirrored depth got
    the scale of the depth. Beyond the median depth, 0.05 ln(depth / median) is added.

    :param depth_m: (H, W) float32 metres, finite.
    :param mirrored_depth_m: (H, W) float32 metres, the depth of the mirrored image.
    :returns: (H, W) float32 in (0, 1]; 0.5 is the median of rendered scenes.
    """
    height, width = depth_m.shape
    coarse, other = (
        np.log(np.maximum(values[::_STRIDE, ::_STRIDE], _LEAST_DEPTH_M))
        for values in (depth_m, mirrored_depth_m[:, ::-1])
    )
    difference = coarse - other
    difference = np.abs(difference - np.median(difference))
    side = 2 * round(_REGION * width / _STRIDE / 2) + 1
    rows, columns = coarse.shape  # cv2.blur takes memory for a window that exceeds the image
    doubt = cv2.blur(difference, (min(side, columns), min(side, rows)))
    doubt += _FAR_DOUBT * np.maximum(coarse - np.median(coarse), 0)
    trusted = 1 / (1 + doubt * np.float32(1 / _MEDIAN_DOUBT))
    return cv2.resize(trusted, (width, height))
