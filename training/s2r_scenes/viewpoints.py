"""Any camera: the kinds of cameras that robots carry, and where in a scene they can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
from typing import Literal, NamedTuple

from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
import numpy as np
from numpy.random import Generator

from . import camera as cameras
from .camera import Camera
from .light import Sensor
from .meshes import merge, Mesh, POSITION
from .scene import Scene

Cameras = Literal['ordinary', 'any']
Where = Literal['road', 'beside', 'near', 'facing']


class Kind(NamedTuple):
    """One kind of camera; ranges are (low, high), angles in degrees."""

    street: float  # weight outdoors
    room: float  # weight in rooms and worlds
    height_m: tuple[float, float]
    pitch_deg: tuple[float, float]  # mean, standard deviation
    roll_deg: float  # standard deviation
    hfov_deg: tuple[float, float]
    where: Where = 'beside'  # near: just above an object, at any height; facing: before an object
    headings_deg: tuple[float, ...] = ()  # relative to the road; empty means any


#: the kind of the cameras that scenes have with cameras 'ordinary'
ORDINARY = 'ordinary'
KINDS = {
    #                       street  room   height      pitch      roll   field of view
    ORDINARY: Kind(0.44, 0.41, (0.9, 2.4), (-4, 8), 2, (45, 100)),
    'vehicle-side': Kind(0.10, 0.00, (0.5, 2.2), (-8, 7), 2, (70, 120), 'road', (90, -90, 180)),
    'vehicle-oblique': Kind(0.05, 0.0, (0.5, 2.2), (-4, 5), 2, (60, 120), 'road', (35, -35)),
    'delivery-robot': Kind(0.11, 0.12, (0.3, 1.2), (-5, 8), 2, (60, 110)),
    'floor-robot': Kind(0.05, 0.18, (0.1, 0.5), (-4, 10), 1.5, (55, 120)),
    'obstacle-ahead': Kind(0.06, 0.04, (0.2, 1.6), (-5, 6), 2, (55, 110), 'facing'),
    'hand-held': Kind(0.10, 0.03, (1.2, 1.8), (-6, 14), 6, (50, 80)),
    'drone-low': Kind(0.04, 0.03, (1.2, 3.0), (-22, 16), 5, (60, 110)),
    'surveillance': Kind(0.03, 0.05, (2.2, 3.0), (-24, 10), 1, (50, 110)),
    'gripper': Kind(0.02, 0.14, (0.1, 2.0), (-35, 12), 6, (45, 90), 'near'),
}
ASPECTS = (3 / 4, 1.0, 5 / 4, 4 / 3, 4 / 3, 3 / 2, 16 / 9, 16 / 9, 2.0, 3.3)
PITCH_DEG, ROLL_DEG, HFOV_DEG, HEIGHT_M = (-60, 25), 15, (35, 120), (0.1, 3.0)


class SensorKind(NamedTuple):
    """One kind of sensor and lens; ranges are (low, high)."""

    weight: float
    noise: tuple[float, float]
    blur_px: tuple[float, float]
    contrast: tuple[float, float]
    vignette: tuple[float, float]
    margin: tuple[float, float] = (0.0, 0.0)  # dark corners, as a share of the half-diagonal


SENSORS = {
    'phone': SensorKind(0.35, (0.002, 0.012), (0.0, 0.5), (1.2, 1.8), (0.0, 0.2)),
    'automotive': SensorKind(0.25, (0.004, 0.02), (0.0, 0.8), (1.0, 1.5), (0.1, 0.4)),
    'industrial': SensorKind(0.2, (0.003, 0.025), (0.0, 0.5), (1.0, 1.2), (0.0, 0.4)),
    'webcam': SensorKind(0.12, (0.015, 0.04), (0.3, 1.2), (1.1, 1.7), (0.1, 0.4)),
    'wide-lens': SensorKind(0.08, (0.005, 0.03), (0.2, 1.0), (1.0, 1.6), (0.3, 0.6), (0.0, 0.2)),
}

_TRIES = 30  # for one frame, before the scene's own camera is used
_RAYS = 16, 9  # across and down, to check a view
_CLEAR_M, _NEAREST_M = 0.08, 0.2  # free distance around the camera, and in the view
_FLAT_SHARE = 0.06  # share of the views of a single plane that are used
_ROUND = np.linspace(0, 2 * np.pi, 16, endpoint=False)


class Ground(NamedTuple):
    """
    Where in a scene cameras can stand.

    ``draw`` takes the number of a frame and 'road' or 'beside'. It returns a place (x, y), the
    expected height of the ground there, and the direction of travel in radians. ``roof_m`` is the
    height of the lowest ceiling above the ground, +inf outdoors.
    """

    draw: Callable[[Generator, int, Where], tuple[np.ndarray, float, float] | None]
    roof_m: float = np.inf

    @property
    def is_room(self) -> bool:
        """Whether the place is a room, with walls on all sides."""
        return bool(np.isfinite(self.roof_m))


class Probe:
    """Casts single rays into a scene; leaves have no holes, so no camera is placed among them."""

    def __init__(self, meshes: Sequence[Mesh]) -> None:
        mesh = merge(list(meshes))
        self._scene = rtcore_scene.EmbreeScene()
        corners = np.ascontiguousarray(mesh.vertices[mesh.faces][..., POSITION], np.float32)
        self._mesh = TriangleMesh(self._scene, corners)  # kept: Embree reads its arrays

    def reach(self, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Return the length of rays from one point, in multiples of ``directions`` (..., 3)."""
        flat = np.ascontiguousarray(directions.reshape(-1, 3), np.float32)
        origins = np.ascontiguousarray(np.broadcast_to(np.float32(origin), flat.shape))
        hits = self._scene.run(origins, flat, output=True)
        reach = np.where(hits['primID'] >= 0, hits['tfar'], np.inf)
        return reach.reshape(directions.shape[:-1])

    def drop_m(self, point: np.ndarray) -> float:
        """Return the vertical distance from a point down to the nearest surface."""
        return float(self.reach(point, np.array([0.0, 0, -1])))

    def is_free(self, eye: np.ndarray, is_room: bool) -> bool:
        """Return whether a camera at ``eye`` is outside of all objects, and not close to one."""
        level = np.stack([np.cos(_ROUND), np.sin(_ROUND), np.zeros_like(_ROUND)], -1)
        slanting = np.concatenate([level[::2] + (0, 0, 1), level[::2] - (0, 0, 1)]) / np.sqrt(2)
        ahead = self.reach(eye, level)
        up, down = self.reach(eye, np.array([[0.0, 0, 1], [0, 0, -1]]))
        if min(ahead.min(), self.reach(eye, slanting).min(), up, down) < _CLEAR_M:
            return False
        if np.isinf(down):  # outside of the ground, or below it
            return False
        if is_room:
            return bool(np.sort(ahead)[-4] > 0.8)
        return bool(np.isinf(up) or ahead.max() > 20.0)

    def view_m(self, view: Camera) -> np.ndarray:
        """Return the depth Z at a coarse grid of a view, (9, 16) metres."""
        return self.reach(view.position, _coarse(view) @ view.rotation)


