"""
Draw nav2.jpg, a street and a room from above without and with the filters of the node.

`python docs/scripts/nav2_pictures.py` writes it and prints the figures of the pictures. They are
those of the bundled weights on rendered scenes.
"""

from collections.abc import Callable
from dataclasses import replace
import math
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.obstacles import obstacle_points
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthPipeline, postprocess
from s2r_depth_ros.depth.scan import level_rotation
from s2r_depth_training.evaluation.obstacles import grid_cells, GRID_M, HEIGHTS_M, VARIANTS
from s2r_scenes.camera import Camera
from s2r_scenes.driving import driving_scene
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.indoor import indoor_scene
from s2r_scenes.scene import Scene
from s2r_scenes.sensor import expose
from s2r_scenes.textures import make_library

TARGET = Path(__file__).parents[1] / 'images' / 'nav2.jpg'
DRAWN = {
    'no filter': 'no filter',
    'edge_filter 1': 'edge_filter 1',
    'ground_contact, ground_probability 0.8': 'default',
}
"""Titles by variant."""
RED = np.array((178, 0, 0))


class View(NamedTuple):
    """A rendered image (H, W, 3), its true depth (H, W) in metres, and its camera."""

    rgb: np.ndarray
    depth_m: np.ndarray
    camera: Camera

    @property
    def ground(self) -> GroundPlane:
        """The ground below the camera."""
        right, down, ahead = -self.camera.rotation[:, 2]
        height_m = float(self.camera.position[2])
        return GroundPlane(height_m, math.asin(ahead), math.atan2(right, down))


def main() -> None:
    """Write docs/images/nav2.jpg: a street and a room, a row each."""
    rows = [
        ('outdoor', _view(7, lambda *given: driving_scene(*given, 'residential'), (640, 320))),
        ('indoor', _view(7, indoor_scene, (640, 480))),
    ]
    figure = Figure((18, 7), layout='constrained')
    axes = figure.subplots(len(rows), 1 + len(DRAWN), width_ratios=(3, 2, 2, 2))
    for (in_image, *from_above), (weights, view) in zip(axes, rows):
        _draw_row(in_image, from_above, view, weights)
    axes[0, 0].set_title(
        f'red: {HEIGHTS_M[0]:g} to {HEIGHTS_M[1]:g} m above the ground, up to {GRID_M:g} m away'
    )
    axes[0, 1].legend(loc='upper left', markerscale=4)
    for each in axes[-1, 1:]:
        each.set_xlabel('metres ahead')
    figure.savefig(TARGET, dpi=80, pil_kwargs={'quality': 85})


def _view(seed: int, make_scene: Callable[..., Scene], size_px: tuple[int, int]) -> View:
    """Render the first view of a scene with a seed that no training has."""
    random = np.random.default_rng([seed, 0])
    scene = make_scene(random, make_library(seed, 0), 1, *size_px)
    (camera,) = scene.cameras
    light, response = scene.looks['clone']
    renderer = EmbreeRenderer(2)
    renderer.load(scene)
    true_m = renderer.depth(camera)
    picture = renderer.picture(camera, light)
    return View(expose(picture, np.isinf(true_m), response, random), true_m, camera)


def _draw_row(in_image: Axes, from_above: list[Axes], view: View, weights: str) -> None:
    """Draw the image with its obstacles, and these from above for each variant."""
    ground, intrinsics = view.ground, view.camera.intrinsics
    parameters = Parameters(
        scale_source='ground_plane',
        camera_height=ground.height_m,
        camera_pitch=math.degrees(ground.pitch_rad),
    )
    height_px, width_px = view.depth_m.shape
    camera = CameraModel.from_intrinsics(width_px, height_px, intrinsics)
    pipeline = DepthPipeline(DepthPredictor(weights), parameters)
    (result,) = pipeline.predict([CameraImage(view.rgb, camera)], with_ground=True)
    true = grid_cells(view.depth_m, intrinsics, ground)
    for axes, (name, title) in zip(from_above, DRAWN.items()):
        changed = replace(parameters, **VARIANTS[name])
        found = postprocess(result, CameraState(), changed)
        is_ground = found.is_ground(changed.ground_probability)
        if found.scale_fault:
            print(f'{weights}: {found.scale_fault}')
        cells = grid_cells(found.depth_m, intrinsics, ground, is_ground)
        shares = (
            (true.obstacle & cells.obstacle).sum() / true.obstacle.sum(),
            (true.free & cells.obstacle).sum() / true.free.sum(),
        )
        text = f'{title}: found {shares[0]:.0%}, free marked {shares[1]:.0%}'
        print(f'{weights}, {text}')
        _scatter(axes, found.depth_m, view, 'crimson', 'from the image', is_ground)
        _scatter(axes, view.depth_m, view, 'black', 'true')
        axes.set(title=text, xlim=(0, GRID_M), ylim=(-GRID_M / 2, GRID_M / 2), aspect=1)
        if axes is from_above[0]:
            axes.set_ylabel('metres to the left')
            in_image.imshow(_marked(view, found.depth_m))
            in_image.set_axis_off()


def _scatter(
    axes: Axes,
    depth_m: np.ndarray,
    view: View,
    color: str,
    label: str,
    is_ground: np.ndarray | None = None,
) -> None:
    points = obstacle_points(
        back_project(depth_m, view.camera.intrinsics), view.ground, *HEIGHTS_M, is_ground=is_ground
    )
    ahead, left, _ = level_rotation(view.ground) @ points.T
    axes.scatter(ahead, left, s=1, c=color, label=label)


def _marked(view: View, depth_m: np.ndarray) -> np.ndarray:
    """Return the image with its near obstacles in red."""
    points = back_project(depth_m, view.camera.intrinsics)
    height_m = view.ground.height_of(points)
    is_obstacle = (height_m > HEIGHTS_M[0]) & (height_m < HEIGHTS_M[1]) & (depth_m < GRID_M)
    return np.where(is_obstacle[..., None], view.rgb * 0.3 + RED, view.rgb).astype(np.uint8)


if __name__ == '__main__':
    main()
