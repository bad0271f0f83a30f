"""The inference form of the network: the same maps from fewer and larger operations."""
from __future__ import annotations

from collections.abc import Callable
import copy
import math
from typing import Any

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from .depth import DecoderBlock, DepthNet, InceptionBlock
from .layers import enlarge, UpProjection
from .winograd import WinogradConv

# Convolutions and the batch norms that follow them, where these are not one Sequential.
_FOLLOWED = {
    DepthNet: (('stem', 'stem_norm'),),
    InceptionBlock: (('merge', 'norm2'),),
    DecoderBlock: (('conv', 'norm1'), ('enlarge', 'norm2')),
}
_WINOGRAD_CHANNELS = 64  # with fewer, the transforms cost more than the products save
_LANES = 16  # float32 numbers in the widest vector register of a CPU


def inference_form(
    network: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """
    Return a copy of a network that computes the same, faster.

    Batch norms are folded into the convolutions before them, and the two first convolutions of an
    up-projection run as one. On a CPU, convolutions of few outputs and mirrored borders get a form
    that suits vector units, and the largest of all :class:`WinogradConv`. The copy can neither be
    trained nor saved.

    :param network: :class:`S2RDepthNet` or a part of it, float32, on the CPU; stays as it is.
    :param device: where the copy runs.
    :param dtype: what it computes in, by autocast; less than float32 is too coarse for Winograd.
    :returns: the copy, on ``device``, channels last; its maps are within 1e-4 of the network's.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    network = _replaced(network, _folded)
    if device.type == 'cpu':
        network = _replaced(network, _for_cpu)
        if dtype is torch.float32:
            network = _replaced(network, _with_fewer_products)
    # Channels last is what the vector units of CPUs and the tensor cores of GPUs read.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(device)


def _replaced(module: nn.Module, replace: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Return what ``replace`` makes of the module, after each of its parts was replaced."""
    for name, part in module.named_children():
        setattr(module, name, _replaced(part, replace))
    return replace(module)


def _folded(module: Any) -> nn.Module:
    """Return the module with its batch norms in its convolutions."""
    if type(module) is nn.Sequential and hasattr(module, 'norm'):  # layers.conv_norm
        pair: Any = tuple(module)
        return fuse_conv_bn_eval(*pair)
    if isinstance(module, UpProjection):
        return _JoinedUpProjection(module)
    for conv_name, norm_name in _FOLLOWED.get(type(module), ()):
        conv, norm = getattr(module, conv_name), getattr(module, norm_name)
        setattr(module, conv_name, fuse_conv_bn_eval(
            conv, norm, transpose=isinstance(conv, nn.ConvTranspose2d)))
        setattr(module, norm_name, nn.Identity())
    if isinstance(module, InceptionBlock):
        _fold_branches(module)
    return module


def _fold_branches(block: Any) -> None:
    """Fold the one batch norm of three concatenated convolutions into each of them."""
    norm = block.norm1
    shares = zip(*(values.chunk(len(block.branches)) for values in (
        norm.running_mean, norm.running_var, norm.weight, norm.bias)))
    for conv, (mean, variance, weight, bias) in zip(block.branches, shares):
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, None, mean, variance, norm.eps, weight, bias)
    block.norm1 = nn.Identity()


class _JoinedUpProjection(nn.Module):
    """:class:`UpProjection` whose two convolutions of the same map are one."""

    def __init__(self, folded: Any):
        super().__init__()
        main, residual = folded.main, folded.residual
        self.first = nn.Conv2d(
            main.in_channels, 2 * main.out_channels, main.kernel_size, padding=main.padding)
        self.first.weight = nn.Parameter(torch.cat([main.weight, residual.weight]), False)
        self.first.bias = nn.Parameter(torch.cat([main.bias, residual.bias]), False)
        self.main2 = folded.main2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        main, residual = self.first(enlarge(x)).chunk(2, dim=1)
        return F.relu_(self.main2(F.relu(main)).add_(residual))


def _for_cpu(module: nn.Module) -> nn.Module:
    """Return the module in the form that is fastest on a CPU."""
    if isinstance(module, nn.Conv2d) and (
            module.padding_mode == 'reflect' or module.out_channels <= _LANES // 2):
        return _CpuConv(module)
    if isinstance(module, nn.InstanceNorm2d):  # which would change the memory format and back
        channels = module.num_features
        return nn.GroupNorm(channels, channels, module.eps, affine=False)
    if isinstance(module, nn.PReLU) and module.num_parameters == 1:
        return nn.LeakyReLU(module.weight.item(), inplace=True)
    return module


def _with_fewer_products(module: nn.Module) -> nn.Module:
    """Return a convolution of many channels and a wide kernel in Winograd's form."""
    if isinstance(module, nn.Conv2d) and module.kernel_size == (5, 5) and min(
            module.in_channels, module.out_channels) >= _WINOGRAD_CHANNELS:
        return WinogradConv(module)
    return module


class _CpuConv(nn.Module):
    """
    A convolution that fills vector registers also where it has few outputs.

    Vector units compute the outputs of one pixel at once; with a single output, one lane works and
    15 rest. Here neighbouring columns are computed as if they were further outputs of one pixel,
    by copies of the kernel, each shifted by a column. Channels last, the outputs of neighbouring
    pixels lie one after the other, so that the result is the map itself, in another view.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self._conv = conv
        padding = int(conv.padding[0])
        self._border, self._padding = (
            (padding, 0) if conv.padding_mode == 'reflect' else (0, padding))
        self._kernels: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._border:
            x = _mirrored(x, self._border)
        conv, stride = self._conv, self._conv.stride[0]
        span = conv.dilation[0] * (conv.kernel_size[1] - 1)
        width = (x.shape[3] + 2 * self._padding - span - 1) // stride + 1
        columns = (
            1 if conv.dilation[0] > 1
            else math.gcd(width, max(1, _LANES // conv.out_channels)))
        if columns not in self._kernels:
            self._kernels[columns] = self._shifted(columns)
        x = F.conv2d(
            x, *self._kernels[columns], (stride, stride * columns), self._padding, conv.dilation)
        batch, _, height, _ = x.shape
        return x.permute(0, 2, 3, 1).reshape(
            batch, height, width, conv.out_channels).permute(0, 3, 1, 2)

    def _shifted(self, columns: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the weights and the bias that compute so many columns at once."""
        conv, stride = self._conv, self._conv.stride[0]
        weight = torch.cat([
            F.pad(conv.weight, (stride * i, stride * (columns - 1 - i))) for i in range(columns)])
        bias = None if conv.bias is None else conv.bias.repeat(columns)
        return weight.contiguous(memory_format=torch.channels_last), bias


def _mirrored(x: torch.Tensor, border: int) -> torch.Tensor:
    """Return ``F.pad(x, [border] * 4, mode='reflect')``; channels last, many times as fast."""
    batch, channels, height, width = x.shape
    padded = torch.empty(
        (batch, channels, height + 2 * border, width + 2 * border), dtype=x.dtype,
        device=x.device, memory_format=torch.channels_last)
    inner = padded[:, :, border:-border]
    inner[..., border:-border] = x
    for i in range(border):
        inner[..., i] = x[..., border - i]
        inner[..., -1 - i] = x[..., i - border - 1]
    for i in range(border):
        padded[:, :, i] = padded[:, :, 2 * border - i]
        padded[:, :, -1 - i] = padded[:, :, i - 2 * border - 1]
    return padded
