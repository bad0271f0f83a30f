"""A node's process: from rclpy's start to its end, whatever signal ends it."""
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
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from .process import STOP_SIGNALS
from .whole_numbers import leading_zero_fault

STOP_CHECK_S = 0.2  # a signal does not wake who waits for something else

# Of glibc's malloc.h, and what they are set to here.
_M_TRIM_THRESHOLD, _KEPT_BYTES = -1, 256 * 2**20
_M_MMAP_THRESHOLD, _LARGEST_BLOCK_BYTES = -3, 32 * 2**20
_M_ARENA_MAX, _ARENAS = -8, 1
_COMPLAINT_PERIOD_S = 1.0


class Session:
    """
    Context manager around rclpy, in which SIGINT and SIGTERM end :meth:`spin` between callbacks.

    rclpy's own handlers close the context at once, in the middle of whatever is being published.

    :param args: the command line, None for the process's own.
    """

    def __init__(self, args: list[str] | None = None) -> None:
        self._args = args
        self._stopped = False

    def __enter__(self) -> Session:
        keep_freed_memory()
        gc.freeze()  # what the imports left: collecting that takes longer than all the rest
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        return self

    def __exit__(self, *_) -> None:
        # A lifecycle node is part of a cycle, and with it the DDS participant, whose shared memory
        # would outlive the process.
        gc.collect()
        rclpy.try_shutdown()

    def spin(self, node: Node, is_done: Callable[[], bool] = lambda: False) -> None:
        """
        Serve the node's callbacks until a signal comes.

        What a callback raises is logged, and the next one served: rclpy's own services raise for
        requests that make no sense, and nobody may end the node with one.

        :param node: is left open.
        :param is_done: asked after each callback; True ends the spinning too.
        """
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not self._stopped and not is_done():
            try:
                executor.spin_once(timeout_sec=STOP_CHECK_S)
            except Exception as error:
                node.get_logger().error(
                    f'a callback failed: {type(error).__name__}: {error}',
                    throttle_duration_sec=_COMPLAINT_PERIOD_S)
        executor.shutdown()

    def is_stopped(self) -> bool:
        """Return whether a signal has come."""
        return self._stopped

    def _stop(self, *_) -> None:
        self._stopped = True


def keep_freed_memory() -> None:
    """
    Have the C library keep freed memory for the next image, where it is glibc.

    Otherwise it returns every map of the network to the kernel, which clears the pages and hands
    them out again some thousand times for each image.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        # One memory for all threads: what a thread leaves behind when it ends serves the next.
        mallopt(_M_ARENA_MAX, _ARENAS)


def check_command_line(program: str, description: str, args: list[str] | None) -> None:
    """
    Show the help page if asked for, and refuse what ROS does not take.

    :param program: name of the executable.
    :param description: the help page.
    :param args: command line without the program's name; None takes that of the process.
    :raises SystemExit: with 0 after the help page, with 2 after an argument that nobody reads, a
        parameter file that is missing or no such file, or an integer with a leading zero.
    """
    parser = argparse.ArgumentParser(
        program, usage=f'{program} [--help] --ros-args [-p NAME:=VALUE] [-r FROM:=TO] ...',
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = sys.argv[1:] if args is None else args
    if fault := _ambiguous_number(words):
        parser.error(fault)
    try:
        given = remove_ros_args([program, *words])
    except rclpy_implementation.RCLInvalidROSArgsError as error:
        parser.error(str(error))
    parser.parse_args(given[1:])


def _ambiguous_number(words: list[str]) -> str:
    """Return which parameter is an integer with a leading zero, that ROS takes for octal."""
    for option, value in pairwise(words):
        if option in ('-p', '--param'):
            name, _, text = value.partition(':=')
            if fault := leading_zero_fault(text):
                return f'the value of {name} is not clear: {fault}'
        elif option == '--params-file':
            with suppress(OSError, UnicodeDecodeError):  # which ROS itself says
                if fault := leading_zero_fault(Path(value).read_text(encoding='utf-8')):
                    return f'{value} is not clear: {fault}'
    return ''
