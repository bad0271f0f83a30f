"""The judge: learns how wrong the depth of a trained network is, and where the ground is."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import DepthMaps, Judge, S2RDepthNet

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.ema import Ema
from ..engine.optimizers import freeze, ScheduledOptimizer
from ..engine.stage import Stage
from ..errors import TrainingError
from .depth import depth_batches, steps_of, unit_range
from .ground import ground_of
from .losses import expected_error_loss, map_cross_entropy, total_loss
from .start import starting_network

if TYPE_CHECKING:
    from ..config import Config

NAME = 'judge'


def train(config: Config, resume: bool = False) -> Path:
    """
    Train a judge for a network that stays as it is, and write the weights of both.

    :param config: the configuration of the run; ``config.judge`` is this stage's part. Size, focal
        length, range and contrast of the data are those of the weights.
    :param resume: continue from the last checkpoint.
    :returns: the stage's result; ``weights.safetensors`` is beside it.
    :raises TrainingError: if the run cannot start or continue.
    :raises WeightsError: if the weights cannot be read.
    """
    settings = config.judge

    with Stage(NAME, config, settings, resume) as stage:
        # Networks
        _, trained, info = starting_network(stage, settings.weights)
        network = with_new_judge(trained, settings.channels)

        # Data
        loader = depth_loader(config.data.seen_by(info), stage)

        # Optimizer, and the moving average of the weights
        total_steps = steps_of(settings, loader)
        optimizer = ScheduledOptimizer(network, settings, stage, len(loader), total_steps)
        model = optimizer.set_up(network)
        ema = Ema(network, settings.ema_decay)
        stage.track(loader, model=network, average=ema, **optimizer.parts)

        # A CUDA graph cannot record it, since the search for the ground waits for the device.
        def training_step(batch: Batch) -> tuple[dict[str, Tensor], DepthMaps]:
            maps = model(batch.image, return_maps=True, judged=True)
            losses = judge_losses(maps, batch)
            optimizer.zero_grad()
            stage.fabric.backward(total_loss(losses))
            optimizer.step()
            ema.update_parameters(network)
            return losses, maps

        # Loop
        for batch in depth_batches(stage, loader, total_steps):
            losses, maps = training_step(batch)
            stage.report(losses, batch.names, optimizer)
            optimizer.update_learning_rate()
            if stage.picture_due():
                stage.show(**pictures(maps, batch))

        # Result
        if stage.fabric.is_global_zero:
            origin = {**info.provenance, 'judge': json.dumps(stage.provenance())}
            weights.save(
                stage.folder / 'weights.safetensors', ema.network, replace(info, provenance=origin)
            )
        return stage.finish(**dict(ema.network.named_children()))


def with_new_judge(trained: S2RDepthNet, channels: int) -> S2RDepthNet:
    """
    Return a frozen copy of a network, with an untrained judge that is not frozen.

    :param trained: with or without a judge.
    :param channels: the channels of the judge.
    :raises TrainingError: without channels.
    """
    if not channels:
        raise TrainingError('judge.channels is 0, so there is no judge: choose 16, for example')
    network = S2RDepthNet(replace(trained.architecture, judge_channels=channels))
    kept = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if not name.startswith('judge.')
    }
    network.load_state_dict({**network.state_dict(), **kept})
    freeze(network)
    judge: Judge = network.get_submodule('judge')  # type: ignore[assignment]
    judge.train().requires_grad_(True)
    return network


def judge_losses(maps: DepthMaps, batch: Batch) -> dict[str, Tensor]:
    """
    Return the losses of the judgement of a batch, by name.

    :param maps: the maps of the network, with those of the judge.
    :param batch: the images, with their true depths.
    """
    assert maps.judgement is not None
    ground = ground_of(batch.depth, batch.valid_mask)
    return {
        'loss/expected_error': expected_error_loss(
            maps.judgement.log_error, maps.depth, batch.depth, batch.valid_mask
        ),
        'loss/ground': map_cross_entropy(
            maps.judgement.ground, ground.is_ground, batch.valid_mask & ground.is_known
        ),
    }


def pictures(maps: DepthMaps, batch: Batch) -> dict[str, Tensor]:
    """Return the judgement, in the order of a picture's columns."""
    assert maps.judgement is not None
    return {
        'image': batch.image,
        'depth': unit_range(maps.depth),
        'true_depth': unit_range(batch.depth),
        'expected_error': torch.exp(maps.judgement.log_error).clamp(max=1),
        'ground': maps.judgement.ground,
        'true_ground': ground_of(batch.depth, batch.valid_mask).is_ground.float(),
    }
