#!/bin/bash
# PyAV turns 16-bit grey into 8-bit grey with a dither pattern.
# Guess (2026-11-29, before the first run): a constant image of 1000 becomes a constant 3, which
#   is 1000 >> 8.
# Seen: it becomes a pattern of 3 and 4, on a wall of constant depth. Even of 768, which is
#   3 * 256, some pixels become 2.
# Matters: edges and normals of the 8-bit image see steps that the depth does not have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 av==18.1.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import av
import numpy as np

print('av', av.__version__)
for depth, expected in ((768, [2, 3]), (1000, [3, 4]), (5000, [19])):
    wall = np.full((64, 64), depth, np.uint16)
    frame = av.VideoFrame.from_ndarray(wall, format='gray16le')
    assert np.array_equal(frame.to_ndarray(format='gray16le'), wall)
    grey = frame.to_ndarray(format='gray')
    values, counts = np.unique(grey, return_counts=True)
    print(f'{depth} >> 8 is {depth >> 8}; PyAV: {dict(zip(values.tolist(), counts.tolist()))}')
    assert values.tolist() == expected
    if depth == 1000:
        print(grey[:4, :8])
        assert counts.min() > 400 and np.array_equal(grey[:8, :8], grey[8:16, 8:16])
END
