"""Every step of the evaluation protocols against an example worked out by hand."""

from math import log, sqrt

import numpy as np
import pytest

from s2r_depth_training.evaluation.boundaries import boundary_errors, depth_edges
from s2r_depth_training.evaluation.methods import depth_by_row, row_profile
from s2r_depth_training.evaluation.metrics import (
    depth_errors,
    errors_by_distance,
    median_ratio,
    style_change,
    tilted_to_truth,
)
from s2r_depth_training.evaluation.protocols import (
    fit_to_truth,
    interpolate_depth,
    NotMeasurableError,
    Protocol,
    PROTOCOLS,
)

WHOLE = Protocol('whole', 1e-3, 80.0, None, (0, 10, 80))


def image(*rows):
    return np.array(rows, np.float32)


def test_the_garg_crop_of_a_kitti_image_is_cut_to_whole_pixels():
    # 0.40810811 * 375 = 153.04, 0.99189189 * 375 = 371.96; 0.03594771 * 1242 = 44.65,
    # 0.96405229 * 1242 = 1197.35; the fractions of a pixel are dropped, ends are exclusive.
    mask = PROTOCOLS['kitti'].valid_mask(np.full((375, 1242), 10.0, np.float32))
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max()) == (153, 370)
    assert (columns.min(), columns.max()) == (44, 1196)
    assert mask.sum() == (371 - 153) * (1197 - 44)


def test_the_crop_follows_the_size_of_each_image():
    rows, columns = np.nonzero(
        PROTOCOLS['kitti'].valid_mask(np.full((370, 1224), 10.0, np.float32))
    )
    assert (rows.min(), rows.max()) == (151, 365)  # 151.0000007 and 366.9999993
    assert (columns.min(), columns.max()) == (43, 1179)  # 43.999997 and 1180.000003


def test_nyu_has_no_crop():
    assert PROTOCOLS['nyu'].valid_mask(np.full((480, 640), 3.0, np.float32)).all()


@pytest.mark.parametrize(('name', 'far'), [('kitti', 80), ('kitti-50m', 50), ('nyu', 8)])
def test_both_ends_of_the_range_are_open(name, far):
    truth = np.full((100, 100), np.nan, np.float32)
    truth[60, 10:17] = [0, 1e-3, 2e-3, far - 0.1, far, np.inf, np.nan]
    assert np.flatnonzero(PROTOCOLS[name].valid_mask(truth)[60]).tolist() == [12, 13]


def test_resizing_aligns_the_corners():
    # Aligned corners: 3 columns lie at 0, 0.5 and 1 between the two given.
    np.testing.assert_allclose(
        interpolate_depth(image([2, 4], [6, 8]), (3, 3)), [[2, 3, 4], [4, 5, 6], [6, 7, 8]]
    )


def test_a_prediction_is_resized_before_it_is_clamped():
    # 60 and 140 resize to 60, 100, 140 and clamp to 60, 80, 80; the other order would give
    # 60, 70, 80.
    assert fit_to_truth(image([60, 140]), (1, 3), WHOLE).tolist() == [[60, 80, 80]]


def test_a_prediction_is_raised_to_the_nearest_depth():
    assert fit_to_truth(image([0, -5, 1]), (1, 3), WHOLE) == pytest.approx(image([1e-3, 1e-3, 1]))


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert median_ratio(np.array([1.0, 2.0, 4.0, 9.0]), np.array([4.0, 5.0, 7.0, 100.0])) == 2


def test_the_seven_errors():
    # p = 1, 3, 4, 8 against t = 1, 2, 5, 2: ratios 1, 1.5, 1.25 (not below 1.25), 4.
    errors = depth_errors(np.array([1.0, 3.0, 4.0, 8.0]), np.array([1.0, 2.0, 5.0, 2.0]))
    assert errors.abs_rel == pytest.approx((0 + 1 / 2 + 1 / 5 + 6 / 2) / 4)
    assert errors.sq_rel_m == pytest.approx((0 + 1 / 2 + 1 / 5 + 36 / 2) / 4)
    assert errors.rmse_m == pytest.approx(sqrt((0 + 1 + 1 + 36) / 4))
    assert errors.rmse_log == pytest.approx(
        sqrt((0 + log(1.5) ** 2 + log(1.25) ** 2 + log(4) ** 2) / 4)
    )
    assert (errors.delta_1, errors.delta_2, errors.delta_3) == (0.25, 0.75, 0.75)


def test_a_tilt_is_taken_out_and_a_bump_is_not():
    y, x = np.mgrid[:60, :80]
    truth = np.exp(1 + 0.5 * x / 80 - 1.5 * y / 60).astype(np.float32)
    mask = np.ones(truth.shape, bool)
    mask[:, :30] = False  # what does not count may be anything
    flat = np.where(mask, 2, 9).astype(np.float32)
    assert tilted_to_truth(flat, truth, mask) == pytest.approx(truth[mask], rel=1e-5)

    bump = np.where((y - 30) ** 2 + (x - 55) ** 2 < 100, 0.5, 1).astype(np.float32)
    left = np.abs(tilted_to_truth(flat, truth * bump, mask) / (truth * bump)[mask] - 1)
    assert left[bump[mask] < 1].mean() > 0.5
    assert left[bump[mask] == 1].mean() < 0.2


def test_one_pixel_that_counts_can_be_tilted():
    mask = np.zeros((4, 4), bool)
    mask[2, 1] = True
    assert tilted_to_truth(np.ones((4, 4)), np.full((4, 4), 3.0), mask) == pytest.approx([3.0])


