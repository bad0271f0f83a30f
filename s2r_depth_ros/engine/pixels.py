"""Resize images to the network's input and maps back to image size, on a CPU."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from .. import depth_range
from ..sizes import Fit

# The exact resize of a larger image takes as long as the network.
_HALVED_FROM = 4


def to_input(image: np.ndarray, fit: Fit) -> np.ndarray:
    """
    Return the image as the network takes it: resized, centred, with its border repeated.

    The resize weighs pixels by a triangle as wide as the factor, as PyTorch's antialiased
    bilinear one does, to which it is equal within 1 of 255. Photographs that are more than four
    times as large are halved first; they differ by at most 3.

    :param image: (H, W, 3) uint8 RGB.
    :param fit: how it lies in the input.
    :returns: (3, h, w) float32 in [-1, 1], contiguous.
    """
    inner_height, inner_width = fit.inner_size_px
    while (image.shape[0] >= _HALVED_FROM * inner_height
           and image.shape[1] >= _HALVED_FROM * inner_width
           and not image.shape[0] % 2 and not image.shape[1] % 2):
        image = cv2.resize(
            image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if image.shape[:2] != fit.inner_size_px:
        image = np.asarray(Image.fromarray(image).resize(
            (inner_width, inner_height), Image.Resampling.BILINEAR))
    left, _, top, _ = fit.padding
    bottom, right = top + inner_height, left + inner_width
    values = np.empty((3, *fit.input_size_px), np.float32)
    rows = values[:, top:bottom]
    inner = rows[..., left:right]
    np.multiply(image.transpose(2, 0, 1), np.float32(2 / 255), out=inner)
    inner -= 1
    rows[..., :left], rows[..., right:] = rows[..., left:left + 1], rows[..., right - 1:right]
    values[:, :top], values[:, bottom:] = rows[:, :1], rows[:, -1:]
    return values


def to_image_size(
    maps: Sequence[np.ndarray], fit: Fit, max_depth_m: float,
) -> list[np.ndarray]:
    """
    Return maps of the network at the size of the image, without the border.

    :param maps: (h, w) float32 each at the size of the input: depth in [-1, 1], then any others.
    :param fit: of the image.
    :param max_depth_m: metres at the top of the range.
    :returns: (H, W) float32 each; the first is depth in metres.
    """
    left, _, top, _ = fit.padding
    height, width = fit.inner_size_px
    inner = [values[top:top + height, left:left + width] for values in maps]
    inner[0] = depth_range.to_metres(inner[0], max_depth_m)
    return [cv2.resize(values, fit.image_size_px[::-1]) for values in inner]
