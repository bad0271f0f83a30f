"""DRN-D-22: the dilated residual network (variant D, 22 layers) of the attention network."""

import torch
from torch import nn
import torch.nn.functional as F

from .architecture import Architecture
from .layers import conv_norm


class _PlainBlock(nn.Module):
    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
    ):
        super().__init__()
        self.layer = conv_norm(channels_in, channels_out, kernel, stride=stride, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu_(self.layer(x))


class _BasicBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.stride = stride
        self.layer1 = conv_norm(channels_in, channels_out, 3, stride=stride, dilation=dilation)
        self.layer2 = conv_norm(channels_out, channels_out, 3, dilation=dilation)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and channels_in == channels_out
            else conv_norm(channels_in, channels_out, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The stride is applied by indexing: oneDNN 3.x writes out of bounds in the gradient of a
        # strided pointwise convolution (bfloat16, channels last).
        strided = x[:, :, :: self.stride, :: self.stride]
        return F.relu_(self.layer2(F.relu_(self.layer1(x))).add_(self.shortcut(strided)))


class DilatedResidualNet(nn.Module):
    """
    The trunk: image (B, 3, H, W) in [-1, 1] -> features (B, C, H/8, W/8), C = 512 in the paper.

    Dilation in place of stride keeps 1/8 of the resolution. The field of view is wide enough to
    distinguish a lane marking from a kerb.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        c16, c32, c64, c128, c256, c512 = (
            architecture.channels(c) for c in (16, 32, 64, 128, 256, 512)
        )
        self.channels = c512
        self.base = nn.Sequential(
            _PlainBlock(3, c16, 7),
            _PlainBlock(c16, c16),
            _PlainBlock(c16, c32, stride=2),
            nn.Sequential(_BasicBlock(c32, c64, stride=2), _BasicBlock(c64, c64)),
            nn.Sequential(_BasicBlock(c64, c128, stride=2), _BasicBlock(c128, c128)),
            nn.Sequential(
                _BasicBlock(c128, c256, dilation=2), _BasicBlock(c256, c256, dilation=2)
            ),
            nn.Sequential(
                _BasicBlock(c256, c512, dilation=4), _BasicBlock(c512, c512, dilation=4)
            ),
            _PlainBlock(c512, c512, dilation=2),
            _PlainBlock(c512, c512),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the features; shapes as in the class."""
        return self.base(image)
