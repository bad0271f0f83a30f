"""A model in memory and in the cache: triangles with parts, colours and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import functools
import io
import json
import os
from pathlib import Path
from typing import Any, NamedTuple
import zipfile

import fast_simplification
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..write import write_atomically

FORMAT = 1  # of the files in the cache
PLAIN, MISSING = -1, -2  # instead of a picture: flat colour; a texture that is not there
POSITION, NORMAL, UV = slice(0, 3), slice(3, 6), slice(6, 8)
_CARE = 4  # of fast_simplification, whose default of 7 bends what has borders
_FEW_FACES = 24  # a piece of so few triangles among many like it is a leaf


class Shape(NamedTuple):
    """
    One thing in metres.

    ``vertices`` (N, 8) float32: position, normal, texture coordinates (v points down); ``faces``
    (M, 3) int32; ``part`` (N,) int32 says of which part each vertex is. ``finish`` (P, 5) float32
    holds for each part linear RGB, gloss, and the number of its picture or ``PLAIN`` or
    ``MISSING``. ``pictures`` are (H, W, 4) uint8 RGBA.
    """

    vertices: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    finish: np.ndarray
    pictures: Sequence[np.ndarray]

    @property
    def size_m(self) -> np.ndarray:
        """Return the extent along x, y and z."""
        return np.ptp(self.vertices[:, POSITION], axis=0)


def join(shapes: Sequence[Shape]) -> Shape:
    """Make one shape of many; equal pictures are kept once."""
    vertices, faces, part, finish = [], [], [], []
    pictures: list[np.ndarray] = []
    numbers: dict[int, int] = {}
    starts = parts = 0
    for shape in shapes:
        at = []
        for picture in shape.pictures:
            if id(picture) not in numbers:
                numbers[id(picture)] = len(pictures)
                pictures.append(picture)
            at.append(numbers[id(picture)])
        own = shape.finish.copy()
        for row in own:
            row[4] = at[int(row[4])] if row[4] >= 0 else row[4]
        vertices.append(shape.vertices)
        faces.append(shape.faces + starts)
        part.append(shape.part + parts)
        finish.append(own)
        starts, parts = starts + len(shape.vertices), parts + len(shape.finish)
    return Shape(
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(part).astype(np.int32),
        np.concatenate(finish),
        pictures,
    )


def moved(shape: Shape, matrix: np.ndarray) -> Shape:
    """Map all points by a (4, 4) matrix that may scale and mirror; normals turn along."""
    linear = np.asarray(matrix, float)[:3, :3]
    vertices = shape.vertices.copy()
    vertices[:, POSITION] = vertices[:, POSITION] @ linear.T + np.asarray(matrix)[:3, 3]
    normal = vertices[:, NORMAL] @ np.linalg.inv(linear)
    vertices[:, NORMAL] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return shape._replace(vertices=vertices)


def welded(shape: Shape) -> Shape:
    """Join vertices that are equal in everything."""
    rows = np.column_stack([shape.vertices, shape.part.astype(np.float32)])
    keys = np.ascontiguousarray(np.round(rows, 5) + 0.0).view(f'V{rows.shape[1] * 4}').ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    faces = inverse.ravel()[shape.faces].astype(np.int32)
    flat = (
        (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    )
    return shape._replace(
        vertices=shape.vertices[first], part=shape.part[first], faces=faces[~flat]
    )


def one_sided(shape: Shape) -> Shape:
    """Keep one of the triangles that lie on each other, front and back: the one with a picture."""
    points = np.round(shape.vertices[:, POSITION], 4) + 0.0
    _, place = np.unique(points, axis=0, return_inverse=True)
    corners = np.sort(place.ravel()[shape.faces], axis=1)
    plain = shape.finish[shape.part[shape.faces[:, 0]], 4] < 0
    order = np.lexsort((np.arange(len(corners)), plain, *corners.T[::-1]))
    ranked = corners[order]
    first = np.append(True, (ranked[1:] != ranked[:-1]).any(1))
    return shape._replace(faces=shape.faces[np.sort(order[first])])


def lightened(shape: Shape, most_faces: int) -> Shape:
    """
    Take triangles away until about ``most_faces`` are left.

    Surfaces lose detail. Of foliage, which is thousands of small pieces, every n-th piece stays
    and grows to the area of those that go.
    """
    if len(shape.faces) <= most_faces:
        return shape
    share = most_faces / len(shape.faces)
    parts = [
        _lightened_part(shape, number, share)
        for number in range(len(shape.finish))
        if (shape.part[shape.faces[:, 0]] == number).any()
    ]
    return join(parts)._replace(pictures=list(shape.pictures), finish=shape.finish)


def _lightened_part(shape: Shape, number: int, share: float) -> Shape:
    faces = shape.faces[shape.part[shape.faces[:, 0]] == number]
    kept, faces = np.unique(faces, return_inverse=True)
    faces, vertices = faces.reshape(-1, 3), shape.vertices[kept]
    # Pieces hang together by place, whatever normals and texture coordinates their corners have.
    _, place = np.unique(np.round(vertices[:, POSITION], 5), axis=0, return_inverse=True)
    corners = place.ravel()[faces]
    count = int(corners.max()) + 1
    links = coo_matrix(
        (np.ones(2 * len(faces), bool), (corners[:, :2].ravel(), corners[:, 1:].ravel())),
        shape=(count, count),
    )
    pieces, label = connected_components(links, directed=False)
    if pieces > 50 and len(faces) / pieces < _FEW_FACES:
        vertices, faces = _fewer_pieces(vertices, faces, label[place.ravel()], pieces, share)
    elif len(faces) > 200:
        vertices, faces = _coarser(vertices, faces, max(64, int(share * len(faces))))
    part = np.full(len(vertices), number, np.int32)
    return Shape(vertices, faces.astype(np.int32), part, shape.finish[:0], shape.pictures)


def _fewer_pieces(
    vertices: np.ndarray, faces: np.ndarray, piece: np.ndarray, pieces: int, share: float
) -> tuple[np.ndarray, np.ndarray]:
    stays = np.random.default_rng(0).random(pieces) < share
    sums = np.zeros((pieces, 4))
    np.add.at(sums, piece, np.column_stack([vertices[:, POSITION], np.ones(len(vertices))]))
    centre = (sums[:, :3] / np.maximum(sums[:, 3:], 1))[piece]
    vertices = vertices.copy()
    grown = centre + (vertices[:, POSITION] - centre) / np.sqrt(share)
    vertices[:, POSITION] = grown
    kept, faces = np.unique(faces[stays[piece[faces[:, 0]]]], return_inverse=True)
    return vertices[kept], faces.reshape(-1, 3)


def _coarser(
    vertices: np.ndarray, faces: np.ndarray, most_faces: int
) -> tuple[np.ndarray, np.ndarray]:
    """
    Collapse edges; each vertex that stays takes normal and texture place of one it was.

    Borders stay, also those where only normals or textures meet, or surfaces would come apart;
    not on what is nearly all borders, as flat facets are.
    """
    points = vertices[:, POSITION].astype(np.float64)
    for keeps_borders in (True, False):
        _, coarse_faces, collapses = fast_simplification.simplify(
            points,
            faces.astype(np.int32),
            target_count=most_faces,
            return_collapses=True,
            preserve_border=keeps_borders,
            agg=_CARE,
        )
        if len(coarse_faces) < 2 * most_faces:
            break
    where, fewer, origin = fast_simplification.replay_simplification(
        points, faces.astype(np.int32), collapses
    )
    origin = np.asarray(origin)
    away = np.linalg.norm(points - where[origin], axis=1)
    order = np.lexsort((away, origin))
    numbers, first = np.unique(origin[order], return_index=True)
    coarse = np.zeros((len(where), vertices.shape[1]), np.float32)
    coarse[numbers] = vertices[order[first]]
    coarse[:, POSITION] = where
    return coarse, np.asarray(fewer)


def cache_folder() -> Path:
    """Return where models are kept that were read once."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return Path(home) / 's2r_scenes' / f'models-{FORMAT}'


