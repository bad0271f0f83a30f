"""The cameras of a ROS 2 bag, and their images with the camera_info of each; no ROS needed."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
import re
from typing import NamedTuple

import numpy as np
from rosbags.interfaces import Connection

from ...depth.camera_model import is_rectified_topic
from ...ros import messages
from ...ros.message_types import CameraInfo, CompressedImage, deserialize_message, Image
from ...ros.outputs import COPIES, OUTPUTS
from .files import BagError, BagFiles, encoding_of

_IMAGE_TYPES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
_IMAGES_OF_OTHERS = re.compile('image|video|packet', re.IGNORECASE)
# Encodings that name a type of numbers may be anything, such as depth or optical flow.
_NUMBERS = re.compile(r'\d+[USF]C\d+')
# Messages that carry the images of a camera, but not those for marks, panoramas or disparity.
_CAMERAS_OF_OTHERS = re.compile(
    r'(Raw|Compressed)(Image|Video)$|sensor_msgs/(msg/)?Image$|(FFMPEG|image_transport/msg/)Packet$'
)
_COMPRESSED = '/compressed'
_TIMED_IMAGES = 30


class BagCamera(NamedTuple):
    """
    A camera of a bag.

    ``namespace`` is that of its topics, such as ``/front``, or empty. ``image_topic`` is the topic
    of its images. ``is_rectified`` is True if the name of the topic indicates it, such as
    ``image_rect``.
    """

    namespace: str
    image_topic: str
    is_rectified: bool


class BagImage(NamedTuple):
    """
    An image of a bag.

    ``number`` counts the images of its topic; ``info`` is the camera_info of the same stamp, else
    the newest that was recorded before, else the first, else None.
    """

    camera: BagCamera
    number: int
    image: Image | CompressedImage
    info: CameraInfo | None


class StampedMessage(NamedTuple):
    """
    Any message of a bag, serialized.

    ``camera`` is None, and ``number`` 0, if it is not an image of a camera.
    """

    connection: Connection
    received_ns: int
    data: bytes
    camera: BagCamera | None
    number: int


class Bag:
    """
    A bag, open for reading; a context manager.

    Cameras are found by their images: every topic of images or compressed images in colours or
    grey, except what the depth node publishes. If there is a raw and a compressed topic of one
    name, the raw topic is used.

    :param path: folder of a bag, with metadata.yaml or without, or one of its files; sqlite3 or
        MCAP, compressed or not.
    :param on_skipped: called with a sentence for each unreadable image, which is skipped.
    :param image_topics: the image topics to read; empty means all.
    :raises BagError: if it is not a bag, has no images, lacks a requested topic, or has two image
        topics in one namespace and none of them is requested.
    """

    def __init__(
        self, path: str | Path, on_skipped: Callable[[str], None], image_topics: Sequence[str] = ()
    ) -> None:
        self._on_skipped = on_skipped
        self._files = BagFiles(Path(path).expanduser())
        self.path = self._files.path
        self._unread: dict[str, str] = {}
        try:
            self.cameras = self._find_cameras(image_topics)
            """One for each namespace with images."""
            self._infos = {
                camera: _Infos(
                    self._files.messages(self._of(f'{camera.namespace}/camera_info', _INFO_TYPE)),
                    on_skipped,
                )
                for camera in self.cameras
            }
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    @property
    def connections(self) -> list[Connection]:
        """The topics as connections of rosbags, with types and stated message counts."""
        return self._files.connections

    @property
    def foreign(self) -> list[Connection]:
        """Topics that are not those of ROS 2, such as JSON in an MCAP file; they are not read."""
        return self._files.foreign

    @property
    def foreign_cameras(self) -> list[Connection]:
        """Topics of ``foreign`` that hold images."""
        return [
            connection
            for connection in self.foreign
            if connection.msgcount and _CAMERAS_OF_OTHERS.search(connection.msgtype)
        ]

    @property
    def losses(self) -> list[str]:
        """
        A sentence for each loss that is known so far.

        Damage is known after it was read, missing messages after all of their topic were read.
        """
        return [*self._files.losses, *self._unread.values()]

    @property
    def notes(self) -> list[str]:
        """A sentence for each anomaly that loses nothing."""
        return self._files.notes

    @property
    def storage(self) -> str:
        """``sqlite3`` or ``mcap``."""
        return self._files.storage

    @property
    def message_count(self) -> int:
        """The number of messages that the bag states."""
        return sum(connection.msgcount for connection in self.connections)

    @property
    def image_count(self) -> int:
        """The number of images of all cameras that the bag states."""
        return sum(connection.msgcount for connection in self._image_connections())

    @property
    def rate_hz(self) -> float | None:
        """Images per second of the first camera; None if there are too few images."""
        first = [
            connection
            for connection in self._image_connections()
            if connection.topic == self.cameras[0].image_topic
        ]
        received_ns = [
            each_ns for _, each_ns, _ in islice(self._files.messages(first), _TIMED_IMAGES)
        ]
        if len(received_ns) < 2:
            return None
        # The median: a clock that is set while a bag is recorded makes one gap of years.
        spacing_s = float(np.median(np.diff(received_ns))) * 1e-9
        return 1 / spacing_s if spacing_s > 0 else None

    def images(self, done: Collection[tuple[str, int]] = ()) -> Iterator[BagImage]:
        """
        Read the images of all cameras in the order in which they were recorded.

        :param done: image topic and number of images to skip.
        """
        for message in self._messages(self._image_connections()):
            camera, number = message.camera, message.number
            if camera is None or (camera.image_topic, number) in done:
                continue
            try:
                image = deserialize_message(message.data, _IMAGE_TYPES[message.connection.msgtype])
            except Exception as error:  # whatever wrong bytes do to the library
                self._on_skipped(_undecodable(f'{camera.image_topic}, image {number}', error))
                continue
            info = self._infos[camera].of(image, message.received_ns)
            yield BagImage(camera, number, image, info)

    def messages(self) -> Iterator[StampedMessage]:
        """Read all messages in the order in which they were recorded."""
        return self._messages(self.connections)

    def _messages(self, connections: list[Connection]) -> Iterator[StampedMessage]:
        cameras = {camera.image_topic: camera for camera in self.cameras}
        numbers: Counter[str] = Counter()
        for connection, received_ns, data in self._files.messages(connections):
            camera = cameras.get(connection.topic) if connection.msgtype in _IMAGE_TYPES else None
            number = 0
            if camera is not None:
                number = numbers[connection.topic]
                numbers[connection.topic] += 1
            yield StampedMessage(connection, received_ns, data, camera, number)

    def _of(self, topic: str, kind: str) -> list[Connection]:
        return [
            connection
            for connection in self.connections
            if connection.topic == topic and connection.msgtype == kind
        ]

    def _image_connections(self) -> list[Connection]:
        topics = {camera.image_topic for camera in self.cameras}
        return [
            connection
            for connection in self.connections
            if connection.topic in topics and connection.msgtype in _IMAGE_TYPES
        ]

    def _find_cameras(self, image_topics: Sequence[str]) -> list[BagCamera]:
        topics_with_images = {
            connection.topic
            for connection in self.connections
            if connection.msgtype in _IMAGE_TYPES and connection.msgcount
        }
        missing = [topic for topic in image_topics if topic not in topics_with_images]
        if missing:
            raise BagError(
                f'{self.path} has no images on {missing[0]}, but on '
                f'{", ".join(sorted(topics_with_images)) or "no topic at all"}'
            )
        topics = list(image_topics) or self._color_topics(topics_with_images)
        if not topics:
            damaged = {
                connection.topic
                for connection in self.connections
                if connection.msgtype in _IMAGE_TYPES and self._files.losses
            }
            raise BagError(
                '; '.join(
                    [self._without_cameras(sorted(topics_with_images | damaged)), *self.losses]
                )
            )
        cameras: dict[str, BagCamera] = {}
        for topic in topics:
            name = topic.removesuffix(_COMPRESSED)
            namespace = name.rpartition('/')[0]
            if namespace in cameras:
                raise BagError(
                    f'{cameras[namespace].image_topic} and {topic} of {self.path} belong to one '
                    'camera: select one with --image'
                )
            cameras[namespace] = BagCamera(namespace, topic, is_rectified_topic(name))
        if not image_topics:
            self._note_unreadable(topics_with_images, cameras)
        return list(cameras.values())

    def _color_topics(self, topics_with_images: set[str]) -> list[str]:
        """Return the topics with colour images; a raw topic precedes its compressed form."""
        colored = {topic for topic in topics_with_images if self._has_colors(topic)}
        of_depth = tuple(f'/{output}' for output in (*OUTPUTS, *COPIES))
        return [
            topic
            for topic in sorted(colored)
            if not topic.endswith(of_depth)
            and topic.removesuffix(_COMPRESSED) not in colored - {topic}
        ]

    def _note_unreadable(
        self, topics_with_images: set[str], cameras: Mapping[str, BagCamera]
    ) -> None:
        """Note the topics of other cameras whose messages cannot be read."""
        for connection in self.connections:
            topic, kind = connection.topic, connection.msgtype
            if (
                connection.msgcount
                and kind not in _IMAGE_TYPES
                and _CAMERAS_OF_OTHERS.search(kind)
                and _name_of(connection) not in topics_with_images
            ):
                self._unread[topic] = (
                    f'{self.path} has a camera on {topic} that is left out: {kind} cannot be '
                    f'read, expected {" or ".join(_IMAGE_TYPES)}'
                )
        self._unread = {
            connection.topic: self._unread[connection.topic]
            for connection in self.connections
            if connection.topic in self._unread
            and _name_of(connection).rpartition('/')[0] not in cameras
        }

    def _without_cameras(self, image_topics: list[str]) -> str:
        """Return why there is no camera: no images, or no usable images."""
        if image_topics:
            return (
                f'{self.path} has images, on {", ".join(image_topics)}, but none of a '
                'camera that can be read in colours or grey'
            )
        connections = [*self.connections, *self.foreign]
        others = [
            connection
            for connection in connections
            if connection.msgcount and _IMAGES_OF_OTHERS.search(connection.msgtype)
        ]
        about = ', '.join(
            f'{connection.topic} ({connection.msgtype}'
            + (
                ''
                if connection in self.connections
                else f' in {encoding_of(connection) or "no encoding"}'
            )
            + ('' if connection.msgcount else ', no messages')
            + ')'
            for connection in others or connections
        )
        if others:
            return (
                f'{self.path} has images in forms that cannot be read, on {about}: expected '
                f'{" or ".join(_IMAGE_TYPES)} in cdr'
            )
        return f'{self.path} has no images of a camera; its topics are {about or "none"}'

    def _has_colors(self, topic: str) -> bool:
        """Return whether the first message is an image for people, not depth."""
        connections = [
            connection
            for connection in self.connections
            if connection.topic == topic and connection.msgtype in _IMAGE_TYPES
        ]
        first = next(self._files.messages(connections), None)
        if first is None:  # a count that is not true
            return False
        try:
            message = deserialize_message(first[2], _IMAGE_TYPES[first[0].msgtype])
            if isinstance(message, CompressedImage):
                messages.compressed_to_rgb(message)
            else:
                messages.image_to_rgb(message)
        except messages.MessageError as error:
            if error.cause != 'unknown_encoding':
                return True
            if isinstance(message, Image) and not _NUMBERS.fullmatch(message.encoding):
                self._unread[topic] = (
                    f'{self.path} has a camera on {topic} that is left out: {error}'
                )
            return False
        except Exception:  # broken: that is told of each image
            return True
        return True


class _Infos:
    """The camera_infos of one topic, kept as bytes: there are as many as images."""

    def __init__(
        self, recorded: Iterator[tuple[Connection, int, bytes]], on_skipped: Callable[[str], None]
    ) -> None:
        self._received_ns: list[int] = []
        self._data: list[bytes] = []
        self._by_stamp: dict[tuple[int, int], bytes] = {}
        for number, (connection, received_ns, data) in enumerate(recorded):
            try:
                stamp = deserialize_message(data, CameraInfo).header.stamp
            except Exception as error:  # whatever wrong bytes do to the library
                on_skipped(_undecodable(f'{connection.topic}, message {number}', error))
                continue
            self._received_ns.append(received_ns)
            self._data.append(data)
            self._by_stamp[stamp.sec, stamp.nanosec] = data

    def of(self, image: Image | CompressedImage, received_ns: int) -> CameraInfo | None:
        if not self._data:
            return None
        stamp = image.header.stamp
        before = bisect_right(self._received_ns, received_ns) - 1
        data = self._by_stamp.get((stamp.sec, stamp.nanosec), self._data[max(0, before)])
        return deserialize_message(data, CameraInfo)


def _name_of(connection: Connection) -> str:
    """Return the topic of the raw images, of which a transport adds its name: ``/ffmpeg``."""
    topic = connection.topic
    is_packet = connection.msgtype.endswith('Packet')
    return topic.rpartition('/')[0] if is_packet else topic.removesuffix(_COMPRESSED)


def _undecodable(what: str, error: Exception) -> str:
    """Return one sentence, of a library's message only its first line."""
    return f'{what}: its bytes are damaged, {str(error).partition(chr(10))[0]}'
