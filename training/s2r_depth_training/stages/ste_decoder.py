"""Stage 2: the structure decoder Ds, from the code of the frozen Es to a structure map."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast, TYPE_CHECKING

from torch import nn, Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, S2RDepthNet

from ..checkpoints import load_result
from ..data import Batch
from ..inputs import depth_loader
from ..losses import structure_penalty
from ..ranges import check_ranges
from ..run import frozen, Stage
from .depth_loop import depth_losses, DepthSettings, fit, unit_range
from .ste_encoder import NAME as STE_ENCODER

if TYPE_CHECKING:
    from ..config import Config

NAME = 'ste_decoder'


@dataclass(frozen=True)
class SteDecoderSettings(DepthSettings):
    """
    Stage 2.

    :param structure_weight: lambda, how much the structure penalty counts.
    :param beta: how fast the penalty falls with the steps of depth; per unit of depth in [-1, 1]
        and pixel. 0.001, as published, penalises structure everywhere alike.
    :param train_encoder: train the encoder here, in place of taking stage 1's as it is: from a
        random start an ablation, from ``init_from`` a way to teach it more.
    :param encoder: a ``result.pt`` of stage 1; null is this run's own.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to begin with; null for a
        random start.
    """

    structure_weight: float = 1.0
    beta: float = 0.001
    train_encoder: bool = False
    encoder: Path | None = None
    init_from: Path | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'structure_weight', 'beta', least=0)


class StructureToDepth(nn.Module):
    """Es, Ds and a DP in a row: image (B, 3, H, W) -> structure map and the four depths."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        network = S2RDepthNet(architecture)
        self.structure_encoder = network.structure_encoder
        self.structure_decoder = network.structure_decoder
        self.depth = network.depth

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return S (B, 1, H, W) in [0, 1] and the depths, coarse to fine, in [-1, 1]."""
        structure = self.structure_decoder(self.structure_encoder(image))
        return structure, self.depth(structure)


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the structure decoder, and a depth net that later stages do without.

    :param config: of the run; ``config.ste_decoder`` is this stage's part.
    :param resume: go on from the last checkpoint.
    :returns: the stage's result. Beside it, ``weights.safetensors`` is the network so far, with
        an attention of 1 everywhere.
    :raises TrainingError: if the run cannot start or go on.
    """
    settings = config.ste_decoder

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        model = StructureToDepth(Architecture.preset(config.architecture))
        if settings.init_from:
            load_result(
                settings.init_from, config.architecture, **dict(model.named_children()))
        if not settings.train_encoder:
            load_result(
                settings.encoder or config.result_of(STE_ENCODER), config.architecture,
                structure_encoder=model.structure_encoder)
            frozen(model.structure_encoder)

        # Loop
        trained = fit(stage, settings, loader, model, partial(structure_step, settings))

        # Hand-over
        if stage.fabric.is_global_zero:
            network = without_attention(trained, config.architecture)
            weights.save(
                stage.folder / 'weights.safetensors', network,
                config.data.weights_info(stage.provenance()))
        return stage.finish(**dict(trained.named_children()))


def structure_step(
    settings: SteDecoderSettings, model: nn.Module, batch: Batch,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return the losses of stage 2, and its maps for pictures.

    :param settings: weigh the errors and the structure penalty.
    :param model: a :class:`StructureToDepth`.
    :param batch: images with depth.
    """
    structure, depths = model(batch.image)
    losses = depth_losses(settings, depths, batch)
    losses['loss/structure'] = settings.structure_weight * structure_penalty(
        structure, batch.depth, batch.valid, settings.beta)
    return losses, {
        'image': batch.image, 'structure': structure, 'depth': unit_range(depths[-1]),
        'true_depth': unit_range(batch.depth)}


def without_attention(model: nn.Module, architecture: str) -> S2RDepthNet:
    """
    Return the whole network with the parts of ``model``, its attention being 1 everywhere.

    :param model: a :class:`StructureToDepth`.
    :param architecture: name of its preset.
    """
    network = S2RDepthNet(Architecture.preset(architecture))
    for name, part in model.named_children():
        getattr(network, name).load_state_dict(part.state_dict())
    head = network.attention.head.conv
    nn.init.zeros_(head.weight)
    nn.init.constant_(cast(Tensor, head.bias), 100.0)  # its sigmoid is exactly 1 in float32
    return network
