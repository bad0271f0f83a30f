"""A live ROS 2 graph for tests: a node of the test's own and real processes beside it."""

from __future__ import annotations

from collections.abc import Callable
import itertools
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

PATIENCE_S = 300.0  # a busy machine is slow; what waits for nothing fails all the same
_REPEAT_S = 1.0

# A domain for each graph, so that tests do not hear each other. The workers of a run (of
# pytest-xdist) share sixty between them, and two runs at once rarely meet. The tools that start
# nodes of their own take higher ones.
_worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
_workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
_run = int(os.environ.get('PYTEST_XDIST_TESTRUNUID', f'{os.getpid():x}'), base=16)
_domain_ids = itertools.cycle(
    1 + (_run * 41 + place) % 60 for place in range(_worker, 60, _workers)
)


class Process:
    """
    A Python module of this package running as a process, its output kept in a file.

    :param module: name to run, as in ``python -m``.
    :param arguments: its command line.
    :param domain_id: its ROS domain.
    :param log: file for stdout and stderr.
    """

    def __init__(self, module: str, arguments: list[str], domain_id: int, log: Path) -> None:
        self._log = log
        with log.open('wb') as output:
            self._popen = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_restore_sigint,
                env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id)},
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors='replace')

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return self._popen.wait(PATIENCE_S)

    def send(self, signal_number: int) -> None:
        """Send a signal."""
        self._popen.send_signal(signal_number)

    def stop(self, signal_number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.send(signal_number)
        return self.wait()

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C does, if it still runs."""
        if self.is_running:
            self._popen.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Wait for its end, and force it if it takes too long."""
        try:
            self._popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


class Graph:
    """
    A node that publishes, collects and calls, and processes, on a domain of their own.

    Use it as a context manager; leaving it ends the processes.

    :param folder: for the logs of the processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.domain_id = next_domain_id()
        self.context = Context()
        rclpy.init(context=self.context, domain_id=self.domain_id)
        self.node = rclpy.create_node('test', context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._processes: list[Process] = []
        self._clients: dict[str, Client] = {}

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_) -> None:
        # Not by force: Fast DDS would leave its shared memory behind, tens of MB for each.
        for process in self._processes:
            process.interrupt()
        for process in self._processes:
            process.end()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def add(self, node: Node) -> None:
        """Serve another node's callbacks beside the test's own."""
        self._executor.add_node(node)

    def start(self, module: str, *arguments: str) -> Process:
        """Start ``python -m module arguments`` beside the test, on the same domain."""
        log = self.folder / f'{module}-{len(self._processes)}.log'
        process = Process(module, list(arguments), self.domain_id, log)
        self._processes.append(process)
        return process

    def publisher(self, kind: type, topic: str, qos: QoSProfile | int = 10):
        """Return a publisher whose topic somebody already listens to."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.wait(publisher.get_subscription_count, f'a subscriber of {topic}')
        return publisher

    def collect(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> list:
        """Return a list to which each message that arrives on ``topic`` is appended."""
        found: list = []
        self.node.create_subscription(kind, topic, found.append, qos)
        return found

    def wait(
        self,
        condition: Callable[[], object],
        what: str,
        repeat: Callable[[], object] | None = None,
    ) -> object:
        """
        Spin until ``condition()`` is true and return it.

        :param condition: asked after each callback.
        :param what: named where the condition stays false, which is a failure.
        :param repeat: sends what the other side can miss until it has found this one, or what it
            can read too late; called once a second.
        """
        end_s = time.monotonic() + PATIENCE_S
        next_s = 0.0
        while time.monotonic() < end_s:
            result = condition()
            if result:
                return result
            if repeat is not None and time.monotonic() >= next_s:
                repeat()
                next_s = time.monotonic() + _REPEAT_S
            self._executor.spin_once(timeout_sec=0.05)
        outputs = '\n'.join(process.output for process in self._processes)
        raise AssertionError(f'no {what} within {PATIENCE_S} s; processes said:\n{outputs}')

    def spin(self, duration_s: float) -> None:
        """Spin for so long, and once at least, to see that something does not happen."""
        end_s = time.monotonic() + duration_s
        while True:
            left_s = end_s - time.monotonic()
            self._executor.spin_once(timeout_sec=max(0.0, min(0.05, left_s)))
            if left_s <= 0:
                return

    def call(self, kind: type, service: str, request: object):
        """Call a service and return its response."""
        if service not in self._clients:
            client = self._clients[service] = self.node.create_client(kind, service)
            self.wait(client.service_is_ready, f'service {service}')
            # A server that has not found the client yet loses its answer. An empty request
            # changes nothing, whichever service it is.
            trials: list = []
            self.wait(
                lambda: any(each.done() for each in trials),
                f'first answer of {service}',
                repeat=lambda: trials.append(client.call_async(kind.Request())),
            )
        future = self._clients[service].call_async(request)
        self.wait(future.done, f'answer of {service}')
        return future.result()


def next_domain_id() -> int:
    """Return a ROS domain that no other graph of this process is on."""
    return next(_domain_ids)


def _restore_sigint() -> None:
    """Undo that a background shell job's children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ros_arguments(**parameters: object) -> list[str]:
    """Return ``--ros-args -p name:=value ...`` for a process."""
    return ['--ros-args'] + [
        part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')
    ]
