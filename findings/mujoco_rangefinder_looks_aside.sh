#!/bin/bash
# In MuJoCo 4, a depth sensor on a camera with a focal length looks aside: its rays cover only the
# quadrant to the right of the axis and below it.
# Guess (2026-11-30, before the first run): the rays of a rangefinder on a camera go through the
#   centres of its pixels, as the renderer of the same camera has them.
# Seen: so it is with fovy. With focal and sensorsize, the renderer measures the principal point
#   from the centre of the image, and the rangefinder from its corner. Half of the sensor as the
#   principal point centres the rangefinder, and pushes the picture aside.
# Matters: it is the way to give a calibrated camera. The depth image is of another place than the
#   colour image, over a flat floor without a sign of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 mujoco==4.0.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import mujoco
import numpy as np

print('mujoco', mujoco.__version__)
MODEL = '''<mujoco>
  <worldbody>
    <body pos="0 0 -2.1"><geom type="box" size="9 9 .1"/></body>
    <camera name="camera" resolution="8 6" {}/>
  </worldbody>
  <sensor><rangefinder camera="camera" data="point"/></sensor>
</mujoco>'''


def sides(attributes):
    """Return left, right, bottom and top as tangents, of the rangefinder and of the renderer."""
    model = mujoco.MjModel.from_xml_string(MODEL.format(attributes))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    points = data.sensordata.reshape(6, 8, 3) / 2  # the floor is 2 m away
    x, y = points[0, :, 0], points[:, 0, 1]
    half = (x[1] - x[0]) / 2  # from the centre of a pixel to its border
    rays = [x[0] - half, x[-1] + half, y[-1] - half, y[0] + half]
    camera, scene = mujoco.MjvCamera(), mujoco.MjvScene(model, 1000)
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera,
                           mujoco.mjtCatBit.mjCAT_ALL, scene)
    view = scene.camera[0]
    wide = view.frustum_width or (view.frustum_top - view.frustum_bottom) / 2 * 8 / 6
    frustum = [view.frustum_center - wide, view.frustum_center + wide,
               view.frustum_bottom, view.frustum_top]
    return np.array([rays, np.array(frustum) / view.frustum_near])


middle = [-2 / 3, 2 / 3, -1 / 2, 1 / 2]
lens = 'sensorsize="0.004 0.003" focal="0.003 0.003"'
for attributes, rays, frustum in (
        ('fovy="53.13010235"', middle, middle), (lens, [0, 4 / 3, -1, 0], middle),
        (lens + ' principal="0.002 0.0015"', middle, [0, 4 / 3, -1, 0])):
    found = sides(attributes)
    print(f'{attributes}: left, right, bottom, top\n  of the rangefinder {found[0].round(3)}\n'
          f'  of the renderer    {found[1].round(3)}')
    assert np.allclose(found, [rays, frustum], atol=1e-5)
END
