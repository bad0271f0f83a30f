"""Obstacles and the scan of them: by hand, and on rendered boxes seen by tilted cameras."""

import math

import numpy as np
import pytest
from test_scale import floor, GREY, HEIGHT_PX, INTRINSICS, seen_by, WIDTH_PX

from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.obstacles import obstacle_points
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.scan import level_rotation, scan_from_depth
from s2r_scenes.meshes import box

BAND_M, LIMITS_M = (0.15, 1.6), (0.3, 20.0)
# Height in metres, pitch and roll in degrees: level, tilted, low, above the band, on its side.
MOUNTINGS = [(0.5, 0, 0), (0.5, 12, -7), (0.08, -5, 0), (2.5, 20, 3), (0.5, 0, 90)]


def ground_below(height_m, pitch_deg, roll_deg):
    return GroundPlane(height_m, math.radians(pitch_deg), math.radians(roll_deg))


def level(points_m, ground):
    """Return points in the level frame, z above the ground."""
    return points_m @ level_rotation(ground).T + (0, 0, ground.height_m)


def scan(depth_m, ground, band_m=BAND_M, limits_m=LIMITS_M):
    return scan_from_depth(depth_m, INTRINSICS, ground, band_m, limits_m)


def bearings(found):
    return found.angle_min_rad + found.angle_step_rad * np.arange(len(found.ranges_m))


@pytest.fixture(scope='module', params=MOUNTINGS, ids=str)
def yard(request):
    """Depth and ground of a floor with a box 4 m ahead and 1 m left, a kerb and a beam above."""
    meshes = [
        floor(),
        box((0.4, 0.6, 1.0), GREY, (4.2, 1.0, 0.5)),  # its front is 4 m ahead
        box((0.4, 0.8, 0.1), GREY, (3.0, -0.8, 0.05)),
        box((0.2, 20.0, 0.3), GREY, (6.0, 0.0, 2.2)),
    ]
    return seen_by(meshes, *request.param), ground_below(*request.param)


def test_axes_of_the_level_frame():
    pitch = math.radians(30)
    ahead, left, up = level_rotation(GroundPlane(1.0, pitch))
    assert ahead == pytest.approx([0, -0.5, math.cos(pitch)])
    assert left == pytest.approx([-1, 0, 0])
    assert up == pytest.approx([0, -math.cos(pitch), -0.5])
    rolled = level_rotation(GroundPlane(1.0, pitch, 0.3))
    assert rolled @ rolled.T == pytest.approx(np.eye(3))
    assert np.linalg.det(rolled) == pytest.approx(1)
    assert -rolled[2] == pytest.approx(GroundPlane(1.0, pitch, 0.3).down)


def test_of_a_tilted_camera_the_box_is_an_obstacle_and_floor_kerb_and_beam_are_not(yard):
    depth_m, ground = yard
    found = obstacle_points(back_project(depth_m, INTRINSICS), ground, *BAND_M)
    x, y, z = level(found, ground).T
    assert len(found) > 30
    assert ((x > 3.99) & (x < 4.41) & (y > 0.69) & (y < 1.31)).all()
    assert ((z > 0.15) & (z < 1.01)).all()


def test_of_a_tilted_camera_rays_end_at_the_box_and_are_free_beside_it(yard):
    depth_m, ground = yard
    found = scan(depth_m, ground)
    angles = bearings(found)
    near, far = math.atan2(0.7, 4.0), math.atan2(1.3, 4.0)
    step = 2 * found.angle_step_rad
    on_box = (angles > near + step) & (angles < far - step)
    beside = (angles < near - step) | (angles > math.atan2(1.3, 4.4) + step)
    is_hit = np.isfinite(found.ranges_m)
    assert on_box.sum() > 3
    assert found.ranges_m[on_box] == pytest.approx(4.0 / np.cos(angles[on_box]), abs=0.02)
    assert not is_hit[beside].any()
    # The outermost rays of a tilted camera see only what is near.
    assert (found.ranges_m[beside] == np.inf).mean() > 0.75


