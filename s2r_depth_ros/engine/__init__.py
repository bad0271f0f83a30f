"""
Run the network by torch or ONNX Runtime behind one interface; no other module knows which.

``torch`` is the reference and runs on GPUs. ``onnxruntime`` runs on CPUs without torch, and on
GPUs if built with TensorRT or CUDA.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import importlib
import importlib.util
import logging
import os
from pathlib import Path
import sys
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..sizes import Fit
from ..weights_info import PUBLISHED, WeightsInfo

OUTPUTS = ('depth', 'structure', 'attention')  # of a model, in this order
ENGINES = ('auto', 'torch', 'onnxruntime')
_MODULES = {'torch': 'torch_engine', 'onnxruntime': 'onnx_engine'}
PRECISIONS = ('float32', 'float16', 'bfloat16')
# What a kernel with a driver for GPUs has: NVIDIA's of desktops, of Jetsons, of WSL, and AMD's.
_GPU_FILES = ('/dev/nvidia0', '/dev/nvidiactl', '/dev/nvhost-gpu', '/dev/nvgpu', '/dev/dxg',
              '/dev/kfd')


class EngineError(ValueError):
    """An engine is not installed, or its library cannot be loaded; the message says which."""


class Task(NamedTuple):
    """
    One image for the network.

    :param image: (H, W, 3) uint8 RGB.
    :param fit: how it lies in the network's input.
    :param max_depth_m: metres at the top of the range of this image.
    """

    image: np.ndarray
    fit: Fit
    max_depth_m: float


class Engine(Protocol):
    """
    The network on a device.

    ``info`` says what the weights are for, ``name`` which engine it is, ``threads`` how many CPU
    threads it has; ``device`` is ``cpu`` or ``cuda:N``.
    """

    info: WeightsInfo
    name: str
    precision: str
    threads: int

    @property
    def warning(self) -> str:
        """Return what makes it slow on this machine, empty if nothing does."""
        ...

    @property
    def device(self) -> str:
        """Return where it runs."""
        ...

    @property
    def hardware(self) -> str:
        """Return the same in words."""
        ...

    def run(self, tasks: Sequence[Task], with_maps: bool) -> list[list[np.ndarray]]:
        """
        Run the network on images; those of one input size as one batch.

        :param tasks: images of any sizes.
        :param with_maps: return structure and attention, too.
        :returns: for each image the depth in metres and, if asked for, the structure map and the
            attention map in [0, 1], each (H, W) float32 at image size.
        :raises ValueError: if the network gives depth that is not finite.
        """
        ...


@dataclass(frozen=True)
class Settings:
    """
    How to run the network.

    :param device: ``'auto'``, ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :param precision: one of :data:`PRECISIONS`.
    :param threads: CPU threads; 0 for as many as there are cores for this process.
    :param cuda_graphs: with torch on a GPU, record the network for each size and replay it.
    :param log: takes a sentence on what takes long or is not as asked for.
    """

    device: str = 'auto'
    precision: str = 'float32'
    threads: int = 0
    cuda_graphs: bool = False
    log: Callable[[str], None] = field(default=logging.getLogger(__package__).warning)

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise ValueError(
                f'precision must be one of {", ".join(PRECISIONS)}, got {self.precision!r}')
        kind, colon, index = self.device.partition(':')
        if not (self.device in ('auto', 'cpu') or kind == 'cuda' and (
                index.isdecimal() if colon else True)):
            raise ValueError(
                f'device must be auto, cpu, cuda or cuda:N, got {self.device!r}')
        if self.precision == 'float16' and self.is_on_cpu:
            raise ValueError(
                'precision float16 needs a CUDA device; on a CPU use bfloat16 or float32')

    @property
    def is_on_cpu(self) -> bool:
        """Whether it is certain, before any library is loaded, that the network runs on a CPU."""
        return self.device == 'cpu' or self.device == 'auto' and not may_have_gpu()

    @property
    def used_threads(self) -> int:
        """CPU threads of the network, at least one."""
        return self.threads or cores()


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def may_have_gpu() -> bool:
    """Return whether there may be a GPU; to ask torch would take seconds and 200 MB."""
    return sys.platform != 'linux' or any(Path(file).exists() for file in _GPU_FILES)


def input_groups(tasks: Sequence[Task]) -> list[list[int]]:
    """Return the numbers of the tasks, those of one input size together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault(task.fit.input_size_px, []).append(number)
    return list(groups.values())


