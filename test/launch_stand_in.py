"""
A stand-in for the packages launch and launch_ros, which exist only in a ROS installation.

There are no wheels of them, so where the tests run without ROS the launch files meet these few
classes instead. They follow the sources of both packages in what matters to the files: the order
of the actions, what raises and when, how the command line and the parameter files of a node are
made, and which processes end when one has ended. Where the real packages can be imported,
test_launch.py reads the files with them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
import sys
from types import ModuleType
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = 's2r_depth_ros'


class Recorded:
    """Keeps the arguments of its construction; refuses names that the real class does not have."""

    NAMES: frozenset[str] = frozenset()

    def __init__(self, *positional, **named):
        unknown = sorted(set(named) - self.NAMES)
        if unknown:
            raise TypeError(f'{type(self).__name__} has no argument {", ".join(unknown)}')
        self.positional = positional
        self.named = named

    def visit(self, context: LaunchContext) -> list | None:
        """Do what the action does, and return the actions that it leads to."""
        raise NotImplementedError(type(self).__name__)


class LaunchContext:
    """The values of the arguments, and what has happened."""

    def __init__(self, arguments: Mapping[str, str], installed: set[str], folder: Path) -> None:
        self.launch_configurations = dict(arguments)
        self.installed = installed
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.processes: list[Process] = []
        self.handlers: list[OnProcessExit] = []
        self.notes: list[str] = []


class Process(NamedTuple):
    """A process that was started."""

    action: Node
    command: list[str]

    @property
    def executable(self) -> str:
        """Its program, without the folder."""
        return Path(self.command[0]).name

    def values_after(self, option: str) -> list[str]:
        """Return what follows each occurrence of an option."""
        return [value for word, value in zip(self.command, self.command[1:]) if word == option]

    @property
    def remappings(self) -> dict[str, str]:
        """The topics that it is given, by the name that they have in its code."""
        return dict(
            rule.partition(':')[2].split(':=')
            for rule in self.values_after('-r')
            if not rule.startswith('__')
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of all its files, the last one winning as in rcl."""
        merged: dict[str, Any] = {}
        for file in self.values_after('--params-file'):
            for section in (yaml.safe_load(Path(file).read_text()) or {}).values():
                merged.update(section['ros__parameters'])
        return merged


# Substitutions


class SubstitutionFailure(RuntimeError):  # noqa: N818 (launch's name)
    """A substitution that cannot be performed."""


class PackageNotFoundError(KeyError):
    """A package that is not installed; ament_index_python's is a KeyError too."""


class LaunchConfiguration(Recorded):
    """The value of an argument."""

    NAMES = frozenset({'default'})

    def perform(self, context: LaunchContext) -> str:
        (name,) = self.positional
        if name not in context.launch_configurations:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return context.launch_configurations[name]


class PathJoinSubstitution(Recorded):
    """Parts joined by slashes."""

    def perform(self, context: LaunchContext) -> str:
        return '/'.join(text(part, context) for part in self.positional[0])


class FindPackageShare(Recorded):
    """The share folder of a package; of this one the checkout, which is laid out the same."""

    def perform(self, context: LaunchContext) -> str:
        if self.positional[0] != PACKAGE:
            raise PackageNotFoundError(self.positional[0])
        return str(ROOT)


class ExecutableInPackage(Recorded):
    """The path of a program."""

    NAMES = frozenset({'package', 'executable'})

    def perform(self, context: LaunchContext) -> str:
        package, executable = self.named['package'], self.named['executable']
        if package not in context.installed:
            raise PackageNotFoundError(package)
        if package != PACKAGE:
            return f'/opt/ros/lib/{package}/{executable}'
        path = Path(sys.executable).with_name(executable)
        if not path.is_file():
            raise SubstitutionFailure(f"executable '{executable}' not found")
        return str(path)


