"""DP: depth prediction at four scales from one depth-specific structure map."""

from collections.abc import Callable
from functools import partial
import math

import torch
from torch import nn
import torch.nn.functional as F

from .architecture import Architecture
from .layers import conv_norm, reflect_conv, repeat, SharedPReLU

Activation = Callable[[torch.Tensor], torch.Tensor]
Depths = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]  # coarse to fine

# Factors on the skips at 1/2, 1/4 and 1/8 of the size, as published. They are small so that the
# layers with a wide field of view decide the depth.
FAINT_SKIP_SCALES = (0.01, 0.05, 0.1)


class _EncoderBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.layer1 = conv_norm(channels_in, channels_out, 3)
        self.layer2 = conv_norm(channels_out, channels_out, 3)

    def forward(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        return activation(self.layer2(activation(self.layer1(x))))


class InceptionBlock(nn.Module):
    """Three convolutions of different dilation, merged and added: (B, C, H, W), same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.branches = nn.ModuleList(
            reflect_conv(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
            for dilation in (1, 3, 5)
        )
        self.norm1 = nn.BatchNorm2d(3 * channels)
        self.merge = reflect_conv(3 * channels, channels, 3, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        """Return the map; shapes as in the class."""
        views = torch.cat([branch(x) for branch in self.branches], dim=1)
        merged = self.norm2(self.merge(activation(self.norm1(views))))
        return activation(merged + x)


class DecoderBlock(nn.Module):
    """(B, ``channels_in``, H, W) -> (B, ``channels_out``, 2 H, 2 W)."""

    def __init__(self, channels_in: int, channels_middle: int, channels_out: int):
        super().__init__()
        self.conv = reflect_conv(channels_in, channels_middle, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_middle)
        self.enlarge = nn.ConvTranspose2d(
            channels_middle, channels_out, 3, stride=2, padding=1, output_padding=1
        )
        self.norm2 = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        """Return the enlarged map; shapes as in the class."""
        x = activation(self.norm1(self.conv(x)))
        return activation(self.norm2(self.enlarge(x)))


class DepthNet(nn.Module):
    """
    DP: map (B, 1, H, W) -> depths in [-1, 1] at 1/8, 1/4, 1/2 and 1/1 of the size.

    :param architecture: the sizes.
    :param channels_in: 1 for a structure map; 3 for the baseline, whose input is the image.
    """

    def __init__(self, architecture: Architecture, channels_in: int = 1):
        super().__init__()
        c32, c64, c128, c256, c512 = (architecture.channels(c) for c in (32, 64, 128, 256, 512))
        self._skip_scales = FAINT_SKIP_SCALES if architecture.faint_skips else (1.0, 1.0, 1.0)
        self.activation = SharedPReLU()  # one slope, shared by the whole module

        self.stem = reflect_conv(channels_in, c64, 7, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(c64)
        self.encoder2 = _EncoderBlock(c64, c128)
        self.encoder3 = _EncoderBlock(c128, c256)
        self.encoder4 = _EncoderBlock(c256, c512)

        self.centre = nn.ModuleList(InceptionBlock(c512) for _ in range(3))
        self.decoder8 = DecoderBlock(c512, c512, c256)
        self.decoder4 = DecoderBlock(2 * c256, 2 * c256, c128)
        self.decoder2 = DecoderBlock(2 * c128 + 1, 2 * c128, c64)
        self.decoder1 = DecoderBlock(2 * c64 + 1, 2 * c64, c32)

        self.depth8 = reflect_conv(2 * c256, 1, 3, bias=False)
        self.depth4 = reflect_conv(2 * c128 + 1, 1, 3, bias=False)
        self.depth2 = reflect_conv(2 * c64 + 1, 1, 3, bias=False)
        self.depth1 = reflect_conv(c32 + 1, 1, 7, padding=3, bias=False)
        self.apply(partial(_initialise, published=architecture.width == 1))

    def forward(self, structure: torch.Tensor) -> Depths:
        """Return the four depths, coarse to fine; shapes as in the class."""
        return self.with_features(structure)[0]

    def with_features(self, structure: torch.Tensor) -> tuple[Depths, tuple[torch.Tensor, ...]]:
        """
        Return the four depths, and the features of the decoder from which the first three follow.

        :param structure: as for :meth:`forward`.
        :returns: depths as of :meth:`forward`; features (B, C, h, w) at 1/8, 1/4 and 1/2, with
            the channels of :attr:`feature_channels`.
        """
        act = self.activation
        skip2, skip4, skip8, x = self._encode(structure)
        for block in self.centre:
            x = block(x, act)

        x8 = torch.cat([self.decoder8(x, act), skip8], dim=1)
        depth_8th = _in_range(self.depth8(x8))
        x4 = torch.cat([self.decoder4(x8, act), skip4, repeat(depth_8th.to(x8.dtype))], dim=1)
        depth_4th = _in_range(self.depth4(x4))
        x2 = torch.cat([self.decoder2(x4, act), skip2, repeat(depth_4th.to(x4.dtype))], dim=1)
        depth_half = _in_range(self.depth2(x2))
        x1 = torch.cat([self.decoder1(x2, act), repeat(depth_half.to(x2.dtype))], dim=1)
        return (depth_8th, depth_4th, depth_half, _in_range(self.depth1(x1))), (x8, x4, x2)

    @property
    def feature_channels(self) -> tuple[int, int, int]:
        """The channels of the features of :meth:`with_features`."""
        return self.depth8.in_channels, self.depth4.in_channels, self.depth2.in_channels

    def _encode(self, structure: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the scaled skips at 1/2, 1/4 and 1/8, and the features at 1/16."""
        act = self.activation
        half = F.avg_pool2d(act(self.stem_norm(self.stem(structure))), 2)
        quarter = F.avg_pool2d(self.encoder2(half, act), 2)
        eighth = F.avg_pool2d(self.encoder3(quarter, act), 2)
        sixteenth = F.avg_pool2d(self.encoder4(eighth, act), 2)
        skips = (level * scale for level, scale in zip((half, quarter, eighth), self._skip_scales))
        return (*skips, sixteenth)


def _initialise(module: nn.Module, published: bool) -> None:
    """Initialise as published, N(0, 0.02); with fewer channels as He et al. (ICCV 2015)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        # He's deviation is 0.021 for 512 channels, the most common count in the published network.
        # The output layers always start small, since tanh is flat far from 0.
        small = published or module.out_channels == 1
        deviation = 0.02 if small else math.sqrt(2 / _summed(module))
        nn.init.normal_(module.weight, 0.0, deviation)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _in_range(values: torch.Tensor) -> torch.Tensor:
    """
    Return depth in [-1, 1], float32.

    Near depths are close to -1, where a step of bfloat16 is 3 % of the depth at 5 m.
    """
    return torch.tanh(values.float())


def _summed(convolution: nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Return the number of products in one output value; the mean for a transposed convolution."""
    taps = math.prod(convolution.kernel_size)
    if isinstance(convolution, nn.ConvTranspose2d):
        return convolution.in_channels * taps / math.prod(convolution.stride)
    return convolution.in_channels * taps
