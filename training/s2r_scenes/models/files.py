"""
Read files of model libraries safely: nothing outside the library, no code, no zip bombs.

Each refused or missing file gives one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
import hashlib
import io
import os
from pathlib import Path, PurePosixPath
import posixpath
import re
from typing import Protocol
from urllib.parse import unquote
import zipfile

from lxml import etree
import numpy as np
from PIL import Image, PngImagePlugin

PICTURE_PX = 512  # no texture of a model is wider or taller
_FILE_BYTES, _ZIP_BYTES = 256 * 2**20, 2 * 2**30
_RATIO = 200  # what a zip member may swell to; furniture reaches 12
_PICTURE_PIXELS = 64_000_000
# Formats that Pillow decodes itself: EPS, for one, would start another program.
_FORMATS = ('PNG', 'JPEG', 'BMP', 'TGA', 'GIF', 'TIFF', 'WEBP', 'DDS')
_MISSING = 'missing'


class ModelError(ValueError):
    """A model, world or library that cannot be used; the message is one sentence."""


class Store(Protocol):
    """A library's files, by their path with forward slashes, in any letter case."""

    title: str

    def names(self) -> Iterable[str]:
        """List all files."""

    def find(self, name: str) -> str | None:
        """Return the file's path as it is written, None where it is not there."""

    def read(self, name: str) -> bytes:
        """Return the file's content."""

    def identity(self, folder: str) -> str:
        """Return a hash that changes with the files of a folder ('' is all of them)."""


def inside(name: str) -> str | None:
    """Normalise a path; None for one that is absolute or leads out of its library."""
    name = name.replace('\\', '/')
    if name.startswith('/') or re.match(r'[a-zA-Z][a-zA-Z0-9+.-]*:', name) or '\0' in name:
        return None
    normal = posixpath.normpath(name)
    return None if normal == '..' or normal.startswith('../') else normal


def digest_of(facts: Iterable[str]) -> str:
    """Return a hash of texts, which may be names of files in any encoding."""
    return hashlib.sha256('\n'.join(facts).encode(errors='surrogateescape')).hexdigest()


class _Files:
    """What both stores share: lookup in any letter case."""

    def __init__(self, title: str, names: Iterable[str]) -> None:
        self.title = title
        self._names = {name.lower(): name for name in sorted(names)}

    def names(self) -> Iterable[str]:
        return self._names.values()

    def find(self, name: str) -> str | None:
        normal = inside(name)
        return None if normal is None else self._names.get(normal.lower())

    def _digest(self, folder: str, facts: dict[str, object]) -> str:
        prefix = f'{folder}/' if folder else ''
        lines = [f'{name} {fact}' for name, fact in facts.items() if name.startswith(prefix)]
        return digest_of(sorted(lines))


class ZipStore(_Files):
    """
    The files of a zip, never unpacked to disk.

    :raises ModelError: no zip, a member whose path leads out of it, or one that swells.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelError(f'{path} is not a library of furniture: {error}') from error
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        for member in members:
            if inside(member.filename) is None:
                raise ModelError(
                    f'{path} is refused: its member {member.filename!r} leads out of the archive'
                )
            swells = member.file_size > 2**20 and (
                member.file_size > _RATIO * max(1, member.compress_size)
            )
            if swells or member.file_size > _FILE_BYTES:
                raise ModelError(
                    f'{path} is refused: {member.filename!r} would expand from '
                    f'{member.compress_size} to {member.file_size} bytes'
                )
        if sum(member.file_size for member in members) > _ZIP_BYTES:
            raise ModelError(f'{path} is refused: it would expand to more than {_ZIP_BYTES} bytes')
        super().__init__(path.name, (member.filename for member in members))
        self._facts: dict[str, object] = {member.filename: member.CRC for member in members}

    def read(self, name: str) -> bytes:
        """Return a member's content."""
        try:
            with self._zip.open(name) as member:  # whatever size the directory of the zip claims
                data = member.read(_FILE_BYTES + 1)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ModelError(f'{name} in {self.title} cannot be read: {error}') from error
        if len(data) > _FILE_BYTES:
            raise ModelError(f'{name} in {self.title} is larger than {_FILE_BYTES} bytes')
        return data

    def identity(self, folder: str) -> str:
        """Return a hash of the members' names and checksums."""
        return self._digest(folder, self._facts)


class FolderStore(_Files):
    """The files below a folder; links that lead out of it are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        names, self._facts = [], {}
        for folder, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if not name.startswith('.'))
            for file in files:
                path = Path(folder, file)
                name = path.relative_to(self._root).as_posix()
                if not path.is_file() or not path.resolve().is_relative_to(self._root):
                    continue  # such as a link to nothing or to itself
                state = path.stat()
                names.append(name)
                self._facts[name] = f'{state.st_size} {state.st_mtime_ns}'
        super().__init__(str(root), names)

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        path = self._root / name
        try:
            if path.stat().st_size > _FILE_BYTES:
                raise ModelError(f'{name} in {self.title} is larger than {_FILE_BYTES} bytes')
            return path.read_bytes()
        except OSError as error:
            raise ModelError(f'{name} in {self.title} cannot be read: {error.strerror}') from error

    def identity(self, folder: str) -> str:
        """Return a hash of the files' names, sizes and times of change."""
        return self._digest(folder, {**self._facts, '': str(self._root)})


