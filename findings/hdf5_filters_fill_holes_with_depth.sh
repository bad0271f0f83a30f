#!/bin/bash
# Two lossy filters of HDF5 replace NaN by a number: scaleoffset of h5py and SZ3 of hdf5plugin.
# Guess (2026-11-30, before the first run): both keep NaN as NaN, and all else within their bound
#   (scaleoffset=3 within 0.0005, absolute=0.001 within 0.001).
# Seen: all else is within the bound. With scaleoffset, a hole becomes the smallest depth of the
#   image, and with SZ3 about -7,000,000. SZ, the filter before SZ3, keeps NaN. No filter warns.
# Matters: with scaleoffset, every hole is a valid-looking obstacle right in front of the robot.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 h5py==3.16.0 hdf5plugin==7.1.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import h5py
import hdf5plugin
import numpy as np

print('h5py', h5py.__version__, 'hdf5plugin', hdf5plugin.version)
y, x = np.mgrid[:48, :64]
depth_m = (2 + np.sin(x / 9) + 0.001 * y).astype(np.float32)
nearest_m = depth_m.min()
hole = (y // 3 == 4) & (x // 8 == 2)
depth_m[hole] = np.nan
filters = {
    'scaleoffset': ({'scaleoffset': 3}, 0.0005),
    'SZ3': ({'compression': hdf5plugin.SZ3(absolute=0.001)}, 0.001),
    'SZ': ({'compression': hdf5plugin.SZ(absolute=0.001)}, 0.001),
    'gzip': ({'compression': 'gzip'}, 0),
}
for name, (options, bound) in filters.items():
    with h5py.File('depth.h5', 'w') as file:
        file.create_dataset('depth', data=depth_m, chunks=depth_m.shape, **options)
    with h5py.File('depth.h5') as file:
        back_m = file['depth'][:]
    error = np.abs(back_m - depth_m)[~hole].max()
    print(f'{name}: largest error {error:.2g}, NaN became {np.unique(back_m[hole])[:3]}, '
          f'nearest depth {nearest_m:.6g}')
    assert error <= bound * 1.001
    if name == 'scaleoffset':
        assert np.allclose(back_m[hole], nearest_m, atol=0.001)
    elif name == 'SZ3':
        assert (np.abs(back_m[hole]) > 1e5).all()
    else:
        assert np.isnan(back_m[hole]).all()
END
