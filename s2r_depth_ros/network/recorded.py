"""A network that is recorded once for each shape of image and then replayed, as a CUDA graph."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from .s2r_depthnet import DepthMaps

# Each has memory of its own; a robot has a few shapes, a hostile publisher any number.
_MOST_RECORDINGS = 8
_WARM_UP_RUNS = 3  # in which libraries choose their kernels and take their memory

Made = TypeVar('Made')
# Runs a function, and returns its results and what runs it again into the same results.
Record = Callable[[Callable[[], DepthMaps]], tuple[DepthMaps, Callable[[], None]]]


class _Recording(NamedTuple):
    image: torch.Tensor
    maps: DepthMaps
    replay: Callable[[], None]


class RecordedNetwork(nn.Module):
    """
    Replays a network: a small one takes longer to be launched, kernel by kernel, than to run.

    The maps that a call returns are those of the next call with an image of the same shape, too:
    whoever needs them longer copies them, on the same stream.

    :param network: called as ``S2RDepthNet`` is, in evaluation mode.
    :param record: such as :func:`record_cuda_graph`.
    """

    def __init__(self, network: nn.Module, record: Record):
        super().__init__()
        self.network = network
        self._record = record
        self._recordings: dict[tuple[int, ...], _Recording] = {}

    def forward(self, image: torch.Tensor, return_maps: bool = False) -> torch.Tensor | DepthMaps:
        """Return what the network makes of the image; see the class for how long it lasts."""
        shape = tuple(image.shape)
        if shape not in self._recordings:
            if len(self._recordings) >= _MOST_RECORDINGS:
                self._recordings.clear()
            given = image.clone(memory_format=torch.preserve_format)
            self._recordings[shape] = _Recording(
                given, *self._record(lambda: self.network(given, return_maps=True)))
        recording = self._recordings[shape]
        recording.image.copy_(image)
        recording.replay()
        return recording.maps if return_maps else recording.maps.depth


def record_cuda_graph(function: Callable[[], Made]) -> tuple[Made, Callable[[], None]]:
    """
    Record a function of tensors on a GPU; see :data:`Record`.

    :param function: runs some times before it is recorded.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # the default stream cannot be recorded
        for _ in range(_WARM_UP_RUNS):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        maps = function()
    return maps, graph.replay
