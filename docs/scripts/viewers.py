"""
Draw what viewers get, from the wire: `python docs/scripts/viewers.py`, in `.venv`.

bag.jpg: a bag is made of frames of the package, `s2r bag` adds the depth, a process plays it into
a ROS graph, and here the topics arrive as in rviz. foxglove.jpg: `s2r view` runs, and a client of
its web socket subscribes as Foxglove does. view.jpg: its page in Chromium, without a display.
"""

import json
import os
from pathlib import Path
import shutil
import sys
import tempfile

import cv2
from matplotlib.figure import Figure
import numpy as np
from playwright.sync_api import sync_playwright
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore, Stores
from sensor_msgs.msg import Image, PointCloud2

ROOT = Path(__file__).parents[2]
TESTS = str(ROOT / 'test')  # which have a player of bags, and a client of the web socket
sys.path.insert(0, TESTS)
os.environ['PYTHONPATH'] = TESTS  # for the player, a process
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

from ros_graph import Graph  # noqa: E402
from view_process import CameraImage, Foxglove, points_of  # noqa: E402

from s2r_depth_ros.cli import main as s2r  # noqa: E402
from s2r_depth_ros.cli.cloud_view import look_at, render_points  # noqa: E402
from s2r_depth_ros.cli.recorder import cloud_arrays  # noqa: E402
from s2r_depth_ros.depth.camera_model import CameraModel  # noqa: E402
from s2r_depth_ros.ros.message_types import Header, serialize_message  # noqa: E402
from s2r_depth_ros.ros.messages import camera_model_to_info, image_to_rgb, pixels_to_image  # noqa: E402
from s2r_depth_ros.ros.outputs import COLOR, POINTS  # noqa: E402
from s2r_depth_ros.sources.frames import FrameSource  # noqa: E402

FRAMES = ROOT / 's2r_depth_ros' / 'demo_frames'
IMAGES = Path(__file__).parents[1] / 'images'
SHOWN = (2, 4, 6)
CLOUD_PX = (200, 320)


def main() -> None:
    """Write bag.jpg, foxglove.jpg and view.jpg into docs/images."""
    _photograph_page()
    _draw(_played_bag(), ('/front/image_raw', f'/front/{COLOR}', f'/front/{POINTS}'), 'bag')
    _draw(_foxglove(), ('/camera/image', f'/{COLOR}', f'/{POINTS}'), 'foxglove')


def _photograph_page() -> None:
    with CameraImage(FRAMES) as view, sync_playwright() as run:
        browser = run.chromium.launch(
            executable_path=shutil.which('chromium'), args=['--no-sandbox']
        )
        page = browser.new_page(viewport={'width': 1280, 'height': 490})
        page.goto(view.page)
        page.wait_for_function(
            'Array.from(document.images).every(image => image.naturalWidth === 640)'
        )
        page.wait_for_function("document.getElementById('status').className === 'good'")
        page.wait_for_timeout(5000)  # until the node has warmed up
        page.screenshot(path=IMAGES / 'view.jpg', type='jpeg', quality=85)


def _played_bag() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return image, coloured depth and picture of the cloud of each moment."""
    topics = {'image_raw': Image, COLOR: Image, POINTS: PointCloud2}
    with tempfile.TemporaryDirectory() as folder, Graph(Path(folder)) as graph:
        _write_bag(Path(folder) / 'drive')
        s2r(
            [
                'bag',
                f'{folder}/drive',
                f'{folder}/drive_depth',
                '--outputs',
                'image',
                'camera_info',
                'points',
                'image_color',
            ]
        )
        received = {name: graph.collect(kind, f'/front/{name}') for name, kind in topics.items()}
        player = graph.start(
            'bag_player', f'{folder}/drive_depth', *(f'/front/{name}' for name in topics)
        )
        graph.wait(lambda: all(len(each) == len(SHOWN) for each in received.values()), 'depth')
        player.wait()
    moments = []
    for image, color, cloud in zip(*received.values()):
        assert image.header == color.header == cloud.header
        points_m, colors = cloud_arrays(cloud)
        is_point = np.isfinite(points_m[..., 2])
        moments.append(
            (
                image_to_rgb(image),
                image_to_rgb(color),
                _picture_of(points_m[is_point], colors[is_point]),
            )
        )
    return moments


def _write_bag(path: Path) -> None:
    frames = list(FrameSource(FRAMES, print))
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=Writer.VERSION_LATEST) as writer:
        images, infos = (
            writer.add_connection(f'/front/{name}', f'sensor_msgs/msg/{kind}', typestore=store)
            for name, kind in (('image_raw', 'Image'), ('camera_info', 'CameraInfo'))
        )
        for second, number in enumerate(SHOWN):
            frame, header = frames[number], Header(frame_id='front_optical_frame')
            header.stamp.sec = second
            height_px, width_px = frame.rgb.shape[:2]
            camera = CameraModel.from_intrinsics(width_px, height_px, frame.intrinsics)
            for topic, message in (
                (infos, camera_model_to_info(camera, header)),
                (images, pixels_to_image(frame.rgb, 'rgb8', header)),
            ):
                writer.write(topic, second * 10**9, serialize_message(message))


def _foxglove() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the same, as a client of the web socket gets it."""
    moments = []
    known = json.loads((FRAMES / 'manifest.json').read_text())
    for number in SHOWN:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(FRAMES / known[number]['rgb'], folder)
            Path(folder, 'manifest.json').write_text(json.dumps([known[number]]))
            moments.append(_foxglove_moment(Path(folder)))
    return moments


def _foxglove_moment(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with CameraImage(folder) as view, Foxglove(view.socket) as client:
        topics = ('/camera/image', f'/{COLOR}', f'/{POINTS}')
        client.wait_for_channels(set(topics))
        image, color, cloud = (client.first(topic) for topic in topics)
    points = points_of(cloud)
    return (
        *(
            cv2.imdecode(np.frombuffer(each.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            for each in (image, color)
        ),
        _picture_of(
            np.stack([points[axis] for axis in 'xyz'], axis=-1),
            np.stack([points[name] for name in ('red', 'green', 'blue')], axis=-1),
        ),
    )


def _picture_of(points_m: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Draw a cloud from above and behind the camera."""
    middle, far = np.percentile(points_m, (50, 85), axis=0)
    eye = (middle[0], middle[1] - 0.3 * far[2], -0.2 * far[2])
    pose = look_at(eye, (middle[0], middle[1], 0.4 * far[2]))
    return render_points(points_m, colors, pose, CLOUD_PX, 1 / 150)


def _draw(moments, topics: tuple[str, ...], name: str) -> None:
    figure = Figure(figsize=(11, 1.32 * len(moments) + 0.3), facecolor='white')
    grid = figure.subplots(
        len(moments),
        3,
        gridspec_kw={
            'width_ratios': (10, 10, 5),
            'wspace': 0.02,
            'hspace': 0.04,
            'left': 0.005,
            'right': 0.995,
            'bottom': 0.01,
            'top': 1 - 0.3 / figure.get_figheight(),
        },
    )
    for row, moment in zip(grid, moments):
        for axis, picture in zip(row, moment):
            axis.imshow(picture, aspect='auto')
            axis.set_axis_off()
    for axis, topic in zip(grid[0], topics):
        axis.set_title(topic, fontsize=10, pad=4, family='monospace')
    figure.savefig(IMAGES / f'{name}.jpg', dpi=100, pil_kwargs={'quality': 82})


if __name__ == '__main__':
    main()
