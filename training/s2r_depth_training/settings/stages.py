"""The settings of the stages: one dataclass for each, and base classes for common settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from s2r_depth_ros.weights.info import MOST_CONTRAST

from ..ranges import check_ranges
from .data import SourceSettings
from .renamed import earlier_name_of, move_renamed

_MOST_JUDGE_CHANNELS = 256  # of s2r_depth_ros.network, whose import takes seconds


@dataclass(frozen=True)
class LoopSettings:
    """
    Settings of the training loop of every stage.

    :param batch_size: images per step, in all processes together.
    :param learning_rate: learning rate of the optimizer.
    :param ema_decay: decay per step of the moving average of the weights. The result of the stage
        is this average; with 0, it is the last weights.
    :param max_minutes: time limit of the stage in minutes; null means no limit.
    :param log_every_steps: steps between TensorBoard scalars.
    :param checkpoint_every_steps: steps between checkpoints.
    :param pictures_every_steps: steps between pictures of the maps.
    """

    batch_size: int = 32
    learning_rate: float = 1e-4
    ema_decay: float = 0.998
    max_minutes: float | None = None
    log_every_steps: int = 10
    checkpoint_every_steps: int = 500
    pictures_every_steps: int = 500

    def __post_init__(self):
        move_renamed(self)
        check_ranges(
            self,
            'batch_size',
            'log_every_steps',
            'checkpoint_every_steps',
            'pictures_every_steps',
            least=1,
        )
        check_ranges(self, 'ema_decay', least=0, below=1)
        check_ranges(self, 'learning_rate', above=0)
        check_ranges(self, 'max_minutes', least=0)


@dataclass(frozen=True)
class EpochSettings(LoopSettings):
    """
    Settings of the stages that learn from depth.

    :param epochs: length of the stage; each image is used once per epoch.
    :param schedule: ``halving`` (published), or ``cosine``: the learning rate falls to 0 at the
        end of ``epochs`` or of ``max_minutes``, whichever comes first.
    :param halve_every_epochs: epochs after which the learning rate is halved, again and again.
    :param optimizer: ``adam`` (published), or ``muon``: Muon for the hidden convolutions, and Adam
        for all other parameters.
    """

    epochs: float = 30.0
    schedule: Literal['halving', 'cosine'] = 'halving'
    halve_every_epochs: float = 10.0
    optimizer: Literal['adam', 'muon'] = 'adam'

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'epochs', 'halve_every_epochs', above=0)


@dataclass(frozen=True)
class DepthSettings(EpochSettings):
    """
    Settings of the stages with a depth loss.

    :param inverse_depth_weighting: how much more near depths affect the loss. With 0 (published),
        the loss measures errors in metres. With a large value, it measures relative errors.
    :param scale_invariant_weight: weight of the scale-invariant logarithmic error; 0 (published)
        turns it off.
    :param nearness: earlier name of ``inverse_depth_weighting``, for one release.
    :param proportion_weight: earlier name of ``scale_invariant_weight``, for one release.
    """

    inverse_depth_weighting: float = 0.0
    scale_invariant_weight: float = 0.0
    nearness: float | None = earlier_name_of('inverse_depth_weighting')
    proportion_weight: float | None = earlier_name_of('scale_invariant_weight')

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'inverse_depth_weighting', 'scale_invariant_weight', least=0)


@dataclass(frozen=True)
class TranslationWeights:
    """
    Weights of the losses of stage 1.

    :param image: reconstruction of an image from its own codes.
    :param structure: reconstruction of the structure code of a restyled image.
    :param style: reconstruction of the style code of a restyled image.
    :param adversarial: adversarial loss of restyled images.
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

    :param steps: length of the stage in steps.
    :param halve_every_steps: steps after which the learning rate is halved, again and again.
    :param weight_decay: weight decay of Adam.
    :param crop_px: side of the square crops in pixels, a multiple of 4.
    :param style_size: number of values of a style code.
    :param discriminator_scales: number of image sizes that the discriminators see. Each is half
        the previous one.
    :param weights: weights of the losses.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to start from; null means
        random weights.
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
            self, 'steps', 'halve_every_steps', 'style_size', 'discriminator_scales', least=1
        )
        check_ranges(self, 'weight_decay', least=0)
        smallest = 32 << (self.discriminator_scales - 1)
        if self.crop_px % 4 or self.crop_px < smallest:
            raise ValueError(
                f'crop_px must be a multiple of 4 and at least {smallest} for '
                f'{self.discriminator_scales} discriminator scales, got {self.crop_px}'
            )


@dataclass(frozen=True)
class SteDecoderSettings(DepthSettings):
    """
    Stage 2.

    :param structure_weight: weight of the structure penalty (lambda of the publication).
    :param beta: how fast the penalty falls with the gradient of depth, which is in units of the
        range [-1, 1] per pixel. 0.001 (published) penalises structure everywhere equally.
    :param train_encoder: also train the encoder, which otherwise stays that of stage 1. With
        ``init_from``, its training continues. Without, it starts from random weights, which is an
        ablation.
    :param encoder: a ``result.pt`` of stage 1; null means that of this run.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to start from; null means
        random weights.
    """

    structure_weight: float = 1.0
    beta: float = 0.001
    train_encoder: bool = False
    encoder: Path | None = None
    init_from: Path | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'structure_weight', 'beta', least=0)


