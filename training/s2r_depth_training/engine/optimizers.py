"""The optimizers of a network, their learning rate schedules, and frozen parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import math
from typing import Any, TypeVar

import torch
from torch import nn, Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

from ..settings.stages import EpochSettings
from .muon import for_muon, Muon
from .stage import Stage

ModuleT = TypeVar('ModuleT', bound=nn.Module)


class ScheduledOptimizer:
    """
    Adam, or Muon and Adam for the rest, with the schedule of the learning rate.

    :param network: whose parameters that require gradients are trained.
    :param settings: which optimizer and schedule, and the learning rate.
    :param stage: tells how much of it is over.
    :param epoch_steps: steps of an epoch.
    :param total_steps: the number of steps of the whole stage.
    :param lr_factors: factors of the learning rate, by the names of the network's children; 1
        for any other.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: EpochSettings,
        stage: Stage,
        epoch_steps: int,
        total_steps: int,
        lr_factors: Mapping[str, float] | None = None,
    ):
        self._fabric = stage.fabric
        self._optimizers = build_optimizers(
            network,
            settings,
            lr_factors or {},
            stage.fabric.device if stage.config.fabric.cuda_graphs else None,
        )
        self._schedules = [
            build_schedule(settings, stage, optimizer, epoch_steps, total_steps)
            for optimizer in self._optimizers
        ]

    def set_up(self, network: nn.Module) -> nn.Module:
        """Return the network to call: on its device, in its precision, in all processes."""
        # Twice as fast, on CPUs too.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model, *self._optimizers = self._fabric.setup(network, *self._optimizers)
        return model

    @property
    def parts(self) -> dict[str, Any]:
        """The optimizers and schedules, by their names in a checkpoint."""
        return {
            **dict(zip(('optimizer', 'adam_beside_muon'), self._optimizers)),
            **dict(zip(('schedule', 'schedule_beside_muon'), self._schedules)),
        }

    @property
    def learning_rate(self) -> float:
        """The largest learning rate of this step; to read it from a GPU is to wait for that."""
        return max(map(float, self._schedules[0].get_last_lr()))

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for optimizer in self._optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """Move the parameters along their gradients."""
        for optimizer in self._optimizers:
            optimizer.step()

    def update_learning_rate(self) -> None:
        """Set the learning rate of the next step."""
        for schedule in self._schedules:
            schedule.step()


def build_optimizers(
    network: nn.Module,
    settings: EpochSettings,
    lr_factors: Mapping[str, float],
    device: torch.device | None = None,
) -> list[Optimizer]:
    """
    Return the optimizers of the parameters that require gradients: Adam, or Muon and Adam.

    :param network: whose parameters.
    :param settings: which optimizer, and its learning rate.
    :param lr_factors: as for :class:`ScheduledOptimizer`.
    :param device: a GPU that keeps the rates and the step counts, so that a CUDA graph can record
        the optimizers; None for all else.
    """
    rate: float | Tensor = settings.learning_rate
    if device is not None:
        rate = torch.tensor(rate, device=device)
    if settings.optimizer == 'adam':
        return [_adam(parameter_groups(network, rate, lr_factors), rate)]
    optimizers: list[Optimizer] = []
    if convolutions := parameter_groups(network, rate, lr_factors, for_muon):
        optimizers.append(Muon(convolutions, rate))
    if others := parameter_groups(network, rate, lr_factors, lambda weight: not for_muon(weight)):
        optimizers.append(_adam(others, rate))
    return optimizers


def _adam(groups: list[dict[str, Any]], learning_rate: float | Tensor) -> Adam:
    return Adam(
        groups, learning_rate, betas=(0.9, 0.999), capturable=isinstance(learning_rate, Tensor)
    )


def parameter_groups(
    network: nn.Module,
    learning_rate: float | Tensor,
    lr_factors: Mapping[str, float],
    selected: Callable[[Tensor], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """
    Return the parameters that require gradients, as an optimizer takes them.

    :param network: whose parameters.
    :param learning_rate: the learning rate of every child that ``lr_factors`` does not name.
    :param lr_factors: as for :class:`ScheduledOptimizer`.
    :param selected: whether a parameter is to be among them.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and selected(parameter):
            groups.setdefault(lr_factors.get(name.split('.')[0], 1.0), []).append(parameter)
    return [
        {'params': parameters, 'lr': learning_rate * factor}
        for factor, parameters in groups.items()
    ]


def build_schedule(
    settings: EpochSettings, stage: Stage, optimizer: Optimizer, epoch_steps: int, total_steps: int
) -> LRScheduler:
    """
    Return the schedule of a learning rate: halving, or a cosine to 0.

    :param settings: which of them.
    :param stage: tells how much of it is over.
    :param optimizer: whose rate.
    :param epoch_steps: steps of an epoch.
    :param total_steps: the number of steps of the whole stage.
    """
    if settings.schedule == 'halving':
        return StepLR(optimizer, max(1, round(settings.halve_every_epochs * epoch_steps)), 0.5)
    return LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * stage.progress(step, total_steps))) / 2
    )


def freeze(module: ModuleT) -> ModuleT:
    """Return ``module`` in evaluation mode and without gradients."""
    return module.requires_grad_(False).eval()