def varied(rng: Generator, scene: Scene, ground: Ground) -> Scene:
    """
    Replace the cameras of a scene by cameras of any kind, and its sensors by others.

    :param rng: the random generator.
    :param scene: the scene with its ordinary cameras, some of which stay (see :data:`KINDS`).
    :param ground: where cameras can stand.
    """
    probe = Probe([scene.solid, scene.cutout])
    column = [kind.room if ground.is_room else kind.street for kind in KINDS.values()]
    weights = np.array(column) / sum(column)
    views = []
    for number, own in enumerate(scene.cameras):
        name = str(rng.choice(list(KINDS), p=weights))
        if name == ORDINARY and _is_good(rng, probe, own, ground):
            views.append(own)
            continue
        if name == ORDINARY:
            name = 'delivery-robot'
        views.append(_place(rng, probe, KINDS[name], number, own, ground))
    looks = {name: (light, _other(rng, sensor)) for name, (light, sensor) in scene.looks.items()}
    return scene._replace(cameras=views, looks=looks)


def is_one_plane(depth_m: np.ndarray, rays: np.ndarray) -> bool:
    """
    Return whether a view shows a single plane, for which 1 / Z is linear in the pixels.

    :param depth_m: (H, W) metres, +inf for the sky.
    :param rays: (H, W, 3) optical directions with z = 1.
    """
    if np.isinf(depth_m).any():
        return False
    near = 1 / depth_m.ravel()
    columns = rays.reshape(-1, 3)
    plane = np.linalg.lstsq(columns, near, rcond=None)[0]
    return bool(np.abs(columns @ plane / near - 1).mean() < 0.02)


