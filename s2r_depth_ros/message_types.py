"""
The message classes: ROS's own where it is installed, else stand-ins with the same fields.

Only a node needs ROS. Without it the library ``rosbags`` gives the classes, reads the bytes of
messages and writes them.
"""
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

__all__ = [
    'CameraInfo', 'CompressedImage', 'deserialize_message', 'Float32MultiArray', 'Header', 'Image',
    'MultiArrayDimension', 'MultiArrayLayout', 'PointCloud2', 'PointField', 'Range',
    'serialize_message']
