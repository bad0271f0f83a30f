#!/bin/bash
# One NaN in an image makes the whole image NaN when JAX resizes it.
# Guess (2026-11-30, before the first run): a NaN spoils a few pixels around it, also in Keras
#   with JAX.
# Seen: linear, cubic and lanczos3 give NaN in every pixel, larger or smaller. An infinite pixel
#   makes NaN of almost all. The resize is a product with a matrix of weights, and 0 times NaN is
#   NaN. Nearest neighbour is not affected. SciPy spoils 16 pixels.
# Matters: depth with a single hole gives an image, and a gradient, without one valid pixel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 jax==0.10.2 jaxlib==0.10.2 keras==3.15.1
cd "$folder"
KERAS_BACKEND=jax "$folder/env/bin/python" - <<'END'
import jax
import keras
import numpy as np
from scipy import ndimage

print('jax', jax.__version__, 'keras', keras.__version__)
depth_m = np.random.default_rng(0).uniform(1, 5, (48, 64)).astype(np.float32)


def bad(resized):
    return int((~np.isfinite(np.asarray(resized))).sum())


for value in (np.nan, np.inf):
    hole = depth_m.copy()
    hole[20, 30] = value
    for shape in ((96, 128), (24, 32)):
        for method in ('nearest', 'linear', 'cubic', 'lanczos3'):
            count, size = bad(jax.image.resize(hole, shape, method)), shape[0] * shape[1]
            print(f'{value} in one pixel, JAX, {method}, to {shape}: {count} of {size} not finite')
            if method == 'nearest':
                assert count <= 4
            else:
                assert count == size or (np.isinf(value) and count > 0.9 * size)
    by_keras = keras.ops.image.resize(hole[..., None], (96, 128), interpolation='bilinear')
    by_scipy = ndimage.zoom(hole, 2, order=1, grid_mode=True, mode='nearest')
    print(f'{value} in one pixel, to (96, 128): Keras {bad(by_keras)}, SciPy {bad(by_scipy)}')
    assert bad(by_keras) > 10000 and bad(by_scipy) <= 36
assert bad(jax.image.resize(depth_m, (96, 128), 'linear')) == 0
END
