"""Augmentation: geometry and depth stay together, and changes of colour worked out by hand."""

import io
import math

import cv2
import numpy as np
from PIL import Image
import pytest
import torch

from s2r_depth_training.data.augment import (
    add_margin,
    add_noise,
    add_shadow,
    adjust_gamma,
    augment,
    Augmentation,
    AugmentParams,
    batch_of_one,
    canonical_depth,
    center_crop,
    change_colors,
    color_jitter,
    Crop,
    draw_params,
    gaussian_blur,
    gaussian_kernels,
    hflip,
    hue_rotation,
    image_rng,
    jpeg,
    random_crop,
    random_filter,
    resize_depth,
    resize_image,
    resized_crop,
    rotate,
    SampleBatch,
    saturation_matrix,
)
from s2r_depth_training.data.sample import camera_matrix, Sample

NAN, INF = np.nan, np.inf
HEIGHT, WIDTH = 64, 96
STRONG = Augmentation(
    color_probability=0.9,
    brightness=(0.6, 1.4),
    contrast=(0.6, 1.4),
    saturation=(0.3, 1.4),
    crop_scale=(0.5, 1.0),
    max_hue_deg=25,
    max_channel_gain=0.15,
    gamma=(0.7, 1.4),
    shadow_probability=0.5,
    max_blur_px=1.0,
    max_noise=8,
    jpeg_quality=(40, 90),
    margin_probability=0.5,
    filter_probability=0.5,
)
NOTHING = Augmentation(flip_probability=0, rotation_probability=0, color_probability=0)


def make_batch(height=4, width=6, depth_m=None):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    depth_m = np.arange(height * width).reshape(height, width) + 1 if depth_m is None else depth_m
    return batch_of_one(
        Sample(image, np.asarray(depth_m, np.float32), camera_matrix(10, 10, 2, 1), 'name.png')
    )


def scene(height=96, width=320):
    """A smooth scene whose depth is a function of the colours: they must stay aligned."""
    x = np.linspace(0, 200, width)[None, :].repeat(height, 0)
    image = np.dstack((x, x, x)).astype(np.uint8)
    return batch_of_one(
        Sample(image, x.astype(np.float32) + 5, camera_matrix(100, 100, 159.5, 47.5), 'scene.png')
    )


