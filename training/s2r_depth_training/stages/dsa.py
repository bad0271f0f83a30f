"""Stage 3: the depth-specific attention DSA, and a new DP on attention times structure."""

from __future__ import annotations

from pathlib import Path
import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, DepthMaps, DilatedResidualNet, S2RDepthNet
from s2r_depth_ros.weights.published_names import to_own_name

from ..data import Batch
from ..data.inputs import depth_loader
from ..engine.checkpoints import load_result
from ..engine.cuda_graph import cuda_graph_step
from ..engine.ema import Ema
from ..engine.optimizers import freeze, ScheduledOptimizer
from ..engine.stage import Stage
from ..errors import TrainingError
from .attention import NAME as ATTENTION
from .depth import depth_batches, depth_losses, depths_of, pictures, steps_of
from .losses import total_loss
from .ste_decoder import NAME as STE_DECODER

if TYPE_CHECKING:
    from ..config import Config

NAME = 'dsa'


def train(config: Config, resume: bool = False) -> Path:
    """
    Train attention and depth network, and write the weights file for the node.

    :param config: the configuration of the run; ``config.dsa`` is this stage's part.
    :param resume: continue from the last checkpoint.
    :returns: the stage's result; the weights of the whole network are
        ``config.weights_file``.
    :raises TrainingError: if the run cannot start or continue.
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
                settings.init_from,
                config.architecture,
                attention=network.attention,
                depth=network.depth,
            )
        if settings.init_attention_from or settings.pretrain_attention:
            load_result(
                settings.init_attention_from or config.result_of(ATTENTION),
                config.architecture,
                attention=network.attention,
            )
        if settings.init_depth_from:
            load_result(settings.init_depth_from, config.architecture, depth=network.depth)
        load_result(
            settings.structure or config.result_of(STE_DECODER),
            config.architecture,
            structure_encoder=network.structure_encoder,
            structure_decoder=network.structure_decoder,
        )
        rates = {
            'structure_encoder': settings.structure_rate,
            'structure_decoder': settings.structure_rate,
            'attention': settings.attention_rate,
        }
        for part, rate in rates.items():
            if not rate:
                freeze(getattr(network, part))

        # Optimizer, and the moving average of the weights
        total_steps = steps_of(settings, loader)
        optimizer = ScheduledOptimizer(network, settings, stage, len(loader), total_steps, rates)
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
        if stage.fabric.is_global_zero:
            weights.save(
                config.weights_file, ema.network, config.data.weights_info(stage.provenance())
            )
        return stage.finish(**dict(ema.network.named_children()))


def load_trunk(trunk: DilatedResidualNet, path: Path) -> None:
    """
    Fill the trunk of the attention with the weights of an image classifier.

    :param trunk: a trunk of the paper architecture.
    :param path: a state dict of DRN-D-22 as its authors name it (``layer0.0.weight`` ...); the
        layers of the classifier are ignored.
    :raises TrainingError: if the file is missing, unreadable, or does not fit.
    """
    try:
        published = torch.load(path, map_location='cpu', weights_only=True)
        own = {
            to_own_name('attention', re.sub(r'^(module\.)?layer', 'E.base.', name)): tensor
            for name, tensor in published.items()
        }
        tensors = {
            name.removeprefix('trunk.'): tensor
            for name, tensor in own.items()
            if name.startswith('trunk.')
        }
        # Files from before PyTorch 0.4.1 do not count batches, and nothing here needs the count.
        counts = {
            name: tensor
            for name, tensor in trunk.state_dict().items()
            if name.endswith('num_batches_tracked')
        }
        trunk.load_state_dict({**counts, **tensors})
    except Exception as error:  # what damaged pickles raise is not bounded
        raise TrainingError(
            f'{path} does not hold the weights of a DRN-D-22 that fit this architecture: {error}'
        ) from error
