"""Losses: each against a value worked out by hand."""

import math

import pytest
import torch

from s2r_depth_training.stages.losses import (
    depth_error,
    inverse_depth_map,
    lsgan_loss,
    map_error,
    reconstruction_error,
    scale_invariant_log_error,
    structure_regularization,
)


def test_depth_error_of_one_scale_is_the_mean_over_known_pixels():
    depth = torch.zeros(1, 1, 2, 2)
    target = torch.tensor([[[[0.5, -0.5], [1.0, 9.0]]]])
    valid = torch.tensor([[[[True, True], [True, False]]]])
    # (0.5 + 0.5 + 1.0) / 3
    assert depth_error([depth], target, valid).item() == pytest.approx(2 / 3)


def test_depth_errors_of_the_scales_add_up():
    target = torch.full((1, 1, 4, 4), 0.25)
    valid = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    depths = [torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 4, 4)]
    assert depth_error(depths, target, valid).item() == pytest.approx(0.25 + 0.75)


def test_a_coarse_scale_never_sees_a_mixture_of_near_and_far():
    target = torch.full((1, 1, 8, 8), -1.0)
    target[..., 3:] = 1.0  # an edge inside a coarse pixel
    valid = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    coarse = torch.zeros(1, 1, 2, 2)
    # Each coarse target is -1 or 1, so each error is 1; of a mean they would be less.
    assert depth_error([coarse], target, valid).item() == pytest.approx(1.0)


def test_nearness_makes_the_errors_relative():
    near, far = -0.9, 0.8  # 4 and 72 of 80 m
    target = torch.tensor([[[[near, far]]]])
    valid = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    at_near, at_far = (
        depth_error(
            [target + torch.tensor([[[error]]])], target, valid, inverse_depth_weighting=16
        ).item()
        for error in ([0.1, 0.0], [0.0, 0.1])
    )
    # 16 / ln(17) / (1 + 16 * 0.05) * 0.1 over two pixels, and with 0.9 in place of 0.05
    assert at_near == pytest.approx(0.1 / 2 * 16 / math.log(17) / 1.8, rel=1e-5)
    assert at_far == pytest.approx(0.1 / 2 * 16 / math.log(17) / 15.4, rel=1e-5)


def of_metres(*depth_m):
    """Depths of one row of an image whose range is 80 m, as the network has them."""
    return (torch.tensor(depth_m) / 40 - 1).view(1, 1, 1, -1)


def test_proportions_are_right_at_any_scale():
    target, valid = of_metres(4.0, 9.0, 19.0), torch.ones(1, 1, 1, 3, dtype=torch.bool)
    # The offset is 1 m of 80, so this is twice as far in all three.
    assert scale_invariant_log_error(
        [of_metres(9.0, 19.0, 39.0)], target, valid
    ).item() == pytest.approx(0.0, abs=1e-6)


def test_proportion_error_is_the_mean_distance_from_the_mean_of_the_ratios():
    target = of_metres(4.0, 9.0, 19.0, 5.0).repeat(2, 1, 1, 1)
    valid = torch.tensor([True, True, True, False]).expand(2, 1, 1, 4)
    target[..., 3] = float('nan')
    depth = torch.cat([of_metres(9.0, 9.0, 19.0, 70.0), of_metres(4.0, 9.0, 19.0, 70.0)])
    # Ratios ln 2, 0, 0 about their mean ln 2 / 3, in one of two images; and the same twice.
    one_scale = math.log(2) * (2 / 3 + 1 / 3 + 1 / 3) / 3 / 2
    assert scale_invariant_log_error([depth], target, valid).item() == pytest.approx(
        one_scale, rel=1e-5
    )
    assert scale_invariant_log_error([depth, depth], target, valid).item() == pytest.approx(
        2 * one_scale, rel=1e-5
    )


