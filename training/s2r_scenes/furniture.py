"""Objects in rooms. Objects for walls: origin on the wall, x into the room, y along it."""

from __future__ import annotations

from collections.abc import Callable
import functools

import numpy as np
from numpy.random import Generator

from .cast import Cast
from .meshes import (
    box,
    cards,
    cushion,
    Material,
    merge,
    Mesh,
    place,
    POSITION,
    quads,
    surface,
    tube,
)
from .textures import colour, Library, PLAIN


class Kit:
    """Materials drawn from a library, and models from a cast where there is one."""

    def __init__(self, rng: Generator, library: Library, cast: Cast | None = None) -> None:
        self.rng, self.library, self._cast = rng, library, cast

    def model(self, role: str) -> Mesh | None:
        """Draw a model of a real thing, its front towards x; None to make one up."""
        return None if self._cast is None else self._cast.draw(self.rng, role)

    def material(
        self, *kinds: str, size_m: float = 1.0, gloss: float = 0.0, tint: np.ndarray | None = None
    ) -> Material:
        """Draw a texture of one of the kinds."""
        tint = self.rng.uniform(0.6, 1.1) * np.ones(3) if tint is None else tint
        return Material(self.library.pick(self.rng, *kinds), tint, size_m, gloss)

    def paint(self, value: tuple[float, float] = (0.05, 1.0), gloss: float = 0.1) -> Material:
        """Draw a plain colour, grey more often than not."""
        saturation = (0.0, 0.9) if self.rng.random() < 0.3 else (0.0, 0.15)
        return Material(PLAIN, colour(self.rng, saturation, value) ** 2, gloss=gloss)


_Sized = tuple[Mesh, float, float]


def _or_model(role: str) -> Callable[[Callable[[Kit], _Sized]], Callable[[Kit], _Sized]]:
    """Let a maker of things for walls take a model of a role where the kit has one."""

    def wrap(maker: Callable[[Kit], _Sized]) -> Callable[[Kit], _Sized]:
        @functools.wraps(maker)
        def make(kit: Kit) -> _Sized:
            model = kit.model(role)
            if model is None:
                return maker(kit)
            deep, wide, _ = extent_m(model)
            return place(model, (deep / 2, 0, 0)), wide, deep

        return make

    return wrap


def extent_m(mesh: Mesh) -> tuple[float, float, float]:
    """Return the size of a mesh along x, y and z."""
    x, y, z = np.ptp(mesh.vertices[:, POSITION], axis=0)
    return float(x), float(y), float(z)


def panel(material: Material, wide: float, tall: float, z: float, out: float) -> Mesh:
    """Make a flat picture that faces the room, its middle at height z, ``out`` from the wall."""
    return quads(
        np.array(
            [
                [
                    (out, -wide / 2, z + tall / 2),
                    (out, wide / 2, z + tall / 2),
                    (out, wide / 2, z - tall / 2),
                    (out, -wide / 2, z - tall / 2),
                ]
            ]
        ),
        material,
        fit=True,
    )


def curtains(kit: Kit, wide: float) -> list[Mesh]:
    """Make a pair of curtains for a window of the given width."""
    cloth = kit.material('fabric', size_m=0.8)
    z = np.array([0.05 if kit.rng.random() < 0.6 else 0.8, 1.4, 2.25])
    parts = []
    for side in (-1, 1):
        y = side * np.linspace(wide * 0.35, wide * 0.75, 24)
        fold = 0.1 + 0.035 * np.sin(np.linspace(0, 24, 24))
        points = np.stack(np.broadcast_arrays(fold[:, None], y[:, None], z[None]), -1)
        parts.append(surface(points, cloth))
    return parts


def wall_shelf(kit: Kit) -> Mesh:
    """Make a board on the wall with things on it."""
    rng = kit.rng
    wide, z = rng.uniform(0.6, 1.2), rng.uniform(1.1, 1.8)
    return merge(
        [
            box((0.25, wide, 0.03), kit.material('wood', 'plain'), (0.125, 0, z)),
            *_goods(kit, wide, 0.2, z + 0.015),
        ]
    )


