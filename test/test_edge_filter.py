"""The filter against depth that is smeared between surfaces, on scenes made by hand."""

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.edge_filter import smeared

HEIGHT, WIDTH = 480, 640
NEAR_M, FAR_M = 2.0, 6.0


def boxes_before_a_wall(near_grey=60, far_grey=160):
    """
    Return the true depth of two boxes before a wall, that depth as a network gives it, the image.

    The network's map has 272 x 192 pixels; enlarged, it is smeared over some pixels of the image.
    """
    truth_m = np.full((HEIGHT, WIDTH), FAR_M, np.float32)
    rgb = np.full((HEIGHT, WIDTH, 3), far_grey, np.uint8)
    for left in (100, 400):
        truth_m[200:400, left : left + 120] = NEAR_M
        rgb[200:400, left : left + 120] = near_grey
    small_m = cv2.resize(truth_m, (272, 192), interpolation=cv2.INTER_AREA)
    rgb += np.random.default_rng(0).integers(0, 9, rgb.shape, np.uint8)
    return truth_m, cv2.resize(small_m, (WIDTH, HEIGHT)), rgb


def test_most_points_between_two_surfaces_go_and_most_others_stay():
    truth_m, depth_m, rgb = boxes_before_a_wall()
    is_ghost = (depth_m > 1.1 * NEAR_M) & (depth_m < 0.9 * FAR_M)
    marked = smeared(depth_m, rgb, 1.0)
    assert is_ghost.sum() > 1000
    assert marked[is_ghost].mean() > 0.8
    assert marked[~is_ghost].mean() < 0.05
    assert marked.shape == truth_m.shape
    assert marked.dtype == bool


def test_neither_a_picture_on_a_wall_nor_a_step_of_depth_alone_is_smeared():
    _, depth_m, rgb = boxes_before_a_wall()
    flat_m = np.full((HEIGHT, WIDTH), 3.0, np.float32)
    assert not smeared(flat_m, rgb, 1.0).any()
    assert not smeared(depth_m, np.full_like(rgb, 100), 1.0).any()


def test_a_room_of_twice_the_size_has_the_same_edges():
    _, depth_m, rgb = boxes_before_a_wall()
    once, twice = (smeared(factor * depth_m, rgb, 1.0) for factor in (1, 2))
    assert np.mean(once != twice) < 1e-4


def test_more_strength_marks_more_and_none_marks_nothing():
    _, depth_m, rgb = boxes_before_a_wall()
    shares = [smeared(depth_m, rgb, strength).mean() for strength in (0.0, 0.2, 1.0, 5.0, 100.0)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] > shares[1] > 0


@pytest.mark.parametrize('size_px', [(1, 1), (3, 5), (7, 640), (1, 200_000), (20_000, 1)])
def test_small_images_have_a_mask_of_their_size(size_px):
    depth_m = np.linspace(0.0, 9.0, size_px[0] * size_px[1], dtype=np.float32).reshape(size_px)
    marked = smeared(depth_m, np.zeros((*size_px, 3), np.uint8), 1.0)
    assert marked.shape == size_px
    assert not marked.any()
