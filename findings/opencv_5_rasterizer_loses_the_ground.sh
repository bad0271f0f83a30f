#!/bin/bash
# The rasterizer of OpenCV 5 loses a triangle if one of its corners is behind the camera.
# Guess (2026-11-30, before the first run): a floor from 1 m behind the camera to 10 m before it is
#   drawn from zNear on, since "everything closer is clipped", with depth right within 1 mm.
# Seen: a ninth of it is drawn, all with wrong depth, and nothing if it reaches beyond zFar, too.
#   Corners only 1 cm behind the camera do the same. A floor that begins before the camera is right
#   within 1 mm, also from nearer than zNear to beyond zFar.
# Matters: depth rendered from a map or a scan of a room has no ground at the feet of the robot.
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
WIDTH, HEIGHT, NEAR, FAR, ANGLE = 320, 240, 0.1, 20.0, np.radians(60)
settings = cv2.TriangleRasterizeSettings()
settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
focal = HEIGHT / 2 / np.tan(ANGLE / 2)
row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
with np.errstate(divide='ignore'):
    ray = np.where(row > HEIGHT / 2, focal / (row - HEIGHT / 2), np.inf)  # floor 1 m below
side = np.abs(column - WIDTH / 2) / focal * ray
triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
for first, last in ((0.2, 10), (0.05, 10), (2, 50), (-1, 10), (-0.01, 10), (-1, 50)):
    floor = np.array([[-30, -1, -first], [30, -1, -first], [30, -1, -last], [-30, -1, -last]],
                     np.float32)  # the camera looks along -z
    depth = cv2.triangleRasterizeDepth(floor, triangles, np.full((HEIGHT, WIDTH), FAR, np.float32),
                                       np.eye(3, 4, dtype=np.float32), ANGLE, NEAR, FAR, settings)
    true = (ray > max(first, NEAR)) & (ray < min(last, FAR)) & (side < 30)
    drawn = depth < FAR
    right = drawn & true & (np.abs(depth - ray) < 0.001)
    print(f'floor from {first} to {last} m: {true.mean():.1%} of the image, {drawn.mean():.1%} '
          f'drawn, {right.mean():.1%} right')
    if first > 0:
        assert right.sum() >= 0.98 * true.sum() > 5000
    else:
        assert drawn.sum() < 0.2 * true.sum() and right.sum() < 0.01 * true.sum()
END
