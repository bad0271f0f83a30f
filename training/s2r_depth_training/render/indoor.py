"""Procedural rooms: walls, furniture, clutter and lamps, seen by a hand-held camera."""
from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s2r_depth_training.render import camera as cameras, light
from s2r_depth_training.render.meshes import (
    box, cards, cushion, Material, merge, Mesh, place, quads, surface, tube)
from s2r_depth_training.render.scene import Scene
from s2r_depth_training.render.textures import colour, Library


class _Room:
    """The meshes of a room while it is furnished, and the floor space that is taken."""

    def __init__(self, rng: Generator, library: Library, length: float, width: float,
                 height: float) -> None:
        self.rng, self.library = rng, library
        self.length, self.width, self.height = length, width, height
        self.solid: list[Mesh] = []
        self.cutout: list[Mesh] = []
        self.taken: list[tuple[float, float, float]] = []  # x, y, radius

    def material(self, *kinds: str, size_m: float = 1.0, gloss: float = 0.0,
                 tint: np.ndarray | None = None) -> Material:
        tint = self.rng.uniform(0.6, 1.1) * np.ones(3) if tint is None else tint
        return Material(self.library.pick(self.rng, *kinds), tint, size_m, gloss)

    def paint(self, value: tuple[float, float] = (0.05, 1.0), gloss: float = 0.1) -> Material:
        tint = colour(self.rng, (0, 0.9) if self.rng.random() < 0.3 else (0, 0.15), value) ** 2
        return Material(self.library.kinds['plain'][0], tint, gloss=gloss)

    def is_free(self, x: float, y: float, radius: float) -> bool:
        return all(np.hypot(x - a, y - b) > radius + r for a, b, r in self.taken)

    def stand(self, mesh: Mesh, x: float, y: float, turn: float, radius: float) -> None:
        self.solid.append(place(mesh, (x, y, 0.0), turn))
        self.taken.append((x, y, radius))


def indoor_scene(rng: Generator, library: Library, frames: int, width_px: int,
                 height_px: int) -> Scene:
    """
    Build one room with what stands in it.

    :param rng: the only source of chance.
    :param frames: number of cameras.
    """
    kind = str(rng.choice(['living', 'office', 'bedroom', 'kitchen', 'corridor', 'store'],
                          p=[0.27, 0.2, 0.14, 0.17, 0.1, 0.12]))
    length, width = rng.uniform(3.0, 8.0), rng.uniform(2.6, 6.0)
    if kind == 'corridor':
        length, width = rng.uniform(6, 14), rng.uniform(1.5, 2.6)
    room = _Room(rng, library, length, width, rng.uniform(2.3, 3.2))
    _shell(room)
    _walls(room, kind)
    _along_walls(room, kind)
    _middle(room, kind)
    _scatter(room)
    lamps = _lamps(room)
    views = _cameras(room, frames, width_px, height_px)
    looks = {name: light.indoor(name, np.random.default_rng([int(rng.integers(2 ** 31)), number]), lamps)
             for number, name in enumerate(light.VARIATIONS)}
    return Scene(merge(room.solid), merge(room.cutout), library, views, looks,
                 ceiling_m=room.height - 0.3)


