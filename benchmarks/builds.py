"""Describe installations of this package to measure in turn, and run busy processes beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
import sys

from s2r_depth_ros.cli import ToolError
from s2r_depth_ros.cli.node_process import heed_signals

_LONGEST_S = 900  # a busy process ends after this time even if this process is killed
_BUSY = f"""
import time
end_s = time.monotonic() + {_LONGEST_S}
while time.monotonic() < end_s:
    pass
"""
_PROBE = 'import s2r_depth_ros, sys; print(sys.prefix); print(s2r_depth_ros.__file__)'
# The ROS wheels set the first two for one environment. `s2r` sets the others for itself.
_OF_ONE_BUILD = (
    '_ROS_WHEELS_BOOTSTRAP_COMPLETE',
    'LD_LIBRARY_PATH',
    'OMP_WAIT_POLICY',
    'GOMP_SPINCOUNT',
    'OMP_NUM_THREADS',
)


@dataclass(frozen=True)
class Build:
    """
    An installation of this package.

    :param python: the interpreter with the installation.
    :param prefix: folder of the environment.
    :param package: folder of the package.
    """

    python: str
    prefix: Path
    package: Path

    @classmethod
    def of(cls, python: str | os.PathLike = sys.executable) -> Build:
        """
        Ask an interpreter for its installation.

        :raises ToolError: if the interpreter has none.
        """
        python = os.path.abspath(python)  # keep links: a virtual environment's python is a link
        try:
            done = subprocess.run(
                [python, '-c', _PROBE],
                capture_output=True,
                text=True,
                check=True,
                cwd='/',
                env=_neutral(os.environ),
            )
            prefix, module = done.stdout.split('\n')[:2]
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            raise ToolError(
                f'{python} is no Python that can import s2r_depth_ros; --against takes that of '
                'another build, as in other/.venv/bin/python'
            ) from error
        return cls(python, Path(prefix), Path(module).parent)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the variables for a process of this build, from those of this process."""
        variables = _neutral(environment)
        if self.prefix != Path(sys.prefix):
            variables['AMENT_PREFIX_PATH'] = str(self.prefix)
        return variables


def _neutral(environment: Mapping[str, str]) -> dict[str, str]:
    dropped = (
        _OF_ONE_BUILD if '_ROS_WHEELS_BOOTSTRAP_COMPLETE' in environment else (_OF_ONE_BUILD[2:])
    )
    return {name: value for name, value in environment.items() if name not in dropped}


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep ``count`` processes of one thread each busy during the context."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, '-S', '-c', _BUSY],
                start_new_session=True,
                preexec_fn=heed_signals,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@contextmanager
def two_cores() -> Iterator[None]:
    """Restrict this process and its new child processes to two cores during the context."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:2])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
