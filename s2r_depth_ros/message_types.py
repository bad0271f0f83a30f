"""
The message classes: ROS's own where it is installed, else stand-ins with the same fields.

Only a node needs ROS. Without it the library ``rosbags`` gives the classes, reads the bytes of
messages and writes them.
"""
from typing import Any

import numpy as np

try:
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import (
        CameraInfo,
        CompressedImage,
        Image,
        PointCloud2,
        PointField,
        Range,
    )
    from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension, MultiArrayLayout
except ImportError:  # or it cannot find its libraries, since nobody sourced its setup.bash
    from .messages_without_ros import (
        CameraInfo,
        CompressedImage,
        deserialize_message,
        Float32MultiArray,
        Header,
        Image,
        MultiArrayDimension,
        MultiArrayLayout,
        PointCloud2,
        PointField,
        Range,
        serialize_message,
    )



def filled(kind: Any, **fields: Any) -> Any:
    """
    Make a message; every scalar that goes into one passes here.

    ROS takes only Python's numbers. It sends a NumPy float32, or an int in a field of floats, as
    another number, and a NumPy bool as False. It says so only with ``ROS_PYTHON_CHECK_FIELDS=1``.

    :param kind: the class of the message.
    :param fields: its values by name; NumPy scalars become Python's, and ints floats where the
        field holds one.
    """
    types = kind.get_fields_and_field_types() if hasattr(kind, 'SLOT_TYPES') else {}
    plain = {name: value.item() if isinstance(value, np.generic) else value
             for name, value in fields.items()}
    return kind(**{
        name: float(value) if types.get(name) in ('float', 'double') else value
        for name, value in plain.items()})


__all__ = [
    'CameraInfo', 'CompressedImage', 'deserialize_message', 'filled', 'Float32MultiArray',
    'Header', 'Image', 'MultiArrayDimension', 'MultiArrayLayout', 'PointCloud2', 'PointField',
    'Range', 'serialize_message']
