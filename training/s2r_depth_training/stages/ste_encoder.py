"""
Stage 1: the structure encoder Es, trained to translate between synthetic and style images.

The publication describes this stage, but the authors published no code for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn, Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR

from s2r_depth_ros.network import Architecture

from ..data.inputs import translation_loader
from ..engine.batches import batches_from
from ..engine.checkpoints import load_result
from ..engine.ema import Ema
from ..engine.stage import Stage
from ..settings.stages import SteEncoderSettings
from .losses import lsgan_loss, reconstruction_error
from .translation import Discriminators, Translator

if TYPE_CHECKING:
    from ..config import Config

NAME = 'ste_encoder'


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the structure encoder and return the file with it.

    :param config: the configuration of the run; ``config.ste_encoder`` is this stage's part.
    :param resume: continue from the last checkpoint.
    :raises TrainingError: if the run cannot start or continue.
    """
    settings, weights = config.ste_encoder, config.ste_encoder.weights
    architecture = Architecture.preset(config.architecture)

    with Stage(NAME, config, settings, resume) as stage:
        fabric = stage.fabric

        # Data
        loader = translation_loader(config.data, config.styles, settings.crop_px, stage)

        # Networks
        translator = Translator(architecture, settings.style_size)
        if settings.init_from:
            load_result(
                settings.init_from,
                config.architecture,
                structure_encoder=translator.structure_encoder,
            )
        discriminators = Discriminators(architecture, settings.discriminator_scales)

        # Optimizers
        optimizer, schedule = _adam(translator, settings)
        judging_optimizer, judging_schedule = _adam(discriminators, settings)
        translate, optimizer = fabric.setup(translator, optimizer)
        judge, judging_optimizer = fabric.setup(discriminators, judging_optimizer)
        ema = Ema(translator.structure_encoder, settings.ema_decay)
        stage.track(
            loader,
            translator=translator,
            discriminators=discriminators,
            optimizer=optimizer,
            judging_optimizer=judging_optimizer,
            schedule=schedule,
            judging_schedule=judging_schedule,
            average=ema,
        )

        # Loop
        for synthetic_batch, painted_batch in stage.loop(
            batches_from(loader, stage.step), settings.steps
        ):
            synthetic = fabric.to_device(synthetic_batch.image)
            painted = fabric.to_device(painted_batch.image)
            styles = fabric.to_device(
                torch.randn(2, len(synthetic), settings.style_size, generator=stage.random())
            )

            translated = translate(synthetic, painted, *styles)
            restyled_synthetic, restyled_painted = translated.restyled
            losses = {
                'loss/image': _pair_error(translated.redrawn, (synthetic, painted)),
                'loss/structure': _pair_error(translated.structure_again, translated.structure),
                'loss/style': _pair_error(translated.style_again, styles.flip(0)),
                'loss/discriminator': (
                    lsgan_loss(judge(synthetic, painted), real=True)
                    + lsgan_loss(
                        judge(restyled_painted.detach(), restyled_synthetic.detach()), real=False
                    )
                ),
            }
            stage.report(losses, [*synthetic_batch.names, *painted_batch.names])
            judging_optimizer.zero_grad()
            fabric.backward(losses['loss/discriminator'])
            judging_optimizer.step()
            judging_schedule.step()

            # The discriminators, one step further, judge the same images again.
            deception = lsgan_loss(judge(restyled_painted, restyled_synthetic), real=True)
            stage.report({'loss/adversarial': deception}, synthetic_batch.names)
            optimizer.zero_grad()
            fabric.backward(
                weights.image * losses['loss/image']
                + weights.structure * losses['loss/structure']
                + weights.style * losses['loss/style']
                + weights.adversarial * deception
            )
            optimizer.step()
            schedule.step()
            ema.update_parameters(translator.structure_encoder)

            if stage.picture_due():
                with torch.no_grad(), fabric.autocast():  # which Fabric does for forward only
                    swapped = [image.float() for image in translator.swapped(synthetic, painted)]
                stage.show(
                    synthetic=synthetic,
                    painted=painted,
                    synthetic_in_painted_style=swapped[0],
                    painted_in_synthetic_style=swapped[1],
                    synthetic_redrawn=translated.redrawn[0],
                    painted_redrawn=translated.redrawn[1],
                )

        # Result
        return stage.finish(structure_encoder=ema.network)


def _adam(module: nn.Module, settings: SteEncoderSettings) -> tuple[Adam, StepLR]:
    optimizer = Adam(
        module.parameters(),
        settings.learning_rate,
        betas=(0.5, 0.999),
        weight_decay=settings.weight_decay,
    )
    return optimizer, StepLR(optimizer, settings.halve_every_steps, gamma=0.5)


def _pair_error(images: Iterable[Tensor], targets: Iterable[Tensor]) -> Tensor:
    return torch.stack([reconstruction_error(*pair) for pair in zip(images, targets)]).sum()
