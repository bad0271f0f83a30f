"""
Textured triangle meshes as two arrays, and the few shapes that everything is built from.

Frames: x forward, y left, z up (REP 103), metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# columns of Mesh.vertices
POSITION, NORMAL, UV, TINT = slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 11)
LAYER, GLOSS, GLOW = 11, 12, 13
COLUMNS = 14


class Mesh(NamedTuple):
    """``vertices`` (N, 14) float32, the columns as named above; ``faces`` (M, 3) int32."""

    vertices: np.ndarray
    faces: np.ndarray


class Material(NamedTuple):
    """
    What a surface looks like.

    ``layer`` is the texture, multiplied by ``tint`` (RGB); one repeat of it covers ``size_m``.
    Layers below 0 are the pictures of a scene's models (``Scene.pictures``).
    ``gloss`` 0 is chalk and 1 a mirror at grazing angles; ``glow`` is the share of its colour
    that a surface gives off by itself.
    """

    layer: int
    tint: ArrayLike = (1.0, 1.0, 1.0)
    size_m: float = 1.0
    gloss: float = 0.0
    glow: float = 0.0


def cross(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Multiply vectors (..., 3): what np.cross gives, several times faster on short arrays."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]


def _mesh(
    position: np.ndarray, normal: np.ndarray, uv: np.ndarray, faces: np.ndarray, material: Material
) -> Mesh:
    vertices = np.empty((len(position), COLUMNS), np.float32)
    vertices[:, POSITION], vertices[:, NORMAL], vertices[:, UV] = position, normal, uv
    vertices[:, TINT] = material.tint
    vertices[:, LAYER], vertices[:, GLOSS], vertices[:, GLOW] = (
        material.layer,
        material.gloss,
        material.glow,
    )
    return Mesh(vertices, faces.astype(np.int32))


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Join meshes into one."""
    parts = list(meshes)
    if not parts:
        return Mesh(np.empty((0, COLUMNS), np.float32), np.empty((0, 3), np.int32))
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts)]).astype(
            np.int32
        ),
    )


def place(mesh: Mesh, position: ArrayLike, yaw_rad: float = 0.0, scale: float = 1.0) -> Mesh:
    """Scale a mesh, turn it about z (counter-clockwise from above), then move its origin."""
    cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
    turned = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], np.float32)
    vertices = mesh.vertices.copy()
    vertices[:, POSITION] = (scale * vertices[:, POSITION]) @ turned + np.asarray(
        position, np.float32
    )
    vertices[:, NORMAL] = vertices[:, NORMAL] @ turned
    return Mesh(vertices, mesh.faces)


def transform(mesh: Mesh, matrix: np.ndarray) -> Mesh:
    """
    Map all points by a matrix; normals turn with the surfaces.

    :param matrix: (3, 3), of positive determinant.
    """
    vertices = mesh.vertices.copy()
    vertices[:, POSITION] = vertices[:, POSITION] @ np.asarray(matrix, np.float32).T
    normal = vertices[:, NORMAL] @ np.linalg.inv(matrix).astype(np.float32)
    vertices[:, NORMAL] = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    return Mesh(vertices, mesh.faces)


def topple(mesh: Mesh, roll_rad: float, pitch_rad: float) -> Mesh:
    """Turn a mesh about x, then about y, and set it on the ground, z = 0."""
    cr, sr, cp, sp = np.cos(roll_rad), np.sin(roll_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    turned = transform(
        mesh,
        np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]]),
    )
    return place(turned, (0, 0, -turned.vertices[:, POSITION][:, 2].min()))


def quads(corners: np.ndarray, material: Material, fit: bool = False) -> Mesh:
    """
    Make flat rectangles.

    :param corners: (Q, 4, 3): top left, top right, bottom right, bottom left as seen from outside.
    :param fit: show the whole texture once, instead of repeats of ``material.size_m``.
    """
    corners = np.asarray(corners, np.float32).reshape(-1, 4, 3)
    across, down = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    normal = cross(down, across)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    extent = np.stack([np.linalg.norm(across, axis=-1), np.linalg.norm(down, axis=-1)], -1)
    extent = np.ones_like(extent) if fit else extent / material.size_m
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(len(corners))[:, None, None]
    return _mesh(
        corners.reshape(-1, 3),
        np.repeat(normal, 4, axis=0),
        (unit * extent[:, None]).reshape(-1, 2),
        faces.reshape(-1, 3),
        material,
    )


def box(
    size_m: ArrayLike, material: Material, centre: ArrayLike = (0, 0, 0), fit: bool = False
) -> Mesh:
    """Make an axis-aligned box of the given (x, y, z) size about its centre."""
    x, y, z = np.asarray(size_m, float) / 2
    sides = [
        [(x, -y, z), (x, y, z), (x, y, -z), (x, -y, -z)],
        [(-x, y, z), (-x, -y, z), (-x, -y, -z), (-x, y, -z)],
        [(x, y, z), (-x, y, z), (-x, y, -z), (x, y, -z)],
        [(-x, -y, z), (x, -y, z), (x, -y, -z), (-x, -y, -z)],
        [(x, -y, z), (-x, -y, z), (-x, y, z), (x, y, z)],
        [(x, y, -z), (-x, y, -z), (-x, -y, -z), (x, -y, -z)],
    ]
    return quads(np.array(sides) + np.asarray(centre), material, fit)