def _shell(room: _Room) -> None:
    rng, x, y, z = room.rng, room.length / 2, room.width / 2, room.height
    floor = room.material('parquet', 'carpet', 'tiles', 'carpet', 'wood', 'concrete',
                          size_m=rng.uniform(0.8, 3), gloss=rng.uniform(0, 0.3) * (rng.random() < 0.5))
    room.solid.append(quads(np.array([[(-x, -y, 0), (-x, y, 0), (x, y, 0), (x, -y, 0)]]), floor))
    ceiling = room.material('wallpaper', 'plain', 'tiles' if rng.random() < 0.3 else 'plaster',
                            size_m=2.4)
    room.solid.append(quads(np.array([[(-x, y, z), (-x, -y, z), (x, -y, z), (x, y, z)]]), ceiling))
    kinds = ('wallpaper', 'wallpaper', 'plain', 'plain') if rng.random() < 0.75 else (
        'plaster', 'brick', 'concrete', 'wood', 'tiles')
    tint = colour(rng, (0, 0.1) if rng.random() < 0.65 else (0.1, 0.5), (0.5, 1.0))
    walls = room.material(*kinds, size_m=rng.uniform(1.5, 4), tint=tint)
    skirting = room.paint((0.2, 1))
    for index, (ax, ay, bx, by) in enumerate(((x, y, x, -y), (-x, -y, -x, y), (-x, y, x, y), (x, -y, -x, -y))):
        one = walls if index or rng.random() < 0.75 else room.material(
            'wallpaper', 'brick', 'wood', 'plaster', 'tiles', size_m=2)
        room.solid.append(quads(np.array([[(ax, ay, z), (bx, by, z), (bx, by, 0), (ax, ay, 0)]]), one))
    if rng.random() < 0.8:
        for side in (-1, 1):
            room.solid.append(box((room.length, 0.03, 0.1), skirting, (0, side * (y - 0.015), 0.05)))
            room.solid.append(box((0.03, room.width, 0.1), skirting, (side * (x - 0.015), 0, 0.05)))
    if rng.random() < 0.25:  # a beam or a pillar
        beam = room.material('wood', 'concrete', 'plaster')
        at = rng.uniform(-0.3, 0.3) * room.length
        room.solid.append(box((0.3, room.width, 0.35), beam, (at, 0, z - 0.17)))
    if rng.random() < 0.12:
        at = rng.uniform(-0.3, 0.3, 2) * (room.length, room.width)
        room.solid.append(box((0.35, 0.35, z), room.material('concrete', 'plaster', 'brick'),
                              (*at, z / 2)))
        room.taken.append((*at, 0.35))


def _wall_frame(room: _Room, side: int) -> tuple[float, float, float, float]:
    """Return (x, y, direction into the room, length) of the middle of wall 0 to 3."""
    x, y = room.length / 2, room.width / 2
    return ((x, 0, np.pi, room.width), (0, y, -np.pi / 2, room.length),
            (-x, 0, 0.0, room.width), (0, -y, np.pi / 2, room.length))[side]


def _hang(room: _Room, side: int, along: float, mesh: Mesh) -> None:
    """Hang or stand a mesh at a wall; its x axis points into the room, its origin is on the wall."""
    x, y, turn, _ = _wall_frame(room, side)
    room.solid.append(place(mesh, (x - along * np.sin(turn), y + along * np.cos(turn), 0), turn))


def _panel(material: Material, wide: float, tall: float, z: float, out: float) -> Mesh:
    return quads(np.array([[(out, -wide / 2, z + tall / 2), (out, wide / 2, z + tall / 2),
                            (out, wide / 2, z - tall / 2), (out, -wide / 2, z - tall / 2)]]),
                 material, fit=True)


