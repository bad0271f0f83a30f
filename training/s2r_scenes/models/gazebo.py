"""Models and worlds of Gazebo: SDF with its poses, scales, includes, materials and states."""

from __future__ import annotations

from collections.abc import Sequence
import functools
import posixpath
import re
from typing import NamedTuple

from lxml import etree
import numpy as np

from ..meshes import box, Material, Mesh, quads, tube
from ..meshes import cushion as rounded
from .files import digest_of, FolderStore, inside, ModelError, read_picture, read_xml, Textures
from .mesh_files import LARGEST_M, load_mesh
from .shape import join, lightened, moved, PLAIN, Shape

_DEEPEST = 8  # of models that include models
_MESHES = 256  # kept in memory
_GROUND_M = 30.0  # an endless plane ends here
_BUILT_IN = ('sun', 'ground_plane')  # Gazebo has these itself


class Place(NamedTuple):
    """A model's folder in a library."""

    store: FolderStore
    folder: str


class Gazebo:
    """
    The models that ``model://`` may name, over all libraries that were given.

    :param stores: libraries; of models of one name the first is taken.
    :param most_faces: meshes of more triangles are lightened.
    """

    def __init__(self, stores: Sequence[FolderStore], most_faces: int) -> None:
        self._most_faces = most_faces
        self._meshes: dict[tuple[str, str, str | None], tuple[Shape, list[str]]] = {}
        self.models: dict[str, Place] = {}
        self.worlds: list[tuple[FolderStore, str]] = []
        for store in stores:
            for name in store.names():
                folder, file = posixpath.split(name)
                if file == 'model.config' or file == 'model.sdf':
                    title = posixpath.basename(folder) or posixpath.basename(store.title)
                    self.models.setdefault(title, Place(store, folder))
                elif file.endswith('.world'):
                    self.worlds.append((store, name))

    def identity(self, place: Place) -> str:
        """Return a hash that changes with the files of a model."""
        return place.store.identity(place.folder)

    def world_identity(self, store: FolderStore, name: str) -> str:
        """Return a hash that changes with a world's file, and with any model of the libraries."""
        parts = [name, store.identity('')]
        parts += [place.store.identity('') for place in self.models.values()]
        return digest_of(sorted(set(parts)))

    def load_model(self, name: str, notes: list[str]) -> Shape:
        """
        Read a model with all that it includes.

        :raises ModelError: nothing of it could be read.
        """
        shapes = self._model_named(name, np.eye(4), notes, 0, has_own_pose=False)
        if not shapes:
            raise ModelError(f'model://{name} has nothing to be seen' + _because(notes))
        return join(shapes)

    def load_world(self, store: FolderStore, name: str, notes: list[str]) -> Shape:
        """
        Read a world; what is broken in it is left out and noted.

        :raises ModelError: the file is none, or nothing of it could be read.
        """
        root = read_xml(store.read(name), name, recover=True)
        world = root if root.tag == 'world' else root.find('world')
        if world is None:
            raise ModelError(f'{name} is not a world of Gazebo: it has no <world>')
        states = {
            model.get('name', ''): _pose(model, name)
            for model in world.findall('state/model')
            if model.find('pose') is not None
        }
        folder = Place(store, posixpath.dirname(name))
        shapes: list[Shape] = []
        for element in world:
            if element.tag in ('model', 'include'):
                title = element.get('name') or element.findtext('name', '')
                try:
                    shapes += self._any(
                        element, np.eye(4), folder, notes, 0, states.get(title.strip())
                    )
                except ModelError as error:
                    _note(notes, str(error))
        if not shapes:
            raise ModelError(f'{name} has nothing to be seen' + _because(notes))
        return join(shapes)

    def _any(
        self,
        element: etree._Element,
        matrix: np.ndarray,
        place: Place,
        notes: list[str],
        depth: int,
        state: np.ndarray | None = None,
    ) -> list[Shape]:
        """Read a <model> or an <include>; a state of the world overrides its pose."""
        if element.tag == 'model':
            return self._model(element, matrix, place, notes, depth, state)
        uri = element.findtext('uri', '').strip()
        name = _model_name(uri)
        if name is None:
            _note(notes, f'{uri!r} is not fetched: give a folder that has this model')
            return []
        pose = state
        if pose is None and element.find('pose') is not None:
            pose = _pose(element, name)
        if pose is None:
            return self._model_named(name, matrix, notes, depth)
        return self._model_named(name, matrix @ pose, notes, depth, has_own_pose=False)

    def _model_named(
        self,
        name: str,
        matrix: np.ndarray,
        notes: list[str],
        depth: int,
        has_own_pose: bool = True,
    ) -> list[Shape]:
        if depth > _DEEPEST:
            raise ModelError(f'model://{name} includes itself, or models {_DEEPEST} deep')
        place = self.models.get(name)
        if place is None:
            if name == 'ground_plane':
                return [moved(_ground(), matrix)]
            if name not in _BUILT_IN:
                _note(notes, f'model://{name} is not in the libraries that were given')
            return []
        file = self._sdf(place)
        root = read_xml(place.store.read(file), file, recover=True)
        model = root if root.tag == 'model' else root.find('model')
        if model is None:
            raise ModelError(f'{file} is not a model of Gazebo: it has no <model>')
        state = None if has_own_pose else np.eye(4)
        return self._model(model, matrix, place, notes, depth, state)

    def _sdf(self, place: Place) -> str:
        """Return the SDF file that a model's config names last: the newest version."""
        config = place.store.find(posixpath.join(place.folder, 'model.config'))
        names = ['model.sdf']
        if config is not None:
            root = read_xml(place.store.read(config), config, recover=True)
            names += [(element.text or '').strip() for element in root.findall('sdf')]
        for name in reversed(names):
            if file := place.store.find(posixpath.join(place.folder, name)):
                return file
        raise ModelError(f'{place.folder or place.store.title} has no model.sdf')

    def _model(
        self,
        model: etree._Element,
        matrix: np.ndarray,
        place: Place,
        notes: list[str],
        depth: int,
        state: np.ndarray | None = None,
    ) -> list[Shape]:
        title = model.get('name', 'a model')
        matrix = matrix @ (_pose(model, title) if state is None else state)
        shapes: list[Shape] = []
        for element in model:
            if element.tag in ('model', 'include'):
                shapes += self._any(element, matrix, place, notes, depth + 1)
            elif element.tag == 'link':
                at = matrix @ _pose(element, title)
                for visual in element.findall('visual'):
                    try:
                        shapes += self._visual(visual, at, place, notes, title)
                    except ModelError as error:
                        _note(notes, str(error))
        return shapes

    def _visual(
        self,
        visual: etree._Element,
        matrix: np.ndarray,
        place: Place,
        notes: list[str],
        title: str,
    ) -> list[Shape]:
        if _numbers(visual.findtext('transparency', '0'), 1, title)[0] > 0.9:
            return []
        matrix = matrix @ _pose(visual, title)
        shape = self._geometry(visual, place, notes, title)
        if shape is None:
            return []
        material = visual.find('material')
        if material is not None:
            shape = self._painted(shape, material, place, notes, title)
        shape = moved(shape, matrix)
        if not np.abs(shape.vertices[:, :3]).max() <= LARGEST_M:
            raise ModelError(f'{title} has points farther than {LARGEST_M:g} m')
        return [shape]

    def _geometry(
        self, visual: etree._Element, place: Place, notes: list[str], title: str
    ) -> Shape | None:
        mesh = visual.find('geometry/mesh')
        if mesh is not None:
            scale = _numbers(mesh.findtext('scale', '1 1 1'), 3, title)
            if (np.abs(scale) < 1e-9).any():
                raise ModelError(
                    f'{title}: a scale of zero ({mesh.findtext("scale")}) leaves nothing of it'
                )
            where, file = self._file(mesh.findtext('uri', '').strip(), place, title)
            submesh = mesh.findtext('submesh/name')
            shape = self._mesh(where, file, submesh and submesh.strip(), notes)
            if mesh.findtext('submesh/center', '').strip() in ('1', 'true'):
                middle = shape.vertices[:, :3].min(0) + shape.size_m / 2
                shape = moved(shape, _translation(-middle))
            return moved(shape, np.diag([*scale, 1.0]))
        for tag, count in (('box', 3), ('cylinder', 2), ('sphere', 1), ('plane', 2)):
            element = visual.find(f'geometry/{tag}')
            if element is not None:
                return _primitive(element, tag, count, title)
        return None

    def _mesh(self, place: Place, file: str, submesh: str | None, notes: list[str]) -> Shape:
        """
        Read a mesh; what a world shows many times is read once.

        Its pictures lose their alpha: Gazebo cuts holes only where a script says so.
        """
        key = (place.store.title, file, submesh)
        if key not in self._meshes:
            own: list[str] = []
            shape = load_mesh(place.store, file, place.folder, own, submesh, turns_up_axis=False)
            if len(self._meshes) >= _MESHES:
                self._meshes.clear()
            opaque = [_opaque(picture) for picture in shape.pictures]
            shape = shape._replace(pictures=opaque)
            self._meshes[key] = lightened(shape, self._most_faces), own
        shape, own = self._meshes[key]
        for sentence in own:
            _note(notes, sentence)
        return shape

    def _file(self, uri: str, place: Place, title: str) -> tuple[Place, str]:
        """
        Find a mesh that a model names.

        :raises ModelError: it is not there, or not inside the libraries.
        """
        match = re.match(r'(?:model|package|file)://(?:models/)?([^/]+)/(.+)', uri)
        if match and match[1] in self.models:
            where = self.models[match[1]]
            name = inside(match[2]) and posixpath.join(where.folder, match[2])
        elif '://' in uri:
            where, name = place, None
        else:
            where, name = place, inside(posixpath.join(place.folder, uri))
        if not uri.startswith(('model:', 'package:')) and name is None:
            raise ModelError(f'{title}: {uri!r} is refused: it leads out of the libraries')
        file = None if name is None else where.store.find(name)
        if file is None:
            raise ModelError(f'{title}: its mesh {uri!r} is not there')
        return where, file

    def _painted(
        self, shape: Shape, material: etree._Element, place: Place, notes: list[str], title: str
    ) -> Shape:
        """Apply a material: a script's texture or colour, a picture, or a diffuse colour."""
        picture = material.findtext('pbr/metal/albedo_map')
        colour = material.findtext('diffuse')
        script = material.find('script')
        name, scripts = '', {}
        if script is not None:
            name = script.findtext('name', '').strip()
            scripts = _scripts(place)
            if name in scripts:
                picture, colour, _ = scripts[name]
            elif name.startswith('Gazebo/') and not (shape.finish[:, 4] >= 0).any():
                colour = _GAZEBO.get(name[7:], '0.6 0.6 0.6')
        finish = shape.finish.copy()
        if picture:
            textures = Textures(
                place.store, posixpath.join(place.folder, 'model.sdf'), place.folder, notes
            )
            file = textures.locate(picture.strip())
            if file is None:
                _note(notes, f'{title}: its texture {picture.strip()!r} is not there')
                return shape
            finish[:, :3], finish[:, 4] = 1.0, 0
            with_holes = script is not None and scripts.get(name, _NO_SCRIPT).has_holes
            picture_rgba = _picture(place.store, file)
            if not with_holes:
                picture_rgba = _opaque(picture_rgba)
            return shape._replace(finish=finish, pictures=[picture_rgba])
        if colour and not (finish[:, 4] >= 0).any():
            finish[:, :3] = _numbers(colour, -3, title)[:3] ** 2
            return shape._replace(finish=finish)
        return shape


