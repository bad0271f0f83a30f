#!/bin/bash
# laspy refuses coordinates and classes that do not fit, and wraps intensities, NaN and inf.
# Guess (2026-11-29, before the first run): an intensity of 70,000 and a coordinate of NaN are
#   errors.
# Seen: the intensity is 4464, and -1 is 65535. NaN and inf are the coordinate -2147483.648, with
#   at most NumPy's warning of a cast; a finite one of that size is refused.
# Matters: clouds of a depth image have NaN, and get points 2000 km away.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 laspy==2.7.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import warnings

import laspy
import numpy as np

print('laspy', laspy.__version__)
header = laspy.LasHeader(point_format=3, version='1.2')
header.scales = [0.001] * 3
cloud = laspy.LasData(header)
with warnings.catch_warnings():
    warnings.simplefilter('ignore', RuntimeWarning)
    cloud.xyz = np.array([[1, 2, 3], [np.nan] * 3, [np.inf, 2, 3]])
cloud.intensity = np.array([70_000, -1, 5])
refused = []
for name, values in (('x', [1, 2, 3_000_000]), ('classification', [300, 1, 2])):
    try:
        setattr(cloud, name, np.array(values))
    except OverflowError as problem:
        refused.append(name)
        print(name, values, 'refused:', problem)
assert refused == ['x', 'classification']
cloud.write('cloud.las')
back = laspy.read('cloud.las')
print('x', np.asarray(back.x), 'intensity', np.asarray(back.intensity))
assert np.asarray(back.intensity).tolist() == [4464, 65535, 5]
assert np.allclose(back.x, [1, -2147483.648, -2147483.648])
END
