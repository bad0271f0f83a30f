#!/bin/bash
# ncnn.Mat of a crop, a flipped or a transposed array holds other pixels, some from outside of the
#   crop. imagecodecs.sperr_encode compresses other pixels of such arrays, too.
# Guess (2026-11-30, before the first run): both copy such an array rightly, or refuse it.
# Seen: both take the shape of the view and read on from its first number, as if it were
#   contiguous. A crop holds the rest of its first row, and a flipped image holds what lies behind
#   it in memory. The codecs jpeg2k and zfp of imagecodecs are right with the same views.
# Matters: cropping is slicing in NumPy. The network sees a scrambled image of the right size.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 ncnn==1.0.20261020 imagecodecs==2026.3.6
cd "$folder"
"$folder/env/bin/python" - <<'END'
import imagecodecs
import ncnn
import numpy as np

print('ncnn', ncnn.__version__, 'imagecodecs', imagecodecs.__version__)
y, x = np.mgrid[:40, :60]
depth_m = (2 + np.sin(x / 9) + 0.01 * y).astype(np.float32)
views = {
    'whole': depth_m,
    'crop': depth_m[5:30, 10:50],
    'every second': depth_m[::2, ::2],
    'transposed': depth_m.T,
    'flipped, then cut': depth_m[:, ::-1][:20],
}
functions = {
    'ncnn.Mat': lambda a: np.array(ncnn.Mat(a).clone()),
    'sperr': lambda a: imagecodecs.sperr_decode(imagecodecs.sperr_encode(a, 0.001, 'pwe')),
    'zfp': lambda a: imagecodecs.zfp_decode(imagecodecs.zfp_encode(a)),
}
for name, view in views.items():
    for function, copy in functions.items():
        back_m = copy(view)
        assert back_m.shape == view.shape
        error_m = np.abs(back_m - view).max()
        wrong = (np.abs(back_m - view) > 0.0011).mean()
        print(f'{function}, {name}: {wrong:.0%} of the pixels are wrong, by up to {error_m:.2g} m')
        assert (wrong > 0.5) == (name != 'whole' and function != 'zfp')
        assert np.abs(copy(view.copy(order='C')) - view).max() < 0.0011
# The numbers of a crop are those that follow its first one in memory, not its own.
crop = views['crop']
follow = depth_m.ravel()[5 * 60 + 10:][:crop.size].reshape(crop.shape)
assert np.array_equal(np.array(ncnn.Mat(crop).clone()), follow)
END
