"""The interface of a loader: epochs of batches, from any step on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

BatchT = TypeVar('BatchT')
BatchT_co = TypeVar('BatchT_co', covariant=True)


class Loader(Protocol[BatchT_co]):
    """Epochs of batches, each a function of (seed, epoch, place in the epoch) alone."""

    @property
    def corrupt_files(self) -> set[str]:
        """Messages about the corrupt files that were left out so far."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that must not change if a run continues."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raise where that is no longer the same."""

    def __len__(self) -> int:
        """Return how many batches :meth:`epoch` yields."""

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[BatchT_co]:
        """Return the batches of one epoch, beginning with batch ``start_batch``."""


def batches_from(loader: Loader[BatchT], step: int) -> Iterator[BatchT]:
    """
    Yield batches for ever, one epoch after the other, beginning where step ``step`` would be.

    :param loader: makes the epochs.
    :param step: how many batches were taken before.
    """
    epoch, start_batch = divmod(step, len(loader))
    while True:
        yield from loader.epoch(epoch, start_batch)
        epoch, start_batch = epoch + 1, 0


def close_loader(loader: object) -> None:
    """End the processes of a loader that has a method ``close`` for it."""
    close = getattr(loader, 'close', None)
    if close is not None:
        close()
