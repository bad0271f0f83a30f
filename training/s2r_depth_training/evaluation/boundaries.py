"""Depth edges: whether objects are cut out where they end."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .protocols import Protocol


class BoundaryErrors(NamedTuple):
    """How well the depth edges of one image lie; see `boundary_errors`."""

    distance_px: float
    f_score: float


def depth_edges(depth_m: np.ndarray, ratio: float) -> np.ndarray:
    """
    Mark where depth jumps: the farthest of a pixel's 3 x 3 neighbours over the nearest.

    :param depth_m: (H, W) float32, positive and finite.
    :param ratio: an edge is where the quotient exceeds it.
    :returns: (H, W) bool.
    """
    window = np.ones((3, 3), np.uint8)
    return cv2.dilate(depth_m, window) > ratio * cv2.erode(depth_m, window)


def boundary_errors(
    prediction_m: np.ndarray,
    truth_m: np.ndarray,
    protocol: Protocol,
    ratio: float = 1.1,
    tolerance_px: float = 2.0,
    farthest_px: float = 10.0,
) -> BoundaryErrors | None:
    """
    Compare the places where depth jumps: are objects cut out where they end?

    An edge is a relative jump (`depth_edges`), so that no scale enters, as in the boundary measure
    of Depth Pro (Bochkovskii et al. 2024, section 3.2). Distances between edges are Euclidean,
    taken both ways and cut at `farthest_px`, after the depth boundary errors of iBims-1 (Koch et
    al. 2018), which leave farther edges out: here they count as that far, so that a prediction
    without edges does not win.

    With P and T the edges of prediction and truth, d(x, Y) the distance to the nearest of Y:
    distance_px = (mean over P of min(d(p, T), farthest) + mean over T of min(d(t, P), farthest)) /
    2; f_score is the harmonic mean of the shares of P and of T with d <= tolerance. Without any P
    they are farthest_px and 0.

    :param prediction_m: (H, W) float32 (`fit_to_truth`).
    :param truth_m: (H, W) float32; +inf counts as the protocol's farthest depth. Edges next to
        pixels that were not measured are left out on both sides.
    :param protocol: its range clamps the truth as well; its crop is not used.
    :param ratio: relative jump that makes an edge.
    :param tolerance_px: largest distance of an edge that counts as predicted.
    :param farthest_px: distance given to an edge that has no counterpart.
    :returns: None where fewer than half of the pixels were measured (a projected LiDAR sweep has
        no edges to compare with), or the truth has no edge.
    """
    measured = ~np.isnan(truth_m)
    if measured.mean() < 0.5:
        return None
    truth = np.clip(
        np.where(measured, truth_m, protocol.max_depth_m),
        protocol.min_depth_m,
        protocol.max_depth_m,
    )
    whole_window = cv2.erode(measured.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    true_edges = depth_edges(truth.astype(np.float32), ratio) & whole_window
    predicted_edges = depth_edges(prediction_m, ratio) & whole_window
    if not true_edges.any():
        return None
    if not predicted_edges.any():
        return BoundaryErrors(farthest_px, 0.0)
    to_truth = _distance_px(true_edges)[predicted_edges]
    to_prediction = _distance_px(predicted_edges)[true_edges]
    precision = float(np.mean(to_truth <= tolerance_px))
    recall = float(np.mean(to_prediction <= tolerance_px))
    return BoundaryErrors(
        distance_px=float(
            np.mean(np.minimum(to_truth, farthest_px))
            + np.mean(np.minimum(to_prediction, farthest_px))
        )
        / 2,
        f_score=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


def _distance_px(edges: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the nearest True one."""
    return cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
