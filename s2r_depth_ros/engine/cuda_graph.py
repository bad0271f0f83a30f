"""Record a network as a CUDA graph once for each image shape, and replay it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from ..network.s2r_depthnet import DepthMaps

# Each recording has its own memory. A robot has few image shapes; a hostile publisher sends many.
_MOST_RECORDINGS = 8
_WARM_UP_RUNS = 3  # the libraries choose kernels and allocate memory in these runs

Result = TypeVar('Result')
# Records a function. Returns its results and a function that computes them again in place.
Record = Callable[[Callable[[], DepthMaps]], tuple[DepthMaps, Callable[[], None]]]


class _Recording(NamedTuple):
    image: torch.Tensor
    maps: DepthMaps
    replay: Callable[[], None]


class CudaGraphNetwork(nn.Module):
    """
    Replays a network as one CUDA graph, to avoid the launch of each small kernel.

    The next call with an image of the same shape overwrites the returned maps. To keep them, copy
    them on the same stream.

    :param network: has the interface of ``S2RDepthNet``, in evaluation mode.
    :param record: records a function, such as :func:`record_cuda_graph`.
    """

    def __init__(self, network: nn.Module, record: Record):
        super().__init__()
        self.network = network
        self._record = record
        self._recordings: dict[tuple[int, ...], _Recording] = {}

    def forward(
        self, image: torch.Tensor, return_maps: bool = False, judged: bool = False
    ) -> torch.Tensor | DepthMaps:
        """Return the depth or the maps of the image; the next call overwrites them."""
        key = (*image.shape, judged)
        if key not in self._recordings:
            if len(self._recordings) >= _MOST_RECORDINGS:
                self._recordings.clear()
            static_image = image.clone(memory_format=torch.preserve_format)
            asked = {'judged': True} if judged else {}  # other networks have no judge
            self._recordings[key] = _Recording(
                static_image,
                *self._record(lambda: self.network(static_image, return_maps=True, **asked)),
            )
        recording = self._recordings[key]
        recording.image.copy_(image)
        recording.replay()
        return recording.maps if return_maps else recording.maps.depth


def record_cuda_graph(function: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
    """
    Record a function of tensors on a GPU; see :data:`Record`.

    :param function: runs three times before the recording.
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
