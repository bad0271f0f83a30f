"""Finds the pixels whose depth is smeared between a near and a far surface."""

from __future__ import annotations

import cv2
import numpy as np

# The network's depth is smooth over several pixels of the image. So one pixel in four along both
# axes shows its steps, and the mean of 2 x 2 pixels those of grey.
_DEPTH_STRIDE, _GREY_STRIDE = 4, 2
_WINDOW = np.ones((3, 3), np.uint8)
_LEAST_DEPTH_M = 1e-3
# At strength 1, a pixel is smeared from this multiple of the image's mean product of both steps.
# On rendered training scenes, this marks 5 % of the pixels that are no ghosts.
_SMEARED = 3.2
# The least product at strength 1: it keeps pictures on a flat wall.
_LEAST_PRODUCT = 0.3


def smeared(depth_m: np.ndarray, rgb: np.ndarray, strength: float) -> np.ndarray:
    """
    Mark the pixels where both depth and image have an edge.

    A pixel is smeared if a * b > max(3.2 * mean(a * b), 0.3) / strength. a is the step of
    ln(depth) in about 12 x 12 pixels. b is the step of grey, 0 to 255, in about 6 x 6 pixels. The
    scale of depth does not matter.

    :param depth_m: (H, W) float32 metres, finite.
    :param rgb: (H, W, 3) uint8, the image of the depth.
    :param strength: 0 marks nothing; 1 is the calibrated strength; more marks more.
    :returns: (H, W) bool, True where smeared.
    """
    height, width = depth_m.shape
    if not strength > 0:
        return np.zeros((height, width), bool)
    coarse, middle = (
        (max(1, width // stride), max(1, height // stride))
        for stride in (_DEPTH_STRIDE, _GREY_STRIDE)
    )
    grey = cv2.cvtColor(cv2.resize(rgb, middle, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey_step = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _WINDOW)
    coarse_m = cv2.resize(depth_m, coarse, interpolation=cv2.INTER_NEAREST)
    depth_step = cv2.morphologyEx(
        np.log(np.maximum(coarse_m, _LEAST_DEPTH_M)), cv2.MORPH_GRADIENT, _WINDOW
    )
    grey_there = cv2.resize(grey_step, coarse, interpolation=cv2.INTER_NEAREST)
    mean = float(np.mean(np.multiply(depth_step, grey_there, dtype=np.float32)))
    least_product = max(_SMEARED * mean, _LEAST_PRODUCT) / strength
    with np.errstate(divide='ignore'):
        least_step = np.minimum(least_product / depth_step, 255)  # no step of grey exceeds 255
    least_step = cv2.resize(least_step.astype(np.uint8), middle)
    marked = cv2.compare(grey_step, least_step, cv2.CMP_GT)
    return cv2.resize(marked, (width, height), interpolation=cv2.INTER_NEAREST) > 0