def variation(depth_m: np.ndarray) -> float:
    """Return the relative spread of the depth without sky: (p95 - p5) / p50."""
    low, middle, high = np.percentile(depth_m[np.isfinite(depth_m)], [5, 50, 95])
    return float((high - low) / middle)


def intrinsics_of(rng: Generator, kind: Kind, width_px: int, height_px: int) -> np.ndarray:
    """
    Draw the intrinsics of a kind of camera, after a crop to the size of the frames.

    All frames have the same size. A camera with another aspect ratio is rendered as such a crop of
    its image, because the training would also crop it.

    :returns: (3, 3) float64.
    """
    tangent = np.tan(np.radians(rng.uniform(*kind.hfov_deg)) / 2)
    aspect, shape = ASPECTS[rng.integers(len(ASPECTS))], width_px / height_px
    across = min(1.0, shape / aspect)  # share of the picture's width, and height, in the crop
    down = min(1.0, aspect / shape)
    hfov = 2 * np.arctan(tangent * across)
    hfov = np.clip(hfov, *np.radians(HFOV_DEG))
    shift = rng.uniform(-0.5, 0.5, 2) * np.minimum((1 / across - 1, 1 / down - 1), 0.4)
    shift += rng.normal(0, 0.015, 2)
    offset_x, offset_y = shift * (width_px, height_px)
    return cameras.pinhole(float(hfov), width_px, height_px, (float(offset_x), float(offset_y)))


def _coarse(view: Camera) -> np.ndarray:
    """Return optical directions with z = 1 through a coarse grid of a view, (9, 16, 3)."""
    k = view.intrinsics
    u = np.linspace(0, view.width_px - 1, _RAYS[0])
    v = np.linspace(0, view.height_px - 1, _RAYS[1])
    x, y = np.meshgrid((u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1])
    return np.stack([x, y, np.ones_like(x)], -1)


def _is_good(rng: Generator, probe: Probe, view: Camera, ground: Ground) -> bool:
    """Tell whether a view is free, shows something, and (but for a few) more than one plane."""
    if not probe.is_free(view.position, ground.is_room):
        return False
    depth_m = probe.view_m(view)
    seen = np.isfinite(depth_m)
    if (
        seen.mean() < (0.6 if ground.is_room else 0.35)
        or depth_m.min() < _NEAREST_M
        or np.median(depth_m) < 0.3
    ):
        return False
    if (depth_m < 0.5).mean() > 0.5 and view.forward[2] > -0.3:  # a wall fills the image
        return rng.random() < _FLAT_SHARE
    if seen.all() and (variation(depth_m) < 0.15 or is_one_plane(depth_m, _coarse(view))):
        return rng.random() < _FLAT_SHARE
    return True


