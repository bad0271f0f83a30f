"""Weights as an ONNX model: bundled, given, or converted once into the user's cache."""
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

from ..weights_info import BUNDLED, RANDOM, source_of, WeightsError, WeightsInfo

_FORM = 1  # of the graph; another one makes what is in the caches useless
_KEPT = 8  # conversions, the most recent ones
_BLOCK = 2**20


class ConversionError(WeightsError):
    """Weights cannot be made into an ONNX model here; they may well be good."""


def model_of(
    weights: str | os.PathLike | None, published: WeightsInfo, log: Callable[[str], None],
) -> tuple[bytes, str]:
    """
    Return the ONNX model of weights, and what to call it in an error.

    :param weights: as for :class:`~s2r_depth_ros.DepthPredictor`, or an ``.onnx`` file.
    :param published: what to assume of published ``.pth`` files.
    :param log: takes a sentence before a conversion, and where it cannot be kept.
    :raises WeightsError: if the weights are missing or damaged.
    :raises ConversionError: if they are not known yet, and what converts them is not installed.
    """
    if weights == RANDOM:
        name, key = RANDOM, _key([RANDOM.encode()])
    else:
        if weights is None or str(weights) in BUNDLED:
            with contextlib.suppress(WeightsError):  # a build without: convert the other form
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

    return kept(cache_folder(), key, convert, log), name


def cache_folder() -> Path:
    """Return the folder of the user's cache, which need not exist; XDG says where."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    with contextlib.suppress(RuntimeError):  # nobody's home
        return (Path(base) if os.path.isabs(base) else Path.home() / '.cache') / 's2r_depth_ros'
    return Path('/nonexistent/s2r_depth_ros')


def kept(
    folder: Path, key: str, make: Callable[[], bytes], log: Callable[[str], None],
) -> bytes:
    """
    Return what ``make`` makes, from the cache if it is there, else after it was put there.

    An entry carries the hash of its content in its name: one that is damaged is made anew. While
    one process makes an entry, others wait for it.

    :param folder: of the cache; it comes into being.
    :param key: letters and digits that stand for what is made.
    :param make: called at most once.
    :param log: takes a sentence where the cache cannot be written.
    """
    content = _entry(folder, key)
    if content is not None:
        return content
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / 'lock'):
            content = _entry(folder, key)  # another process may have made it meanwhile
            if content is None:
                content = make()
                _put(folder, key, content)
            return content
    except OSError as error:
        log(f'the conversion cannot be kept in {folder} ({error.strerror}): it is made again at '
            'each start; XDG_CACHE_HOME names another place')
        return make() if content is None else content


def _entry(folder: Path, key: str) -> bytes | None:
    """Return the content of an entry that is whole."""
    with contextlib.suppress(OSError):
        for file in folder.glob(f'{key}-*.onnx'):
            content = file.read_bytes()
            if file.stem == f'{key}-{_digest(content)}':
                return content
    return None


def _put(folder: Path, key: str, content: bytes) -> None:
    """Write an entry, whole or not at all; needs the lock."""
    for stale in (*folder.glob('*.part'), *folder.glob(f'{key}-*.onnx')):
        stale.unlink(missing_ok=True)
    part = folder / f'{key}.part'
    try:
        part.write_bytes(content)
        os.replace(part, folder / f'{key}-{_digest(content)}.onnx')
    finally:
        part.unlink(missing_ok=True)
    entries = sorted(folder.glob('*-*.onnx'), key=lambda file: file.stat().st_mtime)
    for old in entries[:-_KEPT]:
        old.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold a lock, which the kernel takes from a process that dies."""
    with file.open('a') as opened:
        if fcntl is not None:
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _converted(
    weights: str | os.PathLike | None, published: WeightsInfo, name: str,
    log: Callable[[str], None],
) -> bytes:
    try:
        from .. import weights as weight_files
        from . import onnx_model
    except (ImportError, OSError) as error:  # of a library, not of the weights
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


def _fingerprint(source: Path, published: WeightsInfo) -> str:
    """Return what tells these weights from all others."""
    if not source.is_dir():
        return _key([_hash_of(source)])
    files = sorted(source.glob('*.pth'))
    return _key([json.dumps(asdict(published)).encode(), *map(_hash_of, files)])


def _key(parts: list[bytes]) -> str:
    return _digest(b'\n'.join([str(_FORM).encode(), *parts]))


def _hash_of(file: Path) -> bytes:
    hashed = hashlib.sha256()
    with file.open('rb') as opened:
        while block := opened.read(_BLOCK):
            hashed.update(block)
    return hashed.digest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
