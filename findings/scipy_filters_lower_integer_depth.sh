#!/bin/bash
# Filters of scipy.ndimage cut off fractions of integer images, and its resampling rounds them.
# Guess (2026-11-30, before the first run): gaussian_filter, uniform_filter, zoom and rotate all
#   round uint16 to the nearest.
# Seen: zoom and rotate round. gaussian_filter and uniform_filter cut off after the columns and
#   again after the rows. So depth in uint16 millimetres is 0.8 to 1.0 lower on average. A mean of
#   3 x 3 by convolve turns a wall of 1000 into 999.
# Matters: each smoothing brings the scene nearer. Ten passes take 10 mm off, or 10 levels off a
#   uint8 image.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import scipy
from scipy import ndimage

print('scipy', scipy.__version__)
depth_mm = np.random.default_rng(0).integers(500, 5000, (200, 200)).astype(np.uint16)
functions = {
    'gaussian_filter': lambda x: ndimage.gaussian_filter(x, 1.5),
    'uniform_filter': lambda x: ndimage.uniform_filter(x, 5),
    'zoom': lambda x: ndimage.zoom(x, 1.7, order=1),
    'rotate': lambda x: ndimage.rotate(x, 30, order=1, mode='nearest'),
}
for name, function in functions.items():
    offset_mm = (function(depth_mm) - function(depth_mm.astype(float))).mean()
    print(f'{name}: uint16 minus float64 is {offset_mm:.3f} on average')
    if name in ('zoom', 'rotate'):
        assert abs(offset_mm) < 0.01
    else:
        assert -1.05 < offset_mm < -0.75
wall_mm = ndimage.convolve(np.full((20, 20), 1000, np.uint16), np.full((3, 3), 1 / 9))
print('mean of 3 x 3 of a wall of 1000:', np.unique(wall_mm))
assert (wall_mm == 999).all()
smooth_mm, truth_mm = depth_mm, depth_mm.astype(float)
for _ in range(10):
    smooth_mm = ndimage.gaussian_filter(smooth_mm, 1.5)
    truth_mm = ndimage.gaussian_filter(truth_mm, 1.5)
offset_mm = (smooth_mm - truth_mm).mean()
print(f'after ten passes: {offset_mm:.2f}')
assert offset_mm < -9
END