def test_the_thresholds_are_exclusive():
    errors = depth_errors(np.array([1.25, 1.5625, 1.953125]), np.ones(3))
    assert (errors.delta_1, errors.delta_2, errors.delta_3) == pytest.approx((0, 1 / 3, 2 / 3))


def test_distance_bins_belong_to_the_truth_and_may_be_empty():
    near, middle, far = errors_by_distance(
        np.array([6.0, 12.0, 44.0]), np.array([5.0, 10.0, 40.0]), (0, 10, 20, 30)
    )
    assert near.abs_rel == pytest.approx(0.2)
    assert middle.abs_rel == pytest.approx(0.2)  # a true 10 m is in the bin that starts there
    assert far is None  # 40 m is in none


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_is_reported(bad):
    with pytest.raises(NotMeasurableError, match='1 of 3 predicted depths are NaN or infinite'):
        fit_to_truth(image([1, 2, bad]), (1, 3), WHOLE)


def test_an_image_without_countable_truth_is_reported():
    with pytest.raises(NotMeasurableError, match=r'between 0.001 and 8 m .* protocol nyu'):
        PROTOCOLS['nyu'].valid_mask(image([np.nan, 9]))


def test_an_edge_is_a_relative_jump_within_one_pixel():
    # 4 to 5 is 1.25 exactly, no edge; 5 to 7 is 1.4: both sides of the jump are marked.
    edges = depth_edges(np.repeat(image([4, 5, 7, 7, 7]), 4, axis=0), 1.25)
    assert edges.tolist() == [[False, True, True, False, False]] * 4


def step(column, height=12, width=40, near=5.0, far=20.0):
    depth = np.full((height, width), far, np.float32)
    depth[:, :column] = near
    return depth


def test_the_right_boundary_has_no_error_at_any_scale():
    assert boundary_errors(3 * step(20), step(20), WHOLE) == (0.0, 1.0)


def test_a_boundary_that_is_shifted_by_three_pixels():
    # Edge columns are 19, 20 in truth and 22, 23 in the prediction: distances 2 and 3 both ways,
    # mean 2.5; half of each lie within 2 px.
    assert boundary_errors(step(23), step(20), WHOLE) == pytest.approx((2.5, 0.5))


def test_a_prediction_without_boundaries_gets_the_worst():
    assert boundary_errors(np.full((12, 40), 5, np.float32), step(20), WHOLE) == (10.0, 0.0)


def test_a_far_false_boundary_counts_as_the_farthest_distance():
    # Predicted edges at 19, 20 (right) and 34, 35 (10 px: 14 and 15 are cut): mean 5 and 0.
    prediction = step(20)
    prediction[:, 35:] = 80
    errors = boundary_errors(prediction, step(20), WHOLE)
    assert errors.distance_px == pytest.approx(2.5)
    assert errors.f_score == pytest.approx(2 * 0.5 * 1 / (0.5 + 1))


def test_the_sky_has_a_boundary():
    truth = step(20)
    truth[:, 20:] = np.inf
    assert boundary_errors(step(20, far=80), truth, WHOLE) == (0.0, 1.0)


def test_boundaries_of_what_was_not_measured_do_not_count():
    # The true jump lies at the border of a hole; only the jump elsewhere is compared.
    truth = step(20)
    truth[:, 30:] = np.nan
    prediction = step(20)
    prediction[:, 31:] = 60
    assert boundary_errors(prediction, truth, WHOLE) == (0.0, 1.0)


def test_boundaries_need_dense_truth_with_an_edge():
    sparse = step(20)
    sparse[:7] = np.nan
    assert boundary_errors(step(20), sparse, WHOLE) is None
    assert boundary_errors(step(20), np.full((12, 40), 5, np.float32), WHOLE) is None


def test_style_change_is_the_mean_over_pixels_and_pairs():
    # Pixel one: 1, 1, 3 -> pairs 0, 2 / 2, 2 / 2. Pixel two: 2, 2, 2 -> 0. Pixel three is masked.
    depths = [image([1, 2, 9]), image([1, 2, 1]), image([3, 2, 5])]
    mask = np.array([[True, True, False]])
    assert style_change(depths, mask) == pytest.approx((0 + 0.5 + 0.5) / 3)


def test_a_row_profile_is_the_median_of_each_band():
    truth = image([np.nan, np.nan], [np.nan, 90], [1, 3], [8, np.nan])
    np.testing.assert_array_equal(row_profile(truth, WHOLE, rows=4), [np.nan, np.nan, 2, 8])
    np.testing.assert_array_equal(row_profile(truth, WHOLE, rows=2), [np.nan, 3])


def test_depth_by_row_is_the_median_over_images_between_band_centres():
    # Medians 4 and 8 at relative heights 1/4 and 3/4; four rows lie at 1/8, 3/8, 5/8, 7/8.
    profiles = np.array([[2, 8], [4, np.nan], [5, 8]], float)
    np.testing.assert_allclose(depth_by_row(profiles, (4, 2)), [[4, 4], [5, 5], [7, 7], [8, 8]])


def test_bands_that_nobody_measured_take_the_nearest_known():
    profiles = np.array([[np.nan, 5, np.nan, 9]], float)
    np.testing.assert_allclose(depth_by_row(profiles, (4, 1))[:, 0], [5, 5, 7, 9])
