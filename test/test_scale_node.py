"""The scale as a user of the node's topics meets it, from each source, with bundled weights."""

from __future__ import annotations

import array
import itertools
import json
import math
import os
from pathlib import Path
import sys

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped
import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Float32MultiArray, Header

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.ground import GroundPlane, GroundReading
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthPipeline
from s2r_depth_ros.depth.scale import scale_from_ground
from s2r_depth_ros.node.camera import nearest_reference
from s2r_depth_ros.ros.messages import camera_model_to_info, depth_to_image, pixels_to_image
from s2r_depth_ros.ros.transforms import listen

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
    (depth_m,) = predictor.predict([rgb], [intrinsics])
    return rgb, intrinsics, depth_m, predictor.far_m(rgb.shape[:2], intrinsics)


class Robot:
    """Plays the street to a node and waits for what it makes of it."""

    def __init__(self, folder, street, **parameters):
        self.graph = Graph(folder)
        self.rgb, self.intrinsics, self._predicted_m, _ = street
        self.stamp_s = 0
        self.node = self.graph.start(
            's2r_depth_ros.node.depth_node',
            *ros_arguments(device='cpu', scale_smoothing=0.0, frozen_after=0.0, **parameters),
        )
        self._image = self.graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        self._info = self.graph.publisher(
            CameraInfo, 'camera/camera_info', qos_profile_sensor_data
        )
        self.depths = self.graph.collect(Image, 'camera/depth/image')
        self.scales = self.graph.collect(Float32MultiArray, 'camera/depth/scale')
        self.diagnostics = self.graph.collect(DiagnosticArray, '/diagnostics')
        self.graph.wait(
            lambda: self.depths and self.scales,
            'depth with its scale',
            repeat=lambda: self._send(self.next_header()),
        )

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
            return [
                depth_m
                for message in self.depths
                if message.header.stamp == header.stamp
                for depth_m in [
                    np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
                ]
                if is_right(np.median((depth_m / self._predicted_m)[np.isfinite(depth_m)]))
            ]

        depth_m = self.graph.wait(
            depths_m,
            f'depth with scale {expected}',
            repeat=lambda: (send_reference(), self._send(header)),
        )[-1]
        scale = self.graph.wait(
            lambda: [each for each in self.scales if is_right(each.data[0])], 'its scale'
        )[-1]
        return depth_m, *scale.data

    def status(self, condition, what, repeat=None):
        def found():
            return next(
                (
                    s
                    for a in reversed(self.diagnostics)
                    for s in a.status
                    if s.name.endswith(': camera') and condition(s)
                ),
                None,
            )

        return self.graph.wait(found, f'diagnostics with {what}', repeat)

    def set_height(self, height_m):
        request = SetParameters.Request(
            parameters=[
                Parameter(
                    name='camera_height',
                    value=ParameterValue(
                        type=ParameterType.PARAMETER_DOUBLE, double_value=height_m
                    ),
                )
            ]
        )
        return (
            self.graph.call(SetParameters, '/depth_node/set_parameters', request)
            .results[0]
            .successful
        )


def same_but_for(depth_m, street, factor, ground=None, margin_deg=0.0):
    """
    Tell whether a published depth is the network's times a factor, where it is in range.

    With a ground plane, nothing lies beyond it.
    """
    _, intrinsics, predicted_m, far_m = street
    expected_m = factor * predicted_m
    if ground is not None:
        ground_m = ground.depth_m(depth_m.shape, intrinsics, math.radians(margin_deg))
        expected_m = np.minimum(expected_m, ground_m)
    valid = np.isfinite(depth_m)
    assert valid.mean() > 0.3
    assert not (valid & (expected_m > 1.01 * factor * far_m)).any()
    return np.allclose(depth_m[valid], expected_m[valid], rtol=1e-3)


def factor_of(street, ground):
    """Return the factor that the node must find with a ground plane."""
    _, intrinsics, predicted_m, far_m = street
    measured_m = np.where(predicted_m < far_m, predicted_m, np.nan)
    return scale_from_ground(measured_m, intrinsics, ground).factor


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


