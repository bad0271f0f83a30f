"""A trained network with another attention: even, or mirrored."""

from __future__ import annotations

from typing import Literal

from torch import nn, Tensor

from s2r_depth_ros.network import S2RDepthNet

Attention = Literal['own', 'even', 'mirrored']


class AttentionOverride(nn.Module):
    """
    The attention of a network with another map in the place of its own.

    :param attention: the network's own.
    :param kind: even for the mean of the map all over it, mirrored for the map left to right.
    """

    def __init__(self, attention: nn.Module, kind: Literal['even', 'mirrored']):
        super().__init__()
        self.attention = attention
        self.kind = kind

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 1, H, W) in [0, 1] of an image (B, 3, H, W)."""
        own = self.attention(image)
        if self.kind == 'even':
            return own.mean((2, 3), keepdim=True).expand_as(own)
        return own.flip(3)


def with_attention(network: S2RDepthNet, kind: Attention) -> S2RDepthNet:
    """
    Give a network another attention; a depth that stays as good had no use for its own.

    :param network: changed in place.
    :param kind: own leaves it as it is; the others are those of :class:`AttentionOverride`.
    :returns: the network.
    """
    if kind != 'own':
        network.attention = AttentionOverride(network.attention, kind)  # type: ignore[assignment]
    return network
