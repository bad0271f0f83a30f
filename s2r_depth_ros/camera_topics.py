"""The topics of one camera: what is subscribed and what is published."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
import threading

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
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
_KEPT_INFOS = 16  # images and their camera_info arrive in either order, a few apart


class CameraTopics:
    """
    Opens the topics of one camera on ``node``, and keeps its newest camera_infos.

    :param node: owns the subscriptions and publishers.
    :param camera: the namespace of the topics, relative to the node's.
    :param parameters: decide the transport, and whether there is a cloud.
    :param on_image: called with each image message in the executor's thread.
    :raises Exception: whatever rclpy raises of a topic that cannot be; none is left open then.
    """

    def __init__(
        self, node: Node, camera: str, parameters: Parameters,
        on_image: Callable[[Image | CompressedImage], None],
    ) -> None:
        self._node = node
        self._infos: OrderedDict[tuple[int, int], CameraInfo] = OrderedDict()
        self._infos_lock = threading.Lock()
        self._info_came = threading.Event()
        self._waited_for_info = False
        self._subscriptions: list[Subscription] = []
        self._publishers: dict[str, Publisher] = {}
        compressed = parameters.input_transport == 'compressed'
        try:
            self._subscriptions.append(node.create_subscription(
                CompressedImage if compressed else Image,
                f'{camera}/image/compressed' if compressed else f'{camera}/image',
                on_image, **qos.sensor_data(depth=1)))
            self._subscriptions.append(node.create_subscription(
                CameraInfo, f'{camera}/camera_info', self._on_info,
                **qos.sensor_data(depth=_KEPT_INFOS)))
            for output, message in OUTPUTS.items():
                if output != POINTS or parameters.publish_points:
                    self._publishers[output] = node.create_publisher(
                        message, f'{camera}/{output}', **qos.reliable())
        except Exception:
            self.close()
            raise
        self.image_topic, self._info_topic = (each.topic_name for each in self._subscriptions)

    def info_for(self, image: Image | CompressedImage) -> CameraInfo | None:
        """
        Return the camera_info with the stamp of ``image``, else the newest, else None.

        The first image often arrives just before the first camera_info; the first call therefore
        waits a moment if somebody publishes one.
        """
        if not self._waited_for_info:
            self._waited_for_info = True
            if self._node.count_publishers(self._info_topic):
                self._info_came.wait(_FIRST_INFO_WAIT_S)
        with self._infos_lock:
            newest = next(reversed(self._infos.values()), None)
            return self._infos.get(_stamp(image), newest)

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
        with self._infos_lock:
            self._infos.pop(_stamp(message), None)
            self._infos[_stamp(message)] = message
            if len(self._infos) > _KEPT_INFOS:
                self._infos.popitem(last=False)
        self._info_came.set()


def _stamp(message: Image | CompressedImage | CameraInfo) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec
