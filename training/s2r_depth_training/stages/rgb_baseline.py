"""Not a stage of the method: depth straight from RGB, for comparison with it."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn, Tensor

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.network import Architecture, DepthMaps, DepthNet
from s2r_depth_ros.weights import WeightsInfo

from ..checkpoints import load_result, read_result
from ..errors import TrainingError
from ..inputs import depth_loader
from ..run import Stage
from .depth_loop import DepthSettings, fit
from .dsa import whole_network_step

if TYPE_CHECKING:
    from ..config import Config

NAME = 'rgb_baseline'


@dataclass(frozen=True)
class RgbBaselineSettings(DepthSettings):
    """
    The baseline: a depth net with three input channels.

    :param init_from: a ``result.pt`` of this baseline to begin with, null for a random start.
    """

    init_from: Path | None = None


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
    Train a depth net on the images themselves.

    :param config: of the run; ``config.rgb_baseline`` is this part.
    :param resume: go on from the last checkpoint.
    :returns: the result, which :func:`load_predictor` reads.
    :raises TrainingError: if the run cannot start or go on.
    """
    settings = config.rgb_baseline

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        network = RgbDepthNet(Architecture.preset(config.architecture))
        if settings.init_from:
            load_result(settings.init_from, config.architecture, depth=network.depth)

        # Loop
        trained = fit(stage, settings, loader, network, partial(whole_network_step, settings))

        # Hand-over
        return stage.finish(depth=trained.depth)


def load_predictor(result: Path, device: str = 'auto') -> DepthPredictor:
    """
    Return a predictor that runs the baseline in place of the method.

    :param result: the ``result.pt`` of this baseline.
    :param device: as for ``DepthPredictor``.
    :raises TrainingError: if the file is missing, damaged, or of something else.
    """
    provenance = read_result(result)['provenance']
    if provenance['stage'] != NAME:
        raise TrainingError(
            f'{result} is the result of {provenance["stage"]} and not of {NAME}: give that one, '
            'or the safetensors file of the whole network')
    settings = json.loads(provenance['settings'])
    network = RgbDepthNet(Architecture.preset(settings['architecture']))
    load_result(result, settings['architecture'], depth=network.depth)
    data = settings['data']
    return DepthPredictor.of(
        network,
        WeightsInfo(
            data['max_depth_m'], data['training_focal_px'], data['height_px'],
            data['width_px']),
        device)
