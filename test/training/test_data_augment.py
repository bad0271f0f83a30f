"""Augmentation: what moves together, what is masked, and colours worked out by hand."""
import io

import cv2
import numpy as np
from PIL import Image
import pytest

from s2r_depth_training.data.augment import (
    add_margin,
    add_shadow,
    adjust_color,
    adjust_gamma,
    augment,
    Augmentation,
    canonical_depth,
    compress,
    crop,
    filter_at_random,
    fit,
    flip,
    jitter,
    random_part,
    resize,
    resize_depth,
    rotate,
)
from s2r_depth_training.data.sample import camera_matrix, Sample

NAN, INF = np.nan, np.inf
STRONG = Augmentation(
    crop_scale=(0.5, 1.0), max_hue_deg=20, max_channel_gain=0.1, gamma=(0.7, 1.4),
    shadow_probability=0.5, max_blur_px=1.0, max_noise=8, jpeg_quality=(40, 90))


def make_sample(height=4, width=6, depth_m=None):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    depth_m = np.arange(height * width).reshape(height, width) + 1 if depth_m is None else depth_m
    return Sample(
        image, np.asarray(depth_m, np.float32), camera_matrix(10, 10, 2, 1), 'name.png')


def scene(height=96, width=320):
    """A smooth scene whose depth is a function of the colours: they must stay aligned."""
    x = np.linspace(0, 200, width)[None, :].repeat(height, 0)
    image = np.dstack((x, x, x)).astype(np.uint8)
    return Sample(
        image, x.astype(np.float32) + 5, camera_matrix(100, 100, 159.5, 47.5), 'scene.png')


def pixel_of(sample, point):
    """Project a point of camera coordinates."""
    projected = sample.intrinsics @ np.asarray(point, np.float32)
    return projected[:2] / projected[2]


# ---- Crop and resize


def test_crop_moves_the_centre_of_the_intrinsics():
    cut = crop(make_sample(), np.s_[1:3, 2:5])
    assert cut.depth_m.tolist() == [[9, 10, 11], [15, 16, 17]]
    assert cut.image.shape == (2, 3, 3)
    np.testing.assert_array_equal(cut.intrinsics, camera_matrix(10, 10, 0, 0))


def test_resize_scales_the_intrinsics_about_the_corner_of_the_first_pixel():
    # cx = 2 lies 2.5 pixels from the left edge: 1.25 after halving, so cx' = 0.75.
    small = resize(make_sample(), (2, 3))
    np.testing.assert_allclose(small.intrinsics, camera_matrix(5, 5, 0.75, 0.25))


def test_resized_images_are_averaged():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 1] = 100
    small = resize(Sample(image, np.ones((2, 4), np.float32), np.eye(3, dtype=np.float32), ''),
                   (1, 2))
    assert small.image[0, :, 0].tolist() == [50, 0]


def test_resized_depth_has_measured_values_only():
    depth_m = np.where(np.arange(100) < 33, 3.0, 70.0)[None].repeat(60, 0).astype(np.float32)
    for size_px in ((30, 50), (17, 31), (90, 133)):
        small = resize_depth(depth_m, size_px)
        assert small.shape == size_px
        assert set(np.unique(small)) == {3.0, 70.0}


def test_resized_depth_is_that_at_the_pixel_centre():
    depth_m = np.arange(9, dtype=np.float32).reshape(1, 9)
    assert resize_depth(depth_m, (1, 3)).tolist() == [[1, 4, 7]]


def test_sparse_points_survive_resizing_and_stay_in_their_area():
    depth_m = np.full((6, 6), NAN, np.float32)
    depth_m[0, 0], depth_m[2, 5], depth_m[5, 3], depth_m[4, 5] = 1, 2, 3, INF
    np.testing.assert_array_equal(
        resize_depth(depth_m, (2, 2)), np.float32([[1, 2], [NAN, INF]]))


def test_where_several_points_share_an_area_the_one_nearest_its_centre_counts():
    depth_m = np.full((3, 3), NAN, np.float32)
    depth_m[0, 0], depth_m[1, 2] = 1, 2
    assert resize_depth(depth_m, (1, 1)).tolist() == [[2]]


