"""Batches, losses and pictures that all stages with a depth loss share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from s2r_depth_ros.network import DepthMaps

from ..data import Batch
from ..engine.batches import batches_from, Loader
from ..engine.stage import Stage
from ..errors import TrainingError
from ..settings.stages import DepthSettings, EpochSettings
from .losses import depth_error, scale_invariant_log_error


def steps_of(settings: EpochSettings, loader: Loader[Batch]) -> int:
    """Return how many steps the epochs of a stage have, at least one."""
    return max(1, round(settings.epochs * len(loader)))


def depth_batches(stage: Stage, loader: Loader[Batch], total_steps: int) -> Iterator[Batch]:
    """
    Yield the batches of a stage on its device, from its current step on.

    :param stage: counts the steps and keeps the checkpoints.
    :param loader: the loader of the training images.
    :param total_steps: the number of steps of the whole stage.
    :raises TrainingError: if no image of a batch has any depth; with CUDA graphs, of a batch in
        ``log_every_steps``.
    """
    for batch in stage.loop(batches_from(loader, stage.step), total_steps):
        if stage.check_due() and not batch.valid_mask.any():
            raise TrainingError(
                f'{stage.name}: no image of the batch of step {stage.step + 1} has valid depth '
                f'inside the crop ({", ".join(batch.names)}): check the depth of those files, or '
                'use larger batches'
            )
        yield stage.fabric.to_device(batch)


def depth_losses(
    settings: DepthSettings, depths: Sequence[Tensor], batch: Batch
) -> dict[str, Tensor]:
    """
    Return the weighted errors of the predicted depths, by name.

    :param settings: the weights.
    :param depths: predictions (B, 1, h, w) in [-1, 1], one per scale.
    :param batch: the images, with their true depths.
    """
    losses = {
        'loss/depth': depth_error(
            depths, batch.depth, batch.valid_mask, settings.inverse_depth_weighting
        )
    }
    if settings.scale_invariant_weight:
        error = scale_invariant_log_error(depths, batch.depth, batch.valid_mask)
        losses['loss/proportion'] = settings.scale_invariant_weight * error
    return losses


def depths_of(maps: DepthMaps) -> tuple[Tensor, ...]:
    """Return the depths of all scales, coarse to fine."""
    return maps.depth_8th, maps.depth_4th, maps.depth_half, maps.depth


def pictures(maps: DepthMaps, batch: Batch) -> dict[str, Tensor]:
    """Return the maps of the whole network, in the order of a picture's columns."""
    return {
        'image': batch.image,
        'structure': maps.structure,
        'attention': maps.attention,
        'depth_specific_structure': maps.depth_specific_structure,
        'depth': unit_range(maps.depth),
        'true_depth': unit_range(batch.depth),
    }


def unit_range(depth: Tensor) -> Tensor:
    """Return depth in [-1, 1] as a map in [0, 1] for a picture."""
    return (depth + 1) / 2
