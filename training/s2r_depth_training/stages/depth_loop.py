"""The loop that the stages with a depth loss share: epochs, a halving rate, an average."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Any, cast, Literal, TypeVar

import torch
from torch import nn, Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

from ..data import Batch
from ..errors import TrainingError
from ..losses import depth_error, proportion_error
from ..optimizers import for_muon, Muon
from ..ranges import check_ranges
from ..recorded_step import RecordedStep
from ..run import averaged, batches_from, Loader, LoopSettings, Stage

ModuleT = TypeVar('ModuleT', bound=nn.Module)
Step = Callable[[nn.Module, Batch], tuple[dict[str, Tensor], dict[str, Tensor]]]


@dataclass(frozen=True)
class EpochSettings(LoopSettings):
    """
    What the stages that learn from depth have in common.

    :param epochs: length of the stage; each image is seen once per epoch.
    :param schedule: ``halving``, as published, or ``cosine``: the learning rate falls to 0 at the
        end of the stage, be that the end of ``epochs`` or of ``max_minutes``.
    :param halve_every_epochs: the learning rate is halved each time.
    :param optimizer: ``adam``, as published, or ``muon``: that for the convolutions from
        features to features, and Adam for the rest.
    """

    epochs: float = 30.0
    schedule: Literal['halving', 'cosine'] = 'halving'
    halve_every_epochs: float = 10.0
    optimizer: Literal['adam', 'muon'] = 'adam'

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'epochs', 'halve_every_epochs', above=0)


@dataclass(frozen=True)
class DepthSettings(EpochSettings):
    """
    What the stages that predict depth have in common.

    :param nearness: how much more near depths count in the loss; 0, as published, weighs a metre
        the same at any distance, a large value weighs errors relative to the depth.
    :param proportion_weight: how much the error counts that is left when each image may have its
        own scale; 0, as published, learns from errors in metres alone.
    """

    nearness: float = 0.0
    proportion_weight: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'nearness', 'proportion_weight', least=0)


def fit(
    stage: Stage, settings: EpochSettings, loader: Loader[Batch], model: ModuleT,
    step: Step, rates: Mapping[str, float] | None = None,
) -> ModuleT:
    """
    Train those parameters of ``model`` that require gradients.

    :param stage: keeps checkpoints and log.
    :param settings: length and learning rate.
    :param loader: of the training images.
    :param model: frozen parts are in evaluation mode, the others in training mode.
    :param step: given the model and a batch, returns the losses, whose sum is lowered, and the
        maps to show in pictures; both by name.
    :param rates: by the names of the model's children, what their learning rate is multiplied by;
        1 for what is not named.
    :returns: the moving average of the model.
    :raises TrainingError: if no image of a batch has any depth (of one in ``log_every_steps``, if
        steps are recorded), or the stage cannot go on.
    """
    fabric = stage.fabric
    recorded = stage.run.fabric.cuda_graphs
    # Twice as fast, on CPUs too.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizers = optimizers_of(
        model, settings, rates or {}, on_device=fabric.device if recorded else None)
    total_steps = max(1, round(settings.epochs * len(loader)))
    schedules = [
        schedule_of(settings, stage, optimizer, len(loader), total_steps)
        for optimizer in optimizers]
    wrapped, *optimizers = fabric.setup(model, *optimizers)
    average = averaged(model, settings.ema_decay)
    stage.track(
        loader, model=model, average=average,
        **dict(zip(('optimizer', 'adam_beside_muon'), optimizers)),
        **dict(zip(('schedule', 'schedule_beside_muon'), schedules)))

    def move(losses: dict[str, Tensor]) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        fabric.backward(torch.stack(list(losses.values())).sum())
        for optimizer in optimizers:
            optimizer.step()
        average.update_parameters(model)

    def learn(batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        losses, maps = step(wrapped, batch)
        move(losses)
        return losses, maps

    replayed = RecordedStep(learn, stage.process_batch_size) if recorded else None
    for batch in stage.loop(batches_from(loader, stage.step), total_steps):
        looked_at = replayed is None or stage.log_due()  # to look is to wait for the device
        if looked_at and not batch.valid.any():
            raise TrainingError(
                f'{stage.name}: no image of the batch of step {stage.step + 1} has valid depth in '
                f'the part that is used ({", ".join(batch.names)}): look at the depth of those '
                'files, or take larger batches')
        batch = fabric.to_device(batch)
        losses, maps = replayed(batch) if replayed else step(wrapped, batch)
        if looked_at:
            stage.report(losses, batch.names)
            stage.log(learning_rate=max(map(float, schedules[0].get_last_lr())))
        if stage.picture_due():
            stage.show(**maps)
        if replayed is None:
            move(losses)
        for schedule in schedules:
            schedule.step()
    return cast(ModuleT, average.module)


def schedule_of(
    settings: EpochSettings, stage: Stage, optimizer: Optimizer, epoch_steps: int,
    total_steps: int,
) -> LRScheduler:
    """
    Return what lowers the learning rate.

    :param settings: in which way.
    :param stage: knows how much of it is over.
    :param optimizer: whose rate.
    :param epoch_steps: steps of an epoch.
    :param total_steps: of the whole stage.
    """
    if settings.schedule == 'halving':
        return StepLR(optimizer, max(1, round(settings.halve_every_epochs * epoch_steps)), 0.5)
    return LambdaLR(
        optimizer,
        lambda step: (1 + math.cos(math.pi * stage.progress(step, total_steps))) / 2)


def optimizers_of(
    model: nn.Module, settings: EpochSettings, rates: Mapping[str, float],
    on_device: torch.device | None = None,
) -> list[Optimizer]:
    """
    Return what moves the parameters that require gradients: Adam, or Muon and Adam for the rest.

    :param model: whose parameters.
    :param settings: which optimizer, and its learning rate.
    :param rates: by the names of the model's children, what it is multiplied by; 1 for what is
        not named.
    :param on_device: a GPU, to keep the rates and the counts of steps there, so that a CUDA graph
        can record the optimizers; None is for all else.
    """
    rate: float | Tensor = settings.learning_rate
    if on_device is not None:
        rate = torch.tensor(rate, device=on_device)
    if settings.optimizer == 'adam':
        return [_adam(parameter_groups(model, rate, rates), rate)]
    found: list[Optimizer] = []
    if convolutions := parameter_groups(model, rate, rates, for_muon):
        found.append(Muon(convolutions, rate))
    if others := parameter_groups(model, rate, rates, lambda weight: not for_muon(weight)):
        found.append(_adam(others, rate))
    return found


def _adam(groups: list[dict[str, Any]], learning_rate: float | Tensor) -> Adam:
    return Adam(
        groups, learning_rate, betas=(0.9, 0.999), capturable=isinstance(learning_rate, Tensor))


def parameter_groups(
    model: nn.Module, learning_rate: float | Tensor, rates: Mapping[str, float],
    wanted: Callable[[Tensor], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """
    Return the parameters that require gradients, as an optimizer takes them.

    :param model: whose parameters.
    :param learning_rate: of all that ``rates`` does not name.
    :param rates: by the names of the model's children, what it is multiplied by.
    :param wanted: whether a parameter is to be among them.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and wanted(parameter):
            groups.setdefault(rates.get(name.split('.')[0], 1.0), []).append(parameter)
    return [{'params': parameters, 'lr': learning_rate * rate}
            for rate, parameters in groups.items()]


def depth_losses(
    settings: DepthSettings, depths: Sequence[Tensor], batch: Batch,
) -> dict[str, Tensor]:
    """
    Return the errors of the depths that the stage lowers, by name.

    :param settings: weigh them.
    :param depths: predictions (B, 1, h, w) in [-1, 1], one per scale.
    :param batch: the images that they are of.
    """
    losses = {'loss/depth': depth_error(depths, batch.depth, batch.valid, settings.nearness)}
    if settings.proportion_weight:
        losses['loss/proportion'] = settings.proportion_weight * proportion_error(
            depths, batch.depth, batch.valid)
    return losses


def unit_range(depth: Tensor) -> Tensor:
    """Return depth in [-1, 1] as a map in [0, 1] for a picture."""
    return (depth + 1) / 2
