#!/bin/bash
# The logarithm of a rotation in spatialmath is degrees off just beside half a turn.
# Guess (2026-11-30, before the first run): exp(log(R)) is R within 0.000001 for rotations of pi
#   minus 0.000000001 to 0.001 about any axis, as in SciPy.
# Seen: at pi - 1e-7, as far off as float32 rounds, it is wrong by 2 degrees on average and by 4 at
#   most. The angle exceeds pi there. At pi itself and at pi - 0.001 it is right.
# Matters: optical frames and cameras that look backwards are half turns; a rounded one becomes
#   another pose.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 spatialmath-python==1.1.18
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
from scipy.spatial.transform import Rotation
from spatialmath import SO3
from spatialmath.base import trexp

print('spatialmath', version('spatialmath-python'), 'scipy', version('scipy'))
random = np.random.default_rng(0)
axes = random.normal(size=(300, 3))
axes /= np.linalg.norm(axes, axis=1, keepdims=True)
for short, least, most in ((0, 0, 1e-6), (1e-8, 0, 1e-5), (1e-7, 1, 10), (1e-6, 0.001, 0.1),
                           (1e-3, 0, 1e-6)):
    wrong, angles, scipys = [], [], []
    for axis in axes:
        rotation = Rotation.from_rotvec(axis * (np.pi - short))
        vector = SO3(rotation.as_matrix()).log(twist=True)
        back = Rotation.from_matrix(trexp(vector))
        wrong.append(np.degrees((back * rotation.inv()).magnitude()))
        angles.append(np.linalg.norm(vector))
        again = Rotation.from_rotvec(Rotation.from_matrix(rotation.as_matrix()).as_rotvec())
        scipys.append(np.degrees((again * rotation.inv()).magnitude()))
    print(f'pi - {short}: off by {np.mean(wrong):.6f} degrees on average, {np.max(wrong):.6f} at '
          f'most, greatest angle pi + {np.max(angles) - np.pi:.6f}; SciPy {np.max(scipys):.6f}')
    assert least <= np.mean(wrong) and np.max(wrong) <= most and np.max(scipys) < 1e-6
    assert short != 1e-7 or np.max(angles) > np.pi + 0.01
END
