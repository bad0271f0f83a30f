"""The worker: it loads once, then runs one task after the other."""

from __future__ import annotations

from collections.abc import Callable
import importlib.metadata
import platform
import time
import traceback
from typing import Any, NamedTuple

from ..environment import set_up_process

_DECIDE_RESULTS = (
    's2r_depth_ros',
    'embreex',
    'numpy',
    'onnxruntime',
    'opencv-python-headless',
    'pillow',
    'scipy',
    'torch',
)

Make = Callable[[], Callable[[Any], Any]]
"""Loads what all tasks need, and returns what runs one; it must be picklable for a pool."""


class JobsError(RuntimeError):
    """Tasks that failed, or workers that cannot work; the text is one sentence."""


class Outcome(NamedTuple):
    """
    The outcome of a task, or of loading.

    ``value`` is the return value, None after an exception. ``fault`` is a sentence after an
    exception, else empty. ``trace`` is the traceback of an unexpected exception, else empty.
    """

    value: Any
    fault: str
    trace: str
    seconds: float
    host: str


class Worker:
    """
    A worker; Ray makes an actor of this class.

    :param make: see :data:`Make`.
    :param expected: exceptions whose text is one sentence for the user.
    """

    def __init__(self, make: Make, expected: tuple[type[Exception], ...]) -> None:
        self._make = make
        self._expected = expected
        self._task: Callable[[Any], Any] | None = None

    def load(self) -> Outcome:
        """Load what all tasks need; the value is :func:`versions`."""
        set_up_process()
        return self._outcome(self._load)

    def run(self, argument: Any) -> Outcome:
        """Run a task."""
        assert self._task is not None
        task = self._task
        return self._outcome(lambda: task(argument))

    def _load(self) -> dict[str, str]:
        self._task = self._make()
        return versions()

    def _outcome(self, work: Callable[[], Any]) -> Outcome:
        value, fault, trace, begun_s = None, '', '', time.monotonic()
        try:
            value = work()
        except self._expected as error:
            fault = str(error) or type(error).__name__
        except Exception as error:
            fault, trace = f'{type(error).__name__}: {error}', traceback.format_exc()
        return Outcome(value, fault, trace, time.monotonic() - begun_s, platform.node())


def versions() -> dict[str, str]:
    """Return the versions of the local packages that affect the results, by name."""
    found = {}
    for name in _DECIDE_RESULTS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
