#!/bin/bash
# pypcd4 writes packed colours as 0 into ASCII files.
# Guess (2026-11-28, before the first run): packed colours are read back exactly, whatever the
#   encoding.
# Seen: binary and binary_compressed keep them; in ascii every colour is black.
# Matters: a packed colour is a float of about 1e-38, which a fixed number of decimals cannot
#   show.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pypcd4==1.5.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
from pypcd4 import Encoding, PointCloud

print('pypcd4', version('pypcd4'))
colors = np.array([[255, 0, 1], [10, 20, 30], [255, 255, 255]], np.uint8)
points = np.hstack([np.ones((3, 3), np.float32), PointCloud.encode_rgb(colors).reshape(-1, 1)])
for encoding in (Encoding.ASCII, Encoding.BINARY, Encoding.BINARY_COMPRESSED):
    PointCloud.from_xyzrgb_points(points).save('cloud.pcd', encoding=encoding)
    read = PointCloud.decode_rgb(PointCloud.from_path('cloud.pcd').pc_data['rgb'])
    print(encoding, read.tolist())
    expected = np.zeros_like(colors) if encoding == Encoding.ASCII else colors
    assert np.array_equal(read, expected)
END