def _file(key: str) -> Path:
    return cache_folder() / key[:2] / f'{key}.npz'


def is_kept(key: str) -> bool:
    """Tell whether a shape is in the cache, not cut off."""
    return zipfile.is_zipfile(_file(key))


def keep(key: str, build: Callable[[list[str]], Shape]) -> tuple[Shape, list[str]]:
    """
    Return a shape and what was noted about it from the cache, or build it and keep it there.

    :param key: changes with everything that the shape depends on.
    :param build: makes the shape, and adds sentences to the list it is given.
    """
    path = _file(key)
    if path.exists():
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            pass  # cut off or of another version: built anew below
    notes: list[str] = []
    shape = build(notes)
    shape = shape._replace(pictures=[_without_fringe(picture) for picture in shape.pictures])
    arrays: dict[str, Any] = {
        f'picture_{number}': picture for number, picture in enumerate(shape.pictures)
    }
    data = io.BytesIO()
    np.savez(
        data,
        vertices=shape.vertices,
        faces=shape.faces,
        part=shape.part,
        finish=shape.finish,
        notes=np.array(json.dumps(notes)),
        **arrays,
    )
    write_atomically(path, data.getvalue())
    return shape, notes


def _without_fringe(picture: np.ndarray) -> np.ndarray:
    """Give what is transparent the mean colour of the rest, which it is blended with at edges."""
    holes = picture[..., 3] < 128
    if not holes.any() or holes.all():
        return picture
    picture = picture.copy()
    picture[holes, :3] = picture[~holes, :3].mean(0).astype(np.uint8)
    return picture


def _load(path: Path) -> tuple[Shape, list[str]]:
    with np.load(path, allow_pickle=False) as data:
        count = sum(name.startswith('picture_') for name in data.files)
        pictures = [data[f'picture_{number}'] for number in range(count)]
        shape = Shape(data['vertices'], data['faces'], data['part'], data['finish'], pictures)
        return shape, list(json.loads(str(data['notes'])))


@functools.lru_cache(maxsize=192)
def kept(key: str) -> Shape:
    """Return a shape that was built before, from memory where it was used lately."""
    return _load(_file(key))[0]


def keep_text(key: str, text: str) -> None:
    """Put a text beside the shapes."""
    write_atomically(_file(key).with_suffix('.json'), text.encode())


def kept_text(key: str) -> str | None:
    """Return a text that was put there, None where there is none."""
    path = _file(key).with_suffix('.json')
    return path.read_text(encoding='utf-8') if path.exists() else None