def _walls(room: _Room, kind: str) -> None:
    """Put doors, windows, curtains, pictures and shelves on the walls."""
    rng = room.rng
    for side in range(4):
        length = _wall_frame(room, side)[3]
        spots = np.arange(-length / 2 + 0.8, length / 2 - 0.5, 1.3) + rng.uniform(-0.2, 0.2)
        for along in spots:
            choice = rng.random()
            if choice < 0.1:
                frame = room.paint((0.2, 1))
                _hang(room, side, along, merge([
                    box((0.08, 1.06, 2.1), frame, (0, 0, 1.05)),
                    _panel(room.material('door', 'wood', 'plain'), 0.9, 2.02, 1.01, 0.05),
                    box((0.1, 0.12, 0.03), room.paint((0.5, 0.9), 0.6), (0.08, 0.36, 1.02))]))
            elif choice < 0.24:
                wide, tall = rng.uniform(0.7, 1.25), rng.uniform(0.8, 1.6)
                glow = rng.uniform(0.4, 2.0)
                pane = Material(room.library.pick(rng, 'outlook'), glow=glow)
                parts = [_panel(pane, wide, tall, 1.5, 0.03),
                         box((0.2, wide + 0.1, 0.04), room.paint((0.5, 1)), (0.1, 0, 1.5 - tall / 2))]
                if rng.random() < 0.6:
                    parts += _curtains(room, wide)
                elif rng.random() < 0.4:  # a radiator
                    parts.append(box((0.1, wide, 0.55), room.material('shutter', tint=np.full(3, 0.9)),
                                     (0.08, 0, 0.45), fit=True))
                _hang(room, side, along, merge(parts))
            elif choice < 0.6:
                for _ in range(rng.integers(1, 3)):
                    wide, tall = rng.uniform(0.2, 1.0), rng.uniform(0.2, 0.9)
                    z = rng.uniform(1.2, 1.9)
                    shift = rng.uniform(-0.3, 0.3)
                    flat = rng.random() < 0.4
                    picture = _panel(room.material('poster', 'poster', 'screen', 'graffiti', tint=np.ones(3)),
                                     wide, tall, z, 0.006 if flat else 0.025)
                    parts = [picture] if flat else [
                        picture, box((0.02, wide + 0.06, tall + 0.06), room.paint(), (0.012, 0, z))]
                    _hang(room, side, along + shift, merge(parts))
            elif choice < 0.7 and kind != 'corridor':
                _hang(room, side, along, _wall_shelf(room))


def _curtains(room: _Room, wide: float) -> list[Mesh]:
    cloth = room.material('fabric', size_m=0.8)
    z = np.array([0.05 if room.rng.random() < 0.6 else 0.8, 1.4, 2.25])
    parts = []
    for side in (-1, 1):
        y = side * np.linspace(wide * 0.35, wide * 0.75, 24)
        fold = 0.1 + 0.035 * np.sin(np.linspace(0, 24, 24))
        points = np.stack(np.broadcast_arrays(fold[:, None], y[:, None], z[None]), -1)
        parts.append(surface(points, cloth))
    return parts


def _wall_shelf(room: _Room) -> Mesh:
    rng = room.rng
    wide, z = rng.uniform(0.6, 1.2), rng.uniform(1.1, 1.8)
    return merge([box((0.25, wide, 0.03), room.material('wood', 'plain'), (0.125, 0, z)),
                  *_goods(room, wide, 0.2, z + 0.015)])


def _goods(room: _Room, wide: float, deep: float, z: float) -> list[Mesh]:
    """Fill a board with books, boxes, jars and gaps; x into the room, y along."""
    rng = room.rng
    parts, y = [], -wide / 2 + 0.03
    while y < wide / 2 - 0.1:
        choice = rng.random()
        if choice < 0.4:
            run = min(rng.uniform(0.1, 0.5), wide / 2 - y)
            tall = rng.uniform(0.18, 0.32)
            parts.append(box((deep * 0.8, run, tall), room.material('books'),
                             (deep * 0.5, y + run / 2, z + tall / 2), fit=True))
        elif choice < 0.6:
            run, tall = rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.3)
            parts.append(box((deep * 0.8, run, tall), room.material('poster', 'wood', 'plain'),
                             (deep * 0.5, y + run / 2, z + tall / 2), fit=True))
        elif choice < 0.75:
            run, tall = rng.uniform(0.06, 0.14), rng.uniform(0.08, 0.3)
            parts.append(_jar(room, (deep * 0.5, y + run / 2, z), run / 2, tall))
        else:
            run = rng.uniform(0.05, 0.3)
        y += run + 0.01
    return parts


def _jar(room: _Room, at: tuple[float, float, float], radius: float, tall: float) -> Mesh:
    """Make a cup, bottle, vase or can."""
    rng = room.rng
    levels = np.linspace(0, 1, 6)
    outline = radius * np.interp(levels, np.linspace(0, 1, 4), rng.uniform(0.5, 1.0, 4))
    path = np.array(at) + np.stack([0 * levels, 0 * levels, tall * levels], -1)
    return tube(path, outline, room.paint(gloss=0.4) if rng.random() < 0.7 else room.material('poster', size_m=0.3),
                12, ends=True)


