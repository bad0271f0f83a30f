"""Checkpoints and results of stages: files that are complete or absent."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any
import warnings

import torch
from torch import nn, Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.atomic_files import atomic_file
from s2r_depth_ros.network import Architecture

from ..errors import TrainingError

_PLAIN = (bool, int, float, str, bytes, type(None))


def load_result(path: Path, architecture: str, **modules: nn.Module) -> dict[str, str]:
    """
    Fill ``modules`` from the result of a stage.

    :param path: the stage's ``result.pt``, or a weights file (``.safetensors``).
    :param architecture: name of the preset in use.
    :param modules: the parts to fill, by their name in that file.
    :returns: the provenance of the weights.
    :raises TrainingError: if the file is missing, damaged, or of another architecture.
    """
    result = read_result(path)
    if result.get('architecture') != Architecture.preset(architecture).as_dict():
        raise TrainingError(
            f'{path} was trained with the architecture {result.get("architecture")}, and the '
            f'config says {architecture!r}: they must be the same'
        )
    for name, module in modules.items():
        if name not in result['modules']:
            raise TrainingError(
                f'{path} holds {", ".join(result["modules"])} and no {name}: is it the result of '
                'another stage?'
            )
        load_part(module, result['modules'][name], name, path)
    return result['provenance']


def load_part(part: Any, state: Any, name: str, path: Path) -> None:
    """
    Load the state of one part: a module, an optimizer, a loader.

    :param part: what has ``load_state_dict``.
    :param state: the saved state of the part.
    :param name: the name of the part, for the message.
    :param path: the file, for the message.
    :raises TrainingError: if the state is not that of such a part.
    :raises DataError: if the data are not those of the checkpoint.
    """
    from ..data.sample import DataError  # the readers import the engine

    try:
        part.load_state_dict(state)
    except DataError:
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # The first line alone: PyTorch names hundreds of tensors.
        reason = ' '.join(str(error).split('\n\t')[:2])[:200]
        raise TrainingError(
            f'{path} does not fit: its {name} is not that of this network ({reason}); name '
            'another file, or start in another run_dir'
        ) from error


def read_result(path: Path) -> dict[str, Any]:
    """
    Return the result of a stage: ``architecture``, ``modules``, ``provenance``.

    :param path: the stage's ``result.pt``, or a weights file (``.safetensors``).
    :raises TrainingError: if the file is missing or damaged.
    :raises WeightsError: if the weights file is.
    """
    if path.suffix == '.safetensors':
        network, info = weights.load_with_info(path)
        return {
            'architecture': network.architecture.without_judge().as_dict(),
            'provenance': info.provenance,
            'modules': {name: part.state_dict() for name, part in network.named_children()},
        }
    if not path.is_file():
        verb = path.parent.name.replace('_', '-')
        raise TrainingError(
            f'{path} does not exist: train that stage first'
            + (f' (s2r_train {verb})' if verb else '')
            + ', or name another result in the config'
        )
    result = read_whole(path)
    if (
        not isinstance(result, dict)
        or not isinstance(result.get('modules'), dict)
        or not isinstance(result.get('provenance'), dict)
        or 'architecture' not in result
    ):
        raise TrainingError(
            f'{path} is not the result of a stage: give a result.pt or a weights file '
            '(.safetensors)'
        )
    return result


def read_whole(path: Path) -> dict[str, Any]:
    """
    Return the state that :func:`save_whole` wrote.

    :param path: the path of the file.
    :raises TrainingError: if it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of other pickle protocols
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # what damaged pickles raise is not bounded
        # PyTorch's own text is of many lines and advises to load the file by running its code.
        raise TrainingError(
            f'{path} is damaged, or not of s2r_train ({type(error).__name__}): name another file, '
            'or remove it and train again'
        ) from error


def save_whole(state: object, path: Path) -> None:
    """
    Write ``state`` with ``torch.save`` so that ``path`` is never half a file.

    :param state: tensors and plain values only, so that it can be read without running code.
    :param path: replaced once the new file is on the disk.
    :raises TrainingError: if the file cannot be written.
    :raises TypeError: if it holds anything else, which ``torch.save`` writes and ``torch.load``
        refuses, such as a NumPy number or a path.
    """
    fault = _not_plain(state)
    if fault:
        raise TypeError(
            f'{path} would not load again: {fault}; a checkpoint holds tensors and plain values'
        )
    try:
        with atomic_file(path, is_synced=True) as part:
            with part.open('wb') as file:
                torch.save(state, file)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f'could not write {path} ({error}): make room, or give another run_dir'
        ) from error


def _not_plain(value: Any, place: str = '') -> str:
    """Return where there is something of another type, and of which; empty if nowhere."""
    if isinstance(value, Mapping):
        parts = [(f'{place}.{name}', part) for name, part in value.items()]
        parts += [(f'key of {place or "all"}', name) for name in value]
    elif isinstance(value, (list, tuple, set)):
        parts = [(f'{place}[{index}]', part) for index, part in enumerate(value)]
    elif isinstance(value, Tensor) or type(value) in _PLAIN:
        return ''
    else:
        return f'{place.removeprefix(".") or "all"} is a {type(value).__name__}'
    return next(filter(None, (_not_plain(part, where) for where, part in parts)), '')


def write_json(path: Path, content: object) -> None:
    """Write ``content`` so that ``path`` is never half a file."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
