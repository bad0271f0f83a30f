"""A node's process from the start of rclpy to its end, with signal handling."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
import ctypes
import gc
from itertools import pairwise
from pathlib import Path
import signal
import sys

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ..whole_numbers import leading_zero_fault
from .process import STOP_SIGNALS
from .rcl_errors import RCLInvalidROSArgsError

STOP_CHECK_S = 0.2  # a signal does not interrupt a wait for another event

# Constants of glibc's malloc.h, and the values that this module sets.
_M_TRIM_THRESHOLD, _KEPT_BYTES = -1, 256 * 2**20
_M_MMAP_THRESHOLD, _LARGEST_BLOCK_BYTES = -3, 32 * 2**20
_M_ARENA_MAX, _ARENAS = -8, 1
_COMPLAINT_PERIOD_S = 1.0


class Session:
    """
    Context manager around rclpy. SIGINT and SIGTERM end :meth:`spin` between callbacks.

    rclpy's own handlers close the context at once, even in the middle of a publish call.

    :param args: the command line; None for that of the process.
    """

    def __init__(self, args: list[str] | None = None) -> None:
        self._args = args
        self._stopped = False

    def __enter__(self) -> Session:
        keep_freed_memory()
        gc.freeze()  # objects of the imports: their collection takes longer than the rest
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        return self

    def __exit__(self, *_) -> None:
        # A lifecycle node is part of a reference cycle, with its DDS participant. Uncollected, the
        # participant leaves its shared memory behind after the process.
        gc.collect()
        rclpy.try_shutdown()

    def spin(self, node: Node, is_done: Callable[[], bool] = lambda: False) -> None:
        """
        Serve the node's callbacks until a signal arrives.

        An exception of a callback is logged, and the next callback runs. rclpy's own services
        raise for invalid requests, and no request may end the node.

        :param node: the node, which stays open.
        :param is_done: called after each callback; True also ends the loop.
        """
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not self._stopped and not is_done():
            try:
                executor.spin_once(timeout_sec=STOP_CHECK_S)
            except Exception as error:
                node.get_logger().error(
                    f'a callback failed: {type(error).__name__}: {error}',
                    throttle_duration_sec=_COMPLAINT_PERIOD_S,
                )
        executor.shutdown()

    def is_stopped(self) -> bool:
        """Return whether a signal has arrived."""
        return self._stopped

    def _stop(self, *_) -> None:
        self._stopped = True


def keep_freed_memory() -> None:
    """
    Make the C library keep freed memory for the next image, if it is glibc.

    By default, glibc returns the memory of every feature map to the kernel. The kernel then clears
    and reassigns the pages some thousand times for each image.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        # One arena for all threads: a new thread reuses the memory of one that has ended.
        mallopt(_M_ARENA_MAX, _ARENAS)


def check_command_line(program: str, description: str, args: list[str] | None) -> None:
    """
    Show the help page on request, and reject arguments that ROS does not accept.

    :param program: the name of the executable.
    :param description: the help page.
    :param args: the command line without the program's name; None for that of the process.
    :raises SystemExit: with 0 after the help page. With 2 after an unknown argument, a missing or
        invalid parameter file, or an integer with a leading zero.
    """
    parser = argparse.ArgumentParser(
        program,
        usage=f'{program} [--help] --ros-args [-p NAME:=VALUE] [-r FROM:=TO] ...',
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = sys.argv[1:] if args is None else args
    if fault := _ambiguous_number(words):
        parser.error(fault)
    try:
        given = remove_ros_args([program, *words])
    except RCLInvalidROSArgsError as error:
        parser.error(str(error))
    parser.parse_args(given[1:])


def _ambiguous_number(words: list[str]) -> str:
    """Return a fault if a parameter is an integer with a leading zero, octal in ROS; else ''."""
    for option, value in pairwise(words):
        if option in ('-p', '--param'):
            name, _, text = value.partition(':=')
            if fault := leading_zero_fault(text):
                return f'the value of {name} is not clear: {fault}'
        elif option == '--params-file':
            with suppress(OSError, UnicodeDecodeError):  # ROS itself reports these
                if fault := leading_zero_fault(Path(value).read_text(encoding='utf-8')):
                    return f'{value} is not clear: {fault}'
    return ''