def _bookcase(room: _Room) -> tuple[Mesh, float, float]:
    rng = room.rng
    wide, deep, tall = rng.uniform(0.6, 2.0), rng.uniform(0.25, 0.45), rng.uniform(0.9, 2.2)
    wood = room.material('wood', 'wood', 'plain')
    parts = [box((0.02, wide, tall), wood, (0.01, 0, tall / 2))]
    parts += [box((deep, 0.03, tall), wood, (deep / 2, y, tall / 2))
              for y in np.linspace(-wide / 2, wide / 2, 1 + max(1, int(wide / 0.8)))]
    for z in np.linspace(0.06, tall, max(3, int(tall / 0.38))):
        parts.append(box((deep, wide, 0.025), wood, (deep / 2, 0, z)))
        if z < tall - 0.1 and rng.random() < 0.85:
            parts += _goods(room, wide, deep, z + 0.012)
    return merge(parts), wide, deep


def _cabinet(room: _Room) -> tuple[Mesh, float, float]:
    """Make a cupboard, chest of drawers, kitchen unit or fridge."""
    rng = room.rng
    wide, deep, tall = rng.uniform(0.5, 2.2), rng.uniform(0.35, 0.65), rng.choice(
        [rng.uniform(0.6, 0.95), rng.uniform(1.6, 2.2)])
    front = room.material('wood', 'plain', 'metal', tint=colour(rng, (0, 0.8), (0.2, 1)), gloss=0.1)
    parts = [box((deep, wide, tall), front, (deep / 2, 0, tall / 2))]
    columns, rows = max(1, int(wide / 0.55)), int(rng.integers(1, 5))
    handle, gap = room.paint(gloss=0.6), room.paint((0.02, 0.1))
    for y in (np.arange(columns) - (columns - 1) / 2) * wide / columns:
        for z in (np.arange(rows) + 0.5) * tall / rows:
            parts.append(box((0.012, 0.3 * wide / columns, 0.02), handle, (deep + 0.02, y, z)))
            parts.append(box((0.002, wide / columns, 0.006), gap, (deep + 0.001, y, z - tall / rows / 2)))
        parts.append(box((0.002, 0.006, tall), gap, (deep + 0.001, y - wide / columns / 2, tall / 2)))
    if tall < 1.2:
        top = room.material('wood', 'concrete', 'plain', gloss=0.2)
        parts.append(box((deep + 0.03, wide + 0.02, 0.035), top, (deep / 2, 0, tall + 0.017)))
        parts += [place(part, (0, 0, 0)) for part in _goods(room, wide, deep, tall + 0.035)
                  if rng.random() < 0.7]
    return merge(parts), wide, deep


def _sofa(room: _Room) -> tuple[Mesh, float, float]:
    rng = room.rng
    wide, deep = rng.uniform(0.8, 2.4), rng.uniform(0.75, 0.95)
    cloth = room.material('fabric', 'fabric', 'plain', tint=colour(rng, (0, 0.6), (0.15, 1)))
    seat, back, arm = rng.uniform(0.38, 0.46), rng.uniform(0.7, 1.0), rng.uniform(0.12, 0.25)
    parts = [cushion((deep, wide, seat * 0.7), cloth, (deep / 2, 0, seat * 0.4), 9),
             cushion((0.25, wide, back - 0.1), cloth, (0.14, 0, back / 2 + 0.05), 6)]
    parts += [cushion((deep, arm, seat + 0.2), cloth, (deep / 2, side * (wide / 2 - arm / 2), (seat + 0.2) / 2), 6)
              for side in (-1, 1)]
    count = max(1, round((wide - 2 * arm) / 0.65))
    each = (wide - 2 * arm) / count
    for y in (np.arange(count) - (count - 1) / 2) * each:
        parts.append(cushion((deep - 0.2, each, 0.18), cloth, (deep / 2 + 0.1, y, seat), 5))
        if rng.random() < 0.4:
            parts.append(cushion((0.14, 0.4, 0.38), room.material('fabric'), (0.35, y, seat + 0.25), 3))
    return merge(parts), wide, deep


