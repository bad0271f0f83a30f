"""Muon: an optimizer whose steps have equal length in all directions of a weight."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn, Tensor
from torch.optim import Optimizer

# Coefficients of the quintic of Jordan et al. (below). It takes singular values between 0 and 1
# towards 1 in few iterations, and ends between 0.7 and 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# Root mean square of the steps of Adam, divided by the learning rate (Liu et al., below).
STEP_OF_ADAM = 0.2
MOMENTUM = 0.95


class Muon(Optimizer):
    """
    Momentum whose step of each weight is replaced by the nearest matrix of equal singular values.

    The gradient of a convolution has few dominant directions, and so have the steps of Adam. The
    steps of Muon have equal length in all directions. (Jordan et al., Muon: an optimizer for
    hidden layers in neural networks, 2024; the length of the steps after Liu et al., Muon is
    scalable for LLM training, 2025, equation 4, so that learning rates are those of Adam.)

    ``torch.optim.Muon`` refuses weights of four dimensions, and computes in bfloat16, which takes
    CPUs without it 20 times as long.

    :param weights: tensors of two or more dimensions. Each counts as a matrix: the first dimension
        by all others. A group may have its own ``lr``.
    :param lr: the learning rate, above 0.
    :raises ValueError: if a weight has less than two dimensions.
    """

    def __init__(self, weights: Iterable[Any], lr: float | Tensor):
        super().__init__(weights, {'lr': lr})
        for group in self.param_groups:
            for weight in group['params']:
                if weight.ndim < 2:
                    raise ValueError(
                        f'Muon takes weights of two or more dimensions, got {weight.ndim}: give '
                        'biases and norms to another optimizer'
                    )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """
        Move the weights that have a gradient.

        :param closure: computes the loss and the gradients anew; as for all optimizers.
        :returns: what ``closure`` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group['params'] if weight.grad is not None]
            for same_shape in _of_equal_shape(weights):
                for weight, direction in zip(same_shape, self._directions(same_shape)):
                    weight.sub_(group['lr'] * direction)  # a rate may be a tensor on a GPU
        return loss

    def _directions(self, weights: list[nn.Parameter]) -> list[Tensor]:
        """Return where to go from weights of equal shape, which are computed as one."""
        ahead = torch.stack(
            [self._ahead(weight, weight.grad) for weight in weights if weight.grad is not None]
        )
        length = STEP_OF_ADAM * max(ahead.shape[1:]) ** 0.5
        return [
            direction.view_as(weight)
            for weight, direction in zip(weights, length * orthogonalised(ahead))
        ]

    def _ahead(self, weight: nn.Parameter, gradient: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state['momentum'] = torch.zeros_like(weight)
        momentum = state['momentum']
        momentum.lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM).flatten(start_dim=1)  # as Nesterov looks ahead


def _of_equal_shape(weights: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    by_shape: dict[torch.Size, list[nn.Parameter]] = {}
    for weight in weights:
        by_shape.setdefault(weight.shape, []).append(weight)
    return list(by_shape.values())


def orthogonalised(matrices: Tensor) -> Tensor:
    """
    Return about the nearest matrices whose singular values are all 1; where they are 0 they stay.

    :param matrices: (..., N, M), of any scale.
    """
    a, b, c = QUINTIC
    upright = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if upright else matrices
    # No singular value is larger than this norm.
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-20)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if upright else x


def for_muon(weight: Tensor) -> bool:
    """
    Return whether ``weight`` is that of a convolution from features to features.

    Adam trains the rest: layers that take pixels or return a map (as Jordan et al. leave first and
    last layers), biases and norms.

    :param weight: any parameter.
    """
    return weight.ndim == 4 and min(weight.shape[:2]) > 3
