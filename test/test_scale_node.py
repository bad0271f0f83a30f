"""The scale as a user of the node's topics meets it, from each source, with bundled weights."""
from __future__ import annotations

import array
import json
from pathlib import Path

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Float32MultiArray, Header

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.camera import CameraModel
from s2r_depth_ros.camera_topics import nearest_reference
from s2r_depth_ros.messages import camera_model_to_info, depth_to_image, pixels_to_image

FRAMES = Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames'


@pytest.fixture(scope='module')
def street():
    """A rendered street: pixels, intrinsics, and the network's own depth of it."""
    entry = json.loads((FRAMES / 'manifest.json').read_text())[0]
    rgb = cv2.imread(str(FRAMES / entry['rgb']))[..., ::-1]
    fx, fy, cx, cy = entry['K']
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    rgb = np.ascontiguousarray(rgb)
    predictor = DepthPredictor(device='cpu')
    depth_m, = predictor.predict([rgb], [intrinsics])
    return rgb, intrinsics, depth_m, predictor.far_m(rgb.shape[:2], intrinsics)


class Robot:
    """Plays the street to a node and waits for what it makes of it."""

    def __init__(self, folder, street, **parameters):
        self.graph = Graph(folder)
        self.rgb, self.intrinsics, self._predicted_m, _ = street
        self.stamp_s = 0
        self.graph.start('s2r_depth_ros.depth_node', *ros_arguments(
            device='cpu', scale_smoothing=0.0, **parameters))
        self._image = self.graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        self._info = self.graph.publisher(
            CameraInfo, 'camera/camera_info', qos_profile_sensor_data)
        self.depths = self.graph.collect(Image, 'camera/depth/image')
        self.scales = self.graph.collect(Float32MultiArray, 'camera/depth/scale')
        self.diagnostics = self.graph.collect(DiagnosticArray, '/diagnostics')
        self.graph.wait(lambda: self.depths and self.scales, 'depth with its scale',
                        repeat=lambda: self._send(self.next_header()))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.graph.__exit__(*error)

    def next_header(self):
        self.stamp_s += 1
        header = Header(frame_id='optical')
        header.stamp.sec = self.stamp_s
        return header

    def _send(self, header):
        height_px, width_px = self.rgb.shape[:2]
        model = CameraModel.from_intrinsics(width_px, height_px, self.intrinsics)
        self._info.publish(camera_model_to_info(model, header))
        self._image.publish(pixels_to_image(self.rgb, 'rgb8', header))

    def shoot(self, header, expected=None, send_reference=lambda: None):
        """
        Send the street until its depth has the expected scale, any without one.

        :param header: of the street, and of the reference.
        :param expected: factor between the network's depth and the one published.
        :param send_reference: sends what the scale comes from; a best-effort message can be lost.
        :returns: depth in metres, the scale and the confidence.
        """
        self.depths.clear()

        def is_right(factor):
            return expected is None or factor == pytest.approx(expected, rel=0.1)

        def depths_m():
            return [depth_m for message in self.depths if message.header.stamp == header.stamp
                    for depth_m in [np.frombuffer(message.data, np.float32).reshape(
                        message.height, message.width)]
                    if is_right(np.median((depth_m / self._predicted_m)[np.isfinite(depth_m)]))]

        depth_m = self.graph.wait(
            depths_m, f'depth with scale {expected}',
            repeat=lambda: (send_reference(), self._send(header)))[-1]
        scale = self.graph.wait(
            lambda: [each for each in self.scales if is_right(each.data[0])], 'its scale')[-1]
        return depth_m, *scale.data

    def status(self, condition, what, repeat=None):
        def found():
            return next((s for a in reversed(self.diagnostics) for s in a.status
                         if s.name.endswith(': camera') and condition(s)), None)
        return self.graph.wait(found, f'diagnostics with {what}', repeat)

    def set_height(self, height_m):
        request = SetParameters.Request(parameters=[Parameter(
            name='camera_height', value=ParameterValue(
                type=ParameterType.PARAMETER_DOUBLE, double_value=height_m))])
        return self.graph.call(
            SetParameters, '/depth_node/set_parameters', request).results[0].successful


def same_but_for(depth_m, street, factor):
    """Tell whether a published depth is the network's times a factor, where it is in range."""
    _, _, predicted_m, far_m = street
    valid = np.isfinite(depth_m)
    assert valid.mean() > 0.3
    assert not (valid & (predicted_m > 1.01 * far_m)).any()
    return np.allclose(depth_m[valid], factor * predicted_m[valid], rtol=1e-3)


