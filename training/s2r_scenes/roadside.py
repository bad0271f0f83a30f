"""The sides of a road, from the kerb outwards: pavements, parked cars, hedges, houses, land."""

from __future__ import annotations

import numpy as np

from . import buildings, props
from .course import END_M, START_M
from .meshes import box, cards, Material
from .site import Site, VIEW_M
from .surroundings import Setting

_EVERYWHERE = (START_M, END_M)
_JUNCTION_M = 7.0  # so far from its middle nothing stands in a road that crosses


class Roadside:
    """
    One side of a road.

    :param site: takes what is laid out.
    :param setting: how likely what is.
    :param side: -1 is the right, 1 the left.
    :param half: half the width of the road, metres.
    :param junction: where a road crosses, metres along the road; None where none does.
    """

    def __init__(
        self, site: Site, setting: Setting, side: int, half: float, junction: float | None
    ) -> None:
        self._site, self._rng, self._setting = site, site.rng, setting
        self._side, self._junction = side, junction
        # How far from the middle of the road, and how high, what is laid out ends so far.
        self._edge, self._level = half, 0.0

    def lay_out(self) -> None:
        """Lay strip beside strip from the kerb outwards, and put on them what stands there."""
        rng, setting = self._rng, self._setting
        if setting.bays[1]:
            for _ in range(rng.integers(setting.bays[0], setting.bays[1] + 1)):
                self._bays()
        if rng.random() < setting.parking:
            self._parked_cars()
        if rng.random() < setting.track:
            self._track()
        if rng.random() < setting.verge:
            self._verge()
        if rng.random() < setting.sidewalk:
            self._sidewalk()
        self._posts()
        self._clutter()
        self._edge += 0.2
        if rng.random() < setting.boundary:
            self._boundary(str(rng.choice(setting.boundaries)))
            self._edge += 0.5
        self._land()
        if setting.thicket and rng.random() < setting.thicket:
            self._thicket()
        self._lots()

    def park_in_bays(self, near: float) -> None:
        """Park vehicles side by side, one end towards the road, in bays that begin at ``near``."""
        rng = self._rng
        share, backwards = rng.uniform(0.5, 1.0), rng.uniform(0, 0.6)
        s = rng.uniform(-12, -8)
        while s < 80:
            if rng.random() < share and self._is_free(s):
                mesh = self._site.vehicle(self._setting)
                length = float(np.ptp(mesh.vertices[:, 0]))
                t = near + rng.uniform(0.1, 0.6) + length / 2
                turn = np.pi / 2 + np.pi * (rng.random() < backwards)
                self._site.put(mesh, s, self._side * t, turn + rng.normal(0, 0.03))
            s += rng.uniform(3.0, 5.0) if self._setting.lorries else rng.uniform(2.6, 3.0)

    def _is_free(self, s: float) -> bool:
        return self._junction is None or abs(s - self._junction) > _JUNCTION_M

    def _height_at(self, t: float) -> float:
        return float(np.interp(t, self._section, self._rise))

    def _lay(
        self, width: float, material: Material, rise: float = 0.0, fit: bool = False
    ) -> float:
        """Lay a strip outwards of the last one; return where its middle is."""
        section = self._side * np.linspace(self._edge, self._edge + width, 3)
        heights = self._level + np.linspace(0, rise, 3)
        self._site.solid.append(
            self._site.course.strip(_EVERYWHERE, section, heights, material, fit)
        )
        self._edge, self._level = self._edge + width, self._level + rise
        return self._edge - width / 2

    def _bays(self) -> None:
        site, near = self._site, self._edge
        self._lay(
            14.0 if self._setting.lorries else 5.2, site.material('asphalt', 'paving', 'concrete')
        )
        self.park_in_bays(near)
        self._lay(self._rng.uniform(0.3, 7), site.material('asphalt', 'paving', 'grass'))

    def _parked_cars(self) -> None:
        site, rng, side = self._site, self._rng, self._side
        t = self._lay(2.2, site.material('asphalt', 'paving', tint=rng.uniform(0.5, 1.1)))
        share, s = rng.uniform(0.4, 1.0), -15.0
        backwards = rng.random() < 0.2
        while s < VIEW_M:
            if rng.random() < share and self._is_free(s):
                site.put(
                    site.vehicle(self._setting),
                    s,
                    side * (t + rng.normal(0, 0.1)),
                    rng.normal(0, 0.03) + np.pi * (backwards or (side > 0 and rng.random() < 0.6)),
                )
            s += rng.uniform(5.2, 7)

    def _track(self) -> None:
        site, rng = self._site, self._rng
        self._edge += 0.3
        t = self._lay(3.0, site.material('ballast', size_m=6), fit=True)
        if rng.random() < 0.15:
            site.put(props.bus(rng, site.library), rng.uniform(40, 120), self._side * t)
        for s in np.arange(rng.uniform(0, 30), VIEW_M, rng.uniform(25, 45)).tolist():
            self._post(s, self._edge + 0.3, 'mast')

    def _verge(self) -> None:
        site, rng = self._site, self._rng
        if rng.random() < 0.5:
            self._lay(0.15, site.material('concrete', size_m=1.5), 0.12)
        self._lay(rng.uniform(1, 5), site.material('grass', 'grass', 'soil'), rng.normal(0, 0.1))
        if rng.random() < self._setting.trees:
            spacing = rng.uniform(5, 16)
            for s in np.arange(rng.uniform(3, 15), VIEW_M, spacing).tolist():
                if self._is_free(s) and rng.random() < 0.85:
                    site.tree(s + rng.normal(0, 0.5), self._side * (self._edge - 0.8), self._level)

    def _sidewalk(self) -> None:
        site, rng = self._site, self._rng
        self._lay(
            0.15,
            site.material('concrete', size_m=1.5, tint=rng.uniform(0.6, 1.2)),
            0.12 if self._level < 0.05 else 0.0,
        )
        self._lay(
            rng.uniform(1.2, 4), site.material('paving', 'paving', 'asphalt', 'concrete', size_m=3)
        )

    def _posts(self) -> None:
        rng = self._rng
        forms = (('lamp', 0.5), ('sign', 0.6), ('lights', 0.15))
        for form, chance in (('lamp', 0.3),) if self._setting.surface else forms:
            if rng.random() < chance:
                for s in np.arange(rng.uniform(5, 30), VIEW_M, rng.uniform(18, 60)).tolist():
                    if self._is_free(s):
                        self._post(s, self._edge - rng.uniform(0.1, 0.5), form)

    def _post(self, s: float, t: float, form: str) -> None:
        solid, sign = props.pole(self._rng, self._site.library, form)
        turn = 0.0 if self._side < 0 else np.pi  # arms reach over the road
        self._site.put(solid, s, self._side * t, turn)
        if len(sign.faces):
            self._site.put(sign, s, self._side * t, 0.0, cutout=True)

    def _clutter(self) -> None:
        site, rng = self._site, self._rng
        for _ in range(rng.integers(0, 7)):
            s = rng.uniform(4, 60)
            if self._is_free(s):
                site.put(
                    site.clutter(),
                    s,
                    self._side * (self._edge + rng.uniform(0, 0.8)),
                    rng.uniform(0, 6.3),
                    self._level,
                )

    def _land(self) -> None:
        """Lay the land beyond, level or as a bank, as far as the course lets it."""
        site, rng, edge = self._site, self._rng, self._edge
        bank = rng.uniform(0, 6) if rng.random() < 0.2 else rng.normal(0, 0.15)
        self._reach = max(site.course.reach_m, edge + 6)
        self._section = np.array([edge - 0.7, edge + 2, edge + 8, edge + 25, self._reach + 30])
        self._rise = self._level - 0.02 + bank * np.array([0, 0.15, 0.8, 1, 1])
        keep = self._section <= self._reach
        keep[:2] = True
        ground = site.material(
            'grass', 'grass', 'soil', 'paving' if self._setting.houses > 0.5 else 'grass', size_m=5
        )
        site.solid.append(
            site.course.strip(
                _EVERYWHERE, self._side * self._section[keep], self._rise[keep], ground
            )
        )

    def _thicket(self) -> None:
        """Grow trees and bushes right beside the road, the closer the denser."""
        site, rng, side, edge = self._site, self._rng, self._side, self._edge
        spacing, depth_m = rng.uniform(1.5, 4), rng.uniform(1.0, 4.0)
        s = -8.0
        while s < 90:
            if self._is_free(s):
                t = edge + 0.4 + rng.exponential(depth_m)
                site.tree(s, side * t, self._height_at(t))
                if rng.random() < 0.6:
                    t = edge + rng.uniform(0, 2)
                    bush, has_holes = site.bush()
                    site.put(
                        bush,
                        s + rng.uniform(-2, 2),
                        side * t,
                        rng.uniform(0, 6.3),
                        self._height_at(t),
                        cutout=has_holes,
                    )
            s += spacing * rng.uniform(0.5, 1.5)

    def _boundary(self, kind: str) -> None:
        """Run a wall, hedge, fence or guard rail along the road, but for the junction."""
        stretches = [(-40.0, VIEW_M)]
        if self._junction is not None:
            stretches = [
                (-40.0, self._junction - _JUNCTION_M),
                (self._junction + _JUNCTION_M, VIEW_M),
            ]
        for start, end in stretches:
            if end <= start:
                continue
            if kind == 'wall':
                self._wall(start, end)
            elif kind == 'hedge':
                self._hedge(start, end)
            elif kind == 'fence':
                self._fence(start, end, self._edge, self._level, self._rng.uniform(0.9, 2.2))
            elif kind == 'rail':
                self._rail(start, end)

    def _wall(self, start: float, end: float) -> None:
        rng = self._rng
        height = rng.uniform(0.6, 3.2)
        self._block(
            start,
            end,
            0.0,
            0.3,
            height,
            self._site.material('brick', 'stone', 'plaster', 'concrete', 'graffiti', size_m=2.5),
        )
        if rng.random() < 0.3:
            self._fence(start, end, self._edge + 0.15, self._level + height, rng.uniform(0.6, 1.2))

    def _hedge(self, start: float, end: float) -> None:
        site, rng = self._site, self._rng
        height, thick = rng.uniform(0.8, 3.5), rng.uniform(0.6, 1.5)
        material = site.material('hedge', size_m=2.0, tint=rng.uniform(0.5, 1.2))
        self._block(start, end, 0.05, thick, height, material)
        count = int(4 * min(end - start, 90))
        spots = site.course.at(
            start + (min(end, 80) - start) * rng.random(count),
            self._side * (self._edge + thick * rng.random(count)),
            self._level + height * rng.uniform(0.1, 1.05, count),
        )
        normals = np.tile([0.0, 0.0, 1.0], (count, 1)) + rng.normal(0, 0.6, (count, 3))
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        sizes_m = rng.uniform(0.4, 0.9, count)
        leaves = Material(site.library.pick(rng, 'leaves'), material.tint)
        site.cutout.append(cards(spots, sizes_m, normals, rng, leaves))

    def _block(
        self,
        start: float,
        end: float,
        lean: float,
        thick: float,
        height: float,
        material: Material,
    ) -> None:
        section = self._edge + np.array([0, lean, thick, thick])
        heights = self._level + np.array([-0.2, height, height, -0.2])
        self._site.solid.append(
            self._site.course.strip((start, end), self._side * section, heights, material)
        )

    def _fence(self, start: float, end: float, t: float, z: float, height: float) -> None:
        site = self._site
        material = Material(site.library.pick(self._rng, 'fence'), size_m=height)
        place = self._side * t
        site.cutout.append(
            site.course.strip(
                (start, end),
                np.array([place, place + 0.001]),
                z + np.array([height, 0.0]),
                material,
                fit_across=True,
            )
        )

    def _rail(self, start: float, end: float) -> None:
        site, t = self._site, self._edge
        steel = site.material('metal', size_m=3, tint=self._rng.uniform(0.5, 1.0))
        section = self._side * np.array([t, t - 0.06, t, t - 0.06, t])
        site.solid.append(
            site.course.strip(
                (start, end), section, self._level + np.array([0.5, 0.57, 0.65, 0.73, 0.8]), steel
            )
        )
        for s in np.arange(start, min(end, 100), 3.0).tolist():
            site.put(box((0.1, 0.1, 0.9), steel), s, self._side * (t + 0.08), z=self._level + 0.35)

    def _lots(self) -> None:
        """Fill the land beside the road with houses, trees, bushes and fields."""
        site, rng, setting = self._site, self._rng, self._setting
        side, edge, reach = self._side, self._edge, self._reach
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
            z = self._height_at(t) - 0.1
            is_free = all(self._is_free(place) for place in (s, middle, s + width))
            if rng.random() < setting.houses and is_free and t + 8 < reach + 10:
                model = site.model('house')
                if model is not None:
                    deep, wide = np.ptp(model.vertices[:, :2], axis=0).tolist()
                    width = max(width, wide)
                    site.put(model, s + width / 2, side * (t + deep / 2), -turn, z)
                    s += width + gap
                    continue
                kind = rng.random()
                house = (
                    buildings.garages(rng, site.library, width)
                    if kind < 0.12
                    else buildings.hall(rng, site.library, width)
                    if kind < 0.2
                    else buildings.building(rng, site.library, width, floors)
                )
                site.put(house, middle, side * t, turn, z)
            elif rng.random() < setting.trees:
                for _ in range(rng.integers(1, 7)):
                    away = edge + rng.uniform(1.5, min(20, max(2, reach - edge)))
                    if self._is_free(middle):
                        site.tree(s + rng.uniform(0, width), side * away, self._height_at(away))
            for _ in range(rng.poisson(1.5 * setting.trees)):
                away = edge + rng.uniform(0.5, max(1.0, setback))
                where = s + rng.uniform(0, width)
                if self._is_free(where) and s < 90:
                    bush, has_holes = site.bush()
                    site.put(bush, where, side * away, z=self._height_at(away), cutout=has_holes)
            s += width + gap
