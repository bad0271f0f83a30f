#!/bin/bash
# The software renderer of PyBullet samples depth at corners of pixels, and not at their centres.
# Guess (2026-11-30, before the first run): depth of a wall, made linear by near and far, is right
#   within 5 mm everywhere.
# Seen: a wall that faces the camera is right. A slanted one is off by up to 44 mm, if pixels are
#   taken at their centres, as OpenGL has them. It is right within 0.1 mm for the rays through the
#   lower left corner of each pixel, half a pixel away in x and y.
# Matters: this is the renderer for machines without a screen. Its clouds are turned against the
#   scene by half a pixel, and the error grows with the slant and the distance.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pybullet==3.2.7 # a wheel for CPython 3.11, otherwise pip compiles it
cd "$folder"
"$folder/env/bin/python" - <<'END' | grep -v 'build time'
from importlib.metadata import version
from itertools import product

import numpy as np
import pybullet

print('pybullet', version('pybullet'))
pybullet.connect(pybullet.DIRECT)
shape = pybullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=[9, 9, 0.05])
wall = pybullet.createMultiBody(0, -1, shape, [0, 0, -3])
NEAR, FAR, VIEW = 0.1, 20, np.eye(4).ravel().tolist()  # the camera looks along -z
for (width, height), turn in product(((320, 240), (321, 241)), ((0.7, 0, 0), (0, 0.7, 0))):
    rotation = pybullet.getQuaternionFromEuler(turn)
    pybullet.resetBasePositionAndOrientation(wall, [0, 0, -3], rotation)
    projection = pybullet.computeProjectionMatrixFOV(60, width / height, NEAR, FAR)
    buffer = np.reshape(pybullet.getCameraImage(
        width, height, VIEW, projection, renderer=pybullet.ER_TINY_RENDERER)[3], (height, width))
    depth = FAR * NEAR / (FAR - (FAR - NEAR) * buffer.astype(float))
    normal = np.reshape(pybullet.getMatrixFromQuaternion(rotation), (3, 3))[:, 2]
    focal = height / 2 / np.tan(np.radians(30))
    row, column = np.mgrid[:height, :width]
    seen = depth < 8
    errors = {}
    for right, down in product((0, 0.5, 1), (0, 0.5, 1)):
        x, y = (column + right - width / 2) / focal, -(row + down - height / 2) / focal
        plane = (normal @ [0, 0, -3] + 0.05) / (normal[0] * x + normal[1] * y - normal[2])
        errors[right, down] = np.abs(depth - plane)[seen].max()
    print(f'{width} x {height}, wall turned by {turn}: off by up to {errors[0.5, 0.5]:.4f} m at '
          f'the centres, {errors[0, 1]:.6f} m at the lower left corners')
    assert errors[0, 1] < 1e-4 and errors[0.5, 0.5] > 0.01 and seen.mean() > 0.5
END
