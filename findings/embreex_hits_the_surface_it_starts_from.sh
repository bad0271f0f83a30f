#!/bin/bash
# A ray of embreex that starts exactly on a surface hits that surface, even when it leads away.
# Guess (2026-11-28, before the first run): a ray that starts on a square and leads away from it
#   along the normal misses.
# Seen: it hits the square at distance 0, on either side; from 0.001 off the square it misses.
# Matters: shadow rays and rays that go on behind a leaf need an offset of their own; there is
#   no tnear.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 embreex==4.4.0.post1
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
import numpy as np

print('embreex', version('embreex'))
scene = rtcore_scene.EmbreeScene()
square = np.array([[[-1, -1, 5], [1, -1, 5], [1, 1, 5]], [[-1, -1, 5], [1, 1, 5], [-1, 1, 5]]],
                  np.float32)
mesh = TriangleMesh(scene, square)
starts = np.array([[0.2, 0.1, 5], [0.2, 0.1, 5], [0.2, 0.1, 5.001], [0.2, 0.1, 4.999]], np.float32)
directions = np.array([[0, 0, 1], [0, 0, -1], [0, 0, 1], [0, 0, -1]], np.float32)
found = scene.run(starts, directions, output=True)
print('triangle:', found['primID'], 'distance:', found['tfar'])
assert (found['primID'][:2] >= 0).all() and (found['tfar'][:2] == 0).all()
assert (found['primID'][2:] == -1).all()
END