def text(value: Any, context: LaunchContext) -> str:
    """Return the text of a substitution, or of several in a row."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ''.join(text(part, context) for part in value)
    return value.perform(context)


# Actions


class LaunchDescription(Recorded):
    """The list of actions."""

    @property
    def actions(self) -> list:
        return self.positional[0]


class DeclareLaunchArgument(Recorded):
    """A declared argument."""

    NAMES = frozenset({'default_value', 'description', 'choices', 'condition'})

    def visit(self, context: LaunchContext) -> None:
        (name,) = self.positional
        if name not in context.launch_configurations:
            if self.named.get('default_value') is None:
                raise RuntimeError(f'Required launch argument "{name}" was not provided.')
            context.launch_configurations[name] = text(self.named['default_value'], context)
        choices = self.named.get('choices')
        if choices and context.launch_configurations[name] not in choices:
            raise RuntimeError(f'Argument "{name}" is not valid. Valid options are: {choices}')


class SetEnvironmentVariable(Recorded):
    """A variable for all processes that follow."""

    NAMES = frozenset({'name', 'value', 'condition'})

    def visit(self, context: LaunchContext) -> None:
        name, value = self.positional
        context.environment[name] = text(value, context)


class OpaqueFunction(Recorded):
    """A function that returns actions."""

    NAMES = frozenset({'function', 'args', 'kwargs', 'condition'})

    def visit(self, context: LaunchContext) -> list | None:
        return self.named['function'](context)


class LogInfo(Recorded):
    """A line in launch's log."""

    NAMES = frozenset({'msg', 'condition'})

    def visit(self, context: LaunchContext) -> None:
        context.notes.append(text(self.named['msg'], context))


class RegisterEventHandler(Recorded):
    """From now on an event is handled."""

    NAMES = frozenset({'condition'})

    def visit(self, context: LaunchContext) -> None:
        context.handlers.append(self.positional[0])


class EmitEvent(Recorded):
    """An event, which happens."""

    NAMES = frozenset({'event', 'condition'})


class Node(Recorded):
    """A process; the names are those of launch_ros.actions.Node and launch's ExecuteProcess."""

    NAMES = frozenset(
        {
            'package',
            'executable',
            'name',
            'namespace',
            'exec_name',
            'parameters',
            'remappings',
            'ros_arguments',
            'arguments',
            'prefix',
            'output',
            'output_format',
            'emulate_tty',
            'respawn',
            'respawn_delay',
            'sigterm_timeout',
            'sigkill_timeout',
            'additional_env',
            'env',
            'cwd',
            'shell',
            'on_exit',
            'condition',
        }
    )

    def visit(self, context: LaunchContext) -> None:
        """Start the process, with the command line that launch_ros makes."""
        named = self.named
        command = [
            ExecutableInPackage(package=named['package'], executable=named['executable']).perform(
                context
            )
        ]
        command += [text(word, context) for word in named.get('arguments', [])]
        command += ['--ros-args', *(text(word, context) for word in named['ros_arguments'])]
        command += ['-r', f'__node:={named["name"]}']
        namespace = named.get('namespace')
        if namespace is not None:
            namespace = '/' + namespace.strip('/')
            command += ['-r', f'__ns:={namespace}']
        for part in named.get('parameters', []):
            if isinstance(part, Mapping):
                section = (
                    '/**' if namespace is None else (f'{namespace.rstrip("/")}/{named["name"]}')
                )
                command += ['--params-file', _parameter_file(part, section, context)]
            elif Path(text(part, context)).is_file():  # launch_ros warns of others and goes on
                command += ['--params-file', text(part, context)]
        for old, new in named.get('remappings', []):
            command += ['-r', f'{named["name"]}:{text(old, context)}:={text(new, context)}']
        context.processes.append(Process(self, command))


def _parameter_file(parameters: Mapping[str, Any], section: str, context: LaunchContext) -> str:
    """Return the path of a file with the parameters, of which launch_ros evaluates each."""
    if not parameters:
        raise TypeError('a file with no parameters, which rcl refuses')
    values = {}
    for name, value in parameters.items():
        if not isinstance(value, (bool, int, float, str, list)) or value == []:
            raise TypeError(f'parameter {name}: {value!r}')
        if isinstance(value, list) and len({type(item) for item in value}) > 1:
            raise TypeError(f'parameter {name}: {value!r} are not of one type')
        values[name] = value
    file = context.folder / f'launch_params_{len(list(context.folder.iterdir()))}'
    file.write_text(yaml.dump({section: {'ros__parameters': values}}))
    return str(file)


