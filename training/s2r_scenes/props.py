"""Objects in streets: vehicles, people, trees, poles. Origin on the ground, x ahead."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import (
    box,
    cap,
    cards,
    cushion,
    Material,
    merge,
    Mesh,
    place,
    quads,
    superellipse,
    surface,
    tube,
)
from .textures import colour, Library, PLAIN


def paint(rng: Generator) -> np.ndarray:
    """Draw a vehicle's colour, linear RGB: mostly greys, whites and blacks, as in traffic."""
    if rng.random() < 0.65:
        return colour(rng, (0, 0.08), (0.1, 1.0)) ** 2
    hue = ((-0.03, 0.03), (0.55, 0.66), (0.0, 1.0))[rng.integers(3)]
    return colour(rng, (0.3, 0.9), (0.2, 0.75), hue) ** 2


def _shell(
    stations: np.ndarray,
    width: np.ndarray,
    bottom: np.ndarray,
    top: np.ndarray,
    material: Material,
    exponent: float,
    narrowing: float = 0.0,
) -> tuple[Mesh, np.ndarray]:
    """
    Stretch rounded rectangles along x.

    :param narrowing: share by which the top is narrower than the bottom.
    :returns: the mesh, and its rings (K, 17, 3).
    """
    ring = superellipse(16, exponent)
    z = (top + bottom)[:, None] / 2 + (top - bottom)[:, None] / 2 * ring[:, 1]
    rise = (z - bottom[:, None]) / np.maximum(top - bottom, 1e-3)[:, None]
    y = width[:, None] / 2 * ring[:, 0] * (1 - narrowing * rise)
    points = np.stack([np.broadcast_to(stations[:, None], y.shape), y, z], -1)
    u = np.broadcast_to(((stations - stations[0]) / np.ptp(stations))[:, None], y.shape)
    v = 1 - (z - bottom.min()) / max(float(top.max() - bottom.min()), 1e-3)
    return surface(points, material, np.stack([u, v], -1), closed=True), points


def _wheels(
    rng: Generator, library: Library, axles_m: list[float], track_m: float, radius_m: float
) -> list[Mesh]:
    material = Material(library.pick(rng, 'wheel'))
    angle = np.linspace(0, 2 * np.pi, 13)
    ring = np.stack([radius_m * np.cos(angle), 0 * angle, radius_m * (1 + np.sin(angle))], -1)
    tread = surface(
        np.stack([ring, ring - (0, 0.25, 0)]), material, np.zeros((2, 13, 2)), closed=True
    )
    wheel = merge([tread, cap(ring[:-1], material, (0, 1, 0))])
    return [
        place(wheel, (axle, side * track_m / 2, 0), 0.0 if side > 0 else np.pi)
        for axle in axles_m
        for side in (-1, 1)
    ]


def car(rng: Generator, library: Library) -> Mesh:
    """Make a hatchback, saloon, estate or off-roader."""
    length, width, height = rng.uniform(3.6, 4.9), rng.uniform(1.66, 1.92), rng.uniform(1.38, 1.8)
    tint, gloss = paint(rng), rng.uniform(0.3, 1.0)
    belt = height * rng.uniform(0.58, 0.66)
    clearance = rng.uniform(0.17, 0.3)
    at = np.linspace(-1, 1, 11)
    bonnet = rng.uniform(0.78, 0.95)
    boot = rng.choice([1.0, rng.uniform(0.88, 0.98)])
    top = belt * np.interp(
        at, [-1, -0.6, 0.25, 0.9, 1], [boot * 0.96, boot, 1, bonnet, bonnet * 0.8]
    )
    bottom = np.full(11, clearance) + 0.08 * np.abs(at) ** 8
    body_material = Material(library.pick(rng, 'body'), tint, gloss=gloss)
    body, rings = _shell(
        at * length / 2,
        width * (1 - 0.14 * np.abs(at) ** 5),
        bottom,
        top,
        body_material,
        exponent=rng.uniform(4, 7),
        narrowing=0.06,
    )
    front = rng.uniform(0.3, 0.5) * length / 2
    rear = rng.uniform(0.75, 0.97) if boot == 1.0 else rng.uniform(0.55, 0.75)
    slant = rng.uniform(0.1, 0.28) if boot == 1.0 else 0.25
    along = np.linspace(-rear * length / 2, front + 0.12 * length, 11)
    share = np.linspace(0, 1, 11)
    roof = belt + (height - belt) * np.interp(
        share, [0, slant, 0.5, 0.68, 1], [0.05, 0.93, 1, 0.97, 0.02]
    )
    cabin, _ = _shell(
        along,
        np.full(11, width * 0.96),
        np.full(11, belt - 0.08),
        roof,
        Material(library.pick(rng, 'greenhouse'), tint, gloss=max(gloss, 0.7)),
        exponent=4.5,
        narrowing=rng.uniform(0.14, 0.26),
    )
    parts = [
        body,
        cabin,
        cap(rings[0, :-1], Material(library.pick(rng, 'rear'), tint, gloss=gloss), (-1, 0, 0)),
        cap(rings[-1, :-1], Material(library.pick(rng, 'front'), tint, gloss=gloss), (1, 0, 0)),
        # the dark underside keeps daylight from passing between the wheels
        box((length * 0.8, width * 0.8, 0.12), Material(PLAIN, (0.01,) * 3), (0, 0, clearance)),
    ]
    for side in (-1, 1):
        parts.append(
            box(
                (0.1, 0.2, 0.13),
                Material(PLAIN, tint, gloss=gloss),
                (front * 0.9, side * width * 0.53, belt + 0.05),
            )
        )
    wheel = rng.uniform(0.28, 0.36)
    return merge(parts + _wheels(rng, library, [-0.3 * length, 0.3 * length], width + 0.01, wheel))


