"""Not a stage of the method: depth straight from RGB, for comparison with it."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn, Tensor

from s2r_depth_ros.network import Architecture, DepthNet

from ..data import Batch
from ..inputs import depth_loader
from ..losses import depth_error
from ..run import load_result, Stage
from .depth_loop import EpochSettings, fit, unit_range

if TYPE_CHECKING:
    from ..config import Config

NAME = 'rgb_baseline'


@dataclass(frozen=True)
class RgbBaselineSettings(EpochSettings):
    """
    The baseline: a depth net with three input channels.

    :param init_from: a ``result.pt`` of this baseline to begin with, null for a random start.
    """

    init_from: Path | None = None


def train(config: Config, resume: bool = False) -> Path:
    """
    Train a depth net on the images themselves.

    :param config: of the run; ``config.rgb_baseline`` is this part.
    :param resume: go on from the last checkpoint.
    :returns: the result, with the one part ``depth``.
    :raises TrainingError: if the run cannot start or go on.
    """
    settings = config.rgb_baseline

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        model = DepthNet(Architecture.preset(config.architecture), channels_in=3)
        if settings.init_from:
            load_result(settings.init_from, config.architecture, depth=model)

        # Loop
        trained = fit(stage, settings, loader, model, rgb_step)

        # Hand-over
        return stage.finish(depth=trained)


def rgb_step(
    model: nn.Module, batch: Batch,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return the depth loss of the baseline, and its maps for pictures.

    :param model: a ``DepthNet`` with three input channels.
    :param batch: images with depth.
    """
    depths = model(batch.image)
    return {'loss/depth': depth_error(depths, batch.depth, batch.valid)}, {
        'image': batch.image, 'depth': unit_range(depths[-1]),
        'true_depth': unit_range(batch.depth)}
