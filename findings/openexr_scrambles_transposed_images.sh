#!/bin/bash
# The Python package OpenEXR writes the memory of an array and not its pixels.
# Guess (2026-11-29, before the first run): a transposed array, or every second pixel of one, is
#   written with the right pixels.
# Seen: the file has the right size and other pixels, without an error. So has an RGB image
#   turned from channels first, as networks use it, to channels last.
# Matters: depth images turned by 90 degrees or thinned out are scrambled in the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 OpenEXR==3.5.3
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
import OpenEXR

print('OpenEXR', version('OpenEXR'))
depth = np.random.default_rng(0).uniform(0.5, 10, (40, 50)).astype(np.float32)
planes = np.random.default_rng(1).random((3, 20, 30), np.float32)


def same(channel, pixels):
    """Say which part of the values comes back as it was written."""
    header = {'compression': OpenEXR.ZIP_COMPRESSION, 'type': OpenEXR.scanlineimage}
    OpenEXR.File(header, {channel: pixels}).write('image.exr')
    back = OpenEXR.File('image.exr').channels()[channel].pixels
    assert back.shape == pixels.shape
    return float((back == pixels).mean())


for name, channel, pixels in (
        ('transposed', 'Z', depth.T), ('every second', 'Z', depth[::2, ::2]),
        ('channels last', 'RGB', planes.transpose(1, 2, 0))):
    wrong, right = same(channel, pixels), same(channel, np.ascontiguousarray(pixels))
    print(f'{name}: {wrong:.1%} of the values are right, {right:.0%} of a contiguous copy')
    assert wrong < 0.05 and right == 1
END
