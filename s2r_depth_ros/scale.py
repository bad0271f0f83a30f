"""
The factor that makes true metres of the network's depth, from what is known beside the image.

Depth from a single image is right up to a factor that drifts with the place. Two things tell it:
the camera's height above the ground that it sees, or a few true distances from another sensor.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from .geometry import back_project, subsample

# The ground is looked for in this part of the image, from the bottom.
_LOWER_PART = 0.4
_SAMPLED_POINTS = 4000
_TRIED_PLANES = 200
# A point is of the plane if it is off by less than this, relative to the camera's height: for a
# camera at 1.5 m a kerb is, a step is not.
_PLANE_TOLERANCE = 0.1
# Between the plane and level ground as the camera should see it. Wider, a slanted plane through
# furniture and walls can have more points than the floor between them, and a road that the network
# bends stands for a wrong height (measured on rendered streets).
_LARGEST_TILT_RAD = math.radians(8)
_LEAST_GROUND = 0.25

_LEAST_SHARED_PX = 20
_AGREEING_RATIO = 1.25

_UNSTAMPED_S = 0.1  # from image to image, where no stamp says it


class NoScaleError(ValueError):
    """The scale cannot be told from this image; the text says why."""


class Scale(NamedTuple):
    """
    A factor on the depth, and how far to trust it.

    ``confidence`` is the share, 0 to 1, of what was looked at that agrees with the factor; NaN if
    nothing was looked at.
    """

    factor: float
    confidence: float


def scale_from_ground(
    depth_m: np.ndarray, intrinsics: np.ndarray, camera_height_m: float,
    camera_pitch_rad: float = 0.0,
) -> Scale:
    """
    Compare the camera's height above the ground with the one that the depth shows.

    A point P of the ground fulfils P . m = 1, where m is the plane's normal over its distance from
    the camera; P . m - 1 is how far a point is off the plane in units of that distance, whatever
    the scale. The plane is the one, of many through three points each (RANSAC, Fischler and Bolles
    1981, with fixed random numbers), with the most points on it and the fewest below it, where the
    ground has none; then least squares over its points.

    :param depth_m: (H, W) float metres up to a factor; NaN or infinite where invalid.
    :param intrinsics: (3, 3) camera matrix in pixels of this image.
    :param camera_height_m: of the optical centre above the ground, metres, positive.
    :param camera_pitch_rad: by how much the optical axis points below the horizon; pitch and roll
        may be off by 8 degrees together, through slopes, braking and mounting.
    :returns: the factor; confidence is the share of the points looked at that are on the plane,
        less the share below it.
    :raises NoScaleError: if less than a quarter of the lower part of the image is such a plane.
    """
    height, width = depth_m.shape
    first_row = int(height * (1 - _LOWER_PART))
    stride = max(1, math.isqrt((height - first_row) * width // _SAMPLED_POINTS))
    lower = intrinsics.astype(np.float64)
    lower[1, 2] -= first_row
    depth, matrix = subsample(depth_m[first_row:], lower, stride)
    points = back_project(depth, matrix).reshape(-1, 3)
    looked_at = len(points)
    points = points[np.isfinite(points[:, 2]) & (points[:, 2] > 0)].astype(np.float64)
    if len(points) < max(3, _LEAST_GROUND * looked_at):
        raise NoScaleError('hardly any valid depth in the lower part of the image')

    chosen = np.random.default_rng(0).integers(0, len(points), (_TRIED_PLANES, 3))
    first, second, third = (points[index] for index in chosen.T)
    down = np.array((0.0, math.cos(camera_pitch_rad), math.sin(camera_pitch_rad)))
    normals = np.cross(second - first, third - first)
    with np.errstate(divide='ignore', invalid='ignore'):  # of points on one line; left out below
        planes = normals / (normals * first).sum(axis=1, keepdims=True)
        is_level = planes @ down > math.cos(_LARGEST_TILT_RAD) * np.linalg.norm(planes, axis=1)
    planes = planes[is_level]
    if not len(planes):
        raise NoScaleError('no level ground in the lower part of the image')
    off = points @ planes.T - 1
    best = np.argmax(_support(off))
    on_plane = np.abs(off[:, best]) < _PLANE_TOLERANCE
    plane = np.linalg.lstsq(points[on_plane], np.ones(on_plane.sum()), rcond=None)[0]
    confidence = float(_support(points @ plane - 1)) / looked_at
    if confidence < _LEAST_GROUND:
        raise NoScaleError('no level ground in the lower part of the image')
    return Scale(camera_height_m * float(np.linalg.norm(plane)), confidence)


def scale_from_reference(depth_m: np.ndarray, reference_m: np.ndarray) -> Scale:
    """
    Return the median of reference over depth, of the pixels that have both.

    Of ratios, not the ratio of two medians as in the evaluation: gross errors among the references
    move the median of a whole scene's depths, but hardly that of ratios which are all alike.

    :param depth_m: (H, W) float metres up to a factor; NaN or infinite where invalid.
    :param reference_m: (h, w) float true metres along the optical axis, of the same field of view
        in any resolution; NaN where there is none, which may be nearly everywhere.
    :returns: the factor; confidence is the share of these pixels whose depth is then within 25 %.
    :raises NoScaleError: if they share less than 20 pixels.
    """
    rows, columns = np.nonzero(np.isfinite(reference_m) & (reference_m > 0))
    reference = reference_m[rows, columns]
    v, u = (((index + 0.5) * side / reference_side).astype(int) for index, side, reference_side in
            zip((rows, columns), depth_m.shape, reference_m.shape))
    depth = depth_m[v, u]
    has_both = np.isfinite(depth) & (depth > 0)
    if has_both.sum() < _LEAST_SHARED_PX:
        raise NoScaleError(
            f'depth and scale reference share {has_both.sum()} pixels, {_LEAST_SHARED_PX} are the '
            'least')
    depth, reference = depth[has_both], reference[has_both]
    ratios = reference / depth
    factor = float(np.median(ratios))
    off = np.abs(np.log(ratios / factor))
    return Scale(factor, float((off < math.log(_AGREEING_RATIO)).mean()))


def cone_reference(
    size_px: tuple[int, int], intrinsics: np.ndarray, range_m: float, field_of_view_rad: float,
) -> np.ndarray:
    """
    Return what a range finder that looks along the optical axis says, as a sparse depth image.

    :param size_px: (height, width) of the image.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :param range_m: distance that it measured, metres.
    :param field_of_view_rad: opening angle of its cone.
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

    It is held while there is nothing to measure; the confidence then falls towards 0.

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
        Take in what an image says.

        :param measured: of this image, None if the scale cannot be told from it.
        :param stamp_s: time of the image; None if nothing says it, which counts as a tenth of a
            second after the image before.
        :param smoothing_s: after so long a measurement counts a third (1 / e); 0 for the newest
            alone.
        :returns: the smoothed factor; confidence is the mean of the measurements', where an image
            without counts 0.
        """
        if not self._is_first:
            passed_s = (
                _UNSTAMPED_S if stamp_s is None or self._stamp_s is None else
                max(0.0, stamp_s - self._stamp_s))  # a bag that loops: no time has passed
            kept = math.exp(-passed_s / smoothing_s) if smoothing_s > 0 else 0.0
            self._weight *= kept
            self._looks *= kept
        self._stamp_s, self._is_first = stamp_s, False
        self._looks += 1
        if measured is not None and measured.confidence > 0:
            self._weight += measured.confidence
            self._log_factor += measured.confidence / self._weight * (
                math.log(measured.factor) - self._log_factor)
        return Scale(math.exp(self._log_factor), self._weight / self._looks)


def _support(off: np.ndarray) -> np.ndarray:
    """
    Return how many of (N, ...) points are on a plane, less those below it.

    A point counts the less the farther it is off (MSAC, Torr and Zisserman 2000): counted alike, a
    slanted plane through floor and furniture has the most.
    """
    on_plane = np.maximum(0.0, 1 - (off / _PLANE_TOLERANCE) ** 2)
    below = off > _PLANE_TOLERANCE
    return on_plane.sum(axis=0) - below.sum(axis=0)
