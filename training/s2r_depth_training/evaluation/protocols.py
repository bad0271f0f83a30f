"""
The published protocols: which pixels count, and how a prediction is fitted to the truth.

Depths are in metres; invalid truth is NaN, and +inf is the sky, or beyond the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch


class NotMeasurableError(ValueError):
    """One image cannot be scored; the text says why."""


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

    def valid_mask(self, truth_m: np.ndarray) -> np.ndarray:
        """
        Return the mask of the pixels that count.

        :param truth_m: (H, W) float, NaN where not measured.
        :returns: (H, W) bool. The crop's borders are cut to whole pixels, as published.
        :raises NotMeasurableError: no pixel counts.
        """
        mask = (truth_m > self.min_depth_m) & (truth_m < self.max_depth_m)
        if self.crop is not None:
            height, width = truth_m.shape
            rows = slice(int(self.crop.top * height), int(self.crop.bottom * height))
            columns = slice(int(self.crop.left * width), int(self.crop.right * width))
            inside = np.zeros_like(mask)
            inside[rows, columns] = True
            mask &= inside
        if not mask.any():
            raise NotMeasurableError(
                f'no true depth between {self.min_depth_m:g} and {self.max_depth_m:g} m in the '
                f'part of the image that counts in protocol {self.name}'
            )
        return mask


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol('kitti', 1e-3, 80.0, GARG_CROP, (0, 10, 20, 30, 50, 80)),
        Protocol('kitti-50m', 1e-3, 50.0, GARG_CROP, (0, 10, 20, 30, 50)),
        Protocol('nyu', 1e-3, 8.0, None, (0, 1, 2, 3, 5, 8)),
    )
}


def interpolate_depth(depth_m: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """
    Resize bilinearly with aligned corners, as published.

    :param depth_m: (h, w) float.
    :param shape: (H, W) of the result.
    :returns: (H, W), the same type; the very array where the shape is right already.
    """
    if depth_m.shape == shape:
        return depth_m
    batch = torch.from_numpy(np.ascontiguousarray(depth_m))[None, None]
    resized = torch.nn.functional.interpolate(batch, shape, mode='bilinear', align_corners=True)
    return resized[0, 0].numpy()


def fit_to_truth(
    prediction_m: np.ndarray, shape: tuple[int, ...], protocol: Protocol
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
            f'{bad} of {prediction_m.size} predicted depths are NaN or infinite'
        )
    resized = interpolate_depth(prediction_m, shape)
    return np.clip(resized, protocol.min_depth_m, protocol.max_depth_m)
