"""One camera of the node: its topics, stamps, calibration, state and counters."""

from __future__ import annotations

from collections import deque, OrderedDict
from collections.abc import Callable, Sequence
import threading
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Range
from std_msgs.msg import Float32MultiArray

from ..depth.image_health import ImageHealth
from ..depth.parameters import Parameters
from ..depth.pipeline import CameraImage, CameraState, ScaleReference
from ..ros import qos
from ..ros.inputs import camera_image, scale_reference, stamp_ns
from ..ros.outputs import COPIES, GROUND_OUTPUTS, OutputMessage, OUTPUTS, POINTS, RECT_COLOR, SCALE
from .diagnostics import CameraCounters, EXPECTED_DROPS, MissingInputs, one_line

WARNING_PERIOD_S = 5.0
SILENCE_S = 3.0
SILENCE_WARNING_PERIOD_S = 60.0
# A stamp older by this much means that the clock restarted, as in a looping bag: one image is
# dropped. A slightly older stamp belongs to a late image: the newest stamp stays the reference.
RESTART_NS = 10**9

_FIRST_INFO_WAIT_S = 0.5
_KEPT_INFOS = 16  # images and their camera_info arrive in any order, a few messages apart
_KEPT_REFERENCES = 8
_REFERENCE_AGE_NS = 200_000_000


class ReceivedImage(NamedTuple):
    """
    An image message, not yet decoded, and the monotonic time of its arrival.

    ``reference`` is the scale reference nearest in time of those that had come by then. A fast
    sensor sends many more while the image waits and the network runs.
    """

    message: Image | CompressedImage
    received_s: float
    reference: Image | Range | None = None


