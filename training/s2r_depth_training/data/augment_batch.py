"""The random changes of ``augment``, to whole batches at once and on any device."""
from __future__ import annotations

import functools
import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

from .augment import Augmentation, GRAY_WEIGHTS

FILTER_PX = 7  # the largest side of a random filter; smaller ones lie in its middle
# Of brightness and of colour, at quality 50 (ITU-T T.81, annex K, tables K.1 and K.2).
_JPEG_LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]], np.float32)
_JPEG_COLOR = np.full((8, 8), 99, np.float32)
_JPEG_COLOR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO_YCBCR = np.array(
    [GRAY_WEIGHTS, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)], np.float32)


class _Constants(NamedTuple):
    gray_weights: Tensor
    to_ycbcr: Tensor
    from_ycbcr: Tensor
    luminance: Tensor
    color: Tensor
    cosines: Tensor


@functools.cache
def _constants(device: torch.device) -> _Constants:
    """Return what JPEG and colours need, on ``device`` once: each copy waits for the device."""
    k, n = np.mgrid[:8, :8]
    cosines = np.cos((2 * n + 1) * k * np.pi / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return _Constants(*(
        torch.from_numpy(np.asarray(values, np.float32)).to(device) for values in (
            GRAY_WEIGHTS, _TO_YCBCR, np.linalg.inv(_TO_YCBCR), _JPEG_LUMINANCE, _JPEG_COLOR,
            cosines)))


class Changes(NamedTuple):
    """
    What is to be done to each image of a batch, drawn before; float32, the first axis is B.

    ``to_source`` (B, 2, 3) takes pixels of the result to pixels of the source. ``zoom`` (B,) is
    what the focal length grows by. ``filter`` (B, 3, 3, 7, 7) is a random filter and ``kept`` (B,)
    the share of the image that stays beside it, 1 for none. ``gain`` (B, 3) and ``mix`` (B, 3, 3)
    change the colours, ``contrast`` (B,) moves them from the mean grey, ``gamma`` (B,) is the tone
    curve. ``shadow`` (B, 6) is direction (x, y), centre, half width, softness and darkness.
    ``blur_px``, ``noise``, ``jpeg_quality`` (B,): 0 for none, 101 for none in the last.
    ``margin`` (B, 5): widths of top, bottom, left, right in pixels, and the grey.
    """

    to_source: Tensor
    zoom: Tensor
    filter: Tensor
    kept: Tensor
    gain: Tensor
    mix: Tensor
    contrast: Tensor
    gamma: Tensor
    shadow: Tensor
    blur_px: Tensor
    noise: Tensor
    jpeg_quality: Tensor
    margin: Tensor

    def to(self, device: torch.device) -> Changes:
        """Return them on ``device``: in one copy, for which nothing waits."""
        if device.type == 'cpu':
            return self
        count = len(self.zoom)
        flat = torch.cat([part.reshape(count, -1) for part in self], 1).pin_memory()
        there = flat.to(device, non_blocking=True)
        sizes = [part[0].numel() for part in self]
        return Changes(*(
            piece.reshape(part.shape) for piece, part in zip(there.split(sizes, 1), self)))


def draw_changes(
    augmentation: Augmentation, count: int, source_px: tuple[int, int], size_px: tuple[int, int],
    rng: np.random.Generator,
) -> Changes:
    """
    Draw the changes for a batch, each as :func:`~.augment.augment` draws it.

    :param augmentation: which random changes are made.
    :param count: B, how many images.
    :param source_px: (height, width) of the images as they are, in the shape of ``size_px``.
    :param size_px: (height, width) of the result.
    :param rng: where chance comes from.
    """
    a = augmentation
    height, width = size_px

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (count, *shape))

    def chance(probability: float) -> np.ndarray:
        return rng.random(count) < probability

    # Places: a roll about the middle, a mirror, a part of the image.
    part = uniform(*a.crop_scale)
    scale_y, scale_x = part * source_px[0] / height, part * source_px[1] / width
    top_px = rng.random(count) * (1 - part) * source_px[0]
    left_px = rng.random(count) * (1 - part) * source_px[1]
    angle = np.deg2rad(uniform(-a.max_rotation_deg, a.max_rotation_deg))
    angle *= chance(a.rotation_probability)
    mirror = np.where(chance(a.flip_probability), -1.0, 1.0)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    # Rows of: to the middle, turn back, mirror, scale, move to the part's place.
    row_x = np.stack((cos, -sin, -cos * middle_x + sin * middle_y), 1) * mirror[:, None]
    row_y = np.stack((sin, cos, -sin * middle_x - cos * middle_y), 1)
    row_x[:, 2] += middle_x + 0.5
    row_y[:, 2] += middle_y + 0.5
    row_x *= scale_x[:, None]
    row_y *= scale_y[:, None]
    row_x[:, 2] += left_px - 0.5
    row_y[:, 2] += top_px - 0.5

    # Colours
    colored = chance(a.color_probability)
    filtered = colored & chance(a.filter_probability)
    kernels = np.zeros((count, 3, 3, FILTER_PX, FILTER_PX), np.float32)
    kernels[:, range(3), range(3), FILTER_PX // 2, FILTER_PX // 2] = 1
    for index in np.flatnonzero(filtered):
        edge = (FILTER_PX - int(rng.choice([1, 3, 5, 7]))) // 2
        inside = slice(edge, FILTER_PX - edge)
        kernels[index] = 0
        kernels[index, :, :, inside, inside] = rng.standard_normal(
            kernels[index, :, :, inside, inside].shape, np.float32)
    kept = np.where(filtered, rng.random(count), 1.0)

    def when_colored(values: np.ndarray, neutral: float) -> np.ndarray:
        return np.where(colored.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)

    brightness = when_colored(uniform(*a.brightness), 1)
    gain = brightness[:, None] * when_colored(
        1 + uniform(-a.max_channel_gain, a.max_channel_gain, 3), 1)
    contrast = when_colored(uniform(*a.contrast), 1)
    saturation = when_colored(uniform(*a.saturation), 1)[:, None, None]
    hue = when_colored(np.deg2rad(uniform(-a.max_hue_deg, a.max_hue_deg)), 0)
    turn = np.stack([cv2.Rodrigues(np.full(3, angle / np.sqrt(3)))[0] for angle in hue])
    to_gray = np.tile(GRAY_WEIGHTS, (3, 1))
    mix = turn @ (saturation * np.eye(3) + (1 - saturation) * to_gray)

    # Light and sensor
    direction = rng.uniform(0, np.pi, count)
    across_x, across_y = np.cos(direction), np.sin(direction)
    centre = np.minimum(across_x, 0) + rng.random(count) * (np.abs(across_x) + across_y)
    dark = uniform(0.2, 0.6) * (colored & chance(a.shadow_probability))
    shadow = np.stack((
        across_x, across_y, centre, uniform(0.05, 0.3), uniform(0.005, 0.05), dark), 1)
    quality = rng.integers(a.jpeg_quality[0], a.jpeg_quality[1] + 1, count).astype(float)
    if a.jpeg_quality == (100, 100):
        quality[:] = 101
    margined = chance(a.margin_probability)
    margin = np.floor(np.stack((
        uniform(0, height / 20), uniform(0, height / 20), uniform(0, width / 20),
        uniform(0, width / 20)), 1) + 0.5) * margined[:, None]
    gray = np.choose(rng.integers(3, size=count), (
        np.zeros(count), np.full(count, 255), rng.integers(256, size=count)))
    drawn = (
        np.stack((row_x, row_y), 1), 1 / part, kernels, kept, gain, mix, contrast,
        when_colored(uniform(*a.gamma), 1), shadow, when_colored(uniform(0, a.max_blur_px), 0),
        when_colored(uniform(0, a.max_noise), 0), when_colored(quality, 101),
        np.concatenate((margin, gray[:, None]), 1))
    return Changes(*(torch.from_numpy(np.asarray(part, np.float32)) for part in drawn))


def change_places(
    images: Tensor, depth_m: Tensor, to_source: Tensor, size_px: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """
    Crop, resize, mirror and roll.

    Past the source's border colours are mirrored and depth is unknown, as in
    :func:`~.augment.rotate`; past that of the part alone, there is what the source has there.

    :param images: (B, 3, H, W) of any type, 0 to 255.
    :param depth_m: (B, 1, H, W), 0 where not known.
    :param to_source: see :class:`Changes`.
    :param size_px: (height, width) of the result.
    :returns: both at that size, float32; colours averaged over as many interpolated values a pixel
        as the largest part has pixels there, depths picked.
    """
    height, width = size_px
    device = images.device
    finer = max(1, -(-images.shape[2] // height), -(-images.shape[3] // width))
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device), indexing='ij')
    places = torch.stack((x, y, torch.ones_like(x)), -1).reshape(-1, 3)
    # grid_sample counts from -1 to 1, from the first pixel to the last.
    to_unit = torch.stack((
        to_source[:, 0] * (2 / (images.shape[3] - 1)),
        to_source[:, 1] * (2 / (images.shape[2] - 1))), 1)
    grid = (places @ to_unit.transpose(1, 2)).reshape(-1, height, width, 2) - 1
    step_x, step_y = (to_unit[:, None, None, :, axis] / finer for axis in (0, 1))
    offsets = [index + 0.5 - finer / 2 for index in range(finer)]
    sampled = sum((
        F.grid_sample(images.float(), grid + x * step_x + y * step_y, 'bilinear', 'reflection',
                      align_corners=True) for y in offsets for x in offsets),
        start=torch.zeros((), device=device)) / finer ** 2
    return sampled, F.grid_sample(
        depth_m.float(), grid, 'nearest', 'zeros', align_corners=True)


def change_colors(
    images: Tensor, changes: Changes, noise: Tensor, augmentation: Augmentation,
) -> Tensor:
    """
    Do to the colours what :func:`~.augment.jitter` and :func:`~.augment.add_margin` do.

    Nothing is rounded in between.

    :param images: (B, 3, H, W) float32, 0 to 255, sides multiples of 16.
    :param changes: on the same device.
    :param noise: (B, 3, H, W) of standard deviation 1.
    :param augmentation: with which they were drawn; what it leaves out costs nothing.
    :returns: (B, 3, H, W) float32, 0 to 255.
    """
    constants = _constants(images.device)
    if augmentation.filter_probability:
        images = filter_images(images, changes.filter, changes.kept)
    # Colours, as adjust_color has them in this order.
    gained_mean = (images.mean((2, 3)) * changes.gain) @ constants.gray_weights
    images = torch.einsum(
        'bij,bjhw->bihw', changes.mix * changes.gain[:, None], images)
    contrast = _of_image(changes.contrast)
    images = contrast * images + (1 - contrast) * _of_image(gained_mean)
    images = 255 * (images / 255).clamp(0, 1) ** _of_image(changes.gamma)
    if augmentation.shadow_probability:
        images = images * shadow_light(changes.shadow, images.shape[2], images.shape[3])
    if augmentation.max_blur_px:
        images = blur(images, changes.blur_px, math.ceil(3 * augmentation.max_blur_px))
    images = (images + noise * _of_image(changes.noise)).clamp(0, 255)
    if augmentation.jpeg_quality != (100, 100):
        images = compress_images(images, changes.jpeg_quality)
    if augmentation.margin_probability:
        images = add_margins(images, changes.margin)
    return images


def filter_images(images: Tensor, kernels: Tensor, kept: Tensor) -> Tensor:
    """
    Mix images with what their filters make of them; see :func:`~.augment.filter_at_random`.

    :param images: (B, 3, H, W) float32, 0 to 255.
    :param kernels: (B, 3, 3, 7, 7), to channel from channel.
    :param kept: (B,) share of the image that stays.
    """
    edge = FILTER_PX // 2
    count, _, height, width = images.shape
    # On a GPU half precision halves what this writes; mean and deviation are set right below.
    exact = images.dtype if images.device.type == 'cpu' else torch.float16
    mean, deviation = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True)
    padded = F.pad((images - mean) / 255, (edge,) * 4, mode='reflect').to(exact)
    around = F.unfold(padded, FILTER_PX)
    filtered = (kernels.reshape(count, 3, -1).to(exact) @ around).float().reshape(
        count, 3, height, width)
    filtered = filtered - filtered.mean((2, 3), keepdim=True)
    filtered = filtered * (
        deviation / filtered.std((2, 3), keepdim=True).clamp(min=1e-5)) + mean
    return torch.lerp(filtered, images, _of_image(kept)).clamp(0, 255)


def shadow_light(shadow: Tensor, height: int, width: int) -> Tensor:
    """Return what light the dark bands leave, (B, 1, H, W); see :func:`~.augment.add_shadow`."""
    x, y, centre, half_width, softness, darkness = (_of_image(part) for part in shadow.unbind(1))
    columns = torch.arange(width, device=shadow.device) / width
    rows = (torch.arange(height, device=shadow.device) / height)[:, None]
    inside = ((half_width - (columns * x + rows * y - centre).abs()) / softness).clamp(0, 1)
    return 1 - inside * darkness


def blur(images: Tensor, sigma_px: Tensor, radius_px: int) -> Tensor:
    """
    Blur each image by a Gaussian of its own.

    :param images: (B, 3, H, W).
    :param sigma_px: (B,) standard deviation.
    :param radius_px: where the kernels end.
    """
    offset = torch.arange(-radius_px, radius_px + 1, device=images.device)
    # Below a tenth of a pixel the kernel is one pixel.
    weights = torch.exp(-(offset / sigma_px.clamp(min=0.1)[:, None]) ** 2 / 2)
    weights = weights / weights.sum(1, keepdim=True)
    height, width = images.shape[2:]
    padded = F.pad(images, (radius_px,) * 4, mode='reflect')
    rows = torch.stack([padded[..., k:k + width] for k in range(len(offset))], 1)
    along = (rows * weights[:, :, None, None, None]).sum(1)
    columns = torch.stack([along[..., k:k + height, :] for k in range(len(offset))], 1)
    return (columns * weights[:, :, None, None, None]).sum(1)


def compress_images(images: Tensor, quality: Tensor) -> Tensor:
    """
    Return what JPEG leaves of images, the colours at half the resolution (ITU-T T.81).

    :param images: (B, 3, H, W) float32 RGB, 0 to 255, sides multiples of 16.
    :param quality: (B,) 1 to 100; above, the image stays as it is.
    """
    # The scale of the tables is that of the IJG's library, which cv2 uses.
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).clamp(min=0)
    constants = _constants(images.device)
    planes = torch.einsum('ij,bjhw->bihw', constants.to_ycbcr, images)
    luminance = _quantised(planes[:, :1] - 128, constants.luminance, percent) + 128
    color = _quantised(F.avg_pool2d(planes[:, 1:], 2), constants.color, percent)
    color = F.interpolate(color, scale_factor=2.0, mode='bilinear')
    back = torch.einsum(
        'ij,bjhw->bihw', constants.from_ycbcr, torch.cat((luminance, color), 1))
    return torch.where(_of_image(quality) <= 100, back.clamp(0, 255), images)


def add_margins(images: Tensor, margin: Tensor) -> Tensor:
    """
    Paint plain margins; see :func:`~.augment.add_margin`.

    :param images: (B, 3, H, W).
    :param margin: (B, 5), see :class:`Changes`.
    """
    height, width = images.shape[2:]
    top, bottom, left, right, gray = (_of_image(part) for part in margin.unbind(1))
    row = torch.arange(height, device=images.device)[:, None]
    column = torch.arange(width, device=images.device)
    inside = (row >= top) & (row < height - bottom) & (column >= left) & (column < width - right)
    return torch.where(inside, images, gray)


def _quantised(planes: Tensor, table: Tensor, percent: Tensor) -> Tensor:
    """Round the cosine transform of each block of 8 x 8 to multiples of the scaled table."""
    count, channels, height, width = planes.shape
    dct = _constants(planes.device).cosines
    steps = (table * percent[:, None, None] / 100 + 0.5).floor().clamp(1, 255)
    steps = steps[:, None, None, None]
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    spectrum = dct @ blocks @ dct.T
    spectrum = (spectrum / steps).round() * steps
    blocks = dct.T @ spectrum @ dct
    return blocks.transpose(3, 4).reshape(planes.shape)


def _of_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]
