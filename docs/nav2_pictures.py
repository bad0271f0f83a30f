"""Draw nav2.jpg, the obstacles that the bundled weights see: `python docs/nav2_pictures.py`."""
import math
from pathlib import Path

from matplotlib.figure import Figure
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.geometry import back_project
from s2r_depth_ros.scale import NoScaleError, scale_from_ground
from s2r_depth_training.render.camera import Camera
from s2r_depth_training.render.driving import driving_scene
from s2r_depth_training.render.embree import EmbreeRenderer
from s2r_depth_training.render.sensor import expose
from s2r_depth_training.render.textures import make_library

TARGET = Path(__file__).parent / 'images' / 'nav2.jpg'
WIDTH_PX, HEIGHT_PX = 640, 192
STREETS = ((5, 'residential'), (7, 'city'), (3, 'residential'))  # seeds that no training has
LEAST_HEIGHT_M, MOST_HEIGHT_M, FARTHEST_M = 0.3, 2.0, 20.0


def main() -> None:
    """Write docs/images/nav2.jpg: three streets, a row each."""
    predictor = DepthPredictor('outdoor')
    figure = Figure((13, 7.3), layout='constrained')
    axes = figure.subplots(len(STREETS), 2, width_ratios=(3, 2))
    for (in_image, from_above), (seed, setting) in zip(axes, STREETS):
        image, true_m, camera = _street(seed, setting)
        pitch_rad = -math.asin(camera.forward[2])
        depth_m, = predictor.predict([image], [camera.intrinsics])
        try:
            depth_m = depth_m * scale_from_ground(
                depth_m, camera.intrinsics, camera.position[2], pitch_rad).factor
        except NoScaleError as error:
            print(f'{setting} {seed}: {error}; unscaled')
        is_seen, points = _obstacles(depth_m, camera)
        _, true_points = _obstacles(true_m, camera)
        in_image.imshow(np.where(is_seen[..., None], image * 0.3 + np.array((178, 0, 0)), image)
                        .astype(np.uint8))
        in_image.set_axis_off()
        from_above.scatter(*points.T, s=1, c='crimson', label='from the image')
        from_above.scatter(*true_points.T, s=1, c='black', label='true')
        from_above.set(xlim=(0, FARTHEST_M + 2), ylim=(-8.5, 8.5), ylabel='metres to the left')
    axes[0, 0].set_title(f'red: {LEAST_HEIGHT_M:g} to {MOST_HEIGHT_M:g} m above the ground, '
                         f'up to {FARTHEST_M:g} m away')
    axes[0, 1].set_title('the same from above')
    axes[0, 1].legend(loc='upper left', markerscale=4)
    axes[-1, 1].set_xlabel('metres ahead')
    figure.savefig(TARGET, dpi=80, pil_kwargs={'quality': 85})


def _street(seed: int, setting: str) -> tuple[np.ndarray, np.ndarray, Camera]:
    """Return image, true depth in metres and camera of a rendered street."""
    random = np.random.default_rng([seed, 0])
    library = make_library(seed, 0)
    scene = driving_scene(random, library, 1, WIDTH_PX, HEIGHT_PX, setting)
    camera, = scene.cameras
    light, response = scene.looks['clone']
    renderer = EmbreeRenderer(2)
    renderer.load(scene)
    true_m = renderer.depth(camera)
    picture = renderer.picture(camera, light)
    return expose(picture, np.isinf(true_m), response, random), true_m, camera


def _obstacles(depth_m: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Return where obstacles are in the image (H, W), and (N, 2) metres ahead and to the left."""
    optical = back_project(depth_m, camera.intrinsics)
    with np.errstate(invalid='ignore'):
        world = optical @ camera.rotation
    height_m = world[..., 2] + camera.position[2]
    ahead = camera.forward * (1, 1, 0) / np.linalg.norm(camera.forward[:2])
    left = np.array((-ahead[1], ahead[0], 0.0))
    is_obstacle = ((height_m > LEAST_HEIGHT_M) & (height_m < MOST_HEIGHT_M)
                   & (depth_m < FARTHEST_M))
    return is_obstacle, world[is_obstacle] @ np.stack([ahead, left], axis=1)


if __name__ == '__main__':
    main()
