"""The depth node as a process of its own, seen from its topics and services alone."""

from __future__ import annotations

import array
import itertools
from pathlib import Path
import re
import signal

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tiny_network import tiny_network
import torch

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.ros.compat import read_points

NODE = 's2r_depth_ros.node.depth_node'
HEIGHT, WIDTH = 96, 160
FOCAL_PX, CX_PX, CY_PX = 120.0, 70.0, 50.0


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """Weights of a tiny network, whose depth for a picture spreads over some metres."""
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    network = tiny_network(seed=3)
    with torch.no_grad():
        for name, parameter in network.depth.named_parameters():
            if name.startswith('depth'):
                parameter.mul_(4)
    weights.save(path, network, weights.WeightsInfo(80.0, 100.0, HEIGHT, WIDTH))
    return path


class Camera:
    """
    Publishes images for the node under test and collects what it makes of them.

    :param stamp_s: of the last image before.
    :param info: whether its images have a camera_info.
    """

    def __init__(self, graph, name='camera', transport='raw', outputs=None, stamp_s=0, info=True):
        self.graph = graph
        self.stamp_s = stamp_s
        self._has_info = info
        compressed = transport == 'compressed'
        self._message = compressed_message if compressed else image_message
        self._image = graph.publisher(
            CompressedImage if compressed else Image,
            f'{name}/image/compressed' if compressed else f'{name}/image',
            qos_profile_sensor_data,
        )
        self._info = graph.publisher(CameraInfo, f'{name}/camera_info', qos_profile_sensor_data)
        kinds = {'image': Image, 'camera_info': CameraInfo, 'points': PointCloud2}
        self.found = {
            output: graph.collect(kinds.get(output, Image), f'{name}/depth/{output}')
            for output in (outputs if outputs is not None else kinds)
        }
        # Each side finds each topic of the other by itself: what came once comes from now on.
        for output in self.found if info else {'image'} & self.found.keys():
            graph.wait(
                lambda output=output: self.found[output],
                f'{name}/depth/{output}',
                repeat=lambda: self.shoot(picture()),
            )

    def send_info(self, **changes):
        info = camera_info(self.stamp_s, **changes)
        self._info.publish(info)
        return info

    def send(self, message):
        self._image.publish(message)

    def next_stamp(self):
        self.stamp_s += 1
        return self.stamp_s

    def shoot(self, rgb):
        """Send an image, after its camera_info, and return its stamp in seconds."""
        stamp_s = self.next_stamp()
        if self._has_info:
            self.send_info()
        self.send(self._message(rgb, stamp_s))
        return stamp_s

    def of(self, output, stamp_s):
        return [m for m in self.found[output] if m.header.stamp.sec == stamp_s]

    def wait_for(self, output, stamp_s):
        return self.graph.wait(lambda: self.of(output, stamp_s), f'{output} of {stamp_s}')[0]

    def wait_until(self, output, rgb, condition, what):
        """
        Send an image until what comes of it is as it must be, and return that.

        A camera_info that was sent before can be read after the first of them.
        """
        stamp_s = self.next_stamp()

        def right():
            return next((m for m in self.of(output, stamp_s) if condition(m)), None)

        return self.graph.wait(right, what, repeat=lambda: self.send(self._message(rgb, stamp_s)))

    def depth_m(self, stamp_s):
        message = self.wait_for('image', stamp_s)
        assert message.encoding == '32FC1'
        return np.frombuffer(message.data, '<f4').reshape(message.height, message.width)


class Diagnostics:
    """Collects /diagnostics and finds what they say now of a part of the node."""

    def __init__(self, graph):
        self.graph = graph
        self.found = graph.collect(DiagnosticArray, '/diagnostics')

    def newest(self, part):
        for array_ in reversed(self.found):
            for status in array_.status:
                if status.name.endswith(f': {part}'):
                    return status
        return None

    def wait_for_next(self):
        """Wait for what is said after now: the next message may have been on its way."""
        wanted = len(self.found) + 2
        self.graph.wait(lambda: len(self.found) >= wanted, 'two more diagnostics')

    def wait(self, part, condition, what, repeat=None):
        def found():
            status = self.newest(part)
            return status if status and condition(status) else None

        return self.graph.wait(found, f'diagnostics of {part} with {what}', repeat)

    def count(self, part, key):
        status = self.newest(part)
        return int(values(status).get(key, 0)) if status else 0

    def wait_count(self, part, key, count, repeat=None):
        self.graph.wait(lambda: self.count(part, key) >= count, f'{count} {key} of {part}', repeat)


def values(status):
    return {each.key: each.value for each in status.values}


