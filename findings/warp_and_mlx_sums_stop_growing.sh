#!/bin/bash
# On the CPU, sums of Warp and MLX stop growing at some millions of pixels.
# Guess (2026-12-01, before the first run): both add 20,000,000 float32 values with an error below
#   0.01 %, as NumPy and PyTorch do.
# Seen: 20,000,000 ones have the sum 16,777,216 in both. The mean of a depth of 1000.1 mm is
#   858.99 mm. wp.utils.array_inner has the same limit. NumPy gives 1000.1 mm.
# Cause: both keep one float32 total. From 2**24 on, adding 1 does not change it. NumPy adds in
#   pairs of blocks. The error of the mean starts earlier, as the total is rounded at each step.
# Matters: 66 images of 640x480 pixels have as many pixels. A loss or a mean depth over so many
#   pixels at once is 14 % too small here, without a message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 'mlx[cpu]==0.32.4' \
    warp-lang==1.19.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import importlib.metadata

import mlx.core as mx
import numpy as np
import warp as wp

print('warp', wp.__version__, 'mlx', importlib.metadata.version('mlx'), 'numpy', np.__version__)
wp.config.quiet = True
wp.init()
mx.set_default_device(mx.cpu)
pixels = 20_000_000
for depth_mm in (1.0, 1000.1):
    image_mm = np.full(pixels, depth_mm, np.float32)
    in_warp = wp.array(image_mm, dtype=wp.float32, device='cpu')
    means_mm = {
        'NumPy': image_mm.sum() / pixels,
        'Warp array_sum': wp.utils.array_sum(in_warp) / pixels,
        'MLX sum': mx.sum(mx.array(image_mm)).item() / pixels,
        'MLX mean': mx.mean(mx.array(image_mm)).item(),
    }
    for name, mean_mm in means_mm.items():
        print(f'{pixels} pixels of {depth_mm} mm, mean by {name}: {mean_mm:.4f} mm')
        if name == 'NumPy':
            assert abs(mean_mm / depth_mm - 1) < 1e-4
        else:
            assert 0.83 < mean_mm / depth_mm < 0.87
ones = wp.full(pixels, 1.0, dtype=wp.float32, device='cpu')
print('sums of ones: Warp', wp.utils.array_sum(ones), wp.utils.array_inner(ones, ones),
      'MLX', mx.sum(mx.ones((pixels,))).item())
assert wp.utils.array_sum(ones) == wp.utils.array_inner(ones, ones) == 2**24
assert mx.sum(mx.ones((pixels,))).item() == 2**24
END
