"""
Compare predicted with true obstacles, in cells of the ground ahead.

The ground of a frame is a plane in its true depth. It gives height and pitch of the camera, which
a robot knows from its mounting. From these, the scale of the prediction is measured, as in the
node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
import math
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraState, DepthPipeline, postprocess
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.depth.scan import level_rotation

from ..data.sample import Sample, SampleReader
from .methods import camera_image, intrinsics_of
from .protocols import NotMeasurableError

GRID_M, CELL_M = 10.0, 0.5  # side of the grid, ahead of the camera, and side of a cell
HEIGHTS_M = 0.3, 2.0
_WITHOUT_JUDGE = {'ground_contact': False, 'ground_probability': 1.0}
VARIANTS: dict[str, dict[str, Any]] = {
    'no filter': _WITHOUT_JUDGE,
    'edge_filter 1': {**_WITHOUT_JUDGE, 'edge_filter': 1.0},
    'ground_contact': {'ground_probability': 1.0},
    'ground_contact, ground_probability 0.8': {'ground_probability': 0.8},
    'ground_contact, ground_probability 0.5': {'ground_probability': 0.5},
}
"""Parameters of the node, by their names in the table. The last three need a judge."""

_TRIED_PLANES = 500
_SAMPLED_POINTS = 3000
_PLANE_TOLERANCE_M = 0.05
_FARTHEST_GROUND_M = 15.0
_LEAST_GROUND = 0.25
_MOST_PITCH_RAD, _MOST_ROLL_RAD = math.radians(50), math.radians(15)


class Cells(NamedTuple):
    """Cells of the grid, (N, N) bool each; the first axis is ahead, the second to the left."""

    obstacle: np.ndarray
    free: np.ndarray


def variants_of(predictor: DepthPredictor) -> dict[str, dict[str, Any]]:
    """Return the :data:`VARIANTS` that the weights support."""
    return {
        name: changes
        for name, changes in VARIANTS.items()
        if predictor.has_judge or _WITHOUT_JUDGE.items() <= changes.items()
    }


def score_obstacles(
    reader: SampleReader, indices: Iterable[int], predictor: DepthPredictor
) -> dict[str, Any]:
    """
    Count the obstacle cells that are found, and the free cells that are marked, over frames.

    :param reader: the data set.
    :param indices: the frames.
    :param predictor: runs the network.
    :returns: the counts by variant, and the reasons for skipped frames.
    """
    variants = {
        name: {
            'frames': 0,
            'frames_with_scale': 0,
            'obstacle_cells': 0,
            'found': 0,
            'free_cells': 0,
            'wrongly_marked': 0,
        }
        for name in variants_of(predictor)
    }
    skipped = []
    for index in tqdm(indices, desc='obstacles', unit='frame', disable=None):
        sample = reader[index]
        try:
            frame = frame_counts(sample, predictor)
        except NotMeasurableError as error:
            skipped.append(f'{sample.name}: {error}')
            continue
        for name, counts in frame.items():
            for key, count in counts.items():
                variants[name][key] += count
    return {
        'grid_m': GRID_M,
        'cell_m': CELL_M,
        'heights_m': HEIGHTS_M,
        'variants': variants,
        'skipped': skipped,
    }


def frame_counts(sample: Sample, predictor: DepthPredictor) -> dict[str, dict[str, int]]:
    """
    Count the cells of one frame, by variant.

    :raises NotMeasurableError: without intrinsics, or without ground in the true depth.
    """
    intrinsics = intrinsics_of(sample)
    if intrinsics is None:
        raise NotMeasurableError('without intrinsics there is no ground')
    ground = fitted_ground(sample.depth_m, intrinsics)
    true = grid_cells(sample.depth_m, intrinsics, ground)
    parameters = Parameters(
        scale_source='ground_plane',
        camera_height=ground.height_m,
        camera_pitch=math.degrees(ground.pitch_rad),
    )
    (result,) = DepthPipeline(predictor, parameters).predict(
        [camera_image(sample)], with_ground=True
    )
    counts = {}
    for name, changes in variants_of(predictor).items():
        changed = replace(parameters, **changes)
        scaled = postprocess(result, CameraState(), changed)
        is_ground = scaled.is_ground(changed.ground_probability)
        marked = grid_cells(scaled.depth_m, intrinsics, ground, is_ground).obstacle
        counts[name] = {
            'frames': 1,
            'frames_with_scale': int(not scaled.scale_fault),
            'obstacle_cells': int(true.obstacle.sum()),
            'found': int((true.obstacle & marked).sum()),
            'free_cells': int(true.free.sum()),
            'wrongly_marked': int((true.free & marked).sum()),
        }
    return counts


def grid_cells(
    depth_m: np.ndarray,
    intrinsics: np.ndarray,
    ground: GroundPlane,
    is_ground: np.ndarray | None = None,
) -> Cells:
    """
    Sort the points of a depth image into the grid.

    :param depth_m: (H, W) float metres, NaN or infinite where invalid.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :param ground: the ground below the camera.
    :param is_ground: (H, W) bool, True for pixels that are ground at any height; None for none.
    :returns: obstacle cells have a point between the heights; free cells have only points of the
        ground.
    """
    optical = back_project(depth_m, intrinsics).reshape(-1, 3)
    is_point = np.isfinite(optical[:, 2])
    optical = optical[is_point].astype(np.float64)
    x, y, z = level_rotation(ground) @ optical.T
    height_m = z + ground.height_m
    size = round(GRID_M / CELL_M)
    is_obstacle = (height_m > HEIGHTS_M[0]) & (height_m < HEIGHTS_M[1])
    is_low = height_m <= HEIGHTS_M[0]
    if is_ground is not None:
        on_ground = is_ground.ravel()[is_point]
        is_obstacle, is_low = is_obstacle & ~on_ground, is_low | on_ground
    has_obstacle, has_ground = (
        np.histogram2d(
            x[chosen], y[chosen], bins=size, range=((0, GRID_M), (-GRID_M / 2, GRID_M / 2))
        )[0]
        > 0
        for chosen in (is_obstacle, is_low)
    )
    return Cells(has_obstacle, has_ground & ~has_obstacle)


def fitted_ground(depth_m: np.ndarray, intrinsics: np.ndarray) -> GroundPlane:
    """
    Return the plane with most points of the lower half of the image, and hardly any below it.

    The search compares planes through three random points each (RANSAC). Least squares over the
    points of the best plane give the result.

    :param depth_m: (H, W) float true metres, NaN or infinite where unknown; may be sparse.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :raises NotMeasurableError: if there is no such plane below the camera.
    """
    lower = depth_m.copy()
    lower[: len(lower) // 2] = np.nan
    lower[lower > _FARTHEST_GROUND_M] = np.nan
    points = back_project(lower, intrinsics).reshape(-1, 3)
    points = points[np.isfinite(points[:, 2])].astype(np.float64)
    if len(points) < 3:
        raise NotMeasurableError('hardly any true depth in the lower half of the image')
    random = np.random.default_rng(0)
    points = points[random.permutation(len(points))[:_SAMPLED_POINTS]]
    normals, heights_m = _random_planes(points, random)
    if not len(normals):
        raise NotMeasurableError('no ground in the true depth')
    above_m = heights_m - points @ normals.T
    support = (np.abs(above_m) < _PLANE_TOLERANCE_M).sum(axis=0)
    support -= (above_m < -_PLANE_TOLERANCE_M).sum(axis=0)
    best = int(support.argmax())
    if support[best] < _LEAST_GROUND * len(points):
        raise NotMeasurableError('no ground in the true depth')
    on_plane = points[np.abs(above_m[:, best]) < _PLANE_TOLERANCE_M]
    plane = np.linalg.lstsq(on_plane, np.ones(len(on_plane)), rcond=None)[0]
    height_m = 1 / float(np.linalg.norm(plane))
    right, down, ahead = plane * height_m
    return GroundPlane(height_m, math.asin(ahead), math.atan2(right, down))


def _random_planes(
    points: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return planes through three random points each, of those that can be the ground.

    :param points: (N, 3) metres in the optical frame.
    :returns: (M, 3) unit normals away from the camera, and (M,) distances from it in metres.
    """
    first, second, third = points[random.integers(0, len(points), (3, _TRIED_PLANES))]
    normals = np.cross(second - first, third - first)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    normals *= np.sign((normals * first).sum(axis=1, keepdims=True))  # away from the camera
    can_be_ground = (normals[:, 1] > math.cos(_MOST_PITCH_RAD)) & (
        np.abs(normals[:, 0]) < math.sin(_MOST_ROLL_RAD)
    )
    return normals[can_be_ground], (normals * first).sum(axis=1)[can_be_ground]


def cells_table(scores: Mapping[str, Any]) -> str:
    """Return the shares as a table for a terminal."""
    variants = scores['variants']
    width = max(32, *(len(name) + 2 for name in variants))
    frames = next(iter(variants.values()))['frames']
    low_m, high_m = scores['heights_m']
    lines = [
        f'obstacles {low_m:g} to {high_m:g} m high, {scores["grid_m"]:g} m ahead and across, '
        f'cells of {scores["cell_m"]:g} m, {frames} frames',
        f'{"":<{width}}{"obstacle cells found":>26}{"free cells marked":>26}{"scale found":>14}',
    ]
    for name, counts in variants.items():
        found = _share(counts['found'], counts['obstacle_cells'])
        marked = _share(counts['wrongly_marked'], counts['free_cells'])
        lines.append(
            f'{name:<{width}}{found:>26}{marked:>26}{counts["frames_with_scale"]:>8} of {frames}'
        )
    if missing := [name for name in VARIANTS if name not in variants]:
        lines.append(f'the weights have no judge, which {missing[0]} and the like need')
    return '\n'.join(lines)


def _share(count: int, of_all: int) -> str:
    return f'{100 * count / of_all:.1f} % of {of_all}' if of_all else 'none'