def _goods(kit: Kit, wide: float, deep: float, z: float) -> list[Mesh]:
    """Fill a board with books, boxes, jars and gaps; x into the room, y along."""
    rng = kit.rng
    parts, y = [], -wide / 2 + 0.03
    while y < wide / 2 - 0.1:
        choice = rng.random()
        model = kit.model('goods') if choice >= 0.6 else None
        if model is not None and (run := extent_m(model)[1]) < wide / 2 - y:
            if extent_m(model)[0] < 1.3 * deep and extent_m(model)[2] < 0.34:
                parts.append(place(model, (deep * 0.5, y + run / 2, z)))
        elif choice < 0.4:
            run = min(rng.uniform(0.1, 0.5), wide / 2 - y)
            tall = rng.uniform(0.18, 0.32)
            parts.append(
                box(
                    (deep * 0.8, run, tall),
                    kit.material('books'),
                    (deep * 0.5, y + run / 2, z + tall / 2),
                    fit=True,
                )
            )
        elif choice < 0.6:
            run, tall = rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.3)
            parts.append(
                box(
                    (deep * 0.8, run, tall),
                    kit.material('poster', 'wood', 'plain'),
                    (deep * 0.5, y + run / 2, z + tall / 2),
                    fit=True,
                )
            )
        elif choice < 0.75:
            run, tall = rng.uniform(0.06, 0.14), rng.uniform(0.08, 0.3)
            parts.append(_jar(kit, (deep * 0.5, y + run / 2, z), run / 2, tall))
        else:
            run = rng.uniform(0.05, 0.3)
        y += run + 0.01
    return parts


def _jar(kit: Kit, at: tuple[float, float, float], radius: float, tall: float) -> Mesh:
    """Make a cup, bottle, vase or can."""
    rng = kit.rng
    levels = np.linspace(0, 1, 6)
    outline = radius * np.interp(levels, np.linspace(0, 1, 4), rng.uniform(0.5, 1.0, 4))
    path = np.array(at) + np.stack([0 * levels, 0 * levels, tall * levels], -1)
    return tube(
        path,
        outline,
        kit.paint(gloss=0.4) if rng.random() < 0.7 else kit.material('poster', size_m=0.3),
        12,
        ends=True,
    )


@_or_model('bookcase')
def bookcase(kit: Kit) -> tuple[Mesh, float, float]:
    """Make a bookcase; returns the mesh, its width and its depth (metres)."""
    rng = kit.rng
    wide, deep, tall = rng.uniform(0.6, 2.0), rng.uniform(0.25, 0.45), rng.uniform(0.9, 2.2)
    wood = kit.material('wood', 'wood', 'plain')
    parts = [box((0.02, wide, tall), wood, (0.01, 0, tall / 2))]
    parts += [
        box((deep, 0.03, tall), wood, (deep / 2, y, tall / 2))
        for y in np.linspace(-wide / 2, wide / 2, 1 + max(1, int(wide / 0.8)))
    ]
    for z in np.linspace(0.06, tall, max(3, int(tall / 0.38))):
        parts.append(box((deep, wide, 0.025), wood, (deep / 2, 0, z)))
        if z < tall - 0.1 and rng.random() < 0.85:
            parts += _goods(kit, wide, deep, z + 0.012)
    return merge(parts), wide, deep


