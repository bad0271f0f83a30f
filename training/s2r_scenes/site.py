"""A street under construction: its course, and the meshes along it so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from . import props
from .cast import Cast
from .course import Course
from .meshes import Material, Mesh, place
from .surroundings import Setting
from .textures import Library

_Thing = TypeVar('_Thing')
VIEW_M = 150.0  # things are placed up to here


class Site:
    """The meshes of a scene under construction, and its models, if any."""

    def __init__(
        self,
        rng: Generator,
        library: Library,
        course: Course,
        cast: Cast | None = None,
        far_m: float = np.inf,
    ) -> None:
        self.rng, self.library, self.course = rng, library, course
        self._cast, self._far_m = cast, far_m  # models beyond are far from all cameras
        self.solid: list[Mesh] = []
        self.cutout: list[Mesh] = []
        self._made: dict[Callable, list] = {}

    def draw(self, maker: Callable[[Generator, Library], _Thing], different: int) -> _Thing:
        """Make a thing; once there are so many ``different`` ones, take one of them again."""
        things = self._made.setdefault(maker, [])
        if len(things) < different:
            things.append(maker(self.rng, self.library))
            return things[-1]
        return things[self.rng.integers(different)]

    def model(self, role: str) -> Mesh | None:
        """Draw a model of a real thing, its front towards x; None to make one up."""
        return None if self._cast is None else self._cast.draw(self.rng, role)

    def vehicle(self, setting: Setting | None = None) -> Mesh:
        """Draw a vehicle from the usual mix, or from that of some surroundings."""
        if setting is not None and setting.lorries and self.rng.random() < setting.lorries:
            return self.model('lorry') or self.draw(props.lorry, 8)
        is_tall = self._cast is not None and self.rng.random() < 0.12
        return self.model('lorry' if is_tall else 'car') or self.draw(props.vehicle, 16)

    def clutter(self) -> Mesh:
        """Draw a bin, bench, crate or the like."""
        return self.model('street clutter') or props.clutter(self.rng, self.library)

    def put(
        self,
        mesh: Mesh,
        s: float,
        t: float,
        turn: float = 0.0,
        z: float = 0.0,
        cutout: bool = False,
        scale: float = 1.0,
    ) -> None:
        """Stand a mesh at (s, t), its x axis turned from the direction of the road."""
        if self._cast is not None and s > self._far_m:
            mesh = self._cast.far(mesh)
        placed = place(mesh, self.course.at(s, t, z), float(self.course.heading(s)) + turn, scale)
        (self.cutout if cutout else self.solid).append(placed)

    def tree(self, s: float, t: float, z: float = 0.0) -> None:
        """Plant a tree at (s, t)."""
        model = self.model('tree')
        wood, leaves = (model, None) if model is not None else self.draw(props.tree, 9)
        turn, scale = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(0.75, 1.3)
        self.put(wood, s, t, turn, z - 0.2, scale=scale)
        if leaves is not None:
            self.put(leaves, s, t, turn, z - 0.2, cutout=True, scale=scale)

    def bush(self) -> tuple[Mesh, bool]:
        """Draw a bush; returns whether all of it has holes, too."""
        model = self.model('bush')
        return (self.draw(props.bush, 6), True) if model is None else (model, False)

    def material(self, *kinds: str, size_m: float = 4.0, tint: float = 1.0) -> Material:
        """Draw a texture of one of the kinds."""
        return Material(self.library.pick(self.rng, *kinds), tint * np.ones(3), size_m)
