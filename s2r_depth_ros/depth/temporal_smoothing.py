"""A filter against flicker, which averages depth over time where the image does not change."""

from __future__ import annotations

import cv2
import numpy as np

# Side of the cells in which images are compared; a cell averages the noise of its pixels.
_CELL_PX = 8
# Largest change of an unchanged cell, in grey levels of 255.
_SAME_GREY = 4.0
_LEAST_DEPTH_M = 1e-3
# After a longer gap between images, the filter restarts.
_LONGEST_GAP_S = 2.0


class TemporalSmoother:
    """
    Smooths the depth of one camera over time; keeps the last image and depth.

    The filter takes an exponential mean of the logarithm of depth for each pixel, since depth
    errors are factors. Where a cell or its neighbour has changed, only the new depth counts.
    Therefore moving objects and a moving camera leave no ghosts.
    """

    def __init__(self) -> None:
        self._log_depth = np.empty((0, 0), np.float32)
        self._grey = np.empty((0, 0), np.float32)
        self._stamp_s: float | None = None

    def update(
        self, depth_m: np.ndarray, rgb: np.ndarray, weight: float, stamp_s: float | None = None
    ) -> np.ndarray:
        """
        Take in a prediction and return the smoothed one.

        :param depth_m: (H, W) float32 metres. A value that is not finite stays, and affects
            neither its neighbours nor the next image.
        :param rgb: (H, W, 3) uint8, the image.
        :param weight: weight of the previous depth where nothing changed, 0 to below 1.
        :param stamp_s: time of the image in seconds, None if unknown. After a gap of more than two
            seconds, or a step back, the filter restarts.
        :returns: (H, W) float32 metres.
        """
        height, width = depth_m.shape
        cells = max(1, width // _CELL_PX), max(1, height // _CELL_PX)
        grey = cv2.resize(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cells, interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        log_depth = np.log(np.maximum(depth_m, _LEAST_DEPTH_M))
        missing = ~np.isfinite(depth_m)
        log_depth[missing] = np.nan
        if self._log_depth.shape == log_depth.shape and self._goes_on(stamp_s):
            changed = (np.abs(grey - self._grey) > _SAME_GREY).astype(np.uint8)
            kept = weight * (1 - cv2.dilate(changed, np.ones((3, 3), np.uint8)))
            kept = kept.astype(np.float32)
            grey += kept * (self._grey - grey)
            step = self._log_depth - log_depth
            step[np.isnan(step)] = 0  # the new one counts; a weight of 0 would not keep NaN out
            log_depth += cv2.resize(kept, (width, height)) * step
        self._grey, self._log_depth, self._stamp_s = grey, log_depth, stamp_s
        smoothed_m = np.exp(log_depth)
        smoothed_m[missing] = depth_m[missing]
        return smoothed_m

    def _goes_on(self, stamp_s: float | None) -> bool:
        if stamp_s is None or self._stamp_s is None:
            return True
        return 0 <= stamp_s - self._stamp_s <= _LONGEST_GAP_S