def test_a_point_is_still_seen_where_it_was_after_every_change():
    # A point in space keeps its direction under crop and resize; its pixel moves with the image.
    sample = scene()
    point = (0.5, 0.1, 1.0)
    u, v = pixel_of(sample, point)
    cut = crop(sample, np.s_[10:90, 100:300])
    np.testing.assert_allclose(pixel_of(cut, point), (u - 100, v - 10), atol=1e-4)
    small = resize(cut, (40, 100))
    np.testing.assert_allclose(
        pixel_of(small, point), ((u - 99.5) / 2 - 0.5, (v - 9.5) / 2 - 0.5), atol=1e-4)


def test_fit_takes_the_largest_central_part_in_the_right_shape():
    fitted = fit(scene(100, 320), (48, 96))  # 100 x 200 of it, columns 60 to 260
    assert fitted.image.shape == (48, 96, 3)
    np.testing.assert_allclose(
        fitted.intrinsics, camera_matrix(48, 48, (159.5 - 60 + 0.5) * 0.48 - 0.5, 22.54),
        rtol=1e-5)


def test_random_parts_have_the_shape_and_sizes_asked_for():
    rng = np.random.default_rng(0)
    parts = [random_part((375, 1242), (192, 640), (0.5, 1.0), rng) for _ in range(300)]
    widths = [columns.stop - columns.start for _, columns in parts]
    assert 621 <= min(widths) < 640
    assert 1220 < max(widths) <= 1242
    for rows, columns in parts:
        assert 0 <= rows.start < rows.stop <= 375
        assert 0 <= columns.start < columns.stop <= 1242
        assert (columns.stop - columns.start) / (rows.stop - rows.start) == pytest.approx(
            640 / 192, rel=0.01)


# ---- Flip and rotation


def test_flip_mirrors_image_depth_and_centre():
    mirrored = flip(make_sample())
    assert mirrored.depth_m[0].tolist() == [6, 5, 4, 3, 2, 1]
    assert mirrored.image[0, 0].tolist() == [15, 16, 17]
    np.testing.assert_array_equal(mirrored.intrinsics, camera_matrix(10, 10, 3, 1))


def test_flip_mirrors_where_a_point_is_seen():
    sample = make_sample()
    u, v = pixel_of(sample, (0.3, 0.2, 2))
    assert pixel_of(flip(sample), (-0.3, 0.2, 2)).tolist() == pytest.approx([5 - u, v])


def test_a_right_angle_rotates_counter_clockwise():
    sample = make_sample(3, 3, [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    turned = rotate(sample, 90)
    assert turned.depth_m.tolist() == [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    np.testing.assert_array_equal(turned.image, np.rot90(sample.image))


def test_rotation_masks_the_uncovered_border_and_mixes_no_depths():
    sample = make_sample(60, 100, np.where(np.arange(100) < 50, 3.0, 70.0)[None].repeat(60, 0))
    depth_m = rotate(sample, 5).depth_m
    assert set(np.unique(depth_m[~np.isnan(depth_m)])) == {3.0, 70.0}
    assert np.isnan(depth_m[0, 0])
    assert np.isnan(depth_m[-1, -1])
    assert not np.isnan(depth_m[10:50, 10:90]).any()
    # Each side loses a triangle: half of side^2 tan 5 / 4 twice per pair of sides.
    lost = np.isnan(depth_m).mean()
    assert lost == pytest.approx(
        np.tan(np.deg2rad(5)) * (100 ** 2 + 60 ** 2) / 4 / (60 * 100), rel=0.15)


def test_rotation_keeps_far_far():
    depth_m = np.full((20, 20), INF)
    turned = rotate(make_sample(20, 20, depth_m), 4).depth_m
    assert np.isinf(turned[3:17, 3:17]).all()


def test_a_rolled_camera_sees_a_point_where_the_rotated_image_shows_it():
    sample = scene()._replace(intrinsics=camera_matrix(100, 100, 150, 40))
    angle = np.deg2rad(5)
    roll = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0],
                     [0, 0, 1]])
    point = np.array([0.4, 0.2, 1.0])
    u, v = pixel_of(sample, point) - (159.5, 47.5)
    expected = (roll[:2, :2] @ (u, v)) + (159.5, 47.5)
    np.testing.assert_allclose(pixel_of(rotate(sample, 5), roll @ point), expected, atol=1e-3)


# ---- Colours


