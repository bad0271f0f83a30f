#!/bin/bash
# The Delta filter of numcodecs, which Zarr uses, loses all pixels of a chunk behind the first
#   NaN.
# Guess (2026-11-30, before the first run): float32 depth comes back within 0.000001, and a NaN
#   stays in its pixel.
# Seen: from the first NaN to the end of the chunk, all is NaN, in this row and in all rows below.
#   So it is after an infinite pixel. After a pixel of 10,000,000, all depth is off by up to 0.24
#   m. The filter stores differences, and reading adds them up.
# Matters: depth has holes in every frame. The documentation warns of integers that overflow only.
#   Depth in uint16 comes back as it was.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 zarr==3.1.6 numcodecs==0.16.6
cd "$folder"
"$folder/env/bin/python" -W ignore - <<'END'
import numcodecs
import numpy as np
import zarr
from zarr.codecs import numcodecs as filters

print('zarr', zarr.__version__, 'numcodecs', numcodecs.__version__)
y, x = np.mgrid[:480, :640]
depth_m = (3 + 2 * np.sin(x / 50) + 0.003 * y).astype(np.float32)


def stored(image):
    """Return the image as it comes back from a Zarr array with the filter."""
    array = zarr.create_array(
        zarr.storage.MemoryStore(), data=image, chunks=(240, 640),
        filters=[filters.Delta(dtype=str(image.dtype))])
    return array[:]


for value in (None, np.nan, np.inf, 1e7):
    image = depth_m.copy()
    if value is not None:
        image[100, 200] = value
    back_m = stored(image)
    lost = int((np.isnan(back_m) & np.isfinite(image)).sum())
    error_m = np.abs(back_m - image)[np.isfinite(back_m) & np.isfinite(image)].max()
    print(f'pixel of {value}: {lost} other pixels became NaN, largest error {error_m:.2g} m')
    if value is None:
        assert lost == 0 and error_m < 1e-5
    elif np.isfinite(value):
        assert lost == 0 and error_m > 0.1
    else:
        assert lost == 240 * 640 - 100 * 640 - 201 and not np.isnan(back_m[240:]).any()
depth_mm = (depth_m * 1000).astype(np.uint16)
depth_mm[100, 200] = 0
assert np.array_equal(stored(depth_mm), depth_mm)
END