def read_xml(data: bytes, name: str, recover: bool = False) -> etree._Element:
    """
    Parse XML that declares nothing: without a DTD there are no entities to swell or to fetch.

    :param recover: go on after a mistake in the file, as Gazebo does.
    :raises ModelError: the file is no XML, or brings a DTD.
    """
    parser = etree.XMLParser(
        recover=recover, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ModelError(f'{name} is not XML: {error}') from error
    if root is None:
        raise ModelError(f'{name} is not XML: nothing in it could be read')
    if root.getroottree().docinfo.internalDTD is not None:
        raise ModelError(f'{name} is refused: it declares a DTD or entities of its own')
    return root


def read_picture(data: bytes, name: str) -> np.ndarray:
    """
    Decode a texture, reduced to ``PICTURE_PX``.

    :returns: (H, W, 4) uint8 RGBA.
    :raises ModelError: the data is no picture, or one of too many pixels.
    """
    try:
        file = Image.open(io.BytesIO(data), formats=_FORMATS)
        if file.width * file.height > _PICTURE_PIXELS:
            raise ModelError(f'{name} is refused: it has {file.width} x {file.height} pixels')
        file.draft('RGB', (PICTURE_PX, PICTURE_PX))
        image = file.convert('RGBA')
    except ModelError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on broken data
        raise ModelError(f'{name} is not a picture: {error}') from error
    share = PICTURE_PX / max(image.size)
    if share < 1:
        size = [max(1, round(share * side)) for side in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
    return np.array(image)


class Textures:
    """
    What a mesh file refers to, in the form that trimesh asks for (its ``Resolver``).

    A texture is looked for where the file says, then in ``materials/textures`` of the model, then
    anywhere in the model by its name. It is handed over as a reduced PNG; in place of one that is
    not there comes a picture of one pixel that ``is_missing``.

    :param mesh: path of the mesh file in the store.
    :param folder: the folder of the model in the store.
    :param notes: takes a sentence for each file that is not there or refused.
    """

    def __init__(self, store: Store, mesh: str, folder: str, notes: list[str]) -> None:
        self._store, self._mesh, self._folder, self._notes = store, mesh, folder, notes

    def get(self, reference: str) -> bytes:
        """Return an MTL file, or a texture as PNG."""
        name = self.locate(reference)
        if PurePosixPath(reference.lower()).suffix in ('.mtl', ''):
            if name is None:
                self._note(f'{self._mesh}: its materials {reference!r} are not there')
                raise FileNotFoundError(reference)
            return self._store.read(name)
        if name is None:
            self._note(f'{self._mesh}: its texture {reference!r} is not there')
            return _as_png(np.zeros((1, 1, 4), np.uint8), _MISSING)
        try:
            return _as_png(read_picture(self._store.read(name), name))
        except ModelError as error:
            self._note(str(error))
            return _as_png(np.zeros((1, 1, 4), np.uint8), _MISSING)

    __getitem__ = get

    def locate(self, reference: str) -> str | None:
        """Find the file that is meant, inside the library only; None where there is none."""
        plain = unquote(reference.strip().strip('"')).replace('\\', '/')
        plain = re.sub(r'^(model|file|package)://', '', plain)
        beside = posixpath.join(posixpath.dirname(self._mesh), plain)
        last = posixpath.basename(plain)
        candidates = [beside, posixpath.join(self._folder, 'materials/textures', last)]
        if '://' in reference:  # model://NAME/materials/..., maybe of a neighbour
            candidates.append(posixpath.join(posixpath.dirname(self._folder), plain))
        for candidate in candidates:
            if not plain.startswith('/') and (name := self._store.find(candidate)):
                return name
        prefix = f'{self._folder}/'.lower() if self._folder else ''
        for name in self._store.names():
            low = name.lower()
            if low.startswith(prefix) and posixpath.basename(low) == last.lower():
                return name
        return None

    def _note(self, sentence: str) -> None:
        if sentence not in self._notes:
            self._notes.append(sentence)


def _as_png(picture: np.ndarray, word: str = '') -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text('s2r', word)
    data = io.BytesIO()
    Image.fromarray(picture).save(data, 'PNG', compress_level=0, pnginfo=text)
    return data.getvalue()


def is_missing(image: Image.Image) -> bool:
    """Tell whether ``Textures`` put this picture in place of one that is not there."""
    return image.info.get('s2r') == _MISSING