@pytest.mark.parametrize('parameters', [{'scale_source': 'ground_plane'}, {}])
def test_the_given_height_scales_the_depth(tmp_path, street, parameters):
    settings = {'camera_height': 1.5, 'base_frame': "''", 'ground_contact': False}
    with Robot(tmp_path, street, **settings, **parameters) as robot:
        for height_m in (1.5, 3.0):
            assert robot.set_height(height_m)
            ground = GroundPlane(height_m)
            expected = factor_of(street, ground)
            depth_m, factor, confidence = robot.shoot(robot.next_header(), expected)
            assert factor == pytest.approx(expected, rel=1e-3)
            assert 0.3 < confidence <= 1
            assert same_but_for(depth_m, street, factor, ground, 4)
        status = robot.status(
            lambda s: values(s).get('scale') == f'{factor:.4g}', 'the doubled scale'
        )
        assert status.level == DiagnosticStatus.OK
        assert values(status)['scale source'] == 'camera_height'
        assert values(status)['ground plane'].startswith('height 3 m, pitch 0.0 degrees')
        assert float(values(status)['scale confidence']) == pytest.approx(confidence, abs=0.01)


@pytest.fixture
def tf2(monkeypatch):
    """Give the processes a tf2_ros: the stand-in, which has no list of transforms in a message."""
    path = [
        str(Path(__file__).parent / 'tf2_stand_in'),
        *filter(None, [os.environ.get('PYTHONPATH')]),
    ]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(path))


