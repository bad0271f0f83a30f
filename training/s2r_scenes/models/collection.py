"""The given libraries as one list of models, each with its role in a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
import functools
import json
import logging
import multiprocessing
import os
from pathlib import Path
import re
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .files import digest_of, FolderStore, ModelError, ZipStore
from .gazebo import Gazebo
from .shape import FORMAT, is_kept, keep, keep_text, kept, kept_text, lightened, Shape
from .sweet_home import fitted, load_piece, read_catalogue

MOST_FACES, MOST_FACES_OF_TREES, MOST_FACES_OF_MESHES = 4_000, 6_000, 20_000
FAR = 6  # a model far away has so many times fewer triangles
MOST_BROKEN = 0.1  # share of the models that may be broken
FURNITURE = Path('/usr/share/sweethome3d/furniture')
_PATH_VARIABLES = ('GAZEBO_MODEL_PATH', 'GZ_SIM_RESOURCE_PATH', 'IGN_GAZEBO_RESOURCE_PATH')
_SENTENCES = 20  # are printed of each kind, then a count
_LOG = logging.getLogger(__name__)


class _Rule(NamedTuple):
    """A role, the words that say so, and the least and greatest length, width and height (m)."""

    role: str
    words: str
    least: tuple[float, float, float]
    most: tuple[float, float, float]
    not_words: str = r'\btoy\b|scpts, outdoor, road|swimming, pool|inflatable'


#: The first rule that fits decides; length is the longer side on the floor.
_RULES = (
    _Rule('person', r'human|person|male\b', (0.2, 0.2, 1.2), (1.1, 1.1, 2.1), 'lying|sitting'),
    _Rule('bike', r'bicycle|bike|motor|scooter', (1.0, 0.2, 0.6), (2.4, 1.0, 1.6), 'indoor|horse'),
    _Rule(
        'lorry',
        r'\bbus\b|truck|\bvan\b|ambulance|lorry',
        (5.0, 1.8, 2.0),
        (22.0, 3.6, 4.6),
        'stop|hand|toy',
    ),
    _Rule(
        'car',
        r'\bcar\b|vehicles|suv|hatchback|pickup|prius|polaris',
        (2.3, 1.2, 1.1),
        (6.2, 2.6, 2.3),
        r'toy|model|rowboat|stop',
    ),
    _Rule('tree', r'\btree\b|_tree|palm|coconut|peach blossom', (1.0, 1.0, 2.2), (12, 12, 16)),
    _Rule('bush', r'\bbush\b|hedge', (0.5, 0.3, 0.5), (4, 4, 2.2)),
    _Rule(
        'house',
        r'house_|apartment|cafe\b|fast_food|station\b|store\b|office|salon|school|shop\b|parking_gar',
        (5, 4, 2.4),
        (45, 45, 40),
        'willow|osrf_first|power',
    ),
    _Rule('lamp post', r'street lamp|lamp_post|lampadaire', (0.1, 0.1, 2.0), (3, 3, 9)),
    _Rule('post', r'stop_sign|speed_limit|stop_light|telephone', (0.1, 0.02, 1.5), (3, 3, 9)),
    _Rule(
        'street clutter',
        r'exterior|barrel|cone\b|dumpster|hydrant|jersey|mailbox|postbox|trash|cinder|cardboard|'
        r'pallet|crate|container|bench|fountain|hut\b|shovel|mower|fork lift|bucket|clutter',
        (0.2, 0.05, 0.2),
        (6.5, 3.5, 3.5),
        'railing|bell|road|swimming|pool|rails|sidewalk|lamp|column|indoor|fitness|model',
    ),
    _Rule('bed', r'\bbed\b|bed_|futon|crib', (1.0, 0.5, 0.15), (2.7, 2.4, 2.1), 'side|sleeping'),
    _Rule('sofa', r'sofa|couch|armchair', (0.6, 0.5, 0.4), (3.5, 2.0, 1.3), 'dental'),
    _Rule('bookcase', r'bookcase|bookshel|shel(f|ves)', (0.4, 0.2, 0.6), (4, 1.1, 3.0), 'upper'),
    _Rule('desk', r'\bdesk|infodesk', (0.9, 0.5, 0.6), (2.6, 1.8, 1.9)),
    _Rule(
        'cabinet',
        r'cabinet|wardrobe|cupboard|dresser|drawer|chest|fridge|refriger|freezer|oven|washing|dryer|'
        r'stove|piano|fireplace|locker|\bsafe\b|sink|cooker|radiator|rack|cookingbench|wash',
        (0.35, 0.15, 0.4),
        (3.5, 1.2, 2.6),
        'upper|wall|hood|utensil|small oven|toaster',
    ),
    _Rule('table', r'table|island', (0.45, 0.4, 0.3), (3.0, 2.0, 1.15), 'fan|tennis|tablet|lamp'),
    _Rule('chair', r'chair|stool|\bseat\b', (0.25, 0.25, 0.35), (1.1, 1.1, 1.4)),
    _Rule(
        'plant', r'plant|ficus|yucca|flower|bamboo|orchid|tulip', (0.2, 0.2, 0.4), (1.6, 1.6, 2.2)
    ),
    _Rule(
        'goods',
        r'kitchen|office|living|bedroom|miscellaneous|lights|retail|residential|bathroom',
        (0.04, 0.02, 0.02),
        (0.48, 0.48, 0.55),
        'plug|switch|socket|outlet|wall|knife|carpet|rug|curtain|portrait|ceiling|railing',
    ),
    _Rule(
        'clutter',
        r'',
        (0.2, 0.1, 0.12),
        (2.2, 2.2, 2.1),
        'plug|switch|socket|wall|carpet|rug|curtain|portrait|ceiling|railing|window|door|'
        r'hanging|light[a-c]|conditioner|speech|board|wash|logo|collision',
    ),
)


def role_of(words: str, size_m: Sequence[float] | np.ndarray) -> str | None:
    """
    Tell what a thing is used as.

    :param words: its name, tags and category in small letters.
    :param size_m: along x, y and z.
    """
    x, y, z = (float(side) for side in size_m)
    size = (max(x, y), min(x, y), z)
    for rule in _RULES:
        if (
            re.search(rule.words, words)
            and not (rule.not_words and re.search(rule.not_words, words))
            and all(low <= side <= high for low, side, high in zip(rule.least, size, rule.most))
        ):
            return rule.role
    return None


class _Source(NamedTuple):
    """A thing before it is read: how to read it, and the key of what it becomes."""

    name: str
    words: str
    key: str
    load: Callable[[list[str]], Shape]


class Thing(NamedTuple):
    """A model that can be placed: its shape lies in the cache under ``key``."""

    name: str
    role: str
    key: str

    def shape(self) -> Shape:
        """Return the model, its base centred at the origin, its front towards x."""
        return kept(self.key)

    def far_shape(self) -> Shape:
        """Return the model as it may be drawn far away."""
        key = _key(self.key, 'far')
        if not is_kept(key):
            shape = kept(self.key)
            keep(key, lambda notes: lightened(shape, len(shape.faces) // FAR))
        return kept(key)


class Collection(NamedTuple):
    """
    What the libraries hold: the things of each role, and complete worlds.

    ``worlds`` are (name, key of the shape). ``digest`` changes with any file of the libraries.
    """

    things: dict[str, list[Thing]]
    worlds: list[tuple[str, str]]
    digest: str


def _paths(models: Sequence[str]) -> list[Path]:
    """
    Return files and folders of libraries.

    :raises ModelError: one is not there, or auto finds none.
    """
    paths: list[Path] = []
    for text in models:
        if text != 'auto':
            path = Path(text).expanduser()
            if not path.exists():
                raise ModelError(
                    f'there is no library of models at {text}: give a .sh3f file, a folder of '
                    'Gazebo models, auto, or none'
                )
            paths.append(path)
            continue
        places = available()
        if not places:
            raise ModelError(
                'models auto finds no library: apt-get install sweethome3d-furniture, set '
                f'{_PATH_VARIABLES[0]}, or give models none'
            )
        paths += places
    return paths


def available() -> list[Path]:
    """List the libraries that this machine has in their usual places."""
    places = [FURNITURE] if any(FURNITURE.glob('*.sh3f')) else []
    folders = [name for key in _PATH_VARIABLES for name in os.environ.get(key, '').split(':')]
    for name in [*folders, '~/.gazebo/models']:
        folder = Path(name).expanduser()
        if name and folder.is_dir() and folder not in places:
            places.append(folder)
    return places


@functools.lru_cache(maxsize=4)
def _sources(models: tuple[str, ...]) -> tuple[list[_Source], list[_Source], list[str]]:
    """List all things and worlds of the libraries, and what is wrong with their catalogues."""
    zips: list[ZipStore] = []
    folders: list[FolderStore] = []
    for path in _paths(models):
        archives = [path] if path.is_file() else sorted(path.rglob('*.sh3f'))
        zips += [ZipStore(archive) for archive in archives]
        if path.is_dir():
            folders.append(FolderStore(path))
    faults: list[str] = []
    things: list[_Source] = []
    for store in zips:
        for piece in read_catalogue(store, faults):
            if piece.is_opening or piece.elevation_m > 0.15:
                continue
            folder = piece.model.rpartition('/')[0]
            most = MOST_FACES_OF_TREES if 'tree' in piece.words else MOST_FACES
            things.append(
                _Source(
                    piece.name,
                    piece.words,
                    _key(store.identity(folder), repr(piece), str(most)),
                    functools.partial(_load_piece, store, piece, most),
                )
            )
    gazebo = Gazebo(folders, MOST_FACES_OF_MESHES)
    for name, place in sorted(gazebo.models.items()):
        most = MOST_FACES_OF_TREES if 'tree' in name else MOST_FACES
        things.append(
            _Source(
                f'model://{name}',
                name.lower(),
                _key(gazebo.identity(place), name, str(most)),
                functools.partial(_load_model, gazebo, name, most),
            )
        )
    worlds = [
        _Source(
            name,
            'world',
            _key(gazebo.world_identity(store, name), name),
            functools.partial(gazebo.load_world, store, name),
        )
        for store, name in gazebo.worlds
    ]
    if not things and not worlds:
        raise ModelError(f'no model was found in {", ".join(models)}')
    return things, worlds, faults


def _key(*facts: str) -> str:
    return digest_of((str(FORMAT), *facts))


def _load_piece(store: ZipStore, piece: object, most_faces: int, notes: list[str]) -> Shape:
    return lightened(load_piece(store, piece, notes), most_faces)  # type: ignore[arg-type]


def _load_model(gazebo: Gazebo, name: str, most_faces: int, notes: list[str]) -> Shape:
    shape = gazebo.load_model(name, notes)
    is_place = max(shape.size_m[:2]) > 12 and re.search('office|willow', name.lower())
    return shape if is_place else fitted(lightened(shape, most_faces))


def _read(models: tuple[str, ...], number: int) -> dict[str, object]:
    """Read one thing or world into the cache; return its line of the index."""
    things, worlds, _ = _sources(models)
    source = (things + worlds)[number]
    line: dict[str, object] = {'name': source.name, 'key': source.key}
    try:
        shape, notes = keep(source.key, source.load)
    except ModelError as error:
        return {**line, 'fault': str(error)}
    role = 'world'
    if number < len(things):
        is_place = max(shape.size_m[:2]) > 12 and re.search('office|willow', source.words)
        is_house = role_of(source.words, shape.size_m) == 'house'
        role = 'world' if is_place and not is_house else role_of(source.words, shape.size_m) or ''
    return {**line, 'role': role, 'notes': notes}


@functools.lru_cache(maxsize=2)
def gather(models: tuple[str, ...], workers: int | None = 1, quiet: bool = True) -> Collection:
    """
    Read all libraries, once: later calls, also of other processes, take the index in the cache.

    What is broken is named, left out and counted. What a model misses is named once.

    :param models: files and folders of libraries; auto for those in their usual places.
    :param workers: processes; None for all cores.
    :param quiet: do not name what is broken or missing again.
    :raises ModelError: no library, or more than ``MOST_BROKEN`` of the models are broken.
    """
    things, worlds, faults = _sources(models)
    digest = _key(*(source.key for source in things + worlds))
    text = kept_text(digest)
    try:
        lines = json.loads(text) if text else None
    except ValueError:  # cut off: built anew below
        lines = None
    if lines is None or not all('fault' in line or is_kept(line['key']) for line in lines):
        lines = _read_all(models, len(things) + len(worlds), workers)
        keep_text(digest, json.dumps(lines))
    broken = [*faults, *(f'{line["name"]}: {line["fault"]}' for line in lines if 'fault' in line)]
    missing = sorted({note for line in lines for note in line.get('notes', ())})
    if not quiet:
        _say('left out', broken)
        _say('missing', missing)
    total = len(lines) + len(faults)
    if len(broken) > max(1, MOST_BROKEN * total) or len(broken) == total:
        raise ModelError(
            f'{len(broken)} of {total} models are broken, more than {MOST_BROKEN:.0%}; '
            f'the first: {broken[0]}'
        )
    collection = Collection({}, [], digest)
    for line in lines:
        if line.get('role') == 'world':
            collection.worlds.append((line['name'], line['key']))
        elif line.get('role'):
            thing = Thing(line['name'], line['role'], line['key'])
            collection.things.setdefault(line['role'], []).append(thing)
    unused = [line for line in lines if line.get('role') == '']
    if unused and not quiet:
        _LOG.warning('%d of %d models suit no place in a scene', len(unused), total)
    if not collection.things and not collection.worlds:
        size_m = ' x '.join(f'{side:g}' for side in kept(unused[0]['key']).size_m)
        raise ModelError(
            f'no model of {", ".join(models)} suits a scene: {unused[0]["name"]} has {size_m} m; '
            'models need the size of the real thing, in metres'
        )
    return collection


def _read_all(models: tuple[str, ...], count: int, workers: int | None) -> list[dict]:
    workers = min(workers or os.cpu_count() or 1, max(1, count // 20))
    task = functools.partial(_read, models)
    with tqdm(total=count, unit='model', desc='reading models, once', disable=count < 20) as bar:
        if workers <= 1:
            lines = []
            for number in range(count):
                lines.append(task(number))
                bar.update()
            return lines
        with ProcessPoolExecutor(workers, multiprocessing.get_context('spawn')) as pool:
            lines = []
            for line in pool.map(task, range(count), chunksize=4):
                lines.append(line)
                bar.update()
            return lines


def _say(title: str, sentences: list[str]) -> None:
    for sentence in sentences[:_SENTENCES]:
        _LOG.warning('%s: %s', title, sentence)
    if len(sentences) > _SENTENCES:
        _LOG.warning('%s: %d more', title, len(sentences) - _SENTENCES)
