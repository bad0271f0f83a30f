"""Compressed images, as the plugins of image_transport write them."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from .message_types import CompressedImage, filled, Header
from .messages import depth_to_mm

LONGEST_SIDE_PX = 65500
"""OpenCV encodes no image with a longer side."""

# Like the plugin's depth_quantization of 100 (times itself plus 1): the depth has steps of
# depth_m ** 2 / 10100, which is 1 cm at 10 m.
_INVERSE_DEPTH_LEVELS = 10100.0
_LEAST_M = 1e-6  # the inverse of smaller numbers can be infinite
_MAX_LEVEL = np.iinfo(np.uint16).max
_INV_DEPTH = 0  # compressionFormat of the plugin
_FASTEST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)  # the slowest takes 40 times as long
_JPEG_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)  # that of the plugin


def depth_to_compressed(depth_m: np.ndarray, header: Header, encoding: str) -> CompressedImage:
    """
    Create a compressed depth image, as compressed_depth_image_transport does.

    The data are a PNG after a header of 12 bytes: a constant and the floats a and b. In '32FC1' a
    pixel v means a / (v - b) metres. In '16UC1' v is millimetres.

    :param depth_m: (H, W) float metres; no side is longer than :data:`LONGEST_SIDE_PX`.
    :param header: stamp and frame_id of the camera image.
    :param encoding: '32FC1' or '16UC1'.
    :returns: the message; pixels without a finite depth above 0 m are 0, which readers of '32FC1'
        turn into NaN.
    :raises ValueError: for another encoding.
    """
    if encoding == '32FC1':
        pixels, a, b = _quantised(depth_m)
    elif encoding == '16UC1':
        pixels, a, b = depth_to_mm(depth_m), 0.0, 0.0
    else:
        raise ValueError(f"depth images are '32FC1' or '16UC1', not '{encoding}'")
    return _message(
        header,
        f'{encoding}; compressedDepth png',
        struct.pack('<iff', _INV_DEPTH, a, b) + _encoded('.png', pixels, _FASTEST_PNG),
    )


def bgr_to_jpeg(bgr: np.ndarray, header: Header) -> CompressedImage:
    """
    Create a JPEG message, as compressed_image_transport does.

    :param bgr: (H, W, 3) uint8; no side is longer than :data:`LONGEST_SIDE_PX`.
    :param header: stamp and frame_id of the camera image.
    """
    return _message(header, 'bgr8; jpeg compressed bgr8', _encoded('.jpg', bgr, _JPEG_QUALITY))


def _quantised(depth_m: np.ndarray) -> tuple[np.ndarray, float, float]:
    """
    Return a / depth + b as (H, W) uint16, with a and b.

    b makes the farthest depth level 1. a is smaller than the plugin's only if the nearest depth
    would be above the highest level.
    """
    is_measured = np.isfinite(depth_m) & (depth_m > _LEAST_M)
    inverse = np.zeros(depth_m.shape, np.float32)
    np.divide(np.float32(1), depth_m, out=inverse, where=is_measured)
    nearest = float(inverse.max(initial=0))
    farthest = float(inverse.min(initial=nearest, where=is_measured))
    a = min(_INVERSE_DEPTH_LEVELS, (_MAX_LEVEL - 1) / max(nearest - farthest, 1e-9))
    b = 1 - a * farthest
    levels = np.rint(inverse * np.float32(a) + np.float32(b))
    return np.where(is_measured, levels, 0).astype(np.uint16), a, b


def _encoded(kind: str, pixels: np.ndarray, options: tuple[int, int]) -> bytes:
    return cv2.imencode(kind, pixels, options)[1].tobytes()


def _message(header: Header, encoding: str, data: bytes) -> CompressedImage:
    message = filled(CompressedImage, header=header, format=encoding)
    message.data.frombytes(data)  # to set the field is to copy it
    return message
