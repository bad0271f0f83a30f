#!/bin/bash
# OpenCV divides the values of a PFM file by the size of the number in its third line.
# Guess (2026-11-29, before the first run): only the sign of that number counts, and the
#   values arrive as they are, in OpenCV and in Pillow.
# Seen: with -0.5 all values arrive doubled in OpenCV, and as they are in Pillow. It is not even
#   the product that the name "scale" suggests.
# Matters: ground truth of stereo in this format changes its size from one reader to the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93 pillow==13.0.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np
import PIL
from PIL import Image

print('opencv', cv2.__version__, 'pillow', PIL.__version__)
disparity = np.random.default_rng(0).uniform(1, 200, (4, 6)).astype('<f4')
for scale in (-1, -0.5, -0.004, -2):
    with open('disparity.pfm', 'wb') as file:
        file.write(f'Pf\n6 4\n{scale}\n'.encode() + disparity[::-1].tobytes())
    by_opencv = cv2.imread('disparity.pfm', cv2.IMREAD_UNCHANGED)
    by_pillow = np.asarray(Image.open('disparity.pfm'))
    print(f'scale {scale}: OpenCV x {np.median(by_opencv / disparity):.6g}, '
          f'Pillow x {np.median(by_pillow / disparity):.6g}')
    assert np.array_equal(by_pillow, disparity)
    assert np.allclose(by_opencv, disparity / abs(scale), rtol=1e-5)
END
