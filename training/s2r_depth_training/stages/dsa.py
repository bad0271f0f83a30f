"""Stage 3: the depth-specific attention DSA, and a new DP on attention times structure."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
import re
from typing import TYPE_CHECKING

import torch
from torch import nn, Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, DepthMaps, DilatedResidualNet, S2RDepthNet
from s2r_depth_ros.published_names import to_own_name

from ..checkpoints import load_result
from ..data import Batch
from ..errors import TrainingError
from ..inputs import depth_loader
from ..ranges import check_ranges
from ..run import frozen, Stage
from .attention import NAME as ATTENTION
from .depth_loop import depth_losses, DepthSettings, fit, unit_range
from .ste_decoder import NAME as STE_DECODER

if TYPE_CHECKING:
    from ..config import Config

NAME = 'dsa'


@dataclass(frozen=True)
class DsaSettings(DepthSettings):
    """
    Stage 3.

    :param structure: a ``result.pt`` of stage 2; null is this run's own.
    :param trunk: weights of a DRN-D-22 trained on ImageNet (``drn_d_22.pth``) for the trunk of
        the attention; paper architecture only. Null starts it at random.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to begin with; null for a
        random start.
    :param attention_rate: what the learning rate is multiplied by for the attention. A fast one
        disturbs the depth net more than it helps it; 0 leaves the attention as it is.
    :param nearness_first: begin with what the stage ``attention`` learnt in this run, in place of
        a random start.
    :param init_attention_from: a ``result.pt`` to begin with in the attention alone, in place of
        this run's stage ``attention``.
    :param init_depth_from: a ``result.pt`` to begin with in the depth net alone. That of stage 2
        shortens this stage; null is as published, a new depth net.
    """

    structure: Path | None = None
    trunk: Path | None = None
    init_from: Path | None = None
    attention_rate: float = 1.0
    nearness_first: bool = False
    init_attention_from: Path | None = None
    init_depth_from: Path | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'attention_rate', least=0)


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
        if settings.trunk:
            load_trunk(network.attention.trunk, settings.trunk)
        if settings.init_from:
            load_result(
                settings.init_from, config.architecture, attention=network.attention,
                depth=network.depth)
        if settings.init_attention_from or settings.nearness_first:
            load_result(
                settings.init_attention_from or config.result_of(ATTENTION),
                config.architecture, attention=network.attention)
        if settings.init_depth_from:
            load_result(
                settings.init_depth_from, config.architecture, depth=network.depth)
        load_result(
            settings.structure or config.result_of(STE_DECODER), config.architecture,
            structure_encoder=network.structure_encoder,
            structure_decoder=network.structure_decoder)
        frozen(network.structure_encoder)
        frozen(network.structure_decoder)
        if not settings.attention_rate:
            frozen(network.attention)

        # Loop
        trained = fit(
            stage, settings, loader, network, partial(whole_network_step, settings),
            {'attention': settings.attention_rate})

        # Hand-over
        if stage.fabric.is_global_zero:
            weights.save(
                config.weights_file, trained, config.data.weights_info(stage.provenance()))
        return stage.finish(**dict(trained.named_children()))


def load_trunk(trunk: DilatedResidualNet, path: Path) -> None:
    """
    Fill the trunk of the attention with the weights of an image classifier.

    :param trunk: of the paper architecture.
    :param path: a state dict of DRN-D-22 as its authors name it (``layer0.0.weight`` ...); what
        belongs to the classification alone is left out.
    :raises TrainingError: if the file is missing, unreadable, or does not fit.
    """
    try:
        published = torch.load(path, map_location='cpu', weights_only=True)
        own = {
            to_own_name('attention', re.sub(r'^(module\.)?layer', 'E.base.', name)): tensor
            for name, tensor in published.items()}
        tensors = {
            name.removeprefix('trunk.'): tensor for name, tensor in own.items()
            if name.startswith('trunk.')}
        # Files from before PyTorch 0.4.1 do not count batches, and nothing here needs the count.
        counts = {name: tensor for name, tensor in trunk.state_dict().items()
                  if name.endswith('num_batches_tracked')}
        trunk.load_state_dict({**counts, **tensors})
    except Exception as error:  # what damaged pickles raise is not bounded
        raise TrainingError(
            f'{path} does not hold the weights of a DRN-D-22 that fit this architecture: {error}'
        ) from error


def whole_network_step(
    settings: DepthSettings, network: nn.Module, batch: Batch,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return the depth loss of the whole network, and its maps for pictures.

    :param settings: weigh the errors.
    :param network: an ``S2RDepthNet``.
    :param batch: images with depth.
    """
    maps: DepthMaps = network(batch.image, return_maps=True)
    depths = (maps.depth_8th, maps.depth_4th, maps.depth_half, maps.depth)
    return depth_losses(settings, depths, batch), {
        'image': batch.image, 'structure': maps.structure, 'attention': maps.attention,
        'depth_specific_structure': maps.depth_specific_structure,
        'depth': unit_range(maps.depth), 'true_depth': unit_range(batch.depth)}
