#!/bin/bash
# OpenCV 5 multiplies uint8 colours of a cloud by 255 and writes 65025 into a property uchar.
# Guess (2026-11-29, before the first run): colours that savePointCloud writes into a PLY file
#   are read by trimesh as they were.
# Seen: uint8 colours are taken without a word, and 255 becomes 65025, which trimesh and OpenCV
#   itself read as 1.
# Matters: clouds coloured from an image lose their colours; only floats of 0 to 1 are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93 trimesh==5.2.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np
import trimesh

print('opencv', cv2.__version__, 'trimesh', trimesh.__version__)
points = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)[:, None]
normals = np.zeros_like(points)
colours = np.array([[255, 0, 0], [0, 128, 0], [0, 0, 64]], np.uint8)[:, None]
cv2.savePointCloud('bytes.ply', points, normals, colours)
cv2.savePointCloud('floats.ply', points, normals, colours / np.float32(255))
with open('bytes.ply') as file:
    text = file.read()
print(text)
assert 'property uchar red' in text and '65025' in text
by_trimesh = trimesh.load('bytes.ply').colors[:, :3].astype(int)
by_opencv = (cv2.loadPointCloud('bytes.ply')[2][:, 0] * 255).round()
print('trimesh', by_trimesh.tolist(), 'OpenCV', by_opencv.tolist())
assert by_trimesh.tolist() == [[1, 0, 0], [0, 128, 0], [0, 0, 192]]
assert np.array_equal(by_opencv, by_trimesh)
right = trimesh.load('floats.ply').colors[:, :3].astype(int)
print('from floats', right.tolist())
assert np.abs(right - colours[:, 0]).max() <= 1
END
