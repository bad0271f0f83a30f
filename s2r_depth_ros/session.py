"""A node's process: from rclpy's start to its end, whatever signal ends it."""
from __future__ import annotations

from collections.abc import Callable
import signal

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_SIGNAL_CHECK_S = 0.2


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
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        return self

    def __exit__(self, *_) -> None:
        rclpy.try_shutdown()

    def spin(self, node: Node, is_done: Callable[[], bool] = lambda: False) -> None:
        """
        Serve the node's callbacks until a signal comes.

        :param node: is left open.
        :param is_done: asked after each callback; True ends the spinning too.
        """
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not self._stopped and not is_done():
            executor.spin_once(timeout_sec=_SIGNAL_CHECK_S)  # a signal does not wake it
        executor.shutdown()

    def _stop(self, *_) -> None:
        self._stopped = True
