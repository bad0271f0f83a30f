"""Subscribe to a camera and its depth, and keep the newest complete frame."""

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

from ...ros import qos
from ...ros.messages import compressed_to_rgb, image_to_rgb
from ...ros.outputs import ATTENTION, COLOR, POINTS, STRUCTURE
from ...ros.stamp_matcher import StampMatcher

IMAGE = 'image'

_COMPUTED = (COLOR, STRUCTURE, ATTENTION)
PICTURES = (IMAGE, *_COMPUTED)
_COMPRESSED = '/compressed'
_WAITING_STAMPS = 24  # camera images to keep while the node works on one
_MEASURED_FRAMES = 30
_CHECK_S = 1.0
# A stamp this far from now comes from another clock: of a recording, or of a simulation.
_OTHER_CLOCK_S = 60.0
_SHOWN_WIDTH_PX = 640
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Status:
    """
    The state of the live view.

    :param rate_hz: the rate of the depth.
    :param latency_ms: median time from an image's stamp to the reception of its depth. None if no
        depth arrived yet, or if the stamps come from another clock.
    :param text: the status text of the node, or advice while no depth arrives.
    :param is_good: whether the state needs no attention.
    """

    rate_hz: float
    latency_ms: float | None
    text: str
    is_good: bool


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """
    One image and the pictures computed from it.

    :param number: counts the frames, from 1.
    :param messages: by name: ``IMAGE``, which may be missing, ``COLOR``, ``STRUCTURE`` and
        ``ATTENTION``.
    """

    number: int
    messages: Mapping[str, Image | CompressedImage]


class LiveView:
    """
    Opens the subscriptions on ``node``; other threads can wait for the newest frame.

    :param node: the node of the caller; the caller spins it.
    :param camera: namespace of the depth's topics.
    :param image_topic: the topic of the camera's images; the images are compressed if it ends in
        ``/compressed``.
    :param on_message: called with each message and its name: those of a frame, and ``POINTS``.
        Without it there is no subscription to the cloud, so the node need not compute one.
    """

    def __init__(
        self,
        node: Node,
        camera: str,
        image_topic: str,
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
        self._matcher = StampMatcher(_COMPUTED, _WAITING_STAMPS)
        self._arrivals_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        self._latencies_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        node.create_subscription(
            CompressedImage if image_topic.endswith(_COMPRESSED) else Image,
            image_topic,
            partial(self._on_picture, IMAGE),
            **qos.sensor_data(node, image_topic, _WAITING_STAMPS),
        )
        for output in _COMPUTED:
            node.create_subscription(
                Image, f'{camera}/{output}', partial(self._on_picture, output), **qos.reliable()
            )
        if on_message is not None:
            node.create_subscription(
                PointCloud2, f'{camera}/{POINTS}', partial(on_message, POINTS), **qos.reliable()
            )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        node.create_timer(_CHECK_S, self._check)

    def wait_for_frame(self, after: int, timeout_s: float) -> LiveFrame | None:
        """Return the newest frame once its number differs from ``after``; None on timeout."""
        with self._changed:
            is_new = self._changed.wait_for(
                lambda: self._frame is not None and self._frame.number != after, timeout_s
            )
            return self._frame if is_new else None

    def status(self) -> Status:
        """Return the state of the view."""
        with self._changed:
            arrivals_s, latencies_s = list(self._arrivals_s), list(self._latencies_s)
            diagnosis = self._diagnosis
        rate_hz, latency_ms = 0.0, None
        if len(arrivals_s) > 1:
            # Count until now, not until the newest depth: the rate falls while none arrives.
            rate_hz = (len(arrivals_s) - 1) / max(time.monotonic() - arrivals_s[0], 1e-9)
        if latencies_s and 0 <= statistics.median(latencies_s) < _OTHER_CLOCK_S:
            latency_ms = statistics.median(latencies_s) * 1e3
        has_failed = diagnosis is not None and diagnosis.level == DiagnosticStatus.ERROR
        if not self._depth_nodes and not has_failed:
            return Status(
                rate_hz,
                latency_ms,
                f'nobody publishes {self._depth_topic}: start depth_node, or '
                'name its camera with --camera',
                False,
            )
        if diagnosis is None:
            return Status(rate_hz, latency_ms, 'waiting for the node', True)
        return Status(
            rate_hz, latency_ms, diagnosis.message, diagnosis.level == DiagnosticStatus.OK
        )

    def _on_picture(self, name: str, message: Image | CompressedImage) -> None:
        if self._on_message is not None:
            self._on_message(name, message)
        stamp = message.header.stamp
        if messages := self._matcher.add(name, message):
            with self._changed:
                self._arrivals_s.append(time.monotonic())
                self._latencies_s.append(time.time() - stamp.sec - stamp.nanosec * 1e-9)
                self._frame = LiveFrame(self._frame.number + 1 if self._frame else 1, messages)
                self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """
        Keep the worse status of network and camera from the node that publishes the depth.

        While no node publishes depth, keep the status that gives the reason.
        """
        names = {
            f'{node}: {about}' for node in self._depth_nodes for about in ('network', self._camera)
        }
        statuses = [
            status
            for status in message.status
            if status.name in names
            or (
                not self._depth_nodes
                and status.name.endswith(': network')
                and status.level == DiagnosticStatus.ERROR
            )
        ]
        if statuses:
            with self._changed:
                self._diagnosis = max(
                    statuses, key=lambda status: (status.level, status.hardware_id == self._camera)
                )

    def _check(self) -> None:
        self._depth_nodes = {
            f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
            for publisher in self._node.get_publishers_info_by_topic(self._depth_topic)
        }


def to_jpeg(message: Image | CompressedImage) -> bytes:
    """
    Return a picture as a JPEG file of at most 640 pixels width.

    :raises MessageError: if the message is unreadable.
    """
    rgb = (
        compressed_to_rgb(message)
        if isinstance(message, CompressedImage)
        else image_to_rgb(message)
    )
    height, width = rgb.shape[:2]
    if width > _SHOWN_WIDTH_PX:
        size = _SHOWN_WIDTH_PX, max(1, round(height * _SHOWN_WIDTH_PX / width))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1].tobytes()
