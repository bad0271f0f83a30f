"""Matching of messages from several topics to one image by stamp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class StampMatcher:
    """
    Collects messages by stamp until every required topic has a message.

    :param topics: the required topics. Messages of other topics are included if they arrive
        before the stamp is complete.
    :param capacity: the maximum number of incomplete stamps. Beyond it, the stamp that began
        first is discarded.
    """

    def __init__(self, topics: Iterable[str], capacity: int) -> None:
        self._topics = frozenset(topics)
        self._capacity = capacity
        self._incomplete: dict[tuple[int, int], dict[str, Any]] = {}

    def add(self, topic: str, message: Any) -> dict[str, Any] | None:
        """
        Add a message with a header.

        :param topic: any name of its source.
        :param message: a message of that topic.
        :returns: the messages of its stamp by topic if the stamp is complete, else None.
        """
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
        messages = self._incomplete.setdefault(stamp, {})
        messages[topic] = message
        if self._topics <= messages.keys():
            return self._incomplete.pop(stamp)
        if len(self._incomplete) > self._capacity:
            del self._incomplete[next(iter(self._incomplete))]
        return None
