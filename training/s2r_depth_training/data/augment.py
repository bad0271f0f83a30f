"""
Random changes to training images: crop, flip, rotation, colours, and the flaws of cameras.

:func:`draw_params` draws the changes, and :func:`augment` applies them to a batch on any device.
Each image has its own random generator, so its changes do not depend on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

from ..settings.augmentation import Augmentation
from .sample import Sample

GRAY_WEIGHTS = np.array((0.299, 0.587, 0.114))
"""Luminance of RGB (ITU-R BT.601)."""
_UNIT = (0.0, 1.0)


class SampleBatch(NamedTuple):
    """
    Samples of one size, on one device.

    ``image`` is (B, 3, H, W) RGB of 0 to 255: uint8 as read, float32 after a change. ``depth_m``
    is (B, 1, H, W) floating-point metres, NaN where not measured, +inf for sky. ``intrinsics`` is
    (B, 3, 3) float32, the centre of the first pixel at (0, 0).
    """

    image: Tensor
    depth_m: Tensor
    intrinsics: Tensor


class Crop(NamedTuple):
    """A part of an image, in whole pixels."""

    top: int
    left: int
    height: int
    width: int


class AugmentParams(NamedTuple):
    """
    The changes of a batch; tensors are float32.

    A change that no image of the batch has is None. If an image has a change, images without it
    have its neutral value.

    ``crops`` has the used part of each image. ``flips`` is true for mirrored images. ``angle_deg``
    (B,) is the counter-clockwise rotation.

    ``filters`` (B, 3, 3, K, K) are the kernels to each channel from each channel. ``filter_share``
    (B,) is the share of the filtered image in the mix. ``color_matrix`` (B, 3, 3) converts RGB to
    RGB. ``contrast`` (B,) scales the distance from the mean grey. ``gamma`` (B,) is the tone
    curve. ``shadow`` (B, 6) is the direction (x, y), centre, half width, softness and darkness of
    a band. ``blur`` (B, K) is the kernel of a Gaussian. ``noise`` (B,) is a standard deviation in
    steps of 255, and ``noise_seeds`` has the seed of each image's noise. ``jpeg_quality`` (B,) is
    1 to 100, and 101 for none. ``margin`` (B, 5) is the top, bottom, left and right width in
    pixels, and the grey.
    """

    crops: tuple[Crop, ...]
    flips: tuple[bool, ...]
    angle_deg: Tensor | None = None
    filters: Tensor | None = None
    filter_share: Tensor | None = None
    color_matrix: Tensor | None = None
    contrast: Tensor | None = None
    gamma: Tensor | None = None
    shadow: Tensor | None = None
    blur: Tensor | None = None
    noise: Tensor | None = None
    jpeg_quality: Tensor | None = None
    margin: Tensor | None = None
    noise_seeds: tuple[int, ...] = ()

    def to(self, device: torch.device) -> AugmentParams:
        """Return the parameters on ``device``, with a single asynchronous copy."""
        if device.type == 'cpu':
            return self
        tensors = {
            name: value for name, value in self._asdict().items() if isinstance(value, Tensor)
        }
        if not tensors:
            return self
        flat = to_device(torch.cat([tensor.flatten() for tensor in tensors.values()]), device)
        pieces = flat.split([tensor.numel() for tensor in tensors.values()])
        return self._replace(
            **{
                name: piece.view_as(tensor)
                for (name, tensor), piece in zip(tensors.items(), pieces)
            }
        )


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on ``device``, with an asynchronous copy."""
    if device.type == 'cuda':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def image_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Return the random generator of one image in one epoch of a run."""
    return np.random.default_rng((seed, epoch, index))


def batch_of_one(sample: Sample) -> SampleBatch:
    """Return a sample as a batch on the CPU; it shares the sample's memory."""
    return SampleBatch(
        image_tensor(sample.image)[None],
        torch.from_numpy(sample.depth_m)[None, None],
        torch.from_numpy(sample.intrinsics)[None],
    )