def surface(
    points: np.ndarray, material: Material, uv: np.ndarray | None = None, closed: bool = False
) -> Mesh:
    """
    Make a smooth surface through a grid of points.

    :param points: (A, B, 3); normals follow from neighbouring points.
    :param uv: (A, B, 2); without it the texture keeps ``material.size_m`` along both directions.
    :param closed: the last column of points repeats the first (a tube): smooth across it.
    """
    points = np.asarray(points, np.float32)
    rows, columns = points.shape[:2]
    along, around = np.gradient(points, axis=0), np.gradient(points, axis=1)
    if closed:
        around[:, 0] = around[:, -1] = points[:, 1] - points[:, -2]
    normal = cross(along, around)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    if uv is None:
        steps_u = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1)
        steps_v = np.linalg.norm(np.diff(points, axis=1), axis=-1).mean(0)
        uv = (
            np.stack(
                np.meshgrid(
                    np.append(0, steps_u.cumsum()), np.append(0, steps_v.cumsum()), indexing='ij'
                ),
                -1,
            )
            / material.size_m
        )
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    return _mesh(
        points.reshape(-1, 3), normal.reshape(-1, 3), np.reshape(uv, (-1, 2)), faces, material
    )


def cap(ring: np.ndarray, material: Material, normal: ArrayLike) -> Mesh:
    """Close a flat convex ring of points (R, 3); its bounding box shows the whole texture."""
    ring = np.asarray(ring, np.float32)
    outwards = np.asarray(normal, np.float32)
    points = np.concatenate([ring, ring.mean(0, keepdims=True)])
    # Seen from outside: u to the right, v down (towards -z, or towards -x on a level cap).
    down = np.array([0, 0, -1] if abs(outwards[2]) < 0.7 else [-1, 0, 0], np.float32)
    uv = np.stack([points @ cross(outwards, down), points @ down], -1)
    span = np.ptp(uv, axis=0)
    uv = (uv - uv.min(0)) / np.maximum(span, 1e-6)
    count = len(ring)
    faces = np.stack([np.arange(count), np.roll(np.arange(count), -1), np.full(count, count)], -1)
    return _mesh(points, np.broadcast_to(outwards, points.shape), uv, faces, material)


def tube(
    path: np.ndarray,
    radius_m: np.ndarray | float,
    material: Material,
    sides: int = 8,
    ends: bool = False,
) -> Mesh:
    """
    Make a round tube along a path.

    :param path: (K, 3) points of the axis.
    :param radius_m: one radius or (K,) radii.
    :param ends: close both ends with flat discs.
    """
    path = np.asarray(path, np.float32)
    radius = np.broadcast_to(np.asarray(radius_m, np.float32), len(path))
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-9)
    helper = np.where(np.abs(tangent[:, 2:]) < 0.9, [[0, 0, 1]], [[1, 0, 0]])
    side = cross(tangent, helper)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    other = cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    circle = (
        np.cos(angle)[None, :, None] * side[:, None]
        + np.sin(angle)[None, :, None] * other[:, None]
    )
    rings = path[:, None] + radius[:, None, None] * circle
    parts = [surface(rings, material, closed=True)]
    if ends:
        parts += [
            cap(rings[0, :-1], material, -tangent[0]),
            cap(rings[-1, :-1], material, tangent[-1]),
        ]
    return merge(parts)


def superellipse(count: int, exponent: float) -> np.ndarray:
    """
    Trace a rounded rectangle.

    :param exponent: 2 is an ellipse, above 4 nearly a rectangle.
    :returns: (count + 1, 2) points from (1, 0) counter-clockwise; the last repeats the first.
    """
    angle = np.linspace(0, 2 * np.pi, count + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack(
        [
            np.sign(cosine) * np.abs(cosine) ** (2 / exponent),
            np.sign(sine) * np.abs(sine) ** (2 / exponent),
        ],
        -1,
    )


def cushion(
    size_m: ArrayLike,
    material: Material,
    centre: ArrayLike = (0, 0, 0),
    exponent: float = 5.0,
    sides: int = 16,
) -> Mesh:
    """Make a box with rounded edges (a superellipsoid): an exponent of 2 gives an ellipsoid."""
    level = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    height = np.sign(np.sin(level)) * np.abs(np.sin(level)) ** (2 / exponent)
    width = np.abs(np.cos(level)) ** (2 / exponent)
    ring = superellipse(sides, exponent)
    points = np.concatenate(
        [
            width[:, None, None] * ring[None],
            np.broadcast_to(height[:, None, None], (len(level), sides + 1, 1)),
        ],
        -1,
    )
    half = np.asarray(size_m, float) / 2
    return surface(points * half + np.asarray(centre), material, closed=True)


def cards(
    centres: np.ndarray,
    size_m: np.ndarray,
    normals: np.ndarray,
    rng: np.random.Generator,
    material: Material,
) -> Mesh:
    """
    Scatter square cards (foliage) that face anywhere but are lit as if they faced ``normals``.

    :param centres: (N, 3).
    :param size_m: (N,) edge lengths.
    :param normals: (N, 3) of length 1.
    """
    count = len(centres)
    right = rng.standard_normal((count, 3))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    up = cross(right, rng.standard_normal((count, 3)))
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    half = np.asarray(size_m)[:, None] / 2
    right, up = right * half, up * half
    corners = np.stack(
        [centres - right + up, centres + right + up, centres + right - up, centres - right - up], 1
    )
    mesh = quads(corners, material, fit=True)
    mesh.vertices[:, NORMAL] = np.repeat(normals, 4, axis=0)
    return mesh
