"""Colours of depth images."""

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.colors import color_depth


def turbo(level):
    return cv2.applyColorMap(np.array([[level]], np.uint8), cv2.COLORMAP_TURBO)[0, 0].tolist()


def test_near_is_red_far_is_blue_and_the_geometric_mean_lies_between():
    colors = color_depth(np.array([[1.0, 10.0, 100.0]], np.float32), 1.0, 100.0)
    assert colors.shape == (1, 3, 3)
    assert colors.dtype == np.uint8
    # 254 levels: near is the last (Turbo 255), far the first (0), 10 m the rounded middle (126.5)
    assert colors[0, 0].tolist() == turbo(255)
    assert colors[0, 2].tolist() == turbo(0)
    assert colors[0, 1].tolist() in (turbo(126), turbo(127), turbo(128))


def test_depths_outside_the_scale_have_the_colours_of_its_ends():
    colors = color_depth(np.array([[0.5, 0.0, -np.inf, 200.0]], np.float32), 1.0, 100.0)
    assert [color.tolist() for color in colors[0]] == [turbo(255)] * 3 + [turbo(0)]


def test_invalid_is_black_and_far_is_dark_grey():
    colors = color_depth(np.array([[np.nan, np.inf]], np.float32), 0.5, 80.0)
    assert colors[0].tolist() == [[0, 0, 0], [64, 64, 64]]


def test_equal_ratios_of_depth_are_equal_steps():
    depth_m = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]], np.float32)
    shifted = color_depth(depth_m * 2, 1.0, 32.0)
    np.testing.assert_array_equal(color_depth(depth_m, 0.5, 16.0), shifted)


def test_integer_like_and_double_depths_are_accepted():
    depth_m = np.array([[1.0, 3.0]])
    np.testing.assert_array_equal(
        color_depth(depth_m, 1.0, 10.0), color_depth(depth_m.astype(np.float32), 1.0, 10.0)
    )


@pytest.mark.parametrize('limits', [(0, 1), (2, 1), (1, 1), (1, np.inf), (np.nan, 1)])
def test_impossible_limits_are_refused(limits):
    with pytest.raises(ValueError, match='0 < near < far'):
        color_depth(np.ones((1, 1), np.float32), *limits)
