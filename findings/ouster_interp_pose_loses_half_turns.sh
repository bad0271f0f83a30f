#!/bin/bash
# interp_pose of the Ouster SDK forgets a rotation by half a turn, even at the given pose itself.
# Guess (2026-11-30, before the first run): it returns the given poses at the given times, and the
#   geodesic between them; written down for up to 170 degrees, and assumed of 180, either way.
# Seen: right to 180 degrees minus 0.000001, and at 180 the orientation stays that of the first
#   pose all the way, also at the time of the second one, where it is wrong by 180 degrees. So it
#   is for any axis and for rotations within 1e-9 rad of half a turn. The translation is right.
# Matters: keyframes of a robot that turns back have exact half turns, and so have flipped mounts;
#   the scans between and at such poses are undistorted with a wrong orientation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 ouster-sdk==1.0.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
from ouster.sdk.core import interp_pose
from scipy.spatial.transform import Rotation

print('ouster-sdk', version('ouster-sdk'))
random = np.random.default_rng(0)


def pose(rotation, place):
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = rotation.as_matrix(), place
    return result


flipped = interp_pose(np.array([0, 5, 10.0]), np.array([0, 10.0]),
                      np.stack([np.eye(4), np.diag([-1, -1, 1, 1.0])]))
print('from diag(1, 1, 1) to diag(-1, -1, 1), at the end:', np.diag(flipped[2]).tolist())
assert np.allclose(flipped, np.eye(4))
for short in (0, 1e-9, 1e-6, 0.001, 0.2, -0.2):
    wrong = []
    for _ in range(100):
        axis = random.normal(size=3)
        axis /= np.linalg.norm(axis)
        first = Rotation.random(rng=random)
        last = first * Rotation.from_rotvec(axis * (np.pi - short))
        given = np.stack([pose(first, [1, 2, 3]), pose(last, [11, 2, 3])])
        found = interp_pose(np.array([10.0]), np.array([0, 10.0]), given)[0]
        assert np.allclose(found[:3, 3], [11, 2, 3])
        turn = Rotation.from_matrix(found[:3, :3]).inv() * last
        wrong.append(np.degrees(turn.magnitude()))
    print(f'pi - {short}: at the last pose, off by {min(wrong):.6f} to {max(wrong):.6f} degrees')
    assert min(wrong) > 179.9 if 0 <= short < 1e-8 else max(wrong) < 1e-5
END