def test_what_is_known_as_ground_is_no_obstacle_and_its_rays_are_free(yard):
    depth_m, ground = yard
    points_m = back_project(depth_m, INTRINSICS)
    everywhere = np.ones(depth_m.shape, bool)
    assert len(obstacle_points(points_m, ground, *BAND_M, is_ground=everywhere)) == 0
    free = scan_from_depth(depth_m, INTRINSICS, ground, BAND_M, LIMITS_M, everywhere)
    assert not np.isfinite(free.ranges_m).any()
    assert (free.ranges_m == np.inf).mean() > 0.75
    nowhere = ~everywhere
    known = scan_from_depth(depth_m, INTRINSICS, ground, BAND_M, LIMITS_M, nowhere)
    assert np.array_equal(known.ranges_m, scan(depth_m, ground).ranges_m, equal_nan=True)
    found = obstacle_points(points_m, ground, *BAND_M, is_ground=nowhere)
    assert np.array_equal(found, obstacle_points(points_m, ground, *BAND_M))


def test_a_ray_is_at_most_two_pixels_from_the_next_at_the_centre_and_all_of_the_view_is_covered():
    found = scan(np.full((HEIGHT_PX, WIDTH_PX), np.inf, np.float32), GroundPlane(0.5))
    assert found.angle_step_rad * INTRINSICS[0, 0] == pytest.approx(2, rel=0.05)
    assert bearings(found)[0] == -bearings(found)[-1]
    span = found.angle_step_rad * len(found.ranges_m)
    assert span == pytest.approx(2 * math.atan(WIDTH_PX / 2 / INTRINSICS[0, 0]), rel=0.02)
    assert (found.range_min_m, found.range_max_m) == LIMITS_M
    assert (found.ranges_m == np.inf).all()


def test_a_kerb_and_a_beam_are_obstacles_where_the_heights_say_so():
    mounting = (0.5, 5, 0)
    meshes = [floor(), box((0.2, 2.0, 0.1), GREY, (3.1, 0, 0.05))]
    depth_m, ground = seen_by(meshes, *mounting), ground_below(*mounting)
    straight = len(scan(depth_m, ground).ranges_m) // 2
    assert scan(depth_m, ground).ranges_m[straight] == np.inf
    assert scan(depth_m, ground, (0.05, 1.6)).ranges_m[straight] == pytest.approx(3.0, abs=0.05)
    assert len(obstacle_points(back_project(depth_m, INTRINSICS), ground, 0.15, 1.6)) == 0
    assert len(obstacle_points(back_project(depth_m, INTRINSICS), ground, 0.05, 1.6)) > 20


def test_what_is_unknown_too_near_or_beyond_the_range_is_neither_free_nor_an_obstacle():
    ground = GroundPlane(0.5)
    wall_m = np.full((HEIGHT_PX, WIDTH_PX), 3.0, np.float32)
    third = WIDTH_PX // 3
    wall_m[:, :third] = np.nan
    wall_m[:, 2 * third :] = -np.inf
    right, middle, left = (part[5:-5] for part in np.array_split(scan(wall_m, ground).ranges_m, 3))
    assert np.isnan(left).all()
    assert np.isfinite(middle).all()
    assert (right == -np.inf).all()

    assert (scan(wall_m, ground, limits_m=(0.3, 2.0)).ranges_m[35:45] == np.inf).all()
    assert (scan(wall_m, ground, limits_m=(5.0, 9.0)).ranges_m[35:45] == -np.inf).all()


def test_a_ray_of_which_most_is_unknown_is_not_free():
    ground, middle = GroundPlane(0.5), WIDTH_PX // 4
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), np.inf, np.float32)
    depth_m[: HEIGHT_PX // 3] = np.nan
    assert scan(depth_m, ground).ranges_m[middle] == np.inf
    depth_m[: 2 * HEIGHT_PX // 3] = np.nan
    assert np.isnan(scan(depth_m, ground).ranges_m[middle])


def test_without_any_depth_all_is_unknown():
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), np.nan, np.float32)
    assert np.isnan(scan(depth_m, GroundPlane(0.5)).ranges_m).all()
    points_m = back_project(depth_m, INTRINSICS)
    assert obstacle_points(points_m, GroundPlane(0.5), *BAND_M, voxel_m=0.1).shape == (0, 3)


