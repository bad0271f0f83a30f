"""Fine-tuning: a trained network and a little labelled real data, however sparse its depth."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TYPE_CHECKING

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture

from ..errors import TrainingError
from ..inputs import depth_loader, SourceSettings
from ..run import frozen, Stage
from .depth_loop import DepthSettings, fit
from .dsa import whole_network_step

if TYPE_CHECKING:
    from ..config import Config

NAME = 'fine_tune'
Part = Literal['structure_encoder', 'structure_decoder', 'attention', 'depth']


@dataclass(frozen=True)
class FineTuneSettings(DepthSettings):
    """
    Fine-tuning, the method's semi-supervised setting.

    :param weights: weights to begin with: a file, or ``outdoor`` or ``indoor`` for the bundled
        ones; null is what stage 3 of this run wrote.
    :param frozen: parts that stay as they are.
    :param data: the labelled real images; pixels without depth do not count. Size, focal length
        and range are those of the weights.
    """

    batch_size: int = 8
    learning_rate: float = 2e-5
    weights: str | None = None
    frozen: list[Part] = field(
        default_factory=lambda: ['structure_encoder', 'structure_decoder'])
    data: SourceSettings = field(default_factory=lambda: SourceSettings(dataset='kitti_depth'))


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the parts that are not frozen on real images and write ``weights.safetensors``.

    :param config: of the run; ``config.fine_tune`` is this stage's part.
    :param resume: go on from the last checkpoint.
    :returns: the stage's result; the new weights file is beside it.
    :raises TrainingError: if the run cannot start or go on.
    :raises WeightsError: if the weights to begin with cannot be read.
    """
    settings = config.fine_tune

    with Stage(NAME, config, settings, resume) as stage:
        # Networks
        source = settings.weights or config.weights_file
        network, info = weights.load_with_info(source)
        if network.architecture != Architecture.preset(config.architecture):
            raise TrainingError(
                f'{source} has the architecture {network.architecture.as_dict()}, and the config '
                f'says {config.architecture!r}: they must be the same')
        network.train().requires_grad_(True)
        for part in settings.frozen:
            frozen(getattr(network, part))
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise TrainingError('fine_tune.frozen names every part: leave one out to train it')

        # Data
        data = settings.data.seen_by(info)
        loader = depth_loader(data, stage)

        # Loop
        trained = fit(stage, settings, loader, network, partial(whole_network_step, settings))

        # Hand-over
        if stage.fabric.is_global_zero:
            weights.save(
                stage.folder / 'weights.safetensors', trained, data.weights_info(
                    {**stage.provenance(), 'began_with': str(source)}))
        return stage.finish(**dict(trained.named_children()))
