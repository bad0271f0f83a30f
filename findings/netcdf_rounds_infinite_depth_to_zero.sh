#!/bin/bash
# netCDF4 with quantize_mode='GranularBitRound' writes an infinite depth as -0, and -inf as 0.
# Guess (2026-11-30, before the first run): all three modes keep NaN and infinite values.
# Seen: all keep NaN, and BitGroom and BitRound keep inf. GranularBitRound, which rounds to
#   decimal digits, makes -0.0 of inf and 0.0 of -inf, in float32 and float64.
# Matters: in ROS, +inf is "farther than the sensor sees" and -inf is "too near". Both become a
#   depth of 0, and isfinite is true for them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 netCDF4==1.7.5.1.post1
cd "$folder"
"$folder/env/bin/python" - <<'END'
import netCDF4
import numpy as np

print('netCDF4', netCDF4.__version__, 'library', netCDF4.__netcdf4libversion__)
special = [np.inf, -np.inf, np.nan]
for kind in ('f4', 'f8'):
    depth_m = np.random.default_rng(0).uniform(1, 80, 1000).astype(kind)
    depth_m[[10, 20, 30]] = special
    for mode in ('BitGroom', 'BitRound', 'GranularBitRound'):
        digits = 15 if mode == 'BitRound' else 5
        with netCDF4.Dataset('depth.nc', 'w') as file:
            file.createDimension('pixel', 1000)
            variable = file.createVariable(
                'depth', kind, ('pixel',), zlib=True, significant_digits=digits,
                quantize_mode=mode)
            variable[:] = depth_m
        with netCDF4.Dataset('depth.nc') as file:
            file.set_auto_mask(False)
            back_m = file['depth'][:]
        finite = np.isfinite(depth_m)
        error = np.abs(back_m[finite] - depth_m[finite]).max()
        print(f'{kind}, {mode}: inf, -inf and nan became {back_m[[10, 20, 30]]}, '
              f'largest error elsewhere {error:.2g}')
        assert error < 0.01
        if mode == 'GranularBitRound':
            assert back_m[10] == back_m[20] == 0 and np.signbit(back_m[10])
            assert np.isnan(back_m[30])
        else:
            assert np.array_equal(back_m[[10, 20, 30]], special, equal_nan=True)
END
