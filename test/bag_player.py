"""
Plays topics of a bag as they were recorded: ``python -m bag_player BAG TOPIC ...``.

It stands for ``ros2 bag play``, of which there is no wheel: the recorded bytes are published in
their types, with the QoS that the bag says, in the order and at the pace of the recording. It
begins when every topic has a subscriber, and ends when all has arrived there.
"""

from __future__ import annotations

from importlib import import_module
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Reader

PATIENCE_S = 300.0


def main(bag: str, *topics: str) -> int:
    rclpy.init()
    node = rclpy.create_node('bag_player')
    with Reader(bag) as reader:
        played = [each for each in reader.connections if each.topic in topics]
        publishers = {
            each.id: node.create_publisher(
                message_class(each.msgtype), each.topic, qos_profile(each.ext.offered_qos_profiles)
            )
            for each in played
        }
        end_s = time.monotonic() + PATIENCE_S
        while not all(each.get_subscription_count() for each in publishers.values()):
            rclpy.spin_once(node, timeout_sec=0.05)
            if time.monotonic() > end_s:
                return 1
        begun_s, first_ns = time.monotonic(), reader.start_time
        for connection, received_ns, data in reader.messages(played):
            left_s = begun_s + (received_ns - first_ns) * 1e-9 - time.monotonic()
            time.sleep(max(0.0, left_s))
            publishers[connection.id].publish(bytes(data))
    arrived = [
        each.wait_for_all_acked(Duration(seconds=PATIENCE_S)) for each in publishers.values()
    ]
    node.destroy_node()
    rclpy.shutdown()
    return 0 if all(arrived) else 1


def message_class(name: str) -> type:
    """Return the class of ``package/msg/Type``."""
    package, kind, type_name = name.split('/')
    return getattr(import_module(f'{package}.{kind}'), type_name)


def qos_profile(recorded) -> QoSProfile:
    """Return what the bag says of a topic; the default where it says nothing."""
    if not recorded:
        return QoSProfile(depth=10)
    first = recorded[0]
    return QoSProfile(
        history=HistoryPolicy(first.history.value),
        depth=first.depth,
        reliability=ReliabilityPolicy(first.reliability.value),
        durability=DurabilityPolicy(first.durability.value),
    )


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
