#!/bin/bash
# AprilTag counts pixels from their edge and OpenCV from their centre: the same tag is half a
#   pixel apart in x and y.
# Guess (2026-11-29, before the first run): pupil-apriltags and cv2.aruco find the corners of a
#   clean tag within 0.1 pixel of one another.
# Seen: the centres differ by 0.5 pixel. OpenCV differs from itself too, between
#   CORNER_REFINE_APRILTAG and CORNER_REFINE_SUBPIX.
# Matters: poses from solvePnP and calibrations are off by half a pixel, unseen in residuals.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 opencv-python-headless==5.0.0.93 pupil-apriltags==1.0.4.post11
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import cv2
import numpy as np
from pupil_apriltags import Detector

print('opencv', cv2.__version__, 'pupil-apriltags', version('pupil-apriltags'))
tags = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
image = np.full((400, 400), 255, np.uint8)
image[100:260, 120:280] = cv2.aruco.generateImageMarker(tags, 0, 160)
centre = np.array([(120 + 279) / 2, (100 + 259) / 2])  # pixels 120 to 279 and 100 to 259
image = cv2.GaussianBlur(image, (0, 0), 1.2)
found = {'pupil-apriltags': Detector('tag36h11', quad_decimate=1.0).detect(image)[0].corners}
for method in ('SUBPIX', 'APRILTAG'):
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = getattr(cv2.aruco, f'CORNER_REFINE_{method}')
    found[f'cv2.aruco {method}'] = cv2.aruco.ArucoDetector(
        tags, parameters).detectMarkers(image)[0][0][0]
print('true centre, if a pixel is counted at its centre:', centre)
for name, corners in found.items():
    off = corners.mean(0) - centre
    print(f'{name}: centre of the corners {corners.mean(0).round(2)}, off by {off.round(2)}')
    assert np.allclose(off, 0 if 'SUBPIX' in name else 0.5, atol=0.1)
END