_GAZEBO = {
    'White': '1 1 1',
    'Black': '0.02 0.02 0.02',
    'DarkGrey': '0.2 0.2 0.2',
    'Grey': '0.7 0.7 0.7',
    'Red': '1 0 0',
    'Green': '0 1 0',
    'Blue': '0 0 1',
    'Yellow': '1 1 0',
    'Orange': '1 0.5 0.1',
    'Wood': '0.6 0.4 0.2',
}


@functools.lru_cache(maxsize=64)
def _picture(store: FolderStore, file: str) -> np.ndarray:
    return read_picture(store.read(file), file)


def _opaque(picture: np.ndarray) -> np.ndarray:
    return np.dstack([picture[..., :3], np.full(picture.shape[:2], 255, np.uint8)])


class _Script(NamedTuple):
    """What an OGRE material shows."""

    texture: str | None
    colour: str | None
    has_holes: bool


_NO_SCRIPT = _Script(None, None, False)


@functools.lru_cache(maxsize=64)
def _scripts(place: Place) -> dict[str, _Script]:
    """Read a model's OGRE scripts: the first texture and the diffuse colour of each material."""
    materials: dict[str, _Script] = {}
    prefix = f'{place.folder}/'.lower() if place.folder else ''
    for file in place.store.names():
        if not (file.lower().startswith(prefix) and file.lower().endswith('.material')):
            continue
        text = re.sub(r'//[^\n]*', '', place.store.read(file).decode('utf-8', 'replace'))
        for block in re.split(r'^\s*material\s+', text, flags=re.MULTILINE)[1:]:
            name = re.split(r'[\s:{]', block, maxsplit=1)[0]
            texture = re.search(r'\btexture\s+(\S+)', block)
            diffuse = re.search(r'\bdiffuse\s+([\d. eE+-]+)', block)
            materials[name] = _Script(
                texture[1] if texture else None,
                diffuse[1] if diffuse else None,
                'alpha_rejection' in block or 'alpha_blend' in block,
            )
    return materials


