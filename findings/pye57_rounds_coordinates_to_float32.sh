#!/bin/bash
# pye57 rounds coordinates in float64 to float32 when it writes, and gives float64 when it reads.
# Guess (2026-11-29, before the first run): float64 coordinates around 4,000,000.123 come back
#   equal bit by bit.
# Seen: they are float64 and off by up to 0.125 m; at 500,000 m it is 0.016 m.
# Matters: surveyors' coordinates are large; only local ones with the rest as translation keep
#   their precision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pye57==0.4.19
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
import pye57

print('pye57', version('pye57'))
axes = ('cartesianX', 'cartesianY', 'cartesianZ')
local = np.random.default_rng(0).random((1000, 3))
origin = np.array([4_000_000.0, 500_000.0, 100.0])


def largest_error(name, points, **pose):
    """Write a scan, read it back in global coordinates, and compare."""
    with pye57.E57(name, mode='w') as file:
        file.write_scan_raw(dict(zip(axes, np.ascontiguousarray(points.T))), **pose)
    with pye57.E57(name) as file:
        scan = file.read_scan(0, ignore_missing_fields=True)
    back = np.stack([scan[axis] for axis in axes], 1)
    assert back.dtype == np.float64
    return np.abs(back - (origin + local)).max(0)


whole = largest_error('whole.e57', origin + local)
posed = largest_error('posed.e57', local, translation=origin, rotation=np.array([1.0, 0, 0, 0]))
print('global coordinates, off by up to', whole, 'm')
print('local coordinates and a translation, off by up to', posed, 'm')
assert 0.1 < whole[0] <= 0.125 and 0.01 < whole[1] <= 0.016
assert posed.max() < 1e-6
END
