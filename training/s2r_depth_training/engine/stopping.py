"""Stops a training between two steps, so that no step is lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from tqdm import tqdm

_SIGNALS = signal.SIGINT, signal.SIGTERM


class StopSignals:
    """
    A context that records Ctrl-C and SIGTERM; the second signal takes effect at once.

    Python sets signal handlers in the main thread only. In other threads, nothing changes.

    :param name: the name of the stage, for the message.
    """

    def __init__(self, name: str):
        self.came = False
        self._name = name
        self._before: dict[int, object] = {}
        self._pid = os.getpid()

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a forked reader of images: it ends with the trainer
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        tqdm.write(f'{self._name}: stops after this step, at once if asked again', file=sys.stderr)
