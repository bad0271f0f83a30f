"""Ray-casting backend with embreex and NumPy, which pip installs; slower, with the same depth."""

from __future__ import annotations

import cv2
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
import numpy as np

from . import camera as cameras
from .camera import Camera
from .light import Light
from .meshes import GLOSS, GLOW, LAYER, merge, NORMAL, POSITION, TINT, UV
from .scene import NEAR_M, Scene

_LAYERS_OF_HOLES = 24  # a ray that met more leaves than these stops at the next one
_STEP_M = 1e-3


class EmbreeRenderer:
    """
    Draws scenes by casting rays: the same light as the OpenGL backend, with exact shadows.

    :param supersample: colour samples per pixel along x and along y; depth always has one.
    """

    def __init__(self, supersample: int) -> None:
        self._samples = supersample

    def load(self, scene: Scene) -> None:
        """Take over the geometry and the textures."""
        mesh = merge([scene.solid, scene.cutout])
        self._vertices, self._faces = mesh.vertices, mesh.faces
        self._images, self._pictures = scene.library.images, scene.pictures
        self._has_holes = np.arange(len(mesh.faces)) >= len(scene.solid.faces)
        self._ceiling_m = scene.ceiling_m
        self._embree = rtcore_scene.EmbreeScene()
        self._mesh = TriangleMesh(
            self._embree, np.ascontiguousarray(mesh.vertices[mesh.faces][..., POSITION])
        )  # kept: Embree reads its arrays

    def depth(self, camera: Camera) -> np.ndarray:
        """Return Z at the pixel centres, (H, W) float32 metres, +inf where nothing is hit."""
        directions = cameras.rays(camera).reshape(-1, 3)
        origins = np.broadcast_to(np.float32(camera.position), directions.shape)
        distance, _, _ = self._cast(origins, directions, NEAR_M)
        return distance.reshape(camera.height_px, camera.width_px)

    def picture(self, camera: Camera, light: Light) -> np.ndarray:
        """Return linear radiance, (H, W, 3) float32."""
        directions = cameras.rays(camera, self._samples)
        shape = directions.shape
        directions = directions.reshape(-1, 3)
        eye = np.float32(camera.position)
        distance, face, weights = self._cast(
            np.broadcast_to(eye, directions.shape), directions, NEAR_M
        )
        length = np.linalg.norm(directions, axis=-1, keepdims=True)
        radiance = self._sky(directions / length, light)
        hit = np.isfinite(distance)
        world = eye + directions[hit] * distance[hit, None]
        surface = self._shade(world, -(directions / length)[hit], face[hit], weights[hit], light)
        clear = np.exp(-light.fog_per_m * distance[hit, None] * length[hit])
        radiance[hit] = surface * clear + light.horizon * (1 - clear)
        size = camera.width_px, camera.height_px
        return cv2.resize(radiance.reshape(shape), size, interpolation=cv2.INTER_AREA)

    def _cast(
        self, origins: np.ndarray, directions: np.ndarray, nearest: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """
        Find the first solid point on each ray, looking through the holes of foliage.

        :returns: distances in lengths of the direction, +inf for none; faces; the weights of their
            three corners.
        """
        count = len(origins)
        distance = np.full(count, np.inf, np.float32)
        face = np.zeros(count, np.int64)
        weights = np.zeros((count, 3), np.float32)
        travelled = np.full(count, nearest, np.float32)
        going = np.arange(count)
        for attempt in range(_LAYERS_OF_HOLES + 1):
            start = origins[going] + directions[going] * travelled[going, None]
            hits = self._embree.run(
                np.ascontiguousarray(start, np.float32),
                np.ascontiguousarray(directions[going], np.float32),
                output=True,
            )
            hit = hits['primID'] >= 0
            going, primitive = going[hit], hits['primID'][hit]
            u, v = hits['u'][hit], hits['v'][hit]
            at = travelled[going] + hits['tfar'][hit]
            corners = np.stack([1 - u - v, u, v], -1)
            solid = ~self._has_holes[primitive]
            if attempt < _LAYERS_OF_HOLES:
                holes = ~solid
                solid[holes] = self._texels(primitive[holes], corners[holes])[:, 3] >= 0.5
            else:
                solid[:] = True
            done = going[solid]
            distance[done], face[done], weights[done] = at[solid], primitive[solid], corners[solid]
            travelled[going] = at + _STEP_M
            going = going[~solid]
            if not len(going):
                break
        return distance, face, weights

    def _blend(self, face: np.ndarray, weights: np.ndarray, columns: slice) -> np.ndarray:
        """Interpolate vertex columns at points of faces."""
        return np.einsum('nk,nkc->nc', weights, self._vertices[self._faces[face]][..., columns])

    def _texels(self, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Read textures bilinearly at points of faces; (N, 4) in [0, 1]."""
        uv = self._blend(face, weights, UV)
        layer = self._vertices[self._faces[face, 0], LAYER].astype(int)
        if self._pictures is None or not (layer < 0).any():
            return _texture(self._images, layer, uv)
        texels = np.empty((len(uv), 4), np.float32)
        own = layer < 0
        texels[own] = _texture(self._pictures, -1 - layer[own], uv[own])
        texels[~own] = _texture(self._images, layer[~own], uv[~own])
        return texels

    def _is_lit(
        self, world: np.ndarray, towards: np.ndarray, reach_m: np.ndarray | float
    ) -> np.ndarray:
        """Tell whether a light is in sight: nothing within ``reach_m`` along unit vectors."""
        distance, _, _ = self._cast(world, towards.astype(np.float32))
        return (distance >= reach_m).astype(np.float32)

    def _shade(
        self,
        world: np.ndarray,
        to_eye: np.ndarray,
        face: np.ndarray,
        weights: np.ndarray,
        light: Light,
    ) -> np.ndarray:
        texel = self._texels(face, weights)[:, :3]
        albedo = texel**2 * self._blend(face, weights, TINT)
        finish = self._blend(face, weights, slice(GLOSS, GLOW + 1))
        normal = self._blend(face, weights, NORMAL)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        normal *= np.where((normal * to_eye).sum(-1, keepdims=True) < 0, -1, 1)
        wet = light.wetness * np.clip((normal[:, 2] - 0.7) / 0.25, 0, 1)
        gloss = np.maximum(finish[:, 0], 0.6 * wet)[:, None]
        albedo = albedo * (1 - 0.5 * wet)[:, None]

        raised = world + 0.1 * normal
        up = np.broadcast_to(np.array([0, 0, 1], np.float32), world.shape)
        open_sky = self._is_lit(raised, up, np.maximum(self._ceiling_m - raised[:, 2], 0))
        ambient_share = (0.3 + 0.7 * open_sky)[:, None]
        to_key = (
            light.key - world if light.key_is_lamp else np.broadcast_to(light.key, world.shape)
        )
        square = (to_key**2).sum(-1, keepdims=True)
        fall_off = 1 / (0.5 + square) if light.key_is_lamp else np.ones_like(square)
        to_key = to_key / np.sqrt(square)
        facing = np.maximum((normal * to_key).sum(-1, keepdims=True), 0)
        reach = np.sqrt(square[:, 0]) - 0.4 if light.key_is_lamp else np.inf
        key = (
            light.key_colour
            * fall_off
            * self._is_lit(world + 0.03 * normal, to_key, reach)[:, None]
        )
        half = 0.5 + 0.5 * normal[:, 2:]
        total = (
            ambient_share
            * (light.ground * (1 - half) + 0.5 * (light.zenith + light.horizon) * half)
            + key * facing
        )
        for position, lamp_colour in light.lamps:
            to_lamp = position - world
            square = (to_lamp**2).sum(-1, keepdims=True)
            total += (
                lamp_colour
                * np.maximum((normal * to_lamp).sum(-1, keepdims=True), 0)
                / np.sqrt(square)
                / (0.5 + square)
            )
        total = albedo * (total + 2 * finish[:, 1:])
        cosine = (normal * to_eye).sum(-1, keepdims=True)
        mirrored = 2 * cosine * normal - to_eye
        mirror = gloss * (0.06 + 0.94 * (1 - np.clip(cosine, 0, 1)) ** 4)
        highlight = np.maximum((mirrored * to_key).sum(-1, keepdims=True), 0) ** 80
        return (
            total * (1 - mirror)
            + self._sky(mirrored, light) * ambient_share * mirror
            + gloss * key * highlight
        )

    def _sky(self, direction: np.ndarray, light: Light) -> np.ndarray:
        """Return the radiance of the sky in unit directions (N, 3)."""
        rise = np.clip(direction[:, 2:], 0, 1)
        base = light.horizon * (1 - np.sqrt(rise)) + light.zenith * np.sqrt(rise)
        cloud = (
            _texture(self._images, light.cloud_layer, 0.12 * direction[:, :2] / (rise + 0.08))[
                :, :1
            ]
            + 0.1
        )
        share = _smoothstep(
            0.95 - light.cloud_cover, 1.25 - light.cloud_cover, cloud
        ) * _smoothstep(0.02, 0.2, direction[:, 2:])
        base = base * (1 - share) + 1.2 * light.horizon * share
        if not light.key_is_lamp:
            glare = np.maximum(direction @ light.key, 0)[:, None]
            base = base + light.key_colour * (4 * glare**800 + 0.25 * glare**16)
        above = _smoothstep(-0.05, 0.0, direction[:, 2:])
        below = 0.5 * light.ground + 0.3 * light.horizon
        return (below * (1 - above) + base * above).astype(np.float32)


def _smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    share = np.clip((x - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _texture(images: np.ndarray, layer: np.ndarray | int, uv: np.ndarray) -> np.ndarray:
    """Read square textures (L, S, S, 4) bilinearly; (N, 4) in [0, 1]."""
    size = images.shape[1]
    place = uv * size - 0.5
    low = np.floor(place).astype(int)
    share = (place - low).astype(np.float32)
    value = np.zeros((len(uv), 4), np.float32)
    for du in (0, 1):
        for dv in (0, 1):
            weight = np.abs(1 - du - share[:, 0]) * np.abs(1 - dv - share[:, 1])
            texel = images[layer, (low[:, 1] + dv) % size, (low[:, 0] + du) % size]
            value += weight[:, None] * texel
    return value / 255
