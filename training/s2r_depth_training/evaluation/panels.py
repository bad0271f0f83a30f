"""The pictures of a frame: input, maps, depth, truth and error side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_ros.depth.predictor import DepthPredictor, PredictedMaps

from ..data.sample import Sample, SampleReader
from .methods import intrinsics_of, Method
from .protocols import fit_to_truth, Protocol

PANEL_WIDTH_PX = 480
WORST_REL_ERROR = 0.5  # the top of the error colours


class FramePanels(NamedTuple):
    """The pictures of one frame: captions and (H, W, 3) uint8 RGB."""

    title: str
    panels: list[tuple[str, np.ndarray]]


def draw_panels(
    title: str, sample: Sample, maps: PredictedMaps, ratio: float, protocol: Protocol
) -> FramePanels:
    """
    Paint input, structure, attention, depth, truth and error of one frame.

    :param title: what to call the frame.
    :param sample: image and truth.
    :param maps: the network's maps of the image, at its size.
    :param ratio: the frame's median ratio, by which depth is scaled before it is shown.
    :param protocol: its farthest depth is the end of the colours; it tells what error counts.
    :returns: six pictures, at most `PANEL_WIDTH_PX` wide.
    """
    height, width = sample.image.shape[:2]
    scale = min(1.0, PANEL_WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))

    def shrink(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    depth_m = fit_to_truth(maps.depth_m, sample.depth_m.shape, protocol) * ratio
    mask = protocol.valid_mask(sample.depth_m)
    error = np.full(mask.shape, np.nan, np.float32)
    error[mask] = np.abs(depth_m[mask] / sample.depth_m[mask] - 1)
    return FramePanels(
        title,
        [
            ('input', shrink(sample.image)),
            ('structure map', shrink(_grey(maps.structure))),
            ('attention map', shrink(_grey(maps.attention))),
            ('depth, median-scaled', shrink(_depth_colours(depth_m, protocol))),
            ('true depth', _depth_colours(_thin_out(sample.depth_m, size), protocol)),
            (f'relative error, 0 to {WORST_REL_ERROR:g}', _error_colours(_thin_out(error, size))),
        ],
    )


def _grey(values: np.ndarray) -> np.ndarray:
    """Show (H, W) in [0, 1]."""
    return cv2.cvtColor(np.rint(values * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def _depth_colours(depth_m: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Show (H, W) depths, near red and far blue, on one scale for prediction and truth."""
    return cv2.cvtColor(
        color_depth(depth_m, protocol.max_depth_m / 40, protocol.max_depth_m), cv2.COLOR_BGR2RGB
    )


def _error_colours(error: np.ndarray) -> np.ndarray:
    """Show (H, W) errors from black to yellow, and NaN as grey."""
    index = np.rint(np.clip(np.nan_to_num(error / WORST_REL_ERROR), 0, 1) * 255).astype(np.uint8)
    picture = cv2.cvtColor(cv2.applyColorMap(index, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    picture[np.isnan(error)] = 90
    return picture


def _thin_out(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shrink to (width, height), keeping a measured value in each pixel that has one."""
    height, width = values.shape
    small = np.full(size[::-1], np.nan, np.float32)
    rows, columns = np.nonzero(~np.isnan(values))
    small[rows * size[1] // height, columns * size[0] // width] = values[rows, columns]
    return small


def draw_best_to_worst(
    reader: SampleReader,
    predictor: DepthPredictor,
    method: Method,
    frames: Sequence[Mapping[str, Any]],
    count: int,
    protocol: Protocol,
) -> list[FramePanels]:
    """
    Draw frames for the page, evenly chosen from the lowest to the highest Abs Rel.

    :param reader: the data set.
    :param predictor: run once more on each of them, for its maps.
    :param method: gives the depth that was scored, with its scale.
    :param frames: as scored.
    :param count: most frames to draw.
    :param protocol: for the colours' range.
    :returns: their pictures, the best first.
    """
    ranked = sorted(frames, key=lambda frame: frame['median_scaled']['abs_rel'])
    panels = []
    for place in np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int):
        frame = ranked[place]
        sample = reader[frame['index']]
        maps = predictor.predict_maps([sample.image], [intrinsics_of(sample)])[0]
        maps = maps._replace(depth_m=method(sample, np.empty((0, 0))))
        title = f'{frame["name"]}: Abs Rel {frame["median_scaled"]["abs_rel"]:.3f}'
        panels.append(draw_panels(title, sample, maps, frame['median_ratio'], protocol))
    return panels
