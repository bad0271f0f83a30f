"""The input and output of a renderer: the interface between scenes and backends."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from .camera import Camera
from .light import Light, Sensor
from .meshes import Mesh
from .textures import Library

NEAR_M, FAR_M = 0.15, 2000.0


class Scene(NamedTuple):
    """
    A place, its light and weather, and the cameras that look at it.

    ``solid`` has no holes, ``cutout`` is drawn where its texture's alpha is at least one half.
    ``looks`` holds the light and the sensor of each style variation. Light from the sky arrives
    from below ``ceiling_m`` (height in the world), so that a room's ceiling does not shade it.
    ``pictures`` (P, S, S, 4) uint8 RGBA are the models' own textures: layer -1 of a mesh is the
    first of them, -2 the second.
    """

    solid: Mesh
    cutout: Mesh
    library: Library
    cameras: list[Camera]
    looks: dict[str, tuple[Light, Sensor]]
    ceiling_m: float = 150.0
    pictures: np.ndarray | None = None


class Renderer(Protocol):
    """Interface of both backends; a scene is loaded once, then seen by any camera in any light."""

    def load(self, scene: Scene) -> None:
        """Take over the geometry and the textures."""

    def depth(self, camera: Camera) -> np.ndarray:
        """Return Z at the pixel centres, (H, W) float32 metres, +inf where nothing is hit."""

    def picture(self, camera: Camera, light: Light) -> np.ndarray:
        """Return linear radiance, (H, W, 3) float32."""