def van(rng: Generator, library: Library) -> Mesh:
    """Make a delivery van or a camper."""
    length, width, height = rng.uniform(4.6, 6.5), rng.uniform(1.85, 2.1), rng.uniform(1.9, 2.7)
    tint = np.full(3, 0.85) if rng.random() < 0.5 else paint(rng)
    material = Material(library.pick(rng, 'coach', 'body', 'plain'), tint, gloss=0.4)
    at = np.linspace(-1, 1, 14)
    nose = rng.uniform(0.45, 0.6)
    top = height * np.interp(at, [-1, -0.95, 0.5, 0.72, 1], [0.97, 1, 1, nose + 0.08, nose * 0.85])
    body, rings = _shell(
        at * length / 2,
        width * (1 - 0.08 * np.abs(at) ** 8),
        np.full(14, 0.3),
        top,
        material,
        exponent=9,
        narrowing=0.07,
    )
    x, z = 0.61 * length / 2, height * 0.78
    slope = np.array([0.21 * length / 2 * 0.85, 0, -height * (1 - nose) * 0.55])
    pane = np.array(
        [[x, -0.36 * width, z], [x, 0.36 * width, z], [x, 0.42 * width, z], [x, -0.42 * width, z]]
    ) + (0.1, 0, 0.05)
    pane[2:] += slope
    pane = pane[[1, 0, 3, 2]]
    glass = Material(PLAIN, (0.01, 0.012, 0.015), gloss=0.8)
    parts = [
        body,
        quads(pane, glass),
        *_side_windows(width, x, z, glass),
        cap(rings[0, :-1], Material(library.pick(rng, 'rear'), tint, gloss=0.4), (-1, 0, 0)),
        cap(rings[-1, :-1], Material(library.pick(rng, 'front'), tint, gloss=0.4), (1, 0, 0)),
    ]
    return merge(parts + _wheels(rng, library, [-0.3 * length, 0.32 * length], width + 0.01, 0.35))


def _side_windows(width: float, x: float, z: float, glass: Material) -> list[Mesh]:
    """Make the two windows of a driver's cab, their upper front corners at (x, +-width / 2, z)."""
    left = np.array([[x, 0.965, z], [x - 0.9, 0.965, z], [x - 0.9, 1, z - 0.55], [x, 1, z - 0.55]])
    reach = width / 2 + 0.015
    return [quads((left * (1, side * reach, 1))[None], glass) for side in (1, -1)]


def bus(rng: Generator, library: Library) -> Mesh:
    """Make a bus or a tram."""
    length, width, height = rng.uniform(9, 18), 2.5, rng.uniform(2.9, 3.4)
    at = np.linspace(-1, 1, 12)
    tint = colour(rng, (0, 0.9), (0.4, 1)) ** 2
    body, rings = _shell(
        at * length / 2,
        width * (1 - 0.06 * np.abs(at) ** 12),
        np.full(12, 0.3),
        height * (1 - 0.04 * np.abs(at) ** 12),
        Material(library.pick(rng, 'coach'), tint, gloss=0.5),
        12,
    )
    ends = [
        cap(ring, Material(library.pick(rng, 'window', 'rear'), tint, gloss=0.4), (side, 0, 0))
        for ring, side in ((rings[0, :-1], -1), (rings[-1, :-1], 1))
    ]
    return merge(
        [body, *ends, *_wheels(rng, library, [-0.33 * length, 0.33 * length], width + 0.01, 0.48)]
    )


