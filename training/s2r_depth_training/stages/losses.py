"""The losses of the stages: pure functions from tensors to one scalar each."""

from collections.abc import Mapping, Sequence
import math

import torch
from torch import Tensor
import torch.nn.functional as F

_LEAST_FRACTION = 1e-3  # of the depth range; keeps the logarithm of the depth finite
_LEAST_PROBABILITY = 1e-4  # bounds the loss of a single pixel


def total_loss(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses, which the optimizer lowers."""
    return torch.stack(list(losses.values())).sum()


def depth_error(
    depths: Sequence[Tensor], target: Tensor, valid: Tensor, inverse_depth_weighting: float = 0.0
) -> Tensor:
    """
    Return the sum over the scales of the mean absolute depth error where depth is valid.

    At each scale, the target is sampled and not averaged, because the mean over a depth edge is
    the depth of no surface. Every image of the batch has the same weight, with any number of valid
    pixels. So the mean over processes is the mean over the whole batch. (S2R-DepthNet, the L1
    depth loss of stages 2 and 3.)

    :param depths: predictions (B, 1, h, w) in [-1, 1], one per scale.
    :param target: (B, 1, H, W) in [-1, 1], ignored where not valid.
    :param valid: (B, 1, H, W) bool, where ``target`` holds.
    :param inverse_depth_weighting: how much more near depths count: errors are weighted by
        :func:`inverse_depth_weight`. 0, as published, weighs a metre the same at any distance.
    :returns: a scalar; 0 where nothing is valid.
    """
    error = target.new_zeros(())
    for depth in depths:
        true_depth, mask = _at_size_of(depth, target, valid)
        difference = torch.where(mask, (depth.float() - true_depth).abs(), 0.0)
        if inverse_depth_weighting:
            weight = inverse_depth_weight(true_depth, inverse_depth_weighting)
            difference = difference * weight
        error = error + _mean_of_images(difference, mask)
    return error


def scale_invariant_log_error(depths: Sequence[Tensor], target: Tensor, valid: Tensor) -> Tensor:
    """
    Return the sum over the scales of the error that is left when each image has its own scale.

    That is the mean of ``|r - mean(r)|``, r being ``ln(f + 1/80) - ln(f* + 1/80)`` with f the
    depth as a fraction of its range; the offset keeps depths of 0 finite. (After the scale
    invariant error of Eigen et al., NIPS 2014, equation 1, which squares.) A picture of a room
    shows relative depth, but hardly the size of the room. An error in metres mostly measures the
    size.

    :param depths: predictions (B, 1, h, w) in [-1, 1], one per scale.
    :param target: (B, 1, H, W) in [-1, 1], ignored where not valid.
    :param valid: (B, 1, H, W) bool, where ``target`` holds.
    :returns: a scalar; 0 where nothing is valid.
    """
    error = target.new_zeros(())
    for depth in depths:
        true_depth, mask = _at_size_of(depth, target, valid)
        ratio = torch.where(mask, _log_fraction(depth.float()) - _log_fraction(true_depth), 0.0)
        mean = _mean_per_image(ratio, mask)
        error = error + _mean_of_images(torch.where(mask, (ratio - mean).abs(), 0.0), mask)
    return error


def inverse_depth_weight(depth: Tensor, slope: float) -> Tensor:
    """
    Return ``n / ln(1 + n) / (1 + n f)``, f being depth as a fraction of its range: mean 1 over f.

    With a large n an L1 error so weighted is relative, |d - d*| / d*, except very near. At 16 and
    a range of 80 m, a point 5 m away has half the weight of one at 0 m, and 8.5 times that of one
    at the far end.

    :param depth: any shape, in [-1, 1].
    :param slope: n, above 0.
    """
    return slope / math.log1p(slope) * inverse_depth_map(depth, slope)


def inverse_depth_map(depth: Tensor, slope: float, least: float = 0.0) -> Tensor:
    """
    Return ``l + (1 - l) / (1 + n f)``, f being depth as a fraction of its range: 1 at the camera.

    :param depth: any shape, in [-1, 1].
    :param slope: n, above 0.
    :param least: l, the limit for large n f.
    """
    return least + (1 - least) / (1 + slope * (depth + 1) / 2)


def expected_error_loss(log_error: Tensor, depth: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """
    Return the mean of ``|r| / e + ln e``, r being the error of ln(depth) and e the expected one.

    It is least where e is the mean of |r| (Laplace distribution; Kendall and Gal, NIPS 2017,
    section 3). The median of r of each image is taken off first, since each image has its own
    scale.

    :param log_error: ln e, (B, 1, H, W).
    :param depth: predicted, (B, 1, H, W) in [-1, 1]; no gradient flows into it.
    :param target: (B, 1, H, W) in [-1, 1], ignored where not valid.
    :param valid: (B, 1, H, W) bool.
    :returns: a scalar; 0 where nothing is valid.
    """
    target = torch.where(valid, target, 0.0)
    ratio = torch.log((depth.detach().float() + 1) / 2 + _LEAST_FRACTION) - torch.log(
        (target + 1) / 2 + _LEAST_FRACTION
    )
    of_valid = torch.where(valid, ratio, torch.nan).flatten(1)
    median = torch.nan_to_num(of_valid.nanmedian(dim=1).values)[:, None, None, None]
    error = (ratio - median).abs()
    loss = torch.where(valid, error * torch.exp(-log_error) + log_error, 0.0)
    return _mean_of_images(loss, valid)


def map_cross_entropy(probability: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """
    Return the mean cross entropy of a map of probabilities over the valid pixels.

    :param probability: (B, 1, H, W) in [0, 1].
    :param target: (B, 1, H, W) bool.
    :param valid: (B, 1, H, W) bool.
    :returns: a scalar; 0 where nothing is valid. Images without valid pixels count as 0.
    """
    # Autocast refuses the cross entropy of probabilities, so it is written out.
    right = torch.where(target, probability, 1 - probability).float().clamp(min=_LEAST_PROBABILITY)
    return _mean_of_images(torch.where(valid, -torch.log(right), 0.0), valid)


def map_error(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """
    Return the mean absolute difference of two maps over the valid pixels, each image alike.

    :param prediction: (B, 1, H, W).
    :param target: (B, 1, H, W), ignored where not valid.
    :param valid: (B, 1, H, W) bool.
    :returns: a scalar; 0 where nothing is valid.
    """
    target = torch.where(valid, target, 0.0)
    difference = torch.where(valid, (prediction.float() - target).abs(), 0.0)
    return _mean_of_images(difference, valid)


def structure_regularization(
    structure: Tensor, depth: Tensor, valid: Tensor, beta: float
) -> Tensor:
    """
    Return ``mean(|S exp(-beta (|dx d| + |dy d|))|)``, which thins S except at depth edges.

    (S2R-DepthNet, structure regularisation of stage 2.) Differences are forward ones; at the last
    row or column, and next to a pixel without depth, they are 0.

    :param structure: S, (B, 1, H, W) in [0, 1].
    :param depth: d, (B, 1, H, W) in [-1, 1]: the whole depth range is 2.
    :param valid: (B, 1, H, W) bool, where ``depth`` holds.
    :param beta: per unit of d and pixel. At the published 0.001 the weight is 0.996 to 1
        everywhere; at 20, a step of a tenth of the range has the weight 0.02.
    :returns: a scalar.
    """
    steps = _difference(depth, valid, dim=3) + _difference(depth, valid, dim=2)
    return (structure.float() * torch.exp(-beta * steps)).abs().mean()


def reconstruction_error(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two tensors of one shape (images or codes)."""
    return (image.float() - target.float()).abs().mean()


def lsgan_loss(judgements: Sequence[Tensor], real: bool) -> Tensor:
    """
    Return the least-squares distance of a discriminator's judgements from ``real``.

    A discriminator lowers it with the truth, a generator with ``real=True`` for its own images.
    (Mao et al., Least Squares Generative Adversarial Networks, 2017.)

    :param judgements: one (B, 1, h, w) map per scale.
    :param real: whether the target is 1, for real images, or 0, for generated ones.
    :returns: a scalar, the sum over the scales of the mean squared distance.
    """
    target = 1.0 if real else 0.0
    return torch.stack(
        [(judgement.float() - target).square().mean() for judgement in judgements]
    ).sum()


def _mean_of_images(difference: Tensor, mask: Tensor) -> Tensor:
    """Average over the masked pixels of each image, then over images; elsewhere it must be 0."""
    return _mean_per_image(difference, mask).mean()


def _mean_per_image(values: Tensor, mask: Tensor) -> Tensor:
    """Average over the masked pixels of each image, (B, 1, 1, 1); elsewhere they must be 0."""
    pixels = (1, 2, 3)
    return values.sum(pixels, keepdim=True) / mask.sum(pixels, keepdim=True).clamp(min=1)


def _at_size_of(depth: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the target, sampled, and the mask of valid pixels; elsewhere the target is 0."""
    size = depth.shape[-2:]
    return (
        _sampled(torch.where(valid, target, 0.0), size),
        _sampled(valid.to(target.dtype), size) > 0,
    )


def _log_fraction(depth: Tensor) -> Tensor:
    """Return ln(f + 1/80), f being depth in [-1, 1] as a fraction of its range: finite at 0."""
    return torch.log((depth + 1) / 2 + 1 / 80)


def _sampled(tensor: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(tensor, size=size, mode='nearest-exact')


def _difference(depth: Tensor, valid: Tensor, dim: int) -> Tensor:
    """Return |d(next) - d| along ``dim`` with 0 where one of the two is not valid or missing."""
    ahead, here = (
        depth.narrow(dim, 1, depth.shape[dim] - 1),
        depth.narrow(dim, 0, depth.shape[dim] - 1),
    )
    both_valid = valid.narrow(dim, 1, valid.shape[dim] - 1) & valid.narrow(
        dim, 0, valid.shape[dim] - 1
    )
    difference = torch.where(both_valid, (ahead - here).abs(), 0.0)
    return F.pad(difference, (0, 1, 0, 0) if dim == 3 else (0, 0, 0, 1))
