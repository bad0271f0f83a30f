#!/bin/bash
# The ScalableTSDFVolume of Open3D 0.20 stays empty, whatever is integrated.
# Guess (2026-11-30, before the first run): three depth images of a wall at 2 m give a mesh at 2 m,
#   within 1 mm, in this volume as in UniformTSDFVolume.
# Seen: the scalable one has not a single vertex, from uint16 millimetres and float32 metres alike,
#   and warns of nothing. The uniform one is right. With Open3D 0.19 both are.
# Matters: it is the usual volume for rooms and streets; a fusion that worked returns empty meshes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 open3d-cpu==0.20.0 libusb-package==1.0.30.0
cd "$folder"
# open3d needs libusb-1.0.so.0, which many systems have
ln -s "$(echo "$folder"/env/lib/python3.*/site-packages/libusb_package/libusb-1.0.so)" \
    libusb-1.0.so.0
LD_LIBRARY_PATH="$folder" "$folder/env/bin/python" - <<'END'
import numpy as np
import open3d

print('open3d', open3d.__version__)
integration = open3d.pipelines.integration
camera = open3d.camera.PinholeCameraIntrinsic(320, 240, 200, 200, 159.5, 119.5)
colour = open3d.geometry.Image(np.full((240, 320, 3), 99, np.uint8))
kind = integration.TSDFVolumeColorType.RGB8
for depth, scale in ((np.full((240, 320), 2, np.float32), 1),
                     (np.full((240, 320), 2000, np.uint16), 1000)):
    image = open3d.geometry.RGBDImage.create_from_color_and_depth(
        colour, open3d.geometry.Image(depth), depth_scale=scale, depth_trunc=10,
        convert_rgb_to_intensity=False)
    assert np.all(np.asarray(image.depth) == 2)
    for volume in (integration.ScalableTSDFVolume(0.02, 0.08, kind),
                   integration.UniformTSDFVolume(4, 200, 0.08, kind, np.array([-2, -2, 0.5]))):
        for _ in range(3):
            volume.integrate(image, camera, np.eye(4))
        points = np.asarray(volume.extract_triangle_mesh().vertices)
        name = type(volume).__name__
        print(f'{name} from {depth.dtype}: {len(points)} vertices, z', np.unique(
            points[:, 2].round(3)))
        if name == 'ScalableTSDFVolume':
            assert len(points) == len(volume.extract_point_cloud().points) == 0
        else:
            assert len(points) > 10_000 and np.abs(points[:, 2] - 2).max() < 0.001
END