def truck(rng: Generator, library: Library, plain_white: bool = False) -> Mesh:
    """Make a lorry: a cab and a box, tarpaulin, tank or flat bed; or the plain white box."""
    length, width, height = rng.uniform(6, 13.5), rng.uniform(2.3, 2.55), rng.uniform(2.9, 4.0)
    cab = rng.uniform(1.8, 2.3)
    cab_tint = np.full(3, 0.85) if plain_white else paint(rng)
    dark = Material(PLAIN, (0.02, 0.02, 0.022))
    rear_edge, box_front = -length / 2, length / 2 - cab - 0.25
    parts = [
        box((length - 0.4, 0.9, 0.25), dark, (-0.2, 0, 0.85)),
        cushion(
            (cab, width * 0.97, height * 0.68),
            Material(PLAIN, cab_tint, gloss=0.5),
            (length / 2 - cab / 2, 0, 0.45 + height * 0.34),
            9,
        ),
        *_side_windows(
            width * 0.97,
            length / 2 - 0.4,
            0.5 + height * 0.55,
            Material(PLAIN, (0.01, 0.012, 0.015), gloss=0.8),
        ),
    ]
    middle, extent = (rear_edge + box_front) / 2, box_front - rear_edge
    form = 0 if plain_white else rng.integers(5)
    if form <= 1:
        whole = plain_white or rng.random() < 0.3
        skin = Material(
            PLAIN if whole else library.pick(rng, 'poster', 'shutter', 'plain', 'metal'),
            (0.9, 0.9, 0.9) if whole else colour(rng, (0, 0.6), (0.5, 1)),
            gloss=0.15,
        )
        parts.append(
            box((extent, width, height - 1.0), skin, (middle, 0, 1 + (height - 1) / 2), True)
        )
    elif form == 2:  # tarpaulin
        skin = Material(library.pick(rng, 'fabric', 'plain'), colour(rng, (0, 0.9), (0.3, 1)) ** 2)
        parts.append(
            cushion((extent, width, height - 1.0), skin, (middle, 0, 1 + (height - 1) / 2), 14)
        )
        parts.append(
            box(
                (extent, width + 0.02, 0.5), Material(library.pick(rng, 'metal')), (middle, 0, 1.2)
            )
        )
    elif form == 3:  # tank
        skin = Material(library.pick(rng, 'metal', 'plain'), (0.9, 0.9, 0.92), gloss=0.7)
        ends = np.array([0, 0.04, 0.1, 0.9, 0.96, 1.0])
        path = np.stack([rear_edge + extent * ends, 0 * ends, np.full(6, 1.05 + width * 0.45)], -1)
        parts.append(tube(path, width * 0.48 * np.array([0, 0.8, 1, 1, 0.8, 0]), skin, 20))
    else:  # flat bed with a load
        parts.append(
            box((extent, width, 0.2), Material(library.pick(rng, 'wood')), (middle, 0, 1.1))
        )
        for _ in range(rng.integers(1, 4)):
            size = rng.uniform([0.8, 0.8, 0.4], [2, width, 1.6])
            spot = middle + rng.uniform(-0.4, 0.4) * extent
            parts.append(
                box(
                    size,
                    Material(library.pick(rng, 'wood', 'metal', 'concrete', 'brick')),
                    (spot, 0, 1.2 + size[2] / 2),
                )
            )
    parts.append(
        quads(
            np.array(
                [
                    [
                        (rear_edge - 0.02, width / 2, 1.15),
                        (rear_edge - 0.02, -width / 2, 1.15),
                        (rear_edge - 0.02, -width / 2, 0.6),
                        (rear_edge - 0.02, width / 2, 0.6),
                    ]
                ]
            ),
            Material(library.pick(rng, 'rear'), (0.3, 0.3, 0.3)),
            fit=True,
        )
    )
    axles = [rear_edge + 1.1, rear_edge + 2.3, length / 2 - cab * 0.55]
    return merge(parts + _wheels(rng, library, axles, width, 0.48))


def vehicle(rng: Generator, library: Library) -> Mesh:
    """Draw any vehicle, cars most often."""
    maker = rng.choice(np.array([car, van, truck, bus], object), p=[0.78, 0.11, 0.08, 0.03])
    return maker(rng, library)


