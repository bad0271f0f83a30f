#!/bin/bash
# embreex answers the query OCCLUDED with 0 where something is in the way and with -1 where
#   nothing is.
# Guess (2026-11-28, before the first run): 1 where the ray is blocked and 0 where it is free,
#   so that the answer can be used as a mask.
# Seen: 0 and -1: as a mask it is the very opposite of what its name says.
# Matters: shadows and visibility of rendered scenes are inverted by astype(bool).
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
origins = np.zeros((2, 3), np.float32)
directions = np.array([[0.2, 0.1, 1], [0.2, 0.1, -1]], np.float32)  # at the square, away from it
answer = scene.run(origins, directions, query='OCCLUDED')
print('blocked:', answer[0], 'free:', answer[1], 'as a mask:', answer.astype(bool))
assert answer.tolist() == [0, -1]
assert answer.astype(bool).tolist() == [False, True]
END