def _model_name(uri: str) -> str | None:
    """Return the name of an included model; None for one that lies elsewhere in the net."""
    match = re.fullmatch(r'(?:model|file|package)://(?:models/)?([^/]+)/?', uri)
    if match:
        return match[1]
    return None if '://' in uri or not uri or inside(uri) is None else posixpath.basename(uri)


def _numbers(text: str, count: int, title: str) -> np.ndarray:
    """
    Read ``count`` numbers (at least ``-count`` of them).

    :raises ModelError: they are none, or too few.
    """
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        values = np.empty(0)
    fits = len(values) == count if count > 0 else len(values) >= -count
    if not fits or not np.isfinite(values).all():
        raise ModelError(f'{title}: expected {abs(count)} numbers, not {text.strip()!r}')
    return values


def _pose(element: etree._Element, title: str) -> np.ndarray:
    """Return the (4, 4) matrix of an element's pose: x y z, then roll, pitch, yaw."""
    pose = element.find('pose')
    if pose is None or not (pose.text or '').strip():
        return np.eye(4)
    values = _numbers(pose.text or '', 6, title)
    if pose.get('degrees') in ('1', 'true'):
        values[3:] = np.radians(values[3:])
    (cr, cp, cy), (sr, sp, sy) = np.cos(values[3:]), np.sin(values[3:])
    matrix = _translation(values[:3])
    matrix[:3, :3] = (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )
    return matrix


