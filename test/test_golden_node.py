"""
The depth node's outputs for demo frames are those of the golden file, field by field.

Covered with ONNX Runtime on a CPU: every output of calibrated frames; and, in a sequence of one
camera, rectification of a distorted lens, a scale from the ground, the filter against flicker and
a sparse cloud. With torch: the depth of ``DepthPredictor``. Stamps are compared with the image's.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
import json
from pathlib import Path
import time

import cv2
from golden_messages import compare_depth, compare_message
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Float32MultiArray
from test_depth_node import NODE

from s2r_depth_ros import DepthPredictor

FRAMES = Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames'
OUTPUTS = {
    'image': Image,
    'camera_info': CameraInfo,
    'points': PointCloud2,
    'image_color': Image,
    'structure': Image,
    'attention': Image,
    'scale': Float32MultiArray,
}
STEP_NS = 100_000_000
ROUND_S = 1000  # between the stamps of two trials: a gap after which filters begin anew
LOST_AFTER_S = 60.0


def frame(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W, 3) uint8 RGB and 3x3 intrinsics of a demo frame."""
    entry = json.loads((FRAMES / 'manifest.json').read_text())[number]
    fx, fy, cx, cy = entry['K']
    rgb = cv2.imread(str(FRAMES / entry['rgb']))[..., ::-1]
    return np.ascontiguousarray(rgb), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


class Playback:
    """
    Plays images to a node, each after all outputs of the one before.

    :param folder: for the log of the node.
    :param info: the calibration of all images.
    :param parameters: of the node.
    """

    def __init__(self, folder: Path, info: CameraInfo, **parameters: object) -> None:
        self._graph, self._info, self._warm_s = Graph(folder), info, 0
        self._graph.start(NODE, *ros_arguments(device='cpu', engine='onnxruntime', **parameters))
        self._image = self._graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        self._camera_info = self._graph.publisher(
            CameraInfo, 'camera/camera_info', qos_profile_sensor_data
        )
        self._outputs: dict[str, list] = {
            output: self._graph.collect(kind, f'camera/depth/{output}')
            for output, kind in OUTPUTS.items()
        }

    def __enter__(self) -> Playback:
        return self

    def __exit__(self, *error: object) -> None:
        self._graph.__exit__(*error)

    def results(self, images: Sequence[np.ndarray]) -> list[dict[str, object]]:
        """
        Return for each image its messages, by output.

        :param images: (H, W, 3) uint8 RGB each, a tenth of a second apart.
        """
        # Each side finds each topic of the other by itself: what came once comes from now on.
        self._graph.wait(
            lambda: all(self._outputs.values()),
            'every output',
            repeat=lambda: self._send(images[0], self._next_warm_ns()),
        )
        # An image can be lost, and filters remember: then all are played again.
        for trial in range(1, 6):
            before = len(self._outputs['scale'])
            stamps_ns = [trial * ROUND_S * 10**9 + i * STEP_NS for i in range(len(images))]
            if not all(self._play(image, at_ns) for image, at_ns in zip(images, stamps_ns)):
                continue
            # The scale has no stamp: there must be one for each image, and none of one before.
            all_scales = before + len(images)
            self._graph.wait(
                lambda count=all_scales: len(self._outputs['scale']) >= count, 'every scale'
            )
            self._graph.spin(1.0)
            scales = self._outputs['scale'][before:]
            if len(scales) == len(images):
                return [
                    {**self._of_stamp(at_ns), 'scale': scale}
                    for at_ns, scale in zip(stamps_ns, scales)
                ]
        raise AssertionError('images are lost again and again')

    def _next_warm_ns(self) -> int:
        self._warm_s += 1
        return self._warm_s * 10**9

    def _play(self, image: np.ndarray, stamp_ns: int) -> bool:
        """Send an image, wait for its stamped outputs and return whether they came."""
        self._send(image, stamp_ns)
        end_s = time.monotonic() + LOST_AFTER_S

        def are_complete() -> bool:
            return len(self._of_stamp(stamp_ns)) == len(OUTPUTS) - 1

        self._graph.wait(lambda: are_complete() or time.monotonic() > end_s, 'every output')
        return are_complete()

    def _of_stamp(self, stamp_ns: int) -> dict[str, object]:
        """Return the messages with the stamp of an image, by output."""
        return {
            output: message
            for output, messages in self._outputs.items()
            if output != 'scale'
            for message in messages
            if _ns(message.header) == stamp_ns
        }

    def _send(self, rgb: np.ndarray, stamp_ns: int) -> None:
        image = Image(
            height=rgb.shape[0],
            width=rgb.shape[1],
            encoding='rgb8',
            step=rgb.shape[1] * 3,
            data=array.array('B', rgb.tobytes()),
        )
        for header in (self._info.header, image.header):
            header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
            header.frame_id = 'front_optical'
        self._camera_info.publish(self._info)
        self._image.publish(image)


def _ns(header) -> int:
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def calibration(
    rgb: np.ndarray, k: np.ndarray, d: Sequence[float] = (0.0,) * 5, zoom: float = 1.0
) -> CameraInfo:
    """
    Return the calibration of a camera.

    :param rgb: an image of it.
    :param k: 3x3 intrinsics in pixels.
    :param d: distortion, plumb bob.
    :param zoom: focal length of the rectified image over that of the raw one.
    """
    p = np.column_stack([k, np.zeros(3)])
    p[[0, 1], [0, 1]] *= zoom
    return CameraInfo(
        height=rgb.shape[0],
        width=rgb.shape[1],
        distortion_model='plumb_bob',
        d=list(d),
        k=k.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=p.ravel().tolist(),
    )


@pytest.mark.parametrize('number', [0, 2])
def test_every_output_of_a_demo_frame_is_the_golden_one(tmp_path, golden, number):
    rgb, k = frame(number)
    with Playback(tmp_path, calibration(rgb, k)) as playback:
        (messages,) = playback.results([rgb])
    with golden('node.npz', f'street_{number}') as part:
        for output, message in messages.items():
            compare_message(part, output, message)


def test_a_sequence_of_a_distorted_camera_with_scale_and_filter_is_the_golden_one(
    tmp_path, golden
):
    rgb, k = frame(2)
    info = calibration(rgb, k, (-0.25, 0.06, 0.001, -0.0005, 0.0), zoom=0.8)
    lighter = np.where(rgb < 253, rgb + 2, rgb).astype(np.uint8)
    changed = lighter.copy()
    changed[96:160, 240:360] = (40, 60, 90)  # something that came in between
    with Playback(
        tmp_path,
        info,
        rectify=True,
        scale_source='ground_plane',
        camera_height=1.5,
        temporal_smoothing=0.7,
        point_stride=3,
    ) as playback:
        sequence = playback.results([rgb, lighter, changed])
    with golden('node.npz', 'sequence') as part:
        for number, messages in enumerate(sequence):
            for output in ('image', 'camera_info', 'points', 'scale'):
                compare_message(part, f'{number}/{output}', messages[output])


@pytest.mark.parametrize('weights', ['outdoor', 'indoor'])
def test_the_depth_of_torch_in_python_is_the_golden_one(golden, weights):
    rgb, k = frame(0)
    predictor = DepthPredictor(weights, device='cpu', engine='torch')
    narrow = np.ascontiguousarray(rgb[:, 200:400])
    (calibrated_m,) = predictor.predict([rgb], [k])
    (uncalibrated_m,) = predictor.predict([narrow])
    with golden('node.npz', f'torch_{weights}') as part:
        compare_depth(part, 'calibrated', calibrated_m)
        compare_depth(part, 'another_shape', uncalibrated_m)