def test_proportions_of_unknown_or_extreme_depth_give_no_endless_gradient():
    depth = torch.tensor([[[[-1.0, 1.0, 0.3]]]], requires_grad=True)
    target = torch.tensor([[[[0.5, -1.0, float('nan')]]]])
    valid = torch.tensor([[[[True, True, False]]]])
    scale_invariant_log_error([depth], target, valid).backward()
    assert torch.isfinite(depth.grad).all()
    assert depth.grad[..., 2] == 0
    assert scale_invariant_log_error([depth], target, valid & False).item() == 0.0


def test_nearness_is_1_at_the_camera_and_falls_with_depth():
    # Of 80 m: 0, 10 and 80 m, so 1 / (1 + 8 * 0), 1 / (1 + 8 / 8), 1 / (1 + 8).
    shown = inverse_depth_map(torch.tensor([-1.0, -0.75, 1.0]), 8.0)
    torch.testing.assert_close(shown, torch.tensor([1.0, 0.5, 1 / 9]))


def test_nearness_falls_to_the_least():
    shown = inverse_depth_map(torch.tensor([-1.0, -0.75]), 8.0, least=0.6)
    torch.testing.assert_close(shown, torch.tensor([1.0, 0.8]))


def test_map_error_is_the_mean_over_known_pixels_and_over_images():
    wanted = torch.full((2, 1, 2, 2), 0.5)
    valid = torch.ones(2, 1, 2, 2, dtype=torch.bool)
    wanted[0, 0, 0], valid[0, 0, 0] = float('nan'), False
    shown = torch.stack([torch.full((1, 2, 2), 0.6), torch.full((1, 2, 2), 0.2)])
    assert map_error(shown, wanted, valid).item() == pytest.approx((0.1 + 0.3) / 2)
    assert map_error(shown, wanted, valid & False).item() == 0.0


def test_every_image_of_a_batch_counts_the_same():
    depth = torch.zeros(2, 1, 2, 2)
    target = torch.stack([torch.full((1, 2, 2), 1.0), torch.full((1, 2, 2), 0.5)])
    valid = torch.ones(2, 1, 2, 2, dtype=torch.bool)
    valid[0, 0, 0] = False
    assert depth_error([depth], target, valid).item() == pytest.approx((1.0 + 0.5) / 2)


def test_unknown_depth_gives_neither_error_nor_gradient():
    depth = torch.zeros(1, 1, 2, 2, requires_grad=True)
    target = torch.full((1, 1, 2, 2), float('nan'))
    valid = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    error = depth_error([depth], target, valid)
    error.backward()
    assert error.item() == 0.0
    assert torch.equal(depth.grad, torch.zeros(1, 1, 2, 2))


def test_structure_penalty_spares_edges_of_depth():
    structure = torch.tensor([[[[1.0, 0.5], [0.25, 1.0]]]])
    depth = torch.tensor([[[[0.0, 0.5], [0.0, 0.5]]]])
    valid = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    # The step of 0.5 lies to the right of the left column: its weight is exp(-2 * 0.5).
    edge = math.exp(-1.0)
    by_hand = (1.0 * edge + 0.5 + 0.25 * edge + 1.0) / 4
    assert structure_regularization(structure, depth, valid, beta=2.0).item() == pytest.approx(
        by_hand
    )


def test_structure_penalty_takes_no_step_to_a_pixel_without_depth():
    structure = torch.ones(1, 1, 1, 2)
    depth = torch.tensor([[[[0.0, 1.0]]]])
    valid = torch.tensor([[[[True, False]]]])
    assert structure_regularization(structure, depth, valid, beta=5.0).item() == pytest.approx(1.0)


def test_reconstruction_error_is_the_mean_difference():
    assert reconstruction_error(
        torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])
    ).item() == pytest.approx(1.5)


def test_judgements_are_compared_with_one_for_real_and_nought_for_made():
    judgements = [torch.tensor([[[[0.5, 1.0]]]]), torch.tensor([[[[3.0]]]])]
    assert lsgan_loss(judgements, real=True).item() == pytest.approx((0.25 + 0) / 2 + 4)
    assert lsgan_loss(judgements, real=False).item() == pytest.approx((0.25 + 1) / 2 + 9)
