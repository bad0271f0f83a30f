"""The changes to whole batches do what those to single images do."""
import math

import cv2
import numpy as np
import pytest
import torch

from s2r_depth_training.data import augment_batch
from s2r_depth_training.data.augment import (
    adjust_color,
    adjust_gamma,
    Augmentation,
    compress,
    crop,
    flip,
    resize,
    rotate,
)
from s2r_depth_training.data.augment_batch import (
    add_margins,
    blur,
    change_colors,
    change_places,
    compress_images,
    draw_changes,
    filter_images,
    shadow_light,
)
from s2r_depth_training.data.sample import camera_matrix, Sample

HEIGHT, WIDTH = 64, 96
STRONG = Augmentation(
    color_probability=0.9, brightness=(0.6, 1.4), contrast=(0.6, 1.4), saturation=(0.3, 1.4),
    crop_scale=(0.5, 1.0), max_hue_deg=25, max_channel_gain=0.15, gamma=(0.7, 1.4),
    shadow_probability=0.5, max_blur_px=1.0, max_noise=8, jpeg_quality=(40, 90),
    margin_probability=0.5, filter_probability=0.5)
NOTHING = Augmentation(
    flip_probability=0, rotation_probability=0, color_probability=0)


def picture(seed=0):
    """Something smooth with edges in it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 220, (8, 12, 3), np.uint8)
    image = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    image[20:40, 30:50] = rng.integers(0, 256, 3)
    return image


def batch(*images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


def one(images):
    """Return a batch of one as cv2 has it."""
    assert len(images) == 1
    return images[0].permute(1, 2, 0).numpy()


def drawn(augmentation, count=1, seed=0, source_px=(HEIGHT, WIDTH)):
    return draw_changes(
        augmentation, count, source_px, (HEIGHT, WIDTH), np.random.default_rng(seed))


def test_where_nothing_is_to_change_nothing_does():
    image = batch(picture(), picture(1))
    depth_m = torch.rand(2, 1, HEIGHT, WIDTH) + 1
    changes = drawn(NOTHING, 2)
    moved, moved_m = change_places(image, depth_m, changes.to_source, (HEIGHT, WIDTH))
    assert torch.allclose(moved, image, atol=0.02)
    assert torch.equal(moved_m, depth_m)
    same = change_colors(image, changes, torch.randn(image.shape), NOTHING)
    assert torch.allclose(same, image, atol=0.02)


@pytest.mark.parametrize('mirrored', [False, True])
def test_places_are_those_of_the_changes_to_a_single_image(mirrored, monkeypatch):
    image = picture()
    depth_m = cv2.resize(image[..., 0], (WIDTH, HEIGHT)).astype(np.float32) + 1
    part = np.s_[8:8 + 48, 12:12 + 72]  # three quarters
    sample = resize(
        crop(Sample(image, depth_m, camera_matrix(50, 50, 48, 32), ''), part), (HEIGHT, WIDTH))
    sample = rotate(flip(sample) if mirrored else sample, 5.0)

    class Chosen:
        """Draws what this test wants; stands for a generator."""

        def uniform(self, low, high, size):
            wanted = {(0.75, 1.0): 0.75, (-5.0, 5.0): np.full(size, 5.0)}
            return np.broadcast_to(wanted.get((low, high), low), size).astype(float)

        def random(self, size):
            return np.full(size, 0.5)

        def integers(self, low, high=None, size=None):
            return np.full(size, 0)

    changes = draw_changes(
        Augmentation(flip_probability=float(mirrored), rotation_probability=1,
                     color_probability=0, crop_scale=(0.75, 1.0)),
        1, (HEIGHT, WIDTH), (HEIGHT, WIDTH), Chosen())
    moved, moved_m = change_places(
        batch(image), torch.from_numpy(depth_m)[None, None], changes.to_source, (HEIGHT, WIDTH))
    inside = np.s_[8:-8, 8:-8]  # past the part's border this one has what is there
    difference = np.abs(one(moved) - sample.image)[inside]
    assert difference.mean() < 1.5
    unmoved = np.abs(image.astype(float) - sample.image)[inside]
    assert unmoved.mean() > 10 * difference.mean()
    assert np.median(np.abs(moved_m[0, 0].numpy() - sample.depth_m)[inside]) < 3
    assert changes.zoom == pytest.approx(4 / 3)


@pytest.mark.parametrize('larger', [1, 2, 3])
def test_what_shrinks_is_averaged(larger):
    rng = np.random.default_rng(0)
    source_px = (HEIGHT * larger, WIDTH * larger)
    grain = rng.integers(0, 256, (*source_px, 3), np.uint8)
    changes = drawn(NOTHING, source_px=source_px)
    moved, _ = change_places(
        batch(grain), torch.ones(1, 1, *source_px), changes.to_source, (HEIGHT, WIDTH))
    expected = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    assert np.abs(one(moved) - expected).max() < 1


def test_past_the_border_depth_is_unknown():
    turn = torch.tensor([[[1.0, 0, -10], [0, 1, 0]]])
    _, depth_m = change_places(
        batch(picture()), torch.ones(1, 1, HEIGHT, WIDTH), turn, (HEIGHT, WIDTH))
    assert not depth_m[..., :10].any()
    assert depth_m[..., 10:].all()


def test_colors_are_those_of_the_changes_to_a_single_image():
    image = picture()
    changes = drawn(NOTHING)
    once = adjust_color(image, 0.9, 0.8, 0.5, 20.0, np.array([0.95, 1.0, 1.05]))
    to_gray = np.tile(augment_batch.GRAY_WEIGHTS, (3, 1))
    turn = cv2.Rodrigues(np.deg2rad(20.0) * np.ones(3) / np.sqrt(3))[0]
    changes = changes._replace(
        gain=torch.tensor([[0.95, 1.0, 1.05]]) * 0.9, contrast=torch.tensor([0.8]),
        mix=torch.from_numpy(turn @ (0.5 * np.eye(3) + 0.5 * to_gray)).float()[None],
        gamma=torch.tensor([1.3]))
    result = one(change_colors(batch(image), changes, torch.zeros(1, 3, HEIGHT, WIDTH), NOTHING))
    assert np.abs(result - adjust_gamma(once, 1.3)).max() < 2


def test_noise_has_the_deviation_asked_for():
    gray = torch.full((1, 3, HEIGHT, WIDTH), 128.0)
    changes = drawn(NOTHING)._replace(noise=torch.tensor([5.0]))
    noise = torch.randn(gray.shape, generator=torch.Generator().manual_seed(0))
    noisy = change_colors(gray, changes, noise, NOTHING)
    assert (noisy - gray).std() == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize('sigma_px', [0.8, 3.0])
def test_blur_is_that_of_a_gaussian(sigma_px):
    image = picture()
    expected = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma_px)
    result = blur(batch(image, image), torch.tensor([sigma_px, 0.0]), math.ceil(3 * sigma_px))
    assert np.abs(one(result[:1]) - expected)[12:-12, 12:-12].max() < 1
    assert np.abs(image - expected)[12:-12, 12:-12].max() > 10
    assert torch.equal(result[1], batch(image)[0])


@pytest.mark.parametrize('quality', [40, 60, 90])
def test_compression_leaves_what_jpeg_leaves(quality):
    image = picture()
    expected = compress(image, quality).astype(float)
    result = one(compress_images(batch(image), torch.tensor([float(quality)])))
    lost = np.abs(expected - image).mean()
    assert np.abs(result - expected).mean() < 0.6 * lost
    assert np.abs(result - image).mean() == pytest.approx(lost, rel=0.3)


def test_above_quality_100_there_is_no_compression():
    image = batch(picture())
    assert torch.equal(compress_images(image, torch.tensor([101.0])), image)


def test_a_filter_keeps_mean_and_deviation_and_what_is_to_be_kept():
    image = batch(picture(), picture(1)).clamp(60, 190)
    kernels = torch.randn(2, 3, 3, 7, 7, generator=torch.Generator().manual_seed(1))
    result = filter_images(image, kernels, torch.tensor([0.0, 1.0]))
    assert torch.allclose(result[1], image[1], atol=1e-3)
    assert (result[0] - image[0]).abs().mean() > 5
    assert torch.allclose(result[0].mean((1, 2)), image[0].mean((1, 2)), atol=6)
    assert torch.allclose(result[0].std((1, 2)), image[0].std((1, 2)), rtol=0.25)


def test_a_filter_of_one_pixel_to_the_same_channel_is_the_image_itself():
    image = batch(picture())
    kernels = torch.zeros(1, 3, 3, 7, 7)
    kernels[:, range(3), range(3), 3, 3] = 2.5
    assert torch.allclose(filter_images(image, kernels, torch.tensor([0.0])), image, atol=0.05)


def test_a_shadow_darkens_a_band():
    upright = torch.tensor([[1.0, 0, 0.5, 0.1, 0.01, 0.4]])
    light = shadow_light(upright, HEIGHT, WIDTH)[0, 0]
    assert light[:, WIDTH // 2].tolist() == pytest.approx([0.6] * HEIGHT)
    assert (light[:, :30] == 1).all()


def test_margins_are_plain():
    image = picture()
    margin = torch.tensor([[2.0, 1, 3, 0, 200]])
    result = one(add_margins(batch(image), margin))
    expected = np.full_like(image, 200)
    expected[2:-1, 3:] = image[2:-1, 3:]
    assert np.array_equal(result, expected)


def test_what_is_drawn_is_as_often_and_as_much_as_asked_for():
    count = 2000
    changes = drawn(STRONG, count)
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1], np.float32)
    mirrored = changes.to_source[:, 0, 0] < 0
    assert mirrored.float().mean() == pytest.approx(0.5, abs=0.05)
    rolled = changes.to_source[:, 0, 1].abs() > 1e-6
    assert rolled.float().mean() == pytest.approx(0.5, abs=0.05)
    assert (changes.kept < 1).float().mean() == pytest.approx(0.45, abs=0.05)
    assert (changes.jpeg_quality > 100).float().mean() == pytest.approx(0.1, abs=0.03)
    assert (changes.margin[:, :4].sum(1) > 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert (changes.shadow[:, 5] > 0).float().mean() == pytest.approx(0.45, abs=0.05)
    assert 1 <= changes.zoom.min() < 1.1 < 1.9 < changes.zoom.max() <= 2
    seen = changes.to_source @ torch.from_numpy(middle)
    assert (seen >= 0).all()
    assert (seen <= torch.tensor([WIDTH - 1, HEIGHT - 1])).all()
    assert 0.6 <= changes.contrast.min() < 0.65 < 1.35 < changes.contrast.max() <= 1.4


def test_all_together_give_pictures_in_range():
    images = batch(*[picture(seed) for seed in range(8)])
    changes = drawn(STRONG, 8)
    moved, _ = change_places(
        images, torch.ones(8, 1, HEIGHT, WIDTH), changes.to_source, (HEIGHT, WIDTH))
    result = change_colors(moved, changes, torch.randn(moved.shape), STRONG)
    assert result.isfinite().all()
    assert result.min() >= 0
    assert result.max() <= 255
    assert result.std() > 20
