"""
The message classes: from ROS if it is installed, else replacements with the same fields.

Only a node needs ROS. Without ROS, the library ``rosbags`` provides the classes. It also
serializes and deserializes the messages.
"""

from typing import Any

import numpy as np

try:
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import (
        CameraInfo,
        CompressedImage,
        Image,
        LaserScan,
        PointCloud2,
        PointField,
        Range,
    )
    from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension, MultiArrayLayout
except ImportError:  # also if ROS does not find its libraries, as without its setup.bash
    from .messages_without_ros import (
        CameraInfo,
        CompressedImage,
        deserialize_message,
        Float32MultiArray,
        Header,
        Image,
        LaserScan,
        MultiArrayDimension,
        MultiArrayLayout,
        PointCloud2,
        PointField,
        Range,
        serialize_message,
    )


def filled(kind: Any, **fields: Any) -> Any:
    """
    Create a message; every scalar field of a message is set here.

    ROS accepts only Python's numbers. It sends a NumPy float32, or an int in a float field, as
    a wrong number. It sends a NumPy bool as False. It reports this only with
    ``ROS_PYTHON_CHECK_FIELDS=1``.

    :param kind: the class of the message.
    :param fields: the values by name. NumPy scalars become Python scalars. Ints become floats in
        float fields.
    """
    types = kind.get_fields_and_field_types() if hasattr(kind, 'SLOT_TYPES') else {}
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in fields.items()
    }
    return kind(
        **{
            name: float(value) if types.get(name) in ('float', 'double') else value
            for name, value in plain.items()
        }
    )


__all__ = [
    'CameraInfo',
    'CompressedImage',
    'deserialize_message',
    'filled',
    'Float32MultiArray',
    'Header',
    'Image',
    'LaserScan',
    'MultiArrayDimension',
    'MultiArrayLayout',
    'PointCloud2',
    'PointField',
    'Range',
    'serialize_message',
]
