#!/bin/bash
# In PyTorch, antialias=True changes a bicubic image that is enlarged, where nothing can alias.
# Guess (2026-11-30, before the first run): antialias matters for smaller images only. An enlarged
#   image is equal with and without it within 0.000001, bilinear and bicubic alike.
# Seen: bilinear is equal. Bicubic differs by 0.07 of a range of 1. With antialias the cubic has a
#   = -0.5, as in Pillow. Without it, a = -0.75, as in OpenCV.
# Matters: training with antialias and a node without it enlarge the same image to different
#   pixels. Edges of depth overshoot differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.13.0 \
    pillow==13.0.0 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np
import PIL
from PIL import Image
import torch
from torch.nn import functional

print('torch', torch.__version__, 'pillow', PIL.__version__, 'opencv', cv2.__version__)
image = np.random.default_rng(0).random((20, 24), np.float32)
shape, inner = (40, 48), (slice(8, -8), slice(8, -8))


def enlarge(mode, antialias):
    batch = torch.from_numpy(image)[None, None]
    return functional.interpolate(batch, shape, mode=mode, antialias=antialias)[0, 0].numpy()


def difference(a, b):
    return float(np.abs(a - b)[inner].max())


bilinear = difference(enlarge('bilinear', True), enlarge('bilinear', False))
bicubic = difference(enlarge('bicubic', True), enlarge('bicubic', False))
by_pillow = np.asarray(Image.fromarray(image).resize(shape[::-1], Image.Resampling.BICUBIC))
by_opencv = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC)
print(f'antialias changes bilinear by {bilinear:.2g} and bicubic by {bicubic:.2g}')
print(f'with antialias, from Pillow: {difference(enlarge("bicubic", True), by_pillow):.2g}')
print(f'without it, from OpenCV: {difference(enlarge("bicubic", False), by_opencv):.2g}')
assert bilinear < 1e-6 and bicubic > 0.05
assert difference(enlarge('bicubic', True), by_pillow) < 1e-5
assert difference(enlarge('bicubic', False), by_opencv) < 1e-5
for antialias, top in ((True, 1.07), (False, 1.11)):
    edge = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1]).expand(1, 1, 8, 8)
    peak = functional.interpolate(edge, (16, 16), mode='bicubic', antialias=antialias).max().item()
    print(f'antialias={antialias}: an edge from 0 to 1 reaches {peak:.3f}')
    assert abs(peak - top) < 0.03
END
