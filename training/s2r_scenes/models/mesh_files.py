"""One mesh file (OBJ, COLLADA, STL) as a shape: units, up axis, materials and textures applied."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

from lxml import etree
import numpy as np
import trimesh

from .files import is_missing, ModelError, read_xml, Store, Textures
from .shape import join, MISSING, moved, one_sided, PLAIN, Shape, welded

SUFFIXES = ('.obj', '.dae', '.stl')
LARGEST_M = 5000.0
_INVISIBLE = 0.02  # materials of less opacity are left out; glass is drawn as a pane
# Turns what is up in a file to z: (x, y, z) of the world from those of the file.
_UP = {
    'X_UP': np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    'Y_UP': np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    'Z_UP': np.eye(3),
}


def load_mesh(
    store: Store,
    name: str,
    folder: str,
    notes: list[str],
    submesh: str | None = None,
    turns_up_axis: bool = True,
) -> Shape:
    """
    Read a mesh file.

    :param name: path in the store.
    :param folder: the folder of the model, which is searched for textures.
    :param notes: takes a sentence for each texture that is not there.
    :param submesh: take the geometries of this name only.
    :param turns_up_axis: turn the file's up axis to z; Gazebo does not, its worlds count on it.
    :returns: the shape in metres.
    :raises ModelError: the file is broken, empty or of no kind that is known.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise ModelError(f'{name} is of kind {suffix!r}; {", ".join(SUFFIXES)} are read')
    data = store.read(name)
    matrix = np.eye(4)
    if suffix == '.dae':
        root = read_xml(data, name)
        matrix[:3, :3] = _to_metres(root, name) * (_up(root) if turns_up_axis else np.eye(3))
        _prune(root, submesh)
        data = etree.tostring(root)
    resolver: Any = Textures(store, name, folder, notes)
    try:
        scene = trimesh.load_scene(
            io.BytesIO(data), file_type=suffix[1:], resolver=resolver, process=False
        )
        shapes = [
            moved(_shape(scene.geometry[geometry]), scene.graph.get(node)[0])
            for node in sorted(scene.graph.nodes_geometry)
            for geometry in [scene.graph.get(node)[1]]
            if len(getattr(scene.geometry[geometry], 'faces', ()))
            and _is_visible(scene.geometry[geometry])
        ]
    except ModelError:
        raise
    except Exception as error:  # trimesh and pycollada raise nearly anything on broken files
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ModelError(f'{name} is broken: {reason}') from error
    if not shapes:
        what = f'no geometry named {submesh!r}' if submesh else 'no triangles'
        raise ModelError(f'{name} has {what}')
    shape = moved(join(shapes), matrix)
    if not np.isfinite(shape.vertices[:, :3]).all() or shape.size_m.max() > LARGEST_M:
        raise ModelError(f'{name} has points that are not finite or farther than {LARGEST_M:g} m')
    if len(shape.faces) and shape.faces.max() >= len(shape.vertices):
        raise ModelError(f'{name} is broken: a triangle names a point that is not there')
    shape = welded(shape)
    if not len(shape.faces):
        raise ModelError(f'{name} has no triangle with three different points')
    return one_sided(shape)


def _to_metres(root: etree._Element, name: str) -> float:
    unit = root.find('{*}asset/{*}unit')
    text = '1' if unit is None else unit.get('meter', '1')
    try:
        metres = float(text)
    except ValueError:
        metres = 0.0
    if not 1e-9 < metres < 1e9:
        raise ModelError(f'{name}: its unit must be a positive number of metres, not {text!r}')
    return metres


def _up(root: etree._Element) -> np.ndarray:
    axis = root.findtext('{*}asset/{*}up_axis', 'Y_UP').strip()
    return _UP.get(axis, _UP['Y_UP'])  # COLLADA's own default


def _prune(root: etree._Element, submesh: str | None) -> None:
    """Take out what pycollada stumbles over, and all nodes but the ones of a name."""
    for empty in root.xpath(
        '//*[local-name()="polylist" or local-name()="triangles"][@count="0"]'
    ):
        empty.getparent().remove(empty)
    if submesh is None:
        return
    names = {
        f'#{geometry.get("id")}': geometry.get('name')
        for geometry in root.iterfind('{*}library_geometries/{*}geometry')
    }
    for use in root.xpath('//*[local-name()="instance_geometry"]'):
        titles = [names.get(use.get('url'))]
        titles += [title for node in use.iterancestors() for title in node.values()]
        if submesh not in titles:
            use.getparent().remove(use)


def _opacity(material: Any) -> float:
    extra = getattr(material, 'kwargs', {})
    try:
        if 'd' in extra:
            return float(extra['d'][-1])
        if 'tr' in extra:
            return 1 - float(extra['tr'][-1])
    except ValueError:
        pass
    return 1.0


def _is_visible(geometry: trimesh.Trimesh) -> bool:
    return _opacity(getattr(geometry.visual, 'material', None)) >= _INVISIBLE


def _shape(geometry: trimesh.Trimesh) -> Shape:
    vertices = np.zeros((len(geometry.vertices), 8), np.float32)
    vertices[:, :3], vertices[:, 3:6] = geometry.vertices, geometry.vertex_normals
    material = getattr(geometry.visual, 'material', None)
    image = getattr(material, 'image', None) or getattr(material, 'baseColorTexture', None)
    uv = getattr(geometry.visual, 'uv', None)
    pictures, number = [], PLAIN
    if image is not None and is_missing(image):
        number = MISSING
    elif image is not None and uv is not None and len(uv) == len(vertices):
        pictures, number = [np.array(image.convert('RGBA'))], 0
        vertices[:, 6:8] = np.nan_to_num(uv) * (1, -1) + (0, 1)
    finish = np.array([[*_colour(material), _gloss(material), number]], np.float32)
    part = np.zeros(len(vertices), np.int32)
    return Shape(vertices, np.asarray(geometry.faces, np.int32), part, finish, pictures)


def _colour(material: Any) -> np.ndarray:
    """Return the diffuse colour, linear RGB."""
    colour = getattr(material, 'diffuse', None)
    if colour is None:
        colour = getattr(material, 'baseColorFactor', None)
    if colour is None:
        return np.full(3, 0.4)
    colour = np.asarray(colour, float)[:3]
    return np.clip(colour / 255 if colour.max() > 1 else colour, 0, 1) ** 2


def _gloss(material: Any) -> float:
    specular = getattr(material, 'specular', None)
    if specular is None or _opacity(material) < 0.9:
        return 0.6 if _opacity(material) < 0.9 else 0.05
    return float(np.clip(np.mean(np.asarray(specular, float)[:3]) / 255, 0, 1) ** 2 * 0.5)
