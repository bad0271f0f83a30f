"""Record a camera and the depth node's outputs for it, with counts and latencies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from ..ros.compat import read_points
from ..ros.messages import image_to_rgb, MAX_PIXELS
from ..ros.outputs import ATTENTION, DEPTH, OUTPUTS, POINTS, STRUCTURE
from ..ros.stamp_matcher import StampMatcher

IMAGE = 'image_raw'
INFO = 'camera_info'

_RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_PICTURED = (IMAGE, DEPTH, POINTS, STRUCTURE, ATTENTION)
_WAITING_STAMPS = 8


@dataclass(frozen=True)
class RecordedFrame:
    """
    One camera image and the node's outputs for it.

    :param rgb: (H, W, 3) uint8 RGB.
    :param depth_m: (H, W) float32 metres, as published.
    :param structure: (H, W) uint8.
    :param attention: (H, W) uint8.
    :param points_m: (h, w, 3) float32 organised cloud in the optical frame in metres, NaN where
        invalid.
    :param colors: (h, w, 3) uint8 RGB of the points.
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    structure: np.ndarray
    attention: np.ndarray
    points_m: np.ndarray
    colors: np.ndarray


@dataclass
class Recording:
    """
    The received messages and their times.

    :param counts: number of messages received, by topic below the camera.
    :param latencies_s: the latency of each depth image, from its stamp to its reception.
    :param images_s: the stamp of each image in seconds.
    :param depths_s: the reception time of each depth image in seconds.
    :param frames: a few complete frames, spread over the time.
    :param network: the newest diagnostics of the network.
    :param camera: the newest diagnostics of the camera.
    """

    counts: Counter = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    images_s: list[float] = field(default_factory=list)
    depths_s: list[float] = field(default_factory=list)
    frames: list[RecordedFrame] = field(default_factory=list)
    network: DiagnosticStatus | None = None
    camera: DiagnosticStatus | None = None


class Recorder:
    """
    Opens the subscriptions on ``node``; :attr:`recording` grows while the node spins.

    :param node: the node of the caller.
    :param camera: namespace of the topics.
    :param keep_frames: number of frames to keep for pictures.
    :param expected_frames: expected number of frames; the kept frames are spread over them.
    """

    def __init__(self, node: Node, camera: str, keep_frames: int, expected_frames: int) -> None:
        self.recording = Recording()
        self._camera = camera
        self._keep_frames = keep_frames
        self._spacing = expected_frames / keep_frames
        self._matcher = StampMatcher(_PICTURED, _WAITING_STAMPS)
        for topic, kind in {IMAGE: Image, INFO: CameraInfo, **OUTPUTS}.items():
            node.create_subscription(
                kind, f'{camera}/{topic}', partial(self._on_message, topic), _RELIABLE
            )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def _on_message(self, topic: str, message: Image | CameraInfo | PointCloud2) -> None:
        now_s = time.time()
        recording = self.recording
        recording.counts[topic] += 1
        stamp = message.header.stamp
        stamp_s = stamp.sec + stamp.nanosec * 1e-9
        if topic == INFO:
            recording.images_s.append(stamp_s)
        elif topic == DEPTH:
            recording.latencies_s.append(now_s - stamp_s)
            recording.depths_s.append(now_s)
        if topic not in _PICTURED:
            return
        if messages := self._matcher.add(topic, message):
            self._keep(messages)

    def _keep(self, messages: dict[str, Any]) -> None:
        """Keep the frame if it is due and its image differs from those of all kept frames."""
        frames = self.recording.frames
        is_due = self.recording.counts[DEPTH] > len(frames) * self._spacing
        if len(frames) == self._keep_frames or not is_due:
            return
        rgb = image_to_rgb(messages[IMAGE], MAX_PIXELS)
        if not any(np.array_equal(rgb, frame.rgb) for frame in frames):
            depth = messages[DEPTH]
            frames.append(
                RecordedFrame(
                    rgb,
                    np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width),
                    image_to_rgb(messages[STRUCTURE], MAX_PIXELS)[..., 0],
                    image_to_rgb(messages[ATTENTION], MAX_PIXELS)[..., 0],
                    *cloud_arrays(messages[POINTS]),
                )
            )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(': network'):
                self.recording.network = status
            elif status.name.endswith(f': {self._camera}'):
                self.recording.camera = status


def cloud_arrays(cloud: PointCloud2) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the points and colours of an organised cloud with fields x, y, z and rgb.

    :returns: (H, W, 3) float32 metres, NaN where there is no point, and (H, W, 3) uint8 RGB.
    """
    fields = read_points(cloud, ('x', 'y', 'z', 'rgb'))
    points_m = np.stack([fields[axis] for axis in 'xyz'], axis=-1).astype(np.float32, copy=False)
    # The bytes of rgb are blue, green, red and an unused byte.
    colors = np.ascontiguousarray(fields['rgb']).view(np.uint8).reshape(-1, 4)[:, 2::-1]
    shape = cloud.height, cloud.width, 3
    return points_m.reshape(shape), np.ascontiguousarray(colors).reshape(shape)
