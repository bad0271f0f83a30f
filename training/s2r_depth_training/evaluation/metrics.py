"""
Errors of predicted depth, on one image at a time and in metres.

The caller averages over images, as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np


class DepthErrors(NamedTuple):
    """The seven published errors of one image, or their mean over images."""

    abs_rel: float
    sq_rel_m: float
    rmse_m: float
    rmse_log: float
    delta_1: float
    delta_2: float
    delta_3: float


def median_ratio(predicted_m: np.ndarray, true_m: np.ndarray) -> float:
    """
    Return the factor that gives a prediction the truth's median.

    :param predicted_m: (N,) float, clamped.
    :param true_m: (N,) float.
    :returns: median(true) / median(predicted).
    """
    return float(np.median(true_m) / np.median(predicted_m))


def depth_errors(predicted_m: np.ndarray, true_m: np.ndarray) -> DepthErrors:
    """
    Compare two lists of depths by the measures of Eigen et al., NIPS 2014, section 4.3.

    With p predicted and t true: mean |p - t| / t, mean (p - t)^2 / t, sqrt(mean (p - t)^2),
    sqrt(mean (ln p - ln t)^2), and the share of max(p / t, t / p) < 1.25, 1.25^2, 1.25^3.

    :param predicted_m: (N,) float, positive.
    :param true_m: (N,) float, positive.
    :returns: the seven, each a mean over the N pixels.
    """
    difference = predicted_m - true_m
    log_ratio = np.log(predicted_m) - np.log(true_m)
    worst_ratio = np.maximum(predicted_m / true_m, true_m / predicted_m)
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(difference) / true_m)),
        sq_rel_m=float(np.mean(difference**2 / true_m)),
        rmse_m=float(np.sqrt(np.mean(difference**2))),
        rmse_log=float(np.sqrt(np.mean(log_ratio**2))),
        delta_1=float(np.mean(worst_ratio < 1.25)),
        delta_2=float(np.mean(worst_ratio < 1.25**2)),
        delta_3=float(np.mean(worst_ratio < 1.25**3)),
    )


def tilted_to_truth(predicted_m: np.ndarray, true_m: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """
    Return the prediction with the scale and the tilt that suit the truth best.

    That is ``p exp(a + b x + c y)`` over the image's columns x and rows y, with a, b and c of
    least squares of ln p - ln t. What error is left is in the shapes; the rest was in how the
    view as a whole recedes: where the floor leads, which wall is met head on.

    :param predicted_m: (H, W) float, positive.
    :param true_m: (H, W) float; positive where it counts.
    :param mask: (H, W) bool, the pixels that count, at least one.
    :returns: (N,) float64, the pixels that count.
    """
    rows, columns = np.nonzero(mask)
    predicted, true = predicted_m[mask].astype(np.float64), true_m[mask].astype(np.float64)
    height, width = mask.shape
    places = np.stack([np.ones(len(rows)), columns / width - 0.5, rows / height - 0.5], axis=1)
    factors, *_ = np.linalg.lstsq(places, np.log(true) - np.log(predicted), rcond=None)
    return predicted * np.exp(places @ factors)


def errors_by_distance(
    predicted_m: np.ndarray, true_m: np.ndarray, bin_edges_m: Sequence[float]
) -> list[DepthErrors | None]:
    """
    Compare the near and the far separately.

    :param predicted_m: (N,) float, positive.
    :param true_m: (N,) float, positive; decides the bin: lower edge <= true < upper edge.
    :param bin_edges_m: B + 1 ascending borders.
    :returns: B entries; None where a bin has no pixel.
    """
    bins = [(true_m >= low) & (true_m < high) for low, high in pairwise(bin_edges_m)]
    return [
        depth_errors(predicted_m[inside], true_m[inside]) if inside.any() else None
        for inside in bins
    ]


def style_change(depths_m: Sequence[np.ndarray], mask: np.ndarray) -> float:
    """
    Measure how much the predicted depth changes when only the style of the picture does.

    For depths i and j of the same geometry: |d_i - d_j| / ((d_i + d_j) / 2), averaged over pixels,
    then over all pairs. 0 is the method's claim fulfilled; no truth enters, so a constant also
    gets 0: read it beside the errors.

    :param depths_m: V >= 2 arrays (H, W), positive and finite where they count.
    :param mask: (H, W) bool, the pixels to average over.
    :returns: the mean relative change, 0 to 2.
    """
    lists = [depth[mask].astype(np.float64) for depth in depths_m]
    return float(
        np.mean(
            [
                np.mean(np.abs(one - other) / ((one + other) / 2))
                for one, other in combinations(lists, 2)
            ]
        )
    )
