"""Weight files: the one place that reads and writes them."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
import hashlib
from importlib import resources
import json
import os
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save as serialise
import torch
from torch import Tensor

from . import published_names
from .network import Architecture, S2RDepthNet

FORMAT = 's2r_depth_ros/1'
RANDOM = 'random'
LARGEST_TRAINING_SIDE_PX = 2048  # the network's input is about as large by default
BUNDLED = {'outdoor': 'compact-outdoor.safetensors', 'indoor': 'compact-indoor.safetensors'}
# What the tensors of a file may be, by what the network has; float32 is computed with.
_READABLE = {
    torch.float32: (torch.float32, torch.float16, torch.bfloat16, torch.float64),
    torch.int64: (torch.int64,)}


class WeightsError(ValueError):
    """A weight file is missing, damaged, or of another network; the message names it."""


@dataclass(frozen=True)
class WeightsInfo:
    """
    What a network was trained for, which its tensors do not say.

    :param max_depth_m: metres at the top of the depth range.
    :param training_focal_px: focal length of the training images, at the training size.
    :param training_height_px: height of the training images.
    :param training_width_px: width of the training images.
    :param provenance: where the weights come from, in words (data, seed, command, licence).
    """

    max_depth_m: float
    training_focal_px: float
    training_height_px: int
    training_width_px: int
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name in ('max_depth_m', 'training_focal_px', 'training_height_px',
                     'training_width_px'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f'{name} must be a number, got {value!r}')
            if not 0 < value < float('inf'):
                raise ValueError(f'{name} must be positive and finite, got {value!r}')
        for name in ('training_height_px', 'training_width_px'):
            value = getattr(self, name)
            if value not in range(1, LARGEST_TRAINING_SIDE_PX + 1):
                raise ValueError(
                    f'{name} must be a whole number up to {LARGEST_TRAINING_SIDE_PX}, got '
                    f'{value!r}')
        if not isinstance(self.provenance, dict):
            raise ValueError(f'provenance must be a mapping, got {self.provenance!r}')


# The published outdoor checkpoints saw vKITTI: 725 px at a width of 1242, resized to 640.
PUBLISHED = WeightsInfo(
    max_depth_m=80.0, training_focal_px=725.0 * 640 / 1242, training_height_px=192,
    training_width_px=640, provenance={'source': 'S2R-DepthNet reference checkpoints'})


def save(path: str | os.PathLike, network: S2RDepthNet, info: WeightsInfo) -> None:
    """
    Write ``network`` as one safetensors file from which :func:`load` can rebuild it.

    The file appears whole or not at all; an existing one is replaced.

    :param path: the file to write, by custom ``*.safetensors``.
    :param network: in any state; its weights are copied to the CPU as float32.
    :param info: goes into the file's metadata with the architecture settings.
    """
    path = Path(path)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {
        'format': FORMAT,
        'architecture': json.dumps(network.architecture.as_dict()),
        'info': json.dumps(asdict(info)),
    }
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        temporary.write_bytes(serialise(tensors, metadata))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | os.PathLike) -> S2RDepthNet:
    """
    Return the network that the weights at ``path`` describe, on the CPU, in evaluation mode.

    :param path: as for :func:`load_with_info`.
    :raises WeightsError: as :func:`load_with_info` does.
    """
    return load_with_info(path)[0]


def load_with_info(
    path: str | os.PathLike | None, published: WeightsInfo = PUBLISHED,
) -> tuple[S2RDepthNet, WeightsInfo]:
    """
    Return the network that the weights at ``path`` describe, and what it was trained for.

    :param path: ``'outdoor'`` (or None) or ``'indoor'`` for the bundled weights, ``'random'``
        for untrained ones, a safetensors file of this package, or a folder with the four
        published ``.pth`` files under any name. Nothing in a file is ever run.
    :param published: what to assume of published files, which do not say.
    :returns: the network on the CPU in evaluation mode, float32, and its info.
    :raises WeightsError: if there is no such file, or it is damaged, or does not fit; it names
        the file and every missing, unexpected or mis-shaped tensor.
    """
    if path == RANDOM:
        return _random_network()
    source = _bundled(path or 'outdoor') if path is None or path in BUNDLED else Path(path)
    if source.is_dir():
        return load_published(sorted(source.glob('*.pth')), where=source), published
    if not source.is_file():
        raise WeightsError(
            f'no weights at {source}: give a .safetensors file, a folder with the four published '
            f'.pth files, or one of {", ".join([*BUNDLED, RANDOM])}')
    if source.suffix == '.pth':
        raise WeightsError(
            f'{source} is one of four published files: give the folder that holds all four')
    return _load_own(source)


def content_hash(path: str | os.PathLike | None) -> str:
    """
    Return the SHA-256 of the tensors and metadata of a safetensors file.

    Files of the same content may differ: their metadata come in any order. Here tensors and
    metadata are taken by name, in order, with dtype and shape.

    :param path: ``'outdoor'`` (or None), ``'indoor'``, or a safetensors file.
    :returns: 64 hexadecimal digits.
    :raises WeightsError: if there is no such file, or it is damaged.
    """
    source = _bundled(path or 'outdoor') if path is None or path in BUNDLED else Path(path)
    if not source.is_file():
        raise WeightsError(
            f'no weights at {source}: give a .safetensors file, or one of {", ".join(BUNDLED)}')
    metadata, tensors = _read_safetensors(source)
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_published(
    files: Iterable[str | os.PathLike], where: str | os.PathLike = 'the files given',
) -> S2RDepthNet:
    """
    Return the paper's network with the weights of the four published checkpoints.

    :param files: the four ``.pth`` files in any order; each is recognised by its tensors.
    :param where: what to call the set of files in an error.
    :raises WeightsError: if a file is damaged, is no such checkpoint, or a part is missing.
    """
    network = _empty_network(Architecture.preset('paper'))
    own_names = {
        part: set(getattr(network, part).state_dict()) for part in published_names.PARTS}
    found: dict[str, Path] = {}
    tensors: dict[str, Tensor] = {}
    for file in map(Path, files):
        there = published_names.without_prefix(_read_pth(file))
        part = published_names.recognise(set(there), own_names)
        if part is None:
            raise WeightsError(
                f'{file} is no checkpoint of S2R-DepthNet: none of its {len(there)} tensor names '
                'is known; move it out of the folder')
        if part in found:
            raise WeightsError(f'{found[part]} and {file} both hold the {part}: keep one')
        found[part] = file
        translated = _translate(file, part, there)
        _check_tensors(file, translated, getattr(network, part).state_dict())
        tensors |= {f'{part}.{name}': tensor for name, tensor in translated.items()}
    missing = [part for part in published_names.PARTS if part not in found]
    if missing:
        raise WeightsError(
            f'{where}: found no .pth file with the {", ".join(missing)}; expected four files, '
            'one each of structure encoder, structure decoder, attention (DSA) and depth net')
    return _fill(network, tensors)


def _bundled(name: str) -> Path:
    with resources.as_file(resources.files(__package__) / 'models' / BUNDLED[name]) as path:
        if not path.is_file():
            raise WeightsError(
                f'this version bundles no trained {name} weights ({path.name}); give a file, or '
                f'{RANDOM!r} to run an untrained network')
        return path


def _random_network() -> tuple[S2RDepthNet, WeightsInfo]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = S2RDepthNet(Architecture.preset('compact')).eval()
    return network, WeightsInfo(
        **{**asdict(PUBLISHED), 'provenance': {'source': RANDOM}})


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safetensors.safe_open(path, framework='pt') as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f'{path} is not a whole safetensors file: {error}') from error


def _load_own(path: Path) -> tuple[S2RDepthNet, WeightsInfo]:
    metadata, tensors = _read_safetensors(path)
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{path} does not say how to rebuild the network: expected the metadata format '
            f'{FORMAT!r}, got {metadata.get("format")!r}; was it written by this package?')
    try:
        network = _empty_network(Architecture(**json.loads(metadata['architecture'])))
        info = WeightsInfo(**json.loads(metadata['info']))
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise WeightsError(f'{path} has damaged metadata: {error}') from error
    _check_tensors(path, tensors, network.state_dict())
    # Copied, since they still lie in the file: a file truncated later would kill the process.
    return _fill(network, {name: tensor.clone() for name, tensor in tensors.items()}), info


def _empty_network(architecture: Architecture) -> S2RDepthNet:
    """Return a network that has shapes but no memory, so that a lying file costs nothing."""
    with torch.device('meta'):
        return S2RDepthNet(architecture)


def _fill(network: S2RDepthNet, tensors: Mapping[str, Tensor]) -> S2RDepthNet:
    network.load_state_dict(
        {name: tensor.float() if tensor.is_floating_point() else tensor
         for name, tensor in tensors.items()},
        assign=True)
    return network.requires_grad_(False).eval()


def _read_pth(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # what damaged or hostile pickles raise is not bounded
        # Not PyTorch's own text, which advises to load the file by running its code.
        raise WeightsError(
            f'{path} is not a readable PyTorch weight file ({type(error).__name__}): it is '
            'damaged, or holds more than tensors') from error
    if not isinstance(content, Mapping) or not all(
            isinstance(name, str) and isinstance(tensor, Tensor)
            for name, tensor in content.items()):
        raise WeightsError(f'{path} is not a state dict (tensor names to tensors)')
    return dict(content)


def _translate(file: Path, part: str, there: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own: dict[str, Tensor] = {}
    for name, tensor in there.items():
        own_name = published_names.to_own_name(part, name)
        if own_name in own and not torch.equal(own[own_name], tensor):
            raise WeightsError(
                f'{file}: {name} differs from the other PReLU slopes, which are one shared value')
        own[own_name] = tensor
    return own


def _check_tensors(
    path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor],
) -> None:
    """Raise WeightsError with every tensor of ``path`` that is not as ``expected``."""
    faults = [
        *(f'missing {name}' for name in expected if name not in tensors),
        *(f'unexpected {name}' for name in tensors if name not in expected)]
    for name in expected.keys() & tensors.keys():
        tensor, want = tensors[name], expected[name]
        if tensor.shape != want.shape:
            faults.append(f'{name} is {tuple(tensor.shape)}, expected {tuple(want.shape)}')
        elif tensor.dtype not in _READABLE[want.dtype]:
            faults.append(f'{name} is {tensor.dtype}, expected {want.dtype}')
        elif not torch.isfinite(tensor.to(want.dtype)).all():
            faults.append(f'{name} has values that are not finite')
    if faults:
        raise WeightsError(f'{path} does not fit the network: ' + '; '.join(sorted(faults)))
