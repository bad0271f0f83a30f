"""Detect images that show no depth, such as dark or blurred ones, from a sample of pixels."""

from __future__ import annotations

import cv2
import numpy as np

# The limits, in grey levels of 0 to 255 or as shares. Each comment names the closest value among
# 56 real and 544 rendered frames without fault.
_DARK = 30  # for the 99th percentile; closest: 90, a street in rain
_UNIFORM = 12  # for the range from the 5th to the 95th percentile; closest: 41, a plain wall
_WHITE, _WHITE_SHARE = 250, 0.6  # closest share: 0.36, a bright sky
# Closest: 0.21, a room in fog. A Gaussian blur of 8 pixels in an image of 480 rows gives 0.14.
_SHARPNESS = 0.17
_LEAST_CONTRAST = 24  # below it, a quotient of grey values means nothing

_LINES = 16
_PATIENCE = 5  # images in a row that must agree before the verdict changes


class ImageHealth:
    """The fault of the images of one camera; it changes after five images that agree."""

    def __init__(self) -> None:
        self.fault = ''
        """The reason why the depth is doubtful; empty if there is none."""

        self._candidate = ''
        self._agreeing = 0
        self._sample = np.empty(0, np.uint8)
        self._since_ns = 0

    def update(self, rgb: np.ndarray, stamp_ns: int, frozen_after_s: float) -> str:
        """
        Look at the next image, and return :attr:`fault`.

        :param rgb: (H, W, 3) uint8, as it was taken.
        :param stamp_ns: its time in nanoseconds.
        :param frozen_after_s: for how many seconds the pixels may stay the same; 0 means no limit.
        """
        sample = _rows(rgb)
        if not np.array_equal(sample, self._sample) or stamp_ns < self._since_ns:
            self._sample, self._since_ns = sample, stamp_ns
        same_s = (stamp_ns - self._since_ns) * 1e-9
        fault = _fault(rgb, sample)
        if not fault and 0 < frozen_after_s <= same_s:
            fault = f'no pixel has changed for {frozen_after_s:g} s: restart the camera'
            self._agreeing = _PATIENCE
        elif fault == self._candidate:
            self._agreeing += 1
        else:
            self._agreeing = 1
        self._candidate = fault
        if self._agreeing >= _PATIENCE:
            self.fault = fault
        return self.fault


def image_fault(rgb: np.ndarray) -> str:
    """
    Return why no depth can be seen in an image; empty if there is no such reason.

    The text is the same for all images with this fault.

    :param rgb: (H, W, 3) uint8, as it was taken.
    """
    return _fault(rgb, _rows(rgb))


def _fault(rgb: np.ndarray, rows: np.ndarray) -> str:
    """Return the text of :func:`image_fault`; ``rows`` is the sample from :func:`_rows`."""
    darkest, brightest, top = _percentiles(rows, 0.05, 0.95, 0.99)
    if top < _DARK:
        return f'99 % of the image are darker than {_DARK} of 255: uncover the lens or add light'
    if np.count_nonzero(rows >= _WHITE) > _WHITE_SHARE * rows.size:
        return f'over {_WHITE_SHARE:.0%} of the image are white: reduce the exposure'
    if brightest - darkest < _UNIFORM:
        return 'the image has one colour only: uncover the lens or turn the camera'
    if _sharpness(rgb, rows) < _SHARPNESS:
        return 'no edge in the image is sharp: focus or clean the lens'
    return ''


def _sharpness(rgb: np.ndarray, rows: np.ndarray) -> float:
    """
    Return the sharpness of the strongest edges along the sharper axis.

    Sharpness is the grey difference of near pixels, divided by that of pixels eight times as far
    apart. It is 1 for a step and 1/8 for a ramp. Near pixels would be neighbours if the shorter
    side of the image had 240 pixels.
    """
    height, width = rgb.shape[:2]
    near = max(1, round(min(height, width) / 240))
    columns = np.ascontiguousarray(rgb[:, :: max(1, width // _LINES), 1].T)
    found = []
    for lines in (rows, columns):
        if lines.shape[1] > 16 * near:
            (fine,), (coarse,) = (
                _percentiles(cv2.absdiff(lines[:, step:], lines[:, :-step]), 0.99)
                for step in (near, 8 * near)
            )
            if coarse >= _LEAST_CONTRAST:
                found.append(fine / coarse)
    return max(found, default=1.0)


def _rows(rgb: np.ndarray) -> np.ndarray:
    """Return the green of some rows, as (h, W) uint8 with its own memory."""
    return np.ascontiguousarray(rgb[:: max(1, len(rgb) // _LINES), :, 1])


def _percentiles(values: np.ndarray, *shares: float) -> list[int]:
    """Return the least grey values that these shares of an (h, w) uint8 array do not exceed."""
    counts = np.bincount(values.ravel(), minlength=256).cumsum()
    return np.searchsorted(counts, np.multiply(shares, values.size)).tolist()
