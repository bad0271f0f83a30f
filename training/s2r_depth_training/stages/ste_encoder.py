"""
Stage 1: the structure encoder Es, learnt by translating between synthetic images and paintings.

The published method describes this stage in words only; this is an implementation of those words.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn, Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR

from s2r_depth_ros.network import Architecture

from ..checkpoints import load_result
from ..inputs import translation_loader
from ..losses import judged_as, reconstruction_error
from ..ranges import check_ranges
from ..run import averaged, batches_from, LoopSettings, Stage
from ..translation import Discriminators, Translator

if TYPE_CHECKING:
    from ..config import Config

NAME = 'ste_encoder'


@dataclass(frozen=True)
class TranslationWeights:
    """
    How much each loss of stage 1 counts.

    :param image: an image redrawn from its own codes.
    :param structure: the structure code of a restyled image.
    :param style: the style code of a restyled image.
    :param adversarial: restyled images taken for real ones.
    """

    image: float = 10.0
    structure: float = 1.0
    style: float = 1.0
    adversarial: float = 1.0

    def __post_init__(self):
        check_ranges(self, 'image', 'structure', 'style', 'adversarial', least=0)


@dataclass(frozen=True)
class SteEncoderSettings(LoopSettings):
    """
    Stage 1.

    :param steps: length of the stage.
    :param halve_every_steps: the learning rate is halved each time.
    :param weight_decay: of Adam.
    :param crop_px: side of the square crops, a multiple of 4.
    :param style_size: numbers in a style code.
    :param discriminator_scales: sizes at which images are judged, each half the one before.
    :param weights: of the losses.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to begin with; null for a
        random start.
    """

    batch_size: int = 1
    steps: int = 200_000
    halve_every_steps: int = 100_000
    weight_decay: float = 1e-4
    crop_px: int = 256
    style_size: int = 8
    discriminator_scales: int = 3
    weights: TranslationWeights = field(default_factory=TranslationWeights)
    init_from: Path | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(
            self, 'steps', 'halve_every_steps', 'style_size', 'discriminator_scales', least=1)
        check_ranges(self, 'weight_decay', least=0)
        smallest = 32 << (self.discriminator_scales - 1)
        if self.crop_px % 4 or self.crop_px < smallest:
            raise ValueError(
                f'crop_px must be a multiple of 4 and at least {smallest} for '
                f'{self.discriminator_scales} discriminator scales, got {self.crop_px}')


def train(config: Config, resume: bool = False) -> Path:
    """
    Train the structure encoder and return the file with it.

    :param config: of the run; ``config.ste_encoder`` is this stage's part.
    :param resume: go on from the last checkpoint.
    :raises TrainingError: if the run cannot start or go on.
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
                settings.init_from, config.architecture,
                structure_encoder=translator.structure_encoder)
        discriminators = Discriminators(architecture, settings.discriminator_scales)

        # Optimisers
        optimizer, schedule = _adam(translator, settings)
        judging_optimizer, judging_schedule = _adam(discriminators, settings)
        translate, optimizer = fabric.setup(translator, optimizer)
        judge, judging_optimizer = fabric.setup(discriminators, judging_optimizer)
        average = averaged(translator.structure_encoder, settings.ema_decay)
        stage.track(
            loader, translator=translator, discriminators=discriminators, optimizer=optimizer,
            judging_optimizer=judging_optimizer, schedule=schedule,
            judging_schedule=judging_schedule, average=average)

        # Loop
        for synthetic_batch, painted_batch in stage.loop(
                batches_from(loader, stage.step), settings.steps):
            synthetic = fabric.to_device(synthetic_batch.image)
            painted = fabric.to_device(painted_batch.image)
            styles = fabric.to_device(torch.randn(
                2, len(synthetic), settings.style_size, generator=stage.random()))

            made = translate(synthetic, painted, *styles)
            restyled_synthetic, restyled_painted = made.restyled
            losses = {
                'loss/image': _pair_error(made.redrawn, (synthetic, painted)),
                'loss/structure': _pair_error(made.structure_again, made.structure),
                'loss/style': _pair_error(made.style_again, styles.flip(0)),
                'loss/discriminator': (
                    judged_as(judge(synthetic, painted), real=True)
                    + judged_as(judge(
                        restyled_painted.detach(), restyled_synthetic.detach()), real=False)),
            }
            stage.report(losses, [*synthetic_batch.names, *painted_batch.names])
            judging_optimizer.zero_grad()
            fabric.backward(losses['loss/discriminator'])
            judging_optimizer.step()
            judging_schedule.step()

            # Now that they have learnt from it, the discriminators judge the same images again.
            deception = judged_as(
                judge(restyled_painted, restyled_synthetic), real=True)
            stage.report({'loss/adversarial': deception}, synthetic_batch.names)
            optimizer.zero_grad()
            fabric.backward(
                weights.image * losses['loss/image']
                + weights.structure * losses['loss/structure']
                + weights.style * losses['loss/style']
                + weights.adversarial * deception)
            optimizer.step()
            schedule.step()
            average.update_parameters(translator.structure_encoder)

            if stage.picture_due():
                with torch.no_grad(), fabric.autocast():  # which Fabric does for forward only
                    swapped = [
                        image.float() for image in translator.swapped(synthetic, painted)]
                stage.show(
                    synthetic=synthetic, painted=painted, synthetic_in_painted_style=swapped[0],
                    painted_in_synthetic_style=swapped[1], synthetic_redrawn=made.redrawn[0],
                    painted_redrawn=made.redrawn[1])

        # Hand-over
        return stage.finish(structure_encoder=average.module)


def _adam(module: nn.Module, settings: SteEncoderSettings) -> tuple[Adam, StepLR]:
    optimizer = Adam(
        module.parameters(), settings.learning_rate, betas=(0.5, 0.999),
        weight_decay=settings.weight_decay)
    return optimizer, StepLR(optimizer, settings.halve_every_steps, gamma=0.5)


def _pair_error(made: Iterable[Tensor], wanted: Iterable[Tensor]) -> Tensor:
    return torch.stack(
        [reconstruction_error(*pair) for pair in zip(made, wanted)]).sum()
