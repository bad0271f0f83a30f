"""Counters of received, published and dropped images, and their status on /diagnostics."""

from __future__ import annotations

from collections import Counter, deque
import math
import textwrap
import threading
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
import numpy as np

from ..depth.pipeline import DepthResult
from ..ros.message_types import filled

# Intended drops, not faults: a newer frame arrived, or there is no subscriber.
EXPECTED_DROPS = frozenset({'superseded', 'no_subscriber'})
LATENCY_SAMPLES = 200
LONGEST_REASON = 500


class MissingInputs(NamedTuple):
    """
    The missing or mixed inputs of a camera with the state of their publishers; '' if all is well.

    :param image: the text about missing images.
    :param info: the text about a missing camera_info.
    :param mixed: the text about images of several publishers.
    """

    image: str = ''
    info: str = ''
    mixed: str = ''


NOTHING_MISSING = MissingInputs()


class CameraCounters:
    """
    Counts of one camera since construction; thread-safe.

    received = published + dropped + at most one that waits and one in process.
    """

    def __init__(self) -> None:
        self.since_s = time.monotonic()
        """From when on a missing image counts as missing, monotonic."""
        self.received = 0
        self.published = 0
        self.dropped: Counter[str] = Counter()
        self.last_fault = ''
        self._lock = threading.Lock()
        self._reported_faults = 0
        self._last_received_s = self.since_s
        self._remark = ''
        self._facts: dict[str, str] = {}
        self._latencies_s: deque[float] = deque(maxlen=LATENCY_SAMPLES)
        self._counts_before: dict[str, tuple[int, float]] = {}

    def count_received(self) -> None:
        """Count an image that arrived."""
        with self._lock:
            self.received += 1
            self._last_received_s = time.monotonic()

    def count_published(
        self, latency_s: float, result: DepthResult | None = None, remark: str = ''
    ) -> None:
        """
        Count an image whose depth was published.

        :param latency_s: seconds from the arrival of the image to the publication of its depth.
        :param result: the published depth; None if only the calibration was published.
        :param remark: the reason for a missing cloud, a doubtful scale or a doubtful image; empty
            if there is none.
        """
        with self._lock:
            self.published += 1
            self._latencies_s.append(latency_s)
            self._facts = {} if result is None else _facts(result)
            self._remark = remark

    def count_dropped(self, cause: str, detail: str = '') -> None:
        """Count an image that was dropped, and keep the detail for the diagnostics."""
        with self._lock:
            self.dropped[cause] += 1
            if cause not in EXPECTED_DROPS:
                self.last_fault = f'{cause}: {detail}'

    def silent_s(self) -> float:
        """Return the seconds since the last image, or since construction."""
        with self._lock:
            return time.monotonic() - self._last_received_s

    def status(
        self,
        node_name: str,
        camera: str,
        stale_after_s: float,
        missing: MissingInputs = NOTHING_MISSING,
    ) -> DiagnosticStatus:
        """
        Return the diagnostics of the camera; WARN reports drops since the last call.

        :param node_name: the fully qualified node name, with which the status name begins.
        :param camera: the name of the camera.
        :param stale_after_s: seconds without an image after which a camera is STALE.
        :param missing: the missing or mixed inputs.
        """
        with self._lock:
            now_s = time.monotonic()
            level, message = self._level(now_s - self._last_received_s, stale_after_s, missing)
            return _status(level, f'{node_name}: {camera}', message, camera, self._values(now_s))

    def _level(
        self, silent_s: float, stale_after_s: float, missing: MissingInputs
    ) -> tuple[bytes, str]:
        faults = sum(n for cause, n in self.dropped.items() if cause not in EXPECTED_DROPS)
        new_faults, self._reported_faults = faults - self._reported_faults, faults
        if silent_s > stale_after_s:
            message = f'no image for {silent_s:.1f} s'
            if missing.image:
                message += f': {"; ".join(filter(None, missing))}'
            return DiagnosticStatus.STALE, message
        if new_faults:
            return (
                DiagnosticStatus.WARN,
                f'{new_faults} images dropped, the last for {self.last_fault}',
            )
        if missing.info:
            return (DiagnosticStatus.WARN, f'{self._remark or "no camera_info"}; {missing.info}')
        if self._remark or missing.mixed:
            return DiagnosticStatus.WARN, '; '.join(filter(None, (self._remark, missing.mixed)))
        return DiagnosticStatus.OK, 'running'

    def _values(self, now_s: float) -> dict[str, str]:
        values = {
            'received': str(self.received),
            'published': str(self.published),
            **{f'dropped {cause}': str(n) for cause, n in sorted(self.dropped.items())},
            'rate in (Hz)': self._rate_hz('in', self.received, now_s),
            'rate out (Hz)': self._rate_hz('out', self.published, now_s),
        }
        if self._latencies_s:
            median_s, p95_s = np.percentile(self._latencies_s, (50, 95))
            values['latency median (ms)'] = f'{median_s * 1e3:.1f}'
            values['latency p95 (ms)'] = f'{p95_s * 1e3:.1f}'
        return {**values, **self._facts}

    def _rate_hz(self, direction: str, count: int, now_s: float) -> str:
        """Return the rate since the last call."""
        before, then_s = self._counts_before.get(direction, (0, self.since_s))
        self._counts_before[direction] = (count, now_s)
        return f'{(count - before) / max(now_s - then_s, 1e-6):.1f}'


class NetworkCounters:
    """Counts of the network, and its last error; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._error = ''
        self._batches = 0
        self._images = 0

    def failed(self, reason: str) -> None:
        """Record that the network cannot run, or failed on a batch."""
        with self._lock:
            self._error = reason

    def ready(self) -> None:
        """Record that the network can run."""
        with self._lock:
            self._error = ''

    def ran(self, images: int) -> None:
        """Count a batch by its number of images, and clear the last error."""
        with self._lock:
            self._error = ''
            self._batches += 1
            self._images += images

    def status(
        self, node_name: str, state: str, facts: dict[str, str], warning: str
    ) -> DiagnosticStatus:
        """
        Return the diagnostics of the network.

        :param node_name: the fully qualified node name, with which the status name begins.
        :param state: the lifecycle state of the node.
        :param facts: facts such as device and weights.
        :param warning: the fault of a running network, empty if there is none.
        """
        with self._lock:
            error = self._error
            counts = {'batches': str(self._batches), 'images': str(self._images)}
        if error:
            level, message = DiagnosticStatus.ERROR, error
        elif warning:
            level, message = DiagnosticStatus.WARN, warning
        else:
            level, message = DiagnosticStatus.OK, state
        return _status(
            level, f'{node_name}: network', message, 'network', {'state': state, **facts, **counts}
        )


def one_line(text: str) -> str:
    """Return a reason as one line, short enough for logs and diagnostics."""
    return textwrap.shorten(text, LONGEST_REASON, placeholder=' ...')


def _facts(result: DepthResult) -> dict[str, str]:
    """Return what is known of the scale of a depth image."""
    facts = {'scale': f'{result.scale.factor:.4g}', 'scale source': result.scale_source}
    if not math.isnan(result.scale.confidence):
        facts['scale confidence'] = f'{result.scale.confidence:.2f}'
    if result.ground is not None:
        facts['ground plane'] = str(result.ground)
    return facts


def _status(
    level: bytes, name: str, message: str, hardware_id: str, values: dict[str, str]
) -> DiagnosticStatus:
    return filled(
        DiagnosticStatus,
        level=level,
        name=name,
        message=message,
        hardware_id=hardware_id,
        values=[filled(KeyValue, key=key, value=value) for key, value in values.items()],
    )
