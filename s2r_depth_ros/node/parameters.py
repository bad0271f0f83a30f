"""ROS parameters of the depth node: declaration, and changes at run time."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
import textwrap
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..depth.parameters import old_name_warning, Parameters, RENAMED
from ..ros.descriptors import descriptor, warn_of_unknown
from ..ros.message_types import filled


def declare(node: Node) -> dict[str, Any]:
    """
    Declare every parameter on ``node`` and return the given values, unchecked.

    The node also accepts the old names of ``RENAMED`` and warns about each.
    """
    defaults = {item.name: getattr(Parameters(), item.name) for item in fields(Parameters)}
    descriptors = {
        item.name: descriptor(
            defaults[item.name],
            item.metadata['description'],
            item.metadata['limits'],
            read_only=not item.metadata['run_time'],
        )
        for item in fields(Parameters)
    }
    for old, new in RENAMED.items():
        defaults[new] = node.declare_parameter(old, defaults[new], descriptors[new]).value
        node.undeclare_parameter(old)
    values = {
        name: node.declare_parameter(name, default, descriptors[name]).value
        for name, default in defaults.items()
    }
    warn_of_unknown(node, values, RENAMED)
    node.add_pre_set_parameters_callback(partial(_with_new_names, node))
    return values


def _with_new_names(node: Node, changes: list[Parameter]) -> list[Parameter]:
    """Return requested changes under the current names, with a warning about each old name."""
    names = {change.name for change in changes}
    renamed = []
    for change in changes:
        new = RENAMED.get(change.name)
        if new is None:
            renamed.append(change)
            continue
        node.get_logger().warning(old_name_warning(change.name, new, new in names))
        if new not in names:
            renamed.append(Parameter(new, change.type_, change.value))
    return renamed


def help_text() -> str:
    """Return one line for each parameter: name, default and description."""
    defaults = Parameters()
    return '\n'.join(
        f'  {item.name} ({getattr(defaults, item.name)})\n'
        + textwrap.fill(
            item.metadata['description'], 90, initial_indent=' ' * 6, subsequent_indent=' ' * 6
        )
        for item in fields(defaults)
    )


def changed(
    current: Parameters, changes: list[Parameter]
) -> tuple[Parameters, SetParametersResult]:
    """
    Return the parameters after a change at run time, and whether the change is accepted.

    :param current: the current parameters, returned unchanged if the change is rejected.
    :param changes: the changes of the node's set-parameters callback; unknown names are ignored.
    """
    from rcl_interfaces.msg import SetParametersResult

    own = {item.name for item in fields(Parameters)}
    values = {change.name: change.value for change in changes if change.name in own}
    try:
        return replace(current, **values), filled(SetParametersResult, successful=True)
    except ValueError as error:
        return current, filled(SetParametersResult, successful=False, reason=str(error))
