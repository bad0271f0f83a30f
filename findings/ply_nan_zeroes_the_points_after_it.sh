#!/bin/bash
# After a NaN in an ASCII PLY file, OpenCV and point-cloud-utils read zeros to the end of the file.
# Guess (2026-11-30, before the first run): all readers of PLY keep a NaN and the other points, and
#   OpenCV reads what its own savePointCloud has written.
# Seen: OpenCV writes the word "nan". It reads this point and all points after it as 0, 0, 0, and
#   so does point-cloud-utils. Neither warns. plyfile and trimesh read the file right. In an OBJ
#   file of OpenCV only the coordinates of the NaN become 0. A C++ stream that fails to read "nan"
#   reads nothing more.
# Matters: clouds of depth images mark their holes with NaN; one hole empties the rest of one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93 point-cloud-utils==0.34.0 plyfile==1.1.5 \
    trimesh==5.2.0
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
points = np.random.default_rng(0).uniform(1, 2, (1000, 3)).astype(np.float32)
points[100] = np.nan
for name in ('cloud.ply', 'cloud.obj'):
    cv2.savePointCloud(name, points.reshape(-1, 1, 3))
print(open('cloud.ply').read().splitlines()[7:][99:102])  # the header has 7 lines
vertices = plyfile.PlyData.read('cloud.ply')['vertex']
read = {'plyfile': np.stack([vertices[axis] for axis in 'xyz'], 1),
        'trimesh': np.asarray(trimesh.load('cloud.ply', process=False).vertices),
        'OpenCV': cv2.loadPointCloud('cloud.ply')[0].reshape(-1, 3),
        'point-cloud-utils': point_cloud_utils.load_mesh_v('cloud.ply'),
        'OpenCV, OBJ': cv2.loadPointCloud('cloud.obj')[0].reshape(-1, 3)}
for name, found in read.items():
    right = np.isclose(found, points, atol=1e-4, equal_nan=True).all(1)
    zero = (found == 0).all(1)
    print(f'{name}: {right.sum()} points right, {zero.sum()} at the origin')
    assert len(found) == len(points)
    if name in ('plyfile', 'trimesh'):
        assert right.all()
    else:
        assert right.sum() == (999 if 'OBJ' in name else 100) and zero.sum() == (~right).sum()
END
