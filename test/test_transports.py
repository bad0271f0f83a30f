"""Copies of the outputs in other forms: what image_transport and RTAB-Map subscribe to."""

from __future__ import annotations

import struct

import cv2
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import serialize_message
from ros_graph import Graph, ros_arguments
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore, Stores
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tiny_network import tiny_network

from s2r_depth_ros import weights
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.ros.compressed import bgr_to_jpeg, depth_to_compressed
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image
from s2r_depth_ros.sources.bags.bag import Bag

HEIGHT, WIDTH = 96, 160
K = np.array([[120.0, 0, 70], [0, 120, 50], [0, 0, 1]])
PINCUSHION = [0.3, 0.1, 0.001, -0.002, 0.0]
HEADER = Header(frame_id='optical')
STORE = get_typestore(Stores.ROS2_JAZZY)


def read_back(message):
    """Return the image as compressed_depth_image_transport's subscriber does (its codec.cpp)."""
    encoding, _, rest = message.format.partition(';')
    assert 'compressedDepth png' in rest
    data = bytes(message.data)
    _, a, b = struct.unpack('<iff', data[:12])
    pixels = cv2.imdecode(np.frombuffer(data[12:], np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    if encoding == '16UC1':
        return pixels
    assert encoding == '32FC1'
    with np.errstate(divide='ignore'):
        depth_m = np.float32(a) / (pixels.astype(np.float32) - np.float32(b))
    return np.where(pixels == 0, np.float32(np.nan), depth_m)


@pytest.mark.parametrize(
    ('near_m', 'far_m'), [(0.1, 76.0), (0.001, 0.5), (2.0, 2.0), (0.5, 10000.0)]
)
def test_the_plugin_reads_the_depth_back_within_half_a_step(near_m, far_m):
    depth_m = np.geomspace(near_m, far_m, 48, dtype=np.float32).reshape(6, 8)
    message = depth_to_compressed(depth_m, HEADER, '32FC1')
    assert message.format == '32FC1; compressedDepth png'
    constant, a, _ = struct.unpack('<iff', bytes(message.data[:12]))
    assert constant == 0
    assert a <= 100 * 101
    # Half a level, and what float32 leaves of a level.
    error = np.abs(1 / read_back(message).astype(float) - 1 / depth_m.astype(float))
    assert error.max() <= 0.51 / a


def test_what_is_no_measurement_is_read_back_as_nan():
    depth_m = np.full((4, 6), 3.0, np.float32)
    depth_m[0] = np.nan, np.inf, -np.inf, 1e-45, -1.0, 5.0
    found_m = read_back(depth_to_compressed(depth_m, HEADER, '32FC1'))
    assert np.isnan(found_m[0, :5]).all()
    assert found_m[0, 5] == pytest.approx(5, abs=0.002)
    assert found_m[1:] == pytest.approx(3, abs=0.001)
    nothing = np.full((4, 6), np.nan, np.float32)
    assert np.isnan(read_back(depth_to_compressed(nothing, HEADER, '32FC1'))).all()


def test_millimetres_are_read_back_unchanged():
    depth_m = np.array([[1.2345, 65.5, 80.0, np.nan, -np.inf]], np.float32)
    message = depth_to_compressed(depth_m, HEADER, '16UC1')
    assert message.format == '16UC1; compressedDepth png'
    assert read_back(message).tolist() == [[1234, 65500, 0, 0, 0]]
    with pytest.raises(ValueError, match="not 'mono8'"):
        depth_to_compressed(depth_m, HEADER, 'mono8')


def test_colours_are_a_jpeg_with_the_name_of_the_plugin():
    bgr = cv2.resize(picture(1), (320, 240))
    message = bgr_to_jpeg(bgr, HEADER)
    assert message.format == 'bgr8; jpeg compressed bgr8'
    assert cv2.absdiff(decoded(message), bgr).mean() < 3


def picture(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def decoded(message):
    return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)


def pixels_of(message, dtype=np.uint8):
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)


class Robot:
    """A node that rectifies, the camera in front of it, and a subscriber of some outputs."""

    def __init__(self, graph, **outputs):
        network = graph.folder / 'tiny.safetensors'
        weights.save(
            network, tiny_network(seed=3), weights.WeightsInfo(80.0, 100.0, HEIGHT, WIDTH)
        )
        graph.start(
            's2r_depth_ros.program',
            'depth_node',
            *ros_arguments(weights=network, device='cpu', rectify='true'),
        )
        self._graph = graph
        self._stamp_s = 0
        self._image = graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        self._info = graph.publisher(CameraInfo, 'camera/camera_info', qos_profile_sensor_data)
        self._found = {
            output: graph.collect(kind, f'camera/depth/{output}')
            for output, kind in outputs.items()
        }

    def see(self, rgb):
        """Send an image until all outputs of one stamp are here, and return them by name."""
        self._graph.wait(self._complete, 'all outputs of an image', repeat=lambda: self._send(rgb))
        return self._complete()

    def _send(self, rgb):
        self._stamp_s += 1
        header = Header(frame_id='front_optical')
        header.stamp.sec = self._stamp_s
        model = CameraModel.from_calibration(
            WIDTH, HEIGHT, K, np.array(PINCUSHION), np.eye(3), np.zeros((3, 4)), 'plumb_bob'
        )
        self._info.publish(camera_model_to_info(model, header))
        self._image.publish(pixels_to_image(rgb, 'rgb8', header))

    def _complete(self):
        by_stamp = [
            {message.header.stamp.sec: message for message in found}
            for found in self._found.values()
        ]
        common = set.intersection(*(set(each) for each in by_stamp))
        if not common:
            return None
        return dict(zip(self._found, (each[max(common)] for each in by_stamp)))


def test_the_copies_have_the_content_stamp_and_frame_of_their_output(tmp_path):
    with Graph(tmp_path) as graph:
        robot = Robot(
            graph,
            **{
                'camera_info': CameraInfo,
                'image': Image,
                'image_color': Image,
                'image_rect_color': Image,
                'image/compressedDepth': CompressedImage,
                'image_color/compressed': CompressedImage,
            },
        )
        rgb = picture(5)
        found = robot.see(rgb)
    headers = [message.header for message in found.values()]
    assert all(header == headers[0] for header in headers)
    assert headers[0].frame_id == 'front_optical'
    rectified = pixels_of(found['image_rect_color'])
    assert found['image_rect_color'].encoding == 'rgb8'
    expected = cv2.undistort(rgb, K, np.array(PINCUSHION))
    assert cv2.absdiff(np.ascontiguousarray(rectified), expected).mean() < 1
    assert not any(found['camera_info'].d)
    depth_m = pixels_of(found['image'], np.float32)[..., 0]
    measured = np.isfinite(depth_m)
    depth_of_copy_m = read_back(found['image/compressedDepth'])
    assert np.array_equal(np.isfinite(depth_of_copy_m), measured)
    assert depth_of_copy_m[measured] == pytest.approx(depth_m[measured], rel=0.005)
    colors = pixels_of(found['image_color'])
    assert cv2.absdiff(decoded(found['image_color/compressed']), colors).mean() < 5


def test_the_rectified_image_alone_needs_no_network(tmp_path):
    with Graph(tmp_path) as graph:
        statuses = graph.collect(DiagnosticArray, '/diagnostics')
        robot = Robot(graph, image_rect_color=Image, camera_info=CameraInfo)
        robot.see(picture(5))

        def batches():
            values = {
                (status.name, item.key): item.value
                for message in statuses
                for status in message.status
                for item in status.values
            }
            if int(values.get(('/depth_node: camera', 'published'), 0)) > 0:
                return values['/depth_node: network', 'batches']
            return None

        assert graph.wait(batches, 'the count of batches') == '0'


def test_the_copies_in_a_recording_are_no_cameras(tmp_path):
    with Writer(tmp_path / 'bag', version=9) as writer:
        header, rgb = Header(frame_id='optical'), picture(5)
        for topic, message in (
            ('/left/image_raw', pixels_to_image(rgb, 'rgb8', header)),
            ('/left/depth/image_rect_color', pixels_to_image(rgb, 'rgb8', header)),
            ('/left/depth/image_color/compressed', bgr_to_jpeg(rgb, header)),
            (
                '/left/depth/image/compressedDepth',
                depth_to_compressed(np.ones((4, 6), np.float32), header, '32FC1'),
            ),
        ):
            kind = f'sensor_msgs/msg/{type(message).__name__}'
            connection = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connection, 1, serialize_message(message))
    with Bag(tmp_path / 'bag', pytest.fail) as bag:
        assert [camera.image_topic for camera in bag.cameras] == ['/left/image_raw']