def transform(parent, child, xyz, quaternion, stamp_s=0):
    """Return the pose of a child frame in its parent."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec = stamp_s
    for part, names, numbers in (
        (message.transform.translation, 'xyz', xyz),
        (message.transform.rotation, 'xyzw', quaternion),
    ):
        for name, number in zip(names, numbers):
            setattr(part, name, float(number))
    return message


def nod(height_m, pitch_deg, stamp_s):
    """Return a head that looks down."""
    half = math.radians(pitch_deg) / 2
    turn = 0, math.sin(half), 0, math.cos(half)
    return transform('base_footprint', 'head', (0.2, 0.1, height_m), turn, stamp_s)


def test_tf_gives_height_and_pitch_of_a_head_that_nods(tmp_path, street, tf2):
    static = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with Robot(tmp_path, street, ground_contact=False) as robot:
        # Nobody publishes TF, nothing was given: as before, and no warning.
        depth_m, factor, confidence = robot.shoot(robot.next_header())
        assert factor == 1
        assert np.isnan(confidence)
        status = robot.status(lambda s: values(s).get('scale source') == 'fixed', 'the source')
        assert (status.level, status.message) == (DiagnosticStatus.OK, 'running')
        assert 'ground plane' not in values(status)

        heads = robot.graph.publisher(TransformStamped, '/tf')
        mounts = robot.graph.publisher(TransformStamped, '/tf_static', static)
        mounts.publish(transform('head', 'optical', (0, 0, 0), (-0.5, 0.5, -0.5, 0.5)))

        def look(height_m, pitch_deg, ground):
            """Send a pose of the head and an image until the depth fits a ground plane."""
            header = robot.next_header()
            head = nod(height_m, pitch_deg, header.stamp.sec)
            depth_m, factor, _ = robot.shoot(
                header, factor_of(street, ground), lambda: heads.publish(head)
            )
            assert same_but_for(depth_m, street, factor, ground, 2)

        look(2.4, 0, GroundPlane(2.4))
        moved = GroundPlane(2.4, math.radians(2))
        look(2.4, 2, moved)
        status = robot.status(lambda s: 'pitch 2.0 degrees' in str(values(s)), 'the ground')
        assert values(status)['scale source'] == 'tf'
        assert status.level == DiagnosticStatus.OK

        heights_m = itertools.cycle((0.6, 6.0))  # jumps that do not agree

        def jump():
            header = robot.next_header()
            heads.publish(nod(next(heights_m), 2, header.stamp.sec))
            robot._send(header)

        status = robot.status(lambda s: 'jumps from height 2.4 m' in s.message, 'the jump', jump)
        assert status.level == DiagnosticStatus.WARN
        assert 'the ground plane is held: ' in status.message
        assert 'pitch 2.0 degrees' in values(status)['ground plane']

        # TF stops: the last plane is held.
        depth_m, factor, _ = robot.shoot(robot.next_header(), factor_of(street, moved))
        assert same_but_for(depth_m, street, factor, moved, 2)
        robot.status(lambda s: 'extrapolation into the future' in s.message, 'the reason')


def test_the_first_image_with_tf_stands_on_the_ground(tmp_path, street, tf2):
    rgb, intrinsics, *_ = street
    height_px, width_px = rgb.shape[:2]
    image = CameraImage(rgb, CameraModel.from_intrinsics(width_px, height_px, intrinsics))
    from_tf = GroundReading(GroundPlane(1.5, math.radians(5)))
    corrected_m, plain_m = (
        DepthPipeline(DepthPredictor(device='cpu'), Parameters(ground_contact=is_on))
        .run(image, CameraState(), from_tf=from_tf)
        .depth_m
        for is_on in (True, False)
    )
    assert corrected_m != pytest.approx(plain_m, rel=1e-3, nan_ok=True)
    static = QoSProfile(depth=2, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with Robot(tmp_path, street, cameras=['camera', 'rear']) as robot:
        mounts = robot.graph.publisher(TransformStamped, '/tf_static', static)
        mounts.publish(transform('head', 'optical', (0, 0, 0), (-0.5, 0.5, -0.5, 0.5)))
        mounts.publish(nod(1.5, 5, 0))
        robot.status(
            lambda s: values(s).get('scale source') == 'tf',
            'TF',
            repeat=lambda: robot._send(robot.next_header()),
        )
        depths = robot.graph.collect(Image, 'rear/depth/image')
        images, infos = (
            robot.graph.publisher(kind, f'rear/{name}', qos_profile_sensor_data)
            for kind, name in ((Image, 'image'), (CameraInfo, 'camera_info'))
        )
        header = robot.next_header()

        def send():
            infos.publish(camera_model_to_info(image.camera, header))
            images.publish(pixels_to_image(rgb, 'rgb8', header))

        robot.graph.wait(lambda: depths, 'depth of the other camera', repeat=send)
    first_m = np.frombuffer(depths[0].data, np.float32).reshape(rgb.shape[:2])
    assert first_m == pytest.approx(corrected_m, rel=1e-3, nan_ok=True)


def test_a_frame_that_was_asked_for_and_is_missing_is_named(tmp_path, street, tf2):
    with Robot(tmp_path, street, base_frame='base_link') as robot:
        _, factor, _ = robot.shoot(robot.next_header())
        assert factor == 1
        status = robot.status(lambda s: 'base_link' in s.message, 'the missing frame')
        assert status.level == DiagnosticStatus.WARN
        assert 'no transform from base_link: ' in status.message
        assert values(status)['scale source'] == 'fixed'


def test_without_tf2_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    plane, fault = listen(None, 'base_link').read('optical', 0)
    assert plane is None
    assert fault == (
        'the transform from base_link needs tf2_ros: install ros-$ROS_DISTRO-tf2-ros-py'
    )


def test_reference_takes_its_scale_from_depth_images_and_ranges_of_the_time(tmp_path, street):
    _, intrinsics, predicted_m, _ = street
    with Robot(tmp_path, street, scale_source='reference', depth_scale=0.9) as robot:
        sparse_m = robot.graph.publisher(
            Image, 'camera/scale_reference/image', qos_profile_sensor_data
        )
        ranges = robot.graph.publisher(
            Range, 'camera/scale_reference/range', qos_profile_sensor_data
        )

        # Nothing is known yet: the parameter's, with a warning.
        _, factor, confidence = robot.shoot(robot.next_header())
        assert (factor, confidence) == (pytest.approx(0.9), 0.0)
        status = robot.status(lambda s: 'no scale reference' in s.message, 'the reason')
        assert status.level == DiagnosticStatus.WARN
        assert 'the scale stays at 0.9' in status.message

        header = robot.next_header()
        known = np.random.default_rng(0).random(predicted_m.shape) < 0.01
        reference = depth_to_image(
            np.where(known, 1.7 * predicted_m, np.nan).astype(np.float32), header, '16UC1'
        )
        depth_m, factor, confidence = robot.shoot(header, 1.7, lambda: sparse_m.publish(reference))
        assert factor == pytest.approx(1.7, rel=1e-2)
        assert confidence > 0.95
        assert same_but_for(depth_m, street, factor)

        # A second later that reference is too old, and the scale is held.
        assert robot.shoot(robot.next_header())[1] == pytest.approx(factor)

        header = robot.next_header()
        ahead_m = predicted_m[round(intrinsics[1, 2]), round(intrinsics[0, 2])]
        distance = Range(
            header=header,
            field_of_view=0.0,
            min_range=0.1,
            max_range=200.0,
            range=float(0.5 * ahead_m),
        )
        _, factor, _ = robot.shoot(header, 0.5, lambda: ranges.publish(distance))
        assert factor == pytest.approx(0.5, rel=0.1)

        # An image that is no depth changes nothing, and is named.
        header = robot.next_header()
        wrong = Image(
            header=header,
            height=2,
            width=2,
            encoding='rgb8',
            step=6,
            data=array.array('B', bytes(12)),
        )
        robot.status(
            lambda s: "not 'rgb8'" in s.message,
            'the fault',
            repeat=lambda: (sparse_m.publish(wrong), robot._send(header)),
        )
        assert robot.shoot(robot.next_header())[1] == pytest.approx(0.5, rel=0.1)
