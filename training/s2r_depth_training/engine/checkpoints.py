"""Checkpoints and results of stages: files that are complete or absent."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

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
        module.load_state_dict(result['modules'][name])
    return result['provenance']


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
            'architecture': network.architecture.as_dict(),
            'provenance': info.provenance,
            'modules': {name: part.state_dict() for name, part in network.named_children()},
        }
    if not path.is_file():
        verb = path.parent.name.replace('_', '-')
        raise TrainingError(
            f'{path} does not exist: train that stage first (s2r_train {verb}), or name another '
            'result in the config'
        )
    result = read_whole(path)
    if not isinstance(result, dict) or not {'architecture', 'modules', 'provenance'} <= set(
        result
    ):
        raise TrainingError(
            f'{path} is not the result of a stage: give a result.pt or a weights file '
            '(.safetensors)'
        )
    return result


def read_whole(path: Path) -> dict[str, Any]:
    """
    Return the state that :func:`save_whole` wrote.

    :param path: of the file.
    :raises TrainingError: if it is damaged.
    """
    try:
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
