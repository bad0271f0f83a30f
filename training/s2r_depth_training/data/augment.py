"""From a sample to the network's size, with the published and stronger random changes."""
from dataclasses import dataclass

import cv2
import numpy as np

from ..ranges import check_ranges
from .sample import Sample

GRAY_WEIGHTS = np.array((0.299, 0.587, 0.114))
"""Luminance of RGB (ITU-R BT.601), as the reference implementation's image library has it."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """
    Which random changes are made to a training image; the defaults are the published ones.

    :param flip_probability: share of the images mirrored left to right.
    :param rotation_probability: share of the images rotated.
    :param max_rotation_deg: largest rotation, either way.
    :param color_probability: share of the images whose colours change at all.
    :param brightness: range of the factor.
    :param contrast: range of the factor about the mean grey.
    :param saturation: range of the factor about each pixel's grey.
    :param crop_scale: range of the size of the part of the image that is used, 1 being as much as
        fits the shape of the network's input. Smaller parts look like a longer lens, which is only
        right where a training focal length is given.
    :param max_hue_deg: largest rotation of the colours about the grey axis, either way.
    :param max_channel_gain: largest relative change of red, green and blue for themselves.
    :param gamma: range of the exponent of the tone curve.
    :param shadow_probability: share of the images with a random dark band.
    :param max_blur_px: largest standard deviation of blur, pixels at network size.
    :param max_noise: largest standard deviation of noise, in steps of 255.
    :param jpeg_quality: range of the quality of a JPEG compression; (100, 100) for none.
    :param margin_probability: share of the images with a plain black, grey or white margin, as
        scanned, rectified and undistorted photographs have.
    :param filter_probability: share of the images, of those whose colours change, that go through
        a random filter, which changes textures and tones and leaves outlines where they are.
    """

    flip_probability: float = 0.5
    rotation_probability: float = 0.5
    max_rotation_deg: float = 5.0
    color_probability: float = 0.5
    brightness: Range = (0.8, 1.0)
    contrast: Range = (0.8, 1.0)
    saturation: Range = (0.8, 1.0)
    crop_scale: Range = (1.0, 1.0)
    max_hue_deg: float = 0.0
    max_channel_gain: float = 0.0
    gamma: Range = (1.0, 1.0)
    shadow_probability: float = 0.0
    max_blur_px: float = 0.0
    max_noise: float = 0.0
    jpeg_quality: tuple[int, int] = (100, 100)
    margin_probability: float = 0.0
    filter_probability: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(
            self, 'flip_probability', 'rotation_probability', 'color_probability',
            'shadow_probability', 'margin_probability', 'filter_probability', least=0, most=1)
        check_ranges(self, 'max_rotation_deg', 'max_hue_deg', least=0, most=180)
        check_ranges(self, 'max_channel_gain', least=0, below=1)
        check_ranges(self, 'max_blur_px', 'max_noise', least=0)
        for name in (
                'brightness', 'contrast', 'saturation', 'crop_scale', 'gamma', 'jpeg_quality'):
            low, high = getattr(self, name)
            if not 0 < low <= high < float('inf'):
                raise ValueError(
                    f'{name} must be a range of two positive numbers, the smaller first, '
                    f'got {low}, {high}')
        for name, most in (('crop_scale', 1), ('jpeg_quality', 100)):
            if getattr(self, name)[1] > most:
                raise ValueError(f'{name} must be at most {most}, got {getattr(self, name)[1]}')


def augment(
    sample: Sample, size_px: tuple[int, int], augmentation: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """
    Make a training sample of the network's size.

    :param sample: of any size.
    :param size_px: (height, width) of the result.
    :param augmentation: which random changes to make.
    :param rng: where chance comes from: the same generator state gives the same result.
    :returns: the sample resized, with intrinsics that fit.
    """
    part = random_part(sample.depth_m.shape, size_px, augmentation.crop_scale, rng)
    sample = resize(crop(sample, part), size_px)
    if rng.random() < augmentation.flip_probability:
        sample = flip(sample)
    if rng.random() < augmentation.rotation_probability:
        limit_deg = augmentation.max_rotation_deg
        sample = rotate(sample, rng.uniform(-limit_deg, limit_deg))
    if rng.random() < augmentation.color_probability:
        sample = sample._replace(image=jitter(sample.image, augmentation, rng))
    if augmentation.margin_probability and rng.random() < augmentation.margin_probability:
        sample = sample._replace(image=add_margin(sample.image, rng))
    return sample


def random_part(
    image_size_px: tuple[int, int], size_px: tuple[int, int], scale: Range,
    rng: np.random.Generator,
) -> tuple[slice, slice]:
    """
    Choose a random part of an image in the shape of the network's input.

    :param image_size_px: (height, width) of the image.
    :param size_px: (height, width) whose proportions the part has.
    :param scale: range of the size, 1 being the largest part that fits.
    :param rng: chooses size and place.
    :returns: its rows and columns.
    """
    height, width = image_size_px
    factor = min(height / size_px[0], width / size_px[1]) * rng.uniform(*scale)
    part_height = min(height, max(1, round(size_px[0] * factor)))
    part_width = min(width, max(1, round(size_px[1] * factor)))
    y = int(rng.integers(height - part_height + 1))
    x = int(rng.integers(width - part_width + 1))
    return slice(y, y + part_height), slice(x, x + part_width)


def fit(sample: Sample, size_px: tuple[int, int]) -> Sample:
    """
    Bring a sample to the network's size without chance: the largest central part, resized.

    :param sample: of any size.
    :param size_px: (height, width) of the result.
    :returns: the sample resized, with intrinsics that fit.
    """
    height, width = sample.depth_m.shape
    factor = min(height / size_px[0], width / size_px[1])
    part_height = min(height, round(size_px[0] * factor))
    part_width = min(width, round(size_px[1] * factor))
    y, x = (height - part_height) // 2, (width - part_width) // 2
    return resize(crop(sample, np.s_[y:y + part_height, x:x + part_width]), size_px)


def crop(sample: Sample, part: tuple[slice, slice]) -> Sample:
    """
    Cut a rectangle out of a sample.

    :param sample: of any size.
    :param part: rows and columns.
    :returns: views into the sample's arrays, the centre of the intrinsics moved.
    """
    rows, columns = part
    intrinsics = sample.intrinsics.copy()
    intrinsics[:2, 2] -= columns.start, rows.start
    return sample._replace(
        image=sample.image[part], depth_m=sample.depth_m[part], intrinsics=intrinsics)


def resize(sample: Sample, size_px: tuple[int, int]) -> Sample:
    """
    Resize a sample; depths are never mixed, so that edges stay edges.

    :param sample: of any size.
    :param size_px: (height, width) of the result.
    :returns: the image averaged over areas (or interpolated, where it grows), the depth picked
        as :func:`resize_depth` does, the intrinsics scaled about the pixels' corners:
        cx' = (cx + 0.5) s - 0.5.
    """
    height, width = sample.image.shape[:2]
    if (height, width) == tuple(size_px):
        return sample
    scale_y, scale_x = size_px[0] / height, size_px[1] / width
    pixel_map = np.array([
        [scale_x, 0, 0.5 * scale_x - 0.5], [0, scale_y, 0.5 * scale_y - 0.5], [0, 0, 1]],
        np.float32)
    return sample._replace(
        image=resize_image(sample.image, size_px), depth_m=resize_depth(sample.depth_m, size_px),
        intrinsics=pixel_map @ sample.intrinsics)


def resize_image(image: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """
    Resize an image.

    :param image: (H, W, 3) uint8.
    :param size_px: (height, width) of the result.
    :returns: the image averaged over areas where it shrinks, interpolated where it grows.
    """
    shrinks = size_px[0] <= image.shape[0] and size_px[1] <= image.shape[1]
    return cv2.resize(
        image, (size_px[1], size_px[0]),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_depth(depth_m: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """
    Resize depth by picking: every value of the result is one of the measured ones.

    Each pixel takes the value at its centre or, where nothing was measured there, the one measured
    nearest to its centre within its area; so hardly any point of a sparse LiDAR image is lost.

    :param depth_m: (H, W) float32 metres, NaN where not measured.
    :param size_px: (height, width) of the result.
    :returns: (height, width) float32 metres, NaN where nothing was measured in the area.
    """
    picked = _pick(depth_m, size_px, 0.5, 0.5)
    missing = np.isnan(picked)
    if not missing.any():
        return picked
    scale_y, scale_x = depth_m.shape[0] / size_px[0], depth_m.shape[1] / size_px[1]
    # Where in the area to look, as shares of it: the middles of the source's pixels.
    offsets = [
        ((i + 0.5) / n_y, (j + 0.5) / n_x)
        for n_y, n_x in [(int(np.ceil(scale_y)), int(np.ceil(scale_x)))]
        for i in range(n_y) for j in range(n_x)]
    for y, x in sorted(offsets, key=lambda o: (o[0] - 0.5) ** 2 + (o[1] - 0.5) ** 2):
        picked = np.where(missing, _pick(depth_m, size_px, y, x), picked)
        missing = np.isnan(picked)
    return picked


def _pick(depth_m: np.ndarray, size_px: tuple[int, int], y: float, x: float) -> np.ndarray:
    """Return the depth at the place (y, x), in shares of the area, of each resized pixel."""
    rows = ((np.arange(size_px[0]) + y) * depth_m.shape[0] / size_px[0]).astype(np.intp)
    columns = ((np.arange(size_px[1]) + x) * depth_m.shape[1] / size_px[1]).astype(np.intp)
    return depth_m[rows[:, None], columns]


def flip(sample: Sample) -> Sample:
    """
    Mirror a sample left to right.

    :param sample: of any size.
    :returns: the mirrored sample; the centre of the intrinsics is mirrored, too.
    """
    intrinsics = sample.intrinsics.copy()
    intrinsics[0, 2] = sample.image.shape[1] - 1 - intrinsics[0, 2]
    return sample._replace(
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        depth_m=np.ascontiguousarray(sample.depth_m[:, ::-1]), intrinsics=intrinsics)


def rotate(sample: Sample, angle_deg: float) -> Sample:
    """
    Rotate a sample about its centre: the camera rolls.

    A roll leaves Z as it is. The border that the rotated image leaves uncovered has no depth
    (NaN); its colours are mirrored from the inside, so that there is no black edge to learn.

    :param sample: of any size.
    :param angle_deg: counter-clockwise.
    :returns: the rotated sample of the same size, the centre of the intrinsics rotated along.
    """
    height, width = sample.depth_m.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    image = cv2.warpAffine(
        sample.image, matrix, (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101)
    depth_m = cv2.warpAffine(
        sample.depth_m, matrix, (width, height), flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT, borderValue=float('nan'))
    intrinsics = sample.intrinsics.copy()
    intrinsics[:2, 2] = matrix @ sample.intrinsics[:, 2]
    return sample._replace(image=image, depth_m=depth_m, intrinsics=intrinsics)


def jitter(
    image: np.ndarray, augmentation: Augmentation, rng: np.random.Generator,
) -> np.ndarray:
    """
    Change colours, light and sharpness at random.

    :param image: (H, W, 3) uint8 RGB.
    :param augmentation: how much of what; what it leaves out costs nothing.
    :param rng: where chance comes from.
    :returns: the changed image, same shape and type.
    """
    a = augmentation
    if a.filter_probability and rng.random() < a.filter_probability:
        image = filter_at_random(image, rng)
    image = adjust_color(
        image, rng.uniform(*a.brightness), rng.uniform(*a.contrast), rng.uniform(*a.saturation),
        rng.uniform(-a.max_hue_deg, a.max_hue_deg),
        1 + rng.uniform(-a.max_channel_gain, a.max_channel_gain, 3))
    if a.gamma != (1, 1):
        image = adjust_gamma(image, rng.uniform(*a.gamma))
    if rng.random() < a.shadow_probability:
        image = add_shadow(image, rng)
    if a.max_blur_px > 0:
        sigma_px = rng.uniform(0, a.max_blur_px)
        if sigma_px > 0.1:  # below, the kernel is one pixel
            image = cv2.GaussianBlur(image, (0, 0), sigma_px)
    if a.max_noise > 0:
        noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(0, a.max_noise)
        image = np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)
    if a.jpeg_quality != (100, 100):
        image = compress(image, int(rng.integers(a.jpeg_quality[0], a.jpeg_quality[1] + 1)))
    return image


def adjust_color(
    image: np.ndarray, brightness: float, contrast: float, saturation: float,
    hue_deg: float = 0.0, channel_gain: np.ndarray | float = 1.0,
) -> np.ndarray:
    """
    Change brightness, contrast, saturation and hue, in this order, in one pass.

    All are linear in the colours: brightness scales, contrast moves away from the image's mean
    grey, saturation from each pixel's grey, the hue turns about the grey axis.

    :param image: (H, W, 3) uint8 RGB.
    :param brightness: factor; 1 changes nothing, as for the next two.
    :param contrast: factor.
    :param saturation: factor.
    :param hue_deg: rotation of the colours.
    :param channel_gain: factor of each channel, applied first.
    :returns: the changed image, same shape and type.
    """
    gain = brightness * np.broadcast_to(channel_gain, 3)
    mean_gray = float(GRAY_WEIGHTS @ (gain * np.array(cv2.mean(image)[:3])))
    to_gray = np.tile(GRAY_WEIGHTS, (3, 1))
    saturate = saturation * np.eye(3) + (1 - saturation) * to_gray
    axis = np.ones(3) / np.sqrt(3)
    turn = cv2.Rodrigues(axis * np.deg2rad(hue_deg))[0]
    mix = contrast * turn @ saturate @ np.diag(gain)
    offset = np.full((3, 1), (1 - contrast) * mean_gray)  # both matrices leave grey as it is
    return cv2.transform(image, np.hstack((mix, offset)))


def adjust_gamma(image: np.ndarray, gamma: float) -> np.ndarray:
    """Return 255 (image / 255)^gamma, (H, W, 3) uint8."""
    curve = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return cv2.LUT(image, curve)


def filter_at_random(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Mix an image with what a random filter makes of it.

    A filter of a few pixels changes what surfaces look like, up to a negative, and not where they
    end (Xu et al., Robust and Generalizable Visual Representation Learning via Random
    Convolutions, ICLR 2021).

    :param image: (H, W, 3) uint8.
    :param rng: chooses the filter, from every channel to every channel over 1, 3, 5 or 7 pixels,
        and how much of the image stays.
    :returns: the changed image, same shape and type. What the filter makes has the mean and the
        deviation of each of the image's channels.
    """
    size_px = int(rng.choice([1, 3, 5, 7]))
    kernels = rng.standard_normal((3, 3, size_px, size_px), np.float32)
    filtered = np.stack([
        sum(cv2.filter2D(image[..., channel], cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
            for channel, kernel in enumerate(to_channel))
        for to_channel in kernels], axis=-1)
    mean, deviation = _mean_and_deviation(filtered)
    wanted_mean, wanted_deviation = _mean_and_deviation(image)
    share = rng.random(dtype=np.float32)
    gain = (1 - share) * wanted_deviation / np.maximum(deviation, 1e-3)
    offset = (1 - share) * wanted_mean - gain * mean
    mixed = share * image + filtered * gain + (offset + 0.5)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _mean_and_deviation(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both of each channel, float32; ten times as fast as NumPy's."""
    mean, deviation = cv2.meanStdDev(image)
    return mean.ravel().astype(np.float32), deviation.ravel().astype(np.float32)


def add_shadow(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Darken a random band with soft edges.

    :param image: (H, W, 3) uint8.
    :param rng: chooses direction, place, width and darkness.
    :returns: the darkened image, same shape and type.
    """
    height, width = image.shape[:2]
    angle = rng.uniform(0, np.pi)
    across = (
        np.arange(width, dtype=np.float32) / width * np.float32(np.cos(angle))
        + np.arange(height, dtype=np.float32)[:, None] / height * np.float32(np.sin(angle)))
    centre = rng.uniform(across.min(), across.max())
    half_width, softness = rng.uniform(0.05, 0.3), rng.uniform(0.005, 0.05)
    inside = np.clip((half_width - np.abs(across - centre)) / softness, 0, 1)
    light = 1 - inside * rng.uniform(0.2, 0.6)
    return (image * light[..., None] + 0.5).astype(np.uint8)


def add_margin(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Paint a plain margin over the border.

    The depth behind it stays to be predicted, so the margin's edges come to mean nothing.

    :param image: (H, W, 3) uint8.
    :param rng: chooses the grey, black and white more often than not, and each side's width, at
        most a twentieth of the image's.
    :returns: the image with a margin, same shape and type.
    """
    height, width = image.shape[:2]
    grey = int(rng.choice(np.array([0, 255, rng.integers(256)])))
    top, bottom = (rng.uniform(0, height / 20, 2) + 0.5).astype(int)
    left, right = (rng.uniform(0, width / 20, 2) + 0.5).astype(int)
    framed = np.full_like(image, grey)
    inside = np.s_[top:height - bottom, left:width - right]
    framed[inside] = image[inside]
    return framed


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return the image after JPEG compression with a quality of 1 to 100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # JPEG treats red and blue differently
    encoded = cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def canonical_depth(sample: Sample, training_focal_px: float) -> np.ndarray:
    """
    Return the depth as it would be if the camera had the training focal length.

    ``depth_m * training_focal_px / focal_px``: of two cameras that see the same pixels the longer
    lens is farther away. The predictor undoes it (:meth:`DepthPredictor.predict`).

    :param sample: at the network's size.
    :param training_focal_px: focal length at the network's size that the network is to assume.
    :returns: (H, W) float32 metres.
    """
    return sample.depth_m * np.float32(training_focal_px / sample.intrinsics[0, 0])