@_or_model('cabinet')
def cabinet(kit: Kit) -> tuple[Mesh, float, float]:
    """Make a cupboard, chest of drawers or fridge; returns the mesh, its width and its depth."""
    rng = kit.rng
    wide, deep, tall = (
        rng.uniform(0.5, 2.2),
        rng.uniform(0.35, 0.65),
        rng.choice([rng.uniform(0.6, 0.95), rng.uniform(1.6, 2.2)]),
    )
    front = kit.material('wood', 'plain', 'metal', tint=colour(rng, (0, 0.8), (0.2, 1)), gloss=0.1)
    parts = [box((deep, wide, tall), front, (deep / 2, 0, tall / 2))]
    columns, rows = max(1, int(wide / 0.55)), int(rng.integers(1, 5))
    handle, gap = kit.paint(gloss=0.6), kit.paint((0.02, 0.1))
    for y in (np.arange(columns) - (columns - 1) / 2) * wide / columns:
        for z in (np.arange(rows) + 0.5) * tall / rows:
            parts.append(box((0.012, 0.3 * wide / columns, 0.02), handle, (deep + 0.02, y, z)))
            parts.append(
                box((0.002, wide / columns, 0.006), gap, (deep + 0.001, y, z - tall / rows / 2))
            )
        parts.append(
            box((0.002, 0.006, tall), gap, (deep + 0.001, y - wide / columns / 2, tall / 2))
        )
    if tall < 1.2:
        top = kit.material('wood', 'concrete', 'plain', gloss=0.2)
        parts.append(box((deep + 0.03, wide + 0.02, 0.035), top, (deep / 2, 0, tall + 0.017)))
        parts += [
            place(part, (0, 0, 0))
            for part in _goods(kit, wide, deep, tall + 0.035)
            if rng.random() < 0.7
        ]
    return merge(parts), wide, deep


@_or_model('sofa')
def sofa(kit: Kit) -> tuple[Mesh, float, float]:
    """Make an armchair or sofa; returns the mesh, its width and its depth."""
    rng = kit.rng
    wide, deep = rng.uniform(0.8, 2.4), rng.uniform(0.75, 0.95)
    cloth = kit.material('fabric', 'fabric', 'plain', tint=colour(rng, (0, 0.6), (0.15, 1)))
    seat, back, arm = rng.uniform(0.38, 0.46), rng.uniform(0.7, 1.0), rng.uniform(0.12, 0.25)
    parts = [
        cushion((deep, wide, seat * 0.7), cloth, (deep / 2, 0, seat * 0.4), 9),
        cushion((0.25, wide, back - 0.1), cloth, (0.14, 0, back / 2 + 0.05), 6),
    ]
    parts += [
        cushion(
            (deep, arm, seat + 0.2),
            cloth,
            (deep / 2, side * (wide / 2 - arm / 2), (seat + 0.2) / 2),
            6,
        )
        for side in (-1, 1)
    ]
    count = max(1, round((wide - 2 * arm) / 0.65))
    seat_width_m = (wide - 2 * arm) / count
    for y in (np.arange(count) - (count - 1) / 2) * seat_width_m:
        parts.append(
            cushion((deep - 0.2, seat_width_m, 0.18), cloth, (deep / 2 + 0.1, y, seat), 5)
        )
        if rng.random() < 0.4:
            parts.append(
                cushion((0.14, 0.4, 0.38), kit.material('fabric'), (0.35, y, seat + 0.25), 3)
            )
    return merge(parts), wide, deep


@_or_model('bed')
def bed(kit: Kit) -> tuple[Mesh, float, float]:
    """Make a bed, its head at the wall; returns the mesh, its width and its depth."""
    rng = kit.rng
    wide, deep = rng.uniform(0.9, 1.8), 2.05
    wood, sheet = kit.material('wood', 'plain', 'fabric'), kit.material('fabric', 'plain')
    parts = [
        box((deep, wide, 0.28), wood, (deep / 2, 0, 0.2)),
        box((0.06, wide + 0.06, rng.uniform(0.6, 1.1)), wood, (0.03, 0, 0.5)),
        cushion((deep - 0.05, wide - 0.04, 0.26), sheet, (deep / 2, 0, 0.44), 8),
        cushion(
            (deep * 0.65, wide + 0.08, 0.16),
            kit.material('fabric', size_m=1.2),
            (deep * 0.66, 0, 0.56),
            6,
        ),
    ]
    for y in [0.0] if wide < 1.2 else [-wide / 4, wide / 4]:
        parts.append(
            cushion(
                (0.4, 0.6, 0.16),
                kit.material('fabric', 'plain', tint=np.full(3, 0.95)),
                (0.3, y, 0.62),
                3,
            )
        )
    return merge(parts), wide, deep


