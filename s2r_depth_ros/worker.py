"""The newest frame of each camera, and the one thread that works on them."""
from __future__ import annotations

from collections.abc import Callable
import math
import threading
import time
from typing import Generic, TypeVar

Frame = TypeVar('Frame')

_RATE_CHECK_S = 0.2


class NewestFrames(Generic[Frame]):
    """One slot per camera: a new frame takes the place of one that nobody has taken yet."""

    def __init__(self) -> None:
        self._frames: dict[str, Frame] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, camera: str, frame: Frame) -> Frame | None:
        """
        Store the newest frame of a camera.

        :returns: the frame whose place it took, which is now dropped, or None; the frame itself
            after :meth:`close`.
        """
        with self._changed:
            if self._closed:
                return frame
            replaced = self._frames.get(camera)
            self._frames[camera] = frame
            self._changed.notify()
            return replaced

    def take(self) -> dict[str, Frame]:
        """Wait for a frame, and return the newest of each camera; empty once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closed)
            frames, self._frames = self._frames, {}
            return {} if self._closed else frames

    def wait_closed(self, timeout_s: float) -> bool:
        """Wait at most so long for :meth:`close`; return whether it was called."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout_s)

    def close(self) -> None:
        """Wake all who wait, and take and give no more frames."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker(Generic[Frame]):
    """
    One thread that hands the newest frames of all cameras to ``process``, batch after batch.

    :param process: called with the frames by camera.
    :param max_rate_hz: returns how many batches a second to start at most, 0 for no limit; a
        change counts at once.
    :param on_error: told of an exception out of ``process``; the next batch is tried all the same.
    """

    def __init__(
        self, process: Callable[[dict[str, Frame]], None], max_rate_hz: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.frames: NewestFrames[Frame] = NewestFrames()
        self._process = process
        self._max_rate_hz = max_rate_hz
        self._on_error = on_error
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)
        self._thread.start()

    def stop(self, patience_s: float | None = None) -> None:
        """
        Finish the batch under way and end the thread; frames that wait are dropped.

        :param patience_s: seconds after which the thread is left to itself; None waits.
        """
        self.frames.close()
        self._thread.join(patience_s)

    def _run(self) -> None:
        started_s = -math.inf
        while self._wait_until_due(started_s) and (frames := self.frames.take()):
            started_s = time.monotonic()
            try:
                self._process(frames)
            except Exception as error:  # whatever it is, the cameras go on
                self._on_error(error)

    def _wait_until_due(self, started_s: float) -> bool:
        """Wait as long as the rate demands; return False if closed meanwhile."""
        while (rate_hz := self._max_rate_hz()) > 0:
            early_s = started_s + 1 / rate_hz - time.monotonic()
            if not early_s > 0:  # nor if it is NaN: the first batch at a rate of nearly nothing
                break
            if self.frames.wait_closed(min(early_s, _RATE_CHECK_S)):
                return False
        return True
