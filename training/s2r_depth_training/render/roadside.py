"""What lies beside a road, from the kerb outwards: walks, parked cars, hedges, houses, land."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from s2r_depth_training.render import buildings, props
from s2r_depth_training.render.course import END_M, START_M
from s2r_depth_training.render.meshes import box, cards, Material
from s2r_depth_training.render.site import Site, VIEW_M
from s2r_depth_training.render.surroundings import Setting


def lay_out_side(site: Site, setting: Setting, side: int, half: float,
                 junction: float | None) -> None:
    """
    Lay out one side of the road from the kerb outwards.

    :param side: -1 is the right, 1 the left.
    :param half: half the width of the road, metres.
    :param junction: where a road crosses, metres along the road, or none does.
    """
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
            row_of_bays(site, setting, side, near, free)
            lay(rng.uniform(0.3, 7), site.material('asphalt', 'paving', 'grass'))
    if rng.random() < setting.parking:
        t = lay(2.2, site.material('asphalt', 'paving', tint=rng.uniform(0.5, 1.1)))
        share, s = rng.uniform(0.4, 1.0), -15.0
        backwards = rng.random() < 0.2
        while s < VIEW_M:
            if rng.random() < share and free(s):
                site.put(site.vehicle(setting), s, side * (t + rng.normal(0, 0.1)),
                         rng.normal(0, 0.03)
                         + np.pi * (backwards or (side > 0 and rng.random() < 0.6)))
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
        lay(rng.uniform(1.2, 4),
            site.material('paving', 'paving', 'asphalt', 'concrete', size_m=3))
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


def row_of_bays(site: Site, setting: Setting, side: int, near: float,
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
        s += rng.uniform(3.0, 5.0) if setting.lorries else rng.uniform(2.6, 3.0)


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


def _boundary(site: Site, kind: str, side: int, t: float, z: float,
              junction: float | None) -> None:
    """Run a wall, hedge, fence or guard rail along the road."""
    rng, course = site.rng, site.course
    stretches = [(-40.0, VIEW_M)]
    if junction is not None:
        stretches = [(-40.0, junction - 7), (junction + 7, VIEW_M)]
    for start, end in stretches:
        if end <= start:
            continue
        if kind == 'wall':
            height, thick = rng.uniform(0.6, 3.2), 0.3
            material = site.material('brick', 'stone', 'plaster', 'concrete', 'graffiti',
                                     size_m=2.5)
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
            house = (buildings.garages(rng, site.library, width) if kind < 0.12 else
                     buildings.hall(rng, site.library, width) if kind < 0.2 else
                     buildings.building(rng, site.library, width, floors))
            site.put(house, middle, side * t, turn, z)
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
