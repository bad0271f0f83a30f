"""Muon: what a step is, what it is for, and which weights it moves."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_training.engine.muon import for_muon, Muon, orthogonalised
from s2r_depth_training.engine.optimizers import build_optimizers
from s2r_depth_training.settings.stages import EpochSettings

MUON = EpochSettings(learning_rate=1e-3, optimizer='muon')


@pytest.mark.parametrize('shape', [(8, 72), (72, 8), (16, 16)])
@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
def test_the_directions_stay_and_their_lengths_become_alike(shape, scale):
    matrix = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, before, right = torch.linalg.svd(matrix, full_matrices=False)
    lengths = left.T @ orthogonalised(matrix) @ right.T
    assert torch.allclose(lengths, lengths.diag().diag(), atol=1e-4)
    assert lengths.diag().min() > 0.3
    assert lengths.diag().max() < 1.3
    if shape != (16, 16):  # of which one direction is nearly 0 in any case
        assert before.max() / before.min() > 1.5


def test_a_gradient_of_zero_moves_nothing():
    assert torch.equal(orthogonalised(torch.zeros(4, 9)), torch.zeros(4, 9))


def test_a_step_is_as_long_as_one_of_adam():
    weight = nn.Parameter(torch.zeros(32, 16, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=0.01).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.002, rel=0.2)


def test_faint_directions_move_as_far_as_strong_ones_and_hardly_do_by_adam():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(16, 16, generator=generator)).Q for _ in range(2))
    gradient = left @ torch.logspace(0, -2, 16).diag() @ right.T

    def faint_to_strong(optimizer_of):
        weight = nn.Parameter(torch.zeros(16, 16, 1, 1))
        weight.grad = gradient[..., None, None]
        optimizer_of([weight]).step()
        along = (left.T @ weight.detach()[..., 0, 0] @ right).diag().abs()
        return (along.min() / along.max()).item()

    assert faint_to_strong(lambda weights: Muon(weights, 0.1)) > 0.5
    assert faint_to_strong(lambda weights: torch.optim.Adam(weights, 0.1)) < 0.1


def test_weights_of_one_shape_are_computed_as_one_and_moved_each_by_its_own_gradient():
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 4, 3, 3), (4, 8, 1, 1), (8, 4, 3, 3), (8, 4, 3, 3)]
    gradients = [torch.randn(shape, generator=generator) for shape in shapes]

    def moved(groups_of):
        weights = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        optimizers = [Muon(group, 0.1) for group in groups_of(weights)]
        for _ in range(2):
            for weight, gradient in zip(weights, gradients):
                weight.grad = gradient
            for optimizer in optimizers:
                optimizer.step()
        return weights

    together = moved(lambda weights: [weights])
    alone = moved(lambda weights: [[weight] for weight in weights])
    for one, other in zip(together, alone):
        assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(together[0], together[2], atol=1e-2)


def test_a_rate_may_be_a_tensor_that_is_changed_in_place():
    weight = nn.Parameter(torch.zeros(8, 4, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    (optimizer,) = build_optimizers(
        nn.ParameterList([weight]), MUON, {}, device=torch.device('cpu')
    )
    schedule = LambdaLR(optimizer, lambda step: 1.0 if step == 0 else 0.0)
    optimizer.step()
    before = weight.detach().clone()
    rate = optimizer.param_groups[0]['lr']
    schedule.step()
    assert rate == 0
    optimizer.step()
    assert before.any()
    assert torch.equal(weight, before)


def test_biases_are_refused():
    with pytest.raises(ValueError, match='two or more dimensions, got 1'):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1)


def test_a_weight_without_gradient_stays():
    weight = nn.Parameter(torch.ones(4, 4, 1, 1))
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight, torch.ones(4, 4, 1, 1))


def test_each_weight_that_learns_has_one_optimizer_and_its_own_rate():
    network = S2RDepthNet(Architecture.preset('compact'))
    network.structure_encoder.requires_grad_(False)
    muon, adam = build_optimizers(network, MUON, {'attention': 0.1})
    assert isinstance(muon, Muon)
    assert isinstance(adam, torch.optim.Adam)
    rate_of = {}
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            for weight in group['params']:
                assert id(weight) not in rate_of
                assert for_muon(weight) == (optimizer is muon)
                rate_of[id(weight)] = group['lr']
    for name, weight in network.named_parameters():
        expected = 1e-4 if name.startswith('attention') else 1e-3
        assert rate_of.pop(id(weight), None) == (expected if weight.requires_grad else None), name
    assert not rate_of


def test_what_is_left_to_one_optimizer_needs_no_other():
    norms = nn.BatchNorm2d(4)
    assert [type(one) for one in build_optimizers(norms, MUON, {})] == [torch.optim.Adam]
    convolution = nn.Conv2d(4, 4, 3, bias=False)
    assert [type(one) for one in build_optimizers(convolution, MUON, {})] == [Muon]
    assert [
        type(one) for one in build_optimizers(convolution, replace(MUON, optimizer='adam'), {})
    ] == [torch.optim.Adam]
