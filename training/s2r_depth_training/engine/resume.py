"""Exact continuation of a run: which settings must be the same, and how its parts are restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, MISSING
import hashlib
from pathlib import Path
from typing import Any, TYPE_CHECKING

from torch import nn, Tensor
from torch.optim.lr_scheduler import LRScheduler

from s2r_depth_ros.weights.info import WeightsInfo

from ..errors import TrainingError
from ..settings.renamed import new_name, new_names
from ..settings.stages import LoopSettings
from .checkpoints import load_part

if TYPE_CHECKING:
    from ..config import Config

# Settings that may differ when a run goes on: they decide how long and on what, not on which data.
# The learning rate is one of them, since it is what to lower after a loss that is not finite.
FREE_TO_CHANGE = frozenset(
    {
        'run_dir',
        'fabric',
        'workers',
        'epochs',
        'steps',
        'max_minutes',
        'learning_rate',
        'max_corrupt_fraction',
        'log_every_steps',
        'checkpoint_every_steps',
        'pictures_every_steps',
    }
)


def plain(value: Any) -> Any:
    """Return settings as JSON has them: dataclasses and paths become mappings and text."""
    if is_dataclass(value):
        value = {
            setting.name: getattr(value, setting.name)
            for setting in fields(value)
            if not new_name(setting)
        }
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def fixed_settings(config: Config, settings: LoopSettings) -> dict[str, Any]:
    """
    Return, by dotted name, the settings that must be the same for an exact continuation.

    :param config: the configuration of the run; the settings of its other stages are left out.
    :param settings: the settings of the stage.
    """
    flat: dict[str, Any] = {}

    def add(prefix: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name in FREE_TO_CHANGE:
                continue
            if isinstance(value, Mapping):
                add(f'{prefix}{name}.', value)
            else:
                flat[f'{prefix}{name}'] = value

    stages = {
        field.name
        for field in fields(config)
        if isinstance(getattr(config, field.name), LoopSettings)
    }
    add('', {name: value for name, value in plain(config).items() if name not in stages})
    add('', plain(settings))
    return flat


def _defaults(settings: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the default of each setting that has one."""
    for setting in fields(settings):
        name, value = f'{prefix}{setting.name}', getattr(settings, setting.name)
        if is_dataclass(value):
            yield from _defaults(value, f'{name}.')
        elif setting.default is not MISSING:
            yield name, plain(setting.default)
        elif setting.default_factory is not MISSING:
            yield name, plain(setting.default_factory())


def check_form(state: Any, file: Path) -> None:
    """
    Check that a file is a checkpoint at all.

    :param state: what was read.
    :param file: the checkpoint, for the message.
    :raises TrainingError: if it is something else.
    """
    if not (
        isinstance(state, Mapping)
        and isinstance(state.get('settings'), Mapping)
        and type(state.get('step')) is int
        and state['step'] >= 0
        and type(state.get('spent_s')) in (int, float)
    ):
        raise TrainingError(
            f'{file} is not a checkpoint of s2r_train: remove it and train again, or start in '
            'another run_dir'
        )


def changed_settings(
    checkpoint: Mapping[str, Any], config: Config, settings: LoopSettings
) -> list[str]:
    """
    Return in words which settings differ from those of a checkpoint.

    :param checkpoint: the :func:`fixed_settings` in the checkpoint, perhaps by earlier names.
    :param config: the configuration of the run now.
    :param settings: the settings of the stage now.
    """
    renamed = new_names(config) | new_names(settings)
    now = fixed_settings(config, settings)
    # A setting that the checkpoint lacks is newer than the run, which had its default.
    defaults = {**dict(_defaults(config)), **dict(_defaults(settings))}
    before = {name: value for name, value in defaults.items() if name in now}
    before |= {renamed.get(name, name): value for name, value in checkpoint.items()}
    return [
        f'{name} was {before.get(name)!r} and is now {now.get(name)!r}'
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def check_settings(
    checkpoint: Mapping[str, Any], config: Config, settings: LoopSettings, file: Path
) -> None:
    """
    Check that a run continues with the settings of its checkpoint.

    :param checkpoint: as for :func:`changed_settings`.
    :param config: the configuration of the run now.
    :param settings: the settings of the stage now.
    :param file: the checkpoint, for the message.
    :raises TrainingError: if a setting differs.
    """
    if changes := changed_settings(checkpoint, config, settings):
        raise TrainingError(
            f'{file} cannot be continued with other settings: '
            + '; '.join(changes)
            + '. Restore them, or use another run_dir'
        )


def digest_of(network: nn.Module, info: WeightsInfo) -> str:
    """Return a text that differs for weights with other numbers or other metadata."""
    digest = hashlib.sha256(repr(info).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def check_start(checkpoint: Mapping[str, Any], source: str, digest: str, file: Path) -> None:
    """
    Check that a run continues with the weights that it was begun with.

    :param checkpoint: what was read; that of an earlier version does not tell.
    :param source: name of the weights now.
    :param digest: the digest of the weights now, by :func:`digest_of`.
    :param file: the checkpoint, for the message.
    :raises TrainingError: if they differ.
    """
    if checkpoint.get('start', digest) != digest:
        raise TrainingError(
            f'{source} is not what {file} was begun with: restore it, or use another run_dir'
        )


def restore(parts: Mapping[str, Any], state: Mapping[str, Any], file: Path) -> None:
    """
    Load the state of every part; schedules keep the learning rates that they now begin with.

    :param parts: by name, what has ``load_state_dict``.
    :param state: the state of the checkpoint, by the same names.
    :param file: the checkpoint, for the message.
    :raises TrainingError: if the checkpoint lacks a part.
    """
    missing = sorted(parts.keys() - state.keys())
    # Other types than a mapping were written by nothing of this package.
    missing += [name for name in parts if not isinstance(state.get(name, {}), Mapping)]
    if missing:
        raise TrainingError(
            f'{file} lacks {", ".join(missing)}, because another version of this package wrote '
            'it: continue with that version, or use another run_dir'
        )
    for name, part in parts.items():
        base_rates = list(part.base_lrs) if isinstance(part, LRScheduler) else []
        if hasattr(part, 'param_groups') and 'param_groups' in state[name]:
            _keep_device(state[name], part.param_groups)
        load_part(part, state[name], name, file)
        if isinstance(part, LRScheduler):
            _set_base_rates(part, base_rates)


def _keep_device(saved: dict[str, Any], groups: list[dict[str, Any]]) -> None:
    """Keep rates and step counts where this run has them: on the GPU for a CUDA graph."""
    for saved_group, group in zip(saved['param_groups'], groups):
        for name in {'lr', 'initial_lr'} & saved_group.keys():
            rate = float(saved_group[name])
            saved_group[name] = (
                group['lr'].new_tensor(rate) if isinstance(group['lr'], Tensor) else rate
            )
        if 'capturable' in group:
            saved_group['capturable'] = group['capturable']


def _set_base_rates(schedule: LRScheduler, base_rates: list[Any]) -> None:
    """Let a restored schedule and its optimizer continue as if they had begun at other rates."""
    for group, before, rate in zip(schedule.optimizer.param_groups, schedule.base_lrs, base_rates):
        group['lr'] *= float(rate) / float(before)
    schedule.base_lrs = base_rates
