"""A filter against flicker: depth is averaged over time where the image stays the same."""
from __future__ import annotations

import cv2
import numpy as np

# The image is compared in cells of so many pixels, which averages its noise away.
_CELL_PX = 8
# Grey levels, of 255, by which a cell may change and be the same.
_SAME_GREY = 4.0
_LEAST_DEPTH_M = 1e-3
# After so long without an image what was before says nothing, however alike the next one is.
_LONGEST_GAP_S = 2.0


class SteadyDepth:
    """
    The depth of one camera, steadied; keeps the last image and depth.

    Of each pixel an exponential mean of the logarithm of depth is taken, since depth errs by
    factors. Where the image has changed, in a cell or beside it, the new depth counts alone: a
    thing that moves, or a camera that does, leaves no ghost.
    """

    def __init__(self) -> None:
        self._log_depth = np.empty((0, 0), np.float32)
        self._grey = np.empty((0, 0), np.float32)
        self._stamp_s: float | None = None

    def update(
        self, depth_m: np.ndarray, rgb: np.ndarray, steadiness: float,
        stamp_s: float | None = None,
    ) -> np.ndarray:
        """
        Take in a prediction and return the steadied one.

        :param depth_m: (H, W) float32 metres; what is not finite stays as it is, and reaches
            neither its neighbours nor the next image.
        :param rgb: (H, W, 3) uint8, its image.
        :param steadiness: weight of what was before where nothing changed, 0 to below 1.
        :param stamp_s: of the image; after a gap of more than two seconds, or a step back, the
            filter begins anew. None if it has none: then no gap is seen.
        :returns: (H, W) float32 metres.
        """
        height, width = depth_m.shape
        cells = max(1, width // _CELL_PX), max(1, height // _CELL_PX)
        grey = cv2.resize(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cells, interpolation=cv2.INTER_AREA,
        ).astype(np.float32)
        log_depth = np.log(np.maximum(depth_m, _LEAST_DEPTH_M))
        missing = ~np.isfinite(depth_m)
        log_depth[missing] = np.nan
        if self._log_depth.shape == log_depth.shape and self._goes_on(stamp_s):
            changed = (np.abs(grey - self._grey) > _SAME_GREY).astype(np.uint8)
            kept = steadiness * (1 - cv2.dilate(changed, np.ones((3, 3), np.uint8)))
            kept = kept.astype(np.float32)
            grey += kept * (self._grey - grey)
            step = self._log_depth - log_depth
            step[np.isnan(step)] = 0  # the new one counts; a weight of 0 would not keep NaN out
            log_depth += cv2.resize(kept, (width, height)) * step
        self._grey, self._log_depth, self._stamp_s = grey, log_depth, stamp_s
        steadied = np.exp(log_depth)
        steadied[missing] = depth_m[missing]
        return steadied

    def _goes_on(self, stamp_s: float | None) -> bool:
        if stamp_s is None or self._stamp_s is None:
            return True
        return 0 <= stamp_s - self._stamp_s <= _LONGEST_GAP_S