def lorry(rng: Generator, library: Library) -> Mesh:
    """Draw a vehicle that hides what is behind it: a lorry most often, a bus or a van."""
    maker = rng.choice(np.array([truck, bus, van], object), p=[0.65, 0.15, 0.2])
    return maker(rng, library)


def person(rng: Generator, library: Library, seated: bool = False) -> Mesh:
    """Make somebody walking or standing (or sitting, for cyclists), with a swing of the limbs."""
    height = rng.uniform(1.5, 1.92)
    cloth = [
        Material(
            library.pick(rng, 'fabric', 'plain'),
            colour(rng, (0, 0.8), (0.05, 0.95)) ** 2,
            size_m=0.5,
        )
        for _ in range(2)
    ]
    skin = Material(PLAIN, colour(rng, (0.25, 0.5), (0.3, 0.9), (0.04, 0.09)) ** 2)
    hip, shoulder, swing = 0.5 * height, 0.82 * height, rng.uniform(0, 0.35)
    parts = []
    for side in (-1, 1):
        step = side * swing
        foot = (0.25, side * 0.12, 0.25 * height) if seated else (step, side * 0.1, 0.03)
        knee = (
            (0.35, side * 0.12, 0.48 * height)
            if seated
            else (step * 0.6 + 0.05, side * 0.1, 0.27 * height)
        )
        parts.append(
            tube(
                np.array([(0, side * 0.09, hip), knee, foot]),
                np.array([0.1, 0.075, 0.055]),
                cloth[0],
                8,
            )
        )
        hand = (
            (0.45, side * 0.25, 0.62 * height) if seated else (-step, side * 0.26, 0.48 * height)
        )
        parts.append(
            tube(
                np.array(
                    [
                        (0, side * 0.19, shoulder - 0.03),
                        (-step * 0.5, side * 0.25, 0.65 * height),
                        hand,
                    ]
                ),
                np.array([0.06, 0.05, 0.035]),
                cloth[1],
                7,
            )
        )
    parts.append(
        cushion(
            (0.26, 0.42, shoulder - hip + 0.14), cloth[1], (0, 0, (hip + shoulder) / 2), 2.8, 12
        )
    )
    parts.append(cushion((0.2, 0.16, 0.25), skin, (0.02, 0, height - 0.12), 2, 12))
    hair = Material(PLAIN, colour(rng, (0.2, 0.6), (0.05, 0.5), (0.03, 0.1)) ** 2)
    parts.append(cushion((0.21, 0.17, 0.15), hair, (-0.02, 0, height - 0.06), 2, 10))
    return merge(parts)


def bicycle(rng: Generator, library: Library) -> Mesh:
    """Make a bicycle."""
    frame = Material(PLAIN, paint(rng), gloss=0.3)
    rubber = Material(PLAIN, (0.02, 0.02, 0.02))
    angle = np.linspace(0, 2 * np.pi, 21)
    parts = []
    for x in (-0.52, 0.52):
        ring = np.stack([x + 0.33 * np.cos(angle), 0 * angle, 0.34 + 0.33 * np.sin(angle)], -1)
        parts.append(tube(ring, 0.022, rubber, 5))
    for a, b in (
        ((-0.52, 0, 0.34), (-0.2, 0, 0.85)),
        ((-0.2, 0, 0.85), (0.0, 0, 0.34)),
        ((0, 0, 0.34), (0.42, 0, 0.8)),
        ((-0.2, 0, 0.8), (0.42, 0, 0.8)),
        ((0.52, 0, 0.34), (0.38, 0, 1.0)),
        ((0.38, -0.28, 1.02), (0.38, 0.28, 1.02)),
    ):
        parts.append(tube(np.array([a, b]), 0.022, frame, 5))
    return merge(parts)


def cyclist(rng: Generator, library: Library) -> Mesh:
    """Make a bicycle with its rider."""
    return merge([bicycle(rng, library), place(person(rng, library, seated=True), (-0.2, 0, 0.1))])


