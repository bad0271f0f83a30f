"""Layers that several modules of the network share."""

from collections import OrderedDict

import torch
from torch import nn
import torch.nn.functional as F

from .architecture import Architecture


def reflect_conv(
    channels_in: int,
    channels_out: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int = 1,
    dilation: int = 1,
    bias: bool = True,
) -> nn.Conv2d:
    """Return a convolution with reflection padding, for (B, C, H, W) maps."""
    return nn.Conv2d(
        channels_in,
        channels_out,
        kernel,
        stride,
        padding,
        dilation,
        bias=bias,
        padding_mode='reflect',
    )


def conv_norm(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Return a zero-padded convolution without bias and its batch norm (``conv``, ``norm``)."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(
                channels_in, channels_out, kernel, stride, padding, dilation, bias=False
            ),
            norm=nn.BatchNorm2d(channels_out),
        )
    )


def enlarge(x: torch.Tensor) -> torch.Tensor:
    """Resize (B, C, H, W) to (B, C, 2 H, 2 W), bilinear with aligned corners."""
    return F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)


def repeat(x: torch.Tensor) -> torch.Tensor:
    """Resize (B, C, H, W) to (B, C, 2 H, 2 W); each value is repeated."""
    return F.interpolate(x, scale_factor=2, mode='nearest')


class UpProjection(nn.Module):
    """
    Up-projection: twice the size, half as many channels, with a residual branch.

    (B, ``channels_in``, H, W) -> (B, ``channels_out``, 2 H, 2 W), values at least 0.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.main = conv_norm(channels_in, channels_out, 5)
        self.main2 = conv_norm(channels_out, channels_out, 3)
        self.residual = conv_norm(channels_in, channels_out, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the enlarged map; shapes as in the class."""
        x = enlarge(x)
        return F.relu_(self.main2(F.relu_(self.main(x))).add_(self.residual(x)))


class LightUpProjection(nn.Module):
    """
    The up-projection with pointwise convolutions before the enlargement: 30 times cheaper.

    (B, ``channels_in``, H, W) -> (B, ``channels_out``, 2 H, 2 W), values at least 0.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.main = conv_norm(channels_in, channels_out, 1)
        self.main2 = conv_norm(channels_out, channels_out, 3)
        self.residual = conv_norm(channels_in, channels_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the enlarged map; shapes as in the class."""
        main = self.main2(enlarge(F.relu_(self.main(x))))
        return F.relu_(main.add_(enlarge(self.residual(x))))


def up_projection(channels_in: int, channels_out: int, architecture: Architecture) -> nn.Module:
    """Return the up-projection of ``architecture``."""
    kind = LightUpProjection if architecture.light_decoders else UpProjection
    return kind(channels_in, channels_out)


class SharedPReLU(nn.PReLU):
    """PReLU with one slope for all channels and a fast gradient on a CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x where it is positive, elsewhere slope times x; any shape."""
        if self.training and x.device.type == 'cpu':
            return _SharedSlope.apply(x, self.weight)
        return super().forward(x)


class _SharedSlope(torch.autograd.Function):
    """Gradient of PReLU, twelve times as fast as PyTorch's (CPU, bfloat16)."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x, slope)
        return F.leaky_relu(x, slope.item())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        x, slope = ctx.saved_tensors
        of_x = torch.ops.aten.leaky_relu_backward(gradient, x, slope.item(), False)
        of_slope = (gradient * x.clamp(max=0)).sum(dtype=torch.float32)
        return of_x, of_slope.to(slope.dtype).view_as(slope)


class MapHead(nn.Module):
    """Features (B, ``channels_in``, H, W) to one map (B, 1, H, W) with values in [0, 1]."""

    def __init__(self, channels_in: int):
        super().__init__()
        self.conv = reflect_conv(channels_in, 1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the map; shapes as in the class."""
        return torch.sigmoid(self.conv(x))
