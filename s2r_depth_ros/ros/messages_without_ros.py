"""Replacements for ROS's message classes on machines without ROS, based on rosbags."""

from array import array
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import get_typestore, Stores

_STORE = get_typestore(Stores.ROS2_JAZZY)


def _message_class(name: str) -> Any:
    """Return rosbags' class of a message, with ROS's defaults for omitted fields."""
    _, fields = _STORE.fielddefs[name]
    base = _STORE.types[name]

    def construct(self, *values, **named):
        given = {**dict(zip((field for field, _ in fields), values)), **named}
        base.__init__(
            self,
            **{
                field: given[field] if field in given else _default(form) for field, form in fields
            },
        )

    message_type = type(name.rpartition('/')[2], (base,), {'__init__': construct})
    _STORE.types[name] = message_type  # what is read from bytes is of this class, too
    return message_type


def _default(form: Any) -> Any:
    """Return ROS's default value for a field of this form."""
    kind, detail = form
    if kind == Nodetype.NAME:
        return _STORE.types[detail](
            **{field: _default(inner) for field, inner in _STORE.fielddefs[detail][1]}
        )
    if kind == Nodetype.BASE:
        return {'string': '', 'bool': False, 'float32': 0.0, 'float64': 0.0}.get(detail[0], 0)
    (item_kind, item), length = detail
    if kind == Nodetype.SEQUENCE and item == ('uint8', 0):
        return array('B')  # bytes are appended to it
    if item_kind == Nodetype.BASE and item[0] != 'string':
        return np.zeros(length if kind == Nodetype.ARRAY else 0, item[0])
    return []


def deserialize_message(serialized_message: bytes, message_type: Any) -> Any:
    """
    Deserialize a message, as ``rclpy.serialization`` does.

    :param serialized_message: CDR bytes, as in a bag.
    :param message_type: one of the classes of this module.
    :raises rosbags.serde.SerdeError: if the message cannot be read.
    """
    return _STORE.deserialize_cdr(serialized_message, message_type.__msgtype__)


def serialize_message(message: Any) -> bytes:
    """Return the CDR bytes of a message of this module's classes."""
    for field, value in vars(message).items():
        if isinstance(value, array):  # fastest in rclpy, but rosbags rejects it
            setattr(message, field, np.frombuffer(value, value.typecode))
    return bytes(_STORE.serialize_cdr(message, message.__msgtype__))


Header = _message_class('std_msgs/msg/Header')
MultiArrayDimension = _message_class('std_msgs/msg/MultiArrayDimension')
MultiArrayLayout = _message_class('std_msgs/msg/MultiArrayLayout')
Float32MultiArray = _message_class('std_msgs/msg/Float32MultiArray')
CameraInfo = _message_class('sensor_msgs/msg/CameraInfo')
CompressedImage = _message_class('sensor_msgs/msg/CompressedImage')
Image = _message_class('sensor_msgs/msg/Image')
PointCloud2 = _message_class('sensor_msgs/msg/PointCloud2')
PointField = _message_class('sensor_msgs/msg/PointField')
LaserScan = _message_class('sensor_msgs/msg/LaserScan')
Range = _message_class('sensor_msgs/msg/Range')
