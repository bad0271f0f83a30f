"""The ground in the true depth of training images."""

from typing import NamedTuple

import torch
from torch import Tensor

_TRIED_PLANES, _SAMPLED_POINTS = 200, 1000
# Heights as a share of the height of the camera: of what is on the plane, and of what is below.
_ON_PLANE, _BELOW = 0.05, -0.1
_LEAST_GROUND = 0.25  # of the points in the lower half of the image
_STEEPEST_ROLL = 0.3  # tangent
# The horizon lies at most this far from the middle of the image, as a share of its longer side. A
# wall has its horizon far outside.
_FARTHEST_HORIZON = 1.5
_FAR = 0.999  # of the range; greater depth is not measured
_TINY = 1e-6


class Ground(NamedTuple):
    """
    The ground of B images.

    ``is_ground`` is (B, 1, H, W) bool. ``is_known`` is (B, 1, 1, 1) bool, False for an image
    whose depth shows no ground.
    """

    is_ground: Tensor
    is_known: Tensor


@torch.no_grad()
def ground_of(depth: Tensor, valid: Tensor) -> Ground:
    """
    Find the plane on which most of the lower half of each image lies, with hardly anything below.

    The inverse depth of a plane is linear in the pixel coordinates, and with it the height of a
    point as a share of the height of the camera. So no intrinsics are needed. The plane is the
    best of 200 through three points each (RANSAC, Fischler and Bolles 1981), with the same random
    numbers in each call.

    :param depth: (B, 1, H, W) true depth in [-1, 1].
    :param valid: (B, 1, H, W) bool, where ``depth`` holds.
    """
    batch, _, height, width = depth.shape
    fraction = ((depth.float() + 1) / 2).clamp(min=_TINY)
    seen = valid & (fraction < _FAR)
    v, u = torch.meshgrid(
        (torch.arange(height, device=depth.device) - height / 2) / max(height, width),
        (torch.arange(width, device=depth.device) - width / 2) / max(height, width),
        indexing='ij',
    )
    rays = torch.stack([u, v, torch.ones_like(u)], dim=-1)  # (H, W, 3)

    random = torch.Generator().manual_seed(0)
    lower = torch.arange(height // 2 * width, height * width)
    picked = lower[torch.randint(len(lower), (_SAMPLED_POINTS,), generator=random)]
    triples = torch.randint(_SAMPLED_POINTS, (3, _TRIED_PLANES), generator=random)
    picked, triples = picked.to(depth.device), triples.to(depth.device)
    points = rays.reshape(-1, 3)[picked]  # (N, 3)
    fractions = fraction.reshape(batch, -1)[:, picked]  # (B, N)
    counts = seen.reshape(batch, -1)[:, picked].float()

    corners = points[triples.T]  # (P, 3, 3)
    inverse = 1 / fractions[:, triples.T]  # (B, P, 3)
    regular = torch.linalg.det(corners).abs() > _TINY
    corners = torch.where(regular[:, None, None], corners, torch.eye(3, device=depth.device))
    planes = torch.linalg.solve(corners, inverse[..., None])[..., 0]  # (B, P, 3): a, b, c
    a, b, c = planes.unbind(dim=-1)
    usable = (
        regular
        & (counts[:, triples.T].amin(dim=-1) > 0)
        & (b > 0)
        & (a.abs() < _STEEPEST_ROLL * b)
        & (c.abs() < _FARTHEST_HORIZON * b)
    )
    heights = 1 - fractions[:, None] * (planes @ points.T)  # (B, P, N), in heights of the camera
    support = ((heights.abs() < _ON_PLANE).float() - (heights < _BELOW).float()) * counts[:, None]
    support = torch.where(usable, support.sum(dim=-1), -torch.inf)
    best, place = support.max(dim=1)
    is_known = best > _LEAST_GROUND * counts.sum(dim=1).clamp(min=1)

    plane = planes[torch.arange(batch, device=depth.device), place]  # (B, 3)
    height_share = 1 - fraction[:, 0] * torch.einsum('hwc,bc->bhw', rays, plane)
    is_ground = (height_share.abs() < _ON_PLANE)[:, None] & seen
    is_known = is_known[:, None, None, None]
    return Ground(is_ground & is_known, is_known)
