"""Depth corrected by the ground on which things stand, on a floor with a box."""

import math

import numpy as np
import pytest
from test_scale import floor, GREY, HEIGHT_PX, INTRINSICS, seen_by, WIDTH_PX

from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.ground_contact import contact_correction
from s2r_scenes.meshes import box

HEIGHT_M, PITCH_DEG = 0.5, 10.0
GROUND = GroundPlane(HEIGHT_M, math.radians(PITCH_DEG))
BOX_M = 1.5
UNSURE, SURE = math.log(0.5), math.log(0.02)


@pytest.fixture(scope='module')
def room():
    """True depth, where the floor is, and where the front of the box is."""
    empty_m = seen_by([floor()], HEIGHT_M, PITCH_DEG, 0.0)
    front = box((0.4, 0.8, 0.6), GREY, (BOX_M + 0.2, 0.3, 0.3))
    true_m = seen_by([floor(), front], HEIGHT_M, PITCH_DEG, 0.0)
    return true_m, (true_m == empty_m) & np.isfinite(true_m), true_m < 0.95 * empty_m


def corrected(depth_m, is_floor, log_error=UNSURE, angle_error_deg=1.0, probability=1.0):
    shape = HEIGHT_PX, WIDTH_PX
    factor = contact_correction(
        depth_m.astype(np.float32),
        (probability * is_floor).astype(np.float32),
        np.full(shape, log_error, np.float32),
        GROUND,
        INTRINSICS,
        math.radians(angle_error_deg),
    )
    assert factor.dtype == np.float32
    assert factor.shape == shape
    return depth_m * factor


def error(depth_m, true_m, counts):
    return float(np.median(np.abs(np.log(depth_m[counts] / true_m[counts]))))


def test_a_box_and_the_floor_get_their_distance_from_the_floor_below(room):
    true_m, is_floor, is_box = room
    bent = 0.7 + 0.6 * np.linspace(0, 1, WIDTH_PX)  # nearer on the left, farther on the right
    wrong_m = np.minimum(true_m, 50.0) * bent
    near = is_floor & (true_m < 2)
    fixed_m = corrected(wrong_m, is_floor)
    for counts in (near, is_box):
        assert error(wrong_m, true_m, counts) > 0.08
        assert error(fixed_m, true_m, counts) < 0.01


def test_right_depth_stays_right(room):
    true_m, is_floor, _ = room
    depth_m = np.minimum(true_m, 50.0)
    assert corrected(depth_m, is_floor) == pytest.approx(depth_m, rel=0.05)


def test_the_surer_of_network_and_plane_decides(room):
    true_m, is_floor, is_box = room
    wrong_m = 1.3 * np.minimum(true_m, 50.0)
    errors = [
        error(corrected(wrong_m, is_floor, log_error, degrees), true_m, is_box)
        for log_error, degrees in ((UNSURE, 0.5), (UNSURE, 8.0), (SURE, 8.0))
    ]
    assert errors[0] < 0.05 < errors[1] < errors[2]
    assert errors[2] == pytest.approx(math.log(1.3), abs=0.01)


def test_where_no_ground_is_below_or_it_is_not_sure_nothing_changes(room):
    true_m, is_floor, _ = room
    wrong_m = 1.3 * np.minimum(true_m, 50.0)
    assert np.array_equal(corrected(wrong_m, np.zeros_like(is_floor)), wrong_m)
    assert np.array_equal(corrected(wrong_m, is_floor, probability=0.8), wrong_m)
    hanging = is_floor.copy()
    hanging[HEIGHT_PX // 2 :] = False  # the floor ends above the lower half of the image
    same = corrected(wrong_m, hanging)[HEIGHT_PX // 2 + 8 :]
    assert np.array_equal(same, wrong_m[HEIGHT_PX // 2 + 8 :])


@pytest.mark.parametrize('size_px', [(1, 1), (3, 5), (2, 700), (700, 2)])
def test_images_of_any_size_have_a_finite_factor(size_px):
    depth_m = np.zeros(size_px, np.float32)
    ones = np.ones(size_px, np.float32)
    factor = contact_correction(depth_m, ones, 100 * ones, GROUND, INTRINSICS, 0.1)
    assert factor.shape == size_px
    assert np.isfinite(factor).all()
    assert (factor > 0).all()
