"""Procedural outdoor scenes: a road, what lies along it, and the traffic on it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
from numpy.random import Generator

from s2r_depth_training.render import buildings, light, props
from s2r_depth_training.render import camera as cameras
from s2r_depth_training.render.course import Course, draw_course, END_M, START_M
from s2r_depth_training.render.meshes import (
    box,
    cards,
    Material,
    merge,
    Mesh,
    place,
    quads,
    surface,
    tube,
)
from s2r_depth_training.render.scene import Scene
from s2r_depth_training.render.surroundings import Setting, SETTINGS, SHARES
from s2r_depth_training.render.textures import colour, Library, PLAIN

_Thing = TypeVar('_Thing')
LANE_M = 3.3
VIEW_M = 150.0  # things are placed up to here


class Site:
    """The meshes of a scene while it grows."""

    def __init__(self, rng: Generator, library: Library, course: Course) -> None:
        self.rng, self.library, self.course = rng, library, course
        self.solid: list[Mesh] = []
        self.cutout: list[Mesh] = []
        self._made: dict[Callable, list] = {}

    def draw(self, maker: Callable[[Generator, Library], _Thing], different: int) -> _Thing:
        """Make a thing; once there are so many ``different`` ones, take one of them again."""
        made = self._made.setdefault(maker, [])
        if len(made) < different:
            made.append(maker(self.rng, self.library))
            return made[-1]
        return made[self.rng.integers(different)]

    def vehicle(self, setting: Setting | None = None) -> Mesh:
        """Draw a vehicle from the usual mix, or from that of some surroundings."""
        if setting is not None and setting.lorries and self.rng.random() < setting.lorries:
            return self.draw(props.lorry, 8)
        return self.draw(props.vehicle, 16)

    def put(self, mesh: Mesh, s: float, t: float, turn: float = 0.0, z: float = 0.0,
            cutout: bool = False, scale: float = 1.0) -> None:
        """Stand a mesh at (s, t), its x axis turned from the direction of the road."""
        placed = place(mesh, self.course.at(s, t, z), float(self.course.heading(s)) + turn, scale)
        (self.cutout if cutout else self.solid).append(placed)

    def tree(self, s: float, t: float, z: float = 0.0) -> None:
        """Plant a tree at (s, t)."""
        wood, leaves = self.draw(props.tree, 9)
        turn, scale = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(0.75, 1.3)
        self.put(wood, s, t, turn, z - 0.2, scale=scale)
        self.put(leaves, s, t, turn, z - 0.2, cutout=True, scale=scale)

    def material(self, *kinds: str, size_m: float = 4.0, tint: float = 1.0) -> Material:
        """Draw a texture of one of the kinds."""
        return Material(self.library.pick(self.rng, *kinds), tint * np.ones(3), size_m)


def driving_scene(rng: Generator, library: Library, frames: int, width_px: int, height_px: int,
                  setting_name: str | None = None,
                  markings: Literal['drawn', 'shown', 'hidden'] = 'drawn',
                  ahead: Mesh | None = None) -> Scene:
    """
    Build one outdoor scene.

    :param rng: the only source of chance.
    :param frames: number of cameras.
    :param setting_name: one of ``SETTINGS``; drawn by default.
    :param markings: drawn leaves road markings to chance, shown has them all, hidden has the same
        geometry in the road's own colour.
    :param ahead: a vehicle to put right before the cameras.
    """
    if setting_name is None:
        setting_name = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    setting = SETTINGS[setting_name]
    course = draw_course(rng, setting.straight)
    site = Site(rng, library, course)
    lanes = int(rng.integers(setting.lanes[0], setting.lanes[1] + 1))
    lane_m = LANE_M * rng.uniform(0.85, 1.12) if lanes > 1 else rng.uniform(3.2, 6.0)
    half = lanes * lane_m / 2
    one_way = lanes == 1 or rng.random() < setting.one_way
    centres = (np.arange(lanes) - (lanes - 1) / 2) * lane_m  # right to left
    own = int(rng.integers(lanes)) if one_way else int(rng.integers((lanes + 1) // 2))

    stride = rng.uniform(0.5, 2.0) if setting_name in ('queue', 'lorries') else rng.uniform(2, 12)
    spots = np.arange(frames) * stride
    junction = float(rng.uniform(25, 110)) if rng.random() < 0.3 else None
    _road(site, half, centres, one_way, markings)
    for side in (-1, 1):
        _side(site, setting, side, half, junction)
    if junction is not None:
        _junction(site, junction, half)
    _traffic(site, setting, centres, own, one_way, spots[-1], ahead)
    _walkers(site, setting, half, spots[-1])
    if rng.random() < setting.bridge:
        site.put(buildings.bridge(rng, library, 2 * half + rng.uniform(2, 8)),
                 spots[-1] + rng.uniform(8, 90), 0, rng.uniform(-0.3, 0.3))
    if setting.cover and rng.random() < setting.cover:
        _cover(site, half, spots[-1])
    if setting_name == 'plaza':
        _close_off(site, spots[-1])
    _surroundings(site)

    views = _cameras(rng, course, spots, centres[own], setting, width_px, height_px)
    cloud = library.pick(rng, 'cloud')
    looks = {name: light.outdoor(name, np.random.default_rng([int(rng.integers(2 ** 31)), number]),
                                 cloud) for number, name in enumerate(light.VARIATIONS)}
    return Scene(merge(site.solid), merge(site.cutout), library, views, looks)


def _cameras(rng: Generator, course: Course, spots: np.ndarray, lane_t: float, setting: Setting,
             width_px: int, height_px: int) -> list[cameras.Camera]:
    hfov = np.radians(rng.uniform(45, 100) if rng.random() < 0.5 else rng.uniform(75, 88))
    intrinsics = cameras.pinhole(hfov, width_px, height_px, (
        rng.normal(0, 0.015) * width_px, rng.normal(0, 0.03) * height_px))
    height = rng.uniform(1.5, 1.8) if rng.random() < 0.6 else rng.uniform(1.1, 2.4)
    pitch, roll = rng.normal(0, 0.025), rng.normal(0, 0.012)
    side = rng.normal(0, 0.3)
    views = []
    for s in spots:
        yaw = rng.normal(0, 0.03)
        if rng.random() < setting.looking_round:
            yaw = rng.uniform(-0.7, 0.7)
        views.append(
            cameras.look(
                course.at(s, lane_t + side + rng.normal(0, 0.1), height),
                float(course.heading(s)) + yaw,
                pitch + rng.normal(0, 0.008),
                roll + rng.normal(0, 0.005),
                intrinsics,
                width_px,
                height_px,
            )
        )
    return views


def _road(site: Site, half: float, centres: np.ndarray, one_way: bool,
          markings: str) -> None:
    rng, course = site.rng, site.course
    kinds = ('asphalt',) if rng.random() < 0.88 else ('paving', 'concrete', 'soil')
    asphalt = site.material(*kinds, size_m=rng.uniform(3, 9), tint=rng.uniform(0.5, 1.1))
    site.solid.append(course.strip((START_M, END_M), np.linspace(-half, half, 5), 0.0, asphalt))
    for _ in range(rng.integers(0, 7)):  # patches
        s, t = rng.uniform(2, 60), rng.uniform(-half, half * 0.5)
        patch = site.material('asphalt', 'concrete', size_m=5, tint=rng.uniform(0.4, 1.2))
        reach = t + rng.uniform(0.4, half)
        site.solid.append(course.strip((s, s + rng.uniform(1, 14)),
                                       np.array([t, min(reach, half)]), 0.008, patch))
    surely = markings != 'drawn'
    fresh = surely or rng.random() < 0.6
    paint = Material(site.library.pick(rng, 'plain' if fresh else 'concrete'),
                     rng.uniform(0.7, 1.1) * np.ones(3), 3)
    paint = asphalt if markings == 'hidden' else paint
    if (surely or rng.random() < 0.85) and len(centres) > 1:
        for border in (centres[1:] + centres[:-1]) / 2:
            _line(site, border, paint, dashed=one_way or abs(border) > 0.1 or rng.random() < 0.5)
    if surely or rng.random() < 0.4:
        for border in (-half + 0.25, half - 0.25):
            _line(site, border, paint, dashed=False)
    if surely or rng.random() < 0.3:  # zebra crossing or stop line
        s = rng.uniform(6, 50)
        zebra = surely or rng.random() < 0.6
        for t in np.arange(-half + 0.3, half - 0.4, 1.0).tolist() if zebra else [-half]:
            wide = 0.5 if zebra else half
            site.solid.append(course.strip((s, s + (3 if zebra else 0.5)), np.array([t, t + wide]),
                                           0.015, paint))


def _line(site: Site, t: float, paint: Material, dashed: bool) -> None:
    period, mark = (site.rng.uniform(6, 12), site.rng.uniform(2, 5)) if dashed else (60.0, 60.0)
    for s in np.arange(-20, VIEW_M, period).tolist():
        site.solid.append(
            site.course.strip((s, s + mark), np.array([t - 0.07, t + 0.07]), 0.014, paint)
        )


def _side(site: Site, setting: Setting, side: int, half: float, junction: float | None) -> None:
    """Lay out one side of the road from the kerb outwards."""
    rng, course = site.rng, site.course
    edge, level = half, 0.0
    everything = (START_M, END_M)

    def lay(width: float, material: Material, rise: float = 0.0, fit: bool = False) -> float:
        nonlocal edge, level
        section = side * np.linspace(edge, edge + width, 3)
        heights = level + np.linspace(0, rise, 3)
        site.solid.append(course.strip(everything, section, heights, material, fit))
        edge, level = edge + width, level + rise
        return edge - width / 2

    def free(s: float) -> bool:
        return junction is None or abs(s - junction) > 7

    if setting.bays[1]:
        for _ in range(rng.integers(setting.bays[0], setting.bays[1] + 1)):
            near = edge
            lay(14.0 if setting.lorries else 5.2, site.material('asphalt', 'paving', 'concrete'))
            _row_of_bays(site, setting, side, near, free)
            lay(rng.uniform(0.3, 7), site.material('asphalt', 'paving', 'grass'))
    if rng.random() < setting.parking:
        t = lay(2.2, site.material('asphalt', 'paving', tint=rng.uniform(0.5, 1.1)))
        share, s = rng.uniform(0.4, 1.0), -15.0
        backwards = rng.random() < 0.2
        while s < VIEW_M:
            if rng.random() < share and free(s):
                site.put(
                    site.vehicle(setting),
                    s,
                    side * (t + rng.normal(0, 0.1)),
                    rng.normal(0, 0.03) + np.pi * (backwards or (side > 0 and rng.random() < 0.6)),
                )
            s += rng.uniform(5.2, 7)
    if rng.random() < setting.track:
        edge += 0.3
        t = lay(3.0, site.material('ballast', size_m=6), fit=True)
        if rng.random() < 0.15:
            site.put(props.bus(rng, site.library), rng.uniform(40, 120), side * t)
        for s in np.arange(rng.uniform(0, 30), VIEW_M, rng.uniform(25, 45)).tolist():
            _post(site, s, side * (edge + 0.3), 'mast', side)
    if rng.random() < setting.verge:
        kerb = rng.random() < 0.5
        if kerb:
            lay(0.15, site.material('concrete', size_m=1.5), 0.12)
        lay(rng.uniform(1, 5), site.material('grass', 'grass', 'soil'), rng.normal(0, 0.1))
        if rng.random() < setting.trees:
            _row_of_trees(site, side * (edge - 0.8), level, free)
    if rng.random() < setting.sidewalk:
        lay(0.15, site.material('concrete', size_m=1.5, tint=rng.uniform(0.6, 1.2)),
            0.12 if level < 0.05 else 0.0)
        lay(
            rng.uniform(1.2, 4), site.material('paving', 'paving', 'asphalt', 'concrete', size_m=3)
        )
    for form, chance in (('lamp', 0.5), ('sign', 0.6), ('lights', 0.15)):
        if rng.random() < chance:
            for s in np.arange(rng.uniform(5, 30), VIEW_M, rng.uniform(18, 60)).tolist():
                if free(s):
                    _post(site, s, side * (edge - rng.uniform(0.1, 0.5)), form, side)
    for _ in range(rng.integers(0, 7)):
        s = rng.uniform(4, 60)
        if free(s):
            site.put(props.clutter(rng, site.library), s, side * (edge + rng.uniform(0, 0.8)),
                     rng.uniform(0, 6.3), level)
    edge += 0.2
    if rng.random() < setting.boundary:
        _boundary(site, str(rng.choice(setting.boundaries)), side, edge, level, junction)
        edge += 0.5
    bank = rng.uniform(0, 6) if rng.random() < 0.2 else rng.normal(0, 0.15)
    ground_from, ground_level = edge - 0.7, level
    reach = max(course.reach_m, edge + 6)
    section = np.array([ground_from, edge + 2, edge + 8, edge + 25, reach + 30])
    rise = ground_level - 0.02 + bank * np.array([0, 0.15, 0.8, 1, 1])
    keep = section <= reach
    keep[:2] = True
    ground = site.material('grass', 'grass', 'soil', 'paving' if setting.houses > 0.5 else 'grass',
                           size_m=5)
    site.solid.append(course.strip(everything, side * section[keep], rise[keep], ground))

    def height_at(t: float) -> float:
        return float(np.interp(t, section, rise))

    if setting.thicket and rng.random() < setting.thicket:
        _thicket(site, side, edge, height_at, free)
    _lots(site, setting, side, edge, reach, free, height_at)


def _post(site: Site, s: float, t: float, form: str, side: int) -> None:
    solid, sign = props.pole(site.rng, site.library, form)
    turn = 0.0 if side < 0 else np.pi  # arms reach over the road
    site.put(solid, s, t, turn)
    if len(sign.faces):
        site.put(sign, s, t, 0.0, cutout=True)


def _row_of_trees(site: Site, t: float, z: float,
                  free: Callable[[float], bool]) -> None:
    spacing = site.rng.uniform(5, 16)
    for s in np.arange(site.rng.uniform(3, 15), VIEW_M, spacing).tolist():
        if free(s) and site.rng.random() < 0.85:
            site.tree(s + site.rng.normal(0, 0.5), t, z)


def _row_of_bays(site: Site, setting: Setting, side: int, near: float,
                 free: Callable[[float], bool]) -> None:
    """Park vehicles side by side, one end towards the road; ``near`` is where their bays begin."""
    rng = site.rng
    share, backwards = rng.uniform(0.5, 1.0), rng.uniform(0, 0.6)
    s = rng.uniform(-12, -8)
    while s < 80:
        if rng.random() < share and free(s):
            mesh = site.vehicle(setting)
            length = float(np.ptp(mesh.vertices[:, 0]))
            t = near + rng.uniform(0.1, 0.6) + length / 2
            turn = np.pi / 2 + np.pi * (rng.random() < backwards)
            site.put(mesh, s, side * t, turn + rng.normal(0, 0.03))
        s += rng.uniform(2.6, 3.0) if not setting.lorries else rng.uniform(3.0, 5.0)


def _thicket(site: Site, side: int, edge: float, height_at: Callable[[float], float],
             free: Callable[[float], bool]) -> None:
    """Grow trees and bushes right beside the road, the closer the denser."""
    rng = site.rng
    spacing, depth_m = rng.uniform(1.5, 4), rng.uniform(1.0, 4.0)
    s = -8.0
    while s < 90:
        if free(s):
            t = edge + 0.4 + rng.exponential(depth_m)
            site.tree(s, side * t, height_at(t))
            if rng.random() < 0.6:
                t = edge + rng.uniform(0, 2)
                site.put(site.draw(props.bush, 6), s + rng.uniform(-2, 2), side * t,
                         rng.uniform(0, 6.3), height_at(t), cutout=True)
        s += spacing * rng.uniform(0.5, 1.5)


def _cover(site: Site, half: float, last_spot: float) -> None:
    """Lead the road through a tunnel, or under a deck that stands on pillars."""
    rng = site.rng
    start = rng.uniform(-15, last_spot + 30)
    end = start + rng.uniform(15, 100)
    wide, clear = half + rng.uniform(0.6, 3.5), rng.uniform(4.3, 6.5)
    wall = site.material('concrete', 'tiles', 'brick', 'stone', 'graffiti',
                         size_m=rng.uniform(2, 5), tint=rng.uniform(0.4, 1.1))
    thick = rng.uniform(0.8, 3.0)
    section = np.array([-wide - 1, wide + 1])
    site.solid.append(site.course.strip((start, end), section, clear, wall))
    site.solid.append(site.course.strip((start, end), section, clear + thick, wall))
    front = box((0.3, 2 * wide + 2, thick), wall, (0, 0, clear + thick / 2))
    for s in (start, end):  # what shows of the deck from outside
        site.put(front, s, 0.0)
    for side in (-1, 1):
        if rng.random() < 0.65:
            bottom_up = np.array([-0.5, clear])
            site.solid.append(site.course.strip(
                (start, end), side * np.array([wide, wide + 0.01]), bottom_up, wall))
            for s in (start, end):
                site.put(box((0.3, 12, clear + 0.5), wall, (0, 0, clear / 2)), s,
                         side * (wide + 6))
        else:
            pillar = box((0.8, 0.8, clear + 0.5), wall, (0, 0, clear / 2))
            for s in np.arange(start, end, rng.uniform(5, 12)).tolist():
                site.put(pillar, s, side * wide)
    lamp = Material(PLAIN, rng.uniform(0.8, 1.0) * np.ones(3))
    for s in np.arange(start + 2, end, rng.uniform(4, 12)).tolist():
        site.put(box((1.2, 0.2, 0.1), lamp), s, 0.0, z=clear - 0.1)


def _boundary(
    site: Site, kind: str, side: int, t: float, z: float, junction: float | None
) -> None:
    """Run a wall, hedge, fence or guard rail along the road."""
    rng, course = site.rng, site.course
    stretches = (
        [(-40.0, VIEW_M)] if junction is None else [(-40.0, junction - 7), (junction + 7, VIEW_M)]
    )
    for start, end in stretches:
        if end <= start:
            continue
        if kind == 'wall':
            height, thick = rng.uniform(0.6, 3.2), 0.3
            material = site.material(
                'brick', 'stone', 'plaster', 'concrete', 'graffiti', size_m=2.5
            )
            section = side * np.array([t, t, t + thick, t + thick])
            heights = z + np.array([-0.2, height, height, -0.2])
            site.solid.append(course.strip((start, end), section, heights, material))
            if rng.random() < 0.3:
                _fence(site, start, end, side * (t + 0.15), z + height, rng.uniform(0.6, 1.2))
        elif kind == 'hedge':
            height, thick = rng.uniform(0.8, 3.5), rng.uniform(0.6, 1.5)
            material = site.material('hedge', size_m=2.0, tint=rng.uniform(0.5, 1.2))
            section = side * np.array([t, t + 0.05, t + thick, t + thick])
            heights = z + np.array([-0.2, height, height, -0.2])
            site.solid.append(course.strip((start, end), section, heights, material))
            count = int(4 * min(end - start, 90))
            spots = course.at(start + (min(end, 80) - start) * rng.random(count),
                              side * (t + thick * rng.random(count)),
                              z + height * rng.uniform(0.1, 1.05, count))
            normals = np.tile([0.0, 0.0, 1.0], (count, 1)) + rng.normal(0, 0.6, (count, 3))
            normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
            site.cutout.append(cards(spots, rng.uniform(0.4, 0.9, count), normals, rng, Material(
                site.library.pick(rng, 'leaves'), material.tint)))
        elif kind == 'fence':
            _fence(site, start, end, side * t, z, rng.uniform(0.9, 2.2))
        elif kind == 'rail':
            steel = site.material('metal', size_m=3, tint=rng.uniform(0.5, 1.0))
            section = side * np.array([t, t - 0.06, t, t - 0.06, t])
            site.solid.append(course.strip(
                (start, end), section, z + np.array([0.5, 0.57, 0.65, 0.73, 0.8]), steel))
            for s in np.arange(start, min(end, 100), 3.0).tolist():
                site.put(box((0.1, 0.1, 0.9), steel), s, side * (t + 0.08), z=z + 0.35)


def _fence(site: Site, start: float, end: float, t: float, z: float, height: float) -> None:
    material = Material(site.library.pick(site.rng, 'fence'), size_m=height)
    site.cutout.append(site.course.strip((start, end), np.array([t, t + 0.001]),
                                         z + np.array([height, 0.0]), material, fit_across=True))


def _lots(site: Site, setting: Setting, side: int, edge: float, reach: float,
          free: Callable[[float], bool], height_at: Callable[[float], float]) -> None:
    """Fill the land beside the road with houses, trees, bushes and fields."""
    rng = site.rng
    s = -25.0
    uniform_row = rng.random() < 0.3
    floors = int(rng.integers(setting.floors[0], setting.floors[1] + 1))
    setback = rng.uniform(*setting.setback_m)
    turn = side * np.pi / 2
    while s < VIEW_M:
        width = rng.uniform(7, 16)
        middle = s + width / 2
        gap = rng.uniform(0, 1) if setting.houses > 0.9 else rng.uniform(0, 9)
        if not uniform_row:
            floors = int(rng.integers(setting.floors[0], setting.floors[1] + 1))
            setback = rng.uniform(*setting.setback_m)
        t = edge + setback
        z = height_at(t) - 0.1
        if rng.random() < setting.houses and free(middle) and free(s) and free(s + width) \
                and t + 8 < reach + 10:
            kind = rng.random()
            maker = (buildings.garages(rng, site.library, width) if kind < 0.12 else
                     buildings.hall(rng, site.library, width) if kind < 0.2 else
                     buildings.building(rng, site.library, width, floors))
            site.put(maker, middle, side * t, turn, z)
        elif rng.random() < setting.trees:
            for _ in range(rng.integers(1, 7)):
                away = edge + rng.uniform(1.5, min(20, max(2, reach - edge)))
                if free(middle):
                    site.tree(s + rng.uniform(0, width), side * away, height_at(away))
        for _ in range(rng.poisson(1.5 * setting.trees)):
            away = edge + rng.uniform(0.5, max(1.0, setback))
            where = s + rng.uniform(0, width)
            if free(where) and s < 90:
                site.put(site.draw(props.bush, 6), where, side * away, z=height_at(away),
                         cutout=True)
        s += width + gap


def _junction(site: Site, s: float, half: float) -> None:
    """Lay a crossing road over the strips beside the main one."""
    rng = site.rng
    asphalt = site.material('asphalt', size_m=6, tint=rng.uniform(0.6, 1.2))
    wide = rng.uniform(3, 6)
    for side in (-1, 1):
        if rng.random() < 0.8:
            section = side * np.linspace(half, min(site.course.reach_m, 60), 8)
            site.solid.append(site.course.strip((s - wide, s + wide), section, 0.16, asphalt))
            if rng.random() < 0.5:
                site.put(
                    site.vehicle(),
                    s + rng.uniform(-1, 1) * wide * 0.5,
                    side * rng.uniform(half + 3, half + 14),
                    np.pi / 2 * rng.choice([-1, 1]),
                    0.16,
                )


def _traffic(site: Site, setting: Setting, centres: np.ndarray, own: int, one_way: bool,
             last_spot: float, ahead: Mesh | None) -> None:
    rng = site.rng
    for lane, t in enumerate(centres):
        oncoming = not one_way and t > 0
        if lane == own:
            s = last_spot + rng.uniform(4, 9) if setting.gap_m[1] < 10 else \
                last_spot + rng.uniform(7, 70)
        else:
            s = rng.uniform(-12, 40)
        queue = [ahead] if ahead is not None and lane == own else []
        if queue:
            s = last_spot + 6.0
        elif len(centres) == 1 and rng.random() < 0.5:
            continue
        while s < VIEW_M:
            mesh = queue.pop() if queue else site.vehicle(setting)
            length = float(np.ptp(mesh.vertices[:, 0]))
            middle = s + length / 2
            site.put(mesh, middle, t + rng.normal(0, 0.15), rng.normal(0, 0.02) + np.pi * oncoming)
            s += length + rng.uniform(*setting.gap_m)


def _walkers(site: Site, setting: Setting, half: float, last_spot: float) -> None:
    rng = site.rng
    for _ in range(rng.poisson(7 * setting.people)):
        crossing = rng.random() < 0.25
        s = last_spot + rng.uniform(6, 45) if crossing else rng.uniform(2, 70)
        t = (
            rng.uniform(-half, half)
            if crossing
            else rng.choice([-1, 1]) * (half + rng.uniform(0.6, 4))
        )
        maker = rng.choice(np.array([props.person, props.cyclist, props.bicycle], object),
                           p=[0.65, 0.2, 0.15])
        turn = rng.choice([-1, 1]) * np.pi / 2 if crossing else rng.choice([0, np.pi])
        site.put(
            maker(rng, site.library), s, t, turn + rng.normal(0, 0.3), 0.0 if crossing else 0.1
        )


def _close_off(site: Site, last_spot: float) -> None:
    """End the view with a building across it, over a paved court."""
    rng = site.rng
    s = last_spot + rng.uniform(9, 40)
    court = site.material('paving', 'concrete', 'asphalt', size_m=4)
    site.solid.append(site.course.strip((-30.0, s + 5), np.linspace(-14, 14, 5), 0.14, court))
    t = -28.0
    while t < 28:
        width = rng.uniform(9, 18)
        maker = buildings.hall if rng.random() < 0.3 else None
        mesh = (buildings.hall(rng, site.library, width) if maker else
                buildings.building(rng, site.library, width, int(rng.integers(1, 6))))
        site.put(mesh, s + rng.uniform(0, 3), t + width / 2)
        t += width
    for _ in range(rng.integers(0, 10)):
        site.put(props.bicycle(rng, site.library), s - rng.uniform(0.8, 1.6), rng.uniform(-12, 12),
                 np.pi / 2 + rng.normal(0, 0.1), 0.14)
    for _ in range(rng.integers(0, 8)):
        site.put(site.draw(props.bush, 6), s - rng.uniform(1, 4), rng.uniform(-14, 14), z=0.14,
                 cutout=True)


def _surroundings(site: Site) -> None:
    """Put ground under everything, and hills, woods or a skyline round it."""
    rng = site.rng
    low = site.course.lowest_m - 1.0
    corner = 1500.0
    site.solid.append(quads(np.array([[(-corner, corner, low), (corner, corner, low),
                                       (corner, -corner, low), (-corner, -corner, low)]]),
                            site.material('grass', 'soil', size_m=12)))
    angle = np.linspace(0, 2 * np.pi, 61)
    for _ in range(rng.integers(1, 5)):
        radius = rng.uniform(80, 400)
        centre = site.course.at(70.0, 0.0)
        if radius < 240:  # a far wood or town, higher here and lower there
            height = rng.uniform(6, 22) * (
                1 + 0.4 * np.sin(angle * rng.integers(1, 5) + rng.uniform(0, 6))
            )
            ring = np.stack(
                [centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], -1
            )
            points = np.stack([np.dstack([ring[None], low + 0 * height[None] + height[None]])[0],
                               np.dstack([ring[None], np.full((1, 61), low)])[0]], 1)
            uv = np.stack(
                np.meshgrid(
                    np.arange(61) * radius * 0.1 / rng.uniform(8, 30), [0.0, 1.0], indexing='ij'
                ),
                -1,
            )
            site.cutout.append(surface(points, Material(
                site.library.pick(rng, 'skyline'), rng.uniform(0.4, 1.0) * np.ones(3)), uv))
        elif rng.random() < 0.6:  # hills
            height = rng.uniform(10, 60) * np.clip(
                np.sin(angle * rng.integers(1, 4)) + 0.5 + 0.3 * np.sin(7 * angle), 0, None
            )
            profile = np.array([0, 0.5, 0.9, 1.0])
            radii = radius * (1 + 0.5 * profile)
            points = np.stack([centre[0] + np.cos(angle)[:, None] * radii,
                               centre[1] + np.sin(angle)[:, None] * radii,
                               low + height[:, None] * np.sin(profile * np.pi / 2)], -1)
            site.solid.append(
                surface(
                    points,
                    Material(
                        site.library.pick(rng, 'hedge', 'grass'),
                        colour(rng, (0, 0.3), (0.4, 0.9), (0.2, 0.6)),
                        30,
                    ),
                )
            )
    if rng.random() < 0.15:  # wires
        for t in rng.uniform(-6, 6, rng.integers(1, 4)):
            s = np.linspace(-20, 120, 40)
            z = rng.uniform(5, 7) + 0.4 * np.cos(s / 20 * np.pi)
            black = Material(PLAIN, (0.02,) * 3)
            site.solid.append(tube(site.course.at(s, t, z), 0.015, black, 3))
