"""Convolution with fewer multiplications, by the method of Winograd, Toom and Cook."""
from __future__ import annotations

import torch
from torch import nn
import torch.nn.functional as F

_TILE = 8
# Where polynomials are evaluated, beside infinity: few and small, since rounding grows with them.
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_CHUNK_VALUES = 2**21  # float32 values that are transformed at once; they stay in the cache


class WinogradConv(nn.Module):
    """
    A convolution of stride 1 and many channels, for the inference on CPUs.

    Tiles of 8 x 8 pixels are transformed, multiplied with the transformed kernel channel by
    channel, and transformed back: for a kernel of 5 x 5 a pixel costs 4 multiplications in place
    of 25, and in float32 the largest error is about five times as large (Lavin and Gray, "Fast
    algorithms for convolutional neural networks", CVPR 2016; here F(4 x 4, 5 x 5)).

    :param conv: float32, zero-padded to the size of its input; stays as it is.
    """

    _weight: torch.Tensor
    _from_data: torch.Tensor
    _to_output: torch.Tensor

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        kernel = conv.kernel_size[0]
        self._border = kernel // 2
        self._step = _TILE - kernel + 1
        from_data, from_kernel, to_output = _transforms(kernel)
        weight = torch.einsum(
            'ak,bl,oikl->abio', from_kernel, from_kernel, conv.weight.double())
        self.register_buffer('_weight', weight.flatten(0, 1).float().contiguous())
        self.register_buffer('_from_data', torch.kron(from_data, from_data).float())
        self.register_buffer('_to_output', torch.kron(to_output, to_output).float())
        self._channels_out = conv.out_channels
        self._bias = conv.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (B, C, H, W) to (B, K, H, W), channels last."""
        step, border = self._step, self._border
        batch, channels, height, width = x.shape
        rows, columns = -(-height // step), -(-width // step)
        x = F.pad(x, (border, columns * step + border - width,
                      border, rows * step + border - height))
        # (B, rows, columns, C, 8, 8), a view
        tiles = x.permute(0, 2, 3, 1).unfold(1, _TILE, step).unfold(2, _TILE, step)
        channels_out = self._channels_out
        out = x.new_empty(batch, rows, step, columns, step, channels_out)
        rows_at_once = max(1, _CHUNK_VALUES // (columns * channels * _TILE**2))
        for image in range(batch):
            for row in range(0, rows, rows_at_once):
                some = tiles[image, row:row + rows_at_once].permute(3, 4, 0, 1, 2)
                data = self._from_data @ some.reshape(_TILE**2, -1)
                product = torch.bmm(data.view(_TILE**2, -1, channels), self._weight)
                pixels = (self._to_output @ product.flatten(1)).view(
                    step, step, -1, columns, channels_out)
                out[image, row:row + rows_at_once] = pixels.permute(2, 0, 3, 1, 4)
        out = out.view(batch, rows * step, columns * step, channels_out)[:, :height, :width]
        if self._bias is not None:
            out = out + self._bias
        return out.permute(0, 3, 1, 2)


def _transforms(kernel: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Return what transforms data (8, 8) and kernel (8, k) forth, and the product (9 - k, 8) back.

    To multiply polynomials, evaluate both at enough points, multiply there, and interpolate. A
    convolution of a signal with a kernel is the transpose of that.
    """
    interpolated = torch.linalg.inv(_evaluation(_TILE)).T
    # Any factor may move from one side to the other; here no number of the data grows much.
    size = interpolated.abs().amax(dim=1, keepdim=True)
    return interpolated / size, _evaluation(kernel) * size, _evaluation(_TILE - kernel + 1).T


def _evaluation(coefficients: int) -> torch.Tensor:
    """Return the (8, ``coefficients``) matrix that evaluates a polynomial at all points."""
    points = torch.tensor(_POINTS, dtype=torch.float64)
    at_infinity = torch.zeros(1, coefficients, dtype=torch.float64)
    at_infinity[0, -1] = 1
    return torch.cat([points[:, None] ** torch.arange(coefficients), at_infinity])
