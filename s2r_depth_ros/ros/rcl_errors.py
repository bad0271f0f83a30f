"""Errors of ROS's C library, for which rclpy has no public names."""

try:
    from rclpy.impl.implementation_singleton import rclpy_implementation

    RCLError = rclpy_implementation.RCLError
    RCLInvalidROSArgsError = rclpy_implementation.RCLInvalidROSArgsError
except (ImportError, AttributeError):  # another rclpy: what both derive from
    RCLError = RCLInvalidROSArgsError = RuntimeError
