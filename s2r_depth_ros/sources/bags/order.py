"""Interface and message order that MCAP and SQLite files of a bag share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
import heapq
from typing import Any, Protocol, TypeVar

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, Qos
from rosbags.rosbag2.metadata import parse_qos

Item = TypeVar('Item', bound=tuple[Any, ...])


class StorageFile(Protocol):
    """A file of messages with their topics, in one storage format."""

    connections: list[Connection]

    @property
    def losses(self) -> list[str]:
        """One sentence for each part that was unreadable so far."""

    @property
    def start_ns(self) -> int:
        """The time of the first message; 0 if the file has no message."""

    def messages(self, channels: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """
        Read messages in the order of time.

        :param channels: the ids of the connections to read.
        :returns: for each message: time in nanoseconds, id of the connection, and bytes.
        """


def in_order(parts: Sequence[tuple[int, Callable[[], Iterator[Item]]]]) -> Iterator[Item]:
    """
    Merge parts by the time that is the first element of each item.

    :param parts: the least time of each part, and a function that opens it. The merge opens a
        part only when it reaches that time, so memory need not hold all parts.
    """
    waiting = deque(sorted((start_ns, number) for number, (start_ns, _) in enumerate(parts)))
    opened: list[tuple[int, int, Item, Iterator[Item]]] = []
    while waiting or opened:
        if waiting and (not opened or waiting[0] <= opened[0][:2]):
            _, number = waiting.popleft()
            items = parts[number][1]()
        else:
            _, number, item, items = heapq.heappop(opened)
            yield item
        following = next(items, None)
        if following is not None:
            heapq.heappush(opened, (following[0], number, following, items))


def topic_of_file(
    number: int,
    topic: str,
    kind: str,
    encoding: str,
    definition: MessageDefinition,
    digest: str,
    count: int,
    qos: Any,
) -> Connection:
    """
    Return a topic as a connection of rosbags.

    :param number: the topic's id in the file.
    :param kind: the type, such as ``sensor_msgs/msg/Image``; ``sensor_msgs/Image`` means the same.
    :param qos: the profiles as the bag stores them, a list or YAML.
    """
    package, _, name = kind.partition('/')
    if encoding == 'cdr' and name and '/' not in name:
        kind = f'{package}/msg/{name}'
    return Connection(
        number,
        topic,
        kind,
        definition,
        digest,
        count,
        ConnectionExtRosbag2(encoding, qos_of(qos)),
        None,
    )


def qos_of(recorded: Any) -> list[Qos]:
    """Return the recorded QoS profiles; none if they are invalid, because they are optional."""
    try:
        return parse_qos(recorded)
    except Exception:  # the library raises any error on an unknown form
        return []