def table(kit: Kit, round_top: bool) -> tuple[Mesh, float, float, float]:
    """Make a table with things on it; returns mesh, size along x, size along y, height."""
    rng = kit.rng
    model = kit.model('table')
    if model is not None:
        long, wide, tall = extent_m(model)
        goods = _on_top(kit, long * 0.8, wide * 0.8, tall, int(rng.integers(0, 12)))
        return merge([model, *goods]), long, wide, tall
    long, wide = rng.uniform(0.8, 2.2), rng.uniform(0.6, 1.1)
    tall = rng.choice([rng.uniform(0.35, 0.5), rng.uniform(0.7, 0.78), rng.uniform(0.7, 0.78)])
    top = kit.material('wood', 'wood', 'plain', 'concrete', gloss=rng.uniform(0, 0.3))
    leg = kit.material('wood', 'metal', 'plain', tint=rng.uniform(0.05, 1) * np.ones(3))
    thick = rng.uniform(0.02, 0.06)
    if round_top:
        long = wide = rng.uniform(0.6, 1.2)
        parts = [
            tube(np.array([(0, 0, tall - thick), (0, 0, tall)]), long / 2, top, 28, ends=True),
            tube(np.array([(0, 0, 0), (0, 0, tall)]), 0.05, leg, 10),
            tube(np.array([(0, 0, 0), (0, 0, 0.03)]), 0.28, leg, 16, ends=True),
        ]
    else:
        parts = [box((long, wide, thick), top, (0, 0, tall - thick / 2))]
        girth = rng.uniform(0.03, 0.09)
        for x in (-1, 1):
            for y in (-1, 1):
                parts.append(
                    box(
                        (girth, girth, tall - thick),
                        leg,
                        (x * (long / 2 - girth), y * (wide / 2 - girth), (tall - thick) / 2),
                    )
                )
    parts += _on_top(kit, long * 0.85, wide * 0.85, tall, int(rng.integers(1, 18)))
    return merge(parts), long, wide, tall


def _on_top(kit: Kit, long: float, wide: float, z: float, count: int) -> list[Mesh]:
    """Scatter small things on a level surface."""
    rng = kit.rng
    parts = []
    for _ in range(count):
        kind = rng.integers(10)
        model = kit.model('goods')
        if model is not None:
            thing = model
        elif kind == 0:  # paper, magazines
            size = rng.uniform([0.15, 0.12, 0.003], [0.35, 0.25, 0.04])
            thing = box(size, kit.material('poster', 'books'), (0, 0, size[2] / 2), fit=True)
        elif kind == 1:  # a parcel
            size = rng.uniform([0.08, 0.06, 0.04], [0.4, 0.3, 0.25])
            thing = box(
                size, kit.material('poster', 'plain', 'wood'), (0, 0, size[2] / 2), fit=True
            )
        elif kind == 2:  # bowl, fruit, toy
            size = rng.uniform(0.05, 0.25, 3)
            thing = cushion(size, kit.paint(gloss=0.3), (0, 0, size[2] / 2), rng.uniform(2, 5))
        elif kind == 3 and rng.random() < 0.4:
            thing = _monitor(kit)
        elif kind == 4:
            thing = _laptop(kit)
        elif kind == 5:  # a keyboard, seen as dark rows
            thing = box(
                (0.14, rng.uniform(0.28, 0.45), 0.02),
                kit.material('shutter', 'books', 'plain', tint=colour(rng, (0, 0.1), (0.05, 0.9))),
                (0, 0, 0.01),
                fit=True,
            )
        elif kind == 6:
            thing = _pile(kit)
        elif kind == 7 and rng.random() < 0.5:
            thing = _table_lamp(kit)
        else:
            thing = _jar(kit, (0, 0, 0), rng.uniform(0.03, 0.08), rng.uniform(0.06, 0.3))
        at = (rng.uniform(-0.5, 0.5) * long, rng.uniform(-0.5, 0.5) * wide, z)
        parts.append(place(thing, at, rng.uniform(0, 2 * np.pi)))
    return parts


