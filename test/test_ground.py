"""Tests of the ground plane."""

import math

import numpy as np
import pytest

from s2r_depth_ros.depth.ground import GroundError, GroundPlane, GroundReading, HeldGround


@pytest.mark.parametrize(
    ('plane', 'down'),
    [
        (GroundPlane(1.0), (0, 1, 0)),
        (GroundPlane(1.0, pitch_rad=math.pi / 2), (0, 0, 1)),
        (GroundPlane(1.0, roll_rad=math.pi / 2), (1, 0, 0)),
    ],
)
def test_down_follows_pitch_and_roll(plane, down):
    assert plane.down == pytest.approx(down, abs=1e-12)


def test_points_of_the_ground_have_no_height_and_the_camera_has_its_own():
    plane = GroundPlane(1.2, math.radians(20), math.radians(-5))
    points_m = np.array([(0, 0, 0), plane.down * 1.2, (np.nan, 0, 1)], np.float32)
    heights_m = plane.height_of(points_m)
    assert heights_m.dtype == np.float32
    assert heights_m[:2] == pytest.approx((1.2, 0), abs=1e-6)
    assert np.isnan(heights_m[2])


UPRIGHT = (0.5, -0.5, 0.5, 0.5)  # of a frame with z up in the optical frame of a level camera


def test_a_pose_by_hand():
    # base_footprint 0.2 m behind and 1.2 m below a level camera.
    plane = GroundPlane.of_pose((0, 1.2, -0.2), UPRIGHT)
    assert plane == pytest.approx((1.2, 0, 0), abs=1e-12)
    # Of a camera that looks straight down from 2 m, z of the frame points at the camera.
    plane = GroundPlane.of_pose((0.3, 0, 2), (1, 0, 0, 0))
    assert plane.height_m == pytest.approx(2)
    assert plane.pitch_rad == pytest.approx(math.pi / 2)


def test_a_pose_gives_the_plane_that_it_is_made_from():
    expected = GroundPlane(0.7, math.radians(12), math.radians(-20))
    cv2 = pytest.importorskip('cv2')
    up, ahead = -expected.down, np.array((0.0, 0, 1))
    x = ahead - up * (ahead @ up)
    x /= np.linalg.norm(x)
    rotation = np.stack((x, np.cross(up, x), up), axis=1)  # of the frame in the optical frame
    vector = cv2.Rodrigues(rotation)[0].ravel()
    angle = np.linalg.norm(vector)
    quaternion = (*(vector / angle * math.sin(angle / 2)), math.cos(angle / 2))
    origin_m = expected.down * 0.7 + rotation @ (0.4, -0.1, 0)
    assert GroundPlane.of_pose(origin_m, quaternion) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('origin_m', 'quaternion', 'fault'),
    [
        ((0, math.nan, 0), UPRIGHT, 'not finite'),
        ((0, 1, 0), (math.inf, 0, 0, 1), 'not finite'),
        ((0, 1, 0), (0, 0, 0, 0), 'has the length 0, not 1'),
        ((0, -0.3, 0), UPRIGHT, 'the camera is 0.3 m below the frame, which must lie'),
        ((0, 0, 0), UPRIGHT, 'the camera is 0 m above the frame'),
        ((0.02, 1e-17, 0), UPRIGHT, 'the camera is 1e-17 m above the frame'),
    ],
)
def test_a_pose_that_cannot_be_is_refused(origin_m, quaternion, fault):
    with pytest.raises(GroundError, match=fault):
        GroundPlane.of_pose(origin_m, quaternion)


def test_the_depth_of_the_ground_by_hand():
    # At 2 m with a focal length of 4 pixels: row v sees the ground at 2 * 4 / (v - 1.5).
    intrinsics = np.array([[4.0, 0, 3.5], [0, 4.0, 1.5], [0, 0, 1]])
    depth_m = GroundPlane(2.0).depth_m((6, 8), intrinsics, 0.0)
    assert depth_m.dtype == np.float32
    assert np.isposinf(depth_m[:2]).all()
    assert depth_m[2:, 3] == pytest.approx(8 / (np.arange(2, 6) - 1.5))
    less = GroundPlane(2.0).depth_m((6, 8), intrinsics, math.radians(2))
    assert (less[2:] > depth_m[2:]).all()
    assert less[5, 3] < 1.1 * depth_m[5, 3]


FIRST, TILTED = GroundPlane(1.0), GroundPlane(1.0, math.radians(5))


def test_the_ground_follows_a_head_that_nods_and_is_held_where_it_is_unknown():
    ground = HeldGround()
    assert ground.update(GroundReading(fault='no TF')) == (None, 'no TF')
    assert ground.update(GroundReading(FIRST)) == (FIRST, '')
    assert ground.update(GroundReading(TILTED)) == (TILTED, '')
    assert ground.update(GroundReading(fault='too old')) == (TILTED, 'too old')


@pytest.mark.parametrize(
    'outlier', [GroundPlane(1.5), GroundPlane(0.7), GroundPlane(1.0, math.radians(40))]
)
def test_a_jump_is_held_and_said_until_it_lasts(outlier):
    ground = HeldGround()
    ground.update(GroundReading(FIRST))
    for _ in range(3):
        plane, fault = ground.update(GroundReading(outlier))
        assert plane == FIRST
        assert fault == f'the ground plane jumps from {FIRST} to {outlier}'
    assert ground.update(GroundReading(FIRST)) == (FIRST, '')
    for _ in range(4):
        assert ground.update(GroundReading(outlier)).plane == FIRST
    assert ground.update(GroundReading(outlier)) == (outlier, '')


def test_jumps_that_do_not_agree_never_move_the_ground():
    ground = HeldGround()
    ground.update(GroundReading(FIRST))
    for number in range(20):
        wild = GroundPlane(2.0 + 2 * (number % 2))
        assert ground.update(GroundReading(wild)).plane == FIRST
