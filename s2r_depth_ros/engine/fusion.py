"""The inference form of the network: the same maps from fewer and larger operations."""

from __future__ import annotations

from collections.abc import Callable
import copy
from typing import Any

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from ..network.depth import DecoderBlock, DepthNet, InceptionBlock
from ..network.layers import enlarge, UpProjection

# Names of convolutions and of the batch norms that follow them, outside of nn.Sequential.
_FOLLOWED = {
    DepthNet: (('stem', 'stem_norm'),),
    InceptionBlock: (('merge', 'norm2'),),
    DecoderBlock: (('conv', 'norm1'), ('enlarge', 'norm2')),
}


def optimize_for_inference(network: nn.Module, device: torch.device) -> nn.Module:
    """
    Return a copy of a network that computes the same maps faster.

    The copy folds batch norms into the convolutions before them. It runs the first two
    convolutions of an up-projection as one. It can neither be trained nor saved.

    :param network: :class:`S2RDepthNet` or a part of it, float32, on the CPU; not changed.
    :param device: device of the copy.
    :returns: the copy, on ``device``, channels last; its maps are within 1e-4 of the network's.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    network = _replaced(network, _folded)
    # Vector units of CPUs and tensor cores of GPUs read channels last.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(device)


def _replaced(module: nn.Module, replace: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Apply ``replace`` to all parts of the module, then to the module; return the result."""
    for name, part in module.named_children():
        setattr(module, name, _replaced(part, replace))
    return replace(module)


def _folded(module: Any) -> nn.Module:
    """Fold batch norms into convolutions, and turn a PReLU into a LeakyReLU."""
    if type(module) is nn.Sequential and hasattr(module, 'norm'):  # layers.conv_norm
        pair: Any = tuple(module)
        return fuse_conv_bn_eval(*pair)
    if isinstance(module, UpProjection):
        return _JoinedUpProjection(module)
    if isinstance(module, nn.PReLU) and module.num_parameters == 1:  # PReLU is slower
        return nn.LeakyReLU(module.weight.item(), inplace=True)
    for conv_name, norm_name in _FOLLOWED.get(type(module), ()):
        conv, norm = getattr(module, conv_name), getattr(module, norm_name)
        setattr(
            module,
            conv_name,
            fuse_conv_bn_eval(conv, norm, transpose=isinstance(conv, nn.ConvTranspose2d)),
        )
        setattr(module, norm_name, nn.Identity())
    if isinstance(module, InceptionBlock):
        _fold_branches(module)
    return module


def _fold_branches(block: Any) -> None:
    """Fold the batch norm of three concatenated convolutions into the convolutions."""
    norm = block.norm1
    shares = zip(
        *(
            values.chunk(len(block.branches))
            for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
    )
    for conv, (mean, variance, weight, bias) in zip(block.branches, shares):
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, None, mean, variance, norm.eps, weight, bias
        )
    block.norm1 = nn.Identity()


class _JoinedUpProjection(nn.Module):
    """An :class:`UpProjection` whose two convolutions of the same map run as one."""

    def __init__(self, folded: Any):
        super().__init__()
        main, residual = folded.main, folded.residual
        self.first = nn.Conv2d(
            main.in_channels, 2 * main.out_channels, main.kernel_size, padding=main.padding
        )
        self.first.weight = nn.Parameter(torch.cat([main.weight, residual.weight]), False)
        self.first.bias = nn.Parameter(torch.cat([main.bias, residual.bias]), False)
        self.main2 = folded.main2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        main, residual = self.first(enlarge(x)).chunk(2, dim=1)
        return F.relu_(self.main2(F.relu(main)).add_(residual))
