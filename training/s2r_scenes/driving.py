"""Procedural outdoor scenes: a road, what lies along it, and the traffic on it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.random import Generator

from . import backdrop, buildings, camera, light, props, shelters, viewpoints
from .cast import Cast
from .course import Course, draw_course, END_M, START_M
from .meshes import box, Material, merge, Mesh
from .roadside import Roadside
from .scene import Scene
from .site import Site, VIEW_M
from .surroundings import Setting, SETTINGS, SHARES
from .textures import Library, PLAIN

LANE_M = 3.3
_FAR_M = 30.0  # beyond the last camera, models have fewer triangles


def driving_scene(
    rng: Generator,
    library: Library,
    frames: int,
    width_px: int,
    height_px: int,
    setting_name: str | None = None,
    markings: Literal['drawn', 'shown', 'hidden'] = 'drawn',
    ahead: Mesh | None = None,
    cast: Cast | None = None,
    cameras: viewpoints.Cameras = 'ordinary',
) -> Scene:
    """
    Build one outdoor scene.

    :param rng: the only source of chance.
    :param frames: number of cameras.
    :param setting_name: one of ``SETTINGS``; drawn by default.
    :param markings: drawn leaves road markings to chance, shown has them all, hidden has the same
        geometry in the road's own colour.
    :param ahead: a vehicle to put right before the cameras.
    :param cast: models that take the place of most vehicles, people, trees and street furniture.
    :param cameras: 'any' looks from beside the road, too, and in all directions.
    """
    setting = SETTINGS[setting_name or str(rng.choice(list(SHARES), p=list(SHARES.values())))]
    course = draw_course(rng, setting.straight)
    lanes = int(rng.integers(setting.lanes[0], setting.lanes[1] + 1))
    lane_m = LANE_M * rng.uniform(0.85, 1.12) if lanes > 1 else rng.uniform(*setting.lane_m)
    half = lanes * lane_m / 2
    one_way = lanes == 1 or rng.random() < setting.one_way
    centres = (np.arange(lanes) - (lanes - 1) / 2) * lane_m  # right to left
    own = int(rng.integers(lanes)) if one_way else int(rng.integers((lanes + 1) // 2))

    spots = np.arange(frames) * rng.uniform(*setting.stride_m)
    site = Site(rng, library, course, cast, far_m=spots[-1] + _FAR_M)
    junction = float(rng.uniform(25, 110)) if rng.random() < 0.3 else None
    if setting.surface:
        _path(site, setting, half)
    else:
        _road(site, half, centres, one_way, markings)
    for side in (-1, 1):
        Roadside(site, setting, side, half, junction).lay_out()
    if junction is not None:
        _junction(site, junction, half)
    if setting.traffic == 1 or rng.random() < setting.traffic:
        _traffic(site, setting, centres, own, one_way, spots[-1], ahead)
    _walkers(site, setting, half, spots[-1])
    if cameras == 'any':
        _shelters(site, half, spots)
    if rng.random() < setting.bridge:
        site.put(
            buildings.bridge(rng, library, 2 * half + rng.uniform(2, 8)),
            spots[-1] + rng.uniform(8, 90),
            0,
            rng.uniform(-0.3, 0.3),
        )
    if setting.cover and rng.random() < setting.cover:
        _cover(site, half, spots[-1])
    if setting.closed_off:
        backdrop.close_off(site, spots[-1])
    backdrop.surround(site)

    views = _cameras(rng, course, spots, centres[own], setting, width_px, height_px)
    cloud = library.pick(rng, 'cloud')
    looks = {
        name: light.outdoor(name, np.random.default_rng([int(rng.integers(2**31)), number]), cloud)
        for number, name in enumerate(light.VARIATIONS)
    }
    scene = Scene(merge(site.solid), merge(site.cutout), library, views, looks)
    if cameras == 'any':
        scene = viewpoints.varied(rng, scene, _ground(course, spots, centres, half))
    return scene if cast is None else cast.complete(scene)


def _ground(
    course: Course, spots: np.ndarray, centres: np.ndarray, half: float
) -> viewpoints.Ground:
    """Say where along a road, and beside it, cameras can be."""

    def draw(
        rng: Generator, number: int, where: viewpoints.Where
    ) -> tuple[np.ndarray, float, float]:
        s = spots[number] + rng.uniform(0, 4)
        if where == 'road':
            t = rng.choice(centres) + rng.normal(0, 0.3)
        else:
            s += rng.uniform(-4, 20)
            beyond_m = rng.uniform(0.3, 4) if rng.random() < 0.5 else rng.uniform(0.3, 20)
            t = rng.choice([-1, 1]) * min(half + beyond_m, course.reach_m)
        x, y, z = course.at(s, t)
        return np.array([x, y]), float(z), float(course.heading(s))

    return viewpoints.Ground(draw)


def _cameras(
    rng: Generator,
    course: Course,
    spots: np.ndarray,
    lane_t: float,
    setting: Setting,
    width_px: int,
    height_px: int,
) -> list[camera.Camera]:
    hfov = np.radians(rng.uniform(45, 100) if rng.random() < 0.5 else rng.uniform(75, 88))
    intrinsics = camera.pinhole(
        hfov,
        width_px,
        height_px,
        (rng.normal(0, 0.015) * width_px, rng.normal(0, 0.03) * height_px),
    )
    height = rng.uniform(1.5, 1.8) if rng.random() < 0.6 else rng.uniform(1.1, 2.4)
    pitch, roll = rng.normal(0, 0.025), rng.normal(0, 0.012)
    side = rng.normal(0, 0.3)
    views = []
    for s in spots:
        yaw = rng.normal(0, 0.03)
        if rng.random() < setting.looking_round:
            yaw = rng.uniform(-0.7, 0.7)
        views.append(
            camera.look(
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


def _path(site: Site, setting: Setting, half: float) -> None:
    rng = site.rng
    ground = site.material(
        *setting.surface, size_m=rng.uniform(2, 6), tint=float(rng.uniform(0.5, 1.1))
    )
    ends = START_M, END_M
    site.solid.append(site.course.strip(ends, np.linspace(-half, half, 5), 0.0, ground))
    if rng.random() < setting.grown:
        grass = site.material('grass', tint=rng.uniform(0.6, 1.1))
        middle = rng.uniform(0.15, 0.4) * half
        section = np.array([-middle, 0.0, middle])
        heights = np.array([0.01, rng.uniform(0.02, 0.1), 0.01])
        site.solid.append(site.course.strip(ends, section, heights, grass))


def _road(site: Site, half: float, centres: np.ndarray, one_way: bool, markings: str) -> None:
    rng, course = site.rng, site.course
    kinds = ('asphalt',) if rng.random() < 0.88 else ('paving', 'concrete', 'soil')
    asphalt = site.material(*kinds, size_m=rng.uniform(3, 9), tint=rng.uniform(0.5, 1.1))
    site.solid.append(course.strip((START_M, END_M), np.linspace(-half, half, 5), 0.0, asphalt))
    for _ in range(rng.integers(0, 7)):  # patches
        s, t = rng.uniform(2, 60), rng.uniform(-half, half * 0.5)
        patch = site.material('asphalt', 'concrete', size_m=5, tint=rng.uniform(0.4, 1.2))
        reach = t + rng.uniform(0.4, half)
        site.solid.append(
            course.strip(
                (s, s + rng.uniform(1, 14)), np.array([t, min(reach, half)]), 0.008, patch
            )
        )
    surely = markings != 'drawn'
    fresh = surely or rng.random() < 0.6
    paint = Material(
        site.library.pick(rng, 'plain' if fresh else 'concrete'),
        rng.uniform(0.7, 1.1) * np.ones(3),
        3,
    )
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
            site.solid.append(
                course.strip((s, s + (3 if zebra else 0.5)), np.array([t, t + wide]), 0.015, paint)
            )


def _line(site: Site, t: float, paint: Material, dashed: bool) -> None:
    period, mark = (site.rng.uniform(6, 12), site.rng.uniform(2, 5)) if dashed else (60.0, 60.0)
    for s in np.arange(-20, VIEW_M, period).tolist():
        site.solid.append(
            site.course.strip((s, s + mark), np.array([t - 0.07, t + 0.07]), 0.014, paint)
        )


def _cover(site: Site, half: float, last_spot: float) -> None:
    """Lead the road through a tunnel, or under a deck that stands on pillars."""
    rng = site.rng
    start = rng.uniform(-15, last_spot + 30)
    end = start + rng.uniform(15, 100)
    wide, clear = half + rng.uniform(0.6, 3.5), rng.uniform(4.3, 6.5)
    wall = site.material(
        'concrete',
        'tiles',
        'brick',
        'stone',
        'graffiti',
        size_m=rng.uniform(2, 5),
        tint=rng.uniform(0.4, 1.1),
    )
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
            site.solid.append(
                site.course.strip(
                    (start, end), side * np.array([wide, wide + 0.01]), bottom_up, wall
                )
            )
            for s in (start, end):
                site.put(
                    box((0.3, 12, clear + 0.5), wall, (0, 0, clear / 2)), s, side * (wide + 6)
                )
        else:
            pillar = box((0.8, 0.8, clear + 0.5), wall, (0, 0, clear / 2))
            for s in np.arange(start, end, rng.uniform(5, 12)).tolist():
                site.put(pillar, s, side * wide)
    lamp = Material(PLAIN, rng.uniform(0.8, 1.0) * np.ones(3))
    for s in np.arange(start + 2, end, rng.uniform(4, 12)).tolist():
        site.put(box((1.2, 0.2, 0.1), lamp), s, 0.0, z=clear - 0.1)


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


def _traffic(
    site: Site,
    setting: Setting,
    centres: np.ndarray,
    own: int,
    one_way: bool,
    last_spot: float,
    ahead: Mesh | None,
) -> None:
    rng = site.rng
    for lane, t in enumerate(centres):
        oncoming = not one_way and t > 0
        if lane == own:
            s = last_spot + rng.uniform(*setting.ahead_m)
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


def _shelters(site: Site, half: float, spots: np.ndarray) -> None:
    """Put roofs and the like beside the road near each camera, and boards on it."""
    rng = site.rng
    for spot in spots.tolist():
        for _ in range(rng.poisson(1.0)):
            beside = rng.choice([-1, 1]) * (half + rng.uniform(0.5, 9))
            site.put(site.draw(shelters.shelter, 6), spot + rng.uniform(-5, 15), beside)
        if rng.random() < 0.2:
            turn = rng.normal(0, 0.4)
            across = rng.uniform(-half - 3, half + 3)
            site.put(site.draw(shelters.board, 4), spot + rng.uniform(2.5, 9), across, turn)


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
        maker = rng.choice(
            np.array([props.person, props.cyclist, props.bicycle], object), p=[0.65, 0.2, 0.15]
        )
        turn = rng.choice([-1, 1]) * np.pi / 2 if crossing else rng.choice([0, np.pi])
        role = 'person' if maker is props.person else 'bike'
        walker = (maker is not props.cyclist and site.model(role)) or maker(rng, site.library)
        site.put(walker, s, t, turn + rng.normal(0, 0.3), 0.0 if crossing else 0.1)