def _bed(room: _Room) -> tuple[Mesh, float, float]:
    rng = room.rng
    wide, deep = rng.uniform(0.9, 1.8), 2.05
    wood, sheet = room.material('wood', 'plain', 'fabric'), room.material('fabric', 'plain')
    parts = [box((deep, wide, 0.28), wood, (deep / 2, 0, 0.2)),
             box((0.06, wide + 0.06, rng.uniform(0.6, 1.1)), wood, (0.03, 0, 0.5)),
             cushion((deep - 0.05, wide - 0.04, 0.26), sheet, (deep / 2, 0, 0.44), 8),
             cushion((deep * 0.65, wide + 0.08, 0.16), room.material('fabric', size_m=1.2),
                     (deep * 0.66, 0, 0.56), 6)]
    for y in ([0.0] if wide < 1.2 else [-wide / 4, wide / 4]):
        parts.append(cushion((0.4, 0.6, 0.16), room.material('fabric', 'plain', tint=np.full(3, 0.95)),
                             (0.3, y, 0.62), 3))
    return merge(parts), wide, deep


def _table(room: _Room, round_top: bool) -> tuple[Mesh, float, float, float]:
    """Make a table with things on it; returns mesh, size along x, size along y, height."""
    rng = room.rng
    long, wide = rng.uniform(0.8, 2.2), rng.uniform(0.6, 1.1)
    tall = rng.choice([rng.uniform(0.35, 0.5), rng.uniform(0.7, 0.78), rng.uniform(0.7, 0.78)])
    top = room.material('wood', 'wood', 'plain', 'concrete', gloss=rng.uniform(0, 0.3))
    leg = room.material('wood', 'metal', 'plain', tint=rng.uniform(0.05, 1) * np.ones(3))
    thick = rng.uniform(0.02, 0.06)
    if round_top:
        long = wide = rng.uniform(0.6, 1.2)
        parts = [tube(np.array([(0, 0, tall - thick), (0, 0, tall)]), long / 2, top, 28, ends=True),
                 tube(np.array([(0, 0, 0), (0, 0, tall)]), 0.05, leg, 10),
                 tube(np.array([(0, 0, 0), (0, 0, 0.03)]), 0.28, leg, 16, ends=True)]
    else:
        parts = [box((long, wide, thick), top, (0, 0, tall - thick / 2))]
        girth = rng.uniform(0.03, 0.09)
        for x in (-1, 1):
            for y in (-1, 1):
                parts.append(box((girth, girth, tall - thick), leg, (
                    x * (long / 2 - girth), y * (wide / 2 - girth), (tall - thick) / 2)))
    parts += _on_top(room, long * 0.8, wide * 0.8, tall, int(rng.integers(1, 12)))
    return merge(parts), long, wide, tall


def _on_top(room: _Room, long: float, wide: float, z: float, count: int) -> list[Mesh]:
    """Scatter small things on a level surface."""
    rng = room.rng
    parts = []
    for _ in range(count):
        at = (rng.uniform(-0.5, 0.5) * long, rng.uniform(-0.5, 0.5) * wide, z)
        turn = rng.uniform(0, 2 * np.pi)
        kind = rng.integers(5)
        if kind == 0:  # paper, magazines
            size = (rng.uniform(0.15, 0.35), rng.uniform(0.12, 0.25), rng.uniform(0.003, 0.04))
            parts.append(place(box(size, room.material('poster', 'books'), (0, 0, size[2] / 2), fit=True), at, turn))
        elif kind == 1:
            parts.append(_jar(room, at, rng.uniform(0.03, 0.08), rng.uniform(0.06, 0.3)))
        elif kind == 2:
            size = rng.uniform([0.08, 0.06, 0.04], [0.4, 0.3, 0.25])
            parts.append(place(box(size, room.material('poster', 'plain', 'wood'), (0, 0, size[2] / 2), fit=True), at, turn))
        elif kind == 3:  # bowl, fruit, toy
            size = rng.uniform(0.05, 0.25, 3)
            parts.append(place(cushion(size, room.paint(gloss=0.3), (0, 0, size[2] / 2), rng.uniform(2, 5)), at, turn))
        else:
            parts.append(place(_monitor(room), at, turn) if rng.random() < 0.3 else
                         _jar(room, at, rng.uniform(0.03, 0.1), rng.uniform(0.05, 0.2)))
    return parts


