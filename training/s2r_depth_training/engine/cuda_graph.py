"""A training step that is recorded once, as a CUDA graph, and then replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from s2r_depth_ros.engine.cuda_graph import record_cuda_graph

from ..data import Batch
from .stage import Stage

Results = TypeVar('Results')
Step = Callable[[Batch], Results]


def cuda_graph_step(stage: Stage) -> Callable[[Step[Results]], Step[Results]]:
    """
    Return a decorator of training steps: recorded and replayed with ``fabric.cuda_graphs``.

    :param stage: the stage of the run; without that setting the step stays as it is.
    """

    def decorator(step: Step[Results]) -> Step[Results]:
        if not stage.config.fabric.cuda_graphs:
            return step
        return CudaGraphStep(step, stage.process_batch_size)

    return decorator


class CudaGraphStep(Generic[Results]):
    """
    Trains on batches: on the first one four times, since recording takes some runs before.

    The next call overwrites the results of the last. A step on a batch of another size is not
    recorded.

    :param step: takes a batch on the device, moves the weights, and returns tensors; it must not
        wait for the device, nor do anything there that depends on values.
    :param batch_size: images of the batches to record.
    :param record: as in ``s2r_depth_ros.engine.cuda_graph``.
    """

    def __init__(
        self,
        step: Step[Results],
        batch_size: int,
        record: Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]] = record_cuda_graph,
    ):
        self._step = step
        self._batch_size = batch_size
        self._record = record
        self._input: Batch | None = None
        self._results: Results
        self._replay: Callable[[], None]

    def __call__(self, batch: Batch) -> Results:
        """Train on ``batch``; return the results of the step."""
        if len(batch.image) != self._batch_size or (
            self._input is not None and batch.image.shape != self._input.image.shape
        ):
            return self._step(batch)
        if self._input is None:
            recorded = self._input = batch._replace(
                image=batch.image.clone(),
                depth=batch.depth.clone(),
                valid_mask=batch.valid_mask.clone(),
            )
            self._results, self._replay = self._record(lambda: self._step(recorded))
        self._input.image.copy_(batch.image)
        self._input.depth.copy_(batch.depth)
        self._input.valid_mask.copy_(batch.valid_mask)
        self._replay()
        return self._results