# Events


class OnProcessExit(Recorded):
    """What is done when a process has ended."""

    NAMES = frozenset({'target_action', 'on_exit', 'handle_once'})


class ShutdownProcess(Recorded):
    """The event that ends the processes that it matches."""

    NAMES = frozenset({'process_matcher'})


class ProcessExited(NamedTuple):
    """The event that a process has ended."""

    action: Node
    returncode: int


def matches_action(action: Node) -> Callable[[Node], bool]:
    """Return what is true of this action only."""
    return lambda other: other is action


def load_python_launch_file_as_module(path: str) -> ModuleType:
    """Return a launch file as a module, as launch loads it."""
    loader = SourceFileLoader('python_launch_file', path)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


_MODULES: dict[str, list] = {
    'launch': [LaunchContext, LaunchDescription],
    'launch.actions': [
        DeclareLaunchArgument,
        EmitEvent,
        LogInfo,
        OpaqueFunction,
        RegisterEventHandler,
        SetEnvironmentVariable,
    ],
    'launch.event_handlers': [OnProcessExit],
    'launch.events': [matches_action],
    'launch.events.process': [ShutdownProcess],
    'launch.launch_description_sources': [load_python_launch_file_as_module],
    'launch.substitutions': [LaunchConfiguration, PathJoinSubstitution, SubstitutionFailure],
    'launch_ros': [],
    'launch_ros.actions': [Node],
    'launch_ros.substitutions': [ExecutableInPackage, FindPackageShare],
}


def load(path: Path, monkeypatch) -> list[Recorded]:
    """Return the actions of a launch file, run against the stand-ins."""
    for name, parts in _MODULES.items():
        module = ModuleType(name)
        for each in parts:
            setattr(module, each.__name__, each)
        monkeypatch.setitem(sys.modules, name, module)
    return load_python_launch_file_as_module(str(path)).generate_launch_description().actions


class Launch:
    """
    A launch file that is run: ``ros2 launch`` as far as a process' start.

    :param actions: from :func:`load`.
    :param folder: an empty folder for the parameter files.
    :param installed: packages beside this one.
    :param arguments: as after ``ros2 launch``.
    """

    def __init__(
        self,
        actions: list[Recorded],
        folder: Path,
        installed: tuple[str, ...] = (),
        **arguments: str,
    ) -> None:
        self._actions = actions
        self.context = LaunchContext(arguments, {PACKAGE, *installed}, folder)

    def run(self) -> Launch:
        """Visit the actions; what raises leaves ``processes`` behind, which launch forgets."""
        self._visit(self._actions)
        return self

    @property
    def processes(self) -> list[Process]:
        """What was started, in that order."""
        return self.context.processes

    def process(self, name: str) -> Process:
        """Return the process with the node of that name."""
        (process,) = (each for each in self.processes if each.action.named['name'] == name)
        return process

    def ended_with(self, name: str, returncode: int) -> set[str]:
        """Return the names of the nodes that are told to end when one has ended."""
        ended: set[str] = set()
        event = ProcessExited(self.process(name).action, returncode)
        for handler in self.context.handlers:
            if handler.named['target_action'] is event.action:
                on_exit = handler.named['on_exit']
                for action in on_exit(event, self.context) if callable(on_exit) else on_exit:
                    matcher = action.named['event'].named['process_matcher']
                    ended |= {
                        each.action.named['name']
                        for each in self.processes
                        if matcher(each.action)
                    }
        return ended

    def _visit(self, actions: list[Recorded]) -> None:
        for action in actions:
            self._visit(action.visit(self.context) or [])


def argument_names(actions: list[Recorded]) -> set[str]:
    """Return the names of the declared arguments."""
    return {each.positional[0] for each in actions if isinstance(each, DeclareLaunchArgument)}