def _monitor(room: _Room) -> Mesh:
    wide, tall = room.rng.uniform(0.4, 0.65), room.rng.uniform(0.26, 0.4)
    case = room.paint((0.03, 0.4))
    face = place(_panel(Material(room.library.pick(room.rng, 'screen'), gloss=0.2, glow=0.3),
                        wide - 0.03, tall - 0.03, 0.12 + tall / 2, 0.025), (0, 0, 0))
    return merge([box((0.04, wide, tall), case, (0, 0, 0.12 + tall / 2)), face,
                  box((0.03, 0.06, 0.15), case, (-0.02, 0, 0.08)), box((0.18, 0.25, 0.015), case, (0, 0, 0.008))])


def _chair(room: _Room) -> Mesh:
    """Make a chair facing +x: four legs, or a swivel foot."""
    rng = room.rng
    frame = room.material('wood', 'metal', 'plain', tint=rng.uniform(0.05, 1) * np.ones(3))
    pad = frame if rng.random() < 0.4 else room.material('fabric', 'plain', tint=colour(rng, (0, 0.8), (0.1, 1)))
    wide, seat, back = rng.uniform(0.38, 0.5), rng.uniform(0.42, 0.5), rng.uniform(0.75, 1.1)
    parts = [cushion((wide, wide, 0.06), pad, (0, 0, seat), 7)]
    if rng.random() < 0.3:
        parts += [tube(np.array([(0, 0, 0.1), (0, 0, seat)]), 0.03, frame, 8),
                  cushion((0.07, wide, back - seat - 0.1), pad, (-wide / 2, 0, (back + seat + 0.1) / 2), 5)]
        for angle in np.arange(5) * 2 * np.pi / 5:
            foot = (0.28 * np.cos(angle), 0.28 * np.sin(angle), 0.04)
            parts.append(tube(np.array([(0, 0, 0.1), foot]), 0.02, frame, 6))
        return merge(parts)
    half = wide / 2 - 0.02
    for x in (-half, half):
        for y in (-half, half):
            leg = [(x * 1.05, y * 1.05, 0), (x, y, seat)] + [(x - 0.06, y, back)] * (x < 0)
            parts.append(tube(np.array(leg), 0.018, frame, 6))
    if rng.random() < 0.5:
        for z in np.linspace(seat + 0.12, back - 0.03, rng.integers(2, 5)):
            parts.append(box((0.02, wide, 0.05), frame, (-half - 0.03, 0, z)))
    else:
        parts.append(cushion((0.05, wide, back - seat - 0.1), pad, (-half - 0.02, 0, (back + seat) / 2 + 0.05), 6))
    return merge(parts)


