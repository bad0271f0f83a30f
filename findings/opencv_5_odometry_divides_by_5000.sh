#!/bin/bash
# The odometry of OpenCV 5 divides depth in uint16 by 5000, where depthTo3d beside it divides
#   by 1000 and warpFrame by nothing.
# Guess (2026-11-29, before the first run): depth in uint16 millimetres gives a translation in
#   metres, as float32 metres do, and warpFrame takes it.
# Seen: the translation is a fifth of the true one. warpFrame takes a translation in units of
#   the image, which is then hardly moved.
# Matters: a camera path from millimetres, the unit of ROS, is five times too short.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np

print('opencv', cv2.__version__)
height, width, focal = 240, 320, 250.0
K = np.array([[focal, 0, 159.5], [0, focal, 119.5], [0, 0, 1]], np.float32)
y, x = np.mgrid[:height, :width]


def depth_from(camera):
    """Give the depth in metres of a wavy wall 2 m away, seen from a moved camera."""
    depth = np.full((height, width), 2.0)
    for _ in range(60):
        at_x = (x - 159.5) / focal * depth + camera[0]
        at_y = (y - 119.5) / focal * depth + camera[1]
        depth = 2 + 0.2 * np.sin(3 * at_x) + 0.15 * np.cos(4 * at_y) - camera[2]
    return depth.astype(np.float32)


moved = np.array([0.03, 0.01, 0.02])
metres = [depth_from((0, 0, 0)), depth_from(moved)]
millimetres = [(depth * 1000).round().astype(np.uint16) for depth in metres]
settings = cv2.OdometrySettings()
settings.setCameraMatrix(K)
odometry = cv2.Odometry(cv2.OdometryType_DEPTH, settings, cv2.OdometryAlgoType_COMMON)
found = {}
for name, (first, second) in (('float32 m', metres), ('uint16 mm', millimetres)):
    good, Rt = odometry.compute(first, second)
    assert good
    found[name] = Rt[:3, 3]
    print(name, 'true', -moved, 'found', Rt[:3, 3].round(4))
assert np.allclose(found['float32 m'], -moved, atol=0.001)
assert np.allclose(found['uint16 mm'], -moved / 5, atol=0.0005)

wall = np.full((height, width), 2000, np.uint16)
print('depthTo3d of 2000:', cv2.depthTo3d(wall, K)[120, 160, 2])
assert cv2.depthTo3d(wall, K)[120, 160, 2] == 2
away = np.eye(4)
away[2, 3] = 100
everything = np.full((height, width), 255, np.uint8)
warped = cv2.warpFrame(wall, everything, everything, away, K)[0]
print('warpFrame of 2000 by 100:', warped[120, 160])
assert warped[120, 160] == 2100
END
