"""Subscribes to a camera and its depth, and keeps the newest frame that is complete."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
import statistics
import threading
import time

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from ... import qos
from ...messages import compressed_to_rgb, image_to_rgb
from ...outputs import ATTENTION, COLOR, POINTS, STRUCTURE

IMAGE = 'image'

_COMPUTED = (COLOR, STRUCTURE, ATTENTION)
PICTURES = (IMAGE, *_COMPUTED)
_COMPRESSED = '/compressed'
_WAITING_STAMPS = 24  # images of the camera since the one that the node works on
_MEASURED_FRAMES = 30
_CHECK_S = 1.0
# A stamp so far from now is of another clock: of a recording, or of a simulation.
_OTHER_CLOCK_S = 60.0
_SHOWN_WIDTH_PX = 640
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Status:
    """
    How it goes.

    :param rate_hz: of the depth.
    :param latency_ms: from an image's stamp until its depth is here, median; None if nothing came
        yet, or if the stamps are of another clock.
    :param text: what the node says of itself, or what there is to do while nothing comes.
    :param is_good: whether that is nothing to worry about.
    """

    rate_hz: float
    latency_ms: float | None
    text: str
    is_good: bool


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """
    One image and the pictures that were made of it.

    :param number: counts the frames, from 1.
    :param messages: by name: ``IMAGE``, which may be missing, ``COLOR``, ``STRUCTURE`` and
        ``ATTENTION``.
    """

    number: int
    messages: Mapping[str, Image | CompressedImage]


class LiveView:
    """
    Opens the subscriptions on ``node``; the newest frame can be waited for from other threads.

    :param node: of the caller, who spins it.
    :param camera: namespace of the depth's topics.
    :param image_topic: of the camera's images; compressed ones if it ends so.
    :param on_message: called with each message and its name: those of a frame, and ``POINTS``;
        without it there is no subscription to the cloud, and nothing need compute one.
    """

    def __init__(
        self, node: Node, camera: str, image_topic: str,
        on_message: Callable[[str, Image | CompressedImage | PointCloud2], None] | None,
    ) -> None:
        self._node = node
        self._camera = camera
        self._on_message = on_message
        self._depth_topic = node.resolve_topic_name(f'{camera}/{COLOR}')
        self._depth_nodes: set[str] = set()
        self._changed = threading.Condition()
        self._frame: LiveFrame | None = None
        self._diagnosis: DiagnosticStatus | None = None
        self._waiting: dict[tuple[int, int], dict[str, Image | CompressedImage]] = {}
        self._arrivals_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        self._latencies_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        node.create_subscription(
            CompressedImage if image_topic.endswith(_COMPRESSED) else Image, image_topic,
            partial(self._on_picture, IMAGE),
            **qos.sensor_data(node, image_topic, _WAITING_STAMPS))
        for output in _COMPUTED:
            node.create_subscription(
                Image, f'{camera}/{output}', partial(self._on_picture, output), **qos.reliable())
        if on_message is not None:
            node.create_subscription(
                PointCloud2, f'{camera}/{POINTS}', partial(on_message, POINTS), **qos.reliable())
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        node.create_timer(_CHECK_S, self._check)

    def wait_for_frame(self, after: int, timeout_s: float) -> LiveFrame | None:
        """Return the newest frame as soon as it is another than number ``after``; else None."""
        with self._changed:
            is_new = self._changed.wait_for(
                lambda: self._frame is not None and self._frame.number != after, timeout_s)
            return self._frame if is_new else None

    def status(self) -> Status:
        """Return how it goes."""
        with self._changed:
            arrivals_s, latencies_s = list(self._arrivals_s), list(self._latencies_s)
            diagnosis = self._diagnosis
        rate_hz, latency_ms = 0.0, None
        if len(arrivals_s) > 1:
            # Until now, not until the newest: it falls while nothing comes.
            rate_hz = (len(arrivals_s) - 1) / max(time.monotonic() - arrivals_s[0], 1e-9)
        if latencies_s and 0 <= statistics.median(latencies_s) < _OTHER_CLOCK_S:
            latency_ms = statistics.median(latencies_s) * 1e3
        has_failed = diagnosis is not None and diagnosis.level == DiagnosticStatus.ERROR
        if not self._depth_nodes and not has_failed:
            return Status(
                rate_hz, latency_ms, f'nobody publishes {self._depth_topic}: start depth_node, or '
                'name its camera with --camera', False)
        if diagnosis is None:
            return Status(rate_hz, latency_ms, 'waiting for the node', True)
        return Status(
            rate_hz, latency_ms, diagnosis.message, diagnosis.level == DiagnosticStatus.OK)

    def _on_picture(self, name: str, message: Image | CompressedImage) -> None:
        if self._on_message is not None:
            self._on_message(name, message)
        stamp = message.header.stamp
        found = self._waiting.setdefault((stamp.sec, stamp.nanosec), {})
        found[name] = message
        if all(output in found for output in _COMPUTED):
            del self._waiting[stamp.sec, stamp.nanosec]
            with self._changed:
                self._arrivals_s.append(time.monotonic())
                self._latencies_s.append(time.time() - stamp.sec - stamp.nanosec * 1e-9)
                self._frame = LiveFrame(self._frame.number + 1 if self._frame else 1, found)
                self._changed.notify_all()
        while len(self._waiting) > _WAITING_STAMPS:
            del self._waiting[next(iter(self._waiting))]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """
        Keep the worse of what the depth's node says of the network and of this camera.

        While nobody publishes depth, keep why a node can not.
        """
        names = {f'{node}: {about}' for node in self._depth_nodes
                 for about in ('network', self._camera)}
        told = [status for status in message.status if status.name in names or (
            not self._depth_nodes and status.name.endswith(': network')
            and status.level == DiagnosticStatus.ERROR)]
        if told:
            with self._changed:
                self._diagnosis = max(
                    told, key=lambda status: (status.level, status.hardware_id == self._camera))

    def _check(self) -> None:
        self._depth_nodes = {
            f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
            for publisher in self._node.get_publishers_info_by_topic(self._depth_topic)}


def to_jpeg(message: Image | CompressedImage) -> bytes:
    """
    Return a picture as a JPEG file of at most 640 pixels across.

    :raises MessageError: if the message can not be read.
    """
    rgb = (compressed_to_rgb(message) if isinstance(message, CompressedImage)
           else image_to_rgb(message))
    height, width = rgb.shape[:2]
    if width > _SHOWN_WIDTH_PX:
        size = _SHOWN_WIDTH_PX, max(1, round(height * _SHOWN_WIDTH_PX / width))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1].tobytes()
