#!/bin/bash
# OpenCV writes JPEG 2000 with a limit of a quarter of the raw size, where its documentation says
# that the default is 1000, the best rate.
# Guess (2026-11-30, before the first run): imwrite of a uint16 depth image to .jp2 without
#   parameters is exact, as the documented default of 1000 suggests, and Pillow reads the same.
# Seen: a smooth image is exact. With holes it needs more than a quarter of its size, and nine
#   tenths of the pixels change, by up to 106 mm; holes get a depth. With 1000 given it is exact.
# Matters: a recording is lossless in tests with simple images, and loses its depth in the field.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pillow==13.0.0 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import os

import cv2
import numpy as np
from PIL import Image

print('opencv', cv2.__version__)
random = np.random.default_rng(0)
row, column = np.mgrid[:480, :640]
smooth = (1500 + 2 * column + 3 * row).astype(np.uint16)  # millimetres
holes = np.where(random.random(smooth.shape) < 0.05, 0, smooth).astype(np.uint16)
found = {}
for name, depth in (('smooth', smooth), ('with holes', holes)):
    for rate in (None, 1000):
        cv2.imwrite('depth.jp2', depth, [] if rate is None else [
            cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, rate])
        back = cv2.imread('depth.jp2', cv2.IMREAD_UNCHANGED)
        assert np.array_equal(back, np.asarray(Image.open('depth.jp2')))
        error = np.abs(back.astype(int) - depth).max()
        filled = np.mean(back[depth == 0] > 0) if (depth == 0).any() else 0
        size = os.path.getsize('depth.jp2') / depth.nbytes
        print(f'{name}, rate {rate}: {size:.2f} of the raw size, {np.mean(back != depth):.0%} of '
              f'the pixels changed, by up to {error} mm; {filled:.0%} of the holes filled')
        found[name, rate] = size, error, filled
assert found['smooth', None][1] == found['smooth', 1000][1] == found['with holes', 1000][1] == 0
assert found['with holes', 1000][0] > 0.4
size, error, filled = found['with holes', None]
assert 0.24 < size < 0.26 and error > 50 and filled > 0.2
END
