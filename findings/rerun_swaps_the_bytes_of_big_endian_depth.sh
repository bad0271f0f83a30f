#!/bin/bash
# Rerun takes the bytes of a big-endian depth image as they are, and shows other depth.
# Guess (2026-11-30, before the first run): DepthImage of an array in big-endian order, as FITS,
#   netCDF, PGM and some ROS images have it, holds the same depth as any other array.
# Seen: 1000 mm becomes 59,395, and 1 m in float32 becomes 4.6e-41, without a warning. The type is
#   taken from the array, its byte order is not. Image and SegmentationImage do so, too, where
#   Points3D and Scalars are right. Transposed, flipped and thinned arrays are right in all.
# Matters: the depth of a recording differs from the data, and the points beside it do not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 rerun-sdk==0.41.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import rerun

print('rerun', rerun.__version__)


def stored(image, dtype):
    """Return the pixels that the log message holds, in the byte order of this machine."""
    buffer = image.buffer.as_arrow_array().to_pylist()[0]
    form = image.format.as_arrow_array().to_pylist()[0]
    pixels = np.array(buffer, np.uint8).view(np.dtype(dtype).newbyteorder('<'))
    return pixels.reshape(form['height'], form['width'], -1).squeeze(), form


depth = np.arange(900, 1100).reshape(10, 20)
for dtype, divisor in (('u2', 1), ('f4', 1000)):
    plain = (depth / divisor).astype('<' + dtype)
    swapped = plain.astype('>' + dtype)
    assert np.array_equal(plain, swapped)
    for kind in (rerun.DepthImage, rerun.Image, rerun.SegmentationImage):
        if (kind, dtype) == (rerun.SegmentationImage, 'f4'):
            continue
        right, form = stored(kind(plain), dtype)
        wrong, other_form = stored(kind(swapped), dtype)
        print(f'{kind.__name__} {dtype}: {plain[5, 0]} is stored as {right[5, 0]}, in big-endian '
              f'as {wrong[5, 0]}')
        assert form == other_form and np.array_equal(right, plain)
        assert np.array_equal(wrong, swapped.view('<' + dtype))
        assert np.isclose(wrong, plain).mean() < 0.02  # 1028 is 0x0404
short = depth.astype('u2')
for name, view in (('transposed', short.T), ('flipped', short[::-1]), ('thinned', short[:, ::2])):
    image = rerun.DepthImage(view)
    assert np.array_equal(stored(image, 'u2')[0], view), name
points = np.random.default_rng(0).random((5, 3)).astype('>f4')
assert np.allclose(rerun.Points3D(points).positions.as_arrow_array().to_pylist(), points)
values = np.arange(3.0).astype('>f8')
assert rerun.Scalars(values).scalars.as_arrow_array().to_pylist() == [0, 1, 2]
END
