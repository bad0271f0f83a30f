#!/bin/bash
# In MLX, the mean of a depth image in millimetres wraps, and the mean in float16 is infinite.
# Guess (2026-12-01, before the first run): mx.mean of a uint16 depth image and of a float16 depth
#   image is the mean, as in NumPy.
# Seen: a uint16 wall at 5 m in 1280x720 has a mean of 339.7 mm, although mx.mean returns float32.
#   A float16 wall at 10 m has the mean inf. In 640x480, the uint16 mean is right at 5 m and wrong
#   at 14 m. After a cast to float32, the mean is at most 2 % off.
# Cause: mx.mean divides mx.sum, which adds uint16 as uint32 and float16 as float16.
# Matters: the mean of a depth image normalises it, or scales it to another one. The error depends
#   on resolution and distance, so that a test with a small image does not show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 'mlx[cpu]==0.32.4'
cd "$folder"
"$folder/env/bin/python" - <<'END'
import importlib.metadata

import mlx.core as mx
import numpy as np

print('mlx', importlib.metadata.version('mlx'), 'numpy', np.__version__)
mx.set_default_device(mx.cpu)
for height, width, wall_mm in ((720, 1280, 5000), (480, 640, 5000), (480, 640, 14000)):
    depth_mm = np.full((height, width), wall_mm, np.uint16)
    by_integer = mx.mean(mx.array(depth_mm))
    by_float = mx.mean(mx.array(depth_mm).astype(mx.float32)).item()
    wrapped_mm = height * width * wall_mm % 2**32 / (height * width)
    print(f'{width}x{height} uint16, wall at {wall_mm} mm: NumPy {depth_mm.mean()}, '
          f'MLX {by_integer.item():.1f} {by_integer.dtype}, MLX after a cast {by_float:.1f}, '
          f'sum modulo 2**32 gives {wrapped_mm:.1f}')
    assert depth_mm.mean() == wall_mm
    assert abs(by_float / wall_mm - 1) < 0.02
    assert by_integer.dtype == mx.float32
    assert abs(by_integer.item() - wrapped_mm) < 0.1
    assert (abs(by_integer.item() - wall_mm) > 1000) == (height * width * wall_mm >= 2**32)

half_m = np.full((480, 640), 10, np.float16)
print('640x480 float16, wall at 10 m: NumPy', half_m.mean(), 'MLX', mx.mean(mx.array(half_m)))
assert half_m.mean() == 10
assert np.isinf(mx.mean(mx.array(half_m)).item())
END