def test_published_color_changes_by_hand():
    image = np.uint8([[[100, 50, 200], [0, 0, 0]]])
    # Brightness 0.8 alone: 80, 40, 160.
    assert adjust_color(image, 0.8, 1, 1)[0, 0].tolist() == [80, 40, 160]
    # Contrast 0.8: 80, 40, 160 + 0.2 * mean grey; greys 0.299 * 100 + 0.587 * 50 + 0.114 * 200
    # = 82.05 and 0, so + 8.2.
    assert adjust_color(image, 1, 0.8, 1)[0].tolist() == [[88, 48, 168], [8, 8, 8]]
    # Saturation 0.8: 80, 40, 160 + 0.2 * 82.05.
    assert adjust_color(image, 1, 1, 0.8)[0].tolist() == [[96, 56, 176], [0, 0, 0]]


def test_color_changes_follow_one_another():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (8, 8, 3), np.uint8)
    steps = adjust_color(adjust_color(adjust_color(image, 0.9, 1, 1), 1, 0.85, 1), 1, 1, 0.8)
    np.testing.assert_allclose(
        adjust_color(image, 0.9, 0.85, 0.8).astype(int), steps.astype(int), atol=2)


def test_a_third_of_a_turn_of_hue_makes_red_green_and_leaves_grey():
    image = np.uint8([[[90, 0, 0], [70, 70, 70]]])
    assert adjust_color(image, 1, 1, 1, hue_deg=120)[0].tolist() == [[0, 90, 0], [70, 70, 70]]


def test_channel_gain_and_gamma_by_hand():
    image = np.uint8([[[100, 100, 100]]])
    assert adjust_color(image, 1, 1, 1, 0, np.array([1.1, 1, 0.9]))[0, 0].tolist() == [
        110, 100, 90]
    assert adjust_gamma(image, 2)[0, 0].tolist() == [39, 39, 39]  # 255 * (100 / 255)^2 = 39.2


def test_a_shadow_darkens_a_part_and_leaves_the_rest():
    image = np.full((60, 100, 3), 200, np.uint8)
    shaded = add_shadow(image, np.random.default_rng(0))
    assert (shaded == 200).any()
    assert shaded.max() == 200
    assert 75 < shaded.min() < 165  # the darkest part keeps 0.4 to 0.8


def test_jpeg_of_top_quality_changes_little_and_of_low_quality_more():
    image = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 2)
    errors = [
        np.abs(compress(image, quality).astype(int) - image).mean() for quality in (100, 20)]
    assert errors[0] < 2 < errors[1]


def test_compression_does_not_take_red_for_blue():
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :32, 0] = 255  # red beside blue
    image[:, 32:, 2] = 255
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'JPEG', quality=5)
    expected = np.asarray(Image.open(file)).astype(int)
    assert np.abs(compress(image, 5) - expected).max() <= 2
    swapped = compress(image[..., ::-1].copy(), 5)[..., ::-1]
    assert np.abs(swapped - expected).max() > 2  # or the test could not tell


