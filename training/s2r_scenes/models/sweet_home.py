"""Furniture libraries of Sweet Home 3D (.sh3f): a zip with a catalogue and OBJ files."""

from __future__ import annotations

import codecs
from collections import defaultdict
import posixpath
import re
from typing import NamedTuple

import numpy as np

from .files import ModelError, ZipStore
from .mesh_files import load_mesh
from .shape import moved, POSITION, Shape

CATALOGUE = 'PluginFurnitureCatalog.properties'
_LINE = re.compile(r'([A-Za-z]+)#(\d{1,9})\s*[=:]\s*(.*)')
# The front of a piece of furniture is the file's +z, up is +y: here x and z.
_TO_WORLD = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]], float)


class Piece(NamedTuple):
    """One line of a catalogue; ``size_m`` is depth, width, height: along x, y and z here."""

    name: str
    words: str
    model: str
    size_m: tuple[float, float, float]
    elevation_m: float
    rotation: np.ndarray
    is_opening: bool


def read_catalogue(store: ZipStore, faults: list[str]) -> list[Piece]:
    """
    List what a library holds.

    :param faults: takes a sentence for each piece that cannot be used.
    :raises ModelError: there is no catalogue.
    """
    name = store.find(CATALOGUE)
    if name is None:
        raise ModelError(f'{store.title} is not a library of furniture: it has no {CATALOGUE}')
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    for line in store.read(name).decode('latin1').splitlines():
        if match := _LINE.match(line.strip()):
            entries[int(match[2])][match[1]] = _plain(match[3])
    pieces = []
    for number, entry in sorted(entries.items()):
        try:
            pieces.append(_piece(entry))
        except (KeyError, ValueError) as error:
            title = entry.get('id') or entry.get('name') or f'entry {number}'
            reason = f'{error.args[0]} is missing' if isinstance(error, KeyError) else error
            faults.append(f'{title} in {store.title}: {reason}')
    return pieces


def _plain(text: str) -> str:
    """Resolve the escapes of Java's properties files."""
    if '\\' not in text:
        return text
    return codecs.decode(text.encode('latin1', 'backslashreplace'), 'unicode_escape', 'replace')


def _piece(entry: dict[str, str]) -> Piece:
    size = [float(entry[name]) / 100 for name in ('depth', 'width', 'height')]
    if not all(0 < side < 1000 for side in size):
        raise ValueError(
            'width, depth and height must be positive numbers of centimetres, not '
            f'{entry["width"]}, {entry["depth"]}, {entry["height"]}'
        )
    turn = np.array([float(x) for x in entry.get('modelRotation', '1 0 0 0 1 0 0 0 1').split()])
    if (
        len(turn) != 9
        or not np.isfinite(turn).all()
        or abs(np.linalg.det(turn.reshape(3, 3))) < 1e-6
    ):
        raise ValueError(f'modelRotation must be a 3 x 3 rotation, not {entry["modelRotation"]!r}')
    words = '|'.join(entry.get(key, '') for key in ('name', 'tags', 'category'))
    return Piece(
        entry.get('id') or entry['name'],
        words.lower(),
        entry['model'].lstrip('/'),
        (size[0], size[1], size[2]),
        float(entry.get('elevation', 0)) / 100,
        turn.reshape(3, 3),
        entry.get('doorOrWindow') == 'true',
    )


def load_piece(store: ZipStore, piece: Piece, notes: list[str]) -> Shape:
    """Read a piece: turned and stretched as the catalogue says, its base centred at the origin."""
    name = store.find(piece.model)
    if name is None:
        raise ModelError(f'{piece.model} is not in {store.title}')
    shape = load_mesh(store, name, posixpath.dirname(name), notes)
    matrix = np.eye(4)
    matrix[:3, :3] = piece.rotation
    shape = moved(shape, _TO_WORLD @ matrix)
    return fitted(shape, piece.size_m)


def fitted(shape: Shape, size_m: tuple[float, float, float] | None = None) -> Shape:
    """Stretch a shape to a size (as it is by default), and centre its base at the origin."""
    points = shape.vertices[:, POSITION]
    low, extent = points.min(0), np.ptp(points, axis=0)
    matrix = np.eye(4)
    if size_m is not None:
        matrix[:3, :3] = np.diag(np.where(extent > 1e-9, size_m / np.maximum(extent, 1e-9), 1.0))
    matrix[:3, 3] = -(matrix[:3, :3] @ (low + extent * (0.5, 0.5, 0.0)))
    return moved(shape, matrix)
