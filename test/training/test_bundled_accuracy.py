"""The bundled weights on rendered scenes with exact depth: their errors stay within a band."""

import pytest

from s2r_depth_training.evaluation.evaluate import evaluate
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
