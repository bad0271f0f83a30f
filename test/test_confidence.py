"""The confidence by the expected error and by the mirrored image, by hand."""

import numpy as np
import pytest

from s2r_depth_ros.depth.confidence import confidence, confidence_of_error, mirrored


def test_an_expected_error_at_the_median_of_rendered_scenes_is_half():
    log_error = np.log(np.array([[0.08, 0.16, 0.48], [1e-30, 1e30, 1e38]], np.float32))
    trusted = confidence_of_error(log_error)
    assert trusted.dtype == np.float32
    assert trusted[0] == pytest.approx([2 / 3, 1 / 2, 1 / 4], rel=1e-5)
    assert trusted[1] == pytest.approx([1, 0, 0], abs=1e-5)
    assert np.isfinite(trusted).all()


def test_mirrored_exchanges_left_and_right():
    assert mirrored(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [[3, 2, 1], [6, 5, 4]]
    image = mirrored(np.zeros((4, 6, 3), np.uint8))
    assert image.shape == (4, 6, 3)
    assert image.flags.c_contiguous


@pytest.mark.parametrize('scale', [1.0, 1.3])
def test_the_same_depth_in_the_mirror_is_trusted_in_full_up_to_the_median(scale):
    depth_m = np.full((96, 160), 2.0, np.float32)
    depth_m[:, 120:] = 2.0 * np.e
    depth_m[:, :20] = 1.0
    trusted = confidence(depth_m, scale * mirrored(depth_m))
    assert trusted[:, :116] == pytest.approx(1.0, abs=1e-5)
    assert trusted[:, 124:] == pytest.approx(0.06 / (0.06 + 0.05), abs=1e-5)


def test_where_both_disagree_by_the_median_of_rendered_scenes_it_is_half():
    depth_m = np.full((400, 640), 5.0, np.float32)
    other_m = depth_m.copy()
    other_m[:, :200] *= np.exp(0.06)
    trusted = confidence(depth_m, mirrored(other_m))
    assert trusted.shape == depth_m.shape
    assert trusted.dtype == np.float32
    assert trusted[200, 60] == pytest.approx(0.5, abs=0.01)
    assert trusted[200, 500] == pytest.approx(1.0)
    assert np.all(np.diff(trusted[200, ::8]) > -1e-6)  # the region's border is smooth


@pytest.mark.parametrize('size_px', [(1, 1), (3, 5), (7, 640), (1, 200_000), (20_000, 1)])
def test_images_of_any_size_have_a_confidence_in_its_range(size_px):
    depth_m = np.zeros(size_px, np.float32)
    trusted = confidence(depth_m, depth_m + 1)
    assert trusted.shape == size_px
    assert np.all((trusted > 0) & (trusted <= 1))