def picture(seed=0, height=HEIGHT, width=WIDTH):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def image_message(rgb, stamp_s, **changes):
    message = Image(
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding='rgb8',
        step=rgb.shape[1] * 3,
        data=array.array('B', rgb.tobytes()),
    )
    message.header.stamp.sec = stamp_s
    message.header.frame_id = 'front_optical'
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def compressed_message(rgb, stamp_s):
    png = cv2.imencode('.png', rgb[..., ::-1])[1].tobytes()
    message = CompressedImage(format='png', data=array.array('B', png))
    message.header.stamp.sec = stamp_s
    return message


def camera_info(stamp_s, **changes):
    info = CameraInfo(
        height=HEIGHT,
        width=WIDTH,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[FOCAL_PX, 0.0, CX_PX, 0.0, FOCAL_PX, CY_PX, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[FOCAL_PX, 0.0, CX_PX, 0.0, 0.0, FOCAL_PX, CY_PX, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
    info.header.stamp.sec = stamp_s
    info.header.frame_id = 'front_optical'
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def expected_depth_m(tiny, rgb, max_depth_m=76.0):
    """What the node must publish: the predictor's depth with the marks of REP 117."""
    intrinsics = np.array([[FOCAL_PX, 0, CX_PX], [0, FOCAL_PX, CY_PX], [0, 0, 1]])
    (depth_m,) = DepthPredictor(tiny, 'cpu').predict([rgb], [intrinsics])
    # The training focal length was 100 px and the network sees the image at its own size.
    far_m = min(max_depth_m, 0.95 * 80.0 * FOCAL_PX / 100.0)
    return np.where(depth_m > far_m, np.inf, np.where(depth_m < 0.1, -np.inf, depth_m))


@pytest.fixture(scope='module')
def running(tiny, tmp_path_factory):
    """A node with two cameras, shared by the tests that leave it running."""
    with Graph(tmp_path_factory.mktemp('running')) as graph:
        process = graph.start(
            NODE, *ros_arguments(weights=tiny, device='cpu', cameras='[left, right]')
        )
        yield graph, process, Diagnostics(graph), Camera(graph, 'left')


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path) as graph:
        yield graph


def test_every_image_yields_one_depth_info_and_cloud_of_its_stamp(running):
    _, _, _, camera = running
    stamps_s = []
    for seed in range(8):
        stamps_s.append(camera.shoot(picture(seed)))
        for output in camera.found:
            camera.wait_for(output, stamps_s[-1])
    camera.graph.spin(0.5)
    for output, found in camera.found.items():
        mine = [m.header.stamp.sec for m in found if m.header.stamp.sec in stamps_s]
        assert mine == stamps_s, output
        assert {m.header.frame_id for m in found} == {'front_optical'}


def test_the_depth_is_that_of_the_predictor(running, tiny):
    _, _, _, camera = running
    rgb = picture(1)
    expected_m = expected_depth_m(tiny, rgb)
    assert np.isfinite(expected_m).any()
    assert np.allclose(camera.depth_m(camera.shoot(rgb)), expected_m, rtol=1e-4)


def test_the_cloud_is_the_back_projection_of_the_depth(running):
    _, _, _, camera = running
    rgb = picture(2)
    stamp_s = camera.shoot(rgb)
    cloud, depth_m = camera.wait_for('points', stamp_s), camera.depth_m(stamp_s)
    assert (cloud.height, cloud.width, cloud.is_dense) == (HEIGHT, WIDTH, False)
    points = read_points(cloud, ['x', 'y', 'z', 'rgb']).reshape(HEIGHT, WIDTH)
    valid = np.isfinite(depth_m)
    assert valid.any()
    assert np.array_equal(np.isfinite(points['z']), valid)
    row, column = np.argwhere(valid)[len(np.argwhere(valid)) // 3]
    z = depth_m[row, column]
    assert points['x'][row, column] == pytest.approx((column - 70.0) * z / 120.0, rel=1e-5)
    assert points['y'][row, column] == pytest.approx((row - 50.0) * z / 120.0, rel=1e-5)
    assert points['z'][row, column] == z
    packed = int(points['rgb'][row, column].view(np.uint32))
    assert [packed >> 16 & 255, packed >> 8 & 255, packed & 255] == rgb[row, column].tolist()


def test_camera_info_describes_exactly_the_published_image(running):
    _, _, _, camera = running
    # Calibrated at twice the size; the image is a binned region of it.
    camera.send_info(
        height=400,
        width=500,
        binning_x=2,
        binning_y=2,
        k=[240.0, 0.0, 200.0, 0.0, 240.0, 120.0, 0.0, 0.0, 1.0],
        p=[0.0] * 12,
        roi=type(CameraInfo().roi)(x_offset=40, y_offset=30, width=320, height=192),
    )
    # (200 - 40) / 2 and (120 - 30) / 2
    k = [120.0, 0.0, 80.0, 0.0, 120.0, 45.0, 0.0, 0.0, 1.0]
    info = camera.wait_until(
        'camera_info', picture(), lambda m: m.k.tolist() == k, f'camera_info with {k}'
    )
    assert (info.width, info.height, info.binning_x, info.roi.width) == (WIDTH, HEIGHT, 0, 0)


def test_two_cameras_are_served(running):
    graph, _, _, left = running
    right = Camera(graph, 'right')
    for seed in range(3):
        stamps_s = left.shoot(picture(seed)), right.shoot(picture(seed + 10))
        for camera, stamp_s in zip((left, right), stamps_s):
            for output in camera.found:
                camera.wait_for(output, stamp_s)


def test_cameras_that_wait_together_run_as_one_batch(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(NODE, *ros_arguments(weights=tiny, cameras='[left, right]'))
    cameras = {name: Camera(graph, name) for name in ('left', 'right')}
    hold_back(graph, diagnostics, cameras)

    def alone():
        return diagnostics.count('network', 'images') - diagnostics.count('network', 'batches')

    before = alone()
    assert set_parameter(graph, 'max_rate', 0.0).successful
    for camera in cameras.values():
        camera.wait_for('image', camera.stamp_s)
    graph.wait(lambda: alone() == before + 1, 'one batch of both')


def test_the_camera_info_of_the_same_stamp_is_taken(running):
    _, _, _, camera = running
    before_s = camera.stamp_s
    first_s, second_s = before_s + 2, before_s + 3
    for stamp_s, cx_px in ((first_s, 61.0), (second_s, 72.0)):
        info = camera_info(
            stamp_s, k=[120.0, 0.0, cx_px, 0.0, 120.0, 50.0, 0.0, 0.0, 1.0], p=[0.0] * 12
        )
        camera._info.publish(info)
    # An image without its own gets the newest: both are there when that is the second.
    camera.wait_until('camera_info', picture(), lambda m: m.k[2] == 72.0, 'the newest')
    camera.stamp_s = second_s
    camera.send(image_message(picture(), first_s))
    assert camera.wait_for('camera_info', first_s).k[2] == 61.0
    camera.send(image_message(picture(), second_s))
    assert camera.wait_for('camera_info', second_s).k[2] == 72.0


def bad_images():
    good = picture()
    half = HEIGHT * WIDTH * 3 // 2
    return {
        'bad_step': image_message(good, 0, step=WIDTH),
        'data_too_short': image_message(good, 0, data=array.array('B', bytes(half))),
        'data_too_long': image_message(good, 0, data=array.array('B', bytes(half * 3))),
        'zero_size': image_message(good, 0, width=0, step=0),
        'unknown_encoding': image_message(good, 0, encoding='32FC7'),
        'too_large': image_message(good, 0, width=2**30, height=2**31, step=3 * 2**30),
    }


@pytest.mark.parametrize('cause', sorted(bad_images()))
def test_a_bad_image_is_dropped_under_its_cause_and_the_next_is_served(running, cause):
    _, process, diagnostics, camera = running
    camera.send_info()
    before = diagnostics.count('left', f'dropped {cause}')
    message = bad_images()[cause]
    message.header.stamp.sec = camera.next_stamp()
    camera.send(message)
    diagnostics.wait_count('left', f'dropped {cause}', before + 1)
    (warning,) = [line for line in process.output.splitlines() if f'dropped, {cause}' in line]
    assert '/left/image' in warning
    values_in_words = {
        'bad_step': '160',
        'data_too_short': '23040',
        'data_too_long': '69120',
        'zero_size': '0 x 96',
        'unknown_encoding': '32FC7',
        'too_large': str(2**31),
    }
    assert values_in_words[cause] in warning
    camera.wait_for('image', camera.shoot(picture()))
    assert not camera.of('image', message.header.stamp.sec)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'k': [float('nan'), 0.0, 70.0, 0.0, 120.0, 50.0, 0.0, 0.0, 1.0]}, 'nan'),
        ({'k': [120.0, 0.0, 70.0, 0.0, 0.0, 50.0, 0.0, 0.0, 1.0]}, 'fy 0'),
        ({'width': WIDTH * 2}, f'{WIDTH * 2} x {HEIGHT}'),
    ],
    ids=['nan', 'no fy', 'another size'],
)
def test_an_image_with_an_impossible_calibration_is_dropped(running, changes, reason):
    _, _, diagnostics, camera = running
    camera.send_info(**changes)
    status = diagnostics.wait(
        'left',
        lambda s: 'camera_info: ' in s.message and reason in s.message,
        reason,
        repeat=lambda: camera.send(image_message(picture(), camera.next_stamp())),
    )
    assert status.level == DiagnosticStatus.WARN
    stamp_s = camera.next_stamp()
    camera.send_info(**changes)  # of this stamp: a good one that follows may overtake the image
    camera.send(image_message(picture(), stamp_s))
    # A good image may be read before its camera_info, with the bad one before it.
    camera.graph.wait(
        lambda: camera.found['image'] and camera.found['image'][-1].header.stamp.sec > stamp_s,
        'depth of a good image',
        repeat=lambda: camera.shoot(picture()),
    )
    assert not camera.of('image', stamp_s)


