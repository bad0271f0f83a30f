"""Images from which no depth can be seen warn with the reason, and all other images do not."""

from __future__ import annotations

from pathlib import Path

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from needed import SHARED
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.image_health import image_fault, ImageHealth
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image

FRAMES = sorted((Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames').glob('*.jpg'))
REAL_FRAMES = Path(__file__).parents[2] / 'shared' / 'real'
NOW_S = 100
CAMERA = CameraModel.from_intrinsics(320, 96, np.array([[160.0, 0, 160], [0, 160, 48], [0, 0, 1]]))


def read(path):
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def bright(rgb):
    return np.clip(rgb * 5.0 + 120, 0, 255).astype(np.uint8)


def covered(rgb):
    return (cv2.GaussianBlur(rgb, (0, 0), 40) * 0.02 + 90).astype(np.uint8)


def dark(rgb):
    return (rgb * 0.08).astype(np.uint8)


def blurred(rgb):
    return cv2.GaussianBlur(rgb, (0, 0), min(rgb.shape[:2]) / 40)


FAULTS = {dark: 'darker', covered: 'one colour', bright: 'are white', blurred: 'sharp'}


@pytest.mark.parametrize('path', FRAMES, ids=lambda path: path.name)
def test_a_rendered_frame_does_not_warn_and_a_spoilt_one_warns_of_its_fault(path):
    rgb = read(path)
    assert image_fault(rgb) == ''
    for spoil, reason in FAULTS.items():
        assert reason in image_fault(spoil(rgb))


@pytest.mark.skipif(not REAL_FRAMES.is_dir(), reason=SHARED)
def test_no_real_frame_warns():
    paths = [path for path in REAL_FRAMES.glob('*/*.png') if '_depth' not in path.name]
    assert len(paths) >= 56
    assert {path.name: fault for path in paths if (fault := image_fault(read(path)))} == {}


@pytest.mark.parametrize('shape', [(1, 1), (3, 5), (16, 2000), (2000, 16)])
def test_an_image_of_any_shape_has_a_verdict(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert isinstance(image_fault(noise), str)
    assert 'darker' in image_fault(np.zeros((*shape, 3), np.uint8))


def test_the_verdict_changes_after_five_images_that_agree():
    health, rgb = ImageHealth(), read(FRAMES[0])
    images = [rgb] * 5 + [dark(rgb)] * 4 + [rgb] + [dark(rgb)] * 5 + [rgb] * 5
    verdicts = [
        bool(health.update(image, number * 10**7, 0.0)) for number, image in enumerate(images)
    ]
    assert verdicts == [False] * 14 + [True] * 5 + [False]


def test_a_frozen_image_warns_when_its_second_is_over_and_a_new_one_ends_it():
    health, rgb = ImageHealth(), read(FRAMES[0])
    faults = [health.update(rgb, tenths * 10**8, 1.0) for tenths in range(12)]
    assert faults[:10] == [''] * 10
    assert faults[10:] == ['no pixel has changed for 1 s: restart the camera'] * 2
    noisy = [rgb ^ np.uint8(number % 2) for number in range(6)]
    later = [health.update(image, 12 * 10**8 + n, 1.0) for n, image in enumerate(noisy)]
    assert later[-1] == ''
    assert health.update(rgb, 0, 1.0) == ''  # the clock began anew


def test_still_images_may_be_allowed_and_those_without_stamps_are_never_frozen():
    health, rgb = ImageHealth(), read(FRAMES[0])
    assert not any(health.update(rgb, number * 10**9, 0.0) for number in range(9))
    assert not any(health.update(rgb, 0, 1.0) for number in range(9))


def test_the_node_says_why_an_image_is_doubtful_logs_it_once_and_forgets_it(tmp_path):
    with Graph(tmp_path) as graph:
        process = graph.start(
            's2r_depth_ros.program', 'depth_node', *ros_arguments(device='cpu', max_rate=0.0)
        )
        found = graph.collect(DiagnosticArray, '/diagnostics')
        depths = graph.collect(Image, 'camera/depth/image')
        publisher = graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        infos = graph.publisher(CameraInfo, 'camera/camera_info', qos_profile_sensor_data)
        rng = np.random.default_rng(0)
        sent = 0

        def show(image, step_ms=300):
            """Send the image with the noise of a camera, or as it is."""
            nonlocal sent
            sent += step_ms
            header = Header(frame_id='optical')
            header.stamp.sec, header.stamp.nanosec = divmod((NOW_S * 1000 + sent) * 10**6, 10**9)
            infos.publish(camera_model_to_info(CAMERA, header))
            publisher.publish(pixels_to_image(image(), 'rgb8', header))

        def wait_for(image, is_right):
            answered = 0

            def status():
                nonlocal answered
                if len(depths) > answered:  # once a second is slow for five images in a row
                    answered = len(depths)
                    show(image)
                newest = found[-1].status if found else ()
                return next((s for s in newest if 'camera' in s.name and is_right(s)), None)

            return graph.wait(status, 'the status', repeat=lambda: show(image))

        rgb = read(FRAMES[0])[::2, ::2]

        def noisy(pixels):
            return lambda: np.ascontiguousarray(
                pixels ^ rng.integers(0, 2, pixels.shape, np.uint8)
            )

        graph.wait(lambda: depths, 'depth', repeat=lambda: show(noisy(rgb)))
        for spoil, reason in ((dark, 'darker'), (None, 'no pixel has changed for 1 s')):
            image = noisy(spoil(rgb)) if spoil else lambda: np.ascontiguousarray(rgb)
            status = wait_for(image, lambda s, reason=reason: reason in s.message)
            assert status.level == DiagnosticStatus.WARN
            assert process.output.count(reason) == 1
            wait_for(noisy(rgb), lambda s: s.level == DiagnosticStatus.OK)
