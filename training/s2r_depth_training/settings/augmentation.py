"""Settings of the random changes to training images."""

from dataclasses import dataclass

from ..ranges import check_ranges

Range = tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """
    The random changes to training images; the defaults are the published ones.

    :param flip_probability: share of the images mirrored left to right.
    :param rotation_probability: share of the images rotated.
    :param max_rotation_deg: largest rotation in degrees, in both directions.
    :param color_probability: share of the images whose colours change.
    :param brightness: range of the factor on brightness.
    :param contrast: range of the factor on the difference from the mean grey.
    :param saturation: range of the factor on the difference from each pixel's grey.
    :param crop_scale: range of the size of the crop. 1 is the largest crop with the aspect ratio
        of the network's input. A smaller crop has a longer focal length, for which depth is
        corrected.
    :param max_hue_deg: largest rotation of the colours about the grey axis in degrees, in both
        directions.
    :param max_channel_gain: largest relative change of red, green and blue.
    :param gamma: range of the exponent of the tone curve.
    :param shadow_probability: share of the images with a random dark band.
    :param max_blur_px: largest standard deviation of blur, in pixels of the network's input.
    :param max_noise: largest standard deviation of noise, in grey levels of 255.
    :param jpeg_quality: range of the quality of a JPEG compression; (100, 100) for none.
    :param margin_probability: share of the images with a plain black, grey or white margin, as
        scanned, rectified and undistorted photographs have.
    :param filter_probability: share of the images with changed colours that pass through a random
        filter. The filter changes textures and tones, and keeps outlines.
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
            self,
            'flip_probability',
            'rotation_probability',
            'color_probability',
            'shadow_probability',
            'margin_probability',
            'filter_probability',
            least=0,
            most=1,
        )
        check_ranges(self, 'max_rotation_deg', 'max_hue_deg', least=0, most=180)
        check_ranges(self, 'max_channel_gain', least=0, below=1)
        check_ranges(self, 'max_blur_px', 'max_noise', least=0)
        for name in (
            'brightness',
            'contrast',
            'saturation',
            'crop_scale',
            'gamma',
            'jpeg_quality',
        ):
            low, high = getattr(self, name)
            if not 0 < low <= high < float('inf'):
                raise ValueError(
                    f'{name} must be a range of two positive numbers, the smaller first, '
                    f'got {low}, {high}'
                )
        for name, most in (('crop_scale', 1), ('jpeg_quality', 100)):
            if getattr(self, name)[1] > most:
                raise ValueError(f'{name} must be at most {most}, got {getattr(self, name)[1]}')
