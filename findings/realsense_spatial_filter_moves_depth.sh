#!/bin/bash
# The spatial filter of the RealSense SDK moves noisy or slanted depth away from the camera.
# Guess (2026-11-30, before the first run): at its default settings it leaves a plane with a slope
#   of 2 mm per pixel unchanged within 1 mm, away from the border.
# Seen: the plane is 2 mm farther there, whatever its slope from 0.25 to 8 mm per pixel. A wall
#   with noise of 3 mm is 3 mm farther on average. A perfectly flat one stays, and all do between
#   two disparity transforms.
# Matters: a filter against noise adds a bias of some depth units, which no average removes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 pyrealsense2==2.59.1.11053
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import numpy as np
import pyrealsense2 as rs

print('pyrealsense2', version('pyrealsense2'))


def filtered(depth, as_disparity=False):
    """Return uint16 millimetres after the spatial filter, without a camera."""
    height, width = depth.shape
    camera = rs.intrinsics()
    camera.width, camera.height, camera.fx, camera.fy = width, height, 60, 60
    camera.ppx, camera.ppy, camera.model = (width - 1) / 2, (height - 1) / 2, rs.distortion.none
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = rs.stream.depth, 0, 0
    stream.width, stream.height, stream.fps, stream.bpp = width, height, 30, 2
    stream.fmt, stream.intrinsics = rs.format.z16, camera
    device = rs.software_device()
    sensor = device.add_sensor('depth')
    profile = sensor.add_video_stream(stream)
    sensor.add_read_only_option(rs.option.depth_units, 0.001)
    sensor.add_read_only_option(rs.option.stereo_baseline, 50.0)
    queue = rs.frame_queue(1)
    sensor.open(profile)
    sensor.start(queue)
    frame = rs.software_video_frame()
    frame.pixels, frame.stride, frame.bpp = depth, width * 2, 2
    frame.timestamp, frame.frame_number, frame.depth_units = 0.0, 1, 0.001
    frame.domain = rs.timestamp_domain.hardware_clock
    frame.profile = profile.as_video_stream_profile()
    sensor.on_video_frame(frame)
    steps = [rs.spatial_filter()]
    if as_disparity:
        steps = [rs.disparity_transform(True), *steps, rs.disparity_transform(False)]
    result = queue.wait_for_frame()
    for step in steps:
        result = step.process(result)
    values = np.array(result.as_video_frame().get_data())
    sensor.stop()
    sensor.close()
    return values


for as_disparity in (False, True):
    print('between two disparity transforms:' if as_disparity else 'in millimetres:')
    for slope in (0, 0.25, 2, 8):
        plane = np.tile(np.round(1000 + slope * np.arange(64)), (48, 1)).astype(np.uint16)
        moved = (filtered(plane, as_disparity).astype(int) - plane)[10:-10, 10:-10]
        print(f'  slope of {slope} mm per pixel: moved by {moved.min()} to {moved.max()} mm')
        assert np.all(moved == (2 if slope and not as_disparity else 0))
    noisy = np.round(np.random.default_rng(0).normal(1000, 3, (48, 64))).astype(np.uint16)
    smooth = filtered(noisy, as_disparity)
    print(f'  noise: mean {noisy.mean():.2f} -> {smooth.mean():.2f} mm, deviation '
          f'{noisy.std():.2f} -> {smooth.std():.2f} mm')
    moved = smooth.mean() - noisy.mean()
    assert smooth.std() < 1 and (abs(moved) < 0.1 if as_disparity else 2.5 < moved < 4)
END
