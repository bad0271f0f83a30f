"""The exponential moving average of a network's weights, which is the result of a stage."""

from __future__ import annotations

from typing import cast, Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

ModuleT = TypeVar('ModuleT', bound=nn.Module)


class Ema(AveragedModel, Generic[ModuleT]):
    """
    Exponential moving average of a module's weights and running statistics.

    After n steps, the decay is at most ``(1 + n) / (10 + n)``, as in TensorFlow's
    ``ExponentialMovingAverage``. So the random initial weights do not affect a short run.

    An update does not wait for the device, and a CUDA graph can record it.

    :param module: the module itself, on its device, not what ``Fabric.setup`` wraps it in.
    :param decay: the decay per step, at least 0 and below 1.
    """

    def __init__(self, module: ModuleT, decay: float):
        super().__init__(module, next(module.parameters()).device, use_buffers=True)
        self.requires_grad_(False)
        self._decay = decay

    @property
    def network(self) -> ModuleT:
        """The module with the averaged weights."""
        return cast(ModuleT, self.module)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Update the average with the weights of one more step."""
        count = self.n_averaged
        decay = ((1 + count) / (10 + count)).clamp(max=self._decay)
        weight = torch.where(count == 0, 1.0, 1 - decay)  # the first step sets the average
        pairs = [
            (average, value.detach())
            for kind in ('parameters', 'buffers')
            for average, value in zip(getattr(self.module, kind)(), getattr(model, kind)())
        ]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        averages, values = [list(column) for column in zip(*floats)]
        steps = torch._foreach_sub(values, averages)
        torch._foreach_mul_(steps, weight)
        torch._foreach_add_(averages, steps)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)
        count.add_(1)
