"""Measure functions in turn, so that a disturbance affects all of them alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

LEAST_RUNS = 5


@dataclass(frozen=True)
class Measurement:
    """
    One line of the table.

    :param section: heading of the line.
    :param name: of the measured item.
    :param median_ms: milliseconds; None if the line has no time.
    :param p95_ms: milliseconds; None if the line has no time.
    :param values: more figures by name.
    """

    section: str
    name: str
    median_ms: float | None = None
    p95_ms: float | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, section: str, name: str, times_ms: np.ndarray | list[float], **values
    ) -> Measurement:
        """Return the line of these times."""
        median_ms, p95_ms = np.percentile(times_ms, (50, 95)).tolist()
        return cls(section, name, median_ms, p95_ms, values)


class OtherLoad:
    """
    The load of other processes during a measurement; figures are reliable only if it is low.

    Child processes count as own load once they have ended.
    """

    def __init__(self) -> None:
        self._start = self._used_s()

    def percent(self) -> float:
        """Return the used percentage of all cores since the start; NaN without /proc."""
        busy_s, idle_s, own_s = (now - then for now, then in zip(self._used_s(), self._start))
        return 100 * max(0.0, busy_s - own_s) / max(busy_s + idle_s, 1e-9)

    @staticmethod
    def _used_s() -> tuple[float, float, float]:
        own_s = sum(os.times()[:4])
        try:
            ticks = [int(n) for n in Path('/proc/stat').read_text().split('\n')[0].split()[1:9]]
        except OSError:
            return float('nan'), float('nan'), own_s
        idle = ticks[3] + ticks[4]
        per_s = os.sysconf('SC_CLK_TCK')
        return (sum(ticks) - idle) / per_s, idle / per_s, own_s


def timed(
    functions: list[Callable[[], Any]],
    seconds: float,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[np.ndarray]:
    """
    Run functions in turn, after an uncounted round, and return the times of each.

    :param functions: the functions to measure.
    :param seconds: duration for all functions together; at least five rounds.
    :param device: a GPU times each run between two events of its stream.
    :param clock: for a CPU; ``time.thread_time`` is the time of one core.
    :returns: for each function (N,) milliseconds.
    """
    is_gpu = device is not None and device.type == 'cuda'
    measure = _on_gpu if is_gpu else partial(_on_cpu, clock=clock)
    for function in functions:
        measure(function)
    rounds: list[list[float]] = []
    end_s = time.perf_counter() + seconds
    while len(rounds) < LEAST_RUNS or time.perf_counter() < end_s:
        rounds.append([measure(function) for function in functions])
    return list(np.array(rounds).T)


def _on_cpu(function: Callable[[], Any], clock: Callable[[], float]) -> float:
    start_s = clock()
    function()
    return (clock() - start_s) * 1e3


def _on_gpu(function: Callable[[], Any]) -> float:
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
