"""
A stand-in for tf2_ros, which exists only in a ROS installation, for the processes of the tests.

There are no wheels of it, nor of tf2_msgs: each message of /tf and /tf_static is one
TransformStamped here, not a list of them. Topics, QoS, the rules of the lookup and what it raises
follow the sources of tf2; between two transforms it takes the earlier one, and does not
interpolate. Where the real package is installed, the tests use this one all the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
import math
import threading

from geometry_msgs.msg import TransformStamped
import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time


class TransformException(Exception):  # noqa: N818
    """Any fault of a lookup."""


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Two frames are in different trees."""


class ExtrapolationException(TransformException):
    """The time is outside of the transforms of a frame."""


class Buffer:
    """The transforms of the last time, each to the parent of its frame."""

    def __init__(self) -> None:
        self._static: dict[str, TransformStamped] = {}
        self._moving: dict[str, list[tuple[int, TransformStamped]]] = defaultdict(list)
        self._lock = threading.Lock()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Keep a transform of /tf."""
        at_ns = Time.from_msg(transform.header.stamp).nanoseconds
        with self._lock:
            if _is_valid(transform):
                self._moving[transform.child_frame_id].append((at_ns, transform))

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Keep a transform of /tf_static."""
        with self._lock:
            if _is_valid(transform):
                self._static[transform.child_frame_id] = transform

    def clear(self) -> None:
        """Forget what moves."""
        with self._lock:
            self._moving.clear()

    def lookup_transform(self, target: str, source: str, time: Time) -> TransformStamped:
        """Return the pose of the source frame in the target frame."""
        with self._lock:
            at_ns = time.nanoseconds
            known = {*self._static, *(frame for frame, kept in self._moving.items() if kept)}
            parents = {self._at(frame, 0).header.frame_id for frame in known}
            for name, frame in (('target_frame', target), ('source_frame', source)):
                if frame not in known | parents:
                    raise LookupException(
                        f'"{frame}" passed to lookupTransform argument {name} does not exist. '
                    )
            ways = [self._to_root(frame) for frame in (target, source)]
            if ways[0][-1] != ways[1][-1]:
                raise ConnectivityException(
                    f"Could not find a connection between '{target}' and '{source}'"
                )
            if at_ns == 0:
                newest = [
                    self._moving[frame][-1][0] for frame in sum(ways, []) if self._moves(frame)
                ]
                at_ns = min(newest, default=0)
            (to_root, origin), (rotation, place) = (self._pose(way, at_ns) for way in ways)
            found = TransformStamped(child_frame_id=source)
            found.header.frame_id = target
            found.header.stamp = Time(nanoseconds=at_ns).to_msg()
            inverse = _conjugate(to_root)
            for axis, number in zip('xyz', _rotated(inverse, place - origin)):
                setattr(found.transform.translation, axis, float(number))
            for axis, number in zip('xyzw', _product(inverse, rotation)):
                setattr(found.transform.rotation, axis, float(number))
            return found

    def _moves(self, frame: str) -> bool:
        return bool(self._moving.get(frame))

    def _at(self, frame: str, at_ns: int) -> TransformStamped:
        """Return the transform of a frame to its parent; of time 0 the newest."""
        if not self._moves(frame):
            return self._static[frame]
        stamps_ns = [stamp_ns for stamp_ns, _ in self._moving[frame]]
        if at_ns and not stamps_ns[0] <= at_ns <= stamps_ns[-1]:
            where = 'past' if at_ns < stamps_ns[0] else 'future'
            raise ExtrapolationException(f'Lookup would require extrapolation into the {where}.')
        number = bisect_right(stamps_ns, at_ns) - 1 if at_ns else -1
        return self._moving[frame][number][1]

    def _to_root(self, frame: str) -> list[str]:
        way = [frame]
        while way[-1] in self._static or self._moves(way[-1]):
            way.append(self._at(way[-1], 0).header.frame_id)
        return way

    def _pose(self, way: list[str], at_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rotation (x, y, z, w) and origin of a frame in the root of its tree."""
        rotation, origin = np.array((0.0, 0, 0, 1)), np.zeros(3)
        for frame in way[:-1]:
            step = self._at(frame, at_ns).transform
            turn = np.array([getattr(step.rotation, axis) for axis in 'xyzw'])
            move = np.array([getattr(step.translation, axis) for axis in 'xyz'])
            rotation, origin = _product(turn, rotation), _rotated(turn, origin) + move
        return rotation, origin


class TransformListener:
    """Fills a buffer from the topics."""

    def __init__(self, buffer: Buffer, node) -> None:
        self._node = node
        static = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(
                TransformStamped, topic, lambda message, keep=keep: keep(message, ''), qos
            )
            for topic, keep, qos in (
                ('/tf', buffer.set_transform, QoSProfile(depth=100)),
                ('/tf_static', buffer.set_transform_static, static),
            )
        ]

    def unregister(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


def _is_valid(transform: TransformStamped) -> bool:
    """Return whether tf2 keeps a transform: it ignores numbers that cannot be."""
    rotation, origin = transform.transform.rotation, transform.transform.translation
    numbers = [*(getattr(rotation, axis) for axis in 'xyzw'), origin.x, origin.y, origin.z]
    return all(map(math.isfinite, numbers)) and abs(math.hypot(*numbers[:4]) - 1) < 0.01


def _conjugate(q: np.ndarray) -> np.ndarray:
    return q * (-1, -1, -1, 1)


def _product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    vector = p[3] * q[:3] + q[3] * p[:3] + np.cross(p[:3], q[:3])
    return np.array((*vector, p[3] * q[3] - p[:3] @ q[:3]))


def _rotated(q: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return _product(_product(q, np.array((*vector, 0.0))), _conjugate(q))[:3]
