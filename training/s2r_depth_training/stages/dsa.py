"""Stage 3: the depth-specific attention DSA, and a new DP on attention times structure."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn, Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, DepthMaps, S2RDepthNet

from ..data import Batch
from ..inputs import depth_loader
from ..losses import depth_error
from ..run import frozen, load_result, Stage
from .depth_loop import EpochSettings, fit, unit_range
from .ste_decoder import NAME as STE_DECODER

if TYPE_CHECKING:
    from ..config import Config

NAME = 'dsa'


@dataclass(frozen=True)
class DsaSettings(EpochSettings):
    """
    Stage 3.

    :param structure: a ``result.pt`` of stage 2; null is this run's own.
    :param init_from: a ``result.pt`` of this stage to begin with, null for a random start.
    """

    structure: Path | None = None
    init_from: Path | None = None


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the attention and the final depth net, and write the weights that the node runs.

    :param config: of the run; ``config.dsa`` is this stage's part.
    :param resume: go on from the last checkpoint.
    :returns: the stage's result; the weights of the whole network are
        ``config.weights_file``.
    :raises TrainingError: if the run cannot start or go on.
    """
    settings = config.dsa

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        network = S2RDepthNet(Architecture.preset(config.architecture))
        if settings.init_from:
            load_result(
                settings.init_from, config.architecture, attention=network.attention,
                depth=network.depth)
        load_result(
            settings.structure or config.result_of(STE_DECODER), config.architecture,
            structure_encoder=network.structure_encoder,
            structure_decoder=network.structure_decoder)
        frozen(network.structure_encoder)
        frozen(network.structure_decoder)

        # Loop
        trained = fit(stage, settings, loader, network, whole_network_step)

        # Hand-over
        if stage.fabric.is_global_zero:
            weights.save(
                config.weights_file, trained, config.data.weights_info(stage.provenance()))
        return stage.finish(**dict(trained.named_children()))


def whole_network_step(
    network: nn.Module, batch: Batch,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return the depth loss of the whole network, and its maps for pictures.

    :param network: an ``S2RDepthNet``.
    :param batch: images with depth.
    """
    maps: DepthMaps = network(batch.image, return_maps=True)
    depths = (maps.depth_8th, maps.depth_4th, maps.depth_half, maps.depth)
    return {'loss/depth': depth_error(depths, batch.depth, batch.valid)}, {
        'image': batch.image, 'structure': maps.structure, 'attention': maps.attention,
        'depth_specific_structure': maps.depth_specific_structure,
        'depth': unit_range(maps.depth), 'true_depth': unit_range(batch.depth)}