def _translation(offset: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def _primitive(element: etree._Element, tag: str, count: int, title: str) -> Shape:
    keys = {'box': ['size'], 'plane': ['size'], 'cylinder': ['radius', 'length']}.get(
        tag, ['radius']
    )
    default = '1 1' if tag == 'plane' else '1'
    size = _numbers(' '.join(element.findtext(key, default) for key in keys), count, title)
    if (size <= 0).any():
        raise ModelError(f'{title}: a {tag} of size {" ".join(f"{x:g}" for x in size)} is none')
    grey = Material(0)
    if tag == 'box':
        return _as_shape(box(size, grey))
    if tag == 'plane':
        return _plane(*np.minimum(size, 2 * _GROUND_M) / 2)
    if tag == 'sphere':
        return _as_shape(rounded((2 * size[0],) * 3, grey, exponent=2.0))
    ends = np.array([(0, 0, -size[1] / 2), (0, 0, size[1] / 2)])
    return _as_shape(tube(ends, size[0], grey, 20, ends=True))


def _plane(x: float, y: float) -> Shape:
    corners = np.array([[(-x, -y, 0), (-x, y, 0), (x, y, 0), (x, -y, 0)]])
    return _as_shape(quads(corners, Material(0)))


def _ground() -> Shape:
    return _plane(_GROUND_M, _GROUND_M)


def _as_shape(mesh: Mesh) -> Shape:
    finish = np.array([[0.4, 0.4, 0.4, 0.05, PLAIN]], np.float32)
    part = np.zeros(len(mesh.vertices), np.int32)
    return Shape(mesh.vertices[:, :8].copy(), mesh.faces, part, finish, [])


def _note(notes: list[str], sentence: str) -> None:
    if sentence not in notes:
        notes.append(sentence)


def _because(notes: list[str]) -> str:
    return f' ({notes[0]})' if notes else ''
