"""
Start and end of a node's process; :mod:`.session` covers the time between.

This module imports neither ROS nor torch. Their import takes a second. Ctrl-C during that second
must not cause an error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import ctypes
import logging
import os
import signal
import sys
import traceback
from typing import NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(main: Callable[[], int]) -> NoReturn:
    """
    Call ``main`` and end the process with its exit code.

    :param main: the function to call. It closes every resource that it opens and may raise
        SystemExit. Any other exception is printed, and the exit code is 1. An error of ROS, such
        as of its environment, is one sentence.
    """
    try:
        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        if fault := fault_of_ros(error):
            print(fault, file=sys.stderr)
        else:
            traceback.print_exc()
        code = 1
    end_process(code)


def fault_of_ros(error: BaseException) -> str:
    """Return in one sentence why ROS cannot start; empty for an error that is not of ROS."""
    if isinstance(error, ModuleNotFoundError) and is_of_ros(error.name):
        return 'ROS 2 is not installed here, or its setup.bash is not sourced'
    is_of_rcl = type(error).__name__ == 'RCLError'  # importing it would import ROS
    return f'ROS cannot start: {" ".join(str(error).split())}' if is_of_rcl else ''


def is_of_ros(module: str | None) -> bool:
    """Return whether a module comes with ROS."""
    package = (module or '').partition('.')[0]
    return package == 'rclpy' or package.endswith('_msgs')


def end_process(code: int) -> NoReturn:
    """
    End the process at once: flush the output and the log, and leave the rest to the kernel.

    A normal exit of Python unloads torch first. That takes a second of CPU, and several seconds on
    a busy robot. ``ros2 launch`` then kills the node.

    :param code: the exit code.
    """
    with suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the stream is None, is closed or has no reader
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # the output of C libraries
    os._exit(code)


def end_at_once_on_signals() -> None:
    """
    Make SIGINT and SIGTERM end the process with exit code 0, as while the node runs.

    A KeyboardInterrupt during an import ends the process with a traceback. Nothing is open that
    early. :class:`.session.Session` replaces these handlers before it opens a resource.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: end_process(0))