def tree(rng: Generator, library: Library) -> tuple[Mesh, Mesh]:
    """
    Make a tree of one of several habits.

    :returns: the trunk and branches, and the foliage cards (which have holes).
    """
    height = rng.uniform(4, 16)
    habit = rng.integers(3)  # round, slender, conifer
    crown = (
        height * rng.uniform(0.22, 0.42),
        height * rng.uniform(0.08, 0.16),
        height * rng.uniform(0.14, 0.25),
    )[habit]
    foot = (
        height * (rng.uniform(0.1, 0.35), rng.uniform(0.05, 0.2), rng.uniform(0.03, 0.15))[habit]
    )
    bark = Material(
        library.pick(rng, 'soil', 'wood'), colour(rng, (0.1, 0.4), (0.3, 0.6), (0.05, 0.1))
    )
    lean = rng.normal(0, 0.03, 2) * height
    levels = np.linspace(0, 0.85, 6)
    path = np.stack([lean[0] * levels**2, lean[1] * levels**2, height * levels], -1)
    path[1:-1, :2] += rng.normal(0, 0.006 * height, (4, 2))
    girth = height * rng.uniform(0.012, 0.03)
    wood = [tube(path, girth * (1 - 0.85 * levels), bark, 7)]
    for _ in range(5 if habit == 0 else 0):
        start = path[rng.integers(2, 5)]
        end = start + crown * 0.7 * np.append(rng.normal(0, 0.6, 2), rng.uniform(0.3, 0.9))
        wood.append(tube(np.stack([start, end]), np.array([0.45, 0.1]) * girth, bark, 5))
    count = int(np.clip(18 * crown * np.sqrt(height - foot), 60, 220))
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    reach = rng.uniform(0.45, 1.0, count) ** 0.6
    half = np.array([crown, crown, (height - foot) / 2])
    spots = direction * half * reach[:, None]
    if habit == 2:  # a cone
        spots[:, :2] *= np.clip(1 - (spots[:, 2:] / half[2] + 1) / 2, 0.06, 1) * 1.5
    elif rng.random() < 0.6:  # lumps of foliage instead of one ball
        lumps = direction[:9] * half * 0.65
        spots = lumps[rng.integers(0, 9, count)] + spots * 0.5
    spots = spots + (*lean, (height + foot) / 2)
    shade = np.clip(0.35 + 0.65 * reach + rng.normal(0, 0.08, count), 0.2, 1.2)
    leaves = cards(
        spots,
        rng.uniform(0.55, 1.0, count) * np.clip(crown, 0.9, 3.2) * 0.8,
        direction,
        rng,
        _leaf_material(rng, library),
    )
    leaves.vertices[:, 8:11] *= np.repeat(shade, 4)[:, None]
    return merge(wood), leaves


def _leaf_material(rng: Generator, library: Library) -> Material:
    return Material(
        library.pick(rng, 'leaves'), rng.uniform(0.5, 1.5) * (1 + rng.normal(0, [0.15, 0.1, 0.1]))
    )


def bush(rng: Generator, library: Library) -> Mesh:
    """Make a bush of foliage cards."""
    size = rng.uniform([0.5, 0.5, 0.4], [1.8, 1.8, 1.6])
    count = int(30 + 20 * size.prod())
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    spots = direction * size * rng.uniform(0.3, 0.9, (count, 1)) + (0, 0, size[2] * 0.8)
    return cards(
        spots,
        rng.uniform(0.5, 0.9, count) * size.max() * 0.7,
        direction,
        rng,
        _leaf_material(rng, library),
    )