def test_a_camera_that_looks_straight_down_sees_the_floor_and_no_obstacle():
    ground = ground_below(1.0, 90, 0)
    found = scan(np.ones((HEIGHT_PX, WIDTH_PX), np.float32), ground)
    assert not np.isfinite(found.ranges_m).any()


def test_a_camera_that_looks_straight_down_sees_the_box_below_it():
    meshes = [floor(), box((0.4, 0.1, 0.5), GREY, (0.0, 0.3, 0.25))]  # 0.25 m to the left
    ground = ground_below(2.0, 90, 0)
    found = scan(seen_by(meshes, 2.0, 90, 0), ground, limits_m=(0.1, 20.0))
    is_left = np.abs(bearings(found) - math.pi / 2) < 0.3
    nearest_m = 0.25 / np.sin(bearings(found)[is_left])
    assert found.ranges_m[is_left] == pytest.approx(nearest_m, abs=0.03)
    assert not np.isfinite(found.ranges_m[bearings(found) < 0]).any()


@pytest.mark.parametrize('pitch_deg', [40, -55])
def test_of_a_camera_that_does_not_see_the_horizon_no_ray_is_free_beyond_what_it_sees(pitch_deg):
    ground = ground_below(0.5, pitch_deg, 0)
    found = scan(seen_by([floor()], 0.5, pitch_deg, 0), ground)
    upper, lower = (
        ground.pitch_rad + math.atan(side * HEIGHT_PX / 2 / INTRINSICS[1, 1]) for side in (-1, 1)
    )
    sees_m = 0.35 / math.tan(upper) if pitch_deg > 0 else 1.1 / math.tan(-lower)
    assert found.range_max_m == pytest.approx(sees_m, rel=0.1)
    assert found.ranges_m[len(found.ranges_m) // 2] == np.inf
    assert np.isnan(found.ranges_m[[0, -1]]).all()


def test_floor_that_is_too_near_to_be_measured_is_no_obstacle():
    depth_m, ground = seen_by([floor()], 0.15, 20, 0), ground_below(0.15, 20, 0)
    depth_m[depth_m < 0.3] = -np.inf
    assert (depth_m == -np.inf).mean() > 0.05
    found = scan(depth_m, ground, (0.1, 1.6))
    assert found.ranges_m[len(found.ranges_m) // 2] == np.inf
    wall_m = np.full_like(depth_m, -np.inf)
    assert (scan(wall_m, ground, (0.1, 1.6)).ranges_m == -np.inf).any()


def test_a_voxel_keeps_the_first_of_its_points():
    points_m = np.array([[0.01, 0, 1], [0.09, 0, 1], [0.11, 0, 1], [-0.01, 0, 1]], np.float32)
    ground = GroundPlane(0.5)
    found = obstacle_points(points_m[None], ground, 0.1, 1.0, voxel_m=0.1)
    assert found == pytest.approx(points_m[[0, 2, 3]])
    assert obstacle_points(points_m[None], ground, 0.1, 1.0) == pytest.approx(points_m)


@pytest.mark.parametrize(
    ('values', 'fault'),
    [
        ({'camera_height': math.nan}, 'camera_height must be a finite number, got nan'),
        ({'min_height': math.nan}, 'min_height must be a finite number'),
        ({'min_height': 1.0, 'max_height': 1.0}, r'min_height \(1.0 m\) must be below max_height'),
        ({'voxel_size': 0.001}, 'voxel_size must be 0 or at least 0.01 m'),
    ],
)
def test_heights_that_cannot_be_are_refused(values, fault):
    with pytest.raises(ValueError, match=fault):
        Parameters(**values)
