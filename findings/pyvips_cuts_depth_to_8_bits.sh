#!/bin/bash
# pyvips takes an array of uint16 for a picture of 0 to 255, and a depth image is all white.
# Guess (2026-11-29, before the first run): thumbnail_image of a 16-bit grey image keeps its 16
#   bits.
# Seen: the thumbnail is uchar and 255 everywhere, and so is a PNG file. With the interpretation
#   grey16 the PNG is right, and the thumbnail still has 8 bits.
# Matters: thumbnails and files of depth are empty, without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pyvips==3.2.0 pyvips-binary==8.18.7 pillow==13.0.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
from PIL import Image
import pyvips

print('pyvips', pyvips.__version__, 'libvips', *(pyvips.version(i) for i in range(3)))
x = np.mgrid[:120, :160][1]
depth_mm = (3000 + 2000 * np.sin(x / 15)).astype(np.uint16)
image = pyvips.Image.new_from_array(depth_mm)
assert image.format == 'ushort'
assert np.array_equal(image.numpy(), depth_mm)
for name, picture in (('as it is', image), ('grey16', image.copy(interpretation='grey16'))):
    small = picture.thumbnail_image(80)
    picture.write_to_file('depth.png')
    back = np.asarray(Image.open('depth.png'))
    print(f'{name}: depth {depth_mm.min()} to {depth_mm.max()}, thumbnail {small.format} '
          f'{int(small.numpy().min())} to {int(small.numpy().max())}, PNG {back.dtype} '
          f'{back.min()} to {back.max()}')
    assert small.format == 'uchar'
    if name == 'grey16':
        assert np.array_equal(back, depth_mm)
    else:
        assert (small.numpy() == 255).all() and back.dtype == np.uint8 and (back == 255).all()
END
