"""Where a street grows: its course, and the meshes that were put along it so far."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from s2r_depth_training.render import props
from s2r_depth_training.render.course import Course
from s2r_depth_training.render.meshes import Material, Mesh, place
from s2r_depth_training.render.surroundings import Setting
from s2r_depth_training.render.textures import Library

_Thing = TypeVar('_Thing')
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
