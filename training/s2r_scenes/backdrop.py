"""The background of a street: ground under everything, hills, woods, a far town, a court."""

from __future__ import annotations

import numpy as np

from . import buildings, props
from .meshes import Material, quads, surface, tube
from .site import Site
from .textures import colour, PLAIN

MIDDLE_M = 70.0  # along the road: what is all round has its centre there
ROUND = np.linspace(0, 2 * np.pi, 61)


def surround(site: Site) -> None:
    """Put ground under everything, and hills, woods or a skyline round it."""
    rng = site.rng
    low = site.course.lowest_m - 1.0
    corner = 1500.0
    site.solid.append(
        quads(
            np.array(
                [
                    [
                        (-corner, corner, low),
                        (corner, corner, low),
                        (corner, -corner, low),
                        (-corner, -corner, low),
                    ]
                ]
            ),
            site.material('grass', 'soil', size_m=12),
        )
    )
    for _ in range(rng.integers(1, 5)):
        radius = rng.uniform(80, 400)
        if radius < 240:
            _skyline(site, radius, low)
        elif rng.random() < 0.6:
            _hills(site, radius, low)
    if rng.random() < 0.15:  # wires
        for t in rng.uniform(-6, 6, rng.integers(1, 4)):
            s = np.linspace(-20, 120, 40)
            z = rng.uniform(5, 7) + 0.4 * np.cos(s / 20 * np.pi)
            black = Material(PLAIN, (0.02,) * 3)
            site.solid.append(tube(site.course.at(s, t, z), 0.015, black, 3))


def _skyline(site: Site, radius: float, low: float) -> None:
    """Draw a far wood or town all round, higher here and lower there."""
    rng = site.rng
    centre = site.course.at(MIDDLE_M, 0.0)
    height = rng.uniform(6, 22) * (
        1 + 0.4 * np.sin(ROUND * rng.integers(1, 5) + rng.uniform(0, 6))
    )
    x, y = centre[0] + radius * np.cos(ROUND), centre[1] + radius * np.sin(ROUND)
    points = np.stack(
        [np.stack([x, y, low + height], -1), np.stack([x, y, np.full_like(x, low)], -1)], 1
    )
    along = np.arange(len(ROUND)) * radius * 0.1 / rng.uniform(8, 30)
    uv = np.stack(np.meshgrid(along, [0.0, 1.0], indexing='ij'), -1)
    site.cutout.append(
        surface(
            points,
            Material(site.library.pick(rng, 'skyline'), rng.uniform(0.4, 1.0) * np.ones(3)),
            uv,
        )
    )


def _hills(site: Site, radius: float, low: float) -> None:
    """Raise hills all round, with gaps."""
    rng = site.rng
    centre = site.course.at(MIDDLE_M, 0.0)
    height = rng.uniform(10, 60) * np.clip(
        np.sin(ROUND * rng.integers(1, 4)) + 0.5 + 0.3 * np.sin(7 * ROUND), 0, None
    )
    profile = np.array([0, 0.5, 0.9, 1.0])
    radii = radius * (1 + 0.5 * profile)
    points = np.stack(
        [
            centre[0] + np.cos(ROUND)[:, None] * radii,
            centre[1] + np.sin(ROUND)[:, None] * radii,
            low + height[:, None] * np.sin(profile * np.pi / 2),
        ],
        -1,
    )
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


def close_off(site: Site, last_spot: float) -> None:
    """End the view with a building across it, over a paved court."""
    rng = site.rng
    s = last_spot + rng.uniform(9, 40)
    court = site.material('paving', 'concrete', 'asphalt', size_m=4)
    site.solid.append(site.course.strip((-30.0, s + 5), np.linspace(-14, 14, 5), 0.14, court))
    t = -28.0
    while t < 28:
        width = rng.uniform(9, 18)
        house = (
            buildings.hall(rng, site.library, width)
            if rng.random() < 0.3
            else buildings.building(rng, site.library, width, int(rng.integers(1, 6)))
        )
        site.put(house, s + rng.uniform(0, 3), t + width / 2)
        t += width
    for _ in range(rng.integers(0, 10)):
        site.put(
            props.bicycle(rng, site.library),
            s - rng.uniform(0.8, 1.6),
            rng.uniform(-12, 12),
            np.pi / 2 + rng.normal(0, 0.1),
            0.14,
        )
    for _ in range(rng.integers(0, 8)):
        site.put(
            site.draw(props.bush, 6),
            s - rng.uniform(1, 4),
            rng.uniform(-14, 14),
            z=0.14,
            cutout=True,
        )
