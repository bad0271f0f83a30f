"""Run by torchrun and alone: writes the gradients of one batch of stage 2 to a file."""

from pathlib import Path
import sys

from tiny_run import tiny_config
import torch
from torch import nn

from s2r_depth_ros.network import Architecture
from s2r_depth_training.data.inputs import depth_loader
from s2r_depth_training.engine.stage import Stage
from s2r_depth_training.settings.stages import SteDecoderSettings
from s2r_depth_training.stages.losses import total_loss
from s2r_depth_training.stages.ste_decoder import structure_losses, StructureToDepth

root, out = Path(sys.argv[1]), Path(sys.argv[2])
config = tiny_config(root, out.stem)
with Stage('ste_decoder', config, config.ste_decoder, resume=False) as stage:
    model = StructureToDepth(Architecture.preset('compact'))
    # Batch norm looks at its own process's images; with its statistics held, the rest must agree.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    batch = next(depth_loader(config.data, stage).epoch(0))
    wrapped = stage.fabric.setup_module(model)
    structure, depths = wrapped(batch.image)
    losses = structure_losses(SteDecoderSettings(), structure, depths, batch)
    stage.fabric.backward(total_loss(losses))
    if stage.fabric.is_global_zero:
        torch.save(
            {
                'images': len(batch.names),
                'gradients': {
                    name: parameter.grad for name, parameter in model.named_parameters()
                },
            },
            out,
        )
