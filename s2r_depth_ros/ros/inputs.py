"""Conversion of received messages to camera images and scale references."""

from __future__ import annotations

import math

from ..depth.pipeline import CameraImage, ScaleReference
from ..depth.scale import cone_reference
from . import messages
from .message_types import CameraInfo, CompressedImage, Header, Image, Range
from .messages import MessageError


def stamp_ns(header: Header) -> int:
    """Return the stamp of a message in nanoseconds."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def camera_image(
    message: Image | CompressedImage, info: CameraInfo | None, max_pixels: int
) -> CameraImage:
    """
    Decode an image message; every image of the package passes here.

    :param message: an image in any encoding of :mod:`messages`.
    :param info: the camera_info of this image, None if none has arrived.
    :param max_pixels: the maximum of width times height.
    :raises MessageError: if the image cannot be read, with the cause.
    :raises CameraError: if the calibration is invalid.
    """
    if isinstance(message, CompressedImage):
        rgb = messages.compressed_to_rgb(message, max_pixels)
    else:
        rgb = messages.image_to_rgb(message, max_pixels)
    camera = None if info is None else messages.camera_info_to_model(info)
    return CameraImage(rgb, camera, stamp_ns(message.header), message.header.frame_id)


def scale_reference(
    message: Image | Range | None, image: CameraImage, max_pixels: int
) -> ScaleReference:
    """
    Return the distances that another sensor measured for an image, or why there are none.

    :param message: the reference nearest in time, None if there is none.
    :param image: the image after preprocessing.
    :param max_pixels: the maximum of width times height of a depth image.
    """
    if message is None:
        return ScaleReference(fault='no scale reference within 0.2 s of the image')
    if isinstance(message, Image):
        try:
            return ScaleReference(messages.image_to_depth_m(message, max_pixels))
        except MessageError as error:
            return ScaleReference(fault=str(error))
    if image.intrinsics is None:
        return ScaleReference(fault='without calibration the pixels of a range cannot be found')
    if not math.isfinite(message.field_of_view):
        return ScaleReference(
            fault='the scale reference must have a field_of_view in radians, got '
            f'{message.field_of_view}'
        )
    return ScaleReference(
        cone_reference(
            image.size_px, image.intrinsics, messages.range_m(message), message.field_of_view
        )
    )