def image_tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) as a tensor (3, H, W) that shares its memory."""
    return torch.from_numpy(image).permute(2, 0, 1)


# ---- Drawing


def draw_params(
    augmentation: Augmentation,
    source_px: tuple[int, int],
    size_px: tuple[int, int],
    rngs: Sequence[np.random.Generator],
) -> AugmentParams:
    """
    Draw the changes for a batch.

    :param augmentation: the settings of the changes.
    :param source_px: (height, width) of the images.
    :param size_px: (height, width) of the result.
    :param rngs: the generator of each image; its numbers do not depend on the batch.
    :returns: the changes, on the CPU.
    """
    ranges = _ranges(augmentation, size_px)
    # Every image draws all numbers, so that a setting does not change the numbers of the others.
    low, high = np.array(list(ranges.values())).T
    numbers = np.array([rng.random(len(ranges)) for rng in rngs])
    drawn = dict(zip(ranges, (low + (high - low) * numbers).T))

    places = np.stack((drawn['scale'], drawn['y'], drawn['x']), 1).tolist()
    params = AugmentParams(
        crops=tuple(random_crop(source_px, size_px, *place) for place in places),
        flips=tuple((drawn['flip'] < augmentation.flip_probability).tolist()),
    )
    angle_deg = drawn['angle_deg'] * (drawn['rotation'] < augmentation.rotation_probability)
    if angle_deg.any():
        params = params._replace(angle_deg=_float_tensor(angle_deg))
    colored = drawn['color'] < augmentation.color_probability
    if colored.any():
        params = _draw_colors(augmentation, drawn, colored, rngs, params)
    margin = drawn['margin'] < augmentation.margin_probability
    if margin.any():
        sides = [np.floor(drawn[side] + 0.5) for side in ('top', 'bottom', 'left', 'right')]
        gray = np.choose((3 * drawn['tone']).astype(int), (0, 255, np.floor(drawn['gray'])))
        params = params._replace(
            margin=_float_tensor(np.stack((*sides, gray), 1) * margin[:, None])
        )
    return params


def _ranges(
    augmentation: Augmentation, size_px: tuple[int, int]
) -> dict[str, tuple[float, float]]:
    """
    Return the range of each random number of an image, in the order in which they are drawn.

    :param augmentation: the settings.
    :param size_px: (height, width) of the result.
    """
    height, width = size_px
    most_deg, most_hue_deg = augmentation.max_rotation_deg, augmentation.max_hue_deg
    gain = (1 - augmentation.max_channel_gain, 1 + augmentation.max_channel_gain)
    least_quality, most_quality = augmentation.jpeg_quality
    return {
        # Crop, flip and rotation
        'scale': augmentation.crop_scale,
        'y': _UNIT,
        'x': _UNIT,
        'flip': _UNIT,
        'rotation': _UNIT,
        'angle_deg': (-most_deg, most_deg),
        # Colours
        'color': _UNIT,
        'brightness': augmentation.brightness,
        'contrast': augmentation.contrast,
        'saturation': augmentation.saturation,
        'hue_deg': (-most_hue_deg, most_hue_deg),
        'red': gain,
        'green': gain,
        'blue': gain,
        'gamma': augmentation.gamma,
        'filter': _UNIT,
        'filter_share': _UNIT,
        'filter_side': _UNIT,
        # Shadow
        'shadow': _UNIT,
        'direction': (0.0, math.pi),
        'centre': _UNIT,
        'half_width': (0.05, 0.3),
        'softness': (0.005, 0.05),
        'darkness': (0.2, 0.6),
        # Flaws of cameras
        'blur_px': (0.0, augmentation.max_blur_px),
        'noise': (0.0, augmentation.max_noise),
        'quality': (least_quality, most_quality + 1),
        # Margin
        'margin': _UNIT,
        'top': (0, height / 20),
        'bottom': (0, height / 20),
        'left': (0, width / 20),
        'right': (0, width / 20),
        'tone': _UNIT,
        'gray': (0, 256),
    }


def _draw_colors(
    augmentation: Augmentation,
    drawn: dict[str, np.ndarray],
    colored: np.ndarray,
    rngs: Sequence[np.random.Generator],
    params: AugmentParams,
) -> AugmentParams:
    """Return ``params`` with changes to the colours of the images in ``colored`` (B,) bool."""
    gain = drawn['brightness'][:, None] * np.stack([drawn[c] for c in ('red', 'green', 'blue')], 1)
    matrix = hue_rotation(drawn['hue_deg']) @ saturation_matrix(drawn['saturation'])
    matrix = np.where(colored[:, None, None], matrix * gain[:, None], np.eye(3))
    contrast = np.where(colored, drawn['contrast'], 1)
    params = params._replace(color_matrix=_float_tensor(matrix), contrast=_float_tensor(contrast))
    filtered = colored & (drawn['filter'] < augmentation.filter_probability)
    if filtered.any():
        side_px = 1 + 2 * (4 * drawn['filter_side']).astype(int)
        params = params._replace(
            filters=_float_tensor(_random_filters(side_px, filtered, rngs)),
            filter_share=_float_tensor(drawn['filter_share'] * filtered),
        )
    gamma = np.where(colored, drawn['gamma'], 1)
    if (gamma != 1).any():
        params = params._replace(gamma=_float_tensor(gamma))
    shadowed = colored & (drawn['shadow'] < augmentation.shadow_probability)
    if shadowed.any():
        x, y = np.cos(drawn['direction']), np.sin(drawn['direction'])
        centre = np.minimum(x, 0) + drawn['centre'] * (np.abs(x) + y)
        band = (x, y, centre, drawn['half_width'], drawn['softness'], drawn['darkness'] * shadowed)
        params = params._replace(shadow=_float_tensor(np.stack(band, 1)))
    blur_px = drawn['blur_px'] * (colored & (drawn['blur_px'] > 0.1))  # less cannot be seen
    if blur_px.any():
        params = params._replace(blur=_float_tensor(gaussian_kernels(blur_px)))
    noise = drawn['noise'] * colored
    if noise.any():
        seeds = tuple(int(rng.integers(2**62)) for rng in rngs)
        params = params._replace(noise=_float_tensor(noise), noise_seeds=seeds)
    if augmentation.jpeg_quality != (100, 100):
        quality = np.where(colored, np.floor(drawn['quality']), 101)
        params = params._replace(jpeg_quality=_float_tensor(quality))
    return params


def _float_tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def random_crop(
    source_px: tuple[int, int], size_px: tuple[int, int], scale: float, y: float, x: float
) -> Crop:
    """
    Return a crop in the shape of the network's input.

    :param source_px: (height, width) of the image.
    :param size_px: (height, width), which gives the aspect ratio of the crop.
    :param scale: relative size of the crop; 1 is the largest that fits.
    :param y: vertical place, from 0 (top) to below 1 (bottom).
    :param x: horizontal place, from 0 (left) to below 1 (right).
    """
    height, width = _crop_size_px(source_px, size_px, scale)
    return Crop(
        int(y * (source_px[0] - height + 1)), int(x * (source_px[1] - width + 1)), height, width
    )


def center_crop(source_px: tuple[int, int], size_px: tuple[int, int]) -> Crop:
    """
    Return the largest central crop in the shape of the network's input.

    :param source_px: (height, width) of the image.
    :param size_px: (height, width) whose proportions the crop has.
    """
    height, width = _crop_size_px(source_px, size_px, 1.0)
    return Crop((source_px[0] - height) // 2, (source_px[1] - width) // 2, height, width)


def _crop_size_px(
    source_px: tuple[int, int], size_px: tuple[int, int], scale: float
) -> tuple[int, int]:
    factor = min(source_px[0] / size_px[0], source_px[1] / size_px[1]) * scale
    height, width = (
        min(source, max(1, round(size * factor))) for source, size in zip(source_px, size_px)
    )
    return height, width


def hue_rotation(angle_deg: np.ndarray) -> np.ndarray:
    """Return (B, 3, 3) rotations of RGB about the grey axis, counter-clockwise, of (B,) angles."""
    angle = np.deg2rad(angle_deg)[:, None, None]
    along = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return along + np.cos(angle) * (np.eye(3) - along) + np.sin(angle) * across


def saturation_matrix(saturation: np.ndarray) -> np.ndarray:
    """Return (B, 3, 3) matrices that scale the distance of RGB from its grey by (B,) factors."""
    factor = saturation[:, None, None]
    return factor * np.eye(3) + (1 - factor) * GRAY_WEIGHTS


def gaussian_kernels(sigma_px: np.ndarray) -> np.ndarray:
    """
    Return the kernels of Gaussians, each of which ends at three standard deviations.

    :param sigma_px: (B,) standard deviations; 0 is the kernel that changes nothing.
    :returns: (B, K) with K odd, the sums 1.
    """
    sigma_px = sigma_px[:, None]
    radius_px = np.ceil(3 * sigma_px)
    offset_px = np.arange(-radius_px.max(), radius_px.max() + 1)
    weights = np.exp(-((offset_px / np.maximum(sigma_px, 1e-3)) ** 2) / 2)
    weights[np.abs(offset_px) > radius_px] = 0
    return weights / weights.sum(1, keepdims=True)


def _random_filters(
    side_px: np.ndarray, drawn: np.ndarray, rngs: Sequence[np.random.Generator]
) -> np.ndarray:
    """Return (B, 3, 3, K, K) random filters of the given sides, the identity where not drawn."""
    largest_px = int((side_px * drawn).max(initial=1))
    filters = np.zeros((len(rngs), 3, 3, largest_px, largest_px))
    filters[:, range(3), range(3), largest_px // 2, largest_px // 2] = 1
    for index in np.flatnonzero(drawn):
        edge = (largest_px - side_px[index]) // 2
        inside = filters[index, :, :, edge : largest_px - edge, edge : largest_px - edge]
        inside[:] = rngs[index].standard_normal(inside.shape)
    return filters


# ---- Applying


def augment(samples: SampleBatch, size_px: tuple[int, int], params: AugmentParams) -> SampleBatch:
    """
    Make the drawn changes to a batch.

    :param samples: samples of the size that the changes were drawn for.
    :param size_px: (height, width) of the result.
    :param params: the changes, on the same device.
    :returns: the changed samples, the image float32 of 0 to 255, the intrinsics moved along.
    """
    samples = resized_crop(samples, params.crops, size_px)
    if any(params.flips):
        samples = hflip(samples, params.flips)
    samples = samples._replace(image=samples.image.contiguous().float())
    if params.angle_deg is not None:
        samples = rotate(samples, params.angle_deg)
    return samples._replace(image=change_colors(samples.image, params))


def change_colors(image: Tensor, params: AugmentParams) -> Tensor:
    """
    Make the changes to an image that leave its depth as it is.

    :param image: (B, 3, H, W) float32, 0 to 255.
    :param params: the changes, on the same device.
    :returns: the changed image, float32, 0 to 255; nothing is rounded in between.
    """
    if params.filters is not None and params.filter_share is not None:
        image = random_filter(image, params.filters, params.filter_share)
    if params.color_matrix is not None and params.contrast is not None:
        image = color_jitter(image, params.color_matrix, params.contrast)
    if params.gamma is not None:
        image = adjust_gamma(image, params.gamma)
    if params.shadow is not None:
        image = add_shadow(image, params.shadow)
    if params.blur is not None:
        image = gaussian_blur(image, params.blur)
    if params.noise is not None:
        image = add_noise(image, params.noise, params.noise_seeds)
    if params.jpeg_quality is not None:
        image = jpeg(image, params.jpeg_quality)
    if params.margin is not None:
        image = add_margin(image, params.margin)
    return image


# ---- Geometry


def resized_crop(
    samples: SampleBatch, crops: Sequence[Crop], size_px: tuple[int, int]
) -> SampleBatch:
    """
    Cut rectangles out of samples, and resize these; depths are never mixed.

    :param samples: samples of any size.
    :param crops: the crops of each sample.
    :param size_px: (height, width) of the result.
    :returns: the image as :func:`resize_image` makes it, the depth as :func:`resize_depth` does,
        and the intrinsics scaled about the pixels' corners: cx' = (cx - left + 0.5) s - 0.5.
    """
    device = samples.image.device
    places = to_device(torch.tensor(crops, dtype=torch.float32), device)
    intrinsics = samples.intrinsics.clone()
    intrinsics[:, :2, 2] += 0.5 - places[:, :2].flip(1)
    intrinsics[:, :2] *= (places.new_tensor(size_px[::-1]) / places[:, 2:].flip(1))[..., None]
    intrinsics[:, :2, 2] -= 0.5
    images = [resize_image(image, crop, size_px) for image, crop in zip(samples.image, crops)]
    if all(crop[2:] == tuple(size_px) for crop in crops):
        depth_m = _stack([_cut(part, crop) for part, crop in zip(samples.depth_m, crops)])
    else:
        depth_m = resize_depth(samples.depth_m, places, size_px)
    return SampleBatch(_stack(images), depth_m, intrinsics)


def resize_image(image: Tensor, crop: Crop, size_px: tuple[int, int]) -> Tensor:
    """
    Cut a rectangle out of an image, and resize it as the predictor does.

    :param image: (3, H, W) uint8 or float32. Of uint8, the order (H, W, 3) in memory is fastest.
    :param crop: the rectangle.
    :param size_px: (height, width) of the result.
    :returns: (3, height, width), of the same type. Where it shrinks, pixels are weighed by a
        triangle as wide as the factor; where it grows, they are interpolated.
    """
    image = _cut(image, crop)
    if crop[2:] == tuple(size_px):
        return image
    if image.device.type != 'cpu':  # where PyTorch resizes floating-point numbers only
        image = image.float()
    return F.interpolate(image[None], size_px, mode='bilinear', antialias=True)[0]


def _stack(parts: list[Tensor]) -> Tensor:
    """Return a batch; of one part without a copy."""
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)


def _cut(values: Tensor, crop: Crop) -> Tensor:
    top, left, height, width = crop
    return values[:, top : top + height, left : left + width]


def resize_depth(depth_m: Tensor, crops: Tensor, size_px: tuple[int, int]) -> Tensor:
    """
    Resize crops of depth by picking: every value of the result is one of the measured ones.

    Each pixel takes the value at its centre. Where that was not measured, it takes the measured
    value nearest to its centre within its area, so that few points of a LiDAR image are lost.

    :param depth_m: (B, 1, H, W) metres, NaN where not measured.
    :param crops: (B, 4) float32: top, left, height and width in pixels.
    :param size_px: (height, width) of the result.
    :returns: (B, 1, height, width), NaN where nothing was measured in the area.
    """
    count, _, source_height, source_width = depth_m.shape
    device = depth_m.device
    top, left, crop_height, crop_width = crops.T[..., None]
    place_y, place_x = (torch.arange(size, device=device) for size in size_px)
    first_row = torch.arange(count, device=device)[:, None] * source_height
    source_rows = depth_m.reshape(-1, source_width)

    def pick(y: float, x: float) -> Tensor:
        """Return the depth at a place in the area of each pixel, in shares of the area."""
        rows = (top + (place_y + y) * (crop_height / size_px[0])).long() + first_row
        columns = (left + (place_x + x) * (crop_width / size_px[1])).long()
        picked_rows = source_rows.index_select(0, rows.flatten()).view(count, -1, source_width)
        return picked_rows.gather(2, columns[:, None].expand(-1, size_px[0], -1))[:, None]

    picked = pick(0.5, 0.5)
    if device.type == 'cpu' and not picked.isnan().any():  # on a GPU, asking would wait for it
        return picked
    counts = [math.ceil(source / size) for source, size in zip(depth_m.shape[2:], size_px)]
    places = [
        ((row + 0.5) / counts[0], (column + 0.5) / counts[1])
        for row in range(counts[0])
        for column in range(counts[1])
    ]
    for y, x in sorted(places, key=lambda place: math.hypot(place[0] - 0.5, place[1] - 0.5)):
        picked = torch.where(picked.isnan(), pick(y, x), picked)
    return picked


def hflip(samples: SampleBatch, flips: Sequence[bool]) -> SampleBatch:
    """
    Mirror samples left to right.

    :param samples: samples of any size.
    :param flips: whether to mirror each.
    :returns: the samples; the centre of the intrinsics is mirrored, too.
    """
    image, depth_m = (
        _stack([part.flip(-1) if flip else part for part, flip in zip(values, flips)])
        for values in (samples.image, samples.depth_m)
    )
    intrinsics = samples.intrinsics.clone()
    for matrix, flip in zip(intrinsics, flips):
        if flip:
            matrix[0, 2] = samples.image.shape[3] - 1 - matrix[0, 2]
    return SampleBatch(image, depth_m, intrinsics)


def rotate(samples: SampleBatch, angle_deg: Tensor) -> SampleBatch:
    """
    Rotate samples about their centres: the camera rolls.

    A roll leaves Z as it is. The border that the rotated image leaves uncovered has no depth
    (NaN); its colours are mirrored from the inside, so that there is no black edge to learn.

    :param samples: the image float32.
    :param angle_deg: (B,) counter-clockwise.
    :returns: the rotated samples, the centre of the intrinsics rotated along.
    """
    height, width = samples.image.shape[2:]
    angle = torch.deg2rad(angle_deg)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Where each pixel comes from, from -1 to 1 between the middles of the outer pixels.
    aspect = (width - 1) / (height - 1)
    x = torch.linspace(-1, 1, width, device=angle.device)
    y = torch.linspace(-1, 1, height, device=angle.device)[:, None]
    cos_, sin_ = cos[:, None, None], sin[:, None, None]
    grid = torch.empty((len(angle), height, width, 2), device=angle.device)
    torch.sub(cos_ * x, sin_ / aspect * y, out=grid[..., 0])
    torch.add(sin_ * aspect * x, cos_ * y, out=grid[..., 1])
    image = F.grid_sample(samples.image, grid, 'bilinear', 'reflection', align_corners=True)
    measured_m = samples.depth_m.float().nan_to_num(nan=0.0, posinf=math.inf)
    depth_m = F.grid_sample(measured_m, grid, 'nearest', 'zeros', align_corners=True)
    intrinsics = samples.intrinsics.clone()
    x, y = intrinsics[:, 0, 2] - (width - 1) / 2, intrinsics[:, 1, 2] - (height - 1) / 2
    intrinsics[:, 0, 2] = cos * x + sin * y + (width - 1) / 2
    intrinsics[:, 1, 2] = cos * y - sin * x + (height - 1) / 2
    return SampleBatch(image, torch.where(depth_m == 0, math.nan, depth_m), intrinsics)


def canonical_depth(depth_m: Tensor, intrinsics: Tensor, training_focal_px: float) -> Tensor:
    """
    Return the depth as it would be if the cameras had the training focal length.

    ``depth_m * training_focal_px / focal_px``: of two cameras that see the same pixels the longer
    lens is farther away. The predictor undoes it (:meth:`DepthPredictor.predict`).

    :param depth_m: (B, 1, H, W) metres, at the network's size.
    :param intrinsics: (B, 3, 3) camera matrices at that size.
    :param training_focal_px: focal length at the network's size that the network assumes.
    :returns: (B, 1, H, W) metres.
    """
    return depth_m * _of_image(training_focal_px / intrinsics[:, 0, 0])


# ---- Colours


def color_jitter(image: Tensor, matrix: Tensor, contrast: Tensor) -> Tensor:
    """
    Change brightness, saturation, hue and contrast.

    :param image: (B, 3, H, W) float32, 0 to 255.
    :param matrix: (B, 3, 3) from RGB to RGB.
    :param contrast: (B,) factor of the distance from the mean grey.
    :returns: (B, 3, H, W), clipped to 0 to 255.
    """
    gray = _constants(image.device).gray_weights
    # The change of contrast leaves the mean grey as it is, so it can be of what comes out.
    mean_gray = (matrix @ image.mean((2, 3))[..., None]).squeeze(-1) @ gray
    offset = ((1 - contrast) * mean_gray)[:, None, None]
    changed = torch.baddbmm(offset, contrast[:, None, None] * matrix, image.flatten(2))
    return changed.view_as(image).clamp_(0, 255)


def adjust_gamma(image: Tensor, gamma: Tensor) -> Tensor:
    """Return 255 (image / 255)^gamma, (B, 3, H, W), of (B,) exponents."""
    # Several times as fast on a CPU as a power.
    return (image / 255).log_().mul_(_of_image(gamma)).exp_().mul_(255)


def random_filter(image: Tensor, filters: Tensor, share: Tensor) -> Tensor:
    """
    Mix images with what random filters make of them.

    A filter of a few pixels changes what surfaces look like, up to a negative, and not where they
    end (Xu et al., Robust and Generalizable Visual Representation Learning via Random
    Convolutions, ICLR 2021). The filtered image gets mean and deviation of each channel back.

    :param image: (B, 3, H, W) float32, 0 to 255.
    :param filters: (B, 3, 3, K, K), to each channel from each channel, K odd.
    :param share: (B,) share of the filtered image in the mix.
    :returns: (B, 3, H, W), 0 to 255.
    """
    count, channels, height, width = image.shape
    deviation, mean = torch.std_mean(image, (2, 3), keepdim=True)
    padded = F.pad((image - mean) / 255, (filters.shape[-1] // 2,) * 4, mode='reflect')
    filtered = F.conv2d(padded.flatten(0, 1)[None], filters.flatten(0, 1), groups=count)
    filtered = filtered.view_as(image)
    filtered_deviation, filtered_mean = torch.std_mean(filtered, (2, 3), keepdim=True)
    gain = deviation / filtered_deviation.clamp(min=1e-5)
    filtered = (filtered - filtered_mean) * gain + mean
    return torch.lerp(image, filtered, _of_image(share)).clamp_(0, 255)


def add_shadow(image: Tensor, shadow: Tensor) -> Tensor:
    """
    Darken a band with soft edges.

    :param image: (B, 3, H, W) float32.
    :param shadow: (B, 6) as in :class:`AugmentParams`; lengths are shares of the image's sides.
    :returns: the darkened image.
    """
    height, width = image.shape[2:]
    x, y, centre, half_width, softness, darkness = (_of_image(part) for part in shadow.unbind(1))
    columns = torch.arange(width, device=image.device) / width
    rows = (torch.arange(height, device=image.device) / height)[:, None]
    inside = (half_width - (columns * x + rows * y - centre).abs()) / softness
    return image * (1 - inside.clamp_(0, 1) * darkness)


def gaussian_blur(image: Tensor, kernels: Tensor) -> Tensor:
    """
    Blur each image by a kernel of its own, along both axes.

    :param image: (B, 3, H, W) float32.
    :param kernels: (B, K), K odd.
    :returns: the blurred image.
    """
    radius = kernels.shape[1] // 2
    weights = _of_image(kernels).unbind(1)  # K of (B, 1, 1, 1)
    blurred = F.pad(image, (radius,) * 4, mode='reflect')
    for axis in (2, 3):
        size = image.shape[axis]
        taps = [blurred.narrow(axis, start, size) for start in range(2 * radius + 1)]
        blurred = taps[radius] * weights[radius]
        for left, right, weight in zip(taps, reversed(taps), weights[:radius]):
            blurred.addcmul_(left + right, weight)  # a Gaussian is symmetric
    return blurred


def add_noise(image: Tensor, deviation: Tensor, seeds: Sequence[int]) -> Tensor:
    """
    Add noise to each pixel and channel.

    :param image: (B, 3, H, W) float32.
    :param deviation: (B,) standard deviations, in steps of 255.
    :param seeds: the seeds of each image's noise; a device has numbers of its own.
    :returns: the noisy image, clipped to 0 to 255.
    """
    noise = torch.empty_like(image)
    generator = torch.Generator(image.device)
    for channels, seed in zip(noise, seeds):
        channels.normal_(generator=generator.manual_seed(seed))
    return noise.mul_(_of_image(deviation)).add_(image).clamp_(0, 255)


def add_margin(image: Tensor, margin: Tensor) -> Tensor:
    """
    Paint a plain margin over the border.

    The depth behind it stays to be predicted, so the margin's edges come to mean nothing.

    :param image: (B, 3, H, W).
    :param margin: (B, 5): top, bottom, left and right width in pixels, and the grey.
    :returns: the image with a margin.
    """
    height, width = image.shape[2:]
    top, bottom, left, right, gray = (_of_image(part) for part in margin.unbind(1))
    row = torch.arange(height, device=image.device)[:, None]
    column = torch.arange(width, device=image.device)
    inside = (row >= top) & (row < height - bottom) & (column >= left) & (column < width - right)
    return torch.where(inside, image, gray)


# ---- JPEG (ITU-T T.81)

_BLOCK_PX = 8
# Of brightness and of colour, at quality 50 (annex K, tables K.1 and K.2).
_LUMINANCE_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COLOR_STEPS = np.full((8, 8), 99)
_COLOR_STEPS[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO_YCBCR = np.array([GRAY_WEIGHTS, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)])


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """
    Return what a JPEG compression leaves of images, the colours at half the resolution.

    :param image: (B, 3, H, W) float32 RGB, 0 to 255.
    :param quality: (B,) 1 to 100; above, the image stays as it is.
    :returns: (B, 3, H, W), 0 to 255.
    """
    count, _, height, width = image.shape
    constants = _constants(image.device)
    # The scale of the tables is that of the IJG's library, which cv2 uses.
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).clamp(min=0)
    below, beside = -height % (2 * _BLOCK_PX), -width % (2 * _BLOCK_PX)
    padded = F.pad(image, (0, beside, 0, below), mode='replicate') if below or beside else image
    planes = (constants.to_ycbcr @ padded.flatten(2)).view_as(padded)
    luminance = _quantize(planes[:, :1] - 128, constants.luminance_steps, percent) + 128
    rows = planes[:, 1:, ::2] + planes[:, 1:, 1::2]
    color = (rows[..., ::2] + rows[..., 1::2]) / 4
    color = _quantize(color, constants.color_steps, percent)
    color = F.interpolate(color, scale_factor=2.0, mode='bilinear')
    planes = torch.cat((luminance, color), 1)
    decoded = (constants.from_ycbcr @ planes.flatten(2)).view_as(padded).clamp_(0, 255)
    return torch.where(_of_image(quality) <= 100, decoded[..., :height, :width], image)


def _quantize(planes: Tensor, steps: Tensor, percent: Tensor) -> Tensor:
    """Round the cosine transform of each block to multiples of the (64,) steps in percent."""
    count, channels, height, width = planes.shape
    cosines = _constants(planes.device).cosines
    scaled = (steps * percent[:, None] / 100 + 0.5).floor().clamp(1, 255)[:, None]
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    spectrum = blocks.reshape(count, -1, 64) @ cosines.T
    spectrum = spectrum.div_(scaled).round_().mul_(scaled)
    blocks = (spectrum @ cosines).view(count, channels, height // 8, width // 8, 8, 8)
    return blocks.transpose(3, 4).reshape(planes.shape)


class _Constants(NamedTuple):
    gray_weights: Tensor
    to_ycbcr: Tensor
    from_ycbcr: Tensor
    luminance_steps: Tensor
    color_steps: Tensor
    cosines: Tensor


@functools.cache
def _constants(device: torch.device) -> _Constants:
    """Return what colours and JPEG need, on ``device`` once: each copy waits for the device."""
    k, n = np.mgrid[:8, :8]
    cosines = np.cos((2 * n + 1) * k * np.pi / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return _Constants(
        *(
            torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)
            for values in (
                GRAY_WEIGHTS,
                _TO_YCBCR,
                np.linalg.inv(_TO_YCBCR),
                _LUMINANCE_STEPS.ravel(),
                _COLOR_STEPS.ravel(),
                np.kron(cosines, cosines),
            )
        )
    )


def _of_image(values: Tensor) -> Tensor:
    """Return (B, ...) with three axes of length 1 at the end, as images need them."""
    return values[..., None, None, None]