def _along_walls(room: _Room, kind: str) -> None:
    rng = room.rng
    makers = {'living': [_sofa, _bookcase, _cabinet, _sofa], 'office': [_bookcase, _cabinet, _desk],
              'bedroom': [_bed, _cabinet, _bookcase], 'kitchen': [_cabinet, _cabinet, _bookcase],
              'corridor': [_cabinet], 'store': [_bookcase, _cabinet, _desk]}[kind]
    for side in range(4):
        x, y, turn, length = _wall_frame(room, side)
        along = -length / 2 + rng.uniform(0.3, 1.0)
        while along < length / 2 - 0.6:
            if rng.random() < (0.25 if kind == 'corridor' else 0.6):
                mesh, wide, deep = makers[rng.integers(len(makers))](room)
                middle = along + wide / 2
                spot = (x - middle * np.sin(turn) + deep / 2 * np.cos(turn),
                        y + middle * np.cos(turn) + deep / 2 * np.sin(turn))
                if middle + wide / 2 < length / 2 - 0.1 and deep < 0.45 * min(room.length, room.width) \
                        and room.is_free(*spot, max(wide, deep) * 0.42):
                    _hang(room, side, middle, place(mesh, (0.02, 0, 0)))
                    room.taken.append((*spot, max(wide, deep) * 0.5))
                along += wide
            along += rng.uniform(0.1, 1.0)


def _desk(room: _Room) -> tuple[Mesh, float, float]:
    """Make a desk with a monitor, and a chair at it."""
    rng = room.rng
    long, deep = rng.uniform(1.1, 1.9), rng.uniform(0.6, 0.8)
    top, leg = room.material('wood', 'plain'), room.paint()
    parts = [box((deep, long, 0.035), top, (deep / 2, 0, 0.73))]
    parts += [box((deep - 0.05, 0.04, 0.72), leg, (deep / 2, side * (long / 2 - 0.05), 0.36)) for side in (-1, 1)]
    for y in rng.uniform(-0.35, 0.35, rng.integers(1, 3)) * long:
        parts.append(place(_monitor(room), (0.25, y, 0.748), rng.normal(0, 0.2)))
    parts.append(box((0.15, 0.42, 0.02), room.paint(), (deep - 0.2, 0, 0.758)))
    parts += [place(part, (deep / 2, 0, 0)) for part in _on_top(room, deep * 0.7, long * 0.9, 0.748, int(rng.integers(0, 9)))]
    parts.append(place(_chair(room), (deep + 0.2, rng.uniform(-0.3, 0.3), 0), np.pi + rng.normal(0, 0.6)))
    return merge(parts), long, deep


def _middle(room: _Room, kind: str) -> None:
    rng = room.rng
    if kind == 'corridor':
        return
    if rng.random() < 0.4:
        wide, long = rng.uniform(1, room.width * 0.6), rng.uniform(1, room.length * 0.6)
        room.solid.append(quads(np.array([[(-long / 2, -wide / 2, 0.008), (-long / 2, wide / 2, 0.008),
                                           (long / 2, wide / 2, 0.008), (long / 2, -wide / 2, 0.008)]]),
                                room.material('rug', 'carpet', 'fabric'), fit=True))
    for _ in range(rng.integers(0, 4)):
        mesh, long, wide, tall = _table(room, rng.random() < 0.3)
        radius = np.hypot(long, wide) / 2
        x = rng.uniform(-1, 1) * max(0.0, room.length / 2 - radius - 0.2)
        y = rng.uniform(-1, 1) * max(0.0, room.width / 2 - radius - 0.2)
        turn = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1)
        if not room.is_free(x, y, radius * 0.9):
            continue
        room.stand(mesh, x, y, turn, radius)
        for angle in rng.uniform(0, 2 * np.pi, rng.integers(0, 6) if tall > 0.6 else 0):
            reach = (long * abs(np.cos(angle)) + wide * abs(np.sin(angle))) / 2 + 0.15
            spot = (x + reach * np.cos(angle + turn), y + reach * np.sin(angle + turn))
            if max(abs(spot[0]) - room.length / 2, abs(spot[1]) - room.width / 2) < -0.35:
                room.stand(_chair(room), *spot, angle + turn + np.pi + rng.normal(0, 0.3), 0.3)


