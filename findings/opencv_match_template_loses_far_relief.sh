#!/bin/bash
# OpenCV's matchTemplate gives 0 for every place, if the relief is small beside the depth.
# Guess (2026-11-30, before the first run): TM_CCOEFF_NORMED finds an exact crop of a float32 depth
#   image with a score of at least 0.999, whatever the depth is.
# Seen: with 5 mm of relief it is 1.00 at 0.3 m, 0.99 at 3 m, and 0 everywhere at 30 m. Minus its
#   mean the same image gives 1.00 at any depth. TM_SQDIFF finds a wrong place at 30 m, too.
# Matters: a score that subtracts the mean still depends on it. Matching in depth fails with the
#   distance, and minMaxLoc then answers with the corner (0, 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np

print('opencv', cv2.__version__)
relief = np.random.default_rng(0).normal(0, 0.005, (240, 320))  # float32 resolves 2e-6 at 30
corner = (150, 100)
scores = {}
for depth in (0.3, 3, 30):
    image = (depth + relief).astype(np.float32)
    for name, scene in (('as it is', image), ('minus its mean', image - image.mean())):
        crop = scene[100:132, 150:182]
        found = cv2.matchTemplate(scene, crop, cv2.TM_CCOEFF_NORMED)
        square = cv2.minMaxLoc(cv2.matchTemplate(scene, crop, cv2.TM_SQDIFF))[2]
        scores[depth, name] = found[100, 150], found.min(), found.max(), square
        print(f'{depth} m {name}: at the crop {found[100, 150]:.3f}, range {found.min():.3f} to '
              f'{found.max():.3f}; TM_SQDIFF finds {square}, true {corner}')
assert all(abs(scores[depth, 'minus its mean'][0] - 1) < 0.001 for depth in (0.3, 3, 30))
assert scores[0.3, 'as it is'][0] > 0.999
assert 0.9 < scores[3, 'as it is'][0] < 0.998
assert scores[30, 'as it is'][:3] == (0, 0, 0)
assert scores[30, 'as it is'][3] != corner == scores[30, 'minus its mean'][3]
END
