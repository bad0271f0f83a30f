"""Network output and metres."""

import math

import numpy as np
import pytest
import torch

from s2r_depth_ros.engine import depth_range

KINDS = [np.asarray, torch.tensor]


@pytest.mark.parametrize('make', KINDS)
def test_metres_by_hand(make):
    depth = make([-1.0, 0.0, 0.5, 1.0])
    assert depth_range.to_metres(depth, 80.0).tolist() == [0.0, 40.0, 60.0, 80.0]


@pytest.mark.parametrize('make', KINDS)
def test_network_output_by_hand_with_sky_at_the_top(make):
    depth_m = make([0.0, 2.0, 8.0, 100.0, float('inf')])
    assert depth_range.from_metres(depth_m, 8.0).tolist() == [-1.0, -0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize('make', KINDS)
def test_what_was_not_measured_stays_so(make):
    assert math.isnan(depth_range.from_metres(make([math.nan]), 8.0)[0])


def test_there_and_back():
    depth_m = np.linspace(0, 80, 33, dtype=np.float32)
    there = depth_range.from_metres(depth_m, 80.0)
    assert there.dtype == np.float32
    assert np.allclose(depth_range.to_metres(there, 80.0), depth_m, atol=1e-5)


@pytest.mark.parametrize('make', KINDS)
def test_limits_are_marked_as_rep_117_says(make):
    depth_m = make(np.array([0.05, 0.1, 5.0, 76.0, 76.1, np.nan], np.float32))
    marked = depth_range.mark_out_of_range(depth_m, 0.1, 76.0)
    expected = np.array([-np.inf, 0.1, 5.0, 76.0, np.inf, np.nan], np.float32)
    assert np.array_equal(np.asarray(marked), expected, equal_nan=True)
    assert marked.dtype == depth_m.dtype
    assert float(depth_m[0]) == pytest.approx(0.05)
