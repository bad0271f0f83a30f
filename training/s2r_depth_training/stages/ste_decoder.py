"""Stage 2: the structure decoder Ds, from the code of the frozen Es to a structure map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, TYPE_CHECKING

from torch import nn, Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, S2RDepthNet

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.checkpoints import load_result
from ..engine.cuda_graph import cuda_graph_step
from ..engine.ema import Ema
from ..engine.optimizers import freeze, ScheduledOptimizer
from ..engine.stage import Stage
from ..settings.stages import SteDecoderSettings
from .depth import depth_batches, depth_losses, steps_of, unit_range
from .losses import structure_regularization, total_loss
from .ste_encoder import NAME as STE_ENCODER

if TYPE_CHECKING:
    from ..config import Config

NAME = 'ste_decoder'


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
    Train the structure decoder, with a temporary depth network.

    :param config: the configuration of the run; ``config.ste_decoder`` is this stage's part.
    :param resume: continue from the last checkpoint.
    :returns: the stage's result. Beside it, ``weights.safetensors`` is the network so far, with
        an attention of 1 everywhere.
    :raises TrainingError: if the run cannot start or continue.
    """
    settings = config.ste_decoder

    with Stage(NAME, config, settings, resume) as stage:
        # Data
        loader = depth_loader(config.data, stage)

        # Networks
        network = StructureToDepth(Architecture.preset(config.architecture))
        if settings.init_from:
            load_result(settings.init_from, config.architecture, **dict(network.named_children()))
        if not settings.train_encoder:
            load_result(
                settings.encoder or config.result_of(STE_ENCODER),
                config.architecture,
                structure_encoder=network.structure_encoder,
            )
            freeze(network.structure_encoder)

        # Optimizer, and the moving average of the weights
        total_steps = steps_of(settings, loader)
        optimizer = ScheduledOptimizer(network, settings, stage, len(loader), total_steps)
        model = optimizer.set_up(network)
        ema = Ema(network, settings.ema_decay)
        stage.track(loader, model=network, average=ema, **optimizer.parts)

        @cuda_graph_step(stage)
        def training_step(batch: Batch) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
            structure, depths = model(batch.image)
            losses = structure_losses(settings, structure, depths, batch)
            optimizer.zero_grad()
            stage.fabric.backward(total_loss(losses))
            optimizer.step()
            ema.update_parameters(network)
            return losses, (structure, depths[-1])

        # Loop
        for batch in depth_batches(stage, loader, total_steps):
            losses, (structure, depth) = training_step(batch)
            stage.report(losses, batch.names, optimizer)
            optimizer.update_learning_rate()
            if stage.picture_due():
                stage.show(
                    image=batch.image,
                    structure=structure,
                    depth=unit_range(depth),
                    true_depth=unit_range(batch.depth),
                )

        # Result
        if stage.fabric.is_global_zero:
            weights.save(
                stage.folder / 'weights.safetensors',
                without_attention(ema.network, config.architecture),
                config.data.weights_info(stage.provenance()),
            )
        return stage.finish(**dict(ema.network.named_children()))


def structure_losses(
    settings: SteDecoderSettings, structure: Tensor, depths: Sequence[Tensor], batch: Batch
) -> dict[str, Tensor]:
    """
    Return the weighted losses of stage 2, by name.

    :param settings: the weights.
    :param structure: the structure map, (B, 1, H, W) in [0, 1].
    :param depths: predictions (B, 1, h, w) in [-1, 1], one per scale.
    :param batch: the images, with their true depths.
    """
    penalty = structure_regularization(structure, batch.depth, batch.valid_mask, settings.beta)
    return {
        **depth_losses(settings, depths, batch),
        'loss/structure': settings.structure_weight * penalty,
    }


def without_attention(model: nn.Module, architecture: str) -> S2RDepthNet:
    """
    Return the whole network with the parts of ``model`` and an attention of 1 everywhere.

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
