"""
The factor from the network's depth to true metres.

Depth from a single image is wrong by a factor that varies with the place. The factor follows from
the height of the camera above visible ground, or from a few true distances of another sensor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from .geometry import back_project, subsample
from .ground import GroundPlane

# The fit of the ground; all values were chosen on rendered scenes.
_SAMPLED_POINTS = 2500
# Sine of the least angle of a ray below the horizon. Farther ground depends more on the tilt of
# the plane, and on its curvature in the predicted depth, than on the scale.
_LEAST_SINE = 0.1
_LEAST_SHARE, _LEAST_POINTS = 0.1, 30  # of the rays, with depth and below that angle
# Changes of pitch and roll by slopes, braking and mounting, and their standard deviation.
_PITCHES_DEG, _ROLLS_DEG, _TILT_DEG = range(-6, 7), (-2, 0, 2), 3.0
# The histogram of the logarithm of the factor.
_BIN, _BINS = 0.02, 301
_LOG_FACTORS = _BIN * (np.arange(_BINS) - _BINS // 2)
# A point is on the ground if its depth is off by less than this share. Points below count against.
_GROUND_TOLERANCE, _BELOW_WEIGHT = 0.1, 1.5
# Networks assume that a camera is as high as those in training. So the factor is usually between 1
# and the ratio of the heights. Standard deviations of its logarithm from that range, and from 1.
_USUAL_HEIGHT_M, _BEYOND, _FROM_ONE = 1.5, 0.3, 1.0
_PRIOR_WEIGHT, _LARGEST_SURPRISE = 0.05, 4.0
# The least support; more is needed for a factor outside of that range. Above it, a table can be
# mistaken for the ground. Below it, with a wrong pitch, things on the ground can.
_LEAST_GROUND, _MOST_BEYOND = 0.05, 0.4
# Error of the logarithm of the factor if no point agrees.
_FIT_ERROR = 0.3
_TINY = 1e-9  # avoids divisions by zero and the logarithm of zero

# The fit to a reference: the fewest common pixels, and the largest ratio that counts as agreement.
_LEAST_SHARED_PX = 20
_AGREEING_RATIO = 1.25

_UNSTAMPED_S = 0.1  # from image to image, if the stamps are unknown


class NoScaleError(ValueError):
    """The scale cannot be measured in this image; the message gives the reason."""


class Scale(NamedTuple):
    """
    A factor on the depth, and its confidence.

    ``confidence`` is the share, 0 to 1, of the compared pixels that agree with the factor; NaN if
    no pixels were compared.
    """

    factor: float
    confidence: float


def scale_from_ground(depth_m: np.ndarray, intrinsics: np.ndarray, ground: GroundPlane) -> Scale:
    """
    Compare the known ground plane with the predicted depth.

    Each ray below the horizon meets the ground at a known depth. If the pixel shows the ground,
    the ratio of this depth to the predicted one is the factor. Things on the ground have greater
    ratios, and nothing has a smaller one. So the factor is the mode of the ratios, with a penalty
    for points that it would put below the ground. The search includes slightly tilted planes. A
    prior weighs tilt and factor. A factor within the error of the fit is moved towards 1.

    :param depth_m: (H, W) float metres, times an unknown factor; NaN or infinite where invalid.
    :param intrinsics: (3, 3) camera matrix in pixels of this image.
    :param ground: in true metres; its angles may be off by several degrees.
    :returns: the factor. The confidence is the share of the points below the horizon that are on
        the plane, minus the share below it.
    :raises NoScaleError: if hardly any valid pixel is below the horizon, or too few are on a
        plane.
    """
    stride = max(1, math.isqrt(depth_m.size // _SAMPLED_POINTS))
    points = back_project(*subsample(depth_m, intrinsics.astype(np.float64), stride))
    points = points.reshape(-1, 3).astype(np.float64)
    sampled = len(points)
    points = points[points[:, 2] > 0]

    tilts_rad = np.radians([(pitch, roll) for pitch in _PITCHES_DEG for roll in _ROLLS_DEG])
    planes = [
        GroundPlane(ground.height_m, ground.pitch_rad + pitch, ground.roll_rad + roll).down
        for pitch, roll in tilts_rad
    ]
    drops_m = points @ np.transpose(planes)  # (N, planes), from the camera down to each point
    sines = drops_m / np.linalg.norm(points, axis=1, keepdims=True)
    weights = np.sqrt(np.where(sines > _LEAST_SINE, sines, 0.0))
    is_enough = (weights > 0).sum(axis=0) >= max(_LEAST_POINTS, _LEAST_SHARE * sampled)
    if not is_enough.any():
        raise NoScaleError('hardly any valid depth below the horizon')
    weights /= np.maximum(weights.sum(axis=0), _TINY)
    log_ratios = np.log(ground.height_m / np.maximum(drops_m, _TINY))

    support = _support(log_ratios, weights)
    beyond = _beyond_usual(ground.height_m)
    score = support - _PRIOR_WEIGHT * _surprise(beyond, tilts_rad)
    score[~is_enough] = -np.inf
    plane, place = np.unravel_index(np.argmax(score), score.shape)
    confidence = float(support[plane, place])
    if confidence < _LEAST_GROUND + min(_MOST_BEYOND, abs(beyond[place])):
        raise NoScaleError('no level ground below the horizon')
    off = log_ratios[:, plane] - _LOG_FACTORS[place]
    is_ground = np.abs(off) < _GROUND_TOLERANCE
    if not is_ground.any():  # all beyond the greatest factor or below the least
        raise NoScaleError(
            'no level ground below the horizon fits a camera height of '
            f'{ground.height_m:.3g} m: check that it is right, and in metres'
        )
    found = _LOG_FACTORS[place] + _weighted_median(off[is_ground], weights[is_ground, plane])
    return Scale(math.exp(_moved_to_0(found, confidence)), confidence)


def _beyond_usual(height_m: float) -> np.ndarray:
    """
    Return by how much each of ``_LOG_FACTORS`` is outside of the usual range.

    The range is from 1 to the ratio of the camera's height to that of the training cameras.
    """
    usual = math.log(height_m / _USUAL_HEIGHT_M)
    return _LOG_FACTORS - np.clip(_LOG_FACTORS, min(0.0, usual), max(0.0, usual))


def _surprise(beyond: np.ndarray, tilts_rad: np.ndarray) -> np.ndarray:
    """Return how unlikely each plane with each factor is, before any image: (planes, factors)."""
    of_factor = (beyond / _BEYOND) ** 2 + (_LOG_FACTORS / _FROM_ONE) ** 2
    of_tilt = (tilts_rad**2).sum(axis=1) / math.radians(_TILT_DEG) ** 2
    return np.minimum(of_factor, _LARGEST_SURPRISE) + of_tilt[:, np.newaxis]


def _support(log_ratios: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """
    Return the share of points on the ground for each factor, minus the share below it.

    The weight of a point falls with its distance from the plane (MSAC, Torr and Zisserman 2000).

    :param log_ratios: (N, planes) logarithm of the factor that would put a point on a plane.
    :param weights: (N, planes), 0 for a point that has no part; the sum of each column is 1.
    :returns: (planes, factors) for the factors of ``_LOG_FACTORS``.
    """
    planes = log_ratios.shape[1]
    bins = np.clip(np.round((log_ratios - _LOG_FACTORS[0]) / _BIN), 0, _BINS - 1).astype(int)
    flat = bins + _BINS * np.arange(planes)
    histogram = np.bincount(flat.ravel(), weights.ravel(), planes * _BINS).reshape(planes, _BINS)
    reach = round(_GROUND_TOLERANCE / _BIN)
    padded = np.pad(histogram, ((0, 0), (reach, reach)))
    on_plane = sum(
        (1 - ((shift - reach) / reach) ** 2) * padded[:, shift : shift + _BINS]
        for shift in range(2 * reach + 1)
    )
    below = np.cumsum(padded, axis=1)[:, :_BINS]  # up to ``reach`` bins less
    return on_plane - _BELOW_WEIGHT * below


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the least value that has at least half of the weight at or below it."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _moved_to_0(log_factor: float, confidence: float) -> float:
    """Return the logarithm of a factor, moved towards 0 if it is within the error of the fit."""
    variance = _FIT_ERROR**2 * (1 - confidence) + _TINY
    # The factor times the weight x**2 / (x**2 + variance), which is between 0 and 1.
    return log_factor**3 / (log_factor**2 + variance)


def scale_from_reference(depth_m: np.ndarray, reference_m: np.ndarray) -> Scale:
    """
    Return the median of reference / depth, over the pixels that have both.

    The evaluation uses the ratio of two medians. The median of ratios is more robust: gross errors
    of the reference change it less, because the ratios are nearly equal.

    :param depth_m: (H, W) float metres, times an unknown factor; NaN or infinite where invalid.
    :param reference_m: (h, w) float true metres along the optical axis, with the same field of
        view, in any resolution; NaN where unknown, which may be nearly everywhere.
    :returns: the factor. The confidence is the share of these pixels whose scaled depth is within
        25 % of the reference.
    :raises NoScaleError: if fewer than 20 pixels have both.
    """
    rows, columns = np.nonzero(np.isfinite(reference_m) & (reference_m > 0))
    reference = reference_m[rows, columns]
    v, u = (
        ((index + 0.5) * side / reference_side).astype(int)
        for index, side, reference_side in zip((rows, columns), depth_m.shape, reference_m.shape)
    )
    depth = depth_m[v, u]
    has_both = np.isfinite(depth) & (depth > 0)
    if has_both.sum() < _LEAST_SHARED_PX:
        raise NoScaleError(
            f'depth and scale reference share {has_both.sum()} pixels, at least '
            f'{_LEAST_SHARED_PX} are needed'
        )
    depth, reference = depth[has_both], reference[has_both]
    ratios = reference / depth
    factor = float(np.median(ratios))
    off = np.abs(np.log(ratios / factor))
    return Scale(factor, float((off < math.log(_AGREEING_RATIO)).mean()))


def cone_reference(
    size_px: tuple[int, int], intrinsics: np.ndarray, range_m: float, field_of_view_rad: float
) -> np.ndarray:
    """
    Return the measurement of a range sensor along the optical axis as a sparse depth image.

    :param size_px: (height, width) of the image.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :param range_m: measured distance in metres.
    :param field_of_view_rad: opening angle of the cone of the sensor.
    :returns: (H, W) float32, ``range_m`` inside the cone (at least 5 x 5 pixels), NaN elsewhere.
    """
    radius_px = max(3, round(intrinsics[0, 0] * math.tan(min(field_of_view_rad, 3.0) / 2)))
    disc = np.zeros(size_px, np.uint8)
    center = round(float(intrinsics[0, 2])), round(float(intrinsics[1, 2]))
    cv2.circle(disc, center, radius_px, 1, cv2.FILLED)
    return np.where(disc, np.float32(range_m), np.float32(np.nan))


class SmoothedScale:
    """
    The scale of one camera over time: an exponential mean, weighted by confidence.

    Without a measurement, the scale stays the same, and the confidence falls towards 0.

    :param first: the factor until the first measurement.
    """

    def __init__(self, first: float) -> None:
        self._log_factor = math.log(first)
        self._weight = 0.0
        self._looks = 0.0
        self._stamp_s: float | None = None
        self._is_first = True

    def update(self, measured: Scale | None, stamp_s: float | None, smoothing_s: float) -> Scale:
        """
        Update the mean with one image.

        :param measured: scale of this image, None if it cannot be measured.
        :param stamp_s: time of the image in seconds. None, if unknown, counts as 0.1 s after the
            image before.
        :param smoothing_s: seconds after which a measurement has the weight 1 / e; 0 takes only
            the newest measurement.
        :returns: the smoothed factor. The confidence is the mean over all images, with 0 for an
            image without a measurement.
        """
        if not self._is_first:
            passed_s = (
                _UNSTAMPED_S
                if stamp_s is None or self._stamp_s is None
                else max(0.0, stamp_s - self._stamp_s)
            )  # stamps can go back if a bag is looped
            kept = math.exp(-passed_s / smoothing_s) if smoothing_s > 0 else 0.0
            self._weight *= kept
            self._looks *= kept
        self._stamp_s, self._is_first = stamp_s, False
        self._looks += 1
        if measured is not None and measured.confidence > 0:
            self._weight += measured.confidence
            self._log_factor += (
                measured.confidence / self._weight * (math.log(measured.factor) - self._log_factor)
            )
        return Scale(math.exp(self._log_factor), self._weight / self._looks)
