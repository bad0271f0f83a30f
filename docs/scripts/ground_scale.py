"""
Measure the scale from the ground: `python docs/scripts/ground_scale.py [FOLDER of real frames]`.

Writes docs/dev/ground_scale.csv: Abs Rel in metres with a fixed scale, with that from the ground
and scaled by medians. Rendered frames have the pose of their camera. Of real ones, in
FOLDER/outdoor (KITTI) and FOLDER/robots_outdoor, only the height is known.
"""

from __future__ import annotations

from collections.abc import Iterator
import csv
from dataclasses import replace
import math
from pathlib import Path
import sys
from typing import NamedTuple

import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.ground import GroundPlane, GroundReading
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthPipeline, postprocess
from s2r_depth_ros.sources.manifest import read_manifest
from s2r_depth_training.data.readers.manifest import Manifest
from s2r_scenes.camera import Camera
from s2r_scenes.generate import build_world, Job, render_frames, resolve_backend
from s2r_scenes.light import VARIATIONS
from s2r_scenes.viewpoints import Probe

TARGET = Path(__file__).parents[1] / 'dev' / 'ground_scale.csv'
KITTI_HEIGHT_M = 1.65
NEAREST_M = 0.2
SEED = 4711  # no training has it
# Kind of scenes, cameras, number of scenes, size in pixels, weights, and depth that counts.
RENDERED = {
    'rendered streets, any camera': ('driving', 'any', 45, (384, 256), 'outdoor', 80.0),
    'rendered streets': ('driving', 'ordinary', 25, (416, 160), 'outdoor', 80.0),
    'rendered rooms, any camera': ('indoor', 'any', 45, (320, 240), 'indoor', 10.0),
    'rendered rooms': ('indoor', 'ordinary', 25, (320, 240), 'indoor', 10.0),
}
TO_MEASURE = Parameters(min_depth=0.0, max_depth=10000.0)
REAL = {'KITTI': 'outdoor', 'other cameras': 'robots_outdoor'}


class Frame(NamedTuple):
    """An image with its true depth (H, W) metres, and what a robot knows of the camera."""

    name: str
    image: CameraImage
    true_m: np.ndarray
    parameters: Parameters
    from_tf: GroundReading = GroundReading()


def rendered(kind: str, cameras: str, scenes: int, size_px: tuple[int, int]) -> Iterator[Frame]:
    """Render two frames of each scene."""
    job = Job(
        kind, 2, *size_px, SEED, VARIATIONS, 'one', resolve_backend('auto'), 2, cameras=cameras
    )
    for number in range(1, scenes + 1):
        world = f'{number:04d}'
        scene, _ = build_world(job, world)
        probe = Probe([scene.solid, scene.cutout])
        for frame, camera in zip(render_frames(job, world), scene.cameras):
            height_m = camera.position[2] if kind == 'indoor' else probe.drop_m(camera.position)
            if not 0.05 < height_m < 10:
                continue
            image = _camera_image(frame.image, frame.intrinsics)
            plane = _ground(camera, float(height_m))
            name = f'{world}/{frame.number}'
            yield Frame(name, image, frame.depth_m, TO_MEASURE, GroundReading(plane))


def real(folder: Path) -> Iterator[Frame]:
    """Read the frames of a manifest with known camera height."""
    entries = read_manifest(folder / 'manifest.json')
    for entry, sample in zip(entries, Manifest(folder)):
        height_m = entry.fields.get('camera_height_m', KITTI_HEIGHT_M)
        if height_m is not None:
            image = _camera_image(sample.image, sample.intrinsics)
            name = str(entry.fields['name'])
            yield Frame(name, image, sample.depth_m, replace(TO_MEASURE, camera_height=height_m))


def measure(pipeline: DepthPipeline, frame: Frame, farthest_m: float) -> tuple[float, ...] | None:
    """Return Abs Rel fixed, from the ground and median-scaled; factor, and confidence."""
    counts = (frame.true_m > NEAREST_M) & (frame.true_m < farthest_m)
    if counts.sum() < 50:
        return None
    (result,) = pipeline.predict([frame.image], with_ground=True)
    found = postprocess(result, CameraState(), frame.parameters, from_tf=frame.from_tf)
    far_m = result.far_m * found.scale.factor
    ground_m = np.where(np.isposinf(found.depth_m), far_m, found.depth_m)[counts]
    true_m, fixed_m = frame.true_m[counts], result.depth_m[counts]
    ratio = np.median(true_m) / np.median(fixed_m)
    errors = (
        np.abs(np.clip(depth_m, NEAREST_M, farthest_m) / true_m - 1).mean()
        for depth_m in (fixed_m, ground_m, fixed_m * ratio)
    )
    return (*map(float, errors), *found.scale)


def main() -> None:
    """Write the table."""
    places = {
        place: (weights, farthest_m, rendered(kind, cameras, scenes, size_px))
        for place, (kind, cameras, scenes, size_px, weights, farthest_m) in RENDERED.items()
    }
    for folder in sys.argv[1:]:
        for place, name in REAL.items():
            places[place] = 'outdoor', 80.0, real(Path(folder) / name)
    with TARGET.open('w', encoding='utf-8', newline='') as opened:
        table = csv.writer(opened, lineterminator='\n')
        table.writerow(
            ('place', 'frame', 'fixed', 'ground', 'median-scaled', 'factor', 'confidence')
        )
        for place, (weights, farthest_m, frames) in places.items():
            pipeline = DepthPipeline(DepthPredictor(weights, device='cpu'), Parameters())
            rows = []
            for frame in frames:
                if (row := measure(pipeline, frame, farthest_m)) is not None:
                    rows.append(row)
                    if place in REAL:
                        table.writerow((place, frame.name, *(f'{number:.3f}' for number in row)))
            errors = np.array(rows)[:, :3]
            means = errors.mean(axis=0)
            worse = int((errors[:, 1] > 1.1 * errors[:, 0]).sum())
            table.writerow(
                (
                    place,
                    f'mean of {len(rows)}',
                    *(f'{number:.3f}' for number in errors.mean(axis=0)),
                )
            )
            table.writerow((place, 'over 10 % worse than fixed', '', worse, '', '', ''))
            print(place, len(rows), means.round(3), worse)


def _camera_image(rgb: np.ndarray, intrinsics: np.ndarray) -> CameraImage:
    height_px, width_px = rgb.shape[:2]
    camera = CameraModel.from_intrinsics(width_px, height_px, np.asarray(intrinsics, float))
    return CameraImage(rgb, camera)


def _ground(camera: Camera, height_m: float) -> GroundPlane:
    right, down, ahead = camera.rotation @ (0, 0, -1.0)
    return GroundPlane(height_m, math.asin(ahead), math.atan2(right, down))


if __name__ == '__main__':
    main()
