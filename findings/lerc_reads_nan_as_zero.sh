#!/bin/bash
# A NaN in a depth image that is compressed with LERC, even losslessly, comes back as 0.
# Guess (2026-11-29, before the first run): float32 with NaN comes back bit for bit from
#   tifffile, and with its NaN from imagecodecs at an error of 0.01.
# Seen: all other pixels are right, inf too, but NaN is 0.0. LERC keeps the hole in a mask, which
#   is not looked at.
# Matters: holes become points at the camera, where a test with isnan misses them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 tifffile==2026.3.3 imagecodecs==2026.3.6
cd "$folder"
"$folder/env/bin/python" - <<'END'
import imagecodecs
import numpy as np
import tifffile

print('tifffile', tifffile.__version__, 'imagecodecs', imagecodecs.__version__)
y, x = np.mgrid[:64, :64]
depth = (2 + np.sin(x / 9) + 0.001 * y).astype(np.float32)
depth[10:13, 10:20] = np.nan
depth[30, 30] = np.inf
hole, finite = np.isnan(depth), np.isfinite(depth)
tifffile.imwrite('depth.tif', depth, compression='lerc')
by_tifffile = tifffile.imread('depth.tif')
by_imagecodecs = imagecodecs.lerc_decode(imagecodecs.lerc_encode(depth, level=0.01))
for name, back, error in (('tifffile', by_tifffile, 0), ('imagecodecs', by_imagecodecs, 0.01)):
    largest = float(np.abs(back[finite] - depth[finite]).max())
    print(f'{name}: NaN became {np.unique(back[hole])}, inf {back[30, 30]}, '
          f'largest difference elsewhere {largest:.3g}')
    assert (back[hole] == 0).all() and back[30, 30] == np.inf and largest <= error
mask = imagecodecs.lerc_decode(imagecodecs.lerc_encode(depth, level=0.01), masks=True)[1]
print('mask of lerc_decode: holes', np.unique(mask[hole]), 'elsewhere', np.unique(mask[~hole]))
assert not mask[hole].any() and mask[~hole].all()
tifffile.imwrite('depth.tif', depth, compression='zlib')
assert np.array_equal(tifffile.imread('depth.tif'), depth, equal_nan=True)
END
