"""The network in PyTorch: the reference, for GPUs and for CPUs without ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import os
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .. import weights as weight_files
from ..network import DepthMaps
from ..weights.info import WeightsInfo
from . import (
    check_finite,
    depth_range,
    DepthRequest,
    input_groups,
    pixels,
    Settings,
    UNJUDGED,
    UNUSABLE_JUDGE,
)
from .contrast import equalize
from .cuda_graph import CudaGraphNetwork, record_cuda_graph
from .fusion import optimize_for_inference
from .letterbox import Letterbox


class TorchEngine:
    """
    Runs a network with PyTorch.

    :param network: has the interface of ``S2RDepthNet``; a copy of it runs.
    :param info: range, focal length and size of the training.
    :param settings: device, precision and other options.
    :raises ValueError: if PyTorch does not see the device.
    """

    name = 'torch'

    def __init__(self, network: torch.nn.Module, info: WeightsInfo, settings: Settings):
        self.info = info
        self.precision = settings.precision
        self._log, self._has_warned = settings.log, False
        self.threads = settings.threads or torch.get_num_threads()
        self.torch_device = torch_device(settings.device)
        self.dtype = getattr(torch, settings.precision)
        if self.torch_device.type == 'cpu' and self.precision == 'float16':
            raise ValueError(
                'precision float16 needs a CUDA device; on a CPU use bfloat16 or float32'
            )
        self.has_judge = getattr(network, 'judge', None) is not None
        self.network: Any = optimize_for_inference(network, self.torch_device)
        if self.torch_device.type == 'cuda':
            torch.backends.cudnn.benchmark = True  # sizes stay the same, so the search pays off
            # Converts the weights once; autocast converts them for each image.
            self.network = self.network.to(self.dtype)
            if settings.cuda_graphs:
                self.network = CudaGraphNetwork(self.network, record_cuda_graph)

    @classmethod
    def load(
        cls, weights: str | os.PathLike | None, settings: Settings, published: WeightsInfo
    ) -> TorchEngine:
        """Return the engine of these weights; see :func:`s2r_depth_ros.engine.load_engine`."""
        return cls(*weight_files.load_with_info(weights, published), settings)

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda:N``."""
        return str(self.torch_device)

    @property
    def hardware(self) -> str:
        """The device in words."""
        if self.torch_device.type == 'cuda':
            return torch.cuda.get_device_name(self.torch_device)
        return f'CPU, {self.threads} threads'

    @property
    def warning(self) -> str:
        """The reason why this precision is slow on this machine; empty if it is not."""
        if (
            self.precision != 'bfloat16'
            or self.torch_device.type != 'cpu'
            or _cpu_computes_in_bfloat16()
        ):
            return ''
        return (
            'precision bfloat16 is 25 to 100 times slower than float32 on this CPU, which '
            'lacks the instructions for it (AVX-512 on x86): use float32'
        )

    def use_threads(self) -> None:
        """Set PyTorch's number of CPU threads for the whole process."""
        torch.set_num_threads(self.threads)

    @torch.inference_mode()
    def run(
        self, requests: Sequence[DepthRequest], with_maps: bool, judged: bool = False
    ) -> list[list[np.ndarray]]:
        """Run the network on images; see :class:`s2r_depth_ros.engine.Engine`."""
        pending: dict[int, list[Any]] = {}
        are_finite: list[torch.Tensor] = []
        are_judged: list[torch.Tensor] = []
        with cpu_threads(self.threads), self._as_current_device():
            for group in input_groups(requests):
                maps = self._forward([requests[number] for number in group], judged)
                wanted = [maps.depth]
                if with_maps:
                    wanted += [maps.structure, maps.attention]
                are_finite += [torch.isfinite(values).all() for values in wanted]
                if judged and maps.judgement is not None:
                    are_judged += [torch.isfinite(values).all() for values in maps.judgement]
                    wanted += [
                        torch.nan_to_num(values, unjudged, unjudged, unjudged)
                        for values, unjudged in zip(maps.judgement, UNJUDGED.values())
                    ]
                for row, number in enumerate(group):
                    pending[number] = self._to_image_size(wanted, row, requests[number])
            if self.torch_device.type == 'cuda':  # wait once, after the last request is queued
                torch.cuda.synchronize(self.torch_device)
        check_finite(all(are_finite), self.precision)
        if not self._has_warned and not all(are_judged):
            self._has_warned = True
            self._log(UNUSABLE_JUDGE)
        return [
            [np.asarray(values) for values in pending[number]] for number in range(len(requests))
        ]

    def _as_current_device(self) -> contextlib.AbstractContextManager:
        """Return a context in which the chosen GPU is the current device."""
        if self.torch_device.type == 'cuda':
            return torch.cuda.device(self.torch_device)
        return contextlib.nullcontext()

    def _forward(self, requests: Sequence[DepthRequest], judged: bool) -> DepthMaps:
        inputs = [self._to_input(request.image, request.letterbox) for request in requests]
        batch = torch.cat(inputs) if len(inputs) > 1 else inputs[0]
        if self.torch_device.type == 'cuda':
            batch = batch.to(self.dtype)
        with self.reduced_precision():
            # Other networks with this interface have no judge.
            return self.network(batch, return_maps=True, **({'judged': True} if judged else {}))

    def reduced_precision(self) -> contextlib.AbstractContextManager:
        """Return a context in which a CPU computes in the chosen precision."""
        if self.torch_device.type == 'cuda' or self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, self.dtype)

    def _to_input(self, image: np.ndarray, letterbox: Letterbox) -> torch.Tensor:
        """Return the network's input: (1, 3, h, w) in [-1, 1], on the device."""
        if self.torch_device.type == 'cpu':
            values = pixels.to_input(image, letterbox, self.info.contrast_limit)
            return torch.from_numpy(values)[None].contiguous(memory_format=torch.channels_last)
        # PyTorch warns about read-only arrays, such as those of Pillow.
        pixels_rgb = torch.from_numpy(np.require(image, requirements=('C', 'W'))).pin_memory()
        pixels_rgb = (
            pixels_rgb.to(self.torch_device, non_blocking=True).permute(2, 0, 1)[None].float()
        )
        resized = F.interpolate(
            pixels_rgb,
            letterbox.inner_size_px,
            mode='bilinear',
            antialias=True,
            align_corners=False,
        )
        if self.info.contrast_limit:
            resized = self._equalized(resized)
        padded = F.pad(resized.mul_(2 / 255).sub_(1), letterbox.padding, mode='replicate')
        return padded.contiguous(memory_format=torch.channels_last)

    def _equalized(self, images: torch.Tensor) -> torch.Tensor:
        """Equalize an image (1, 3, h, w) of 0 to 255 on the CPU, for which the GPU waits."""
        small = images[0].round().clamp_(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        equalized = torch.from_numpy(equalize(small, self.info.contrast_limit))
        return equalized.to(self.torch_device).permute(2, 0, 1)[None].float()

    def _to_image_size(
        self, maps: Sequence[torch.Tensor], row: int, request: DepthRequest
    ) -> list[Any]:
        """Crop the border, resize, and on a GPU start the copy to the host; the depth is first."""
        letterbox = request.letterbox
        input_maps = [m[row, 0].float() for m in maps]
        if self.torch_device.type == 'cpu':
            return pixels.to_image_size(
                [m.numpy() for m in input_maps], letterbox, request.max_depth_m
            )
        left, _, top, _ = letterbox.padding
        height, width = letterbox.inner_size_px
        inner = [m[top : top + height, left : left + width] for m in input_maps]
        inner[0] = depth_range.to_metres(inner[0], request.max_depth_m)
        resized = F.interpolate(
            torch.stack(inner)[None], letterbox.image_size_px, mode='bilinear', align_corners=False
        )[0]
        return [
            torch.empty(m.shape, dtype=m.dtype, pin_memory=True).copy_(m, non_blocking=True)
            for m in resized
        ]


@contextlib.contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """
    Set PyTorch's number of CPU threads, and restore it at the end.

    :param count: at least one; OpenMP has one number for each calling thread.
    """
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def sees_gpu() -> bool:
    """Return whether PyTorch sees a GPU."""
    return torch.cuda.is_available()


def torch_device(name: str) -> torch.device:
    """
    Return the device called ``name``.

    :param name: ``'auto'`` (a GPU if there is one), ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :raises ValueError: if PyTorch does not see it.
    """
    if name == 'auto':
        return torch.device('cuda' if sees_gpu() else 'cpu')
    kind, _, index = name.partition(':')
    if kind == 'cuda' and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f'device {name!r} is not there: PyTorch sees {torch.cuda.device_count()} CUDA '
            'devices; use device auto or cpu, or install a CUDA build of PyTorch'
        )
    return torch.device(name)


def _cpu_computes_in_bfloat16() -> bool:
    """Return whether PyTorch has fast bfloat16 kernels for this CPU (x86 or ARM)."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
