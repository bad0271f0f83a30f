"""The renderer's camera: conventions worked out by hand."""

import numpy as np

from s2r_scenes import camera as cameras

K = cameras.pinhole(np.pi / 2, 640, 192)


def test_focal_length_of_a_right_angle_is_half_the_width():
    np.testing.assert_allclose(K, [[320, 0, 319.5], [0, 320, 95.5], [0, 0, 1]])


def test_the_optical_frame_is_x_right_y_down_z_forward():
    level = cameras.look((0, 0, 0), 0, 0, 0, K, 640, 192)
    np.testing.assert_allclose(level.rotation, [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-12)


def test_yaw_turns_left_and_pitch_up():
    left = cameras.look((0, 0, 0), np.pi / 2, 0, 0, K, 640, 192)
    np.testing.assert_allclose(left.forward, [0, 1, 0], atol=1e-12)
    up = cameras.look((0, 0, 0), 0, np.pi / 4, 0, K, 640, 192)
    np.testing.assert_allclose(up.forward, [np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-12)


def test_the_projection_puts_a_point_where_the_intrinsics_say():
    view = cameras.look((1, 2, 3), 0.3, -0.1, 0.05, K, 640, 192)
    optical = np.array([0.5, -0.2, 4.0])
    point = view.position + optical @ view.rotation
    x, y, _, z = cameras.projection(view, 0.1, 100) @ np.append(point, 1)
    assert np.isclose(z, 4.0)
    u, v = 319.5 + 320 * 0.5 / 4, 95.5 - 320 * 0.2 / 4
    np.testing.assert_allclose([x / z, y / z], [2 * (u + 0.5) / 640 - 1, 2 * (v + 0.5) / 192 - 1])


def test_rays_reach_unit_depth_and_pass_pixel_centres():
    view = cameras.look((0, 0, 0), 0, 0, 0, K, 640, 192)
    rays = cameras.rays(view)
    np.testing.assert_allclose(rays @ view.forward, 1.0, rtol=1e-6)
    np.testing.assert_allclose(rays[0, 0], [1, 319.5 / 320, 95.5 / 320], rtol=1e-6)
    four = cameras.rays(view, samples=2)[:2, :2].mean((0, 1))
    np.testing.assert_allclose(four, rays[0, 0], rtol=1e-5)


def test_a_parallel_view_maps_its_box_to_the_unit_cube():
    centre = np.array([10.0, 0, 0])
    matrix = cameras.orthographic(np.array([0, 0, 1.0]), centre, 5.0, 20.0)
    np.testing.assert_allclose((matrix @ [10, 0, 20, 1])[:3], [0, 0, -1], atol=1e-12)
    assert np.abs((matrix @ [15, 5, 0, 1])[:2]).tolist() == [1, 1]
