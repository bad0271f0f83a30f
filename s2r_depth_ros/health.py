"""Counters of what arrives, leaves and is dropped, and what they say on /diagnostics."""
from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
import math
import threading
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
import numpy as np

from .message_types import filled
from .scale import Scale

# Drops that are the plan, not a fault: a newer frame came, or nobody listens.
EXPECTED_DROPS = frozenset({'superseded', 'no_subscriber'})
LATENCY_SAMPLES = 200


@dataclass
class CameraHealth:
    """
    Counts of one camera; received = published + dropped + at most one waiting, one in work.

    :param since_s: monotonic time from which a missing image counts as missing.
    """

    since_s: float
    received: int = 0
    published: int = 0
    dropped: Counter = field(default_factory=Counter)
    faults_told: int = 0
    last_received_s: float | None = None
    last_fault: str = ''
    remark: str = ''
    scale: Scale | None = None
    latencies_s: deque = field(default_factory=lambda: deque(maxlen=LATENCY_SAMPLES))
    rates: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Count of the drops that are faults."""
        return sum(n for cause, n in self.dropped.items() if cause not in EXPECTED_DROPS)

    def silent_s(self, now_s: float) -> float:
        """Return the seconds since the last image, or since counting began."""
        return now_s - (self.last_received_s or self.since_s)


class MissingInputs(NamedTuple):
    """
    What does not come for a camera, and how many publish it; empty where nothing is missing.

    :param image: of the images.
    :param info: of the camera_info.
    """

    image: str = ''
    info: str = ''


class Health:
    """The counters of all cameras and of the network; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cameras: dict[str, CameraHealth] = {}
        self._network_error = ''
        self._batches = 0
        self._images = 0

    def watch(self, cameras: list[str]) -> None:
        """Start counting anew for these cameras."""
        with self._lock:
            self._cameras = {camera: CameraHealth(time.monotonic()) for camera in cameras}

    def received(self, camera: str) -> None:
        """Count an image that arrived."""
        with self._lock:
            health = self._cameras[camera]
            health.received += 1
            health.last_received_s = time.monotonic()

    def silent_s(self, camera: str) -> float:
        """Return the seconds since the last image, or since counting began."""
        with self._lock:
            return self._cameras[camera].silent_s(time.monotonic())

    def published(
        self, camera: str, latency_s: float, scale: Scale | None = None, remark: str = '',
    ) -> None:
        """
        Count an image whose depth was published.

        :param latency_s: seconds from the arrival of the image to the publishing of its depth.
        :param scale: what the depth was multiplied with.
        :param remark: why there is no cloud, or a scale in doubt; empty if nothing is to be said.
        """
        with self._lock:
            health = self._cameras[camera]
            health.published += 1
            health.latencies_s.append(latency_s)
            health.scale = scale
            health.remark = remark

    def dropped(self, camera: str, cause: str, detail: str = '') -> None:
        """Count an image that was dropped, and keep the detail for the diagnostics."""
        with self._lock:
            health = self._cameras[camera]
            health.dropped[cause] += 1
            if cause not in EXPECTED_DROPS:
                health.last_fault = f'{cause}: {detail}'

    def network_failed(self, reason: str) -> None:
        """Say that the network can not run, or failed on a batch."""
        with self._lock:
            self._network_error = reason

    def network_ready(self) -> None:
        """Say that the network can run."""
        with self._lock:
            self._network_error = ''

    def network_ran(self, images: int) -> None:
        """Count a batch of so many images, which also shows that the network works (again)."""
        with self._lock:
            self._network_error = ''
            self._batches += 1
            self._images += images

    def camera_statuses(
        self, node_name: str, stale_after_s: float,
        missing: Mapping[str, MissingInputs] | None = None,
    ) -> list[DiagnosticStatus]:
        """
        Return the diagnostics of each camera; WARN tells of drops since the last call.

        :param node_name: fully qualified, starts each status name.
        :param stale_after_s: seconds without an image after which a camera is STALE.
        :param missing: by camera, what does not come.
        """
        with self._lock:
            now_s = time.monotonic()
            return [
                _camera_status(
                    f'{node_name}: {name}', name, health, now_s, stale_after_s,
                    (missing or {}).get(name, MissingInputs()))
                for name, health in self._cameras.items()]

    def network_status(
        self, node_name: str, state: str, facts: dict[str, str], warning: str,
    ) -> DiagnosticStatus:
        """
        Return the diagnostics of the network.

        :param node_name: fully qualified, starts the status name.
        :param state: the lifecycle state of the node.
        :param facts: device, weights and the like.
        :param warning: what is wrong with a network that runs, empty if nothing is.
        """
        with self._lock:
            error = self._network_error
            counts = {'batches': str(self._batches), 'images': str(self._images)}
        if error:
            level, message = DiagnosticStatus.ERROR, error
        elif warning:
            level, message = DiagnosticStatus.WARN, warning
        else:
            level, message = DiagnosticStatus.OK, state
        return _status(level, f'{node_name}: network', message, 'network', {
            'state': state, **facts, **counts})


def _camera_status(
    status_name: str, camera: str, health: CameraHealth, now_s: float, stale_after_s: float,
    missing: MissingInputs,
) -> DiagnosticStatus:
    silent_s = health.silent_s(now_s)
    new_faults = health.faults - health.faults_told
    health.faults_told = health.faults
    if silent_s > stale_after_s:
        level, message = DiagnosticStatus.STALE, f'no image for {silent_s:.1f} s'
        if missing.image:
            message += f': {"; ".join(filter(None, missing))}'
    elif new_faults:
        level = DiagnosticStatus.WARN
        message = f'{new_faults} images dropped, the last for {health.last_fault}'
    elif missing.info:
        level = DiagnosticStatus.WARN
        message = f'{health.remark or "no camera_info"}; {missing.info}'
    elif health.remark:
        level, message = DiagnosticStatus.WARN, health.remark
    else:
        level, message = DiagnosticStatus.OK, 'running'
    values = {
        'received': str(health.received),
        'published': str(health.published),
        **{f'dropped {cause}': str(n) for cause, n in sorted(health.dropped.items())},
        'rate in (Hz)': _rate_hz(health, 'in', health.received, now_s),
        'rate out (Hz)': _rate_hz(health, 'out', health.published, now_s),
    }
    if health.latencies_s:
        median_s, p95_s = np.percentile(health.latencies_s, (50, 95))
        values['latency median (ms)'] = f'{median_s * 1e3:.1f}'
        values['latency p95 (ms)'] = f'{p95_s * 1e3:.1f}'
    if health.scale is not None:
        values['scale'] = f'{health.scale.factor:.4g}'
        if not math.isnan(health.scale.confidence):
            values['scale confidence'] = f'{health.scale.confidence:.2f}'
    return _status(level, status_name, message, camera, values)


def _rate_hz(health: CameraHealth, what: str, count: int, now_s: float) -> str:
    before, then_s = health.rates.get(what, (0, health.since_s))
    health.rates[what] = (count, now_s)
    return f'{(count - before) / max(now_s - then_s, 1e-6):.1f}'


def _status(
    level: bytes, name: str, message: str, hardware_id: str, values: dict[str, str],
) -> DiagnosticStatus:
    return filled(
        DiagnosticStatus, level=level, name=name, message=message, hardware_id=hardware_id,
        values=[filled(KeyValue, key=key, value=value) for key, value in values.items()])