def values(status):
    return {each.key: each.value for each in status.values}


def test_of_the_references_the_one_nearest_in_time_counts_and_of_equals_the_newest():
    def at(second):
        reference = Range()
        reference.header.stamp.sec = second
        return reference

    three = [at(4), at(5), at(6)]
    assert nearest_reference(three, 5_100_000_000) is three[1]
    assert nearest_reference(three, 5_500_000_000) is None
    unstamped = [at(0), at(0), at(0)]
    assert nearest_reference(unstamped, 0) is unstamped[2]
    assert nearest_reference([], 0) is None


def test_fixed_publishes_the_factor_of_the_parameter(tmp_path, street):
    with Robot(tmp_path, street, depth_scale=1.25) as robot:
        depth_m, factor, confidence = robot.shoot(robot.next_header())
        assert factor == 1.25
        assert np.isnan(confidence)
        assert same_but_for(depth_m, street, 1.25)
        status = robot.status(lambda s: 'scale' in values(s), 'the scale')
        assert values(status)['scale'] == '1.25'
        assert 'scale confidence' not in values(status)


def test_ground_plane_makes_the_camera_as_high_as_it_is(tmp_path, street):
    with Robot(tmp_path, street, scale_source='ground_plane', camera_height=1.5) as robot:
        depth_m, factor, confidence = robot.shoot(robot.next_header())
        assert 0.3 < confidence <= 1
        assert same_but_for(depth_m, street, factor)
        assert robot.set_height(3.0)
        depth_m, doubled, _ = robot.shoot(robot.next_header(), 2 * factor)
        assert doubled == pytest.approx(2 * factor, rel=1e-3)
        assert same_but_for(depth_m, street, doubled)
        status = robot.status(
            lambda s: values(s).get('scale') == f'{doubled:.4g}', 'the doubled scale')
        assert status.level == DiagnosticStatus.OK
        assert float(values(status)['scale confidence']) == pytest.approx(confidence, abs=0.01)


def test_reference_takes_its_scale_from_depth_images_and_ranges_of_the_time(tmp_path, street):
    _, intrinsics, predicted_m, _ = street
    with Robot(tmp_path, street, scale_source='reference', depth_scale=0.9) as robot:
        sparse_m = robot.graph.publisher(
            Image, 'camera/scale_reference/image', qos_profile_sensor_data)
        ranges = robot.graph.publisher(
            Range, 'camera/scale_reference/range', qos_profile_sensor_data)

        # Nothing is known yet: the parameter's, with a warning.
        _, factor, confidence = robot.shoot(robot.next_header())
        assert (factor, confidence) == (pytest.approx(0.9), 0.0)
        status = robot.status(lambda s: 'no scale reference' in s.message, 'the reason')
        assert status.level == DiagnosticStatus.WARN
        assert 'the scale stays at 0.9' in status.message

        header = robot.next_header()
        known = np.random.default_rng(0).random(predicted_m.shape) < 0.01
        reference = depth_to_image(
            np.where(known, 1.7 * predicted_m, np.nan).astype(np.float32), header, '16UC1')
        depth_m, factor, confidence = robot.shoot(
            header, 1.7, lambda: sparse_m.publish(reference))
        assert factor == pytest.approx(1.7, rel=1e-2)
        assert confidence > 0.95
        assert same_but_for(depth_m, street, factor)

        # A second later that reference is too old, and the scale is held.
        assert robot.shoot(robot.next_header())[1] == pytest.approx(factor)

        header = robot.next_header()
        ahead_m = predicted_m[round(intrinsics[1, 2]), round(intrinsics[0, 2])]
        distance = Range(
            header=header, field_of_view=0.0, min_range=0.1, max_range=200.0,
            range=float(0.5 * ahead_m))
        _, factor, _ = robot.shoot(header, 0.5, lambda: ranges.publish(distance))
        assert factor == pytest.approx(0.5, rel=0.1)

        # An image that is no depth changes nothing, and is named.
        header = robot.next_header()
        wrong = Image(
            header=header, height=2, width=2, encoding='rgb8', step=6,
            data=array.array('B', bytes(12)))
        robot.status(lambda s: "not 'rgb8'" in s.message, 'the fault',
                     repeat=lambda: (sparse_m.publish(wrong), robot._send(header)))
        assert robot.shoot(robot.next_header())[1] == pytest.approx(0.5, rel=0.1)
