"""Write a coloured point cloud as a picture and as a PLY file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:  # Matplotlib takes most of a second to import: only drawing functions import it
    from matplotlib.figure import Figure

BACKGROUND_RGB = (18, 20, 26)
_PICTURE_PX = (720, 960)
_SUPERSAMPLING = 2
_LARGEST_POINT_PX = 8
_SAME_SURFACE_RATIO = 1.2
_FILLED = 0.94


def look_at(eye_m: Sequence[float], target_m: Sequence[float]) -> np.ndarray:
    """
    Return the pose of a camera at ``eye_m`` that looks at ``target_m`` without roll.

    :param eye_m: (3,) metres in an optical frame (x right, y down, z forward).
    :param target_m: (3,) metres; not straight above or below the eye.
    :returns: (4, 4) float64 matrix that takes points of that frame into the new camera's.
    """
    eye = np.asarray(eye_m, np.float64)
    forward = np.asarray(target_m, np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    rotation = np.stack((right, np.cross(forward, right), forward))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ eye
    return pose


def fill_gaps(
    points_m: np.ndarray, colors: np.ndarray, factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """
    Add points between neighbours on one surface, so that the surface looks closed from near.

    :param points_m: (H, W, 3) float32 organised cloud, NaN where there is no point.
    :param colors: (H, W, 3) uint8 RGB of the points.
    :param factor: ratio of new to old points along each axis.
    :returns: (N, 3) float32 points and (N, 3) uint8 colours. Neighbours whose depths differ by
        more than a fifth are on different surfaces and get no points between them.
    """
    depth_m = points_m[..., 2]
    is_finite = np.isfinite(depth_m)
    window = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(np.where(is_finite, depth_m, np.inf).astype(np.float32), window)
    nearest = cv2.erode(np.where(is_finite, depth_m, 0).astype(np.float32), window)
    surface = farthest < nearest * _SAME_SURFACE_RATIO
    size = (depth_m.shape[1] * factor, depth_m.shape[0] * factor)
    between = cv2.resize(surface.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    # Replace NaN: a resize spreads NaN even into pixels where its weight is 0.
    whole = np.where(is_finite[..., None], points_m, np.float32(0))
    filled = cv2.resize(whole, size, interpolation=cv2.INTER_LINEAR)[between]
    painted = cv2.resize(colors, size, interpolation=cv2.INTER_LINEAR)[between]
    return filled, painted


def render_points(
    points_m: np.ndarray,
    colors: np.ndarray,
    pose: np.ndarray,
    size_px: tuple[int, int],
    point_m_per_depth: float,
) -> np.ndarray:
    """
    Draw points as squares, nearer ones over farther ones, as large as the picture allows.

    :param points_m: (N, 3) float32 finite points in front of a camera at the origin.
    :param colors: (N, 3) uint8 RGB of the points.
    :param pose: (4, 4) from :func:`look_at`, of a camera behind the one at the origin.
    :param size_px: (height, width) of the picture.
    :param point_m_per_depth: side of a point's square over its distance from the origin.
    :returns: (H, W, 3) uint8 RGB.
    """
    height, width = (side * _SUPERSAMPLING for side in size_px)
    seen = points_m @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(np.float32)
    order = np.argsort(-seen[:, 2])
    order = order[seen[order, 2] > 0.01 * points_m[:, 2].max()]
    depth_m = seen[order, 2]
    rays = seen[order, :2] / depth_m[:, None]
    low, high = np.percentile(rays, (1, 99), axis=0)
    focal_px = _FILLED * min(np.array((width, height)) / np.maximum(high - low, 1e-6))
    u, v = np.rint((rays - (low + high) / 2) * focal_px + (width / 2, height / 2)).T
    side = np.clip(
        np.ceil(focal_px * point_m_per_depth * points_m[order, 2] / depth_m), 1, _LARGEST_POINT_PX
    )
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v, side = (values[inside].astype(np.int64) for values in (u, v, side))
    rank = np.arange(1, len(u) + 1)  # the nearest is last

    # The rank of the top point of each pixel. The margin holds squares that cross the border.
    margin = _LARGEST_POINT_PX
    top = np.zeros((height + 2 * margin, width + 2 * margin), np.int64)
    row, column = v + margin - side // 2, u + margin - side // 2
    for down in range(side.max(initial=0)):
        for across in range(side.max(initial=0)):
            covers = side > max(down, across)
            pixels = row[covers] + down, column[covers] + across
            top[pixels] = np.maximum(top[pixels], rank[covers])  # the highest rank is the nearest
    palette = np.concatenate(([BACKGROUND_RGB], colors[order][inside])).astype(np.uint8)
    picture = palette[top[margin:-margin, margin:-margin]]
    return cv2.resize(picture, size_px[::-1], interpolation=cv2.INTER_AREA)


def cloud_picture(points_m: np.ndarray, colors: np.ndarray) -> Figure:
    """
    Draw a camera's cloud from above the camera, and from the right.

    :param points_m: (H, W, 3) float32 organised cloud in the optical frame, NaN where there is no
        point; it has at least one point.
    :param colors: (H, W, 3) uint8 RGB of the points.
    :returns: a figure to save.
    """
    from matplotlib.figure import Figure

    width = points_m.shape[1]
    factor = max(1, round(_PICTURE_PX[1] * _SUPERSAMPLING / width))
    filled, painted = fill_gaps(points_m, colors, factor)
    if not len(filled):  # no two neighbours are on one surface
        is_point = np.isfinite(points_m[..., 2])
        filled, painted = points_m[is_point], colors[is_point]
    middle, far = np.percentile(filled, (50, 85), axis=0)
    target = (middle[0], middle[1], 0.4 * far[2])
    eyes = {
        'from above the camera': (middle[0], middle[1] - 0.3 * far[2], -0.25 * far[2]),
        'from the right': (middle[0] + 0.6 * far[2], middle[1] - 0.5 * far[2], -0.1 * far[2]),
    }
    slope = filled[:, 0] / filled[:, 2]
    # Slightly larger than the gap: this camera may see a surface less obliquely than the first.
    spacing = 1.7 * float(np.ptp(slope)) / (width * factor)
    picture_height, picture_width = _PICTURE_PX
    height = picture_height + 60
    figure = Figure(
        figsize=(2 * picture_width / 100, height / 100),
        dpi=100,
        facecolor='#{:02x}{:02x}{:02x}'.format(*BACKGROUND_RGB),
    )
    for index, (name, eye) in enumerate(eyes.items()):
        picture = render_points(filled, painted, look_at(eye, target), _PICTURE_PX, spacing)
        axis = figure.add_axes((index / 2, 0, 0.5, picture_height / height))
        axis.imshow(picture)
        axis.set_axis_off()
        axis.set_title(name, color='0.85', fontsize=15)
    return figure


def write_ply(
    path: Path, points_m: np.ndarray, colors: np.ndarray, comments: Sequence[str] = ()
) -> None:
    """
    Write a coloured cloud as binary PLY, which MeshLab, CloudCompare and Open3D read.

    Colours are uchar, because readers disagree on the range of float colours.

    :param path: the path of the file.
    :param points_m: (..., 3) float32 metres; points that are not finite are omitted.
    :param colors: (..., 3) uint8 RGB.
    :param comments: lines for the header.
    """
    from plyfile import PlyData, PlyElement

    is_point = np.isfinite(points_m).all(axis=-1)
    points_m, colors = points_m[is_point], colors[is_point]
    vertices = np.empty(
        len(points_m),
        [('x', 'f4'), ('y', 'f4'), ('z', 'f4'), ('red', 'u1'), ('green', 'u1'), ('blue', 'u1')],
    )
    for axis, name in enumerate('xyz'):
        vertices[name] = points_m[:, axis]
    for channel, name in enumerate(('red', 'green', 'blue')):
        vertices[name] = colors[:, channel]
    PlyData(
        [PlyElement.describe(vertices, 'vertex')], byte_order='<', comments=list(comments)
    ).write(str(path))