def _place(
    rng: Generator, probe: Probe, kind: Kind, number: int, own: Camera, ground: Ground
) -> Camera:
    """Put a camera of a kind where it can be; the scene's own where that is nowhere."""
    size = own.width_px, own.height_px
    intrinsics = intrinsics_of(rng, kind, *size)
    for _ in range(_TRIES):
        spot = ground.draw(rng, number, 'road' if kind.where == 'road' else 'beside')
        if spot is None:
            continue
        place, expected_m, travel_rad = spot
        foot = np.array([*place, expected_m])
        foot[2] += 2.0 - probe.drop_m(foot + (0, 0, 2.0))
        if not abs(foot[2] - expected_m) < 0.6:  # on a roof, or nowhere
            continue
        heading_rad = float(rng.uniform(-np.pi, np.pi))
        if kind.headings_deg:
            turn_deg = rng.choice(kind.headings_deg) + rng.normal(0, 8)
            heading_rad = travel_rad + float(np.radians(turn_deg))
        pitch_deg = np.clip(rng.normal(*kind.pitch_deg), *PITCH_DEG)
        roll_deg = np.clip(rng.normal(0, kind.roll_deg), -ROLL_DEG, ROLL_DEG)
        if kind.where == 'near':
            eye = _before_a_thing(rng, probe, foot, heading_rad, float(np.radians(pitch_deg)))
            if eye is None:
                continue
        else:
            low, high = kind.height_m
            high = min(high, ground.roof_m - 0.3)
            eye = foot + (0, 0, rng.uniform(min(low, high), high))
            if kind.where == 'facing':
                eye = _towards_a_thing(rng, probe, eye, heading_rad)
                if eye is None:
                    continue
        angles = heading_rad, float(np.radians(pitch_deg)), float(np.radians(roll_deg))
        view = cameras.look(eye, *angles, intrinsics, *size)
        if _is_good(rng, probe, view, ground):
            return view
    return own


def _towards_a_thing(
    rng: Generator, probe: Probe, eye: np.ndarray, heading_rad: float
) -> np.ndarray | None:
    """Go ahead until a thing is 0.6 to 4 m away, if one lies there."""
    ahead = np.array([np.cos(heading_rad), np.sin(heading_rad), 0.0])
    away_m = float(probe.reach(eye, ahead))
    if away_m > 12.0:
        return None
    return eye + max(0.0, away_m - rng.uniform(0.6, 4.0)) * ahead


def _before_a_thing(
    rng: Generator, probe: Probe, foot: np.ndarray, heading_rad: float, pitch_rad: float
) -> np.ndarray | None:
    """Choose an eye 0.3 to 1 m from the top of a thing that lies ahead, if one does."""
    ahead = np.array([np.cos(heading_rad), np.sin(heading_rad), 0.0])
    start = foot + (0, 0, rng.uniform(0.1, 1.0))
    away_m = float(probe.reach(start, ahead))
    if away_m > 8.0:
        return None
    above = foot + (away_m + rng.uniform(0.05, 0.4)) * ahead + (0, 0, rng.uniform(1.0, 2.0))
    drop_m = probe.drop_m(above)
    if not drop_m < 2.0:
        return None
    target = above - (0, 0, drop_m)
    distance_m = rng.uniform(0.3, 1.0)
    back = np.cos(pitch_rad) * ahead + (0, 0, np.sin(pitch_rad))
    eye = target - distance_m * back
    low, high = foot[2] + HEIGHT_M[0], foot[2] + HEIGHT_M[1]
    return eye if low < eye[2] < high else None


def _other(rng: Generator, sensor: Sensor) -> Sensor:
    """Draw another sensor and lens for the same light."""
    shares = np.array([kind.weight for kind in SENSORS.values()])
    kind = SENSORS[str(rng.choice(list(SENSORS), p=shares / shares.sum()))]
    return dataclasses.replace(
        sensor,
        noise=float(rng.uniform(*kind.noise)),
        blur_px=float(rng.uniform(*kind.blur_px)),
        contrast=float(rng.uniform(*kind.contrast)),
        vignette=float(rng.uniform(*kind.vignette)),
        margin=float(rng.uniform(*kind.margin)),
    )