class Camera:
    """
    The topics and the state of one camera. Its publishers exist from construction on.

    :param node: the owner of the subscriptions and publishers.
    :param name: the namespace of the topics, relative to the node's namespace.
    :param parameters: the transport, whether a cloud and a rectified image are published, whether
        other sensors give the scale, and the maximum image size.
    :raises Exception: any error of rclpy for an invalid topic. No topic stays open then.
    """

    def __init__(self, node: LifecycleNode, name: str, parameters: Parameters) -> None:
        self.name = name
        self.state = CameraState()
        self.counters = CameraCounters()
        self.health = ImageHealth()
        self.newest_stamp_ns: int | None = None
        self._node = node
        self._parameters = parameters
        self._put: Callable[[ReceivedImage], ReceivedImage | None]
        self._infos: OrderedDict[int, CameraInfo] = OrderedDict()
        self._infos_lock = threading.Lock()
        self._has_info = threading.Event()
        self._is_first_image = True
        self._references: deque[Image | Range] = deque(maxlen=_KEPT_REFERENCES)
        self._warned_s: dict[str, float] = {}
        self._subscriptions: list[Subscription] = []
        self._publishers: dict[str, LifecyclePublisher] = {}
        try:
            is_published = {POINTS: parameters.publish_points, RECT_COLOR: parameters.rectify}
            kinds = {**OUTPUTS, **COPIES, **GROUND_OUTPUTS, SCALE: Float32MultiArray}
            for output, kind in kinds.items():
                if is_published.get(output, True):
                    self._publishers[output] = node.create_lifecycle_publisher(
                        kind, f'{name}/{output}', **qos.reliable()
                    )
        except Exception:
            self.destroy()
            raise

    # Topics

    def open(self, put: Callable[[ReceivedImage], ReceivedImage | None]) -> None:
        """
        Subscribe, and reset state and counters.

        :param put: called with each image in the executor's thread. It returns the image that it
            replaced, which is dropped, or None.
        :raises Exception: any error of rclpy for an invalid topic.
        """
        self.state, self.counters, self.newest_stamp_ns = CameraState(), CameraCounters(), None
        self.health = ImageHealth()
        self._infos.clear()
        self._has_info.clear()
        self._is_first_image = True
        self._references.clear()
        self._put = put
        is_compressed = self._parameters.input_transport == 'compressed'
        # Type, name, callback and queue size.
        inputs: list[tuple[type, str, Callable, int]] = [
            (CompressedImage, 'image/compressed', self._on_image, 1)
            if is_compressed
            else (Image, 'image', self._on_image, 1),
            (CameraInfo, 'camera_info', self._on_info, _KEPT_INFOS),
        ]
        if self._parameters.scale_source in ('auto', 'reference'):
            inputs += [
                (kind, f'scale_reference/{name}', self._on_reference, _KEPT_REFERENCES)
                for kind, name in ((Image, 'image'), (Range, 'range'))
            ]
        for kind, name, callback, depth in inputs:
            topic = f'{self.name}/{name}'
            self._subscriptions.append(
                self._node.create_subscription(
                    kind, topic, callback, **qos.sensor_data(self._node, topic, depth)
                )
            )

    def close(self) -> None:
        """Unsubscribe; the publishers stay."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def destroy(self) -> None:
        """Unsubscribe and destroy the publishers."""
        self.close()
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}

    @property
    def is_open(self) -> bool:
        """Whether the camera is subscribed to its topics."""
        return bool(self._subscriptions)

    @property
    def image_topic(self) -> str:
        """The remapped topic of the images while the camera is open, else the camera's name."""
        return next((item.topic_name for item in self._subscriptions), self.name)

    def summary(self) -> str:
        """Return the remapped names of all topics."""
        subscribed, published = (
            ', '.join(endpoint.topic_name for endpoint in endpoints)
            for endpoints in (self._subscriptions, self._publishers.values())
        )
        return f'subscribes {subscribed}; publishes {published}'

    # Inputs

    def _on_image(self, message: Image | CompressedImage) -> None:
        """Pass the newest image to the worker."""
        self.counters.count_received()
        at_ns = stamp_ns(message.header)
        newest_ns = at_ns if self.newest_stamp_ns is None else self.newest_stamp_ns
        if at_ns >= newest_ns or newest_ns - at_ns > RESTART_NS:
            self.newest_stamp_ns = at_ns
        if at_ns < newest_ns:
            self.drop('stamp_backwards', f'stamp {at_ns} ns after {newest_ns} ns')
        else:
            reference = nearest_reference(tuple(self._references), at_ns)
            if self._put(ReceivedImage(message, time.monotonic(), reference)):
                self.drop('superseded')

    def _on_info(self, message: CameraInfo) -> None:
        at_ns = stamp_ns(message.header)
        with self._infos_lock:
            self._infos.pop(at_ns, None)
            self._infos[at_ns] = message
            if len(self._infos) > _KEPT_INFOS:
                self._infos.popitem(last=False)
        self._has_info.set()

    def _on_reference(self, message: Image | Range) -> None:  # rclpy rejects a builtin method
        self._references.append(message)

    def read(self, message: Image | CompressedImage) -> CameraImage:
        """
        Decode an image with the camera_info of its stamp, else with the newest camera_info.

        The first image often arrives just before the first camera_info. So the first call waits
        briefly if camera_info has a publisher.

        :raises MessageError: if the image cannot be read, with the cause.
        :raises CameraError: if the calibration is invalid.
        """
        if self._is_first_image:
            self._is_first_image = False
            if self._node.count_publishers(self._subscriptions[1].topic_name):
                self._has_info.wait(_FIRST_INFO_WAIT_S)
        with self._infos_lock:
            newest = next(reversed(self._infos.values()), None)
            info = self._infos.get(stamp_ns(message.header), newest)
        return camera_image(message, info, self._parameters.max_image_pixels)

    def check(self, image: CameraImage, frozen_after_s: float) -> None:
        """Update :attr:`health`, and log a new fault; the same one at most every few seconds."""
        before = self.health.fault
        fault = self.health.update(image.rgb, image.stamp_ns, frozen_after_s)
        if fault and fault != before:
            self._warn(fault, f'{self.image_topic}: {fault}', WARNING_PERIOD_S)

    def reference_for(self, image: CameraImage, early: Image | Range | None) -> ScaleReference:
        """
        Return the measured distances nearest in time to the image, if within 0.2 s.

        :param image: after preprocessing.
        :param early: that of its :class:`ReceivedImage`.
        """
        known = (*(() if early is None else (early,)), *self._references)
        message = nearest_reference(known, image.stamp_ns)
        return scale_reference(message, image, self._parameters.max_image_pixels)

    # Outputs

    def subscribed_outputs(self) -> frozenset[str]:
        """Return the outputs that have a subscriber."""
        return frozenset(
            output
            for output, publisher in self._publishers.items()
            if publisher.get_subscription_count()
        )

    def publish(self, output: str, message: OutputMessage) -> None:
        """Publish a message on one of the outputs."""
        self._publishers[output].publish(message)

    def drop(self, cause: str, detail: str = '') -> None:
        """Count a dropped image; warn about a fault at most every few seconds for each cause."""
        detail = one_line(detail)
        self.counters.count_dropped(cause, detail)
        if cause not in EXPECTED_DROPS:
            self._warn(
                cause, f'{self.image_topic}: image dropped, {cause}: {detail}', WARNING_PERIOD_S
            )

    def warn_once(self, text: str) -> None:
        """Log a warning, unless this camera has logged the same text."""
        self._warn(text, f'{self.name}: {text}', float('inf'))

    # Diagnostics

    def status(self, node_name: str, stale_after_s: float) -> DiagnosticStatus:
        """
        Return the diagnostics with the drops since the last call, and warn about the inputs.

        :param node_name: the fully qualified node name, with which the status name begins.
        :param stale_after_s: seconds without an image after which the camera is STALE.
        """
        return self.counters.status(
            node_name, self.name, stale_after_s, self._missing_inputs(stale_after_s)
        )

    def _missing_inputs(self, stale_after_s: float) -> MissingInputs:
        silent_s, image, info, mixed = self.counters.silent_s(), '', '', ''
        if silent_s > min(SILENCE_S, stale_after_s):
            publishers = qos.publishers_of(self._node, self._subscriptions[0])
            image = publishers.text
            if silent_s > SILENCE_S and (not publishers.fit or silent_s > stale_after_s):
                self._warn(
                    'no image', f'no image for {silent_s:.0f} s: {image}', SILENCE_WARNING_PERIOD_S
                )
        if self._lacks_info():
            info = qos.publishers_of(self._node, self._subscriptions[1]).text
            self._warn(
                'no camera_info',
                f'no camera_info for {SILENCE_S:g} s: {info}',
                SILENCE_WARNING_PERIOD_S,
            )
        topic = self._subscriptions[0].topic_name
        if (count := self._node.count_publishers(topic)) > 1:
            mixed = f'{topic} has {count} publishers, whose images mix: give each its own topic'
            self._warn('mixed', mixed, SILENCE_WARNING_PERIOD_S)
        return MissingInputs(image, info, mixed)

    def _lacks_info(self) -> bool:
        """Return whether camera_info is needed and none has arrived for some seconds."""
        return (
            (self._parameters.rectify or self._parameters.publish_points)
            and not self._has_info.is_set()
            and time.monotonic() - self.counters.since_s > SILENCE_S
        )

    def _warn(self, cause: str, text: str, period_s: float) -> None:
        """Log a warning for a cause at most once per period."""
        now_s = time.monotonic()
        if cause not in self._warned_s or now_s - self._warned_s[cause] > period_s:
            self._warned_s[cause] = now_s
            self._node.get_logger().warning(text)


def nearest_reference(references: Sequence[Image | Range], image_ns: int) -> Image | Range | None:
    """
    Return the reference nearest in time; of equally near references, the newest.

    :param references: the references, oldest first.
    :param image_ns: the stamp of the image in nanoseconds.
    :returns: the reference; None if all differ by more than 0.2 s.
    """

    def age_ns(reference: Image | Range) -> int:
        return abs(stamp_ns(reference.header) - image_ns)

    nearest = min(reversed(references), default=None, key=age_ns)
    return None if nearest is None or age_ns(nearest) > _REFERENCE_AGE_NS else nearest