def _plant(room: _Room) -> tuple[Mesh, Mesh]:
    rng = room.rng
    tall = rng.uniform(0.4, 1.7)
    pot = tube(np.array([(0, 0, 0), (0, 0, 0.28)]), np.array([0.12, 0.17]), room.paint(), 14, ends=True)
    stem = tube(np.array([(0, 0, 0.2), (0.02, 0, tall * 0.8)]), 0.015, room.material('wood'), 5)
    direction = rng.standard_normal((26, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    spots = direction * (0.22, 0.22, tall * 0.3) + (0, 0, 0.25 + tall * 0.65)
    leaves = cards(spots, rng.uniform(0.25, 0.5, 26), direction, rng,
                   Material(room.library.pick(rng, 'leaves'), rng.uniform(0.5, 1.5) * np.ones(3)))
    return merge([pot, stem]), leaves


def _scatter(room: _Room) -> None:
    """Put boxes, bins, plants, bags and loose chairs on the floor."""
    rng = room.rng
    for _ in range(rng.integers(0, 10)):
        x = rng.uniform(-1, 1) * (room.length / 2 - 0.35)
        y = rng.uniform(-1, 1) * (room.width / 2 - 0.35)
        if not room.is_free(x, y, 0.3):
            continue
        kind, turn = rng.integers(5), rng.uniform(0, 2 * np.pi)
        if kind == 0:
            solid, leaves = _plant(room)
            room.stand(solid, x, y, turn, 0.3)
            room.cutout.append(place(leaves, (x, y, 0), turn))
        elif kind == 1:
            room.stand(_chair(room), x, y, turn, 0.35)
        else:
            level, parts = 0.0, []
            for _ in range(rng.integers(1, 4)):
                size = rng.uniform([0.2, 0.2, 0.12], [0.6, 0.5, 0.45])
                material = room.material('wood', 'plain', 'poster', 'fabric', tint=colour(rng, (0, 0.6), (0.3, 1)))
                shape = box if kind < 4 else cushion
                parts.append(shape(size, material, (0, 0, level + size[2] / 2)))
                level += size[2]
            room.stand(merge(parts), x, y, turn, 0.35)


def _lamps(room: _Room) -> list[np.ndarray]:
    """Hang the lamps; the first is the one that casts shadows."""
    rng = room.rng
    positions = []
    for _ in range(rng.integers(1, 4)):
        at = np.append(rng.uniform(-0.35, 0.35, 2) * (room.length, room.width), room.height - 0.35)
        positions.append(at)
        shade = Material(room.library.kinds['plain'][0], (1, 1, 0.9), glow=2.0)
        if rng.random() < 0.6:
            room.solid.append(cushion((0.3, 0.3, 0.12), shade, (*at[:2], room.height - 0.07), 3))
        else:
            room.solid.append(box((1.2, 0.15, 0.06), shade, (*at[:2], room.height - 0.03)))
    return positions


def _cameras(room: _Room, frames: int, width_px: int, height_px: int) -> list[cameras.Camera]:
    """Walk a hand-held camera through free floor space, looking into the room."""
    rng = room.rng
    hfov = np.radians(rng.uniform(50, 75))
    intrinsics = cameras.pinhole(hfov, width_px, height_px, (
        rng.normal(0, 0.01) * width_px, rng.normal(0, 0.01) * height_px))
    views = []
    for _ in range(frames):
        best = max((np.array([rng.uniform(-1, 1) * (room.length / 2 - 0.3),
                              rng.uniform(-1, 1) * (room.width / 2 - 0.3)]) for _ in range(12)),
                   key=lambda spot: min([np.hypot(spot[0] - x, spot[1] - y) - r
                                         for x, y, r in room.taken], default=1.0)
                   + rng.uniform(0, 0.5) + 0.15 * np.hypot(*spot))
        goal = rng.uniform(-0.45, 0.45, 2) * (room.length, room.width)
        yaw = np.arctan2(*(goal - best)[::-1]) + rng.normal(0, 0.25)
        pitch = np.radians(np.clip(rng.normal(-14, 14), -45, 15))
        height = min(rng.uniform(0.8, 1.8), room.height - 0.6)
        views.append(cameras.look((*best, height), float(yaw), float(pitch), rng.normal(0, 0.05),
                                  intrinsics, width_px, height_px))
    return views
