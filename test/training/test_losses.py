"""Losses: each against a value worked out by hand."""

import math

import pytest
import torch

from s2r_depth_training.stages.ground import ground_of
from s2r_depth_training.stages.losses import (
    depth_error,
    expected_error_loss,
    inverse_depth_map,
    lsgan_loss,
    map_cross_entropy,
    map_error,
    reconstruction_error,
    scale_invariant_log_error,
    structure_regularization,
)


def test_the_expected_error_costs_least_where_it_is_the_error():
    # The errors of ln(depth) are 0, 0, 0, ln 2; the scale of the image, 1.5, does not matter.
    target = of_metres(20.0, 24.0, 30.0, 30.0)
    depth = of_metres(30.0, 36.0, 45.0, 90.0)
    valid = torch.tensor([[[[True, True, True, True]]]])
    expected = torch.full((1, 1, 1, 4), 0.1).log()
    costs = []
    for last in (0.5, 0.69, 0.9):
        expected[..., 3] = math.log(last)
        costs.append(expected_error_loss(expected, depth, target, valid).item())
    assert costs[1] < min(costs[0], costs[2])
    expected[..., 3] = 0.0
    cost = expected_error_loss(expected, depth, target, valid).item()
    assert cost == pytest.approx((3 * math.log(0.1) + math.log(2)) / 4, abs=0.02)


def test_what_is_not_valid_has_no_expected_error():
    target = of_metres(2.0, 4.0, 8.0)
    target[..., 0] = torch.nan
    log_error = torch.zeros(1, 1, 1, 3, requires_grad=True)
    valid = torch.tensor([[[[False, True, True]]]])
    loss = expected_error_loss(log_error, of_metres(9.0, 4.0, 8.0), target, valid)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert log_error.grad[0, 0, 0].tolist() == pytest.approx([0, 0.5, 0.5], abs=1e-3)
    nothing = expected_error_loss(log_error, target, target, torch.zeros_like(valid))
    assert nothing.item() == 0


def test_cross_entropy_is_that_of_valid_pixels():
    probability = torch.tensor([[[[0.9, 0.2, 1.0]]]])
    target = torch.tensor([[[[True, False, False]]]])
    valid = torch.tensor([[[[True, True, False]]]])
    loss = map_cross_entropy(probability, target, valid).item()
    assert loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    certain = map_cross_entropy(probability, target, torch.ones_like(valid)).item()
    assert certain == pytest.approx((2 * loss - math.log(1e-4)) / 3, rel=1e-5)


@pytest.mark.parametrize('pitch_deg', [-8.0, 0.0, 35.0])
@pytest.mark.parametrize('height_m', [0.2, 1.5])
def test_the_ground_of_an_image_is_found_without_intrinsics(pitch_deg, height_m):
    # A floor, a box that hides the left third of it, and a wall 15 camera heights ahead.
    height_px, width_px, focal_px = 96, 160, 110.0
    pitch = math.radians(pitch_deg)
    v, u = torch.meshgrid(
        (torch.arange(height_px) - height_px / 2) / focal_px,
        (torch.arange(width_px) - width_px / 2) / focal_px,
        indexing='ij',
    )
    down = math.cos(pitch) * v + math.sin(pitch)
    ahead = math.cos(pitch) - math.sin(pitch) * v
    floor_m = torch.where(down > 0, height_m / down.clamp(min=1e-6), torch.inf)
    wall_m = 15 * height_m / ahead.clamp(min=1e-6)
    depth_m = torch.minimum(floor_m, wall_m)
    box = (u < -0.2) & (v < 0.3)
    depth_m = torch.where(box, torch.minimum(depth_m, torch.tensor(2 * height_m)), depth_m)
    true = (depth_m == floor_m) & ~(box & (depth_m == 2 * height_m))
    depth = (depth_m.clamp(max=80) / 40 - 1)[None, None]
    ground = ground_of(depth, torch.ones_like(depth, dtype=torch.bool))
    assert ground.is_known.all()
    found = ground.is_ground[0, 0]
    assert (found & true).sum() / (found | true).sum() > 0.93


def test_a_wall_a_ceiling_and_nothing_are_no_ground():
    wall = torch.full((1, 1, 96, 160), -0.9)
    rows = torch.linspace(-1, 1, 96)[:, None].expand(96, 160)
    ceiling = (0.1 / (1.5 - rows))[None, None] * 2 - 1
    valid = torch.ones_like(wall, dtype=torch.bool)
    found = ground_of(torch.cat([wall, ceiling, ceiling.flip(2)]), valid.expand(3, 1, 96, 160))
    assert found.is_known.flatten().tolist() == [False, False, True]  # a floor in the mirror
    assert not found.is_ground[:2].any()
    assert found.is_ground[2].all()
    assert not ground_of(wall, ~valid).is_known.any()


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
