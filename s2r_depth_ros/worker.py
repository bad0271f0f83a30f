"""The newest frame of each camera, and the one thread that works on them."""
from __future__ import annotations

from collections.abc import Callable
import threading
import time
from typing import Generic, TypeVar

Frame = TypeVar('Frame')


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

    def close(self) -> dict[str, Frame]:
        """Wake all who wait, take no more frames, and return those that nobody has taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            frames, self._frames = self._frames, {}
            return frames


class Worker(Generic[Frame]):
    """
    One thread that hands the newest frames of all cameras to ``process``, batch after batch.

    :param process: called with the frames by camera; must not raise.
    :param max_rate_hz: returns how many batches a second to start at most, 0 for no limit; asked
        before each batch, so that it may change.
    """

    def __init__(
        self, process: Callable[[dict[str, Frame]], None], max_rate_hz: Callable[[], float],
    ) -> None:
        self.frames: NewestFrames[Frame] = NewestFrames()
        self._process = process
        self._max_rate_hz = max_rate_hz
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Frame]:
        """Finish the batch under way, end the thread, and return the frames left over."""
        left_over = self.frames.close()
        self._thread.join()
        return left_over

    def _run(self) -> None:
        started_s = -float('inf')
        while True:
            rate_hz = self._max_rate_hz()
            early_s = started_s + 1 / rate_hz - time.monotonic() if rate_hz > 0 else 0.0
            if early_s > 0 and self.frames.wait_closed(early_s):
                return
            frames = self.frames.take()
            if not frames:
                return
            started_s = time.monotonic()
            self._process(frames)
