"""NaN and infinities stay in their own pixels: no filter or resize spreads them."""

from hypothesis import given, settings, strategies
import numpy as np
import pytest
import torch

from s2r_depth_ros.cli.cloud_view import fill_gaps
from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.depth.scale import scale_from_ground, scale_from_reference
from s2r_depth_ros.depth.temporal_smoothing import TemporalSmoother
from s2r_depth_ros.network import DepthMaps
from s2r_depth_ros.weights.files import PUBLISHED
from s2r_depth_training.data.augment import resize_depth

HEIGHT, WIDTH = 24, 36
CORNERS = [(row, column) for row in (0, HEIGHT - 1) for column in (0, WIDTH - 1)]
K = np.array([[30.0, 0, 17.5], [0, 30.0, 11.5], [0, 0, 1]])

# Every corner has a value of its own, and so has one place anywhere.
planted = strategies.tuples(
    strategies.lists(strategies.sampled_from([np.nan, np.inf, -np.inf]), min_size=5, max_size=5),
    strategies.tuples(strategies.integers(0, HEIGHT - 1), strategies.integers(0, WIDTH - 1)),
)


def smooth_depth():
    """Return the depth of level ground seen from 1.5 m, below a wall 20 m away."""
    v = np.arange(HEIGHT, dtype=np.float32)[:, None] - np.float32(K[1, 2])
    depth = np.where(v > 2, 45.0 / np.maximum(v, 1), 20.0).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(depth, (HEIGHT, WIDTH)))


def with_planted(values, place):
    depth_m = smooth_depth()
    for (row, column), value in zip([*CORNERS, place], values):
        depth_m[row, column] = value
    return depth_m, ~np.isfinite(depth_m)


@given(planted, planted, strategies.integers(0, 2))
@settings(deadline=None, max_examples=40)
def test_the_filter_against_flicker_keeps_them_where_they_are(before, now, changed_cells):
    first, first_bad = with_planted(*before)
    second, second_bad = with_planted(*now)
    grey = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    moved = grey.copy()
    moved[:, : 12 * changed_cells] = 200
    clean, seen = TemporalSmoother(), TemporalSmoother()
    clean.update(smooth_depth(), grey, 0.75)
    expected = clean.update(smooth_depth() * 2, moved, 0.75)
    seen.update(first, grey, 0.75)
    steadied = seen.update(second * 2, moved, 0.75)
    untouched = ~(first_bad | second_bad)
    np.testing.assert_array_equal(steadied[untouched], expected[untouched])
    # What was not finite before, and is now, counts by itself.
    back = first_bad & ~second_bad
    np.testing.assert_allclose(steadied[back], second[back] * 2, rtol=1e-6)


@given(planted)
@settings(deadline=None, max_examples=40)
def test_colours_points_and_their_cloud_keep_them_where_they_are(values):
    depth_m, bad = with_planted(*values)
    np.testing.assert_array_equal(
        color_depth(depth_m, 0.1, 80.0)[~bad], color_depth(smooth_depth(), 0.1, 80.0)[~bad]
    )
    points = back_project(depth_m, K)
    assert np.array_equal(np.isnan(points).all(axis=-1), bad)
    np.testing.assert_array_equal(points[~bad], back_project(smooth_depth(), K)[~bad])
    np.testing.assert_array_equal(points, back_project(torch.from_numpy(depth_m), K).numpy())
    filled, painted = fill_gaps(points, np.zeros((HEIGHT, WIDTH, 3), np.uint8), 3)
    assert len(filled) == len(painted) > 0
    assert np.isfinite(filled).all()
    assert (filled[:, 2] >= smooth_depth().min() - 1e-4).all()


@given(planted)
@settings(deadline=None, max_examples=40)
def test_the_scale_is_that_of_the_finite_pixels(values):
    depth_m, _ = with_planted(*values)
    assert scale_from_ground(depth_m, K, GroundPlane(1.5)).factor == pytest.approx(1, rel=0.02)
    assert scale_from_reference(depth_m, smooth_depth() * 2).factor == pytest.approx(2)
    assert scale_from_reference(smooth_depth(), depth_m * 2).factor == pytest.approx(2)


@given(planted, strategies.sampled_from([(12, 18), (48, 72), (17, 50)]))
@settings(deadline=None, max_examples=40)
def test_training_depth_is_picked_and_never_mixed(values, size_px):
    depth_m, _ = with_planted(*values)
    whole = torch.tensor([[0.0, 0, HEIGHT, WIDTH]])
    resized = resize_depth(torch.from_numpy(depth_m)[None, None], whole, size_px)
    assert set(resized[torch.isfinite(resized)].tolist()) <= set(smooth_depth().ravel().tolist())


@pytest.mark.parametrize('corner', [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_depth_of_a_network_that_is_not_finite_is_refused(corner, value):
    class Broken(torch.nn.Module):
        def forward(self, image, return_maps):
            depth = torch.zeros(len(image), 1, *image.shape[2:])
            depth[(..., *corner)] = value
            return DepthMaps(*[depth] * 8)

    predictor = DepthPredictor(Broken(), PUBLISHED, 'cpu')
    with pytest.raises(ValueError, match='not finite.*float32 or other weights'):
        predictor.predict([np.zeros((HEIGHT * 4, WIDTH * 4, 3), np.uint8)])
