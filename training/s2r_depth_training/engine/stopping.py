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
    Notes Ctrl-C and SIGTERM while it is entered; the second one acts at once.

    Only the main thread can; in others nothing changes.

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
        if os.getpid() != self._pid:  # forked, to read images: it ends with the trainer
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        tqdm.write(f'{self._name}: stops after this step, at once if asked again', file=sys.stderr)
