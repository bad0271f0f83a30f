"""Steps of depth in place of the ramps of a small network, on scenes made by hand."""

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthPipeline
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.depth.sharpening import sharpened

HEIGHT, WIDTH = 240, 320
NETWORK_SIZE_PX = (120, 160)
NEAR_M, FAR_M = 2.0, 6.0
OUTLINE = 163  # first column of the far surface in the image


def two_surfaces(outline=OUTLINE, ramp_from=152, ramp_to=168):
    """Return the ramp of a network between two surfaces, and an image that shows the outline."""
    row_m = np.interp(np.arange(WIDTH), [ramp_from, ramp_to], [NEAR_M, FAR_M])
    rgb = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    rgb[:, outline:] = 160
    return np.tile(row_m.astype(np.float32), (HEIGHT, 1)), rgb


def floor_m(horizon_row=-20.0):
    """Return the depth of a floor: camera height * focal length / rows below the horizon."""
    rows = np.arange(HEIGHT, dtype=np.float32)
    return np.repeat((1.2 * 260 / (rows - horizon_row))[:, None], WIDTH, axis=1)


def test_a_ramp_becomes_a_step_where_the_image_has_its_outline():
    depth_m, rgb = two_surfaces()
    result_m = sharpened(depth_m, rgb, NETWORK_SIZE_PX)
    assert result_m.shape == depth_m.shape
    assert result_m.dtype == np.float32
    between = (result_m > 1.1 * NEAR_M) & (result_m < 0.9 * FAR_M)
    assert ((depth_m > 1.1 * NEAR_M) & (depth_m < 0.9 * FAR_M)).sum(axis=1).min() >= 12
    assert between.sum(axis=1).max() <= 6
    assert np.abs(result_m[:, OUTLINE - 3] - NEAR_M).max() < 0.3
    assert np.abs(result_m[20:-20, OUTLINE + 3] - FAR_M).max() < 0.6


def test_an_outline_beside_the_middle_of_the_ramp_moves_the_step():
    places = []
    for outline in (157, 163):
        depth_m, rgb = two_surfaces(outline)
        row_m = sharpened(depth_m, rgb, NETWORK_SIZE_PX)[HEIGHT // 2]
        places.append(int(np.argmax(row_m > (NEAR_M + FAR_M) / 2)))
    assert places[0] == pytest.approx(157, abs=2)
    assert places[1] == pytest.approx(163, abs=2)


def test_a_floor_with_tiles_and_a_wall_with_a_picture_keep_their_depth():
    _, rgb = two_surfaces()
    rgb[::16] = 255
    wall_m = np.full((HEIGHT, WIDTH), 3.0, np.float32)
    assert np.array_equal(sharpened(wall_m, rgb, NETWORK_SIZE_PX), wall_m)
    depth_m = floor_m()
    change = np.abs(sharpened(depth_m, rgb, NETWORK_SIZE_PX) / depth_m - 1)
    assert change.max() < 0.02


@pytest.mark.parametrize('network_size_px', [NETWORK_SIZE_PX, (30, 40), (300, 200)])
def test_no_depth_leaves_the_range_of_the_image(network_size_px):
    random = np.random.default_rng(0)
    coarse_m = random.uniform(0, 80, (30, 40)).astype(np.float32)
    depth_m = cv2.resize(coarse_m, (WIDTH, HEIGHT))
    rgb = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    with np.errstate(all='raise'):
        result_m = sharpened(depth_m, rgb, network_size_px)
    assert np.isfinite(result_m).all()
    assert result_m.min() >= 0.999 * depth_m.min()
    assert result_m.max() <= 1.001 * depth_m.max()


@pytest.mark.parametrize('size_px', [(1, 1), (1, 7), (5, 1), (3, 2000)])
def test_images_of_any_size_are_taken(size_px):
    depth_m = np.full(size_px, 4.0, np.float32)
    result_m = sharpened(depth_m, np.zeros((*size_px, 3), np.uint8), (max(1, size_px[0] // 2), 3))
    assert np.array_equal(result_m, depth_m)


def test_the_parameter_gives_the_depth_of_the_network_unchanged():
    random = np.random.default_rng(1)
    rgb = cv2.resize(random.integers(0, 256, (6, 8, 3), np.uint8), (WIDTH, HEIGHT))
    predictor = DepthPredictor('indoor', 'cpu', threads=1)
    smooth, sharp = (
        DepthPipeline(predictor, Parameters(sharp_edges=sharp_edges)).run(
            CameraImage(rgb), CameraState()
        )
        for sharp_edges in (False, True)
    )
    (raw,) = predictor.run([rgb], sharp_edges=False)
    assert np.array_equal(smooth.depth_m, raw.depth_m)
    assert not np.array_equal(sharp.depth_m, smooth.depth_m)
