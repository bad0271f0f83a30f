"""The ground plane of a camera from TF, where tf2_ros is installed."""

from __future__ import annotations

from typing import Protocol

from rclpy.node import Node
from rclpy.time import Time

from ..depth.ground import GroundError, GroundPlane, GroundReading

# If TF has no transform for the stamp of an image yet, the newest one counts within this time.
_NEAR_NS = 200_000_000
# A stamp older by this much means that the clock restarted, as in a looping bag.
_RESTART_NS = 10**9


class GroundSource(Protocol):
    """Returns the ground plane of a camera at a time, without waiting."""

    def read(self, optical_frame: str, stamp_ns: int) -> GroundReading:
        """
        Return the ground plane, or the reason why it is unknown.

        :param optical_frame: the optical frame of the camera.
        :param stamp_ns: the stamp of the image, nanoseconds; 0 takes the newest transform.
        """

    def close(self) -> None:
        """Unsubscribe."""


class NoTf:
    """
    Replaces TF if the node does not listen to it.

    :param reason: the reason for that.
    """

    def __init__(self, reason: str) -> None:
        self._reading = GroundReading(fault=reason)

    def read(self, optical_frame: str, stamp_ns: int) -> GroundReading:
        """Return the reason."""
        return self._reading

    def close(self) -> None:
        """Do nothing."""


NO_TF = NoTf('the node is not active')


def listen(node: Node, base_frame: str) -> GroundSource:
    """
    Subscribe to TF, if tf2_ros is installed.

    :param node: the owner of the subscriptions.
    :param base_frame: on the ground, z up; empty to not listen.
    """
    if not base_frame:
        return NoTf('base_frame is empty')
    try:
        return TfGround(node, base_frame)
    except ImportError:
        return NoTf(
            f'the transform from {base_frame} needs tf2_ros: install ros-$ROS_DISTRO-tf2-ros-py'
        )


class TfGround:
    """
    The ground plane z = 0 of a frame, by the buffer of tf2.

    :param node: the owner of the subscriptions.
    :param base_frame: on the ground, z up.
    :raises ImportError: if tf2_ros is not installed.
    """

    def __init__(self, node: Node, base_frame: str) -> None:
        import tf2_ros

        self._tf2 = tf2_ros
        self._base_frame = base_frame
        self._newest_ns: dict[str, int] = {}  # by optical frame
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def read(self, optical_frame: str, stamp_ns: int) -> GroundReading:
        """Return the ground plane at a time, or the reason why it is unknown."""
        if stamp_ns < 0:  # rclpy has no such time
            return GroundReading(
                fault=f'no transform from {self._base_frame}: the stamp of the image is '
                f'{stamp_ns * 1e-9:.3f} s, before 1970; correct the clock of the camera'
            )
        if 0 < stamp_ns < self._newest_ns.get(optical_frame, 0) - _RESTART_NS:
            self._buffer.clear()  # it would refuse what is older than it holds
        self._newest_ns[optical_frame] = stamp_ns
        try:
            pose = self._pose(optical_frame, stamp_ns).transform
            plane = GroundPlane.of_pose(
                [getattr(pose.translation, axis) for axis in 'xyz'],
                [getattr(pose.rotation, axis) for axis in 'xyzw'],
            )
        except self._tf2.TransformException as error:
            return GroundReading(fault=f'no transform from {self._base_frame}: {error}')
        except GroundError as error:
            return GroundReading(fault=f'the transform from {self._base_frame} is wrong: {error}')
        return GroundReading(plane)

    def close(self) -> None:
        """Unsubscribe."""
        self._listener.unregister()

    def _pose(self, optical_frame: str, stamp_ns: int):
        """Return the transform of the image's time, else the newest if it is near in time."""
        frames = optical_frame, self._base_frame
        try:
            return self._buffer.lookup_transform(*frames, Time(nanoseconds=stamp_ns))
        except self._tf2.ExtrapolationException:
            newest = self._buffer.lookup_transform(*frames, Time())
            at_ns = Time.from_msg(newest.header.stamp).nanoseconds
            if abs(at_ns - stamp_ns) > _NEAR_NS:
                raise
            return newest