def _laptop(kit: Kit) -> Mesh:
    """Make an open laptop, its screen leaning back."""
    wide, deep = kit.rng.uniform(0.28, 0.4), kit.rng.uniform(0.2, 0.27)
    lean_rad = np.radians(kit.rng.uniform(5, 35))
    case = kit.paint((0.03, 0.8), 0.2)
    back, top = -deep / 2 - deep * np.sin(lean_rad), deep * np.cos(lean_rad)
    screen = np.array(
        [
            [
                (back, -wide / 2, top),
                (back, wide / 2, top),
                (-deep / 2, wide / 2, 0.02),
                (-deep / 2, -wide / 2, 0.02),
            ]
        ]
    )
    lid = Material(kit.library.pick(kit.rng, 'screen'), gloss=0.2, glow=0.3)
    keys = kit.material('shutter', 'books', tint=np.full(3, kit.rng.uniform(0.05, 0.6)))
    return merge(
        [
            box((deep, wide, 0.02), case, (0, 0, 0.01)),
            box((deep * 0.5, wide * 0.9, 0.003), keys, (-deep * 0.15, 0, 0.021), fit=True),
            quads(screen, lid, fit=True),
            quads(screen[:, ::-1] - (0.008, 0, 0), case),
        ]
    )


def _pile(kit: Kit) -> Mesh:
    """Pile up books and papers, no two quite alike in direction."""
    rng = kit.rng
    parts, level = [], 0.0
    for _ in range(rng.integers(2, 7)):
        size = rng.uniform([0.15, 0.12, 0.005], [0.3, 0.22, 0.05])
        part = box(
            size,
            kit.material('books', 'poster', 'plain', tint=colour(rng, (0, 0.6), (0.3, 1))),
            (0, 0, level + size[2] / 2),
            fit=True,
        )
        parts.append(place(part, (0, 0, 0), rng.normal(0, 0.25)))
        level += size[2]
    return merge(parts)


def _table_lamp(kit: Kit) -> Mesh:
    """Make a lamp: a foot, a stem and a shade that glows or not."""
    rng = kit.rng
    tall, wide = rng.uniform(0.3, 0.55), rng.uniform(0.06, 0.16)
    stem = kit.paint(gloss=0.4)
    shade = Material(PLAIN, colour(rng, (0, 0.3), (0.6, 1)), glow=float(rng.choice([0.0, 1.5])))
    return merge(
        [
            tube(np.array([(0, 0, 0), (0, 0, 0.02)]), 0.08, stem, 12, ends=True),
            tube(np.array([(0, 0, 0), (0, 0, tall)]), 0.012, stem, 6),
            tube(
                np.array([(0, 0, tall), (0, 0, tall + 0.2)]),
                np.array([wide, wide * rng.uniform(0.5, 1)]),
                shade,
                14,
                ends=True,
            ),
        ]
    )


def _monitor(kit: Kit) -> Mesh:
    wide, tall = kit.rng.uniform(0.4, 0.65), kit.rng.uniform(0.26, 0.4)
    case = kit.paint((0.03, 0.4))
    face = place(
        panel(
            Material(kit.library.pick(kit.rng, 'screen'), gloss=0.2, glow=0.3),
            wide - 0.03,
            tall - 0.03,
            0.12 + tall / 2,
            0.025,
        ),
        (0, 0, 0),
    )
    return merge(
        [
            box((0.04, wide, tall), case, (0, 0, 0.12 + tall / 2)),
            face,
            box((0.03, 0.06, 0.15), case, (-0.02, 0, 0.08)),
            box((0.18, 0.25, 0.015), case, (0, 0, 0.008)),
        ]
    )


