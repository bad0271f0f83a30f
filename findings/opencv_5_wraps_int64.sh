#!/bin/bash
# OpenCV 5 has 64-bit integers, yet its Python functions wrap those of NumPy to 32 bits.
# Guess (2026-11-28, before the first run): flip and add of an int64 array raise, or saturate at
#   2147483647.
# Seen: they return int32: 2**40 + 5 becomes 5.
# Matters: stamps in nanoseconds and sums of pixels come back as other numbers, without an
#   error.
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

print('opencv', cv2.__version__, 'has CV_64S:', hasattr(cv2, 'CV_64S'))
values = np.array([[2**40 + 5, 7]], np.int64)
flipped, added = cv2.flip(values, 1), cv2.add(values, values)
print('flipped', flipped, flipped.dtype, 'added', added, added.dtype)
assert flipped.dtype == added.dtype == np.int32
assert flipped.tolist() == [[7, 5]] and added.tolist() == [[10, 14]]
END