def test_stamps_that_go_backwards_are_dropped_and_a_clock_may_begin_anew(running):
    _, _, diagnostics, camera = running
    before = diagnostics.count('left', 'dropped stamp_backwards')
    newest_s = camera.shoot(picture())
    camera.wait_for('image', newest_s)
    late = image_message(picture(), newest_s - 1)
    late.header.stamp.nanosec = 999_000_000  # a millisecond late, and once more
    for count in (1, 2):
        camera.send(late)
        diagnostics.wait_count('left', 'dropped stamp_backwards', before + count)
    again = image_message(picture(), 0)  # a bag that loops
    again.header.stamp.nanosec = 1
    camera.send(again)
    diagnostics.wait_count('left', 'dropped stamp_backwards', before + 3)
    again.header.stamp.nanosec = 2
    camera.send(again)
    camera.wait_for('image', 0)
    camera.wait_for('image', camera.shoot(picture()))


def test_an_uncalibrated_camera_has_depth_but_no_cloud(running):
    _, _, diagnostics, camera = running
    camera.send_info(k=[0.0] * 9, p=[0.0] * 12)
    status = diagnostics.wait(
        'left',
        lambda s: 'not calibrated' in s.message,
        'the reason',
        repeat=lambda: camera.send(image_message(picture(), camera.next_stamp())),
    )
    assert status.level == DiagnosticStatus.WARN
    stamp_s = camera.next_stamp()
    camera.send(image_message(picture(), stamp_s))
    camera.wait_for('image', stamp_s)
    assert not camera.of('points', stamp_s)