def pole(rng: Generator, library: Library, form: str) -> tuple[Mesh, Mesh]:
    """
    Make a post at the roadside; its arms reach to the left (+y).

    :param form: 'sign', 'lamp', 'lights' (traffic lights) or 'mast'.
    :returns: the solid parts, and the sign (which has holes round it).
    """
    height = {
        'sign': rng.uniform(2.2, 3.2),
        'lamp': rng.uniform(5, 10),
        'lights': rng.uniform(3, 6),
        'mast': rng.uniform(6, 11),
    }[form]
    steel = Material(
        library.pick(rng, 'metal', 'concrete', 'wood'), rng.uniform(0.15, 0.9) * np.ones(3)
    )
    plain = PLAIN
    radius = rng.uniform(0.03, 0.06) if form == 'sign' else rng.uniform(0.06, 0.16)
    parts = [
        tube(np.array([(0, 0, -0.2), (0, 0, height)]), np.array([radius, radius * 0.8]), steel, 8)
    ]
    sign = []
    reach = rng.uniform(1, 4)
    if form == 'sign':
        for level in range(rng.integers(1, 3)):
            size = rng.uniform(0.3, 0.45)
            z = height - 0.3 - 0.8 * level
            face = [
                (-0.07, size, z + size),
                (-0.07, -size, z + size),
                (-0.07, -size, z - size),
                (-0.07, size, z - size),
            ]
            sign.append(quads(np.array([face]), Material(library.pick(rng, 'sign')), fit=True))
        if rng.random() < 0.25:  # a large direction board
            wide, tall = rng.uniform(0.8, 2), rng.uniform(0.5, 1.2)
            parts.append(
                box(
                    (0.06, 2 * wide, tall),
                    Material(
                        library.pick(rng, 'poster', 'plain'), colour(rng, (0, 0.9), (0.3, 1))
                    ),
                    (0, 0, height),
                    fit=True,
                )
            )
    elif form == 'lamp':
        parts.append(
            tube(
                np.array(
                    [
                        (0, 0, height - 0.1),
                        (0, reach * 0.5, height + 0.3),
                        (0, reach, height + 0.3),
                    ]
                ),
                0.05,
                steel,
                6,
            )
        )
        parts.append(
            box((0.25, 0.8, 0.14), Material(plain, (0.5, 0.5, 0.5)), (0, reach, height + 0.25))
        )
    elif form == 'lights':
        arm = rng.random() < 0.5
        if arm:
            parts.append(tube(np.array([(0, 0, height), (0, reach, height)]), 0.06, steel, 6))
        at = np.array([-0.12, reach if arm else 0, height - 0.4])
        parts.append(box((0.2, 0.35, 0.95), Material(plain, (0.015, 0.015, 0.015)), at))
        lit = rng.integers(3)
        for index, hue in enumerate(([1, 0.05, 0.02], [1, 0.5, 0.02], [0.05, 1, 0.3])):
            glow = 1.0 if index == lit else 0.0
            parts.append(
                cushion(
                    (0.08, 0.2, 0.2),
                    Material(plain, hue if glow else (0.03,) * 3, glow=glow),
                    at + (-0.1, 0, 0.3 - 0.3 * index),
                    2,
                    10,
                )
            )
    else:
        for level in range(rng.integers(1, 3)):
            parts.append(box((0.1, 1.8, 0.1), steel, (0, 0, height - 0.4 - 0.5 * level)))
    return merge(parts), merge(sign)


def clutter(rng: Generator, library: Library) -> Mesh:
    """Make a bin, bollard, cabinet, crate, trailer, bench or heap of stones."""
    kind = rng.integers(6)
    if kind == 0:
        size = rng.uniform([0.5, 0.5, 0.9], [0.8, 0.8, 1.3])
        plastic = Material(PLAIN, colour(rng, (0, 0.7), (0.08, 0.6)) ** 2)
        return box(size, plastic, (0, 0, size[2] / 2))
    if kind == 1:
        height = rng.uniform(0.6, 1.1)
        return tube(
            np.array([(0, 0, 0), (0, 0, height)]),
            rng.uniform(0.06, 0.15),
            Material(library.pick(rng, 'metal', 'concrete')),
            10,
            ends=True,
        )
    if kind == 2:
        size = rng.uniform([0.6, 0.3, 0.9], [1.6, 0.6, 1.6])
        return box(
            size,
            Material(library.pick(rng, 'shutter', 'metal', 'graffiti')),
            (0, 0, size[2] / 2),
            fit=True,
        )
    if kind == 3:  # a trailer under its tarpaulin
        size = rng.uniform([1.8, 1.2, 0.8], [3.2, 1.7, 1.6])
        skin = Material(
            library.pick(rng, 'fabric', 'plain'), colour(rng, (0, 0.6), (0.1, 0.8)) ** 2
        )
        return merge(
            [
                cushion(size, skin, (0, 0, 0.5 + size[2] / 2), 12),
                *_wheels(rng, library, [0.0], size[1] + 0.2, 0.28),
            ]
        )
    if kind == 4:
        wood = Material(library.pick(rng, 'wood'), size_m=0.7)
        return merge(
            [
                box((1.6, 0.45, 0.07), wood, (0, 0, 0.45)),
                box((1.6, 0.06, 0.4), wood, (0, -0.2, 0.75)),
                box((0.08, 0.4, 0.45), wood, (-0.7, 0, 0.22)),
                box((0.08, 0.4, 0.45), wood, (0.7, 0, 0.22)),
            ]
        )
    return cushion(
        rng.uniform([0.8, 0.8, 0.4], [2.5, 2.0, 1.2]),
        Material(library.pick(rng, 'soil', 'stone', 'grass')),
        (0, 0, 0.1),
        2,
        12,
    )
