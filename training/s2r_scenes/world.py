"""Complete Gazebo worlds: free places for cameras, and the views from there."""

from __future__ import annotations

from collections.abc import Callable
import functools

import cv2
import numpy as np
from numpy.random import Generator

from . import camera as cameras
from . import light, viewpoints
from .cast import Cast
from .meshes import merge, Mesh, POSITION
from .models.collection import Collection
from .models.files import ModelError, PICTURE_PX
from .models.shape import kept
from .scene import Scene
from .textures import Library

_CELL_M = 0.1
_SAMPLES = 400_000  # points on the surfaces, from which the floor and what stands on it are read
_LEVEL, _LEVEL_M = 0.97, 0.12  # cosine of the slope of a floor, and how uneven it may be
_KNEE_M, _HEAD_M = 0.15, 2.0  # what lies between is in a camera's way
_CLEARANCE_M = 0.35
_SEEN_M, _SIDES = 40.0, 16  # in most of so many directions something ends the view


class FreeFloor:
    """
    The floor of a world where nothing stands, as a grid; draws places for cameras.

    :param mesh: all of the world.
    :raises ModelError: there is no floor, or nowhere on it is room.
    """

    def __init__(self, mesh: Mesh) -> None:
        points, level = _samples(mesh)
        self.floor_m, on_floor = _find_floor(points, level)
        low, high = np.percentile(points[on_floor][:, :2], [0.2, 99.8], axis=0)
        shape = np.minimum(np.ceil((high - low) / _CELL_M), 3000).astype(int) + 1
        self._low = low
        cell = np.floor((points[:, :2] - low) / _CELL_M).astype(int)
        inside = ((cell >= 0) & (cell < shape)).all(1)
        height = points[:, 2] - self.floor_m
        self._blocked = _grid(cell[inside & (height > _KNEE_M) & (height < _HEAD_M)], shape)
        floor = _painted_floor(mesh, self.floor_m, low, shape)
        wide = 2 * round(_CLEARANCE_M / _CELL_M) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
        free = (floor > 0) & (cv2.dilate(self._blocked, kernel) == 0)
        spots = np.argwhere(free)
        self._spots: np.ndarray = spots[self._is_enclosed(spots)]
        if not len(self._spots):
            raise ModelError('the floor has no room for a camera between the things on it')
        self.ceiling_m = self.floor_m + _find_ceiling(height[inside & (level > _LEVEL)])

    @property
    def area_m2(self) -> float:
        """Return how much floor is free."""
        return len(self._spots) * _CELL_M**2

    def draw(self, rng: Generator) -> np.ndarray:
        """Draw a free place, (x, y) metres."""
        spot = self._spots[rng.integers(len(self._spots))]
        return self._low + (spot + rng.random(2)) * _CELL_M

    def is_free(self, x: float, y: float) -> bool:
        """Tell whether nothing stands at a place."""
        row, column = np.floor((np.array([x, y]) - self._low) / _CELL_M).astype(int)
        inside = 0 <= row < self._blocked.shape[0] and 0 <= column < self._blocked.shape[1]
        return bool(inside and not self._blocked[row, column])

    def free_ahead_m(self, spot: np.ndarray, yaw_rad: float) -> float:
        """Return how far it is from a place to what stands in a direction."""
        cell = ((spot - self._low) / _CELL_M)[None]
        return float(self._reach(cell, np.array([yaw_rad]))[0, 0])

    def _is_enclosed(self, spots: np.ndarray) -> np.ndarray:
        """Tell where most views end at something: outside of the walls they do not."""
        thinned: np.ndarray = spots[:: max(1, len(spots) // 4000)]
        if not len(thinned):
            return np.zeros(len(spots), bool)
        reach = self._reach(thinned + 0.5, np.arange(_SIDES) * 2 * np.pi / _SIDES)
        enclosed = (reach < _SEEN_M).mean(1) > 0.7
        fine = _grid(thinned[enclosed], np.array(self._blocked.shape))
        step = int(np.ceil(np.sqrt(len(spots) / len(thinned)))) * 2 + 1
        return cv2.dilate(fine, np.ones((step, step), np.uint8))[tuple(spots.T)] > 0

    def _reach(self, cells: np.ndarray, angles_rad: np.ndarray) -> np.ndarray:
        """March from cells (N, 2) in directions (A,); (N, A) metres to what is blocked."""
        ways = np.stack([np.cos(angles_rad), np.sin(angles_rad)], -1)
        reach = np.full((len(cells), len(angles_rad)), np.inf)
        for step in range(1, int(_SEEN_M / _CELL_M), 2):  # walls are thicker than a cell
            place = np.floor(cells[:, None] + step * ways).astype(int)
            inside = ((place >= 0) & (place < self._blocked.shape)).all(-1)
            place = np.clip(place, 0, np.array(self._blocked.shape) - 1)
            hit = inside & (self._blocked[place[..., 0], place[..., 1]] > 0)
            reach[hit & np.isinf(reach)] = step * _CELL_M
        return reach


Views = Callable[[Generator, FreeFloor, int, int, int], list[cameras.Camera]]
"""Draws the cameras of a world: of the generator, the floor, frames, width and height."""


def room_cameras(
    rng: Generator, floor: FreeFloor, frames: int, width_px: int, height_px: int
) -> list[cameras.Camera]:
    """Stand on the free floor and look where there is room, as in rooms of the renderer's own."""
    intrinsics = cameras.pinhole(np.radians(rng.uniform(50, 90)), width_px, height_px)
    views = []
    for _ in range(frames):
        wanted_m, best = rng.uniform(1.2, 5.0), (-1.0, np.zeros(2), 0.0)
        for _ in range(12):
            spot, yaw_rad = floor.draw(rng), float(rng.uniform(-np.pi, np.pi))
            free_m = floor.free_ahead_m(spot, yaw_rad)
            best = max(best, (free_m, spot, yaw_rad), key=lambda view: view[0])
            if wanted_m < free_m < _SEEN_M:
                best = (free_m, spot, yaw_rad)
                break
        height_m = min(rng.uniform(0.3, 1.8), floor.ceiling_m - floor.floor_m - 0.4)
        views.append(
            cameras.look(
                (*best[1], floor.floor_m + height_m),
                best[2],
                float(np.radians(np.clip(rng.normal(-8, 10), -45, 20))),
                float(rng.normal(0, 0.06)),
                intrinsics,
                width_px,
                height_px,
            )
        )
    return views


@functools.lru_cache(maxsize=16)
def _floor(key: str) -> FreeFloor:
    shape = kept(key)
    vertices = np.zeros((len(shape.vertices), 3), np.float32)
    vertices[:] = shape.vertices[:, POSITION]
    return FreeFloor(Mesh(vertices, shape.faces))


def worlds_with_floor(collection: Collection) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the worlds that a camera can stand in, and a sentence for each of the others."""
    worlds, faults = [], []
    for name, key in collection.worlds:
        try:
            _floor(key)
            worlds.append((name, key))
        except ModelError as error:
            faults.append(f'{name} is left out: {error}')
    return worlds, faults


def world_scene(
    rng: Generator,
    library: Library,
    key: str,
    frames: int,
    width_px: int,
    height_px: int,
    views: Views = room_cameras,
    distribution: viewpoints.Cameras = 'ordinary',
) -> Scene:
    """
    Look at a complete world.

    :param key: the key of the world's shape in the cache.
    :param frames: number of cameras.
    :param views: draws the cameras on the free floor.
    :param distribution: 'any' gives most frames another camera than ``views`` does.
    :raises ModelError: the world has no floor with room for a camera.
    """
    floor = _floor(key)
    cast = Cast(Collection({}, [], ''), library, most_pictures=10_000, picture_px=PICTURE_PX)
    mesh = cast.dressed(rng, kept(key), 'world', key)
    eyes = views(rng, floor, frames, width_px, height_px)
    lamp_m = floor.ceiling_m - 0.3
    lamps = [
        np.array([*(eye.position + rng.uniform(0.5, 3.0) * eye.forward)[:2], lamp_m])
        for eye in eyes[:3]
    ]
    lamps += [np.array([*floor.draw(rng), lamp_m]) for _ in range(2)]
    looks = {
        name: light.indoor(name, np.random.default_rng([int(rng.integers(2**31)), number]), lamps)
        for number, name in enumerate(light.VARIATIONS)
    }
    scene = Scene(mesh, merge([]), library, eyes, looks, ceiling_m=floor.ceiling_m - 0.3)
    if distribution == 'any':

        def draw(
            rng: Generator, number: int, where: viewpoints.Where
        ) -> tuple[np.ndarray, float, float]:
            return floor.draw(rng), floor.floor_m, 0.0

        ground = viewpoints.Ground(draw, floor.ceiling_m - floor.floor_m)
        scene = viewpoints.varied(rng, scene, ground)
    return cast.complete(scene)


def _samples(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Spread points over a mesh; (N, 3) metres, and how level each surface is, (N,)."""
    rng = np.random.default_rng(0)
    a, b, c = mesh.vertices[mesh.faces][..., POSITION].swapaxes(0, 1).astype(np.float64)
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    level = np.abs(normal[:, 2]) / np.maximum(area, 1e-12)
    # The square root gives small things points, too.
    weight = np.sqrt(np.minimum(area, 50.0)) + area
    face = rng.choice(len(area), _SAMPLES, p=weight / weight.sum())
    u, v = rng.random((2, _SAMPLES))
    u, v = np.where(u + v > 1, 1 - u, u)[:, None], np.where(u + v > 1, 1 - v, v)[:, None]
    return a[face] + u * (b - a)[face] + v * (c - a)[face], level[face]


def _find_floor(points: np.ndarray, level: np.ndarray) -> tuple[float, np.ndarray]:
    """
    Find the lowest height at which much is level; returns it, and which points are on it.

    :raises ModelError: nothing is level.
    """
    flat = level > _LEVEL
    if np.count_nonzero(flat) < 0.005 * len(points):
        raise ModelError('the world has no floor: nothing in it is level')
    heights = points[flat][:, 2]
    edges = np.arange(heights.min() - _LEVEL_M, heights.max() + 2 * _LEVEL_M, _LEVEL_M)
    counts, _ = np.histogram(heights, edges)
    near = counts + np.append(counts[1:], 0)
    lowest = int(np.argmax(near > 0.25 * near.max()))
    inside = (heights >= edges[lowest]) & (heights < edges[lowest] + 2 * _LEVEL_M)
    floor_m = float(np.percentile(heights[inside], 85))  # not the ground below a thin floor
    return floor_m, flat & (np.abs(points[:, 2] - floor_m) < _LEVEL_M)


def _find_ceiling(height_m: np.ndarray) -> float:
    """Return how high the lowest ceiling is, of the heights of level points; 4 m without any."""
    counts, edges = np.histogram(height_m, np.arange(_HEAD_M + 0.1, 12.0, 0.3))
    floor = np.count_nonzero(np.abs(height_m) < _LEVEL_M)
    enough = np.flatnonzero(counts > 0.15 * floor)
    if len(enough):
        return float(edges[enough[0]])
    over = height_m[(height_m > _HEAD_M) & (height_m < 12)]
    return float(np.percentile(over, 90)) if len(over) > 50 else 4.0


def _painted_floor(mesh: Mesh, floor_m: float, low: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Draw the level triangles at the floor's height into a grid."""
    corners = mesh.vertices[mesh.faces][..., POSITION]
    at_floor = (np.abs(corners[..., 2] - floor_m) < 1.5 * _LEVEL_M).all(1)
    floor = np.zeros(tuple(shape), np.uint8)
    cells = np.round((corners[at_floor][..., :2] - low) / _CELL_M).astype(np.int32)
    for triangle in np.clip(cells, -(2**14), 2**14)[..., ::-1]:  # OpenCV takes columns first
        cv2.fillConvexPoly(floor, triangle, 1)
    return floor


def _grid(cells: np.ndarray, shape: np.ndarray) -> np.ndarray:
    grid = np.zeros(tuple(shape), np.uint8)
    grid[tuple(cells.T)] = 1
    return grid
