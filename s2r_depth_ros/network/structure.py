"""STE: the structure encoder and decoder, from an image to its structure map."""

import torch
from torch import nn
import torch.nn.functional as F

from .architecture import Architecture
from .layers import MapHead, reflect_conv, up_projection


def _activated(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu_(x, 0.2)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = reflect_conv(channels, channels, 3)
        self.conv2 = reflect_conv(channels, channels, 3)
        self.norm = nn.InstanceNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv2(_activated(self.norm(self.conv1(x))))).add_(x)


class StructureEncoder(nn.Module):
    """
    Es: image (B, 3, H, W) in [-1, 1] -> structure code (B, C, H/4, W/4), C = 256 in the paper.

    Stage 1 of the training makes the code independent of the style of the image.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        c64, c128, c256 = (architecture.channels(c) for c in (64, 128, 256))
        self.stem = reflect_conv(3, c64, 7, padding=3)
        self.down1 = reflect_conv(c64, c128, 4, stride=2)
        self.down2 = reflect_conv(c128, c256, 4, stride=2)
        self.residual = nn.Sequential(*(_ResidualBlock(c256) for _ in range(4)))
        # Instance norms without parameters remove the style and leave the structure.
        self.norm1, self.norm2, self.norm3 = (nn.InstanceNorm2d(c) for c in (c64, c128, c256))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the structure code; shapes as in the class."""
        x = _activated(self.norm1(self.stem(image)))
        x = _activated(self.norm2(self.down1(x)))
        x = _activated(self.norm3(self.down2(x)))
        return self.residual(x)


class StructureDecoder(nn.Module):
    """Ds: structure code (B, C, H/4, W/4) -> structure map S (B, 1, H, W) in [0, 1]."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        c64, c128, c256 = (architecture.channels(c) for c in (64, 128, 256))
        self.up1 = up_projection(c256, c128, architecture)
        self.up2 = up_projection(c128, c64, architecture)
        self.head = MapHead(c64)

    def forward(self, structure_code: torch.Tensor) -> torch.Tensor:
        """Return the structure map; shapes as in the class."""
        return self.head(self.up2(self.up1(structure_code)))
