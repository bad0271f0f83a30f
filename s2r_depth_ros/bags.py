"""The cameras of a ROS 2 bag, and their images with the camera_info of each; no ROS needed."""
from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from . import messages
from .camera import is_rectified_topic
from .message_types import CameraInfo, CompressedImage, deserialize_message, Image
from .outputs import OUTPUTS

_IMAGE_TYPES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
_COMPRESSED = '/compressed'
_TIMED_IMAGES = 30

Message = TypeVar('Message')


class BagError(ValueError):
    """A bag that cannot be used; the text names it and says why."""


class BagCamera(NamedTuple):
    """
    A camera of a bag.

    ``namespace`` is that of its topics, such as ``/front``, or empty; ``image_topic`` has its
    images; ``is_rectified`` is whether the topic's name says so, as ``image_rect`` does.
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


class BagMessage(NamedTuple):
    """
    Any message of a bag, as it lies there.

    ``camera`` is None if it is no image of a camera, ``number`` then is 0.
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
    grey, except what the depth node publishes. Of a raw and a compressed topic of one name the raw
    one counts.

    :param path: folder with metadata.yaml, or a file ``.mcap`` or ``.db3``; sqlite3 or MCAP,
        compressed or not.
    :param on_skipped: called with a sentence for each image that cannot be read; it is left out.
    :param image_topics: those whose images are wanted; none means all.
    :raises BagError: if it is no bag, has no images, lacks a topic that is wanted, or has two
        image topics in one namespace, of which the wanted one must be given.
    """

    def __init__(
        self, path: str | Path, on_skipped: Callable[[str], None],
        image_topics: Sequence[str] = (),
    ) -> None:
        self.path = Path(path).expanduser()
        self._on_skipped = on_skipped
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as error:  # whatever a file that is no bag does to the library
            raise BagError(f'{self.path} is no ROS 2 bag that can be read: {error}') from error
        try:
            self.cameras = self._find_cameras(image_topics)
            """One for each namespace with images."""
            self._infos = {
                camera: _Infos(self._read(self._of(f'{camera.namespace}/camera_info', _INFO_TYPE)))
                for camera in self.cameras}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    @property
    def connections(self) -> list[Connection]:
        """The topics with their types, as the library gives them."""
        return self._reader.connections

    @property
    def storage(self) -> str:
        """``sqlite3`` or ``mcap``."""
        files = [self.path] if self.path.is_file() else self.path.iterdir()
        return 'mcap' if any('.mcap' in file.suffixes for file in files) else 'sqlite3'

    @property
    def message_count(self) -> int:
        """How many messages there are in all."""
        return self._reader.message_count

    @property
    def image_count(self) -> int:
        """How many images the cameras have in all."""
        return sum(connection.msgcount for connection in self._image_connections())

    @property
    def rate_hz(self) -> float | None:
        """Images a second of the first camera; None if there are too few to tell."""
        first = [connection for connection in self._image_connections()
                 if connection.topic == self.cameras[0].image_topic]
        received_ns = []
        with suppress(BagError):  # damage is told where the images are read
            for _, each_ns, _ in islice(self._read(first), _TIMED_IMAGES):
                received_ns.append(each_ns)
        if len(received_ns) < 2:
            return None
        # The median: a clock that is set while a bag is recorded makes one gap of years.
        spacing_s = float(np.median(np.diff(received_ns))) * 1e-9
        return 1 / spacing_s if spacing_s > 0 else None

    def images(self, done: Collection[tuple[str, int]] = ()) -> Iterator[BagImage]:
        """
        Read the images of all cameras in the order in which they were recorded.

        :param done: image topic and number of those to leave out.
        :raises BagError: where the bag is broken.
        """
        for message in self._messages(self._image_connections()):
            camera, number = message.camera, message.number
            if camera is None or (camera.image_topic, number) in done:
                continue
            try:
                image = deserialize_message(
                    message.data, _IMAGE_TYPES[message.connection.msgtype])
            except Exception as error:  # whatever wrong bytes do to the library
                self._on_skipped(f'{camera.image_topic}, image {number}: {error}')
                continue
            info = self._infos[camera].of(image, message.received_ns)
            yield BagImage(camera, number, image, info)

    def messages(self) -> Iterator[BagMessage]:
        """
        Read all messages in the order in which they were recorded.

        :raises BagError: where the bag is broken.
        """
        return self._messages(self.connections)

    def _messages(self, connections: list[Connection]) -> Iterator[BagMessage]:
        cameras = {camera.image_topic: camera for camera in self.cameras}
        numbers: Counter[str] = Counter()
        for connection, received_ns, data in self._read(connections):
            camera = (
                cameras.get(connection.topic) if connection.msgtype in _IMAGE_TYPES else None)
            number = 0
            if camera is not None:
                number = numbers[connection.topic]
                numbers[connection.topic] += 1
            yield BagMessage(connection, received_ns, data, camera, number)

    def _read(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        read = 0
        messages_read = self._reader.messages(connections) if connections else iter(())
        while True:
            try:
                message = next(messages_read, None)
            except Exception as error:  # whatever a broken file does to the library
                raise BagError(
                    f'{self.path} is broken after {read} messages: {error}') from error
            if message is None:
                return
            read += 1
            yield message

    def _of(self, topic: str, kind: str) -> list[Connection]:
        return [connection for connection in self.connections
                if connection.topic == topic and connection.msgtype == kind]

    def _image_connections(self) -> list[Connection]:
        topics = {camera.image_topic for camera in self.cameras}
        return [connection for connection in self.connections
                if connection.topic in topics and connection.msgtype in _IMAGE_TYPES]

    def _find_cameras(self, wanted: Sequence[str]) -> list[BagCamera]:
        found = {
            connection.topic: connection for connection in self.connections
            if connection.msgtype in _IMAGE_TYPES and connection.msgcount}
        missing = [topic for topic in wanted if topic not in found]
        if missing:
            raise BagError(
                f'{self.path} has no images on {missing[0]}, but on '
                f'{", ".join(sorted(found)) or "no topic at all"}')
        topics = list(wanted) or [
            topic for topic, connection in sorted(found.items())
            if not topic.endswith(tuple(f'/{output}' for output in OUTPUTS))
            and topic.removesuffix(_COMPRESSED) not in found.keys() - {topic}
            and self._has_colors(connection)]
        if not topics:
            raise BagError(
                f'{self.path} has no images of a camera; its topics are '
                + (', '.join(f'{connection.topic} ({connection.msgtype})'
                             for connection in self.connections) or 'none'))
        cameras: dict[str, BagCamera] = {}
        for topic in topics:
            name = topic.removesuffix(_COMPRESSED)
            namespace = name.rpartition('/')[0]
            if namespace in cameras:
                raise BagError(
                    f'{cameras[namespace].image_topic} and {topic} of {self.path} belong to one '
                    'camera: say with --image which to take')
            cameras[namespace] = BagCamera(namespace, topic, is_rectified_topic(name))
        return list(cameras.values())

    def _has_colors(self, connection: Connection) -> bool:
        """Return whether the first message is an image for people, not depth."""
        first = next(self._read([connection]), None)
        if first is None:  # a count that is not true
            return False
        try:
            message = deserialize_message(first[2], _IMAGE_TYPES[connection.msgtype])
            if isinstance(message, CompressedImage):
                messages.compressed_to_rgb(message)
            else:
                messages.image_to_rgb(message)
        except messages.MessageError as error:
            return error.cause != 'unknown_encoding'
        except Exception:  # broken: that is told of each image
            return True
        return True


def _until_broken(read: Iterator[Message]) -> Iterator[Message]:
    """Leave the damage to be told by who reads the images."""
    try:
        yield from read
    except BagError:
        return


class _Infos:
    """The camera_infos of one topic, kept as bytes: there are as many as images."""

    def __init__(self, recorded: Iterator[tuple[Connection, int, bytes]]) -> None:
        self._received_ns: list[int] = []
        self._data: list[bytes] = []
        self._by_stamp: dict[tuple[int, int], bytes] = {}
        for _, received_ns, data in _until_broken(recorded):
            try:
                stamp = deserialize_message(data, CameraInfo).header.stamp
            except Exception:  # wrong bytes are as good as no message
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
