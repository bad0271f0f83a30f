"""The bond (heartbeat) that Nav2's lifecycle manager expects from an active node."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

try:
    from bondpy.bondpy import Bond
except ImportError:  # it comes with Nav2, and there is no wheel
    Bond = None

# Both as in Nav2's own nodes. The manager sets how long it waits, by its bond_timeout.
_TOPIC = 'bond'
_HEARTBEAT_PERIOD_S = 0.1


class Nav2Bond:
    """
    A bond with a lifecycle manager, from :meth:`start` to :meth:`stop`.

    A manager with ``bond_timeout`` above 0 waits for it after it has activated a node, and stops
    all nodes when it breaks. Without bondpy, or for a node that starts itself, there is none.

    :param node: its name is the bond's.
    :param has_manager: whether another process activates the node.
    """

    def __init__(self, node: Node, has_manager: bool) -> None:
        self._node = node
        self._has_manager = has_manager
        self._bond: Any = None

    def start(self) -> None:
        """Start to send heartbeats, when the node becomes active."""
        if not self._has_manager or self._bond is not None:
            return
        if Bond is None:
            self._node.get_logger().info(
                'no bond, as bondpy is not installed: set bond_timeout of a lifecycle manager to '
                '0, or install ros-$ROS_DISTRO-bondpy'
            )
            return
        self._bond = Bond(_TOPIC, self._node.get_name(), self._node)
        self._bond.heartbeat_period = _HEARTBEAT_PERIOD_S
        self._bond.start()

    def stop(self) -> None:
        """Tell the manager that the node ends its work, and close the topics."""
        if self._bond is not None:
            self._bond.shutdown()
            self._bond = None
