"""
A stand-in for the packages launch and launch_ros, which exist only in a ROS installation.

There are no wheels of them, so where the tests run without ROS the launch files meet these few
classes instead. They record what they were given, and :func:`resolve` evaluates substitutions as
launch does. Where the real packages can be imported, test_launch.py checks with them as well.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
import runpy
import sys
from types import ModuleType


class Recorded:
    """Keeps the arguments of its construction; refuses names that the real class does not have."""

    NAMES: frozenset[str] = frozenset()

    def __init__(self, *positional, **named):
        unknown = sorted(set(named) - self.NAMES)
        if unknown:
            raise TypeError(f'{type(self).__name__} has no argument {", ".join(unknown)}')
        self.positional = positional
        self.named = named


class LaunchDescription(Recorded):
    """The list of actions."""

    @property
    def actions(self):
        return self.positional[0]


class DeclareLaunchArgument(Recorded):
    """A declared argument."""

    NAMES = frozenset({'default_value', 'description', 'choices', 'condition'})


class IncludeLaunchDescription(Recorded):
    """Another launch file."""

    NAMES = frozenset({'launch_arguments', 'condition'})


class SetEnvironmentVariable(Recorded):
    """A variable for all processes that follow."""

    NAMES = frozenset({'name', 'value', 'condition'})


class Node(Recorded):
    """A process; the names are those of launch_ros.actions.Node and launch's ExecuteProcess."""

    NAMES = frozenset({
        'package', 'executable', 'name', 'namespace', 'exec_name', 'parameters', 'remappings',
        'ros_arguments', 'arguments', 'prefix', 'output', 'output_format', 'emulate_tty',
        'respawn', 'respawn_delay', 'sigterm_timeout', 'sigkill_timeout', 'additional_env', 'env',
        'cwd', 'shell', 'on_exit', 'condition'})


class LifecycleNode(Node):
    """A process with a managed node; launch_ros insists on a name and a namespace."""

    def __init__(self, *, name, namespace, **named):
        super().__init__(name=name, namespace=namespace, **named)


class LaunchConfiguration(Recorded):
    """The value of an argument."""

    NAMES = frozenset({'default'})


class PathJoinSubstitution(Recorded):
    """Parts joined by slashes."""


class FindPackageShare(Recorded):
    """The share folder of a package."""


class PythonLaunchDescriptionSource(Recorded):
    """A launch file in Python."""


class IfCondition(Recorded):
    """Whether a substitution says true."""


class ParameterValue(Recorded):
    """A substitution with the type of the parameter."""

    NAMES = frozenset({'value_type', 'description'})


_MODULES = {
    'launch': [LaunchDescription],
    'launch.actions': [DeclareLaunchArgument, IncludeLaunchDescription, SetEnvironmentVariable],
    'launch.conditions': [IfCondition],
    'launch.launch_description_sources': [PythonLaunchDescriptionSource],
    'launch.substitutions': [LaunchConfiguration, PathJoinSubstitution],
    'launch_ros': [],
    'launch_ros.actions': [LifecycleNode, Node],
    'launch_ros.parameter_descriptions': [ParameterValue],
    'launch_ros.substitutions': [FindPackageShare],
}


def load(path, monkeypatch) -> list[Recorded]:
    """Return the actions of a launch file, run against the stand-ins."""
    for name, classes in _MODULES.items():
        module = ModuleType(name)
        for each in classes:
            setattr(module, each.__name__, each)
        monkeypatch.setitem(sys.modules, name, module)
    return runpy.run_path(str(path))['generate_launch_description']().actions


def resolve(value, arguments: Mapping[str, str]) -> str:
    """Return the text of a substitution, or of several in a row."""
    if isinstance(value, LaunchConfiguration):
        return arguments[value.positional[0]]
    if isinstance(value, PathJoinSubstitution):
        return '/'.join(resolve(part, arguments) for part in value.positional[0])
    if isinstance(value, FindPackageShare):
        return f'share({value.positional[0]})'
    if isinstance(value, (ParameterValue, IfCondition)):
        return resolve(value.positional[0], arguments)
    if isinstance(value, (list, tuple)):
        return ''.join(resolve(part, arguments) for part in value)
    assert isinstance(value, str), value
    return value


def defaults(actions, **given: str) -> dict[str, str]:
    """Return the value of each argument: given, or its default."""
    arguments = dict(given)
    for action in actions:
        if isinstance(action, DeclareLaunchArgument):
            name = action.positional[0]
            if name not in arguments:
                arguments[name] = resolve(action.named['default_value'], arguments)
    return arguments


def used_arguments(value) -> set[str]:
    """Return the names of all arguments that a value refers to, however deep."""
    if isinstance(value, LaunchConfiguration):
        return {value.positional[0]}
    if isinstance(value, Recorded):
        return used_arguments(value.positional) | used_arguments(value.named)
    if isinstance(value, Mapping):
        return used_arguments(list(value.items()))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return set().union(*(used_arguments(part) for part in value))
    return set()
