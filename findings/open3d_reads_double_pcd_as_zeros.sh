#!/bin/bash
# Open3D reads a binary PCD file with coordinates in double as a cloud of zeros.
# Guess (2026-11-29, before the first run): x, y, z of SIZE 8 and TYPE F are read to their full
#   precision.
# Seen: open3d.io returns as many points, all at the origin, without a warning. It is right with
#   the same file in ASCII, and open3d.t.io is right with both.
# Matters: georeferenced clouds need double, and are lost in one of two readers of one library.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 open3d-cpu==0.20.0 libusb-package==1.0.30.0
cd "$folder"
# open3d needs libusb-1.0.so.0, which many systems have
ln -s "$(echo "$folder"/env/lib/python3.*/site-packages/libusb_package/libusb-1.0.so)" \
    libusb-1.0.so.0
LD_LIBRARY_PATH="$folder" "$folder/env/bin/python" - <<'END'
import numpy as np
import open3d

print('open3d', open3d.__version__)
points = np.array([[500000.25, 4, 7], [500001.5, 5, 8], [500002.75, 6, 9]])
header = ('# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 3\n'
          'HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 3\nDATA ')
with open('binary.pcd', 'wb') as file:
    file.write(f'{header}binary\n'.encode() + points.tobytes())
with open('ascii.pcd', 'w') as file:
    file.write(f'{header}ascii\n')
    np.savetxt(file, points, '%.3f')
for name in ('ascii.pcd', 'binary.pcd'):
    old = np.asarray(open3d.io.read_point_cloud(name).points)
    new = open3d.t.io.read_point_cloud(name).point.positions.numpy()
    print(name, 'open3d.io', old.tolist(), 'open3d.t.io', new.tolist())
    assert np.array_equal(new, points)
    assert np.array_equal(old, points if name == 'ascii.pcd' else np.zeros((3, 3)))
END
