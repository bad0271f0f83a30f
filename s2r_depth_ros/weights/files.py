"""Read and write weight files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
import json
import os
from pathlib import Path
from typing import Any
import warnings

import safetensors
from safetensors.torch import save as serialise
import torch
from torch import Tensor

from ..atomic_files import atomic_file
from ..network import Architecture, S2RDepthNet
from . import published_names
from .info import (
    BUNDLED,
    FORMAT,
    LARGEST_TRAINING_SIDE_PX,
    PUBLISHED,
    RANDOM,
    source_of,
    WeightsError,
    WeightsInfo,
)

__all__ = [
    'BUNDLED',
    'FORMAT',
    'LARGEST_TRAINING_SIDE_PX',
    'load',
    'load_published',
    'load_with_info',
    'PUBLISHED',
    'RANDOM',
    'save',
    'WeightsError',
    'WeightsInfo',
]

_NAMED = 10  # tensors in a message

# Accepted dtypes of a file, by dtype of the network. The network computes in float32.
_READABLE = {
    torch.float32: (torch.float32, torch.float16, torch.bfloat16, torch.float64),
    torch.int64: (torch.int64,),
}


def save(path: str | os.PathLike, network: S2RDepthNet, info: WeightsInfo) -> None:
    """
    Write ``network`` as one safetensors file from which :func:`load` can rebuild it.

    The write is atomic and replaces an existing file.

    :param path: the file to write, usually ``*.safetensors``.
    :param network: in any state; its weights are copied to the CPU as float32.
    :param info: goes into the file's metadata with the architecture settings.
    """
    path = Path(path)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    metadata = {
        'format': FORMAT,
        'architecture': json.dumps(network.architecture.as_dict()),
        'info': json.dumps(asdict(info)),
    }
    with atomic_file(path, is_shared=True) as part:
        part.write_bytes(serialise(tensors, metadata))


def load(path: str | os.PathLike) -> S2RDepthNet:
    """
    Return the network that the weights at ``path`` describe, on the CPU, in evaluation mode.

    :param path: as for :func:`load_with_info`.
    :raises WeightsError: as :func:`load_with_info` does.
    """
    return load_with_info(path)[0]


def load_with_info(
    path: str | os.PathLike | None, published: WeightsInfo = PUBLISHED
) -> tuple[S2RDepthNet, WeightsInfo]:
    """
    Return the network that the weights at ``path`` describe, and the metadata of its training.

    No code in a file is run.

    :param path: ``'outdoor'`` (or None) or ``'indoor'`` for the bundled weights, ``'random'``
        for untrained weights, a safetensors file of this package, or a folder with the four
        published ``.pth`` files under any name.
    :param published: metadata of published files, which hold none.
    :returns: the network on the CPU in evaluation mode, float32, and its metadata.
    :raises WeightsError: if the file is missing, damaged, or of another network. The message names
        the file and its first missing, unexpected or mis-shaped tensors.
    """
    if path == RANDOM:
        return _random_network()
    source = source_of(path)
    if source.is_dir():
        return load_published(sorted(source.glob('*.pth')), where=source), published
    if source.suffix == '.onnx':
        raise WeightsError(
            f'{source} is for engine onnxruntime: PyTorch runs the .safetensors file that it was '
            'made from'
        )
    return _load_own(source)


def load_published(
    files: Iterable[str | os.PathLike], where: str | os.PathLike = 'the files given'
) -> S2RDepthNet:
    """
    Return the paper's network with the weights of the four published checkpoints.

    :param files: the four ``.pth`` files in any order; each is recognised by its tensors.
    :param where: name of the set of files in error messages.
    :raises WeightsError: if a file is damaged or not such a checkpoint, or a part is missing.
    """
    network = _empty_network(Architecture.preset('paper'))
    own_names = {part: set(getattr(network, part).state_dict()) for part in published_names.PARTS}
    files_by_part: dict[str, Path] = {}
    tensors: dict[str, Tensor] = {}
    for file in map(Path, files):
        checkpoint = published_names.without_prefix(_read_pth(file))
        part = published_names.recognise(set(checkpoint), own_names)
        if part is None:
            raise WeightsError(
                f'{file} is no checkpoint of S2R-DepthNet: none of its {len(checkpoint)} tensor '
                'names is known; move it out of the folder'
            )
        if part in files_by_part:
            raise WeightsError(f'{files_by_part[part]} and {file} both hold the {part}: keep one')
        files_by_part[part] = file
        translated = _translate(file, part, checkpoint)
        _check_tensors(file, translated, getattr(network, part).state_dict())
        tensors |= {f'{part}.{name}': tensor for name, tensor in translated.items()}
    missing = [part for part in published_names.PARTS if part not in files_by_part]
    if missing:
        raise WeightsError(
            f'{where}: found no .pth file with the {", ".join(missing)}; expected four files, '
            'one each of structure encoder, structure decoder, attention (DSA) and depth net'
        )
    return _fill(network, tensors)


def _random_network() -> tuple[S2RDepthNet, WeightsInfo]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = S2RDepthNet(Architecture.preset('compact')).eval()
    return network, WeightsInfo(**{**asdict(PUBLISHED), 'provenance': {'source': RANDOM}})


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        path.open('rb').close()  # or safetensors says of any fault that there is no such file
    except OSError as error:
        raise WeightsError(f'cannot read {path}: {error.strerror}') from error
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
            f'{FORMAT!r}, got {metadata.get("format")!r}; was it written by this package?'
        )
    try:
        network = _empty_network(Architecture(**json.loads(metadata['architecture'])))
        info = WeightsInfo(**json.loads(metadata['info']))
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise WeightsError(f'{path} has damaged metadata: {error}') from error
    _check_tensors(path, tensors, network.state_dict())
    # The tensors are mapped from the file; without a copy, a later truncation kills the process.
    return _fill(network, {name: tensor.clone() for name, tensor in tensors.items()}), info


def _empty_network(architecture: Architecture) -> S2RDepthNet:
    """Return a network with shapes but without memory, so that a bad file allocates none."""
    with torch.device('meta'):
        return S2RDepthNet(architecture)


def _fill(network: S2RDepthNet, tensors: Mapping[str, Tensor]) -> S2RDepthNet:
    network.load_state_dict(
        {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        },
        assign=True,
    )
    return network.requires_grad_(False).eval()


def _read_pth(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of other pickle protocols
            content: Any = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged or hostile pickle raises any class
        # PyTorch's text is left out, since it advises to run the code in the file.
        raise WeightsError(
            f'{path} is not a readable PyTorch weight file ({type(error).__name__}): it is '
            'damaged, or holds more than tensors'
        ) from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise WeightsError(f'{path} is not a state dict (tensor names to tensors)')
    return dict(content)


def _translate(file: Path, part: str, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own: dict[str, Tensor] = {}
    for name, tensor in checkpoint.items():
        own_name = published_names.to_own_name(part, name)
        if own_name in own and not torch.equal(own[own_name], tensor):
            raise WeightsError(
                f'{file}: {name} differs from the other PReLU slopes, which are one shared value'
            )
        own[own_name] = tensor
    return own


def _check_tensors(
    path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Raise WeightsError that names the tensors of ``path`` that differs from ``expected``."""
    faults = [
        *(f'missing {name}' for name in expected if name not in tensors),
        *(f'unexpected {name}' for name in tensors if name not in expected),
    ]
    for name in expected.keys() & tensors.keys():
        tensor, own = tensors[name], expected[name]
        if tensor.shape != own.shape:
            faults.append(f'{name} is {tuple(tensor.shape)}, expected {tuple(own.shape)}')
        elif tensor.dtype not in _READABLE[own.dtype]:
            faults.append(f'{name} is {tensor.dtype}, expected {own.dtype}')
        elif not torch.isfinite(tensor.to(own.dtype)).all():
            faults.append(f'{name} has values that are not finite')
    if faults:
        more = f'; and {len(faults) - _NAMED} more' if len(faults) > _NAMED else ''
        named = '; '.join(sorted(faults)[:_NAMED])
        raise WeightsError(f'{path} does not fit the network: {named}{more}')