@dataclass(frozen=True)
class AttentionSettings(EpochSettings):
    """
    Pre-training of the attention before stage 3, with ``dsa.pretrain_attention``.

    :param inverse_depth_slope: n of the target map l + (1 - l) / (1 + n f), where f is depth /
        range.
    :param least: l of this map, its lower limit. With 0, the structure of far surfaces would be
        lost.
    :param init_from: a ``result.pt`` with an attention, or a weights file, to start from; null
        means random weights.
    :param nearness: earlier name of ``inverse_depth_slope``, for one release.
    """

    epochs: float = 1.0
    halve_every_epochs: float = 0.25
    inverse_depth_slope: float = 8.0
    least: float = 0.5
    init_from: Path | None = None
    nearness: float | None = earlier_name_of('inverse_depth_slope')

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'inverse_depth_slope', above=0)
        check_ranges(self, 'least', least=0, below=1)


@dataclass(frozen=True)
class DsaSettings(DepthSettings):
    """
    Stage 3.

    :param structure: a ``result.pt`` of stage 2; null means that of this run.
    :param trunk: weights of a DRN-D-22 trained on ImageNet (``drn_d_22.pth``) for the trunk of
        the attention; paper architecture only. Null means random weights.
    :param init_from: a ``result.pt`` of this stage, or a weights file, to start from; null means
        random weights.
    :param attention_rate: factor on the learning rate of the attention; 0 freezes it. A large
        factor makes the depth network worse.
    :param structure_rate: factor on the learning rate of structure encoder and decoder; 0
        (published) freezes them.
    :param pretrain_attention: start from the result of the stage ``attention`` of this run,
        instead of random weights.
    :param init_attention_from: a ``result.pt`` with an attention to start from, instead of that of
        this run.
    :param init_depth_from: a ``result.pt`` with a depth network to start from. That of stage 2
        shortens this stage. Null (published) means random weights.
    :param nearness_first: earlier name of ``pretrain_attention``, for one release.
    """

    structure: Path | None = None
    trunk: Path | None = None
    init_from: Path | None = None
    attention_rate: float = 1.0
    structure_rate: float = 0.0
    pretrain_attention: bool = False
    init_attention_from: Path | None = None
    init_depth_from: Path | None = None
    nearness_first: bool | None = earlier_name_of('pretrain_attention')

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'attention_rate', 'structure_rate', least=0)


@dataclass(frozen=True)
class RgbBaselineSettings(DepthSettings):
    """
    The baseline: a depth network whose input is the image (three channels).

    :param init_from: a ``result.pt`` of this baseline to start from; null means random weights.
    """

    init_from: Path | None = None


@dataclass(frozen=True)
class JudgeSettings(EpochSettings):
    """
    The judge, which learns expected error and probability of ground for a complete network.

    :param channels: number of channels; 0 means no judge, and ``all`` omits this stage.
    :param weights: the network to judge: a file, or ``outdoor`` or ``indoor`` for the bundled
        weights; null means the result of stage 3 of this run.
    """

    batch_size: int = 16
    learning_rate: float = 2e-3
    epochs: float = 1.0
    schedule: Literal['halving', 'cosine'] = 'cosine'
    channels: int = 16
    weights: str | None = None

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'channels', least=0, most=_MOST_JUDGE_CHANNELS)


Part = Literal['structure_encoder', 'structure_decoder', 'attention', 'depth']


@dataclass(frozen=True)
class FineTuneSettings(DepthSettings):
    """
    Fine-tuning on labelled images.

    :param weights: weights to start from: a file, or ``outdoor`` or ``indoor`` for the bundled
        ones; null means the result of stage 3 of this run.
    :param freeze: parts that are not trained.
    :param data: the labelled real images. Pixels without depth are ignored. Size, focal length and
        range are those of the weights.
    :param max_depth_m: new top of the depth range in metres, which the network must then learn;
        null keeps that of the weights.
    :param contrast_limit: new limit of the equalization of the images; null keeps that of the
        weights.
    :param frozen: earlier name of ``freeze``, for one release.
    """

    batch_size: int = 8
    learning_rate: float = 2e-5
    weights: str | None = None
    freeze: list[Part] = field(default_factory=lambda: ['structure_encoder', 'structure_decoder'])
    data: SourceSettings = field(default_factory=lambda: SourceSettings(dataset='kitti_depth'))
    max_depth_m: float | None = None
    contrast_limit: float | None = None
    frozen: list[Part] | None = earlier_name_of('freeze')

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, 'max_depth_m', above=0)
        check_ranges(self, 'contrast_limit', least=0, most=MOST_CONTRAST)
