"""Workers on a Ray cluster; needs ray, which only this module imports."""

from __future__ import annotations

from concurrent.futures import Future
import logging
import os
import socket
from typing import Any

from ..environment import disable_telemetry
from .pools import Slot
from .worker import JobsError, Make, Outcome, Worker

_CONNECT_S = 5.0
# RFC 9113, 3.4 and 4.1: how both sides begin, and where a frame names its type.
_HTTP2_PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_HEADER_BYTES = 9
_HTTP2_SETTINGS = b'\x04'


class RayCluster:
    """
    Actors on the machines of a Ray cluster, spread over them.

    This process is part of the cluster while the pool is open. Ray compares the versions of Python
    and of Ray.

    :param address: HOST:PORT, or auto for the cluster that this machine is part of.
    :param workers: number of workers; None for as many as the machines have room for. Further
        workers wait for room, as on a cluster that grows.
    :param cpus: cores of a worker.
    :param gpus: share or number of GPUs of a worker.
    :raises JobsError: if there is no cluster, or none that fits.
    """

    def __init__(self, address: str, workers: int | None, cpus: int, gpus: float) -> None:
        disable_telemetry()
        os.environ.setdefault('RAY_BACKEND_LOG_LEVEL', 'error')  # what counts is an exception
        try:
            import ray
        except ModuleNotFoundError as error:
            raise JobsError(
                "--cluster needs Ray, which is not installed here: pip install 's2r_depth_ros"
                "[cluster]', or pip install ray"
            ) from error
        _check(address)
        try:
            ray.init(
                address,
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.ERROR,
                namespace='s2r',
            )
        except ConnectionError as error:
            where = 'on this machine' if address == 'auto' else f'at {address}'
            raise JobsError(
                f'there is no Ray cluster {where}: start one with `ray start --head`, or give the '
                'HOST:PORT of one'
            ) from error
        except Exception as error:  # such as other versions, for which Ray has no type
            lines = [line for line in str(error).splitlines() if line.strip()]
            reason = ' '.join(' '.join(lines).split()) or type(error).__name__
            raise JobsError(
                f'cannot use a Ray cluster at {address}: {reason.rstrip(".")}'
            ) from error
        self._ray = ray
        self.lost: tuple[type[BaseException], ...] = (
            ray.exceptions.RayActorError,
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.ObjectLostError,
            ray.exceptions.OutOfMemoryError,
        )
        self._actor = ray.remote(Worker).options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy='SPREAD',
        )
        room = sum(
            min(
                int(node['Resources'].get('CPU', 0) // cpus),
                int(node['Resources'].get('GPU', 0) / gpus) if gpus else 2**31,
            )
            for node in ray.nodes()
            if node['Alive']
        )
        self.count = workers or room
        if not self.count:
            self.close()
            raise JobsError(
                f'the cluster at {address} has no room for a worker of {cpus} cores and {gpus:g} '
                'GPUs: reduce the request, or set --workers to wait for room'
            )

    def slot(self, make: Make, expected: tuple[type[Exception], ...], number: int) -> Slot:
        """Return a new actor."""
        return _ActorSlot(self._ray, self._actor.remote(make, expected))

    def close(self) -> None:
        """Leave the cluster, which keeps running."""
        self._ray.shutdown()


class _ActorSlot:
    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor

    def load(self) -> Future[Outcome]:
        return self._actor.load.remote().future()

    def submit(self, argument: Any) -> Future[Outcome]:
        return self._actor.run.remote(argument).future()

    def end(self) -> None:
        self._ray.kill(self._actor)

    def wait(self) -> None:
        pass


def _check(address: str) -> None:
    """
    Check that an address belongs to a cluster; otherwise Ray waits for minutes.

    :raises JobsError: if no gRPC (HTTP/2) server answers.
    """
    if address == 'auto':
        return
    host, _, port = address.rpartition(':')
    if not host or '/' in host or not port.isdigit():
        raise JobsError(f'--cluster takes auto or HOST:PORT, got {address}')
    try:
        with socket.create_connection((host, int(port)), _CONNECT_S) as connection:
            connection.sendall(_HTTP2_PREFACE)
            answer = connection.recv(_HTTP2_HEADER_BYTES)
    except (OSError, OverflowError) as error:
        raise JobsError(
            f'there is no Ray cluster at {address}, {getattr(error, "strerror", "") or error}: '
            'start one with `ray start --head`, or give its address'
        ) from error
    if answer[3:4] != _HTTP2_SETTINGS:
        raise JobsError(f'the server at {address} is not a Ray cluster: give the port of its head')
