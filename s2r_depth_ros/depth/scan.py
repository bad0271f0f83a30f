"""
A level scan from a depth image: the distance to the nearest obstacle in each direction.

The depth is sampled at a grid of bearings and elevations in the camera's *level frame*: its origin
is the optical centre, x is the optical axis projected on the ground, y is to the left, z is up. In
this grid a column is one ray of the scan, and a row rises by a fixed amount for each metre.
"""

from __future__ import annotations

from functools import lru_cache
import math
from typing import NamedTuple

import numpy as np

from .ground import GroundPlane

# Distance of neighbouring rays. The network's depth is coarser than an image of 640 x 480.
_SAMPLED_PX = 2.0
_LEAST_KNOWN = 0.5  # share of the pixels of a free ray that are known
_LEAST_SEEN = 0.95  # share of the maximum range that the camera sees along a free ray
_LEAST_RISE = 1e-6  # keeps divisions by the rise finite


class Scan(NamedTuple):
    """
    Distances by bearing, in the level frame.

    ``ranges_m`` is (N,) float32 metres along the ground, by REP 117: +inf where the ray is free up
    to ``range_max_m``, -inf where something is nearer than ``range_min_m``, NaN where the depth is
    unknown. The first ray points at ``angle_min_rad``. Each ray is ``angle_step_rad`` further to
    the left than the one before.
    """

    ranges_m: np.ndarray
    angle_min_rad: float
    angle_step_rad: float
    range_min_m: float
    range_max_m: float

    def without_free(self) -> Scan:
        """Return the scan with unknown rays in place of free ones, which clear a costmap."""
        is_free = self.ranges_m == np.inf
        return self._replace(ranges_m=np.where(is_free, np.float32(np.nan), self.ranges_m))


class _View(NamedTuple):
    """
    Where the rays of the grid are in the image.

    ``pixel`` is (rows, rays) int, the index in the flat depth image. ``range_per_depth`` is (rows,
    rays) float32 metres along the ground for each metre of depth, NaN for a ray that leaves the
    image. ``rise`` is (rows, 1) float32 metres up for each metre along the ground, never 0.
    ``inside`` is (rays,) int32, the number of rows that are in the image.
    """

    pixel: np.ndarray
    range_per_depth: np.ndarray
    rise: np.ndarray
    inside: np.ndarray
    angle_min_rad: float
    angle_step_rad: float

    def of_rows(self, is_row: np.ndarray) -> _View:
        """Return the view of some rows; ``is_row`` is (rows,) bool."""
        range_per_depth = self.range_per_depth[is_row]
        return self._replace(
            pixel=self.pixel[is_row],
            range_per_depth=range_per_depth,
            rise=self.rise[is_row],
            inside=(~np.isnan(range_per_depth)).sum(axis=0, dtype=np.int32),
        )


def level_rotation(ground: GroundPlane) -> np.ndarray:
    """Return the (3, 3) matrix from the optical frame to the level frame."""
    pitch, roll = ground.pitch_rad, ground.roll_rad
    ahead = (-math.sin(pitch) * math.sin(roll), -math.sin(pitch) * math.cos(roll), math.cos(pitch))
    left = (-math.cos(roll), math.sin(roll), 0.0)
    return np.array((ahead, left, -ground.down))


