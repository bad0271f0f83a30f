"""The judge: what the network itself can tell about its depth."""

from typing import NamedTuple

import torch
from torch import nn
import torch.nn.functional as F

from .layers import conv_norm, enlarge, repeat

_BESIDE = 5  # channels at the full size: the image, the depth-specific structure, the depth
_LEAST_FRACTION = 1e-3  # of the range; keeps the logarithm finite
_LOG_SCALE = 1 / 3  # brings the logarithm of the depth to the size of the other channels


class Judgement(NamedTuple):
    """
    Two maps (B, 1, H, W) for a batch of B images of H x W, computed at half the size.

    ``log_error`` is the logarithm of the expected error of ln(depth). ``ground`` is the
    probability that the pixel shows the ground, in [0, 1].
    """

    log_error: torch.Tensor
    ground: torch.Tensor


class Judge(nn.Module):
    """
    Tells how far the depth can be trusted, and where the ground is.

    It reads the features of the depth network and does not change them. So the depth is the same
    with and without it. The method (CVPR 2021) has no such part.

    :param feature_channels: channels of the features at 1/8, 1/4 and 1/2 of the size.
    :param channels: the channels of its own layers; half as many at 1/2 of the size.
    """

    def __init__(self, feature_channels: tuple[int, int, int], channels: int):
        super().__init__()
        at_8th, at_4th, at_half = feature_channels
        self.layer8 = conv_norm(at_8th, channels, 3)
        self.layer8_wide = conv_norm(channels, channels, 3, dilation=2)
        self.layer4 = conv_norm(at_4th + channels, channels, 3)
        fewer = (channels + 1) // 2  # half the size is where most of the operations are
        self.layer2 = conv_norm(at_half + channels + _BESIDE, fewer, 3)
        self.log_error = nn.Conv2d(fewer, 1, 3, padding=1)
        self.ground = nn.Conv2d(fewer, 1, 3, padding=1)

    def forward(
        self,
        features: tuple[torch.Tensor, ...],
        image: torch.Tensor,
        structure: torch.Tensor,
        depth: torch.Tensor,
    ) -> Judgement:
        """
        Return the judgement of the depth.

        :param features: (B, C, h, w) at 1/8, 1/4 and 1/2 of the size.
        :param image: (B, 3, H, W) in [-1, 1].
        :param structure: (B, 1, H, W) depth-specific structure in [0, 1].
        :param depth: (B, 1, H, W) in [-1, 1].
        """
        eighth, quarter, half = features
        log_depth = torch.log((depth + 1) * 0.5 + _LEAST_FRACTION) * _LOG_SCALE
        beside = torch.cat([image, structure, log_depth.to(image.dtype)], dim=1)
        x = F.relu(self.layer8(eighth))
        x = x + F.relu(self.layer8_wide(x))
        x = F.relu(self.layer4(torch.cat([repeat(x), quarter], dim=1)))
        x = F.relu(self.layer2(torch.cat([repeat(x), half, F.avg_pool2d(beside, 2)], dim=1)))
        log_error, ground = enlarge(self.log_error(x)), enlarge(self.ground(x))
        return Judgement(log_error.float(), torch.sigmoid(ground.float()))
