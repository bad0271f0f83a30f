"""The network in PyTorch: the reference, the way to a GPU, and a CPU without ONNX Runtime."""
from __future__ import annotations

from collections.abc import Sequence
import contextlib
import os
from typing import Any

import numpy as np

from ..openmp import sleep_while_waiting

sleep_while_waiting()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from .. import depth_range  # noqa: E402
from .. import weights as weight_files  # noqa: E402
from ..network import DepthMaps, inference_form  # noqa: E402
from ..network.recorded import record_cuda_graph, RecordedNetwork  # noqa: E402
from ..sizes import Fit  # noqa: E402
from ..weights_info import WeightsInfo  # noqa: E402
from . import check_finite, input_groups, pixels, Settings, Task  # noqa: E402


class TorchEngine:
    """
    Runs a network with PyTorch.

    :param network: called as ``S2RDepthNet`` is; a copy of it runs.
    :param info: what it was trained for.
    :param settings: where and how to run it.
    :raises ValueError: if PyTorch does not see the device.
    """

    name = 'torch'

    def __init__(self, network: torch.nn.Module, info: WeightsInfo, settings: Settings):
        self.info = info
        self.precision = settings.precision
        self.threads = settings.threads or torch.get_num_threads()
        self.torch_device = torch_device(settings.device)
        self.dtype = getattr(torch, settings.precision)
        if self.torch_device.type == 'cpu' and self.precision == 'float16':
            raise ValueError(
                'precision float16 needs a CUDA device; on a CPU use bfloat16 or float32')
        self.network: Any = inference_form(network, self.torch_device)
        if self.torch_device.type == 'cuda':
            torch.backends.cudnn.benchmark = True  # sizes stay the same: the search pays
            # Weights of the precision itself; autocast would convert them for each image.
            self.network = self.network.to(self.dtype)
            if settings.cuda_graphs:
                self.network = RecordedNetwork(self.network, record_cuda_graph)

    @classmethod
    def load(
        cls, weights: str | os.PathLike | None, settings: Settings, published: WeightsInfo,
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
        """Why this precision is slow on this machine; empty if it is not."""
        if (self.precision != 'bfloat16' or self.torch_device.type != 'cpu'
                or _cpu_computes_in_bfloat16()):
            return ''
        return ('precision bfloat16 is 25 to 100 times slower than float32 on this CPU, which '
                'lacks the instructions for it (AVX-512 on x86): use float32')

    @torch.inference_mode()
    def run(self, tasks: Sequence[Task], with_maps: bool) -> list[list[np.ndarray]]:
        """Run the network on images; see :class:`s2r_depth_ros.engine.Engine`."""
        torch.set_num_threads(self.threads)  # OpenMP keeps this for each calling thread
        pending: dict[int, list[Any]] = {}
        are_finite: list[torch.Tensor] = []
        with self._as_current_device():
            for group in input_groups(tasks):
                maps = self._forward([tasks[number] for number in group])
                are_finite.append(torch.isfinite(maps.depth).all())
                for row, number in enumerate(group):
                    pending[number] = self._to_image_size(maps, row, tasks[number], with_maps)
            if self.torch_device.type == 'cuda':  # once, after all that was asked for is under way
                torch.cuda.synchronize(self.torch_device)
        check_finite(all(are_finite), self.precision)
        return [[np.asarray(values) for values in pending[number]] for number in range(len(tasks))]

    def _as_current_device(self) -> contextlib.AbstractContextManager:
        """Return the context in which streams and graphs are those of the chosen GPU."""
        if self.torch_device.type == 'cuda':
            return torch.cuda.device(self.torch_device)
        return contextlib.nullcontext()

    def _forward(self, tasks: Sequence[Task]) -> DepthMaps:
        inputs = [self._to_input(task.image, task.fit) for task in tasks]
        batch = torch.cat(inputs) if len(inputs) > 1 else inputs[0]
        if self.torch_device.type == 'cuda':
            batch = batch.to(self.dtype)
        with self.reduced_precision():
            return self.network(batch, return_maps=True)

    def reduced_precision(self) -> contextlib.AbstractContextManager:
        """Return the context in which the network runs in the chosen precision on a CPU."""
        if self.torch_device.type == 'cuda' or self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, self.dtype)

    def _to_input(self, image: np.ndarray, fit: Fit) -> torch.Tensor:
        """Return the image as the network wants it: (1, 3, H, W) in [-1, 1], on the device."""
        if self.torch_device.type == 'cpu':
            return torch.from_numpy(pixels.to_input(image, fit))[None].contiguous(
                memory_format=torch.channels_last)
        # PyTorch warns of arrays that it could not write to, such as those of Pillow.
        given = torch.from_numpy(np.require(image, requirements=('C', 'W'))).pin_memory()
        given = given.to(self.torch_device, non_blocking=True).permute(2, 0, 1)[None].float()
        resized = F.interpolate(
            given, fit.inner_size_px, mode='bilinear', antialias=True, align_corners=False)
        padded = F.pad(resized.mul_(2 / 255).sub_(1), fit.padding, mode='replicate')
        return padded.contiguous(memory_format=torch.channels_last)

    def _to_image_size(
        self, maps: DepthMaps, row: int, task: Task, with_maps: bool,
    ) -> list[Any]:
        """Cut the border off, resize, and on a GPU start the copy to the host."""
        fit = task.fit
        whole = [m[row, 0].float() for m in (
            (maps.depth, maps.structure, maps.attention) if with_maps else (maps.depth,))]
        if self.torch_device.type == 'cpu':
            return pixels.to_image_size([m.numpy() for m in whole], fit, task.max_depth_m)
        left, _, top, _ = fit.padding
        height, width = fit.inner_size_px
        inner = [m[top:top + height, left:left + width] for m in whole]
        inner[0] = depth_range.to_metres(inner[0], task.max_depth_m)
        resized = F.interpolate(
            torch.stack(inner)[None], fit.image_size_px, mode='bilinear', align_corners=False)[0]
        return [
            torch.empty(m.shape, dtype=m.dtype, pin_memory=True).copy_(m, non_blocking=True)
            for m in resized]


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
            'devices; use device auto or cpu, or install a CUDA build of PyTorch')
    return torch.device(name)


def _cpu_computes_in_bfloat16() -> bool:
    """Ask PyTorch whether its library of CPU kernels has fast ones; on x86 and ARM."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
