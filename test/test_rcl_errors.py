"""rclpy may move its private names: the errors are then what they derive from."""

import importlib
import sys
from types import ModuleType

from rclpy.impl.implementation_singleton import rclpy_implementation

from s2r_depth_ros.ros import rcl_errors


def test_the_errors_of_an_rclpy_without_the_names_are_still_caught(monkeypatch):
    assert rcl_errors.RCLError is rclpy_implementation.RCLError
    found = rcl_errors.RCLError, rcl_errors.RCLInvalidROSArgsError
    name = 'rclpy.impl.implementation_singleton'
    with monkeypatch.context() as changed:
        changed.setitem(sys.modules, name, ModuleType(name))
        moved = importlib.reload(rcl_errors)
        assert all(issubclass(error, moved.RCLError) for error in found)
        assert moved.RCLInvalidROSArgsError is RuntimeError
    assert importlib.reload(rcl_errors).RCLError is found[0]
