"""Tests of the ground plane from the buffer of TF, with the stand-in for tf2_ros."""

import math
from pathlib import Path
import sys

from geometry_msgs.msg import TransformStamped
import pytest
from rclpy.time import Time
from ros_graph import Graph

from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.ros.transforms import listen, TfGround

UPRIGHT = -0.5, 0.5, -0.5, 0.5  # of a level camera
SECOND_NS = 10**9


@pytest.fixture
def ground(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / 'tf2_stand_in'))
    monkeypatch.delitem(sys.modules, 'tf2_ros', raising=False)
    with Graph(tmp_path) as graph:
        ground = TfGround(graph.node, 'base_footprint')
        yield ground
        ground.close()
    sys.modules.pop('tf2_ros', None)


def transform(child, xyz, xyzw, stamp_ns=0):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = 'base_footprint'
    message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
    move, turn = message.transform.translation, message.transform.rotation
    move.x, move.y, move.z = map(float, xyz)
    turn.x, turn.y, turn.z, turn.w = map(float, xyzw)
    return message


def lift(ground, height_m, stamp_ns):
    """Move the camera to a height."""
    ground._buffer.set_transform(transform('optical', (0.2, 0, height_m), UPRIGHT, stamp_ns), '')


def test_a_static_camera_is_known_at_any_time(ground):
    ground._buffer.set_transform_static(transform('optical', (0.2, 0, 0.7), UPRIGHT), '')
    for stamp_ns in (0, 5 * SECOND_NS, SECOND_NS):
        plane, fault = ground.read('optical', stamp_ns)
        assert plane == pytest.approx(GroundPlane(0.7), abs=1e-12)
        assert not fault


def test_a_camera_that_moves_is_read_at_the_stamp_else_within_a_fifth_of_a_second(ground):
    for seconds, height_m in ((10, 0.5), (11, 0.6), (12, 0.7)):
        lift(ground, height_m, seconds * SECOND_NS)
    assert ground.read('optical', 11 * SECOND_NS).plane.height_m == pytest.approx(0.6)
    assert ground.read('optical', 0).plane.height_m == pytest.approx(0.7)  # without a stamp
    late = ground.read('optical', 12 * SECOND_NS + SECOND_NS // 10)
    assert late.plane.height_m == pytest.approx(0.7)
    plane, fault = ground.read('optical', 12 * SECOND_NS + SECOND_NS // 2)
    assert plane is None
    assert fault.startswith('no transform from base_footprint: Lookup would require')


def test_a_clock_that_restarts_forgets_what_is_ahead(ground):
    lift(ground, 0.5, 100 * SECOND_NS)
    assert ground.read('optical', 100 * SECOND_NS).plane is not None
    assert ground.read('unstamped', 0).plane is None  # another camera, which has no clock
    assert ground.read('optical', 100 * SECOND_NS).plane is not None
    assert ground.read('optical', 10 * SECOND_NS).plane is None
    lift(ground, 0.8, 11 * SECOND_NS)
    assert ground.read('optical', 11 * SECOND_NS).plane.height_m == pytest.approx(0.8)


@pytest.mark.parametrize(
    ('xyz', 'xyzw', 'fault'),
    [
        ((0, 0, -0.4), UPRIGHT, 'is wrong: the camera is 0.4 m below the frame'),
        ((0, 0, math.nan), UPRIGHT, 'does not exist'),
        ((0, 0, 1), (0, 0, 0, 0), 'does not exist'),
    ],
)
def test_a_pose_that_cannot_be_is_a_reason(ground, xyz, xyzw, fault):
    ground._buffer.set_transform_static(transform('optical', xyz, xyzw), '')
    reading = ground.read('optical', SECOND_NS)
    assert reading.plane is None
    assert fault in reading.fault


def test_an_image_from_before_1970_has_no_ground_and_says_why(ground):
    lift(ground, 0.5, SECOND_NS)
    plane, fault = ground.read('optical', -4 * SECOND_NS)
    assert plane is None
    assert fault == (
        'no transform from base_footprint: the stamp of the image is -4.000 s, before 1970; '
        'correct the clock of the camera'
    )
    assert ground.read('optical', SECOND_NS).plane.height_m == pytest.approx(0.5)


def test_nobody_listens_without_a_frame():
    assert listen(None, '').read('optical', 0) == (None, 'base_frame is empty')
