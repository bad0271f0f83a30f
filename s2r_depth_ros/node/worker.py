"""The newest image of each camera, and the worker thread that processes them."""

from __future__ import annotations

from collections.abc import Callable
import math
import threading
import time
from typing import Generic, TypeVar

Item = TypeVar('Item')

_RATE_CHECK_S = 0.2


class NewestImages(Generic[Item]):
    """One slot per camera: a new image replaces an image that is still in the slot."""

    def __init__(self) -> None:
        self._images: dict[str, Item] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, camera: str, image: Item) -> Item | None:
        """
        Store the newest image of a camera.

        :returns: the replaced image, which is now dropped, or None. After :meth:`close`, the given
            image.
        """
        with self._changed:
            if self._closed:
                return image
            replaced = self._images.get(camera)
            self._images[camera] = image
            self._changed.notify()
            return replaced

    def take(self) -> dict[str, Item]:
        """Wait for an image, and return the newest of each camera; empty after :meth:`close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._images or self._closed)
            images, self._images = self._images, {}
            return {} if self._closed else images

    def wait_closed(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for :meth:`close`; return whether it was called."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout_s)

    def close(self) -> None:
        """Wake all waiting threads; accept and return no more images."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker(Generic[Item]):
    """
    One thread that passes the newest images of all cameras to ``process``, batch after batch.

    :param process: called with the images by camera.
    :param max_rate_hz: returns the maximum number of batches a second, 0 for no limit. A change
        takes effect at once.
    :param on_error: called with an exception of ``process``; the worker then continues with the
        next batch.
    """

    def __init__(
        self,
        process: Callable[[dict[str, Item]], None],
        max_rate_hz: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.images: NewestImages[Item] = NewestImages()
        self._process = process
        self._max_rate_hz = max_rate_hz
        self._on_error = on_error
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)
        self._thread.start()

    def stop(self, patience_s: float | None = None) -> None:
        """
        Finish the current batch and end the thread; waiting images are dropped.

        :param patience_s: time limit in seconds, None for no limit. After it, the call returns
            while the thread still runs.
        """
        self.images.close()
        self._thread.join(patience_s)

    def _run(self) -> None:
        started_s = -math.inf
        while self._wait_until_due(started_s) and (images := self.images.take()):
            started_s = time.monotonic()
            try:
                self._process(images)
            except Exception as error:  # no exception may stop the cameras
                self._on_error(error)

    def _wait_until_due(self, started_s: float) -> bool:
        """Wait until the rate permits the next batch; return False if closed meanwhile."""
        while (rate_hz := self._max_rate_hz()) > 0:
            early_s = started_s + 1 / rate_hz - time.monotonic()
            if not early_s > 0:  # also if NaN: the first batch at a rate near zero
                break
            if self.images.wait_closed(min(early_s, _RATE_CHECK_S)):
                return False
        return True
