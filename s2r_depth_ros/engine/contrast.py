"""Equalize the local contrast of images, which differs from camera to camera."""

from __future__ import annotations

import cv2
import numpy as np

# Parts of the image along each axis, each with a histogram of its own.
_PARTS = 8


def equalize(image: np.ndarray, limit: float) -> np.ndarray:
    """
    Return the image with equalized luminance; colour differences stay.

    Contrast-limited adaptive histogram equalization (CLAHE; Zuiderveld, Graphics Gems IV, 1994).

    :param image: (H, W, 3) uint8 RGB.
    :param limit: the steepest slope of the tone curve, as a multiple of that of a flat histogram.
        0 returns the image as it is.
    :returns: (H, W, 3) uint8 RGB.
    """
    if not limit:
        return image
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    luminance = cv2.createCLAHE(limit, (_PARTS, _PARTS)).apply(planes[..., 0])
    cv2.insertChannel(luminance, planes, 0)
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)