def test_limits_and_stride_change_at_run_time_and_nonsense_is_refused(running, tiny):
    graph, _, _, camera = running
    assert set_parameter(graph, 'max_depth', 40.0).successful
    assert set_parameter(graph, 'point_stride', 4).successful
    rgb = picture(4)
    stamp_s = camera.shoot(rgb)
    assert np.allclose(
        camera.depth_m(stamp_s), expected_depth_m(tiny, rgb, max_depth_m=40.0), rtol=1e-4
    )
    cloud = camera.wait_for('points', stamp_s)
    assert (cloud.height, cloud.width) == (24, 40)
    for name, value, reason in (
        ('min_depth', 50.0, 'below max_depth'),
        ('point_stride', 0, 'out of range'),
        ('weights', 'random', 'read-only'),
        ('max_rate', 'fast', 'type'),
    ):
        refused = set_parameter(graph, name, value)
        assert not refused.successful
        assert reason in refused.reason
    assert set_parameter(graph, 'max_depth', 76.0).successful
    assert set_parameter(graph, 'point_stride', 1).successful


def test_images_without_a_frame_have_a_cloud_and_a_warning(running):
    _, _, diagnostics, camera = running

    def shoot():
        message = image_message(picture(), camera.next_stamp())
        message.header.frame_id = ''
        camera.send_info()
        camera.send(message)

    status = diagnostics.wait('left', lambda s: 'no frame_id' in s.message, 'the fault', shoot)
    assert status.level == DiagnosticStatus.WARN
    camera.graph.wait(
        lambda: camera.found['points'] and not camera.found['points'][-1].header.frame_id,
        'its cloud',
        repeat=shoot,
    )


def test_maps_and_colours_come_to_who_subscribes(running):
    graph, _, _, left = running
    people = Camera(
        graph, 'left', outputs=['image_color', 'structure', 'attention'], stamp_s=left.stamp_s
    )
    stamp_s = people.shoot(picture())
    left.stamp_s = stamp_s
    for output, encoding in (
        ('image_color', 'bgr8'),
        ('structure', 'mono8'),
        ('attention', 'mono8'),
    ):
        message = people.wait_for(output, stamp_s)
        assert (message.height, message.width, message.encoding) == (HEIGHT, WIDTH, encoding)
        assert len(message.data) == message.height * message.step


def test_a_burst_is_dropped_never_queued_and_every_image_is_counted(running):
    _, _, diagnostics, camera = running
    diagnostics.wait_for_next()

    def counts():
        found = values(diagnostics.newest('left'))
        dropped = sum(int(v) for k, v in found.items() if k.startswith('dropped'))
        return int(found['received']), int(found['published']), dropped

    before = counts()
    camera.send_info()
    for seed in range(60):
        camera.send(image_message(picture(seed), camera.next_stamp()))
    newest = image_message(picture(60), camera.next_stamp())
    camera.graph.wait(  # the newest is always served
        lambda: camera.of('image', camera.stamp_s),
        'depth of the newest image',
        repeat=lambda: camera.send(newest),
    )
    diagnostics.wait_for_next()
    received, published, dropped = (now - then for now, then in zip(counts(), before))
    assert received == published + dropped
    assert 0 < published <= received


