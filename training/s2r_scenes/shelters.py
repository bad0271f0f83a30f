"""Things that stand over or right before a camera outdoors: roofs, parasols, portals, boards."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import box, Material, merge, Mesh, place, surface, topple, tube
from .textures import colour, Library

_BELOW_M = 0.3  # posts go so deep into the ground, which is not level everywhere
_ROOFS = 'metal', 'wood', 'concrete', 'siding', 'roof', 'fabric', 'plain'
_POSTS = 'metal', 'concrete', 'wood', 'brick'


def roof(rng: Generator, library: Library) -> Mesh:
    """Make a roof on posts, such as a carport, bus shelter or petrol station; some have a wall."""
    long, deep = rng.uniform(2.5, 14), rng.uniform(1.5, 8)
    clear, thick = rng.uniform(2.1, 5.0), rng.uniform(0.06, 0.8)
    cover, steel = _material(rng, library, *_ROOFS), _material(rng, library, *_POSTS)
    across = np.linspace(-deep / 2, deep / 2, 5)
    rise = rng.uniform(0, 0.25) * (across if rng.random() < 0.5 else -np.abs(across))
    sheet = np.stack(
        np.broadcast_arrays(np.array([-long / 2, long / 2])[:, None], across, rise), -1
    )
    parts = [
        surface(sheet + (0, 0, clear), cover),
        surface(sheet + (0, 0, clear + thick), cover),
        box((long, 0.05, thick), cover, (0, -deep / 2, clear + rise[0] + thick / 2)),
        box((long, 0.05, thick), cover, (0, deep / 2, clear + rise[-1] + thick / 2)),
    ]
    radius = rng.uniform(0.04, 0.3)
    rows = (-0.45, 0.45) if rng.random() < 0.6 else (rng.uniform(-0.4, 0.4),)
    for x in np.linspace(-0.45, 0.45, int(rng.integers(2, 5))) * long:
        parts += [_post((x, row * deep), clear + 0.3, radius, steel) for row in rows]
    if rng.random() < 0.4:
        wall = _material(rng, library, 'siding', 'brick', 'plaster', 'poster', 'wood')
        parts.append(box((0.9 * long, 0.06, clear), wall, (0, 0.45 * deep, clear / 2)))
    return merge(parts)


def parasol(rng: Generator, library: Library) -> Mesh:
    """Make a disc or funnel on one stem, from a parasol to a concrete mushroom."""
    reach, rim, stem = rng.uniform(0.9, 4.5), rng.uniform(2.0, 5.0), rng.uniform(0.03, 0.35)
    fall = rng.uniform(-0.5, 0.8) * reach  # of the underside, from stem to rim
    bend = rng.uniform(0.5, 2.5)
    share = np.linspace(0, 1, 6)
    radius = stem + (reach - stem) * share
    height = rim - fall * (share**bend - 1)
    height = np.maximum(height, 1.5)
    angle = np.linspace(0, 2 * np.pi, 25)
    rings = np.stack(
        np.broadcast_arrays(
            radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), height[:, None]
        ),
        -1,
    )
    cover = _material(rng, library, *_ROOFS)
    top = rings + (0, 0, rng.uniform(0.02, 0.3))
    return merge(
        [
            surface(rings, cover, closed=True),
            surface(top, cover, closed=True),
            surface(np.stack([rings[-1], top[-1]]), cover, closed=True),
            _post((0, 0), float(height[0]) + 0.2, stem, _material(rng, library, *_POSTS)),
        ]
    )


def portal(rng: Generator, library: Library) -> Mesh:
    """Make two posts with a beam, upright or slanted, as of gates, swings and columns."""
    wide, clear, radius = rng.uniform(1.5, 9), rng.uniform(2.0, 7.0), rng.uniform(0.05, 0.7)
    material = _material(rng, library, *_POSTS, 'plaster', 'stone')
    spread = rng.uniform(0, 0.35) * clear if rng.random() < 0.5 else 0.0
    parts = [
        tube(
            np.array([(0, side * (wide / 2 + spread), -_BELOW_M), (0, side * wide / 2, clear)]),
            radius,
            material,
        )
        for side in (-1, 1)
    ]
    deep = rng.uniform(0.8, 3) * radius
    parts.append(box((2 * radius, wide + 4 * radius, deep), material, (0, 0, clear + deep / 2)))
    return merge(parts)


def board(rng: Generator, library: Library) -> Mesh:
    """Make a flat board on legs, from a placard to a wall of posters; its front is -x."""
    wide, tall, low = rng.uniform(0.5, 3.0), rng.uniform(0.6, 2.2), rng.uniform(0.0, 0.9)
    face = _material(rng, library, 'poster', 'tiles', 'graffiti', 'wood', 'sign', 'plain', 'metal')
    panel = box((0.05, wide, tall), face, (0, 0, tall / 2), fit=rng.random() < 0.6)
    panel = place(topple(panel, rng.normal(0, 0.06), rng.normal(0, 0.1)), (0, 0, low))
    leg = _material(rng, library, *_POSTS, 'fabric')
    radius = rng.uniform(0.02, 0.09)
    spread = rng.uniform(0.1, 0.45) * wide
    return merge(
        [panel, *(_post((0.05, side * spread), low + 0.1, radius, leg) for side in (-1, 1))]
    )


def logs(rng: Generator, library: Library) -> Mesh:
    """Make some posts that lean in all directions, as on a playground."""
    bark = _material(rng, library, 'wood', 'metal', 'concrete')
    parts = []
    for _ in range(int(rng.integers(2, 8))):
        foot = rng.uniform(-1.8, 1.8, 2)
        length, lean = rng.uniform(1.2, 5.0), rng.normal(0, 0.25, 2)
        path = np.array([(*foot, -_BELOW_M), (*(foot + lean * length), length)])
        parts.append(tube(path, rng.uniform(0.06, 0.22), bark, ends=True))
    return merge(parts)


def shelter(rng: Generator, library: Library) -> Mesh:
    """Make one of these things but a board, turned at random."""
    maker = (roof, roof, parasol, portal, logs)[rng.integers(5)]
    return place(maker(rng, library), (0, 0, 0), rng.uniform(0, 2 * np.pi))


def _post(
    foot_m: tuple[float, float], height_m: float, radius_m: float, material: Material
) -> Mesh:
    return tube(np.array([(*foot_m, -_BELOW_M), (*foot_m, height_m)]), radius_m, material)


def _material(rng: Generator, library: Library, *kinds: str) -> Material:
    tint = rng.uniform(0.15, 1.1) * (1 - 0.5 * colour(rng, (0, 0.6), (0.0, 0.6)))
    return Material(library.pick(rng, *kinds), tint, rng.uniform(0.5, 3.0), rng.uniform(0, 0.4))
