"""Measure the cloud: points that float between surfaces, and the error by confidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from s2r_depth_ros.depth.edge_filter import smeared
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraState, DepthPipeline, postprocess
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.engine.depth_range import FAR_FRACTION

from ..data.sample import SampleReader
from .methods import camera_image
from .metrics import median_ratio
from .protocols import Protocol

# Two surfaces: within 5 x 5 pixels, one is 25 % farther than the other.
_WINDOW_PX = 5
_SURFACE_RATIO = 1.25
# A ghost is more than 10 % farther than the near surface, and more than 10 % nearer than the far
# one.
_MARGIN = 0.1
# Sparsification has the error of these shares of the pixels, those with the highest confidence.
SHARES = tuple(step / 10 for step in range(1, 11))


class Surfaces(NamedTuple):
    """Depth in metres of the two surfaces at each pixel, (H, W) float32; NaN if there is one."""

    near_m: np.ndarray
    far_m: np.ndarray


def surfaces(truth_m: np.ndarray) -> Surfaces:
    """
    Find the pixels with two surfaces in their 5 x 5 neighbourhood, and the depth of both.

    The depths of the neighbourhood are sorted. The surfaces are on both sides of the greatest
    ratio between successive depths. A slope without such a gap is one surface.

    :param truth_m: (H, W) float32 metres, finite, or NaN where not measured.
    """
    window = np.ones((_WINDOW_PX, _WINDOW_PX), np.uint8)
    missing = np.isnan(truth_m)
    least_m = cv2.erode(np.where(missing, np.float32(1e9), truth_m), window)
    most_m = cv2.dilate(np.where(missing, np.float32(0), truth_m), window)
    places = np.nonzero(~missing & (most_m >= _SURFACE_RATIO * least_m))
    padded_m = np.pad(truth_m, _WINDOW_PX // 2, constant_values=np.nan)
    windows = sliding_window_view(padded_m, window.shape)[places]
    sorted_m = np.sort(windows.reshape(-1, _WINDOW_PX**2), axis=1)
    gaps = np.nan_to_num(sorted_m[:, 1:] / sorted_m[:, :-1])
    widest, rows = gaps.argmax(axis=1), np.arange(len(gaps))
    is_gap = gaps[rows, widest] >= _SURFACE_RATIO
    near_m, far_m = (np.full(truth_m.shape, np.nan, np.float32) for _ in range(2))
    near_m[places] = np.where(is_gap, sorted_m[rows, widest], np.nan)
    far_m[places] = np.where(is_gap, sorted_m[rows, widest + 1], np.nan)
    return Surfaces(near_m, far_m)


def ghosts(depth_m: np.ndarray, beside: Surfaces) -> np.ndarray:
    """
    Mark the points that float between two surfaces.

    :param depth_m: (H, W) float32 predicted metres; values that are not finite are no points.
    :param beside: the surfaces of the true depth.
    :returns: (H, W) bool.
    """
    return (depth_m > (1 + _MARGIN) * beside.near_m) & (depth_m < (1 - _MARGIN) * beside.far_m)


def sparsification(error: np.ndarray, confidence: np.ndarray) -> list[float]:
    """
    Return the mean error of the pixels with the highest confidence, for each of :data:`SHARES`.

    This is the sparsification of Ilg et al., ECCV 2018, section 4.2, in reverse order.

    :param error: (N,) float, at least ten.
    :param confidence: (N,) float.
    """
    most_trusted_first = error[np.argsort(-confidence, kind='stable')]
    return [float(np.mean(most_trusted_first[: round(share * error.size)])) for share in SHARES]


def measure_clean(
    reader: SampleReader,
    indices: Iterable[int],
    predictor: DepthPredictor,
    protocol: Protocol,
    strength: float,
) -> dict[str, Any]:
    """
    Measure the edge filter and the confidence on frames.

    The prediction of each frame is scaled to the true median first. For ghosts, true depth is
    limited to the range of the protocol, so sky is at its end, and the crop is not used. If the
    true depth has no holes, it also serves as the depth of an ideal network of the same size.

    :param reader: the data set.
    :param indices: the frames.
    :param predictor: runs the network.
    :param protocol: selects the pixels of the error.
    :param strength: strength of the edge filter.
    :returns: the entry ``clean`` of results.json.
    """
    pipeline = DepthPipeline(predictor, Parameters())
    filtered = Parameters(edge_filter=strength)
    frames, ideal_frames, curves, best = [], [], [], []
    for index in tqdm(list(indices), desc='clean cloud', unit='frame', disable=None):
        sample = reader[index]
        (result,) = pipeline.predict([camera_image(sample)], with_confidence=True)
        before_m = postprocess(result, CameraState(), pipeline.parameters).depth_m
        after_m = postprocess(result, CameraState(), filtered).depth_m
        mask = protocol.valid_mask(sample.depth_m)
        truth_m = sample.depth_m.astype(np.float32)
        ratio = median_ratio(result.depth_m[mask], truth_m[mask])
        ranged_m = np.clip(truth_m, protocol.min_depth_m, protocol.max_depth_m)
        beside = surfaces(ranged_m)
        is_point = np.isfinite(before_m) & ~np.isnan(truth_m)
        frames.append(_counted(before_m * ratio, is_point, np.isfinite(after_m), beside))
        if not np.isnan(truth_m).any():
            size_px = predictor.letterbox(truth_m.shape).inner_size_px
            ideal_m = _as_of_a_network(ranged_m, size_px)
            is_kept = ~smeared(ideal_m, sample.image, strength)
            is_point = ideal_m < FAR_FRACTION * protocol.max_depth_m
            ideal_frames.append(_counted(ideal_m, is_point, is_kept, beside))
        counts = mask & np.isfinite(before_m)
        if result.confidence is None or np.sum(counts) < len(SHARES):
            continue
        counted_m = truth_m[counts].astype(np.float64)
        error = np.abs(result.depth_m[counts] * ratio - counted_m) / counted_m
        curves.append(sparsification(error, result.confidence[counts]))
        best.append(sparsification(error, -error))
    return {
        'edge_filter': strength,
        'ghosts': _summed(frames),
        'ghosts_of_true_depth': _summed(ideal_frames) if ideal_frames else None,
        'sparsification': {
            'shares': SHARES,
            'abs_rel': _mean(curves),
            'oracle_abs_rel': _mean(best),
        },
    }


def clean_table(clean: dict[str, Any]) -> str:
    """Return the figures of :func:`measure_clean` as a few lines."""
    ghost, curve = clean['ghosts'], clean['sparsification']

    def share(value: float | None) -> str:
        return 'none' if value is None else f'{value:.1%}'

    lines = [
        '',
        f'edge filter of strength {clean["edge_filter"]:g}: {share(ghost["share"])} of the points '
        f'are ghosts; {share(ghost["removed"])} of them removed, '
        f'{share(ghost["others_kept"])} of the others kept',
    ]
    if ideal := clean['ghosts_of_true_depth']:
        lines.append(
            f'the same of true depth at the size of the network: {share(ideal["share"])}, '
            f'{share(ideal["removed"])}, {share(ideal["others_kept"])}'
        )
    if curve['abs_rel'] is not None:
        half = SHARES.index(0.5)
        lines.append(
            f'Abs Rel of the half with most confidence, over that of all: '
            f'{curve["abs_rel"][half] / curve["abs_rel"][-1]:.3f}, at best '
            f'{curve["oracle_abs_rel"][half] / curve["oracle_abs_rel"][-1]:.3f}'
        )
    return '\n'.join(lines)


def _as_of_a_network(depth_m: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return depth reduced to (height, width) and enlarged again, like the depth of a network."""
    height, width = depth_m.shape
    small_m = cv2.resize(depth_m, size_px[::-1], interpolation=cv2.INTER_AREA)
    return cv2.resize(small_m, (width, height))


def _counted(
    depth_m: np.ndarray, is_point: np.ndarray, is_kept: np.ndarray, beside: Surfaces
) -> tuple[int, int, int, int]:
    """Return the numbers of ghosts, kept ghosts, other points, and kept other points."""
    is_ghost = is_point & ghosts(depth_m, beside)
    is_other = is_point & ~is_ghost
    return (
        int(is_ghost.sum()),
        int((is_ghost & is_kept).sum()),
        int(is_other.sum()),
        int((is_other & is_kept).sum()),
    )


def _summed(frames: Sequence[tuple[int, int, int, int]]) -> dict[str, float | None]:
    found, found_kept, others, others_kept = np.sum(frames, axis=0).tolist()
    return {
        'share': found / (found + others) if found + others else None,
        'removed': 1 - found_kept / found if found else None,
        'others_kept': others_kept / others if others else None,
    }


def _mean(curves: Sequence[Sequence[float]]) -> list[float] | None:
    """Return the mean over frames; None without frames."""
    return np.mean(curves, axis=0).tolist() if curves else None
