"""The RGB baseline, which predicts depth directly from the image; not a stage of the method."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn, Tensor

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.network import Architecture, DepthMaps, DepthNet
from s2r_depth_ros.weights.files import WeightsInfo

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.checkpoints import load_result, read_result
from ..engine.cuda_graph import cuda_graph_step
from ..engine.ema import Ema
from ..engine.optimizers import ScheduledOptimizer
from ..engine.stage import Stage
from ..errors import TrainingError
from .depth import depth_batches, depth_losses, depths_of, pictures, steps_of
from .losses import total_loss

if TYPE_CHECKING:
    from ..config import Config

NAME = 'rgb_baseline'


class RgbDepthNet(nn.Module):
    """DP on the image itself, called as ``S2RDepthNet`` is; its other maps are 1 everywhere."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.depth = DepthNet(architecture, channels_in=3)

    def forward(self, image: Tensor, return_maps: bool = False) -> Tensor | DepthMaps:
        """Return the depth (B, 1, H, W) in [-1, 1], or all maps, of images (B, 3, H, W)."""
        depths = self.depth(image)
        if not return_maps:
            return depths[-1]
        everywhere = torch.ones_like(image[:, :1])
        return DepthMaps(image, everywhere, everywhere, everywhere, *depths)


def train(config: Config, resume: bool = False) -> Path:
    """
    Train a depth network whose input is the image.

    :param config: the configuration of the run; ``config.rgb_baseline`` is this part.
    :param resume: continue from the last checkpoint.
    :returns: the result, which :func:`load_predictor` reads.
    :raises TrainingError: if the run cannot start or continue.
    """
    settings = config.rgb_baseline

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        network = RgbDepthNet(Architecture.preset(config.architecture))
        if settings.init_from:
            load_result(settings.init_from, config.architecture, depth=network.depth)

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
        return stage.finish(depth=ema.network.depth)


def load_predictor(result: Path, device: str = 'auto', threads: int = 0) -> DepthPredictor:
    """
    Return a predictor that runs the baseline in place of the method.

    :param result: the ``result.pt`` of this baseline.
    :param device: as for ``DepthPredictor``, and so is the next.
    :param threads: the number of CPU threads.
    :raises TrainingError: if the file is missing, damaged, or of something else.
    """
    provenance = read_result(result)['provenance']
    if provenance.get('stage') != NAME:
        raise TrainingError(
            f'{result} is the result of {provenance.get("stage")} and not of {NAME}: give that '
            'one, or the safetensors file of the whole network'
        )
    try:
        settings = json.loads(provenance['settings'])
        architecture, data = settings['architecture'], settings['data']
        network = RgbDepthNet(Architecture.preset(architecture))
        info = WeightsInfo(
            data['max_depth_m'],
            data['training_focal_px'],
            data['height_px'],
            data['width_px'],
            contrast_limit=data.get('contrast_limit', 0.0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f'{result} has damaged settings ({error}): train it again') from error
    load_result(result, architecture, depth=network.depth)
    return DepthPredictor(network, info, device, threads=threads)
