"""
How far a predicted depth map is from the truth: the published protocols and what they miss.

Everything here is NumPy on one image at a time and in metres: averages are taken over images, as
published, by whoever calls. Invalid truth is NaN; +inf is the sky, or beyond the sensor.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import cv2
import numpy as np
import torch


class NotMeasurableError(ValueError):
    """One image cannot be scored; the text says why."""


class DepthErrors(NamedTuple):
    """The seven published errors of one image, or their mean over images."""

    abs_rel: float
    sq_rel_m: float
    rmse_m: float
    rmse_log: float
    delta_1: float
    delta_2: float
    delta_3: float


class BoundaryErrors(NamedTuple):
    """How well the depth edges of one image lie; see `boundary_errors`."""

    distance_px: float
    f_score: float


class Crop(NamedTuple):
    """A part of the image, as fractions of its height and width."""

    top: float
    bottom: float
    left: float
    right: float


GARG_CROP = Crop(0.40810811, 0.99189189, 0.03594771, 0.96405229)


@dataclass(frozen=True)
class Protocol:
    """
    Which pixels count, and how predictions are treated before they are compared.

    :param name: what the user types.
    :param min_depth_m: true depths at or below it do not count; predictions are raised to it.
    :param max_depth_m: true depths at or above it do not count; predictions are lowered to it.
    :param crop: the part of the image that counts; None: all of it.
    :param bin_edges_m: borders of the distance bins, ascending.
    """

    name: str
    min_depth_m: float
    max_depth_m: float
    crop: Crop | None
    bin_edges_m: tuple[float, ...]

    def counted(self, truth_m: np.ndarray) -> np.ndarray:
        """
        Tell the pixels that count.

        :param truth_m: (H, W) float, NaN where not measured.
        :returns: (H, W) bool. The crop's borders are cut to whole pixels, as published.
        :raises NotMeasurableError: no pixel counts.
        """
        counted = (truth_m > self.min_depth_m) & (truth_m < self.max_depth_m)
        if self.crop is not None:
            height, width = truth_m.shape
            rows = slice(int(self.crop.top * height), int(self.crop.bottom * height))
            columns = slice(int(self.crop.left * width), int(self.crop.right * width))
            inside = np.zeros_like(counted)
            inside[rows, columns] = True
            counted &= inside
        if not counted.any():
            raise NotMeasurableError(
                f'no true depth between {self.min_depth_m:g} and {self.max_depth_m:g} m in the '
                f'part of the image that counts in protocol {self.name}')
        return counted


PROTOCOLS = {protocol.name: protocol for protocol in (
    Protocol('kitti', 1e-3, 80.0, GARG_CROP, (0, 10, 20, 30, 50, 80)),
    Protocol('kitti-50m', 1e-3, 50.0, GARG_CROP, (0, 10, 20, 30, 50)),
    Protocol('nyu', 1e-3, 8.0, None, (0, 1, 2, 3, 5, 8)),
)}


def resize_depth(depth_m: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """
    Resize bilinearly with aligned corners, as published.

    :param depth_m: (h, w) float.
    :param shape: the (H, W) wanted.
    :returns: (H, W), the same type; the very array where the shape is right already.
    """
    if depth_m.shape == shape:
        return depth_m
    batch = torch.from_numpy(np.ascontiguousarray(depth_m))[None, None]
    resized = torch.nn.functional.interpolate(
        batch, shape, mode='bilinear', align_corners=True)
    return resized[0, 0].numpy()


def fit_to_truth(
    prediction_m: np.ndarray, shape: tuple[int, ...], protocol: Protocol,
) -> np.ndarray:
    """
    Bring a prediction to the truth's size, then clamp it, as published.

    :param prediction_m: (h, w) float.
    :param shape: the truth's (H, W).
    :param protocol: its range clamps.
    :returns: (H, W), the same type, not yet scaled.
    :raises NotMeasurableError: a predicted depth is NaN or infinite.
    """
    bad = int(np.sum(~np.isfinite(prediction_m)))
    if bad:
        raise NotMeasurableError(
            f'{bad} of {prediction_m.size} predicted depths are NaN or infinite')
    resized = resize_depth(prediction_m, shape)
    return np.clip(resized, protocol.min_depth_m, protocol.max_depth_m)


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
        sq_rel_m=float(np.mean(difference ** 2 / true_m)),
        rmse_m=float(np.sqrt(np.mean(difference ** 2))),
        rmse_log=float(np.sqrt(np.mean(log_ratio ** 2))),
        delta_1=float(np.mean(worst_ratio < 1.25)),
        delta_2=float(np.mean(worst_ratio < 1.25 ** 2)),
        delta_3=float(np.mean(worst_ratio < 1.25 ** 3)),
    )


def tilted_to_truth(
    predicted_m: np.ndarray, true_m: np.ndarray, counted: np.ndarray,
) -> np.ndarray:
    """
    Return the prediction with the scale and the tilt that suit the truth best.

    That is ``p exp(a + b x + c y)`` over the image's columns x and rows y, with a, b and c of
    least squares of ln p - ln t. What error is left is in the shapes; the rest was in how the
    view as a whole recedes: where the floor leads, which wall is met head on.

    :param predicted_m: (H, W) float, positive.
    :param true_m: (H, W) float; positive where it counts.
    :param counted: (H, W) bool, the pixels that count, at least one.
    :returns: (N,) float64, the pixels that count.
    """
    rows, columns = np.nonzero(counted)
    predicted, true = predicted_m[counted].astype(np.float64), true_m[counted].astype(np.float64)
    height, width = counted.shape
    places = np.stack([np.ones(len(rows)), columns / width - 0.5, rows / height - 0.5], axis=1)
    factors, *_ = np.linalg.lstsq(places, np.log(true) - np.log(predicted), rcond=None)
    return predicted * np.exp(places @ factors)


def errors_by_distance(
    predicted_m: np.ndarray, true_m: np.ndarray, bin_edges_m: Sequence[float],
) -> list[DepthErrors | None]:
    """
    Compare the near and the far separately.

    :param predicted_m: (N,) float, positive.
    :param true_m: (N,) float, positive; decides the bin: lower edge <= true < upper edge.
    :param bin_edges_m: B + 1 ascending borders.
    :returns: B entries; None where a bin has no pixel.
    """
    bins = [(true_m >= low) & (true_m < high) for low, high in pairwise(bin_edges_m)]
    return [depth_errors(predicted_m[inside], true_m[inside]) if inside.any() else None
            for inside in bins]


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
    :param tolerance_px: distance at which an edge is still found.
    :param farthest_px: distance given to an edge that has no counterpart.
    :returns: None where fewer than half of the pixels were measured (a projected LiDAR sweep has
        no edges to compare with), or the truth has no edge.
    """
    measured = ~np.isnan(truth_m)
    if measured.mean() < 0.5:
        return None
    truth = np.clip(np.where(measured, truth_m, protocol.max_depth_m),
                    protocol.min_depth_m, protocol.max_depth_m)
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
        distance_px=float(np.mean(np.minimum(to_truth, farthest_px))
                          + np.mean(np.minimum(to_prediction, farthest_px))) / 2,
        f_score=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


