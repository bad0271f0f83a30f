#!/bin/bash
# point-cloud-utils names the columns of a PLY file by their order, not by their names.
# Guess (2026-11-30, before the first run): a file with the properties z, y, x gives the points as
#   x, y, z in all readers, and so it is for normals and colours.
# Seen: point-cloud-utils returns z as x, normals turned about, and blue as red, without a warning.
#   plyfile, trimesh and OpenCV give the right points.
# Matters: colours are often stored as blue, green, red after work with OpenCV; a cloud in row,
#   column order is mirrored, so that poses estimated from it are of the wrong handedness.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 point-cloud-utils==0.34.0 plyfile==1.1.5 trimesh==5.2.0 \
    opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import cv2
import numpy as np
import plyfile
import point_cloud_utils
import trimesh

print('opencv', cv2.__version__, *(f'{name} {version(name)}' for name in (
    'point-cloud-utils', 'plyfile', 'trimesh')))
wanted = {'x': 1, 'y': 2, 'z': 3, 'nx': 0.6, 'ny': 0.0, 'nz': 0.8,
          'red': 10, 'green': 20, 'blue': 30}
for order in (('x y z', 'nx ny nz', 'red green blue'), ('z y x', 'nz ny nx', 'blue green red'),
              ('y x z', 'nx ny nz', 'blue green red')):
    names = ' '.join(order).split()
    kinds = [(name, 'u1' if name in ('red', 'green', 'blue') else 'f4') for name in names]
    vertex = np.array([tuple(wanted[name] for name in names)] * 5, kinds)
    plyfile.PlyData([plyfile.PlyElement.describe(vertex, 'vertex')]).write('cloud.ply')
    found = np.concatenate([part[0] for part in point_cloud_utils.load_mesh_vnc('cloud.ply')])
    print('properties', *names, 'give', found[:9].round(3).tolist())
    assert np.allclose(found[:9], [wanted[name] for name in names])  # the order of the file
    for points in (trimesh.load('cloud.ply', process=False).vertices,
                   cv2.loadPointCloud('cloud.ply')[0].reshape(-1, 3)):
        assert np.allclose(points[0], [1, 2, 3])
END