def picture(seed=0):
    """Something smooth with edges in it, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 220, (8, 12, 3), np.uint8)
    image = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    image[20:40, 30:50] = rng.integers(0, 256, 3)
    return image


def images_of(*images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float()


def array_of(images):
    """Return a batch of one image as cv2 has it."""
    (image,) = images
    return image.permute(1, 2, 0).numpy()


def pixel_of(samples, point):
    """Project a point of camera coordinates."""
    projected = samples.intrinsics[0].numpy() @ np.asarray(point, np.float32)
    return projected[:2] / projected[2]


def as_float(samples):
    return samples._replace(image=samples.image.float())


def drawn(augmentation, count=1, source_px=(HEIGHT, WIDTH), size_px=(HEIGHT, WIDTH), epoch=0):
    rngs = [image_rng(0, epoch, index) for index in range(count)]
    return draw_params(augmentation, source_px, size_px, rngs)


def augmented(samples, size_px, augmentation, epoch=0):
    source_px = tuple(samples.image.shape[2:])
    return augment(
        samples, size_px, drawn(augmentation, len(samples.image), source_px, size_px, epoch)
    )


def stacked(*batches):
    return SampleBatch(*(torch.cat(part) for part in zip(*batches)))


def resized(depth_m, size_px):
    depth_m = torch.from_numpy(np.asarray(depth_m, np.float32))[None, None]
    whole = torch.tensor([[0.0, 0, *depth_m.shape[2:]]])
    return resize_depth(depth_m, whole, size_px)[0, 0].numpy()


# ---- Crop and resize


def test_crop_moves_the_centre_of_the_intrinsics():
    cut = resized_crop(make_batch(), [Crop(1, 2, 2, 3)], (2, 3))
    assert cut.depth_m[0, 0].tolist() == [[9, 10, 11], [15, 16, 17]]
    assert cut.image.shape == (1, 3, 2, 3)
    np.testing.assert_array_equal(cut.intrinsics[0], camera_matrix(10, 10, 0, 0))


def test_resize_scales_the_intrinsics_about_the_corner_of_the_first_pixel():
    # cx = 2 lies 2.5 pixels from the left edge: 1.25 after halving, so cx' = 0.75.
    small = resized_crop(make_batch(), [Crop(0, 0, 4, 6)], (2, 3))
    np.testing.assert_allclose(small.intrinsics[0], camera_matrix(5, 5, 0.75, 0.25))


def test_images_are_resized_as_the_predictor_does():
    # Halved, the triangle weighs the pixels 0.5 and 1.5 from the centre by 3/8 and 1/8.
    row = np.repeat(np.uint8([[0, 0, 0, 80, 0, 0, 0, 0]]), 2, 0)
    image = torch.from_numpy(row)[None].repeat(3, 1, 1)
    small = resize_image(image, Crop(0, 0, 2, 8), (1, 4))
    assert small[0, 0].tolist() == [0, 30, 10, 0]
    grown = resize_image(image, Crop(0, 2, 2, 2), (2, 4))
    assert grown[0, 0].tolist() == [0, 20, 60, 80]


@pytest.mark.parametrize('size_px', [(40, 70), (64, 96), (128, 150)])
def test_images_are_resized_alike_in_bytes_and_in_floats(size_px):
    image = images_of(picture())[0]
    crop = Crop(5, 3, 50, 80)
    bytes_first = resize_image(image.byte(), crop, size_px).float()
    assert (bytes_first - resize_image(image, crop, size_px)).abs().max() <= 1.01


@pytest.mark.parametrize('times', [2, 3])
def test_resize_averages_grain(times):
    grain = np.random.default_rng(0).integers(0, 256, (HEIGHT * times, WIDTH * times, 3), np.uint8)
    whole = Crop(0, 0, HEIGHT * times, WIDTH * times)
    small = resize_image(images_of(grain)[0], whole, (HEIGHT, WIDTH))
    assert small.std() < grain.std() / times


def test_resized_depth_has_measured_values_only():
    depth_m = np.where(np.arange(100) < 33, 3.0, 70.0)[None].repeat(60, 0)
    for size_px in ((30, 50), (17, 31), (90, 133)):
        small = resized(depth_m, size_px)
        assert small.shape == size_px
        assert set(np.unique(small)) == {3.0, 70.0}


def test_resized_depth_is_that_at_the_pixel_centre():
    assert resized(np.arange(9).reshape(1, 9), (1, 3)).tolist() == [[1, 4, 7]]


def test_sparse_points_survive_resizing_and_stay_in_their_area():
    depth_m = np.full((6, 6), NAN)
    depth_m[0, 0], depth_m[2, 5], depth_m[5, 3], depth_m[4, 5] = 1, 2, 3, INF
    np.testing.assert_array_equal(resized(depth_m, (2, 2)), np.float32([[1, 2], [NAN, INF]]))


def test_where_several_points_share_an_area_the_one_nearest_its_centre_counts():
    depth_m = np.full((3, 3), NAN)
    depth_m[0, 0], depth_m[1, 2] = 1, 2
    assert resized(depth_m, (1, 1)).tolist() == [[2]]


def test_a_point_is_still_seen_where_it_was_after_every_change():
    # A point in space keeps its direction under crop and resize; its pixel moves with the image.
    samples = scene()
    point = (0.5, 0.1, 1.0)
    u, v = pixel_of(samples, point)
    cut = resized_crop(samples, [Crop(10, 100, 80, 200)], (80, 200))
    np.testing.assert_allclose(pixel_of(cut, point), (u - 100, v - 10), atol=1e-4)
    small = resized_crop(samples, [Crop(10, 100, 80, 200)], (40, 100))
    np.testing.assert_allclose(
        pixel_of(small, point), ((u - 99.5) / 2 - 0.5, (v - 9.5) / 2 - 0.5), atol=1e-4
    )


def test_the_central_crop_is_the_largest_in_the_right_shape():
    crop = center_crop((100, 320), (48, 96))
    assert crop == Crop(0, 60, 100, 200)
    fitted = resized_crop(scene(100, 320), [crop], (48, 96))
    assert fitted.image.shape == (1, 3, 48, 96)
    np.testing.assert_allclose(
        fitted.intrinsics[0],
        camera_matrix(48, 48, (159.5 - 60 + 0.5) * 0.48 - 0.5, 22.54),
        rtol=1e-5,
    )


def test_random_crops_have_the_shape_and_sizes_asked_for():
    rng = np.random.default_rng(0)
    crops = [
        random_crop((375, 1242), (192, 640), rng.uniform(0.5, 1.0), rng.random(), rng.random())
        for _ in range(300)
    ]
    assert 621 <= min(crop.width for crop in crops) < 640
    assert 1220 < max(crop.width for crop in crops) <= 1242
    for top, left, height, width in crops:
        assert 0 <= top < top + height <= 375
        assert 0 <= left < left + width <= 1242
        assert width / height == pytest.approx(640 / 192, rel=0.01)


# ---- Flip and rotation


def test_flip_mirrors_image_depth_and_centre_of_those_it_is_drawn_for():
    mirrored = hflip(stacked(make_batch(), make_batch()), [True, False])
    assert mirrored.depth_m[0, 0, 0].tolist() == [6, 5, 4, 3, 2, 1]
    assert mirrored.image[0, :, 0, 0].tolist() == [15, 16, 17]
    np.testing.assert_array_equal(mirrored.intrinsics[0], camera_matrix(10, 10, 3, 1))
    for part, original in zip(mirrored, make_batch()):
        assert torch.equal(part[1], original[0])


def test_flip_mirrors_where_a_point_is_seen():
    samples = make_batch()
    u, v = pixel_of(samples, (0.3, 0.2, 2))
    assert pixel_of(hflip(samples, [True]), (-0.3, 0.2, 2)).tolist() == pytest.approx([5 - u, v])


def test_a_right_angle_rotates_counter_clockwise():
    samples = as_float(make_batch(3, 3, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    turned = rotate(samples, torch.tensor([90.0]))
    assert turned.depth_m[0, 0].tolist() == [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    np.testing.assert_allclose(
        array_of(turned.image), np.rot90(array_of(samples.image)), atol=1e-3
    )


def test_rotation_masks_the_uncovered_border_and_mixes_no_depths():
    depth_m = np.where(np.arange(100) < 50, 3.0, 70.0)[None].repeat(60, 0)
    turned = rotate(as_float(make_batch(60, 100, depth_m)), torch.tensor([5.0]))
    depth_m = turned.depth_m[0, 0].numpy()
    assert set(np.unique(depth_m[~np.isnan(depth_m)])) == {3.0, 70.0}
    assert np.isnan(depth_m[0, 0])
    assert np.isnan(depth_m[-1, -1])
    assert not np.isnan(depth_m[10:50, 10:90]).any()
    # Each side loses a triangle: half of side^2 tan 5 / 4 twice per pair of sides.
    lost = np.isnan(depth_m).mean()
    assert lost == pytest.approx(
        np.tan(np.deg2rad(5)) * (100**2 + 60**2) / 4 / (60 * 100), rel=0.15
    )
    assert turned.image[0, :, 0, 0].min() > 0  # the colours there are mirrored, not black


def test_rotation_keeps_far_far():
    turned = rotate(as_float(make_batch(20, 20, np.full((20, 20), INF))), torch.tensor([4.0]))
    assert torch.isinf(turned.depth_m[0, 0, 3:17, 3:17]).all()


def test_rotation_is_that_of_opencv():
    image = picture()
    samples = batch_of_one(
        Sample(image, np.ones((HEIGHT, WIDTH), np.float32), camera_matrix(50, 50, 48, 32), '')
    )
    matrix = cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), 5, 1.0)
    expected = cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)
    turned = array_of(rotate(as_float(samples), torch.tensor([5.0])).image)
    assert np.abs(turned - expected).mean() < 0.6
    assert np.abs(image.astype(float) - expected).mean() > 6


def test_a_rolled_camera_sees_a_point_where_the_rotated_image_shows_it():
    intrinsics = torch.from_numpy(camera_matrix(100, 100, 150, 40))[None]
    samples = as_float(scene())._replace(intrinsics=intrinsics)
    angle = np.deg2rad(5)
    roll = np.array(
        [[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    point = np.array([0.4, 0.2, 1.0])
    u, v = pixel_of(samples, point) - (159.5, 47.5)
    expected = (roll[:2, :2] @ (u, v)) + (159.5, 47.5)
    turned = rotate(samples, torch.tensor([5.0]))
    np.testing.assert_allclose(pixel_of(turned, roll @ point), expected, atol=1e-3)


def test_canonical_depth_by_hand():
    # Twice the training focal length: what is seen 10 m away would look so at 5 m.
    samples = make_batch(depth_m=np.full((4, 6), 10.0))
    canonical_m = canonical_depth(samples.depth_m, samples.intrinsics, 5.0)
    np.testing.assert_array_equal(canonical_m[0, 0], np.full((4, 6), 5.0))


# ---- Colours


def jittered(image, brightness=1.0, contrast=1.0, saturation=1.0, hue_deg=0.0, gain=(1, 1, 1)):
    matrix = hue_rotation(np.array([hue_deg])) @ (
        saturation_matrix(np.array([saturation])) * brightness * np.array(gain)
    )
    return array_of(
        color_jitter(
            images_of(image), torch.from_numpy(matrix).float(), torch.tensor([float(contrast)])
        )
    )


def test_published_color_changes_by_hand():
    image = np.uint8([[[100, 50, 200], [0, 0, 0]]])
    # Only brightness, 0.8: 80, 40, 160.
    np.testing.assert_allclose(jittered(image, 0.8)[0, 0], [80, 40, 160], atol=1e-3)
    # Contrast 0.8: 80, 40, 160 + 0.2 * mean grey; greys 0.299 * 100 + 0.587 * 50 + 0.114 * 200
    # = 82.05 and 0, so + 8.205.
    np.testing.assert_allclose(
        jittered(image, contrast=0.8)[0],
        [[88.205, 48.205, 168.205], [8.205, 8.205, 8.205]],
        atol=1e-3,
    )
    # Saturation 0.8: 80, 40, 160 + 0.2 * 82.05.
    np.testing.assert_allclose(
        jittered(image, saturation=0.8)[0], [[96.41, 56.41, 176.41], [0, 0, 0]], atol=1e-3
    )


def test_color_changes_follow_one_another():
    image = np.random.default_rng(1).integers(40, 200, (8, 8, 3), np.uint8)
    steps = jittered(jittered(jittered(image, 0.9), contrast=0.85), saturation=0.8)
    np.testing.assert_allclose(jittered(image, 0.9, 0.85, 0.8), steps, atol=0.01)


def test_a_third_of_a_turn_of_hue_makes_red_green_and_leaves_grey():
    image = np.uint8([[[90, 0, 0], [70, 70, 70]]])
    np.testing.assert_allclose(
        jittered(image, hue_deg=120)[0], [[0, 90, 0], [70, 70, 70]], atol=1e-3
    )


def test_channel_gain_and_gamma_by_hand():
    image = np.uint8([[[100, 100, 100]]])
    np.testing.assert_allclose(
        jittered(image, gain=(1.1, 1, 0.9))[0, 0], [110, 100, 90], atol=1e-3
    )
    image = np.uint8([[[100, 0, 255]]])
    bent = array_of(adjust_gamma(images_of(image), torch.tensor([2.0])))
    np.testing.assert_allclose(bent[0, 0], [39.2157, 0, 255], atol=1e-3)  # 255 (100 / 255)^2


def test_a_shadow_darkens_a_band_and_leaves_the_rest():
    upright = torch.tensor([[1.0, 0, 0.5, 0.1, 0.01, 0.4]])
    shaded = add_shadow(torch.full((1, 3, HEIGHT, WIDTH), 100.0), upright)[0, 0]
    assert shaded[:, WIDTH // 2].tolist() == pytest.approx([60] * HEIGHT)
    assert (shaded[:, :30] == 100).all()


@pytest.mark.parametrize('sigma_px', [0.8, 3.0])
def test_blur_is_that_of_a_gaussian(sigma_px):
    image = picture()
    expected = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma_px)
    kernels = torch.from_numpy(gaussian_kernels(np.array([sigma_px, 0.0]))).float()
    blurred = gaussian_blur(images_of(image, image), kernels)
    assert np.abs(array_of(blurred[:1]) - expected)[12:-12, 12:-12].max() < 1.5
    assert np.abs(image - expected)[12:-12, 12:-12].max() > 10
    assert torch.equal(blurred[1], images_of(image)[0])


def test_a_kernel_is_the_same_beside_a_wider_one():
    (narrow,) = gaussian_kernels(np.array([0.5]))
    beside = gaussian_kernels(np.array([0.5, 2.0]))[0]
    np.testing.assert_array_equal(beside[4:-4], narrow)
    assert not beside[:4].any()


def test_noise_has_the_deviation_asked_for_and_is_of_the_image():
    gray = torch.full((2, 3, HEIGHT, WIDTH), 128.0)
    noisy = add_noise(gray, torch.tensor([5.0, 5.0]), [1, 2])
    assert (noisy - gray).std().item() == pytest.approx(5, rel=0.05)
    assert not torch.equal(noisy[0], noisy[1])
    assert torch.equal(add_noise(gray[:1], torch.tensor([5.0]), [2])[0], noisy[1])


def pillow_jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'JPEG', quality=quality)
    return np.asarray(Image.open(file)).astype(float)


@pytest.mark.parametrize('quality', [40, 60, 90])
def test_compression_leaves_what_jpeg_leaves(quality):
    image = picture()
    expected = pillow_jpeg(image, quality)
    compressed = array_of(jpeg(images_of(image), torch.tensor([float(quality)])))
    lost = np.abs(expected - image).mean()
    assert np.abs(compressed - expected).mean() < 0.6 * lost
    assert np.abs(compressed - image).mean() == pytest.approx(lost, rel=0.3)


def test_compression_does_not_take_red_for_blue():
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :32, 0] = 255  # red beside blue
    image[:, 32:, 2] = 255
    expected, quality = pillow_jpeg(image, 5), torch.tensor([5.0])
    error = np.abs(array_of(jpeg(images_of(image), quality)) - expected).mean()
    swapped = array_of(jpeg(images_of(image[..., ::-1]), quality))[..., ::-1]
    assert 3 * error < np.abs(swapped - expected).mean()


def test_images_of_any_size_are_compressed():
    image = picture()[:50, :70]
    expected = pillow_jpeg(image, 60)
    compressed = array_of(jpeg(images_of(image), torch.tensor([60.0])))
    assert compressed.shape == image.shape
    assert np.abs(compressed - expected).mean() < 0.6 * np.abs(expected - image).mean()


def test_above_quality_100_there_is_no_compression():
    image = images_of(picture())
    assert torch.equal(jpeg(image, torch.tensor([101.0])), image)


def test_a_filter_keeps_mean_and_deviation_and_the_share_of_the_image():
    image = images_of(picture(), picture(1)).clamp(60, 190)
    filters = torch.randn(2, 3, 3, 7, 7, generator=torch.Generator().manual_seed(1))
    filtered = random_filter(image, filters, torch.tensor([1.0, 0.0]))
    assert torch.allclose(filtered[1], image[1], atol=1e-3)
    assert (filtered[0] - image[0]).abs().mean() > 5
    assert torch.allclose(filtered[0].mean((1, 2)), image[0].mean((1, 2)), atol=6)
    assert torch.allclose(filtered[0].std((1, 2)), image[0].std((1, 2)), rtol=0.25)


def test_a_filter_of_one_pixel_to_the_same_channel_is_the_image_itself():
    image = images_of(picture())
    filters = torch.zeros(1, 3, 3, 7, 7)
    filters[:, range(3), range(3), 3, 3] = 2.5
    assert torch.allclose(random_filter(image, filters, torch.tensor([1.0])), image, atol=0.05)


def test_random_filters_change_tones_up_to_a_negative_and_leave_outlines_where_they_are():
    image = np.full((40, 60, 3), 60, np.uint8)
    image[:, 30:] = 180
    count, always = 200, Augmentation(color_probability=1, filter_probability=1)
    params = drawn(always, count)
    filtered = random_filter(
        images_of(*[image] * count), params.filters, params.filter_share
    )  # filters reach over 3 pixels
    left, right = filtered[..., :27], filtered[..., 33:]
    for side in (left, right):
        assert (side - side[..., :1, :1]).abs().max() < 0.01
    darker_on_the_right = (left.mean((1, 2, 3)) > right.mean((1, 2, 3))).sum()
    assert 15 < darker_on_the_right < 60  # some are negatives; the image's share hides more
    plain = torch.full((count, 3, 20, 20), 90.0)
    assert (random_filter(plain, params.filters, params.filter_share) - 90).abs().max() < 0.01


def test_a_margin_is_plain_and_leaves_the_inside_alone():
    image = picture()
    framed = array_of(add_margin(images_of(image), torch.tensor([[2.0, 1, 3, 0, 200]])))
    expected = np.full_like(image, 200)
    expected[2:-1, 3:] = image[2:-1, 3:]
    assert np.array_equal(framed, expected)


def test_margins_are_narrow_and_often_black_or_white():
    margin = drawn(Augmentation(margin_probability=1), 60).margin.numpy()
    assert (margin[:, :2] <= HEIGHT / 20 + 0.5).all()
    assert (margin[:, 2:4] <= WIDTH / 20 + 0.5).all()
    assert {0, 255} < set(margin[:, 4])


# ---- Drawing


def test_the_same_seed_epoch_and_index_give_the_same_sample():
    for augmentation in (Augmentation(), STRONG):
        for epoch in range(5):
            first, second = (augmented(scene(), (64, 160), augmentation, epoch) for _ in range(2))
            assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, second))
        other = augmented(scene(), (64, 160), augmentation, 99)
        assert not torch.equal(first.image, other.image)


def test_an_image_is_changed_in_the_same_way_in_any_batch():
    count = 8
    together = augmented(stacked(*[scene(64, 160)] * count), (64, 160), STRONG)
    for index in range(count):
        rng = image_rng(0, 0, index)
        params = draw_params(STRONG, (64, 160), (64, 160), [rng])
        alone = augment(scene(64, 160), (64, 160), params)
        # A batch may add up in another order, and JPEG may then round a value to the next step.
        assert (together.image[index] - alone.image[0]).abs().mean() < 0.05
        assert torch.equal(together.depth_m[index].isnan(), alone.depth_m[0].isnan())
        torch.testing.assert_close(together.depth_m[index], alone.depth_m[0], equal_nan=True)
        torch.testing.assert_close(together.intrinsics[index], alone.intrinsics[0])


def test_one_setting_leaves_the_numbers_of_the_others_alone():
    with_margins = Augmentation(margin_probability=1, color_probability=1, max_blur_px=1)
    plain, framed = drawn(Augmentation(color_probability=1), 20), drawn(with_margins, 20)
    assert plain.crops == framed.crops
    assert plain.flips == framed.flips
    assert torch.equal(plain.color_matrix, framed.color_matrix)


def test_the_drawn_changes_are_as_frequent_and_as_large_as_asked_for():
    count = 2000
    params = drawn(STRONG, count)
    assert np.mean(params.flips) == pytest.approx(0.5, abs=0.05)
    assert (params.angle_deg != 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert 4.8 < params.angle_deg.abs().max() <= 5
    assert (params.filter_share > 0).float().mean().item() == pytest.approx(0.45, abs=0.05)
    assert (params.jpeg_quality > 100).float().mean().item() == pytest.approx(0.1, abs=0.03)
    qualities = set(params.jpeg_quality[params.jpeg_quality <= 100].tolist())
    assert qualities == set(range(40, 91))
    assert (params.margin[:, :4].sum(1) > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert (params.shadow[:, 5] > 0).float().mean().item() == pytest.approx(0.45, abs=0.05)
    heights = [crop.height for crop in params.crops]
    assert min(heights) == HEIGHT // 2
    assert max(heights) == HEIGHT
    assert 0.6 <= params.contrast.min() < 0.65 < 1.35 < params.contrast.max() <= 1.4
    assert params.noise.max() <= 8
    sides_px = {int((f != 0).sum(2).max()) for f in params.filters[params.filter_share > 0][:, 0]}
    assert sides_px == {1, 3, 5, 7}


def test_the_published_settings_change_the_samples_as_often_as_they_should():
    count = 300
    samples = augmented(stacked(*[scene(64, 160)] * count), (64, 160), Augmentation())
    left, right = samples.depth_m[:, 0, 32, 40], samples.depth_m[:, 0, 32, 120]
    assert 120 < (left > right).sum() < 180
    assert 120 < samples.depth_m.isnan().flatten(1).any(1).sum() < 180
    assert 120 < (samples.image.amax((1, 2, 3)) < 199).sum() < 180


def test_no_probabilities_change_nothing():
    samples = augmented(scene(64, 160), (64, 160), NOTHING)
    for part, original in zip(samples, as_float(scene(64, 160))):
        assert torch.equal(part, original)
    assert drawn(NOTHING) == AugmentParams((Crop(0, 0, HEIGHT, WIDTH),), (False,))


# ---- All together


def test_depth_stays_on_its_pixels_and_its_ray():
    # In the scene red is depth - 5 and depends on the column alone; colours are left as they are.
    augmentation = Augmentation(color_probability=0, crop_scale=(0.6, 1.0))
    samples = augmented(stacked(*[scene()] * 20), (64, 160), augmentation)
    valid = ~samples.depth_m.isnan()
    assert valid.float().mean() > 0.9
    error = (samples.image[:, :1] - (samples.depth_m - 5)).abs()[valid]
    assert error.max() < 3


def test_changes_of_colour_leave_the_depth_alone():
    colors = Augmentation(
        flip_probability=0,
        rotation_probability=0,
        color_probability=1,
        filter_probability=1,
        max_noise=8,
        max_blur_px=1,
        margin_probability=1,
    )
    samples = augmented(scene(), (96, 320), colors)
    assert torch.equal(samples.depth_m, scene().depth_m)
    assert not torch.equal(samples.image, scene().image.float())


def test_strong_changes_give_pictures_in_range():
    images = images_of(*[picture(seed) for seed in range(8)])
    changed = change_colors(images, drawn(STRONG, 8))
    assert changed.shape == images.shape
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert changed.std() > 20
    assert math.isclose(images.max(), 255, abs_tol=30)  # nothing was changed in place


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'filter_probability': 2}, 'filter_probability must be at most 1, got 2'),
        ({'flip_probability': 1.5}, 'flip_probability must be at most 1, got 1.5'),
        ({'contrast': (1.0, 0.8)}, 'contrast must be a range .* got 1.0, 0.8'),
        ({'gamma': (0, 1)}, 'gamma must be a range'),
        ({'crop_scale': (0.5, 1.5)}, 'crop_scale must be at most 1, got 1.5'),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**wrong)
