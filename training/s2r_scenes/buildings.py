"""Houses, blocks, garages and halls. Origin at the foot of the front's middle, front facing -x."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import box, cap, Material, merge, Mesh, quads, tube
from .textures import colour, Library


def _panels(
    y: np.ndarray, z: np.ndarray, width: float, height: float, x: float, material: Material
) -> Mesh:
    """Put equal upright panels on a front at x, centred at every (y, z)."""
    half = np.array(
        [
            [0, width / 2, height / 2],
            [0, -width / 2, height / 2],
            [0, -width / 2, -height / 2],
            [0, width / 2, -height / 2],
        ]
    )
    centres = np.stack(np.meshgrid(y, z, indexing='ij'), -1).reshape(-1, 2)
    centres = np.concatenate([np.full((len(centres), 1), x), centres], 1)
    return quads(centres[:, None] + half, material, fit=True)


def _wall(rng: Generator, library: Library) -> Material:
    kind = rng.choice(
        ['plaster', 'brick', 'siding', 'concrete', 'stone', 'tiles', 'wood'],
        p=[0.52, 0.15, 0.08, 0.1, 0.04, 0.06, 0.05],
    )
    size = {'plaster': 6.0, 'concrete': 6.0, 'siding': 3.0, 'tiles': 5.0}.get(kind, 2.5)
    return Material(library.pick(rng, kind), rng.uniform(0.6, 1.1) * np.ones(3), size)


def building(rng: Generator, library: Library, width: float, floors: int) -> Mesh:
    """
    Make a house or block.

    :param width: the width of its front, metres.
    :param floors: one or more.
    """
    depth, storey = rng.uniform(7, 13), rng.uniform(2.6, 3.4)
    plinth = rng.uniform(0, 0.8)
    height = plinth + floors * storey
    wall = _wall(rng, library)
    parts = [box((depth, width, height), wall, (depth / 2, 0, height / 2))]
    if plinth > 0.3:
        parts.append(
            box(
                (depth + 0.1, width + 0.1, plinth),
                Material(library.pick(rng, 'concrete', 'stone'), (0.6, 0.6, 0.6), 3),
                (depth / 2, 0, plinth / 2),
            )
        )
    parts += _front(rng, library, width, floors, storey, plinth)
    parts += _roof(rng, library, wall, width, depth, height)
    return merge(parts)


def _front(
    rng: Generator, library: Library, width: float, floors: int, storey: float, plinth: float
) -> list[Mesh]:
    window = Material(library.pick(rng, 'window'), gloss=0.35)
    spacing, wide, tall = rng.uniform(1.8, 3.4), rng.uniform(0.8, 1.6), rng.uniform(1.0, 1.8)
    columns = np.arange(-(width / 2 - 1.0), width / 2 - 0.7, spacing)
    levels = plinth + storey * (np.arange(floors) + 0.55)
    shop = rng.random() < 0.2 and floors > 1
    parts = [_panels(columns, levels[1:] if shop else levels, wide, tall, -0.03, window)]
    trim = Material(library.pick(rng, 'concrete', 'plaster'), colour(rng, (0, 0.2), (0.5, 1)), 2)
    if rng.random() < 0.6:  # sills
        for y in columns.tolist():
            for z in levels[int(shop) :].tolist():
                parts.append(box((0.2, wide + 0.2, 0.07), trim, (-0.06, y, z - tall / 2 - 0.03)))
    if shop:
        parts.append(
            _panels(
                np.array([0.0]),
                np.array([plinth + storey * 0.45]),
                width * 0.94,
                storey * 0.85,
                -0.04,
                Material(library.pick(rng, 'shopfront'), gloss=0.3),
            )
        )
        if rng.random() < 0.5:
            parts.append(
                box(
                    (1.3, width * 0.8, 0.1),
                    Material(library.pick(rng, 'fabric'), size_m=2),
                    (-0.7, 0, plinth + storey * 0.95),
                )
            )
    else:
        kind, door = ('shutter', (2.5, 2.2)) if rng.random() < 0.25 else ('door', (1.1, 2.1))
        parts.append(
            _panels(
                np.array([rng.uniform(-0.35, 0.35) * width]),
                np.array([plinth * 0.5 + door[1] / 2]),
                *door,
                -0.06,
                Material(library.pick(rng, kind)),
            )
        )
    if rng.random() < 0.3 and floors > 1:  # balconies
        rail = Material(library.pick(rng, 'metal', 'concrete', 'siding'), size_m=2)
        for y in columns[::2]:
            for z in levels[1:]:
                parts.append(box((1.2, spacing * 0.9, 0.15), trim, (-0.6, y, z - tall / 2 - 0.3)))
                parts.append(box((0.08, spacing * 0.9, 0.9), rail, (-1.15, y, z - tall / 2 + 0.2)))
    if rng.random() < 0.12:
        parts.append(
            _panels(
                np.array([rng.uniform(-0.3, 0.3) * width]),
                np.array([1.6]),
                rng.uniform(2, 4),
                rng.uniform(1.2, 2.4),
                -0.05,
                Material(library.pick(rng, 'graffiti', 'poster')),
            )
        )
    return parts


def _roof(
    rng: Generator, library: Library, wall: Material, width: float, depth: float, height: float
) -> list[Mesh]:
    over = rng.uniform(0.2, 0.6)
    if rng.random() < 0.25:  # flat
        edge = Material(library.pick(rng, 'concrete', 'metal'), (0.5, 0.5, 0.5), 3)
        return [box((depth + over, width + over, 0.35), edge, (depth / 2, 0, height + 0.1))]
    tiles = Material(library.pick(rng, 'roof'), rng.uniform(0.6, 1.2) * np.ones(3), 4.0)
    y0, y1 = -width / 2 - over, width / 2 + over
    x0, x1 = -over, depth + over
    if rng.random() < 0.6:  # the ridge runs along the street
        rise = depth / 2 * rng.uniform(0.5, 1.1)
        top, eave = height + rise, height - 0.2
        slopes = [
            [(depth / 2, y1, top), (depth / 2, y0, top), (x0, y0, eave), (x0, y1, eave)],
            [(depth / 2, y0, top), (depth / 2, y1, top), (x1, y1, eave), (x1, y0, eave)],
        ]
        ends = [
            cap(
                np.array([(0, y, height), (depth, y, height), (depth / 2, y, top - 0.15)]),
                wall,
                (0, np.sign(y), 0),
            )
            for y in (-width / 2, width / 2)
        ]
        dormers = (
            [
                box((1.4, 1.3, 1.3), wall, (depth / 4, y, height + rise * 0.45))
                for y in np.arange(-width / 3, width / 3, 3.5).tolist()
            ]
            if rng.random() < 0.3
            else []
        )
        ends += dormers
    else:  # the gable faces the street
        rise = width / 2 * rng.uniform(0.5, 1.1)
        top, eave = height + rise, height - 0.2
        slopes = [
            [(x0, 0, top), (x1, 0, top), (x1, y0, eave), (x0, y0, eave)],
            [(x1, 0, top), (x0, 0, top), (x0, y1, eave), (x1, y1, eave)],
        ]
        ends = [
            cap(
                np.array([(x, -width / 2, height), (x, width / 2, height), (x, 0, top - 0.15)]),
                wall,
                (side, 0, 0),
            )
            for x, side in ((0, -1), (depth, 1))
        ]
    chimney = box(
        (0.6, 0.6, 1.6),
        Material(library.pick(rng, 'brick'), size_m=1.5),
        (depth * 0.5, rng.uniform(-0.3, 0.3) * width, top),
    )
    return [quads(np.array(slopes), tiles), *ends, chimney]


def garages(rng: Generator, library: Library, width: float) -> Mesh:
    """Make a row of garages with equal doors."""
    wall = _wall(rng, library)
    count = max(1, int(width / 3.1))
    door = Material(library.pick(rng, 'shutter', 'door'), colour(rng, (0, 0.2), (0.3, 1)))
    y = (np.arange(count) - (count - 1) / 2) * 3.0
    height = rng.uniform(2.5, 3.2)
    return merge(
        [
            box((6, 3.0 * count + 0.4, height), wall, (3, 0, height / 2)),
            box(
                (6.4, 3.0 * count + 0.7, 0.2),
                Material(library.pick(rng, 'concrete', 'metal', 'roof'), size_m=3),
                (3, 0, height),
            ),
            _panels(y, np.array([1.1]), 2.5, 2.15, -0.04, door),
        ]
    )


def hall(rng: Generator, library: Library, width: float) -> Mesh:
    """Make a factory or shop: a large plain box with a sign."""
    height, depth = rng.uniform(5, 11), rng.uniform(10, 20)
    skin = Material(
        library.pick(rng, 'siding', 'shutter', 'concrete', 'tiles', 'plain'),
        colour(rng, (0, 0.4), (0.4, 1)),
        rng.uniform(3, 8),
    )
    parts = [
        box((depth, width, height), skin, (depth / 2, 0, height / 2)),
        _panels(
            np.arange(-width / 2 + 3, width / 2 - 2, 6.0),
            np.array([2.0]),
            4,
            3.4,
            -0.04,
            Material(library.pick(rng, 'shutter', 'window', 'shopfront')),
        ),
    ]
    if rng.random() < 0.7:
        parts.append(
            _panels(
                np.array([0.0]),
                np.array([height * 0.75]),
                width * 0.4,
                height * 0.25,
                -0.08,
                Material(library.pick(rng, 'poster')),
            )
        )
    return merge(parts)


def bridge(rng: Generator, library: Library, span: float) -> Mesh:
    """Make a bridge across the road: along y, its underside above the origin."""
    clear, deck, wide = rng.uniform(4.4, 6.5), rng.uniform(0.8, 1.8), rng.uniform(4, 14)
    concrete = Material(
        library.pick(rng, 'concrete', 'stone', 'brick'), rng.uniform(0.5, 1) * np.ones(3), 5
    )
    parts = [
        box((wide, 110, deck), concrete, (0, 0, clear + deck / 2)),
        box(
            (0.15, 110, 1.0),
            Material(library.pick(rng, 'metal', 'concrete'), (0.5,) * 3, 3),
            (-wide / 2, 0, clear + deck + 0.5),
        ),
    ]
    for side in (-1, 1):
        y = side * (span / 2 + 0.8)
        if rng.random() < 0.5:
            parts.append(box((wide, 1.2, clear), concrete, (0, y, clear / 2)))
        else:
            for x in np.linspace(-wide / 2 + 0.7, wide / 2 - 0.7, 3):
                parts.append(tube(np.array([(x, y, 0), (x, y, clear)]), 0.5, concrete, 12))
    return merge(parts)
