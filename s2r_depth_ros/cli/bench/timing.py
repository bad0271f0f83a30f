"""Times of functions that are measured in turn, so that a disturbance meets all of them alike."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import time
from typing import Any

import numpy as np
import torch

LEAST_RUNS = 5


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    :param section: heading under which it stands.
    :param name: what was measured.
    :param median_ms: milliseconds; None where the line is no time.
    :param p95_ms: milliseconds, likewise.
    :param values: more figures by name.
    """

    section: str
    name: str
    median_ms: float | None = None
    p95_ms: float | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, section: str, name: str, times_ms: np.ndarray | list[float], **values) -> Row:
        """Return the line of these times."""
        median_ms, p95_ms = np.percentile(times_ms, (50, 95)).tolist()
        return cls(section, name, median_ms, p95_ms, values)


def timed(
    functions: list[Callable[[], Any]], seconds: float, device: torch.device | None = None,
) -> list[np.ndarray]:
    """
    Run functions in turn, after a round that is not counted, and return the times of each.

    :param functions: what is measured.
    :param seconds: how long to go on with all of them together; at least five rounds.
    :param device: on a GPU the times are those between two events of its stream.
    :returns: for each function (N,) milliseconds.
    """
    measure = _on_gpu if device is not None and device.type == 'cuda' else _on_cpu
    for function in functions:
        measure(function)
    rounds: list[list[float]] = []
    end_s = time.perf_counter() + seconds
    while len(rounds) < LEAST_RUNS or time.perf_counter() < end_s:
        rounds.append([measure(function) for function in functions])
    return list(np.array(rounds).T)


def _on_cpu(function: Callable[[], Any]) -> float:
    start_s = time.perf_counter()
    function()
    return (time.perf_counter() - start_s) * 1e3


def _on_gpu(function: Callable[[], Any]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
