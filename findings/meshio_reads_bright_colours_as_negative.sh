#!/bin/bash
# meshio reads the uchar properties of a PLY file as signed bytes.
# Guess (2026-11-28, before the first run): colours of 0 to 255 arrive in point_data as uint8,
#   as they were.
# Seen: they arrive as int8, so that 200 is -56; plyfile and trimesh read 200.
# Matters: every bright point of a coloured cloud changes its colour.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 meshio==5.3.5 plyfile==1.1.5 trimesh==5.2.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import meshio
import numpy as np
import plyfile
import trimesh

print('meshio', meshio.__version__, 'trimesh', trimesh.__version__)
levels = np.array([0, 100, 127, 128, 200, 255], np.uint8)
points = np.zeros(len(levels), [
    ('x', 'f4'), ('y', 'f4'), ('z', 'f4'), ('red', 'u1'), ('green', 'u1'), ('blue', 'u1')])
points['x'] = np.arange(len(levels))
for name in ('red', 'green', 'blue'):
    points[name] = levels
plyfile.PlyData([plyfile.PlyElement.describe(points, 'vertex')]).write('cloud.ply')
red = meshio.read('cloud.ply').point_data['red']
print('written', levels, 'meshio', red, red.dtype)
assert plyfile.PlyData.read('cloud.ply')['vertex']['red'].tolist() == levels.tolist()
assert np.asarray(trimesh.load('cloud.ply').colors)[:, 0].tolist() == levels.tolist()
assert red.dtype == np.int8 and red.tolist() == [0, 100, 127, -128, -56, -1]
END
