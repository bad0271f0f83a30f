"""Parameter descriptors for ROS tools, and warnings about unknown parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import difflib
from types import MappingProxyType
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from ..depth.parameters import old_name_warning
from .message_types import filled


def descriptor(
    default: Any,
    description: str,
    limits: tuple[float, float] | None = None,
    read_only: bool = True,
) -> ParameterDescriptor:
    """
    Return the descriptor of a parameter, with the range that its values must stay in.

    :param default: the default value. Its type selects a float range or an integer range.
    :param description: the text that ROS tools show.
    :param limits: the minimum and the maximum, None for no limit.
    :param read_only: whether the value is fixed after start.
    """
    described = filled(ParameterDescriptor, description=description, read_only=read_only)
    if limits and isinstance(default, float):
        described.floating_point_range = [
            filled(FloatingPointRange, from_value=limits[0], to_value=limits[1], step=0.0)
        ]
    elif limits:
        described.integer_range = [
            filled(IntegerRange, from_value=int(limits[0]), to_value=int(limits[1]), step=1)
        ]
    return described


def warn_of_unknown(
    node: Node, names: Iterable[str], renamed: Mapping[str, str] = MappingProxyType({})
) -> None:
    """
    Log a warning for each given parameter that the node does not have.

    :param names: the names of the node's parameters, from which the warning suggests one.
    :param renamed: old names that the node still accepts, with their new names.
    """
    # Overrides come from files and the command line. The attribute is private: rclpy may drop it.
    overrides = getattr(node, '_parameter_overrides', {})
    for name in overrides:
        if node.has_parameter(name) or name.startswith('qos_overrides.'):  # declared by each topic
            continue
        if name in renamed:
            node.get_logger().warning(
                old_name_warning(name, renamed[name], renamed[name] in overrides)
            )
            continue
        near = difflib.get_close_matches(name, names, 1)
        node.get_logger().warning(
            f'{name} is not a parameter of {node.get_name()} and is ignored'
            + (f'; did you mean {near[0]}?' if near else '; --help lists them')
        )
