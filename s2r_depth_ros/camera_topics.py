"""The topics of one camera: what is subscribed and what is published."""
from __future__ import annotations

from collections.abc import Callable
import threading

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from . import qos
from .parameters import Parameters

DEPTH = 'depth/image'
INFO = 'depth/camera_info'
POINTS = 'depth/points'
COLOR = 'depth/image_color'
STRUCTURE = 'depth/structure'
ATTENTION = 'depth/attention'

OUTPUTS = {
    DEPTH: Image, INFO: CameraInfo, POINTS: PointCloud2, COLOR: Image, STRUCTURE: Image,
    ATTENTION: Image}

_FIRST_INFO_WAIT_S = 0.5


class CameraTopics:
    """
    Opens the topics of one camera on ``node``, and keeps its newest camera_info.

    :param node: owns the subscriptions and publishers.
    :param camera: the namespace of the topics, relative to the node's.
    :param parameters: decide the transport, and whether there is a cloud.
    :param on_image: called with each image message in the executor's thread.
    """

    def __init__(
        self, node: Node, camera: str, parameters: Parameters,
        on_image: Callable[[Image | CompressedImage], None],
    ) -> None:
        self._node = node
        self._info: CameraInfo | None = None
        self._info_came = threading.Event()
        self._waited_for_info = False
        compressed = parameters.input_transport == 'compressed'
        self._subscriptions = [
            node.create_subscription(
                CompressedImage if compressed else Image,
                f'{camera}/image/compressed' if compressed else f'{camera}/image',
                on_image, **qos.newest_only()),
            node.create_subscription(
                CameraInfo, f'{camera}/camera_info', self._on_info, **qos.newest_only()),
        ]
        self.image_topic = self._subscriptions[0].topic_name
        self._publishers = {
            output: node.create_publisher(message, f'{camera}/{output}', **qos.reliable())
            for output, message in OUTPUTS.items()
            if output != POINTS or parameters.publish_points}

    def newest_info(self) -> CameraInfo | None:
        """
        Return the newest camera_info, None if there is none.

        The first image often arrives just before the first camera_info; the first call therefore
        waits a moment if somebody publishes one.
        """
        if not self._waited_for_info:
            self._waited_for_info = True
            if self._node.count_publishers(self._subscriptions[1].topic_name):
                self._info_came.wait(_FIRST_INFO_WAIT_S)
        return self._info

    def wanted(self) -> frozenset[str]:
        """Return the outputs that somebody subscribes to."""
        return frozenset(
            output for output, publisher in self._publishers.items()
            if publisher.get_subscription_count())

    def publish(self, output: str, message: Image | CameraInfo | PointCloud2) -> None:
        """Publish a message on one of the outputs."""
        self._publishers[output].publish(message)

    def close(self) -> None:
        """Destroy the subscriptions and publishers."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message
        self._info_came.set()