def chair(kit: Kit) -> Mesh:
    """Make a chair facing +x: four legs, or a swivel foot."""
    rng = kit.rng
    model = kit.model('chair')
    if model is not None:
        return model
    frame = kit.material('wood', 'metal', 'plain', tint=rng.uniform(0.05, 1) * np.ones(3))
    pad = (
        frame
        if rng.random() < 0.4
        else kit.material('fabric', 'plain', tint=colour(rng, (0, 0.8), (0.1, 1)))
    )
    wide, seat, back = rng.uniform(0.38, 0.5), rng.uniform(0.42, 0.5), rng.uniform(0.75, 1.1)
    parts = [cushion((wide, wide, 0.06), pad, (0, 0, seat), 7)]
    if rng.random() < 0.3:
        parts += [
            tube(np.array([(0, 0, 0.1), (0, 0, seat)]), 0.03, frame, 8),
            cushion(
                (0.07, wide, back - seat - 0.1), pad, (-wide / 2, 0, (back + seat + 0.1) / 2), 5
            ),
        ]
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
        parts.append(
            cushion(
                (0.05, wide, back - seat - 0.1),
                pad,
                (-half - 0.02, 0, (back + seat) / 2 + 0.05),
                6,
            )
        )
    return merge(parts)


def desk(kit: Kit) -> tuple[Mesh, float, float]:
    """Make a desk with a monitor and a chair; returns the mesh, its width and its depth."""
    rng = kit.rng
    long, deep = rng.uniform(1.1, 1.9), rng.uniform(0.6, 0.8)
    top, leg = kit.material('wood', 'plain'), kit.paint()
    parts = [box((deep, long, 0.035), top, (deep / 2, 0, 0.73))]
    parts += [
        box((deep - 0.05, 0.04, 0.72), leg, (deep / 2, side * (long / 2 - 0.05), 0.36))
        for side in (-1, 1)
    ]
    for y in rng.uniform(-0.35, 0.35, rng.integers(1, 3)) * long:
        parts.append(place(_monitor(kit), (0.25, y, 0.748), rng.normal(0, 0.2)))
    parts.append(box((0.15, 0.42, 0.02), kit.paint(), (deep - 0.2, 0, 0.758)))
    parts += [
        place(part, (deep / 2, 0, 0))
        for part in _on_top(kit, deep * 0.7, long * 0.9, 0.748, int(rng.integers(0, 16)))
    ]
    parts.append(
        place(chair(kit), (deep + 0.2, rng.uniform(-0.3, 0.3), 0), np.pi + rng.normal(0, 0.6))
    )
    return merge(parts), long, deep


def plant(kit: Kit) -> tuple[Mesh, Mesh]:
    """Make a potted plant: the solid parts, and its leaves (which have holes)."""
    rng = kit.rng
    model = kit.model('plant')
    if model is not None:
        return model, merge([])
    tall = rng.uniform(0.4, 1.7)
    pot = tube(
        np.array([(0, 0, 0), (0, 0, 0.28)]), np.array([0.12, 0.17]), kit.paint(), 14, ends=True
    )
    stem = tube(np.array([(0, 0, 0.2), (0.02, 0, tall * 0.8)]), 0.015, kit.material('wood'), 5)
    direction = rng.standard_normal((26, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    spots = direction * (0.22, 0.22, tall * 0.3) + (0, 0, 0.25 + tall * 0.65)
    leaves = cards(
        spots,
        rng.uniform(0.25, 0.5, 26),
        direction,
        rng,
        Material(kit.library.pick(rng, 'leaves'), rng.uniform(0.5, 1.5) * np.ones(3)),
    )
    return merge([pot, stem]), leaves
