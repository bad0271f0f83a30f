"""Back-projection, projection and strides, against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from s2r_depth_ros.depth.geometry import back_project, project, subsample

# fx 2, fy 4, centre (1, 0.5): every ray of a 3 x 2 image is a fraction that floats hold exactly.
INTRINSICS = np.array([[2.0, 0.0, 1.0], [0.0, 4.0, 0.5], [0.0, 0.0, 1.0]])


def test_back_projection_of_a_3_by_2_image_worked_out_by_hand():
    depth_m = np.array([[2.0, 4.0, 8.0], [1.0, 2.0, 16.0]], np.float32)
    points = back_project(depth_m, INTRINSICS)
    # x = (u - 1) Z / 2, y = (v - 0.5) Z / 4
    expected = [
        [[-1.0, -0.25, 2.0], [0.0, -0.5, 4.0], [4.0, -1.0, 8.0]],
        [[-0.5, 0.125, 1.0], [0.0, 0.25, 2.0], [8.0, 2.0, 16.0]],
    ]
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, expected)


@pytest.mark.parametrize('invalid', [np.nan, np.inf, -np.inf])
def test_invalid_depth_gives_nan_in_all_coordinates_even_at_the_centre(invalid):
    depth_m = np.full((2, 3), 3.0, np.float32)
    depth_m[1, 1] = invalid  # u = cx: infinity times zero
    for points in (
        back_project(depth_m, INTRINSICS),
        back_project(torch.from_numpy(depth_m), INTRINSICS).numpy(),
    ):
        assert np.isnan(points[1, 1]).all()
        assert np.isnan(points).sum() == 3


def test_back_projection_leaves_its_input_alone():
    depth_m = np.full((2, 3), np.inf, np.float32)
    back_project(depth_m, INTRINSICS)
    assert np.isinf(depth_m).all()


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_torch_and_numpy_agree(dtype):
    depth_m = np.random.default_rng(0).uniform(1, 50, (5, 7)).astype(dtype)
    from_numpy = back_project(depth_m, INTRINSICS)
    from_torch = back_project(torch.from_numpy(depth_m), INTRINSICS)
    assert from_torch.dtype == torch.float32
    np.testing.assert_allclose(from_torch.numpy(), from_numpy, rtol=1e-6)


@pytest.mark.parametrize('convert', [np.asarray, torch.from_numpy])
def test_projection_is_the_inverse_of_back_projection(convert):
    depth = np.random.default_rng(1).uniform(0.5, 80, (4, 6)).astype(np.float32)
    pixels, depth_m = project(back_project(convert(depth), INTRINSICS), INTRINSICS)
    rows, columns = np.mgrid[:4, :6]
    np.testing.assert_allclose(np.asarray(pixels), np.dstack((columns, rows)), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(depth_m), depth)


@pytest.mark.parametrize('convert', [np.asarray, torch.from_numpy])
def test_points_not_in_front_of_the_camera_have_no_pixel(convert):
    points = np.array([[1, 1, 0], [1, 1, -2], [np.nan] * 3, [0, 0, 1]], np.float32)
    pixels, _ = project(convert(points), INTRINSICS)
    np.testing.assert_array_equal(np.isnan(np.asarray(pixels)).all(axis=-1), [1, 1, 1, 0])
    np.testing.assert_array_equal(np.asarray(pixels)[3], [1.0, 0.5])


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_strided_points_are_the_same_points(stride):
    depth_m = np.random.default_rng(2).uniform(1, 9, (5, 8)).astype(np.float32)
    strided_depth_m, strided_intrinsics = subsample(depth_m, INTRINSICS, stride)
    np.testing.assert_allclose(
        back_project(strided_depth_m, strided_intrinsics),
        back_project(depth_m, INTRINSICS)[::stride, ::stride],
        rtol=1e-6,
    )


def test_wrong_shapes_and_strides_are_named():
    with pytest.raises(ValueError, match=r'\(2, 3, 1\)'):
        back_project(np.zeros((2, 3, 1), np.float32), INTRINSICS)
    with pytest.raises(ValueError, match=r'\(4, 2\)'):
        project(np.zeros((4, 2), np.float32), INTRINSICS)
    with pytest.raises(ValueError, match='not 0'):
        subsample(np.zeros((2, 3)), INTRINSICS, 0)
