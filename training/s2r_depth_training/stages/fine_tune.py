"""Fine-tuning of a trained network on a few real images, whose true depth may be sparse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from torch import Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import DepthMaps

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.cuda_graph import cuda_graph_step
from ..engine.ema import Ema
from ..engine.optimizers import freeze, ScheduledOptimizer
from ..engine.stage import Stage
from ..errors import TrainingError
from .depth import depth_batches, depth_losses, depths_of, pictures, steps_of
from .losses import total_loss
from .start import starting_network

if TYPE_CHECKING:
    from ..config import Config

NAME = 'fine_tune'


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the parts that are not frozen on real images and write ``weights.safetensors``.

    :param config: the configuration of the run; ``config.fine_tune`` is this stage's part.
    :param resume: continue from the last checkpoint.
    :returns: the stage's result; the new weights file is beside it.
    :raises TrainingError: if the run cannot start or continue.
    :raises WeightsError: if the weights to begin with cannot be read.
    """
    settings = config.fine_tune

    with Stage(NAME, config, settings, resume) as stage:
        # Networks
        source, network, info = starting_network(stage, settings.weights)
        network.train().requires_grad_(True)
        for part in settings.freeze:
            freeze(getattr(network, part))
        if network.judge is not None:
            freeze(network.judge)
            if stage.fabric.is_global_zero:
                print(
                    'the judge stays that of the earlier weights: train it again with s2r_train '
                    'judge',
                    file=sys.stderr,
                )
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise TrainingError('fine_tune.freeze names every part: leave one out to train it')

        if settings.max_depth_m:
            info = replace(info, max_depth_m=settings.max_depth_m)
        if settings.contrast_limit is not None:
            info = replace(info, contrast_limit=settings.contrast_limit)

        # Data
        data = settings.data.seen_by(info)
        loader = depth_loader(data, stage)

        # Optimizer, and the moving average of the weights
        total_steps = steps_of(settings, loader)
        optimizer = ScheduledOptimizer(network, settings, stage, len(loader), total_steps)
        model = optimizer.set_up(network)
        ema = Ema(network, settings.ema_decay)
        stage.track(loader, model=network, average=ema, **optimizer.parts)

        @cuda_graph_step(stage)
        def training_step(batch: Batch) -> tuple[dict[str, Tensor], DepthMaps]:
            maps = model(batch.image, return_maps=True)
            losses = depth_losses(settings, depths_of(maps), batch)
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
            weights.save(
                stage.folder / 'weights.safetensors',
                ema.network,
                data.weights_info({**stage.provenance(), 'began_with': source}),
            )
        return stage.finish(**dict(ema.network.named_children()))
