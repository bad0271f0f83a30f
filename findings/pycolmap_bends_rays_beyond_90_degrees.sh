#!/bin/bash
# pycolmap bends the rays of a fisheye camera forwards, if they are more than 90 degrees off its
# axis.
# Guess (2026-11-30, before the first run): cam_from_img gives None or NaN there, and
#   cam_ray_from_img, which "supports back-facing rays of omnidirectional cameras", the true ray.
# Seen: both return a ray without a warning. At 88 degrees it is right, at 92 degrees it is one of
#   58 degrees. The point (theta, 0, 1) stands for (tan(theta), 0, 1) there. In the model FOV the
#   ray comes out on the other side of the image.
# Matters: the border of a lens of 200 degrees is projected to the front, into the scene.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pycolmap==4.2.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import pycolmap

print('pycolmap', pycolmap.__version__)
focal = 150.0
models = {'OPENCV_FISHEYE': [focal, focal, 320, 240, 0, 0, 0, 0],
          'RADIAL_FISHEYE': [focal, 320, 240, 0, 0],
          'THIN_PRISM_FISHEYE': [focal, focal, 320, 240] + [0] * 8,
          'SIMPLE_FISHEYE': [focal, 320, 240],
          'FOV': [focal, focal, 320, 240, 1]}
true = np.array([30, 60, 88, 92, 100, 120.0])  # equidistant: r = focal * theta
pixels = np.stack([320 + focal * np.radians(true), np.full(6, 240)], 1)
assert pixels.max() < 640  # all of them lie in the image
print('angle to the axis', true)
for name, numbers in models.items():
    camera = pycolmap.Camera(model=name, width=640, height=480, params=numbers)
    rays = np.array([camera.cam_ray_from_img(pixel) for pixel in pixels])
    found = np.degrees(np.arctan2(rays[:, 0], rays[:, 2]))
    plane = np.degrees(np.arctan([camera.cam_from_img(pixel)[0] for pixel in pixels]))
    print(name, found.round(2))
    assert np.isfinite(rays).all() and np.allclose(found, plane)
    if name == 'FOV':  # r = atan(2 * ru * tan(1 / 2)), another angle, of the same sign
        assert (found[:3] > 0).all() and (found[3:] < 0).all()
    else:
        assert np.allclose(found[:3], true[:3])
        assert np.allclose(found[3:], np.degrees(np.arctan(np.radians(true[3:]))))
    back = camera.img_from_cam(rays)
    assert np.allclose(back[:3], pixels[:3]) and (np.abs(back[3:] - pixels[3:]) > 70).any(1).all()
END
