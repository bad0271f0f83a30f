#!/bin/bash
# GTSAM writes g2o files with six significant digits.
# Guess (2026-11-30, before the first run): writeG2o and readG2o return poses at 500,000 and
#   4,000,000 m within 0.000001 m.
# Seen: 4,000,000.99 m is "4e+06". A pose in UTM is off by up to 5 m, one 12 km from the origin by
#   5 cm, and one at 1 km by 5 mm; quaternions are not of length 1. The numbers have the precision
#   of a C++ stream that nobody has set.
# Matters: a pose graph that is saved and read again has other poses than its edges say, and no
#   warning tells of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 gtsam==4.3.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import gtsam
import numpy as np

print('gtsam', version('gtsam'))
random = np.random.default_rng(0)
for distance, least, most in ((10, 1e-5, 1e-4), (1_234, 1e-3, 0.01), (12_345, 0.01, 0.1),
                              (4_321_000, 1, 10)):
    values = gtsam.Values()
    for number in range(100):
        place = distance + random.uniform(0, distance / 100, 3)
        values.insert(number, gtsam.Pose3(gtsam.Rot3.RzRyRx(random.uniform(-1, 1, 3)), place))
    gtsam.writeG2o(gtsam.NonlinearFactorGraph(), values, 'graph.g2o')
    back = gtsam.readG2o('graph.g2o', True)[1]
    errors = [np.abs(back.atPose3(number).translation() - values.atPose3(number).translation())
              for number in range(100)]
    lines = [line.split()[1:] for line in open('graph.g2o')]
    plain = np.array([[float(word) for word in line[1:4]] for line in lines])
    length = np.linalg.norm([[float(word) for word in line[4:]] for line in lines], axis=1)
    print(f'at {distance} m: {" ".join(lines[0])}: off by up to {np.max(errors):.6f} m, '
          f'quaternions by {np.abs(length - 1).max():.1e}')
    assert least < np.max(errors) < most  # the fault is in the file, as the next line says
    assert np.allclose(plain[0], back.atPose3(0).translation(), atol=1e-9)
END
