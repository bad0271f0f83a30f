"""DSA: depth-specific attention, which selects the structure that indicates depth."""

import torch
from torch import nn

from .architecture import Architecture
from .drn import DilatedResidualNet
from .layers import MapHead, up_projection


class AttentionNet(nn.Module):
    """
    DSA: image (B, 3, H, W) in [-1, 1] -> attention map A (B, 1, H, W) in [0, 1].

    It has no instance norm, which would discard the semantics that attention needs.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        c64, c128, c256 = (architecture.channels(c) for c in (64, 128, 256))
        self.trunk = DilatedResidualNet(architecture)
        self.up1 = up_projection(self.trunk.channels, c256, architecture)
        self.up2 = up_projection(c256, c128, architecture)
        self.up3 = up_projection(c128, c64, architecture)
        self.head = MapHead(c64)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the attention map; shapes as in the class."""
        return self.head(self.up3(self.up2(self.up1(self.trunk(image)))))
