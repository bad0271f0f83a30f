"""Weights as an ONNX model: bundled, read from a file, or converted once into a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import asdict
import hashlib
import json
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there two nodes may convert at once
    fcntl = None  # type: ignore[assignment]

from ..atomic_files import atomic_file
from ..weights.info import BUNDLED, PUBLISHED, RANDOM, source_of, WeightsError, WeightsInfo

_GRAPH_VERSION = 2  # a new version makes all cached conversions invalid
_MAX_ENTRIES = 8  # the cache keeps the most recent conversions
_BLOCK = 2**20


class ConversionError(WeightsError):
    """This machine cannot convert the weights to an ONNX model; the weights may be valid."""


def model_of(
    weights: str | os.PathLike | None, published: WeightsInfo, log: Callable[[str], None]
) -> tuple[bytes, str]:
    """
    Return the ONNX model of weights, and its name for error messages.

    :param weights: as for :class:`~s2r_depth_ros.DepthPredictor`, or an ``.onnx`` file.
    :param published: range, focal length and size of published ``.pth`` files.
    :param log: called with a sentence before a conversion, and if the cache is not writable.
    :raises WeightsError: if the weights are missing or damaged.
    :raises ConversionError: if the cache has no conversion, and torch or onnx is not installed.
    """
    if weights == RANDOM:
        name, key = RANDOM, _key([RANDOM.encode()])
    else:
        if weights is None or str(weights) in BUNDLED:
            with contextlib.suppress(WeightsError):  # a build without .onnx: convert safetensors
                source = source_of(weights, '.onnx')
                return source.read_bytes(), str(source)
        source = source_of(weights)
        try:
            if source.suffix == '.onnx':
                return source.read_bytes(), str(source)
            name, key = str(source), _fingerprint(source, published)
        except OSError as error:
            raise WeightsError(f'cannot read {source}: {error.strerror}') from error

    def convert() -> bytes:
        return _converted(weights, published, name, log)

    return cached(cache_folder(), key, convert, log), name


def cache_folder() -> Path:
    """Return the folder of the user's cache by the XDG rules; it need not exist."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    with contextlib.suppress(RuntimeError):  # a user without a home folder
        return (Path(base) if os.path.isabs(base) else Path.home() / '.cache') / 's2r_depth_ros'
    return Path('/nonexistent/s2r_depth_ros')


def cached(folder: Path, key: str, make: Callable[[], bytes], log: Callable[[str], None]) -> bytes:
    """
    Return an entry of the cache; if the cache has none, make the entry and store it.

    The name of an entry holds the hash of its content, so that a damaged entry is made again.
    While one process makes an entry, other processes wait for it.

    :param folder: folder of the cache; the function creates it.
    :param key: letters and digits that identify the entry.
    :param make: returns the content; called at most once.
    :param log: called with a sentence if the cache is not writable.
    """
    content = _entry(folder, key)
    if content is not None:
        return content
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / 'lock'):
            content = _entry(folder, key)  # another process may have stored it meanwhile
            if content is None:
                content = make()
                _put(folder, key, content)
            return content
    except OSError as error:
        log(
            f'the conversion cannot be kept in {folder} ({error.strerror}): it is made again at '
            'each start; XDG_CACHE_HOME names another place'
        )
        return make() if content is None else content


def _entry(folder: Path, key: str) -> bytes | None:
    """Return the content of an undamaged entry, None if there is none."""
    with contextlib.suppress(OSError):
        for file in folder.glob(f'{key}-*.onnx'):
            content = file.read_bytes()
            if file.stem == f'{key}-{_digest(content)}':
                return content
    return None


def _put(folder: Path, key: str, content: bytes) -> None:
    """Write an entry atomically; the caller holds the lock."""
    for stale in (*folder.glob('*.part*'), *folder.glob(f'{key}-*.onnx')):
        stale.unlink(missing_ok=True)
    with atomic_file(folder / f'{key}-{_digest(content)}.onnx') as part:
        part.write_bytes(content)
    entries = sorted(folder.glob('*-*.onnx'), key=lambda file: file.stat().st_mtime)
    for entry in entries[:-_MAX_ENTRIES]:
        entry.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold a lock; the kernel releases it when the process dies."""
    with file.open('a') as stream:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _converted(
    weights: str | os.PathLike | None,
    published: WeightsInfo,
    name: str,
    log: Callable[[str], None],
) -> bytes:
    try:
        from .. import weights as weight_files
        from . import onnx_model
    except (ImportError, OSError) as error:  # a fault of a library, not of the weights
        raise ConversionError(
            f'{name} has to be converted once for ONNX Runtime, which needs torch and onnx '
            f'({error}): install them, or convert it elsewhere with s2r_train export-onnx'
        ) from error
    log(f'converting {name} for ONNX Runtime')
    network, info = weight_files.load_with_info(weights, published)
    try:
        return onnx_model.network_model(network, info).SerializeToString()
    except NotImplementedError as error:
        raise ConversionError(f'{name} cannot be converted for ONNX Runtime: {error}') from error


def fingerprint(weights: str | os.PathLike | None) -> str:
    """
    Return a key that identifies the content of weights.

    :param weights: as for :class:`~s2r_depth_ros.DepthPredictor`, or an ``.onnx`` file.
    :raises WeightsError: if the weights are missing.
    """
    if weights == RANDOM:
        return RANDOM
    source = source_of(weights)
    try:
        return _fingerprint(source, PUBLISHED)
    except OSError as error:
        raise WeightsError(f'cannot read {source}: {error.strerror}') from error


def _fingerprint(source: Path, published: WeightsInfo) -> str:
    """Return a key that identifies these weights."""
    if not source.is_dir():
        return _key([_hash_of(source)])
    files = sorted(source.glob('*.pth'))
    return _key([json.dumps(asdict(published)).encode(), *map(_hash_of, files)])


def _key(parts: list[bytes]) -> str:
    return _digest(b'\n'.join([str(_GRAPH_VERSION).encode(), *parts]))


def _hash_of(file: Path) -> bytes:
    hashed = hashlib.sha256()
    with file.open('rb') as stream:
        while block := stream.read(_BLOCK):
            hashed.update(block)
    return hashed.digest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