def _distance_px(edges: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the nearest True one."""
    return cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def style_change(depths_m: Sequence[np.ndarray], counted: np.ndarray) -> float:
    """
    Measure how much the predicted depth changes when only the style of the picture does.

    For depths i and j of the same geometry: |d_i - d_j| / ((d_i + d_j) / 2), averaged over pixels,
    then over all pairs. 0 is the method's claim fulfilled; no truth enters, so a constant also
    gets 0: read it beside the errors.

    :param depths_m: V >= 2 arrays (H, W), positive and finite where they count.
    :param counted: (H, W) bool, the pixels to average over.
    :returns: the mean relative change, 0 to 2.
    """
    lists = [depth[counted].astype(np.float64) for depth in depths_m]
    return float(np.mean([
        np.mean(np.abs(one - other) / ((one + other) / 2))
        for one, other in combinations(lists, 2)]))


def row_profile(truth_m: np.ndarray, protocol: Protocol, rows: int = 200) -> np.ndarray:
    """
    Return an image's median true depth by height in the image.

    :param truth_m: (H, W) float.
    :param protocol: tells the pixels that count.
    :param rows: equal bands that the image is cut into, top to bottom.
    :returns: (rows,) float64, NaN for a band in which nothing counts.
    :raises NotMeasurableError: nothing counts anywhere.
    """
    counted = protocol.counted(truth_m)
    band = np.arange(truth_m.shape[0]) * rows // truth_m.shape[0]
    profile = np.full(rows, np.nan)
    for index in np.unique(band[counted.any(axis=1)]):
        inside = band == index
        profile[index] = np.median(truth_m[inside][counted[inside]])
    return profile


def depth_by_row(profiles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """
    Predict depth from nothing but the row: what a network must beat to have seen anything.

    :param profiles: (N, rows) of other images (`row_profile`), at least one value finite.
    :param shape: the image's (H, W).
    :returns: (H, W) float32: the median over images, linear between band centres.
    """
    height, width = shape
    rows = profiles.shape[1]
    known = np.flatnonzero(~np.isnan(profiles).all(axis=0))
    median = np.nanmedian(profiles[:, known], axis=0)
    position = (np.arange(height) + 0.5) * rows / height - 0.5
    column = np.interp(position, known, median).astype(np.float32)
    return np.repeat(column[:, None], width, axis=1)
