"""The topics of one camera: what is subscribed and what is published."""
from __future__ import annotations

from collections import deque, OrderedDict
from collections.abc import Callable, Sequence
import threading
import time

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, Range
from std_msgs.msg import Float32MultiArray

from . import qos
from .outputs import OUTPUTS, POINTS, SCALE
from .parameters import Parameters

_FIRST_INFO_WAIT_S = 0.5
_KEPT_INFOS = 16  # images and their camera_info arrive in either order, a few apart
_KEPT_REFERENCES = 8
_REFERENCE_AGE_NS = 200_000_000


class CameraTopics:
    """
    Opens the topics of one camera on ``node``, and keeps what comes beside its images.

    :param node: owns the subscriptions and publishers.
    :param camera: the namespace of the topics, relative to the node's.
    :param parameters: decide the transport, whether there is a cloud, and whether other sensors
        tell the scale.
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
        self._references: deque[Image | Range] = deque(maxlen=_KEPT_REFERENCES)
        self._subscriptions: list[Subscription] = []
        self._publishers: dict[str, Publisher] = {}
        compressed = parameters.input_transport == 'compressed'
        # Type, name, callback and how many are kept.
        inputs: list[tuple[type, str, Callable, int]] = [
            (CompressedImage, 'image/compressed', on_image, 1) if compressed
            else (Image, 'image', on_image, 1),
            (CameraInfo, 'camera_info', self._on_info, _KEPT_INFOS)]
        if parameters.scale_source == 'reference':
            inputs += [
                (kind, f'scale_reference/{name}', self._on_reference, _KEPT_REFERENCES)
                for kind, name in ((Image, 'image'), (Range, 'range'))]
        try:
            for kind, name, callback, depth in inputs:
                topic = f'{camera}/{name}'
                self._subscriptions.append(node.create_subscription(
                    kind, topic, callback, **qos.sensor_data(node, topic, depth)))
            for output, message in {**OUTPUTS, SCALE: Float32MultiArray}.items():
                if output != POINTS or parameters.publish_points:
                    self._publishers[output] = node.create_publisher(
                        message, f'{camera}/{output}', **qos.reliable())
        except Exception:
            self.close()
            raise
        self.image_topic, self._info_topic = (
            each.topic_name for each in self._subscriptions[:2])
        self._opened_s = time.monotonic()
        self._needs_info = parameters.rectify or parameters.publish_points

    def summary(self) -> str:
        """Return the names of all topics, as remapped."""
        subscribed, published = (
            ', '.join(each.topic_name for each in endpoints)
            for endpoints in (self._subscriptions, self._publishers.values()))
        return f'subscribes {subscribed}; publishes {published}'

    def image_publishers(self) -> qos.Publishers:
        """Return who publishes the images."""
        return qos.publishers_of(self._node, self._subscriptions[0])

    def info_publishers(self) -> qos.Publishers:
        """Return who publishes the camera_info."""
        return qos.publishers_of(self._node, self._subscriptions[1])

    def lacks_info(self, patience_s: float) -> bool:
        """Return whether camera_info is needed, and none has come for so long."""
        return (self._needs_info and not self._info_came.is_set()
                and time.monotonic() - self._opened_s > patience_s)

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

    def reference_for(self, image: Image | CompressedImage) -> Image | Range | None:
        """Return the scale reference nearest to ``image``, None if all are 0.2 s off."""
        return nearest_reference(tuple(self._references), _stamp_ns(image))

    def wanted(self) -> frozenset[str]:
        """Return the outputs that somebody subscribes to."""
        return frozenset(
            output for output, publisher in self._publishers.items()
            if publisher.get_subscription_count())

    def publish(
        self, output: str, message: Image | CameraInfo | PointCloud2 | Float32MultiArray,
    ) -> None:
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

    def _on_reference(self, message: Image | Range) -> None:  # rclpy refuses a builtin method
        self._references.append(message)


def nearest_reference(
    references: Sequence[Image | Range], image_ns: int,
) -> Image | Range | None:
    """
    Return the reference nearest in time, of equally near ones the newest.

    :param references: oldest first.
    :param image_ns: the stamp of the image, nanoseconds.
    :returns: None if all are more than 0.2 s off.
    """
    nearest = min(
        reversed(references), default=None,
        key=lambda reference: abs(_stamp_ns(reference) - image_ns))
    if nearest is None or abs(_stamp_ns(nearest) - image_ns) > _REFERENCE_AGE_NS:
        return None
    return nearest


def _stamp(message: Image | CompressedImage | CameraInfo) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def _stamp_ns(message: Image | CompressedImage | Range) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
