"""Ghosts and sparsification by hand, and their figures in an evaluation of files."""

import json

import numpy as np
import pytest
from test_evaluate import run, slope, weight_file, write_frame  # noqa: F401

from s2r_depth_training.evaluation.clean import ghosts, SHARES, sparsification, surfaces


def box_before_a_wall():
    truth_m = np.full((20, 30), 4.0, np.float32)
    truth_m[:, :10] = 2.0
    return truth_m


def test_two_surfaces_are_found_two_pixels_to_each_side():
    near_m, far_m = surfaces(box_before_a_wall())
    assert np.isfinite(near_m).any(axis=0).nonzero()[0].tolist() == [8, 9, 10, 11]
    assert set(near_m[:, 8:12].ravel()) == {2.0}
    assert set(far_m[:, 8:12].ravel()) == {4.0}


def test_a_slope_is_one_surface_and_a_hole_is_none():
    slope_m = np.repeat(np.geomspace(2, 20, 30, dtype=np.float32)[None], 20, axis=0)
    assert slope_m[0, 4] > 1.25 * slope_m[0, 0]
    assert np.isnan(surfaces(slope_m).near_m).all()
    holes_m = box_before_a_wall()
    holes_m[:, 5:10] = np.nan
    assert np.isnan(surfaces(holes_m).near_m).all()


@pytest.mark.parametrize(
    ('depth_m', 'is_ghost'),
    [(2.1, False), (2.25, True), (3.5, True), (3.7, False), (1.0, False), (np.inf, False)],
)
def test_a_ghost_is_more_than_ten_percent_from_each_surface(depth_m, is_ghost):
    found = ghosts(np.full((20, 30), depth_m, np.float32), surfaces(box_before_a_wall()))
    assert found[5, 9] == is_ghost
    assert not found[:, :8].any()
    assert not found[:, 12:].any()


def test_sparsification_is_the_mean_error_of_the_most_trusted():
    error = np.arange(10, 0, -1) / 10
    assert sparsification(error, -error)[0] == pytest.approx(0.1)
    assert sparsification(error, -error)[4] == pytest.approx(0.3)
    assert sparsification(error, error)[4] == pytest.approx(0.8)
    assert sparsification(error, np.zeros(10))[-1] == pytest.approx(0.55)


def test_an_evaluation_counts_ghosts_and_trust(weight_file, tmp_path, capsys):  # noqa: F811
    depth_m = slope()
    depth_m[30:60, 40:80] = 3.0
    for number in range(2):
        write_frame(tmp_path / 'set', '0001', 'clone', number, depth_m, number)
    run(weight_file, tmp_path / 'set', tmp_path / 'out', edge_filter=1.0)
    clean = json.loads((tmp_path / 'out/results.json').read_text())['clean']
    assert clean['edge_filter'] == 1.0
    for kind in ('ghosts', 'ghosts_of_true_depth'):
        assert 0 <= clean[kind]['others_kept'] <= 1
    assert clean['ghosts_of_true_depth']['share'] == 0  # the images have the network's size
    curve = clean['sparsification']
    assert len(curve['abs_rel']) == len(curve['oracle_abs_rel']) == len(SHARES)
    assert curve['abs_rel'][-1] == pytest.approx(curve['oracle_abs_rel'][-1])
    assert curve['oracle_abs_rel'][4] <= curve['abs_rel'][4]
    assert 'Abs Rel of the half with most confidence' in capsys.readouterr().out
    with pytest.raises(ValueError, match='edge_filter must be at least 0, got -1'):
        run(weight_file, tmp_path / 'set', tmp_path / 'more', edge_filter=-1.0)