def test_strong_jitter_keeps_shape_and_type():
    image = scene().image
    for seed in range(10):
        changed = jitter(image, STRONG, np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8


# ---- All together


@pytest.mark.parametrize('augmentation', [Augmentation(), STRONG])
def test_the_same_generator_state_gives_the_same_sample(augmentation):
    for seed in range(5):
        first, second = (
            augment(scene(), (64, 160), augmentation, np.random.default_rng(seed))
            for _ in range(2))
        for a, b in zip(first, second):
            np.testing.assert_array_equal(a, b)
    other = augment(scene(), (64, 160), augmentation, np.random.default_rng(99))
    assert not np.array_equal(first.depth_m, other.depth_m)


def test_depth_stays_on_its_pixels_and_its_ray():
    # In the scene red is depth - 5 and depends on the column alone; colours are left as they are.
    augmentation = Augmentation(color_probability=0, crop_scale=(0.6, 1.0))
    for seed in range(20):
        sample = augment(scene(), (64, 160), augmentation, np.random.default_rng(seed))
        valid = ~np.isnan(sample.depth_m)
        assert valid.mean() > 0.9
        error = np.abs(sample.image[..., 0][valid] - (sample.depth_m[valid] - 5))
        assert error.max() < 3


def test_the_published_settings_change_what_they_should_as_often_as_they_should():
    rng = np.random.default_rng(0)
    flips = rotations = colors = 0
    source = scene(64, 160)
    for _ in range(300):
        sample = augment(source, (64, 160), Augmentation(), rng)
        valid = ~np.isnan(sample.depth_m)
        middle = sample.depth_m[32, 40], sample.depth_m[32, 120]
        flips += middle[0] > middle[1]
        rotations += not valid.all() or len(np.unique(sample.depth_m[:, 80])) > 1
        colors += sample.image.max() < 199
    assert 120 < flips < 180
    assert 120 < rotations < 180
    assert 120 < colors < 180


def test_no_probabilities_change_nothing():
    nothing = Augmentation(flip_probability=0, rotation_probability=0, color_probability=0)
    sample = augment(scene(64, 160), (64, 160), nothing, np.random.default_rng(0))
    np.testing.assert_array_equal(sample.image, scene(64, 160).image)
    np.testing.assert_array_equal(sample.intrinsics, scene(64, 160).intrinsics)


def test_canonical_depth_by_hand():
    # Twice the training focal length: what is seen 10 m away would look so at 5 m.
    sample = make_sample(depth_m=np.full((4, 6), 10.0))
    np.testing.assert_array_equal(canonical_depth(sample, 5.0), np.full((4, 6), 5.0))
    assert canonical_depth(sample, 5.0).dtype == np.float32


def test_a_margin_is_plain_and_leaves_the_inside_and_the_depth_alone():
    image = np.full((100, 200, 3), 90, np.uint8)
    image[::2] = 160  # no grey of a margin: those are black, white or one drawn number
    framed = [add_margin(image, np.random.default_rng(seed)) for seed in range(20)]
    for one in framed:
        painted = (one != image).any(-1)
        assert not painted[5:95, 10:190].any()  # a twentieth of height and width at most
        assert len(np.unique(one[painted])) <= 1
    greys = {int(one[0, 0, 0]) for one in framed if (one[0] == one[0, 0]).all()}
    assert {0, 255} <= greys
    sample = scene()
    margin_alone = Augmentation(
        flip_probability=0, rotation_probability=0, color_probability=0, margin_probability=1)
    with_margin = augment(sample, (96, 320), margin_alone, np.random.default_rng(0))
    np.testing.assert_array_equal(with_margin.depth_m, sample.depth_m)
    assert (with_margin.image != sample.image).any()


def test_a_random_filter_changes_tones_up_to_a_negative_and_leaves_outlines_where_they_are():
    image = np.full((40, 60, 3), 60, np.uint8)
    image[:, 30:] = 180
    darker_on_the_right = 0
    for seed in range(200):
        filtered = filter_at_random(image, np.random.default_rng(seed))
        assert (filtered.shape, filtered.dtype) == (image.shape, image.dtype)
        left, right = filtered[:, :27], filtered[:, 33:]  # filters reach over 3 pixels
        assert (left == left[0, 0]).all()
        assert (right == right[0, 0]).all()
        darker_on_the_right += left.mean() > right.mean()
    assert 15 < darker_on_the_right < 60  # some are negatives; what stays of the image hides more
    plain = np.full((20, 20, 3), 90, np.uint8)
    np.testing.assert_array_equal(filter_at_random(plain, np.random.default_rng(0)), plain)


def test_a_random_filter_touches_neither_depth_nor_the_images_it_is_not_drawn_for():
    sample, quiet = scene(), {
        'flip_probability': 0, 'rotation_probability': 0, 'color_probability': 1,
        'brightness': (1, 1), 'contrast': (1, 1), 'saturation': (1, 1)}
    rng, changed = np.random.default_rng(0), 0
    for _ in range(100):
        filtered = augment(sample, (96, 320), Augmentation(**quiet, filter_probability=0.3), rng)
        np.testing.assert_array_equal(filtered.depth_m, sample.depth_m)
        changed += (filtered.image != sample.image).any()
    assert 15 < changed < 45


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'filter_probability': 2}, 'filter_probability must be at most 1, got 2'),
    ({'flip_probability': 1.5}, 'flip_probability must be at most 1, got 1.5'),
    ({'contrast': (1.0, 0.8)}, 'contrast must be a range .* got 1.0, 0.8'),
    ({'gamma': (0, 1)}, 'gamma must be a range'),
    ({'crop_scale': (0.5, 1.5)}, 'crop_scale must be at most 1, got 1.5')])
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**wrong)
