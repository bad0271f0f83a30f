"""Before stage 3: the attention by itself learns to show what is near."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn, Tensor

from s2r_depth_ros.network import Architecture, S2RDepthNet

from ..checkpoints import load_result
from ..data import Batch
from ..inputs import depth_loader
from ..losses import map_error, nearness_map
from ..ranges import check_ranges
from ..run import Stage
from .depth_loop import EpochSettings, fit

if TYPE_CHECKING:
    from ..config import Config

NAME = 'attention'


@dataclass(frozen=True)
class AttentionSettings(EpochSettings):
    """
    Before stage 3, where ``dsa.nearness_first`` asks for it.

    :param nearness: n of the map l + (1 - l) / (1 + n f) to learn, f being depth as a part of its
        range.
    :param least: l of that map. Times a map that falls to 0, the structure far away would be lost.
    :param init_from: a ``result.pt`` with an attention, or a weights file, to begin with; null
        for a random start.
    """

    epochs: float = 1.0
    halve_every_epochs: float = 0.25
    nearness: float = 8.0
    least: float = 0.5
    init_from: Path | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'nearness', above=0)
        check_ranges(self, 'least', least=0, below=1)


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the attention to show what is near: a start for stage 3 that is not noise.

    The published attention begins with a trunk that knows real photographs (ImageNet). One that
    begins at random only disturbs the depth net, and stage 3 learns to switch it off.

    :param config: of the run; ``config.attention`` is this stage's part.
    :param resume: go on from the last checkpoint.
    :returns: the stage's result.
    :raises TrainingError: if the run cannot start or go on.
    """
    settings = config.attention

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Network
        attention = S2RDepthNet(Architecture.preset(config.architecture)).attention
        if settings.init_from:
            load_result(settings.init_from, config.architecture, attention=attention)

        # Loop
        trained = fit(stage, settings, loader, attention, partial(nearness_step, settings))

        # Hand-over
        return stage.finish(attention=trained)


def nearness_step(
    settings: AttentionSettings, attention: nn.Module, batch: Batch,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return the distance of the attention from a map of what is near, and maps for pictures.

    :param settings: says what near is.
    :param attention: an ``AttentionNet``.
    :param batch: images with depth.
    """
    shown = attention(batch.image)
    wanted = nearness_map(batch.depth, settings.nearness, settings.least)
    return {'loss/nearness': map_error(shown, wanted, batch.valid)}, {
        'image': batch.image, 'attention': shown, 'wanted': wanted}
