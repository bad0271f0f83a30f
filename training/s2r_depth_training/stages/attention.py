"""Pre-training of the attention, before stage 3: it learns a map of near areas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from s2r_depth_ros.network import Architecture, S2RDepthNet

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.checkpoints import load_result
from ..engine.cuda_graph import cuda_graph_step
from ..engine.ema import Ema
from ..engine.optimizers import ScheduledOptimizer
from ..engine.stage import Stage
from .depth import depth_batches, steps_of
from .losses import inverse_depth_map, map_error, total_loss

if TYPE_CHECKING:
    from ..config import Config

NAME = 'attention'


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the attention to show near areas, so that stage 3 does not start from noise.

    The trunk of the published attention is pre-trained on photographs (ImageNet). With random
    weights, the attention disturbs the depth network, and stage 3 learns to ignore it.

    :param config: the configuration of the run; ``config.attention`` is this stage's part.
    :param resume: continue from the last checkpoint.
    :returns: the stage's result.
    :raises TrainingError: if the run cannot start or continue.
    """
    settings = config.attention

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Network
        attention = S2RDepthNet(Architecture.preset(config.architecture)).attention
        if settings.init_from:
            load_result(settings.init_from, config.architecture, attention=attention)

        # Optimizer, and the moving average of the weights
        total_steps = steps_of(settings, loader)
        optimizer = ScheduledOptimizer(attention, settings, stage, len(loader), total_steps)
        model = optimizer.set_up(attention)
        ema = Ema(attention, settings.ema_decay)
        stage.track(loader, model=attention, average=ema, **optimizer.parts)

        @cuda_graph_step(stage)
        def training_step(batch: Batch) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
            prediction = model(batch.image)
            target = inverse_depth_map(batch.depth, settings.inverse_depth_slope, settings.least)
            losses = {'loss/nearness': map_error(prediction, target, batch.valid_mask)}
            optimizer.zero_grad()
            stage.fabric.backward(total_loss(losses))
            optimizer.step()
            ema.update_parameters(attention)
            return losses, (prediction, target)

        # Loop
        for batch in depth_batches(stage, loader, total_steps):
            losses, (prediction, target) = training_step(batch)
            stage.report(losses, batch.names, optimizer)
            optimizer.update_learning_rate()
            if stage.picture_due():
                stage.show(image=batch.image, attention=prediction, target=target)

        # Result
        return stage.finish(attention=ema.network)
