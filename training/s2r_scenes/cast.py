"""The models of one scene: drawn from libraries, recoloured, their pictures collected."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from .meshes import COLUMNS, cross, GLOSS, LAYER, merge, Mesh, place, TINT, UV
from .models.collection import Collection
from .models.shape import MISSING, NORMAL, POSITION, Shape
from .scene import Scene
from .textures import colour, Library, PLAIN, SIZE_PX

MOST_PICTURES = 48  # of one scene: each takes memory and time
_SURFACES = {
    'sofa': ('fabric', 'fabric', 'plain'),
    'bed': ('fabric', 'wood'),
    'chair': ('wood', 'fabric', 'metal', 'plain'),
    'table': ('wood', 'wood', 'plain', 'concrete'),
    'desk': ('wood', 'plain'),
    'bookcase': ('wood', 'plain'),
    'cabinet': ('wood', 'plain', 'metal'),
    'house': ('brick', 'plaster', 'siding', 'stone', 'concrete'),
}
_ANY_SURFACE = ('wood', 'plain', 'metal', 'fabric', 'concrete')
_TRUE_COLOURS = ('tree', 'bush', 'plant', 'person', 'world')  # no cupboard's colours on these
_DIFFERENT = {'goods': 10, 'tree': 5, 'bush': 4}  # of a role in one scene; others 6
_HOLED = 0.005  # share of a picture that must be transparent to count


class Cast:
    """
    Models for one scene.

    :param collection: what the libraries hold.
    :param library: the scene's own textures, for parts without one.
    :param share: how often a layout that asks for a role gets a model of it.
    :param most_pictures: when a scene shows so many, models that bring more stay out.
    :param picture_px: width and height of the pictures in the renderer.
    """

    def __init__(
        self,
        collection: Collection,
        library: Library,
        share: float = 0.7,
        most_pictures: int = MOST_PICTURES,
        picture_px: int = SIZE_PX,
    ) -> None:
        self._things, self._library, self._share = collection.things, library, share
        self._most_pictures, self._picture_px = most_pictures, picture_px
        self._pictures: list[np.ndarray] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._drawn: dict[str, list[Mesh]] = {}
        self._far: dict[int, Callable[[], Mesh]] = {}  # by what is drawn near by

    def draw(self, rng: Generator, role: str) -> Mesh | None:
        """Return a model of a role, its base at the origin and its front towards x, or None."""
        things = self._things.get(role)
        if not things or rng.random() >= self._share:
            return None
        drawn = self._drawn.setdefault(role, [])
        if len(drawn) >= _DIFFERENT.get(role, 6):
            return drawn[rng.integers(len(drawn))]
        thing = things[rng.integers(len(things))]
        shape = thing.shape()
        own = {(thing.key, number) for number in range(len(shape.pictures))}
        if len(self._pictures) + len(own - self._numbers.keys()) > self._most_pictures:
            return drawn[rng.integers(len(drawn))] if drawn else None
        seed, scale = int(rng.integers(2**31)), rng.uniform(0.94, 1.06)
        is_across = role in ('car', 'lorry', 'bike') and shape.size_m[1] > shape.size_m[0]
        turn_rad = np.pi / 2 if is_across else 0.0

        def dress(shape: Shape) -> Mesh:
            mesh = self.dressed(np.random.default_rng(seed), shape, role, thing.key)
            return place(mesh, (0, 0, 0), turn_rad, scale)

        drawn.append(dress(shape))
        if role != 'house':  # few triangles, all of which count
            self._far[id(drawn[-1])] = lambda: dress(thing.far_shape())
        return drawn[-1]

    def far(self, mesh: Mesh) -> Mesh:
        """Return what was drawn with fewer triangles, for places far from all cameras."""
        far = self._far.get(id(mesh))
        if far is None:
            return mesh
        far_mesh = far()
        self._far[id(mesh)] = lambda: far_mesh
        return far_mesh

    def dressed(self, rng: Generator, shape: Shape, role: str, key: str) -> Mesh:
        """
        Give a shape this scene's colours.

        Parts without a texture may get one of the renderer's own, those whose texture was not
        found always do; all others keep theirs, a little brighter, darker or tinted.

        :param key: the key of the shape, so that its pictures are taken over once.
        """
        vertices = np.zeros((len(shape.vertices), COLUMNS), np.float32)
        vertices[:, :8] = shape.vertices
        areas = np.bincount(
            shape.part[shape.faces[:, 0]], _areas_m2(shape), minlength=len(shape.finish)
        )
        largest, recolours = int(areas.argmax()), rng.random() < 0.4 and role not in _TRUE_COLOURS
        kinds = _SURFACES.get(role, _ANY_SURFACE)
        for number, (red, green, blue, gloss, picture) in enumerate(shape.finish):
            chosen = shape.part == number
            tint = np.array([red, green, blue]) * np.exp(rng.normal(0, 0.12, 3))
            layer, size_m = PLAIN, None
            if picture >= 0:
                tint = np.exp(rng.normal(0, [0.08, 0.06, 0.08]) + rng.uniform(-0.4, 0.2))
                layer = -1 - self._take(key, int(picture), shape)
            elif picture == MISSING or (
                role not in _TRUE_COLOURS and areas[number] > 0.1 and rng.random() < 0.35
            ):
                layer, size_m = self._library.pick(rng, *kinds), rng.uniform(0.5, 2.0)
                tint = (0.3 + 0.7 * tint) if picture != MISSING else rng.uniform(0.5, 1.1, 3)
            if recolours and number == largest and picture < 0:
                tint = colour(rng, (0, 0.8), (0.1, 1.0)) ** 2
            vertices[chosen, TINT], vertices[chosen, LAYER] = np.clip(tint, 0, 1.3), layer
            vertices[chosen, GLOSS] = gloss
            if size_m is not None:
                vertices[chosen, UV] = _projected(shape.vertices[chosen]) / size_m
        return Mesh(vertices, shape.faces)

    def _take(self, key: str, number: int, shape: Shape) -> int:
        if (key, number) not in self._numbers:
            self._numbers[key, number] = len(self._pictures)
            self._pictures.append(shape.pictures[number])
        return self._numbers[key, number]

    def complete(self, scene: Scene) -> Scene:
        """Give a scene its models' pictures, and move to ``cutout`` what these cut holes into."""
        if not self._pictures:
            return scene
        size = self._picture_px, self._picture_px
        pictures = np.stack(
            [
                picture
                if picture.shape[:2] == size
                else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                for picture in self._pictures
            ]
        )
        holed = (pictures[..., 3] < 128).mean((1, 2)) > _HOLED
        layer = scene.solid.vertices[scene.solid.faces[:, 0], LAYER].astype(int)
        moves = (layer < 0) & holed[np.clip(-1 - layer, 0, len(holed) - 1)]
        leaves = Mesh(scene.solid.vertices, scene.solid.faces[moves])
        return scene._replace(
            solid=scene.solid._replace(faces=scene.solid.faces[~moves]),
            cutout=merge([scene.cutout, _compact(leaves)]),
            pictures=pictures,
        )


def _compact(mesh: Mesh) -> Mesh:
    kept, faces = np.unique(mesh.faces, return_inverse=True)
    return Mesh(mesh.vertices[kept], faces.reshape(-1, 3).astype(np.int32))


def _areas_m2(shape: Shape) -> np.ndarray:
    a, b, c = shape.vertices[shape.faces][..., POSITION].swapaxes(0, 1)
    return np.linalg.norm(cross(b - a, c - a), axis=1) / 2


def _projected(vertices: np.ndarray) -> np.ndarray:
    """Return texture coordinates in metres: each point seen along the main axis of its normal."""
    axis = np.abs(vertices[:, NORMAL]).argmax(1)
    x, y, z = vertices[:, POSITION].T
    u = np.choose(axis, (y, x, x))
    v = np.choose(axis, (-z, -z, y))
    return np.stack([u, v], -1)
