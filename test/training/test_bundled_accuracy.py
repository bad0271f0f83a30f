"""The bundled weights on rendered scenes with exact depth: their errors stay within a band."""

import numpy as np
import pytest
import torch

from s2r_depth_ros import DepthPredictor
from s2r_depth_training.data import VKitti
from s2r_depth_training.evaluation.evaluate import evaluate
from s2r_depth_training.stages.ground import ground_of
from s2r_scenes import render_scenes

SCENES = 3
SEED = 77  # not one that the weights were trained on


@pytest.mark.parametrize(
    ('weights', 'kind', 'size_px', 'protocol', 'band'),
    [
        ('outdoor', 'driving', (416, 128), 'kitti', (0.06, 0.22)),
        ('indoor', 'indoor', (192, 144), 'nyu', (0.07, 0.30)),
    ],
)
def test_the_error_on_rendered_scenes_stays_in_its_band(
    tmp_path, weights, kind, size_px, protocol, band
):
    render_scenes(
        tmp_path / 'scenes',
        kind,
        SCENES,
        frames_per_scene=1,
        width_px=size_px[0],
        height_px=size_px[1],
        seed=SEED,
        workers=1,
        variation_per_scene='one',
        backend='embree',
        supersample=1,
    )
    results = evaluate(
        weights, 'vkitti', tmp_path / 'scenes', tmp_path / 'results', protocol, pictures=0
    )
    network, by_row = (
        next(method['mean'] for method in results['methods'] if method['name'] == name)
        for name in ('network', 'depth by row')
    )
    assert network['frames'] == SCENES
    # An error below the band would mean that it is no longer these scenes that are measured.
    for scaling in ('median_scaled', 'unscaled'):
        assert band[0] < network[scaling]['abs_rel'] < band[1], scaling
        assert network[scaling]['abs_rel'] < by_row[scaling]['abs_rel']
    judgement_is_better_than_chance(weights, VKitti(tmp_path / 'scenes'))


def judgement_is_better_than_chance(weights, frames):
    """The trusted half of the pixels is more accurate, and ground is found where it is."""
    predictor = DepthPredictor(weights, device='cpu')
    trusted, doubtful, shared, either = [], [], 0, 0
    for frame in frames:
        (found,) = predictor.run([frame.image], [frame.intrinsics], judged=True)
        counts = np.isfinite(frame.depth_m) & (
            found.depth_m < predictor.far_m(frame.image.shape[:2])
        )
        ratio = np.log(found.depth_m[counts] / frame.depth_m[counts])
        error, expected = np.abs(ratio - np.median(ratio)), found.log_error[counts]
        trusted.append(error[expected < np.median(expected)].mean())
        doubtful.append(error[expected >= np.median(expected)].mean())
        valid = torch.from_numpy(np.isfinite(frame.depth_m))[None, None]
        depth = torch.from_numpy(np.where(valid[0, 0], frame.depth_m, 0) / 1000 * 2 - 1).float()
        ground = ground_of(depth[None, None], valid)
        if ground.is_known.all():
            is_ground = ground.is_ground[0, 0].numpy()
            shared += np.sum(is_ground & (found.ground > 0.5))
            either += np.sum(is_ground | (found.ground > 0.5))
    assert np.mean(trusted) < 0.8 * np.mean(doubtful)
    assert shared > 0.5 * either > 0
