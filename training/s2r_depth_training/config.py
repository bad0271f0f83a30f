"""The settings of a run: one dataclass, written as one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .ranges import check_ranges
from .settings.data import DataSettings, StyleSettings
from .settings.fabric import FabricSettings
from .settings.stages import (
    AttentionSettings,
    DsaSettings,
    FineTuneSettings,
    JudgeSettings,
    RgbBaselineSettings,
    SteDecoderSettings,
    SteEncoderSettings,
)


@dataclass(frozen=True)
class Config:
    """
    All settings that determine the result of a run.

    :param run_dir: folder for all files of the run.
    :param architecture: ``paper`` (as published), or ``compact`` for CPUs and small GPUs.
    :param seed: seed of the weights, the order of the images, and all random changes.
    :param fabric: device, precision and threads.
    :param data: the synthetic images with depth.
    :param styles: the style images of stage 1.
    :param ste_encoder: stage 1.
    :param ste_decoder: stage 2.
    :param attention: pre-training of the attention, before stage 3.
    :param dsa: stage 3.
    :param judge: the judge of the depth, after stage 3.
    :param rgb_baseline: the baseline, which predicts depth directly from RGB.
    :param fine_tune: fine-tuning on real images.
    """

    run_dir: Path
    architecture: Literal['paper', 'compact'] = 'paper'
    seed: int = 1
    fabric: FabricSettings = field(default_factory=FabricSettings)
    data: DataSettings = field(default_factory=DataSettings)
    styles: StyleSettings = field(default_factory=StyleSettings)
    ste_encoder: SteEncoderSettings = field(default_factory=SteEncoderSettings)
    ste_decoder: SteDecoderSettings = field(default_factory=SteDecoderSettings)
    attention: AttentionSettings = field(default_factory=AttentionSettings)
    dsa: DsaSettings = field(default_factory=DsaSettings)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    rgb_baseline: RgbBaselineSettings = field(default_factory=RgbBaselineSettings)
    fine_tune: FineTuneSettings = field(default_factory=FineTuneSettings)

    def __post_init__(self):
        check_ranges(self, 'seed', least=0, below=2**32)  # what numpy takes

    @property
    def weights_file(self) -> Path:
        """The weights of the whole network, which stage 3 writes."""
        return self.run_dir / 'weights.safetensors'

    def result_of(self, stage: str) -> Path:
        """Return the file with the result of ``stage`` of this run."""
        return self.run_dir / stage / 'result.pt'
