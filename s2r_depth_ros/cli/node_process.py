"""A node of this package as a process of its own, started and stopped as `ros2 run` would."""
from __future__ import annotations

from collections.abc import Mapping
import ctypes
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

import yaml

from ..bag_paths import is_bag
from ..frames import FrameError, FrameSource
from . import ToolError

_STOP_PATIENCE_S = 60.0  # of a busy machine
_TAIL_LINES = 15
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_LIBC = ctypes.CDLL(None)


def own_domain_id() -> int:
    """Return a ROS domain for this process and its nodes; up to 100 Linux leaves their ports."""
    return 61 + os.getpid() % 40


def check_input(source: Path) -> None:
    """
    Find out whether camera_player can play something, before it is started.

    :param source: folder, image or video.
    :raises ToolError: if no image is there that can be read.
    """
    if is_bag(source):
        raise ToolError(
            f'{source} is a bag, and cameras are played from images and films: play it with '
            f'`ros2 bag play {source}`')
    skipped: list[str] = []
    try:
        first = next(iter(FrameSource(source, skipped.append)), None)
    except FrameError as error:
        raise ToolError(str(error)) from error
    if first is None:
        raise ToolError('; '.join(skipped[:1]) or f'{source} has no image')


class NodeProcess:
    """
    Starts a node as ``ros2 run`` would; as a context manager it leaves no process behind.

    Nor does it on Linux where this process is killed and can clean up nothing.

    :param name: of the program.
    :param parameters: of the node, by name.
    :param rules: ROS arguments such as ``-r`` and ``from:=to``.
    :param environment: variables of the process, all of them.
    :param folder: for its parameters and what it prints.
    :param python: the interpreter, of another build of this package, too.
    :param working_folder: None is that of this process, whose modules ``-m`` finds first.
    """

    def __init__(
        self, name: str, parameters: Mapping[str, Any], rules: list[str],
        environment: Mapping[str, str], folder: Path, python: str = sys.executable,
        working_folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f'{name}.log'
        # By file: on the command line a path such as 1e5 would turn into a number.
        parameters_file = folder / f'{name}.yaml'
        parameters_file.write_text(
            yaml.safe_dump({'/**': {'ros__parameters': dict(parameters)}}), encoding='utf-8')
        with self.log.open('wb') as log:
            self._process = subprocess.Popen(
                [python, '-m', *_module_of(name, python), '--ros-args', *rules,
                 '--params-file', str(parameters_file)],
                stdout=log, stderr=subprocess.STDOUT, env=dict(environment),
                cwd=working_folder,
                start_new_session=True,  # Ctrl-C comes to us alone, and we stop it in order
                preexec_fn=heed_signals)

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(self, *_) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """:raises ToolError: if the process has ended, with the last lines that it printed."""
        code = self._process.poll()
        if code is not None:
            raise ToolError(f'{self.name} ended early with exit code {code}:\n{self.tail()}')

    def stop(self) -> None:
        """
        Send SIGINT and wait for the end.

        :raises ToolError: unless it ends in time and with exit code 0.
        """
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ToolError(
                f'{self.name} did not end within {_STOP_PATIENCE_S:g} s of SIGINT:\n'
                f'{self.tail()}') from None
        if code != 0:
            raise ToolError(
                f'{self.name} ended with exit code {code} after SIGINT:\n{self.tail()}')

    def tail(self) -> str:
        """Return the last lines that it printed."""
        lines = self.log.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n'.join(f'  {line}' for line in lines[-_TAIL_LINES:])


def ros_environment(domain_id: int, folder: Path) -> dict[str, str]:
    """
    Return the environment for nodes that meet each other and nobody else.

    :param domain_id: ROS domain of the nodes.
    :param folder: for ROS's log files.
    """
    profile = str(Path(__file__).parents[1] / 'fastdds_large_images.xml')
    return {
        # Where ROS comes as wheels, nothing has been sourced: the environment is its prefix.
        'AMENT_PREFIX_PATH': sys.prefix,
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        **os.environ,
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(domain_id),
        'ROS_LOG_DIR': str(folder),
    }


def heed_signals() -> None:
    """Let the new process heed SIGINT, and end when this one does; for subprocess.Popen."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # jobs that a shell runs in the background do not
    if hasattr(_LIBC, 'prctl'):
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _module_of(name: str, python: str) -> list[str]:
    """Return what ``-m`` runs as a node; builds before 0.2 have no module for both."""
    if python == sys.executable:
        return ['s2r_depth_ros.program', name]
    return [f's2r_depth_ros.{name}']
