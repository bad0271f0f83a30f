"""Run a node of this package in a separate process, as `ros2 run` does."""

from __future__ import annotations

from collections.abc import Mapping
import ctypes
from functools import cache
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
from typing import Any

import yaml

from ..sources.bags.paths import is_bag
from ..sources.frames import FrameError, FrameSource
from . import ToolError

_STOP_PATIENCE_S = 60.0  # enough for a busy machine
_TAIL_LINES = 15
_DOMAIN_IDS = range(61, 101)  # Linux keeps the ports of domains to 100 free
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_LIBC = ctypes.CDLL(None)
_reserved: list[socket.socket] = []
_NODE_OF_ANOTHER_BUILD = """
try:
    from s2r_depth_ros import program
except ImportError:  # before 0.2 each node was a module
    import runpy
    runpy.run_module('s2r_depth_ros.{name}', run_name='__main__', alter_sys=True)
else:
    program.{name}()
"""


@cache
def own_domain_id() -> int:
    """
    Return a ROS domain that no other process of this package uses, until this process ends.

    A socket with a name, which Linux keeps for the machine without a file, reserves it.
    """
    first = os.getpid() % len(_DOMAIN_IDS)
    for domain_id in (*_DOMAIN_IDS[first:], *_DOMAIN_IDS[:first]):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f'\0s2r_depth_ros/domain/{domain_id}')
        except OSError:  # another process has it
            name.close()
        else:
            _reserved.append(name)
            return domain_id
    return _DOMAIN_IDS[first]  # all are in use


def check_input(source: Path) -> None:
    """
    Check that camera_player can play the source, before the player starts.

    :param source: folder, image or video.
    :raises ToolError: if the source has no readable image.
    """
    if is_bag(source):
        raise ToolError(
            f'{source} is a bag, and cameras are played from images and films: play it with '
            f'`ros2 bag play {source}`'
        )
    skipped: list[str] = []
    try:
        first = next(iter(FrameSource(source, skipped.append)), None)
    except FrameError as error:
        raise ToolError(str(error)) from error
    if first is None:
        raise ToolError('; '.join(skipped[:1]) or f'{source} has no image')


class NodeProcess:
    """
    Starts a node as ``ros2 run`` does; a context manager that ends the process.

    On Linux the node also ends if this process is killed.

    :param name: the name of the program.
    :param parameters: the parameters of the node, by name.
    :param rules: ROS arguments such as ``-r`` and ``from:=to``.
    :param environment: all variables of the process.
    :param folder: for the parameter file and the output of the node.
    :param python: the interpreter; it may belong to another build of this package.
    :param working_folder: None means that of this process. ``-m`` finds modules there first.
    """

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Any],
        rules: list[str],
        environment: Mapping[str, str],
        folder: Path,
        python: str = sys.executable,
        working_folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f'{name}.log'
        # A file, because ROS would read a path such as 1e5 on the command line as a number.
        parameters_file = folder / f'{name}.yaml'
        parameters_file.write_text(
            yaml.safe_dump({'/**': {'ros__parameters': dict(parameters)}}), encoding='utf-8'
        )
        with self.log.open('wb') as log:
            self._process = subprocess.Popen(
                [
                    python,
                    *_program(name, python),
                    '--ros-args',
                    *rules,
                    '--params-file',
                    str(parameters_file),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=working_folder,
                start_new_session=True,  # only this process gets Ctrl-C, and it stops the node
                preexec_fn=heed_signals,
            )

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
        """The process ID of the node."""
        return self._process.pid

    def check(self) -> None:
        """:raises ToolError: if the process has ended; the text has its last lines of output."""
        code = self._process.poll()
        if code is not None:
            raise ToolError(f'{self.name} ended early with exit code {code}:\n{self.tail()}')

    def stop(self) -> None:
        """
        Send SIGINT and wait for the end of the process.

        :raises ToolError: unless the process ends in time and with exit code 0.
        """
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ToolError(
                f'{self.name} did not end within {_STOP_PATIENCE_S:g} s of SIGINT:\n{self.tail()}'
            ) from None
        if code != 0:
            raise ToolError(
                f'{self.name} ended with exit code {code} after SIGINT:\n{self.tail()}'
            )

    def tail(self) -> str:
        """Return the last lines of the node's output."""
        lines = self.log.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n'.join(f'  {line}' for line in lines[-_TAIL_LINES:])


def ros_environment(domain_id: int, folder: Path) -> dict[str, str]:
    """
    Return the environment for nodes that discover only each other.

    :param domain_id: ROS domain of the nodes.
    :param folder: for the log files of ROS.
    """
    profile = str(Path(__file__).parents[1] / 'fastdds_large_images.xml')
    return {
        # With ROS from wheels, no setup file is sourced: the environment is the ROS prefix.
        'AMENT_PREFIX_PATH': sys.prefix,
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        **os.environ,
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(domain_id),
        'ROS_LOG_DIR': str(folder),
    }


def heed_signals() -> None:
    """Make the new process obey SIGINT and end with this one; for subprocess.Popen."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # background jobs of a shell ignore it
    if hasattr(_LIBC, 'prctl'):
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _program(name: str, python: str) -> list[str]:
    """Return the arguments that start a node of the interpreter's build of this package."""
    if python == sys.executable:
        return ['-m', 's2r_depth_ros.program', name]
    return ['-c', _NODE_OF_ANOTHER_BUILD.format(name=name)]