def scan_from_depth(
    depth_m: np.ndarray,
    intrinsics: np.ndarray,
    ground: GroundPlane,
    heights_m: tuple[float, float],
    limits_m: tuple[float, float],
    is_ground: np.ndarray | None = None,
) -> Scan:
    """
    Return the nearest obstacle in each direction.

    A ray is free if it has no obstacle, and at least half of its pixels in the band of heights are
    known. A tilted camera sees the band only up to a distance. Then the maximum range is that of
    the ray in the middle, and rays that see less are not free.

    :param depth_m: (H, W) float32 metres; NaN, -inf (too near) and +inf (far) where invalid.
    :param intrinsics: (3, 3) camera matrix in pixels of this image.
    :param ground: the ground below the camera.
    :param heights_m: lower and upper end of the band of heights above the ground in which things
        are obstacles.
    :param limits_m: minimum and maximum range. The minimum is also that of ``depth_m``.
    :param is_ground: (H, W) bool, True for pixels that are no obstacle at any height; None for
        none.
    """
    view = _view(depth_m.shape, tuple(intrinsics.ravel().tolist()), ground._replace(height_m=1.0))
    range_min_m, range_max_m = limits_m
    view, enters_m, leaves_m = _in_band(view, ground.height_m, heights_m)
    seen_m = np.where(np.isnan(view.range_per_depth), 0, leaves_m).max(axis=0, initial=0)
    middle_m = float(seen_m[len(seen_m) // 2])
    if middle_m > range_min_m:
        range_max_m = min(range_max_m, middle_m)
    leaves_m = np.minimum(leaves_m, range_max_m)
    range_m = depth_m.take(view.pixel)
    range_m *= view.range_per_depth
    is_near = range_m == -np.inf
    if is_near.any():  # a ray that leaves the band before range_min_m can end on the floor
        range_m[is_near & (leaves_m < range_min_m * view.range_per_depth)] = np.nan
    is_hit = range_m > enters_m
    is_hit &= range_m < leaves_m
    if is_ground is not None:
        is_hit &= ~is_ground.take(view.pixel)
    ranges_m = np.where(is_hit, range_m, np.float32(np.inf)).min(axis=0, initial=np.inf)

    is_free = np.isinf(ranges_m)
    has_near = np.fmin.reduce(range_m, axis=0, initial=np.inf) == -np.inf
    ranges_m[is_free & has_near | (ranges_m < range_min_m)] = -np.inf
    known = len(range_m) - np.isnan(range_m).sum(axis=0, dtype=np.int32)
    is_doubtful = (seen_m < _LEAST_SEEN * range_max_m) | (known < _LEAST_KNOWN * view.inside)
    ranges_m[is_free & ~has_near & is_doubtful] = np.nan
    return Scan(ranges_m, view.angle_min_rad, view.angle_step_rad, range_min_m, range_max_m)


def _in_band(
    view: _View, camera_height_m: float, heights_m: tuple[float, float]
) -> tuple[_View, np.ndarray, np.ndarray]:
    """
    Keep the rows of the grid that pass through a band of heights above the ground.

    :returns: the view of the R rows, and the ranges at which each row enters and leaves the band,
        both (R, 1) float metres.
    """
    ends_m = [(height_m - camera_height_m) / view.rise for height_m in heights_m]
    enters_m = np.maximum(np.minimum(*ends_m), 0)
    leaves_m = np.maximum(*ends_m)
    is_in_band = (leaves_m > enters_m)[:, 0]
    if not is_in_band.all():
        view = view.of_rows(is_in_band)
        enters_m, leaves_m = enters_m[is_in_band], leaves_m[is_in_band]
    return view, enters_m, leaves_m


@lru_cache(maxsize=8)  # the same for all images of a camera at rest
def _view(size_px: tuple[int, int], intrinsics: tuple[float, ...], ground: GroundPlane) -> _View:
    """
    Return where the rays of the grid are in the image.

    :param size_px: (height, width) of the image.
    :param intrinsics: the nine numbers of the camera matrix, row by row.
    :param ground: pitch and roll of the camera; the height has no effect.
    """
    matrix, to_level = np.reshape(intrinsics, (3, 3)), level_rotation(ground)
    border = _border_rays(size_px, matrix) @ to_level.T
    bearings, angle_min_rad, angle_step_rad = _steps(
        np.arctan2(border[:, 1], border[:, 0]), _SAMPLED_PX / matrix[0, 0]
    )
    ends = np.arctan2(border[:, 2], np.hypot(border[:, 0], border[:, 1]))
    for pole in (-1, 1):  # the border does not contain straight down and straight up
        if _is_inside(size_px, matrix, pole * to_level[2]):
            ends = np.append(ends, pole * math.pi / 2)
    elevations, *_ = _steps(ends, _SAMPLED_PX / matrix[1, 1])
    rise = np.tan(elevations)
    rise[np.abs(rise) < _LEAST_RISE] = _LEAST_RISE
    pixel, range_per_depth = _project(size_px, matrix @ to_level.T, bearings, rise)
    return _View(
        pixel,
        range_per_depth,
        rise[:, None].astype(np.float32),
        (~np.isnan(range_per_depth)).sum(axis=0, dtype=np.int32),
        angle_min_rad,
        angle_step_rad,
    )


def _border_rays(size_px: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    """Return (N, 3) rays through points on the border of the image, in the optical frame."""
    height, width = size_px
    edge_u, edge_v = np.meshgrid((-0.5, width - 0.5), np.linspace(-0.5, height - 0.5, 50))
    side_u, side_v = np.meshgrid(np.linspace(-0.5, width - 0.5, 50), (-0.5, height - 0.5))
    u = np.concatenate((edge_u.ravel(), side_u.ravel()))
    v = np.concatenate((edge_v.ravel(), side_v.ravel()))
    return np.stack((u, v, np.ones_like(u))).T @ np.linalg.inv(matrix).T


def _is_inside(size_px: tuple[int, int], matrix: np.ndarray, ray: np.ndarray) -> bool:
    """Return whether a (3,) ray of the optical frame is in the image."""
    height, width = size_px
    u, v, ahead = matrix @ ray
    return bool(ahead > 0 and 0 <= u / ahead < width and 0 <= v / ahead < height)


def _project(
    size_px: tuple[int, int], to_pixels: np.ndarray, bearings: np.ndarray, rise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return ``pixel`` and ``range_per_depth`` of :class:`_View`.

    A ray of one metre along the ground is (cos(bearing), sin(bearing), rise) in the level frame.
    Its homogeneous pixel is the sum of a part that depends on its column in the grid, and a part
    that depends on its row.

    :param to_pixels: (3, 3) from the level frame to homogeneous pixels.
    :param bearings: (rays,) radians.
    :param rise: (rows,) metres up for each metre along the ground.
    """
    height, width = size_px
    by_column = to_pixels[:, :2] @ np.stack((np.cos(bearings), np.sin(bearings)))
    by_row = np.outer(to_pixels[:, 2], rise)
    u, v, depth = by_column[:, None].astype(np.float32) + by_row[..., None].astype(np.float32)
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        range_per_depth = 1 / depth
        u, v = np.rint(u * range_per_depth), np.rint(v * range_per_depth)
        is_inside = (depth > 0) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    range_per_depth[~is_inside] = np.nan
    row, column = (np.where(is_inside, place, 0).astype(np.intp) for place in (v, u))
    return row * width + column, range_per_depth


def _steps(angles_rad: np.ndarray, step_rad: float) -> tuple[np.ndarray, float, float]:
    """Return angles of about equal steps through a range, the first one, and the step."""
    first, last = float(angles_rad.min()), float(angles_rad.max())
    count = max(1, round((last - first) / step_rad))
    step = (last - first) / count
    return first + step * (np.arange(count) + 0.5), first + step / 2, step
