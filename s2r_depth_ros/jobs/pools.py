"""Pools of workers: in this process, in processes of this machine, or on a cluster."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import multiprocessing
import os
from pathlib import Path
import signal
import threading
import time
from typing import Any, Protocol

from ..environment import cores
from .worker import JobsError, Make, Outcome, Worker

_LAST_SECONDS = 5.0


class Slot(Protocol):
    """A worker of a pool. If it dies, its future raises one of ``Pool.lost``."""

    def load(self) -> Future[Outcome]:
        """Start the worker."""

    def submit(self, argument: Any) -> Future[Outcome]:
        """Start a task, after ``load``; one at a time."""

    def end(self) -> None:
        """End the worker at once; a running task cleans up if possible."""

    def wait(self) -> None:
        """Wait until it has ended."""


class Pool(Protocol):
    """
    A number of workers.

    ``count`` is their maximum number. ``lost`` are the exceptions that report the death of a
    worker.
    """

    @property
    def count(self) -> int:
        """Maximum number of workers at a time."""

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """The exceptions that report the death of a worker."""

    def slot(self, make: Make, expected: tuple[type[Exception], ...], number: int) -> Slot:
        """Return a new worker; ``number`` counts from 0."""

    def close(self) -> None:
        """Release the pool."""


class Here:
    """One worker: this process. If a task dies, so does the program."""

    count = 1
    lost: tuple[type[BaseException], ...] = ()

    def slot(self, make: Make, expected: tuple[type[Exception], ...], number: int) -> Slot:
        """Return this process as a worker."""
        return _HereSlot(Worker(make, expected))

    def close(self) -> None:
        """Do nothing."""


class _HereSlot:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def load(self) -> Future[Outcome]:
        return _finished(self._worker.load())

    def submit(self, argument: Any) -> Future[Outcome]:
        return _finished(self._worker.run(argument))

    def end(self) -> None:
        pass

    def wait(self) -> None:
        pass


def _finished(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


class Processes:
    """
    Processes of this machine; each is a process pool of size one.

    A larger pool ends when one process dies, and does not report whose task that was.

    :param count: processes.
    :param gpus_per_worker: share of a GPU for each process; with 0, all processes see all GPUs.
    """

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool, SystemExit)

    def __init__(self, count: int, gpus_per_worker: float = 0.0) -> None:
        self.count = count
        self._gpus_per_worker = gpus_per_worker

    def slot(self, make: Make, expected: tuple[type[Exception], ...], number: int) -> Slot:
        """Return a new process."""
        environment = {}
        if self._gpus_per_worker:
            wanted = max(1, round(self._gpus_per_worker))
            first = int(number * self._gpus_per_worker)
            gpus = visible_gpus()
            environment['CUDA_VISIBLE_DEVICES'] = ','.join(
                gpus[(first + place) % len(gpus)] for place in range(wanted)
            )
        return _ProcessSlot(make, expected, environment)

    def close(self) -> None:
        """Do nothing."""


class _ProcessSlot:
    def __init__(
        self, make: Make, expected: tuple[type[Exception], ...], environment: dict[str, str]
    ) -> None:
        # Spawned, not forked: this process may hold threads of torch or OpenGL.
        self._executor = ProcessPoolExecutor(
            1, multiprocessing.get_context('spawn'), _begin, (make, expected, environment)
        )
        self._pid: Future[int] | None = None

    def load(self) -> Future[Outcome]:
        self._pid = self._executor.submit(os.getpid)
        return self._executor.submit(_load)

    def submit(self, argument: Any) -> Future[Outcome]:
        return self._executor.submit(_run, argument)

    def end(self) -> None:
        pid = self._pid
        if pid is not None and pid.done() and not pid.cancelled() and pid.exception() is None:
            for child in multiprocessing.active_children():  # a dead one's number may be another's
                if child.pid == pid.result():
                    child.terminate()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        self._executor.shutdown(wait=True)


_worker: Worker | None = None  # of this process, if it is one of a pool


def _begin(make: Make, expected: tuple[type[Exception], ...], environment: dict[str, str]) -> None:
    """Make this process a worker."""
    global _worker
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(make, expected)


def _leave(*_: object) -> None:
    raise SystemExit(1)  # which runs the clean-up of the task


def _end_with_parent() -> None:
    """End this process after a parent that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_LAST_SECONDS)
        os._exit(1)


def _load() -> Outcome:
    assert _worker is not None
    return _worker.load()


def _run(argument: Any) -> Outcome:
    assert _worker is not None
    return _worker.run(argument)


def visible_gpus() -> list[str]:
    """Return the NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return [name for name in named.split(',') if name and name != '-1']
    devices = Path('/dev').glob('nvidia[0-9]*')
    return sorted((device.name.removeprefix('nvidia') for device in devices), key=int)


def pool_of(
    workers: int | None,
    cluster: str | None = None,
    threads: int = 1,
    gpus_per_worker: float = 0.0,
    most: int | None = None,
) -> Pool:
    """
    Return the pool that options describe; the caller closes it.

    :param workers: number of workers; None for as many as cores or GPUs permit.
    :param cluster: address of a Ray cluster, or auto for the cluster of this machine; None for
        local processes.
    :param threads: cores of each worker.
    :param gpus_per_worker: share of a GPU, or number of GPUs, of each worker.
    :param most: maximum number of useful workers.
    :raises JobsError: if there is no such cluster, or no GPU.
    """
    if cluster is not None:
        from .cluster import RayCluster

        return RayCluster(cluster, workers, threads, gpus_per_worker)
    if gpus_per_worker:
        gpus = visible_gpus()
        if len(gpus) < gpus_per_worker:
            raise JobsError(
                f'a worker needs {gpus_per_worker:g} GPUs, but this machine has {len(gpus)}: '
                'omit --gpus-per-worker'
            )
        workers = workers or max(1, int(len(gpus) / gpus_per_worker))
    count = workers or max(1, cores() // threads)
    return Processes(min(count, most or count), gpus_per_worker)
