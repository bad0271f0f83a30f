"""The cells that depth finds, and those that it marks wrongly: by hand and in `evaluate`."""

import json
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from test_scale import floor, GREY, HEIGHT_PX, INTRINSICS, seen_by, WIDTH_PX
import torch

from benchmarks.around import NoNetwork
from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.weights.info import PUBLISHED
from s2r_depth_training.data.sample import Sample
from s2r_depth_training.evaluation.obstacles import (
    cells_table,
    fitted_ground,
    frame_counts,
    grid_cells,
    score_obstacles,
    VARIANTS,
    variants_of,
)
from s2r_depth_training.evaluation.protocols import NotMeasurableError
from s2r_scenes.meshes import box

MOUNTING = 0.8, 8.0, 3.0  # metres, degrees down, degrees about the axis
NETWORK_SIZE_PX = 96, 128


@pytest.fixture(scope='module')
def yard_m():
    """Depth of a floor with a box 4 m ahead and one 6 m ahead and 2 m left."""
    meshes = [
        floor(),
        box((0.9, 0.9, 1.0), GREY, (4.5, -0.75, 0.5)),
        box((0.9, 0.9, 1.5), GREY, (6.5, 2.25, 0.75)),
    ]
    return seen_by(meshes, *MOUNTING)


def sample(depth_m, intrinsics=INTRINSICS):
    grey = np.uint8(np.clip(255 / np.maximum(np.nan_to_num(depth_m, nan=1.0), 1.0), 0, 255))
    image = np.repeat(grey[..., None], 3, axis=2)
    return Sample(image, depth_m.astype(np.float32), intrinsics.astype(np.float32), 'yard')


def predictor_of(depth_m):
    """Return a predictor whose network answers a depth, of whatever image."""
    near_m = np.minimum(depth_m, 79.0).astype(np.float32)
    small = cv2.resize(near_m, NETWORK_SIZE_PX[::-1], interpolation=cv2.INTER_NEAREST)
    answer = torch.from_numpy(small / PUBLISHED.max_depth_m * 2 - 1)[None, None]
    predictor = DepthPredictor(NoNetwork(answer), PUBLISHED, 'cpu')
    predictor.network_size_px = NETWORK_SIZE_PX
    return predictor


@pytest.mark.parametrize('share', [1.0, 0.03])
def test_the_ground_of_dense_and_sparse_depth_is_found(yard_m, share):
    known = np.random.default_rng(0).random(yard_m.shape) < share
    ground = fitted_ground(np.where(known, yard_m, np.nan).astype(np.float32), INTRINSICS)
    assert ground.height_m == pytest.approx(MOUNTING[0], abs=0.01)
    assert math.degrees(ground.pitch_rad) == pytest.approx(MOUNTING[1], abs=0.3)
    assert abs(math.degrees(ground.roll_rad)) == pytest.approx(MOUNTING[2], abs=0.3)


def test_a_wall_and_nothing_are_no_ground():
    for depth_m in (np.full((HEIGHT_PX, WIDTH_PX), 3.0), np.full((HEIGHT_PX, WIDTH_PX), np.nan)):
        with pytest.raises(NotMeasurableError):
            fitted_ground(depth_m.astype(np.float32), INTRINSICS)
    with pytest.raises(NotMeasurableError, match='without intrinsics'):
        frame_counts(sample(np.ones((HEIGHT_PX, WIDTH_PX)), np.full((3, 3), np.nan)), None)


def test_a_cell_is_an_obstacle_with_one_point_of_it_and_free_with_ground_alone():
    ground = GroundPlane(1.0)
    # 4.2 m ahead a point at 0.496 m, and ground; then ground 1.26 m to the right.
    k = np.array([[100.0, 0, 0], [0, 100.0, 0], [0, 0, 1]])
    depth_m = np.full((60, 60), np.nan, np.float32)
    depth_m[12, 0] = depth_m[24, 0] = depth_m[24, 30] = 4.2
    cells = grid_cells(depth_m, k, ground)
    assert np.argwhere(cells.obstacle).tolist() == [[8, 10]]
    assert np.argwhere(cells.free).tolist() == [[8, 7]]
    known = grid_cells(depth_m, k, ground, is_ground=np.isfinite(depth_m))
    assert not known.obstacle.any()
    assert np.argwhere(known.free).tolist() == [[8, 7], [8, 10]]


def test_perfect_depth_finds_all_and_a_ghost_marks_what_is_free(yard_m):
    (counts,) = (frame_counts(sample(yard_m), predictor_of(yard_m))['no filter'],)
    assert counts['frames_with_scale'] == 1
    assert counts['obstacle_cells'] >= 4
    assert counts['found'] >= 0.8 * counts['obstacle_cells']
    assert counts['free_cells'] > 50
    assert counts['wrongly_marked'] <= 0.1 * counts['free_cells']

    ghost_m = yard_m.copy()
    ghost_m[40:60, 100:] = 3.0
    worse = frame_counts(sample(yard_m), predictor_of(ghost_m))['no filter']
    assert worse['obstacle_cells'] == counts['obstacle_cells']
    assert worse['wrongly_marked'] > counts['wrongly_marked']


def test_the_scale_comes_from_the_ground(yard_m):
    counts = frame_counts(sample(yard_m), predictor_of(1.3 * yard_m))['no filter']
    assert counts['found'] >= 0.8 * counts['obstacle_cells']
    assert counts['wrongly_marked'] <= 0.1 * counts['free_cells']


def test_counts_add_up_and_frames_without_ground_are_named(yard_m):
    frames = [sample(yard_m), sample(np.full((HEIGHT_PX, WIDTH_PX), 3.0)), sample(yard_m)]
    scores = score_obstacles(frames, range(3), predictor_of(yard_m))
    one = frame_counts(frames[0], predictor_of(yard_m))
    for name, counts in scores['variants'].items():
        assert counts == {key: 2 * count for key, count in one[name].items()}
    assert scores['skipped'] == ['yard: no ground in the true depth']
    assert json.loads(json.dumps(scores, allow_nan=False))
    found = 100 * one['no filter']['found'] / one['no filter']['obstacle_cells']
    printed = cells_table(scores)
    assert '2 frames' in printed
    assert f'{found:.1f} % of {2 * one["no filter"]["obstacle_cells"]}' in printed
    assert '2 of 2' in printed


def test_weights_without_a_judge_have_no_rows_that_need_one(yard_m):
    scores = score_obstacles([sample(yard_m)], [0], predictor_of(yard_m))
    assert list(scores['variants']) == ['no filter', 'edge_filter 1']
    assert cells_table(scores).splitlines()[-1].startswith('the weights have no judge')
    assert variants_of(SimpleNamespace(has_judge=True)) == VARIANTS
