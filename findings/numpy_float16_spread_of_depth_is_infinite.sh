#!/bin/bash
# NumPy averages float16 in float32 in mean, and in float16 in nanmean and std.
# Guess (2026-11-28, before the first run): the nanmean of 480 x 640 float16 depths of 2.5 m is
#   2.5, as their mean is.
# Seen: mean is 2.5; nanmean and std are infinite, with a warning of an overflow.
# Matters: statistics of stored half-precision depth, whose invalid pixels are NaN, need float32
#   first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6
cd "$folder"
"$folder/env/bin/python" - <<'END'
import warnings

import numpy as np

print('numpy', np.__version__)
depth_m = np.full((480, 640), 2.5, np.float16)
with warnings.catch_warnings(record=True):
    warnings.simplefilter('always')
    found = {f.__name__: float(f(depth_m)) for f in (np.mean, np.nanmean, np.std, np.nanstd)}
print(found)
assert found == {'mean': 2.5, 'nanmean': np.inf, 'std': np.inf, 'nanstd': np.inf}
END
