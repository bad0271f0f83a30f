"""
Publish best-effort images as a camera driver does; `s2r doctor` starts it as a process.

Arguments: topic, height, width, number of images, rate in Hz. It waits for a subscriber first.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from ..ros.message_types import Header
from ..ros.messages import pixels_to_image

_PATIENCE_S = 30.0
_DISCOVERY_S = 1.0  # the other side needs this long to discover the publisher
_DELIVERY_S = 1.0


def main(topic: str, height: int, width: int, images: int, rate_hz: float) -> int:
    """Publish the images; return 0, or 1 without a subscriber."""
    rclpy.init()
    node = rclpy.create_node('s2r_image_burst')
    publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
    message = pixels_to_image(np.zeros((height, width, 3), np.uint8), 'bgr8', Header())
    end_s = time.monotonic() + _PATIENCE_S
    while not publisher.get_subscription_count():
        if time.monotonic() > end_s:
            print(f'nobody subscribed to {topic} within {_PATIENCE_S:g} s', file=sys.stderr)
            return 1
        time.sleep(0.05)
    time.sleep(_DISCOVERY_S)
    next_s = time.monotonic()
    for _ in range(images):
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        next_s += 1 / rate_hz
        time.sleep(max(0.0, next_s - time.monotonic()))
    time.sleep(_DELIVERY_S)
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == '__main__':
    _topic, _height, _width, _images, _rate_hz = sys.argv[1:]
    sys.exit(main(_topic, int(_height), int(_width), int(_images), float(_rate_hz)))