def check_finite(is_finite: bool, precision: str) -> None:
    """
    Refuse depth that is not finite; a resize would spread one such value.

    :param is_finite: whether all depth of the network is finite.
    :param precision: what it was computed in.
    :raises ValueError: if it is not.
    """
    if not is_finite:
        raise ValueError(
            'the network gave depth that is not finite: the weights are damaged, or precision '
            f'{precision} is too coarse for them; use float32 or other weights')


def load_engine(
    weights: str | os.PathLike | None, settings: Settings = Settings(), engine: str = 'auto',
    published: WeightsInfo = PUBLISHED,
) -> Engine:
    """
    Return the network that the weights describe, ready to run.

    :param weights: as for :class:`~s2r_depth_ros.DepthPredictor`.
    :param settings: where and how to run it.
    :param engine: one of :data:`ENGINES`.
    :param published: what to assume of published ``.pth`` files, which do not say.
    :raises s2r_depth_ros.weights_info.WeightsError: if the weights cannot be used.
    :raises ValueError: if engine, device or precision cannot be used.
    """
    is_onnx = Path(weights or '').suffix == '.onnx'
    name = choose_engine(engine, settings, is_onnx)
    if name == 'onnxruntime':
        from .conversion import ConversionError

        try:
            return _module(name).OnnxEngine.load(weights, settings, published)
        except (ConversionError, EngineError) as error:
            if engine != 'auto' or is_onnx or not is_installed('torch'):
                raise
            settings.log(f'the network runs with torch: {error}')
    return _module('torch').TorchEngine.load(weights, settings, published)


def choose_engine(engine: str, settings: Settings, is_onnx: bool = False) -> str:
    """
    Return ``'torch'`` or ``'onnxruntime'``.

    :param engine: one of :data:`ENGINES`; ``'auto'`` takes ONNX Runtime on a CPU, and on a GPU
        where it offers TensorRT, else torch.
    :param settings: device and precision.
    :param is_onnx: whether the weights are a file that torch does not read.
    :raises EngineError: if the engine is not installed, or there is none.
    :raises ValueError: if there is no engine of this name.
    """
    if engine not in ENGINES:
        raise ValueError(f'engine must be one of {", ".join(ENGINES)}, got {engine!r}')
    if engine != 'auto':
        if not is_installed(engine):
            raise EngineError(
                f'engine {engine} is not installed: pip install {engine}, or use engine auto')
        return engine
    installed = [name for name in ('torch', 'onnxruntime') if is_installed(name)]
    if not installed:
        raise EngineError(
            'nothing is installed that runs the network: pip install onnxruntime (or torch)')
    if is_onnx and 'onnxruntime' in installed:
        return 'onnxruntime'
    if len(installed) == 1:
        return installed[0]
    if settings.is_on_cpu:
        return 'onnxruntime' if settings.precision == 'float32' else 'torch'
    try:
        offered = _module('onnxruntime').onnxruntime.get_available_providers()
    except EngineError as error:
        settings.log(f'the network runs with torch: {error}')
        return 'torch'
    if settings.precision != 'bfloat16' and 'TensorrtExecutionProvider' in offered:
        return 'onnxruntime'
    if settings.precision == 'bfloat16':
        return 'torch'
    try:
        sees_gpu = _module('torch').sees_gpu()
    except EngineError as error:
        settings.log(f'the network runs with onnxruntime: {error}')
        return 'onnxruntime'
    if settings.device == 'auto' and settings.precision == 'float32' and not sees_gpu:
        return 'onnxruntime'
    return 'torch'


def is_installed(module: str) -> bool:
    """Return whether a library is there, which is not to say that it can be loaded."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # something on the path refuses or hides it
        return False


def _module(name: str) -> Any:
    """
    Return the module of an engine, which loads its library.

    :raises EngineError: if that fails, as with the wheel of another CUDA.
    """
    try:
        return importlib.import_module(f'.{_MODULES[name]}', __package__)
    except (ImportError, OSError) as error:
        raise EngineError(
            f'engine {name} is installed and cannot be loaded: '
            f'{" ".join(str(error).split())[:300]}') from error
