#!/bin/bash
# The guided filter of OpenCV turns a whole depth image into NaN, if it is far away.
# Guess (2026-11-30, before the first run): guidedFilter of float32 depth with 5 mm of relief is
#   within 1 mm of the same filter in float64, at 3 m and at 30 m.
# Seen: at 3 m it is. From 10 m on all pixels are NaN with eps = (1 mm)^2, without a warning, on a
#   flat wall, too. In millimetres with eps = 1 it is 73 % of them or more. Minus its mean
#   the same image is filtered rightly. The variance is a difference of large numbers in float32.
# Matters: the filter smooths depth and keeps its edges. It works in the room and destroys the
#   image in the hall, because of the distance alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-contrib-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np

print('opencv', cv2.__version__)
relief = np.random.default_rng(0).normal(0, 0.005, (120, 160))


def in_float64(image, eps):
    """Compute the guided filter of an image by itself, minus its mean."""
    mean = image.mean()
    image = image.astype(np.float64) - mean
    average = cv2.blur(image, (9, 9))
    variance = cv2.blur(image ** 2, (9, 9)) - average ** 2
    slope = variance / (variance + eps)
    return cv2.blur(slope, (9, 9)) * image + cv2.blur(average - slope * average, (9, 9)) + mean


inside = np.s_[10:-10, 10:-10]  # away from the border
for unit, scale in (('m', 1), ('mm', 1000)):
    for distance in (1, 3, 10, 30):
        eps = 1e-6 * scale ** 2
        for name, shape in (('relief', relief), ('flat', np.zeros_like(relief))):
            depth = ((distance + shape) * scale).astype(np.float32)
            found = cv2.ximgproc.guidedFilter(depth, depth, 4, eps)
            nan = np.isnan(found).mean()
            centred = depth - depth.mean()
            again = cv2.ximgproc.guidedFilter(centred, centred, 4, eps) + depth.mean()
            wrong, other = (np.abs(part - in_float64(depth, eps))[inside].max() / scale
                            for part in (found, again))
            print(f'{distance * scale} {unit}, {name}: {nan:.0%} NaN, off by {wrong:.6f} m; '
                  f'minus its mean {other:.6f} m')
            assert other < 1e-4
            if distance <= 3:
                assert nan == 0 and wrong < 0.001
            elif name == 'relief':
                assert nan > 0.7
END