def test_a_camera_that_falls_silent_is_reported_stale(running):
    graph, _, diagnostics, camera = running
    camera.wait_for('image', camera.shoot(picture()))
    assert set_parameter(graph, 'stale_after', 0.5).successful
    status = diagnostics.wait('left', lambda s: s.level == DiagnosticStatus.STALE, 'STALE')
    assert 'no image for' in status.message
    assert set_parameter(graph, 'stale_after', 2.0).successful


def test_without_subscribers_the_network_rests(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(NODE, *ros_arguments(weights=tiny))
    camera = Camera(graph, outputs=[])
    diagnostics.wait_count(
        'camera', 'dropped no_subscriber', 3, repeat=lambda: camera.shoot(picture())
    )
    assert diagnostics.count('camera', 'published') == 0


def test_camera_info_comes_to_a_subscriber_of_nothing_else_without_the_network(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(NODE, *ros_arguments(weights=tiny, rectify='true'))
    camera = Camera(graph, outputs=['camera_info'])
    for _ in range(3):
        stamp_s = camera.next_stamp()
        camera.send_info(d=[0.3, 0.1, 0.0, 0.0, 0.0])
        camera.send(image_message(picture(), stamp_s))
        info = camera.wait_for('camera_info', stamp_s)
        assert not any(info.d)
        assert info.header.frame_id == 'front_optical'
    diagnostics.wait_count('camera', 'published', 3)
    assert values(diagnostics.newest('network'))['batches'] == '0'


def test_activation_names_every_topic_as_remapped(graph, tiny):
    process = graph.start(
        NODE,
        *ros_arguments(weights=tiny, cameras='[left, right]', scale_source='reference'),
        '-r',
        'left/image:=/front/image_raw',
    )
    graph.wait(lambda: ' publishes /diagnostics\n' in process.output, 'the names')
    graph.wait(lambda: graph.node.count_publishers('/right/depth/scale'), 'the last topic')
    topics = {
        name
        for name, _ in graph.node.get_topic_names_and_types()
        if name.startswith(('/front', '/left', '/right'))
    }
    lines = [line for line in process.output.splitlines() if 'subscribes' in line]
    assert len(lines) == 2
    assert set(re.findall(r'/[A-Za-z/_]+', ' '.join(lines))) == topics
    assert '/front/image_raw' in lines[0].partition('publishes')[0]
    assert '/left/depth/image' in lines[0].partition('publishes')[2]


def test_a_topic_that_is_rectified_by_its_name_and_rectify_are_warned_of(graph, tiny):
    process = graph.start(
        NODE,
        *ros_arguments(weights=tiny, cameras='[left, right]', rectify=True),
        '-r',
        'left/image:=/front/image_rect',
        '-r',
        'right/image:=/front/image_corrected',
    )
    graph.wait(lambda: ' publishes /diagnostics\n' in process.output, 'the end of activation')
    (warning,) = (line for line in process.output.splitlines() if 'twice' in line)
    assert 'by its name, /front/image_rect is rectified' in warning
    assert 'set rectify to false' in warning


def test_a_topic_without_publishers_is_warned_of_once_and_named_in_the_diagnostics(graph, tiny):
    diagnostics = Diagnostics(graph)
    process = graph.start(
        NODE,
        *ros_arguments(weights=tiny),
        '-r',
        'camera/image:=/front/image_raw',
        '-p',
        'qos_overrides./front/image_raw.subscription.reliability:=reliable',
    )
    status = diagnostics.wait(
        'camera', lambda s: '/front/image_raw has 0 publishers' in s.message, 'the topic'
    )
    assert status.level == DiagnosticStatus.STALE
    graph.wait(lambda: '/front/image_raw has 0 publishers' in process.output, 'a warning')
    graph.wait(lambda: '/camera/camera_info has 0 publishers' in process.output, 'another')
    diagnostics.wait('camera', lambda s: '/camera/camera_info has 0' in s.message, 'that, too')
    for _ in range(3):
        diagnostics.wait_for_next()
    assert process.output.count('/front/image_raw has') == 1
    assert process.output.count('/camera/camera_info has') == 1
    graph.node.create_publisher(Image, '/front/image_raw', qos_profile_sensor_data)
    reason = (
        '/front/image_raw has 1 publisher, of an incompatible QoS '
        '(Best effort publisher and reliable subscription)'
    )
    diagnostics.wait('camera', lambda s: reason in s.message, 'the QoS')


def test_two_cameras_on_one_topic_are_warned_of_and_one_alone_is_not(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, device='cpu'))
    diagnostics, camera = Diagnostics(graph), Camera(graph)
    diagnostics.wait_for_next()
    assert 'publishers' not in diagnostics.newest('camera').message
    other = graph.node.create_publisher(Image, 'camera/image', qos_profile_sensor_data)
    sentence = '/camera/image has 2 publishers, whose images mix: give each its own topic'
    status = diagnostics.wait(
        'camera',
        lambda s: sentence in s.message and s.level == DiagnosticStatus.WARN,
        'both',
        repeat=lambda: camera.shoot(picture()),
    )
    assert status.level == DiagnosticStatus.WARN
    assert process.output.count(sentence) == 1
    graph.node.destroy_publisher(other)
    diagnostics.wait('camera', lambda s: 'publishers' not in s.message, 'one')


def test_a_camera_without_camera_info_has_depth_but_no_cloud(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(NODE, *ros_arguments(weights=tiny))
    camera = Camera(graph, info=False)
    stamp_s = camera.shoot(picture())
    camera.wait_for('image', stamp_s)
    status = diagnostics.wait('camera', lambda s: 'no camera_info' in s.message, 'the reason')
    assert status.level == DiagnosticStatus.WARN
    assert not camera.of('points', stamp_s)


def test_rectification_is_that_of_opencv(graph, tiny):
    graph.start(NODE, *ros_arguments(weights=tiny, rectify='true'))
    camera = Camera(graph)
    rgb, distortion = picture(5), [0.3, 0.1, 0.001, -0.002, 0.0]
    camera.send_info(d=distortion)

    def depth_of(message):
        return np.frombuffer(message.data, '<f4').reshape(HEIGHT, WIDTH)

    # A pincushion lens leaves corners that no pixel fell into.
    message = camera.wait_until(
        'image', rgb, lambda m: np.isnan(depth_of(m)).any(), 'a depth image with empty corners'
    )
    k = np.array([[FOCAL_PX, 0, CX_PX], [0, FOCAL_PX, CY_PX], [0, 0, 1]])
    expected_m = expected_depth_m(tiny, cv2.undistort(rgb, k, np.array(distortion)))
    depth_m = depth_of(message)
    seen = ~np.isnan(depth_m)
    assert seen.mean() > 0.8
    assert np.allclose(depth_m[seen], expected_m[seen], rtol=0.02, atol=0.05)
    info = camera.wait_for('camera_info', message.header.stamp.sec)
    assert not any(info.d)


def test_compressed_images_and_millimetres(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(
        NODE, *ros_arguments(weights=tiny, input_transport='compressed', depth_encoding='16UC1')
    )
    camera = Camera(graph, transport='compressed')
    rgb = picture(6)
    png, jpeg = (cv2.imencode(suffix, rgb[..., ::-1])[1].tobytes() for suffix in ('.png', '.jpg'))
    for data, cause in (
        (png[:-20], 'truncated'),
        (jpeg[: len(jpeg) // 2], 'truncated'),
        (b'', 'undecodable'),
        (b'nonsense' * 10, 'undecodable'),
        (png, None),
    ):
        camera.send_info()
        before = diagnostics.count('camera', f'dropped {cause}')
        message = CompressedImage(format='jpeg or png', data=array.array('B', data))
        message.header.stamp.sec = camera.next_stamp()
        camera.send(message)
        if cause:
            diagnostics.wait_count('camera', f'dropped {cause}', before + 1)
    message = camera.wait_for('image', camera.stamp_s)
    assert message.encoding == '16UC1'
    depth_mm = np.frombuffer(message.data, '<u2').reshape(HEIGHT, WIDTH)
    expected_m = expected_depth_m(tiny, rgb)
    valid = np.isfinite(expected_m) & (expected_m < 65.5)
    assert valid.any()
    assert np.allclose(depth_mm[valid] / 1000, expected_m[valid], atol=1.1e-3)
    assert not depth_mm[~np.isfinite(expected_m)].any()


def test_quality_of_service_can_be_overridden(graph, tiny):
    graph.start(
        NODE,
        *ros_arguments(weights=tiny),
        '-p',
        'qos_overrides./camera/depth/image.publisher.reliability:=best_effort',
    )
    for output, expected in (('image', 'BEST_EFFORT'), ('points', 'RELIABLE')):
        (info,) = graph.wait(
            lambda output=output: graph.node.get_publishers_info_by_topic(
                f'/camera/depth/{output}'
            ),
            f'the topic of {output}',
        )
        assert info.qos_profile.reliability.name == expected


def test_a_latched_camera_info_that_was_sent_before_the_start_is_used(graph, tiny):
    latched = graph.node.create_publisher(
        CameraInfo,
        'front/camera_info',
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    latched.publish(camera_info(0))
    process = graph.start(
        NODE,
        *ros_arguments(weights=tiny),
        '-r',
        'camera/camera_info:=/front/camera_info',
        '-p',
        'qos_overrides./front/camera_info.subscription.durability:=transient_local',
    )
    images = graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
    clouds = graph.collect(PointCloud2, 'camera/depth/points')
    graph.wait(lambda: graph.node.count_publishers('/camera/depth/points'), 'the topic')
    stamps_s = itertools.count(1)
    graph.node.create_timer(0.2, lambda: images.publish(image_message(picture(), next(stamps_s))))
    graph.wait(lambda: clouds, 'a cloud')
    assert 'no camera_info' not in process.output


def test_an_override_that_does_nothing_is_refused_in_one_sentence(graph, tiny):
    diagnostics = Diagnostics(graph)
    process = graph.start(
        NODE,
        *ros_arguments(weights=tiny),
        '-p',
        'qos_overrides./camera/imagee.subscription.durability:=volatile',
    )
    status = diagnostics.wait('network', lambda s: s.level == DiagnosticStatus.ERROR, 'an error')
    for text in (status.message, process.output):
        assert (
            'cannot activate: qos_overrides./camera/imagee.subscription.durability: has no effect'
        ) in text
        assert '/camera/image.subscription' in text  # what it may have meant
    assert state(graph) == State.PRIMARY_STATE_INACTIVE
    assert not change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait(lambda: not graph.node.count_subscribers('/camera/image'), 'no subscription')


def test_publishers_are_made_by_configure_and_silent_until_activate(graph, tiny):
    graph.start(NODE, *ros_arguments(weights=tiny, autostart='false'))
    assert not graph.node.count_publishers('/camera/depth/image')
    depths = graph.collect(Image, 'camera/depth/image')
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    graph.wait(lambda: graph.node.count_publishers('/camera/depth/image'), 'the publisher')
    assert not graph.node.count_subscribers('/camera/image')
    assert not depths
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    camera = Camera(graph)
    camera.wait_for('image', camera.shoot(picture()))


def test_publishers_that_cannot_be_made_leave_no_topic_and_say_why(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(
        NODE,
        *ros_arguments(weights=tiny),
        '-p',
        'qos_overrides./camera/depth/points.publisher.reliability:=maybe',
    )
    status = diagnostics.wait('network', lambda s: s.level == DiagnosticStatus.ERROR, 'an error')
    assert 'cannot configure' in status.message
    assert 'maybe' in status.message or 'MAYBE' in status.message
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    graph.wait(
        lambda: (
            not graph.node.count_subscribers('/camera/image')
            and not graph.node.count_publishers('/camera/depth/image')
        ),
        'end of the topics',
    )


# ONNX Runtime has one pool, to which the caller belongs: four more. PyTorch keeps a pool of its
# own and four beside the worker. Those beside the thread that loaded and warmed up have ended:
# with two teams libgomp has more threads than cores, and lets none of them spin.
@pytest.mark.parametrize(('engine', 'more'), [('onnxruntime', (4,)), ('torch', range(8, 12))])
def test_threads_hold_for_the_thread_that_runs_the_network(tmp_path, engine, more):
    def threads_of(process):
        return len(list(Path(f'/proc/{process.pid}/task').iterdir()))

    with Graph(tmp_path) as graph:
        one, five = (
            graph.start(
                NODE,
                *ros_arguments(
                    weights='outdoor', engine=engine, threads=threads, cameras=f'[{name}]'
                ),
                '-r',
                f'__node:=node_{name}',
            )
            for name, threads in (('one', 1), ('five', 5))
        )
        for name in ('one', 'five'):
            camera = Camera(graph, name)
            camera.wait_for('image', camera.shoot(picture()))
        graph.wait(lambda: threads_of(five) - threads_of(one) in more, f'{more} threads more')


def test_max_rate_holds_the_network_back(graph, tiny):
    diagnostics = Diagnostics(graph)
    graph.start(NODE, *ros_arguments(weights=tiny))
    camera = Camera(graph)
    hold_back(graph, diagnostics, {'camera': camera})
    assert set_parameter(graph, 'max_rate', 0.0).successful
    camera.wait_for('image', camera.stamp_s)  # the newest of those that came


def hold_back(graph, diagnostics, cameras):
    """Set a rate of one batch in a quarter of an hour, and wait until no camera has depth."""
    assert set_parameter(graph, 'max_rate', 1e-3).successful
    for name, camera in cameras.items():
        drops = {}  # by the number of depth images that had come

        def is_held(name=name, depths=camera.found['image'], drops=drops):
            now = diagnostics.count(name, 'dropped superseded')
            return now >= drops.setdefault(len(depths), now) + 5

        graph.wait(
            is_held,
            f'five images of {name} without depth',
            repeat=lambda camera=camera: camera.shoot(picture()),
        )


def test_lifecycle_services_walk_through_the_states(graph, tiny):
    process = graph.start(NODE, *ros_arguments(weights=tiny, autostart='false'))
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    # What a state does not allow is refused, and the node lives on.
    for transition in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CLEANUP, 99):
        assert not change(graph, transition)
    for _ in range(2):
        assert change(graph, Transition.TRANSITION_CONFIGURE)
        assert state(graph) == State.PRIMARY_STATE_INACTIVE
        assert not change(graph, Transition.TRANSITION_CONFIGURE)
        for _ in range(2):
            assert change(graph, Transition.TRANSITION_ACTIVATE)
            assert state(graph) == State.PRIMARY_STATE_ACTIVE
            camera = Camera(graph)
            camera.wait_for('points', camera.shoot(picture()))
            assert not change(graph, Transition.TRANSITION_CLEANUP)
            assert change(graph, Transition.TRANSITION_DEACTIVATE)
            graph.wait(
                lambda: not graph.node.count_subscribers('/camera/image'),
                'the end of the subscriptions',
            )
            assert graph.node.count_publishers('/camera/depth/image')
        assert change(graph, Transition.TRANSITION_CLEANUP)
        assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
        graph.wait(
            lambda: not graph.node.count_publishers('/camera/depth/image'),
            'the end of the publishers',
        )
    assert change(graph, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert state(graph) == State.PRIMARY_STATE_FINALIZED
    assert process.stop() == 0


def test_a_failed_configure_leaves_the_node_unconfigured_with_the_reason(graph, tmp_path):
    diagnostics = Diagnostics(graph)
    missing = tmp_path / 'missing.safetensors'
    process = graph.start(NODE, *ros_arguments(weights=missing))
    status = diagnostics.wait('network', lambda s: s.level == DiagnosticStatus.ERROR, 'an error')
    assert str(missing) in status.message
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert str(missing) in process.output
    assert process.stop() == 0


def test_random_weights_say_what_they_are(graph):
    diagnostics = Diagnostics(graph)
    process = graph.start(NODE, *ros_arguments(weights='random'))
    status = diagnostics.wait('network', lambda s: values(s)['state'] == 'active', 'active')
    assert status.level == DiagnosticStatus.WARN
    assert 'untrained' in status.message
    assert 'untrained' in process.output


@pytest.mark.parametrize('signal_number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('autostart', ['true', 'false'])
def test_a_signal_ends_it_with_exit_code_0(graph, tiny, signal_number, autostart):
    process = graph.start(NODE, *ros_arguments(weights=tiny, autostart=autostart))
    if autostart == 'true':
        camera = Camera(graph)
        camera.wait_for('image', camera.shoot(picture()))
        camera.shoot(picture())  # one is under way
    else:
        state(graph)
    assert process.stop(signal_number) == 0
    assert 'Traceback' not in process.output


@pytest.mark.parametrize(
    ('parameters', 'fault'),
    [
        ({'min_depth': 90.0}, 'min_depth (90.0 m) must be below max_depth'),
        ({'precision': 'float8'}, 'precision must be one of'),
        ({'cameras': '[a, a]'}, 'different names'),
        ({'point_stride': 0}, 'point_stride out of range'),
        ({'network_height': 96}, 'must both be given'),
        ({'camera_height': '.nan'}, 'camera_height'),
        ({'min_height': 2.5}, 'min_height (2.5 m) must be below max_height (2.0 m)'),
        ({'rectify': 'perhaps'}, "expecting type 'BOOL'"),
    ],
)
def test_a_wrong_parameter_ends_it_with_one_line_that_says_why(graph, parameters, fault):
    process = graph.start(NODE, *ros_arguments(**parameters))
    assert process.wait() == 1
    assert fault in process.output
    assert 'Traceback' not in process.output


def set_parameter(graph, name, value):
    kind = {
        float: ('double_value', ParameterType.PARAMETER_DOUBLE),
        int: ('integer_value', ParameterType.PARAMETER_INTEGER),
        str: ('string_value', ParameterType.PARAMETER_STRING),
    }[type(value)]
    request = SetParameters.Request(
        parameters=[Parameter(name=name, value=ParameterValue(type=kind[1], **{kind[0]: value}))]
    )
    return graph.call(SetParameters, '/depth_node/set_parameters', request).results[0]


def change(graph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, '/depth_node/change_state', request).success


def state(graph):
    return graph.call(GetState, '/depth_node/get_state', GetState.Request()).current_state.id
