"""Qualities of service of this package's topics, each open to ``qos_overrides`` parameters."""
from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions


def sensor_data(depth: int) -> dict[str, Any]:
    """Return the arguments of a subscription to sensor data of which ``depth`` are kept."""
    return _overridable(QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT))


def reliable() -> dict[str, Any]:
    """Return the arguments of a publisher whose messages arrive wherever they are wanted."""
    return _overridable(QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE))


def _overridable(profile: QoSProfile) -> dict[str, Any]:
    """Return fresh arguments: an override changes the profile object itself."""
    return {
        'qos_profile': profile,
        'qos_overriding_options': QoSOverridingOptions.with_default_policies()}
