"""The stand-ins for ROS's message classes: the same fields, defaults and bytes as ROS's own."""

from array import array

import numpy as np
import pytest
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
from std_msgs.msg import Float32MultiArray, Header

from s2r_depth_ros.ros import message_types, messages_without_ros

KINDS = (
    CameraInfo,
    CompressedImage,
    Float32MultiArray,
    Header,
    Image,
    LaserScan,
    PointCloud2,
    PointField,
    Range,
)
FIELDS = {
    CameraInfo: {'width': 4, 'd': array('d', [0.5, 0.25]), 'k': np.arange(9.0)},
    CompressedImage: {'format': 'jpeg', 'data': array('B', b'abc')},
    Float32MultiArray: {'data': array('f', [1.5, 2.5])},
    Header: {'frame_id': 'left eye'},
    Image: {'height': 1, 'width': 2, 'step': 6, 'encoding': 'rgb8', 'data': array('B', b'abcdef')},
    LaserScan: {'range_max': 8.0, 'ranges': array('f', [1.5, float('inf')])},
    PointCloud2: {'height': 1, 'is_dense': True, 'data': array('B', b'abcd')},
    PointField: {'name': 'x', 'datatype': PointField.FLOAT32, 'count': 1},
    Range: {'range': 2.0},
}


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_ros_reads_what_a_stand_in_writes_and_the_other_way_round(kind):
    stand_in = getattr(messages_without_ros, kind.__name__)
    for fields in ({}, FIELDS[kind]):
        own = kind(**fields)
        data = messages_without_ros.serialize_message(stand_in(**fields))
        assert repr(deserialize_message(data, kind)) == repr(own)
        read = messages_without_ros.deserialize_message(serialize_message(own), stand_in)
        assert isinstance(read, stand_in)
        assert repr(
            deserialize_message(messages_without_ros.serialize_message(read), kind)
        ) == repr(own)


def test_where_ros_is_installed_its_own_classes_are_taken():
    for kind in KINDS:
        assert getattr(message_types, kind.__name__) is kind


def test_an_inner_message_is_made_of_stand_ins():
    header = messages_without_ros.Header(frame_id='eye')
    header.stamp.sec = 5
    data = messages_without_ros.serialize_message(messages_without_ros.Image(header=header))
    read = deserialize_message(data, Image)
    assert (read.header.stamp.sec, read.header.frame_id) == (5, 'eye')
    cloud = messages_without_ros.PointCloud2(
        fields=[messages_without_ros.PointField(name='y', offset=4)]
    )
    (field,) = deserialize_message(
        messages_without_ros.serialize_message(cloud), PointCloud2
    ).fields
    assert (field.name, field.offset) == ('y', 4)
