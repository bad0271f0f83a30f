"""
The beginning and the end of a node's process; :mod:`.session` has the part between.

This module imports neither ROS nor torch. Their import takes a second, and Ctrl-C must do no harm
in it.
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

    :param main: closes what it opens; may raise SystemExit. Any other exception is printed, and
        the exit code is 1.
    """
    try:
        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    end_process(code)


def end_process(code: int) -> NoReturn:
    """
    End the process at once: flush what was printed and logged, and leave the rest to the kernel.

    Python would first unload torch: a second of CPU, several on a busy robot, after which
    ``ros2 launch`` loses patience and kills the node.

    :param code: the exit code.
    """
    with suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # there is none, it is closed, or nobody reads it any more
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # what libraries in C print
    os._exit(code)


def end_at_once_on_signals() -> None:
    """
    Have SIGINT and SIGTERM end the process with exit code 0, as they do while the node runs.

    A KeyboardInterrupt amid an import would end it with a traceback. Nothing is open that early;
    :class:`.session.Session` takes over before it opens something.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: end_process(0))
