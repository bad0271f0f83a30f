#!/bin/bash
# Pillow 13 rotates a 16-bit image (mode I;16) bilinearly into noise.
# Guess (2026-11-28, before the first run): Pillow resamples I;16 within 1 of the same image in
#   mode F; written down for resize, and assumed of rotate.
# Seen: more than half of the pixels differ by more than 1, some by more than 50,000; mode I and
#   nearest neighbour are right.
# Matters: augmenting 16-bit depth files destroys them without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pillow==13.0.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import PIL
from PIL import Image

print('pillow', PIL.__version__)
y, x = np.mgrid[:64, :64]
depth_mm = (20_000 + 15_000 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint16)
exact = np.asarray(Image.fromarray(depth_mm.astype(np.float32)).rotate(
    10, Image.Resampling.BILINEAR))
inside = np.s_[16:48, 16:48]
wrong = {}
for mode, values in (('I;16', depth_mm), ('I', depth_mm.astype(np.int32))):
    image = Image.fromarray(values)
    assert image.mode == mode
    rotated = np.asarray(image.rotate(10, Image.Resampling.BILINEAR)).astype(np.float64)
    difference = np.abs(rotated - exact)[inside]
    wrong[mode] = float((difference > 1).mean())
    print(mode, f'{wrong[mode]:.0%} of the pixels are wrong, at most by {difference.max():.0f}')
half = (40, 40)
resized = [np.asarray(Image.fromarray(values).resize(half, Image.Resampling.BILINEAR), np.float64)
           for values in (depth_mm, depth_mm.astype(np.float32))]
print('resize is right within', np.abs(resized[0] - resized[1]).max())
assert wrong['I;16'] > 0.5 and wrong['I'] == 0
assert np.abs(resized[0] - resized[1]).max() <= 1
END
