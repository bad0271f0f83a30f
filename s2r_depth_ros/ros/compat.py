"""
Select the libraries that read rare image encodings and point clouds.

With ROS installed, these are ``cv_bridge`` and ``sensor_msgs_py``. ROS wheels from PyPI lack
both. There ``rosbags-image`` and ``pointcloud2`` take the same calls.
"""

from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np

from .message_types import Image, PointCloud2


class ConversionError(ValueError):
    """The conversion library cannot convert this image, or no such library is installed."""


def convert_to_rgb(msg: Image) -> np.ndarray:
    """
    Convert an image in any encoding that the library supports.

    :param msg: an image with unpadded rows in this machine's byte order. Not every library
        handles padding or the other byte order.
    :returns: (H, W, 3) uint8 RGB.
    :raises ConversionError: if the library rejects the image, or none is installed.
    """
    return _image_converter()(msg)


def read_points(cloud: PointCloud2, field_names: Sequence[str]) -> np.ndarray:
    """
    Read fields of a point cloud.

    :param cloud: organised or not.
    :param field_names: such as ``('x', 'y', 'z')``.
    :returns: (H * W,) structured array with these fields, row after row.
    :raises ImportError: if neither library is installed.
    """
    try:
        from sensor_msgs_py.point_cloud2 import read_points as read
    except ImportError:
        from pointcloud2 import read_points as read
    return read(cloud, field_names=list(field_names))


@cache
def _image_converter() -> Callable[[Image], np.ndarray]:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        return _converter_without_ros()
    bridge = CvBridge()

    def convert(msg: Image) -> np.ndarray:
        try:
            return bridge.imgmsg_to_cv2(msg, 'rgb8')
        except (CvBridgeError, cv2.error) as error:
            raise ConversionError(str(error)) from error

    return convert


def _converter_without_ros() -> Callable[[Image], np.ndarray]:
    try:
        from rosbags.image import image_to_cvimage, ImageError
    except ImportError as error:
        raise ConversionError(
            'neither cv_bridge nor rosbags-image is installed; install ros-<distro>-cv-bridge, '
            'or rosbags-image from PyPI'
        ) from error

    def convert(msg: Image) -> np.ndarray:
        try:
            return image_to_cvimage(msg, 'rgb8')
        except (ImageError, cv2.error) as error:
            raise ConversionError(str(error)) from error

    return convert
