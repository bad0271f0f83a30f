"""Size of the network's input, and the place of an image in it."""

from __future__ import annotations

from dataclasses import dataclass
import math

SIZE_MULTIPLE = 16
SMALLEST_SIZE = 96


@dataclass(frozen=True)
class Letterbox:
    """
    The place of an image in the network's input: resized by one factor, centred, border repeated.

    :param image_size_px: (height, width) of the image.
    :param inner_size_px: (height, width) of the resized image inside the input.
    :param input_size_px: (height, width) of the input, multiples of 16.
    """

    image_size_px: tuple[int, int]
    inner_size_px: tuple[int, int]
    input_size_px: tuple[int, int]

    @classmethod
    def automatic(cls, image_size_px: tuple[int, int], area_px: int) -> Letterbox:
        """Choose an input of about ``area_px`` pixels with the aspect ratio of the image."""
        height, width = image_size_px
        scale = math.sqrt(area_px / (height * width))
        longest = 2 * area_px // SMALLEST_SIZE  # bounds the work for slim images
        input_size_px = tuple(
            max(SMALLEST_SIZE, round(min(longest, side * scale) / SIZE_MULTIPLE) * SIZE_MULTIPLE)
            for side in (height, width)
        )
        return cls.fixed(image_size_px, input_size_px)  # type: ignore[arg-type]

    @classmethod
    def fixed(cls, image_size_px: tuple[int, int], input_size_px: tuple[int, int]) -> Letterbox:
        """Put the whole image into an input of the given size."""
        scale = min(inside / side for inside, side in zip(input_size_px, image_size_px))
        inner = tuple(
            min(inside, max(1, round(side * scale)))
            for inside, side in zip(input_size_px, image_size_px)
        )
        return cls(image_size_px, inner, input_size_px)  # type: ignore[arg-type]

    @property
    def scale(self) -> float:
        """Input pixels per image pixel along the width; the focal length scales by it, too."""
        return self.inner_size_px[1] / self.image_size_px[1]

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Pixels added (left, right, top, bottom)."""
        spare_v, spare_h = (
            outer - inner for outer, inner in zip(self.input_size_px, self.inner_size_px)
        )
        return spare_h // 2, spare_h - spare_h // 2, spare_v // 2, spare_v - spare_v // 2


def check_network_size(size_px: tuple[int, int] | None) -> None:
    """Raise ValueError if the network cannot take an input of (height, width)."""
    if size_px is not None and any(
        side % SIZE_MULTIPLE or side < SMALLEST_SIZE for side in size_px
    ):
        raise ValueError(
            f'the network size must be multiples of {SIZE_MULTIPLE}, at least {SMALLEST_SIZE}, '
            f'got {size_px[0]} x {size_px[1]}'
        )
