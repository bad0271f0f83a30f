"""A training step that is recorded once, as a CUDA graph, and then replayed."""
from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from s2r_depth_ros.network.recorded import record_cuda_graph

from .data import Batch

Results = tuple[dict[str, Tensor], dict[str, Tensor]]


class RecordedStep:
    """
    Learns from batches: from the first one four times, since recording takes some runs before.

    What a call returns is overwritten by the next. Batches of another size are learnt from
    without the recording.

    :param learn: takes a batch on the device, moves the weights, and returns losses and maps; it
        must not wait for the device, nor do anything there that depends on values.
    :param batch_size: images of the batches to record.
    :param record: as in ``s2r_depth_ros.network.recorded``.
    """

    def __init__(
        self, learn: Callable[[Batch], Results], batch_size: int,
        record: Callable[[Callable[[], Results]], tuple[Results, Callable[[], None]]] = (
            record_cuda_graph),
    ):
        self._learn = learn
        self._batch_size = batch_size
        self._record = record
        self._given: Batch | None = None
        self._results: Results
        self._replay: Callable[[], None]

    def __call__(self, batch: Batch) -> Results:
        """Learn from ``batch``; return its losses and maps."""
        if len(batch.image) != self._batch_size:
            return self._learn(batch)
        if self._given is None:
            self._given = batch._replace(
                image=batch.image.clone(), depth=batch.depth.clone(), valid=batch.valid.clone())
            given = self._given
            self._results, self._replay = self._record(lambda: self._learn(given))
        self._given.image.copy_(batch.image)
        self._given.depth.copy_(batch.depth)
        self._given.valid.copy_(batch.valid)
        self._replay()
        return self._results
