"""Resize images to the network's input, and maps back to image size, on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import depth_range
from .contrast import equalize
from .letterbox import Letterbox

# An image this many times as large as the input is halved first. A blur at full size would take
# as long as the network.
_HALVED_FROM = 4
_LEAST_VARIANCE_PX2 = 0.01  # less blur than this changes nothing


def to_input(image: np.ndarray, letterbox: Letterbox, contrast_limit: float = 0.0) -> np.ndarray:
    """
    Return the network's input: the image resized, equalized, centred, with its border repeated.

    The resize approximates the antialiased bilinear one of PyTorch. On photographs, the images
    differ by 0.3 of 255 on average, and the depths by 0.2 %.

    :param image: (H, W, 3) uint8 RGB.
    :param letterbox: place of the image in the input.
    :param contrast_limit: the limit of the equalization; 0 for none.
    :returns: (3, h, w) float32 in [-1, 1], contiguous.
    """
    inner_height, inner_width = letterbox.inner_size_px
    image = equalize(_resized(image, inner_height, inner_width), contrast_limit)
    left, _, top, _ = letterbox.padding
    bottom, right = top + inner_height, left + inner_width
    values = np.empty((3, *letterbox.input_size_px), np.float32)
    rows = values[:, top:bottom]
    inner = rows[..., left:right]
    np.multiply(image.transpose(2, 0, 1), np.float32(2 / 255), out=inner)
    inner -= 1
    rows[..., :left], rows[..., right:] = rows[..., left : left + 1], rows[..., right - 1 : right]
    values[:, :top], values[:, bottom:] = rows[:, :1], rows[:, -1:]
    return values


def to_image_size(
    maps: Sequence[np.ndarray], letterbox: Letterbox, max_depth_m: float
) -> list[np.ndarray]:
    """
    Return maps of the network at the size of the image, without the border.

    :param maps: (h, w) float32 arrays at the size of the input: depth in [-1, 1], then others.
    :param letterbox: place of the image in the input.
    :param max_depth_m: metres at the top of the range.
    :returns: (H, W) float32 arrays; the first is depth in metres.
    """
    left, _, top, _ = letterbox.padding
    height, width = letterbox.inner_size_px
    inner = [values[top : top + height, left : left + width] for values in maps]
    inner[0] = depth_range.to_metres(inner[0], max_depth_m)
    return [cv2.resize(values, letterbox.image_size_px[::-1]) for values in inner]


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """
    Resize an image, with antialiasing.

    PyTorch filters with a triangle that is as wide as the factor. OpenCV interpolates with a
    narrow triangle, so a Gaussian blur before it adds the missing variance.

    :param image: (H, W, 3) uint8.
    :returns: (height, width, 3) uint8.
    """
    halved_px2 = 0.0  # variance of the filter so far, in pixels of the image as it is
    while (
        image.shape[0] >= _HALVED_FROM * height
        and image.shape[1] >= _HALVED_FROM * width
        and not image.shape[0] % 2
        and not image.shape[1] % 2
    ):
        image = cv2.resize(
            image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA
        )
        halved_px2 = halved_px2 / 4 + 1 / 16
    # A triangle that is f pixels wide to each side has the variance f**2 / 6, and bilinear
    # interpolation that of f = 1.
    variances_px2 = [
        max(0.0, (before / after) ** 2 / 6 - 1 / 6 - halved_px2)
        for before, after in zip(image.shape, (height, width))
    ]
    if max(variances_px2) > _LEAST_VARIANCE_PX2:
        sigma_y, sigma_x = (max(v, 1e-6) ** 0.5 for v in variances_px2)
        image = cv2.GaussianBlur(image, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    return cv2.resize(image, (width, height))
