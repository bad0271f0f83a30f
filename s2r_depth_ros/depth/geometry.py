"""
Back-projection and its inverse, for NumPy arrays and torch tensors (on any device).

Points are in the camera's optical frame (REP 103, REP 118): x right, y down, z forward, metres.
Pixel coordinates are (u, v) = (column, row) with the centre of the first pixel at (0, 0), as in
OpenCV and ROS. Depth is metres along z.
"""

import sys
from typing import Any

import numpy as np

Array = Any  # a NumPy array or a torch tensor; results have the type and device of the input


def back_project(depth_m: Array, intrinsics: np.ndarray) -> Array:
    """
    Turn a depth image into one 3-D point per pixel.

    A pixel (u, v) of depth Z is the point ((u - cx) Z / fx, (v - cy) Z / fy, Z), the pinhole model
    of ``sensor_msgs/CameraInfo`` without distortion. The rays are one vector of W and one of H
    numbers, so there is nothing worth caching between calls.

    :param depth_m: (H, W) float metres along z, NumPy or torch.
    :param intrinsics: (3, 3) camera matrix in pixels of this image.
    :returns: (H, W, 3) float32 points in the optical frame; all three coordinates are NaN where
        the depth is NaN or infinite.
    :raises ValueError: if the depth is not (H, W).
    """
    if depth_m.ndim != 2:
        raise ValueError(f'a depth image is (H, W), this one has shape {tuple(depth_m.shape)}')
    height, width = depth_m.shape
    ray_x = ((np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]).astype(np.float32)
    ray_y = ((np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]).astype(np.float32)
    if not isinstance(depth_m, np.ndarray):
        torch = _library(depth_m)
        depth = depth_m.float()
        depth = torch.where(torch.isfinite(depth), depth, torch.nan)
        rays_x = torch.from_numpy(ray_x).to(depth.device)
        rays_y = torch.from_numpy(ray_y).to(depth.device)
        return torch.stack((depth * rays_x, depth * rays_y[:, None], depth), dim=-1)
    planes = np.empty((3, height, width), np.float32)  # one plane for each axis: faster writes
    with np.errstate(invalid='ignore'):
        np.subtract(depth_m, depth_m, out=planes[2])  # 0, but NaN where the depth is not finite
    planes[2] += depth_m
    np.multiply(planes[2], ray_x, out=planes[0])
    np.multiply(planes[2], ray_y[:, None], out=planes[1])
    return np.moveaxis(planes, 0, -1)


def _library(array: Array) -> Any:
    """Return numpy or torch; torch is already loaded if the array is a tensor."""
    return np if isinstance(array, np.ndarray) else sys.modules['torch']


def project(points: Array, intrinsics: np.ndarray) -> tuple[Array, Array]:
    """
    Find where points appear in the image; the inverse of :func:`back_project`.

    u = fx X / Z + cx and v = fy Y / Z + cy.

    :param points: (..., 3) float points in the optical frame, metres, NumPy or torch.
    :param intrinsics: (3, 3) camera matrix in pixels.
    :returns: (..., 2) float pixel coordinates (u, v), and (...) float depth in metres; pixels are
        NaN for points that are NaN, or not in front of the camera.
    :raises ValueError: if the last axis does not hold x, y, z.
    """
    if points.shape[-1] != 3:
        raise ValueError(f'points are (..., 3), these have shape {tuple(points.shape)}')
    depth_m = points[..., 2]
    library = _library(points)
    divisor = library.where(depth_m > 0, depth_m, library.nan)
    u = points[..., 0] / divisor * float(intrinsics[0, 0]) + float(intrinsics[0, 2])
    v = points[..., 1] / divisor * float(intrinsics[1, 1]) + float(intrinsics[1, 2])
    return library.stack((u, v), -1), depth_m


def subsample(image: Array, intrinsics: np.ndarray, stride: int) -> tuple[Array, np.ndarray]:
    """
    Keep every ``stride``-th row and column, and adapt the intrinsics.

    The pixel (i, j) of the result is the pixel (stride i, stride j) of the full image. Focal
    lengths and centre are divided by the stride without a half-pixel shift, so points do not move.

    :param image: (H, W, ...) depth, points or colours, NumPy or torch.
    :param intrinsics: (3, 3) camera matrix of the full image.
    :param stride: 1 keeps all.
    :returns: (ceil(H / stride), ceil(W / stride), ...) view of the image, and the (3, 3)
        intrinsics of that view.
    :raises ValueError: if the stride is less than 1.
    """
    if stride < 1:
        raise ValueError(f'a stride is 1 or more, not {stride}')
    scale = np.diag((1.0 / stride, 1.0 / stride, 1.0))
    return image[::stride, ::stride], (scale @ intrinsics).astype(intrinsics.dtype)
