"""
Run the network with torch or ONNX Runtime behind one interface.

``torch`` is the reference and runs on GPUs. ``onnxruntime`` runs on CPUs without torch. With
TensorRT or CUDA, ``onnxruntime`` runs on GPUs, too.
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

from ..environment import cores, disable_telemetry
from ..weights.info import PUBLISHED, WeightsInfo
from .letterbox import Letterbox

OUTPUTS = ('depth', 'structure', 'attention')  # names and order of the outputs of a model
# Further outputs of a model with a judge. It computes them if its input of this name is true.
JUDGED, IS_JUDGED = ('log_error', 'ground'), 'judged'
# What a judge says of a pixel that it cannot judge: not certain at all, and no ground.
UNJUDGED = {'log_error': 20.0, 'ground': 0.0}
UNUSABLE_JUDGE = (
    'the judge of the network gave values that are not finite: these pixels have the confidence 0 '
    'and count as no ground; use other weights'
)
ENGINES = ('auto', 'torch', 'onnxruntime')
_MODULES = {'torch': 'torch_engine', 'onnxruntime': 'onnx_engine'}
PRECISIONS = ('float32', 'float16', 'bfloat16')
# Device files of GPU drivers: NVIDIA on desktops, on Jetsons and in WSL, and AMD.
_GPU_FILES = (
    '/dev/nvidia0',
    '/dev/nvidiactl',
    '/dev/nvhost-gpu',
    '/dev/nvgpu',
    '/dev/dxg',
    '/dev/kfd',
)


class EngineError(ValueError):
    """An engine is not installed, or its library cannot be loaded; the message names it."""


class DepthRequest(NamedTuple):
    """
    One image for the network.

    :param image: (H, W, 3) uint8 RGB.
    :param letterbox: the place of the image in the network's input.
    :param max_depth_m: depth in metres at the top of the network's range for this image.
    """

    image: np.ndarray
    letterbox: Letterbox
    max_depth_m: float


class Engine(Protocol):
    """
    The network on a device.

    ``info`` describes the weights. ``name`` is one of ``ENGINES`` except ``auto``, ``precision``
    one of ``PRECISIONS``. ``threads`` is the number of CPU threads. ``has_judge`` tells whether
    the network can judge its depth.
    """

    info: WeightsInfo
    name: str
    precision: str
    threads: int
    has_judge: bool

    @property
    def warning(self) -> str:
        """The reason why the engine is slow on this machine; empty if it is not."""
        ...

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda:N``."""
        ...

    @property
    def hardware(self) -> str:
        """The device in words."""
        ...

    def use_threads(self) -> None:
        """Set the number of CPU threads for the whole process; only a program calls this."""
        ...

    def run(
        self, requests: Sequence[DepthRequest], with_maps: bool, judged: bool = False
    ) -> list[list[np.ndarray]]:
        """
        Run the network on images; images with the same input size form one batch.

        :param requests: images of any sizes.
        :param with_maps: return the structure and attention maps, too.
        :param judged: return the judgement, too; only of a network with a judge.
        :returns: for each image its (H, W) float32 arrays at image size: the depth in metres; with
            maps also the structure map and the attention map in [0, 1]; judged also the logarithm
            of the expected error of ln(depth), and the probability of ground in [0, 1]. Where
            these are not finite, they are those of :data:`UNJUDGED`.
        :raises ValueError: if the network returns depth or a map that is not finite.
        """
        ...


@dataclass(frozen=True)
class Settings:
    """
    Options of an engine.

    :param device: ``'auto'``, ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :param precision: one of :data:`PRECISIONS`.
    :param threads: CPU threads; 0 takes one for each core that the process may use.
    :param cuda_graphs: with torch on a GPU, record the network for each size and replay it.
    :param log: called with one sentence for each slow step and each fallback.
    """

    device: str = 'auto'
    precision: str = 'float32'
    threads: int = 0
    cuda_graphs: bool = False
    log: Callable[[str], None] = field(default=logging.getLogger(__package__).warning)

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise ValueError(
                f'precision must be one of {", ".join(PRECISIONS)}, got {self.precision!r}'
            )
        kind, colon, index = self.device.partition(':')
        if not (
            self.device in ('auto', 'cpu')
            or kind == 'cuda'
            and (index.isdecimal() if colon else True)
        ):
            raise ValueError(f'device must be auto, cpu, cuda or cuda:N, got {self.device!r}')
        if self.precision == 'float16' and self.is_on_cpu:
            raise ValueError(
                'precision float16 needs a CUDA device; on a CPU use bfloat16 or float32'
            )

    @property
    def is_on_cpu(self) -> bool:
        """Whether the network certainly runs on a CPU; the check loads no library."""
        return self.device == 'cpu' or self.device == 'auto' and not may_have_gpu()

    @property
    def used_threads(self) -> int:
        """Number of CPU threads of the network, at least one."""
        return self.threads or cores()


def may_have_gpu() -> bool:
    """Return whether there may be a GPU, without torch, which takes seconds and 200 MB."""
    return sys.platform != 'linux' or any(Path(file).exists() for file in _GPU_FILES)


def input_groups(requests: Sequence[DepthRequest]) -> list[list[int]]:
    """Return the indices of the requests, grouped by input size."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(request.letterbox.input_size_px, []).append(number)
    return list(groups.values())


def check_finite(is_finite: bool, precision: str) -> None:
    """
    Refuse maps that are not finite, since a resize spreads one such value to its neighbours.

    :param is_finite: whether depth and maps of the network are finite.
    :param precision: the number format of the network, for the message.
    :raises ValueError: if they are not.
    """
    if not is_finite:
        raise ValueError(
            'the network gave depth that is not finite: the weights are damaged, or precision '
            f'{precision} is too coarse for them; use float32 or other weights'
        )


def load_engine(
    weights: str | os.PathLike | None,
    settings: Settings = Settings(),
    engine: str = 'auto',
    published: WeightsInfo = PUBLISHED,
) -> Engine:
    """
    Return the network that the weights describe, ready to run.

    :param weights: as for :class:`~s2r_depth_ros.DepthPredictor`.
    :param settings: device, precision and other options.
    :param engine: one of :data:`ENGINES`.
    :param published: range, focal length and size of published ``.pth`` files, which do not
        contain them.
    :raises s2r_depth_ros.weights.info.WeightsError: if the weights cannot be used.
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

    :param engine: one of :data:`ENGINES`. ``'auto'`` takes ONNX Runtime on a CPU, and on a GPU
        with TensorRT; else torch.
    :param settings: device and precision.
    :param is_onnx: whether the weights are an ``.onnx`` file, which torch does not read.
    :raises EngineError: if the engine is not installed, or no engine is.
    :raises ValueError: if no engine has this name.
    """
    if engine not in ENGINES:
        raise ValueError(f'engine must be one of {", ".join(ENGINES)}, got {engine!r}')
    if engine != 'auto':
        if not is_installed(engine):
            raise EngineError(
                f'engine {engine} is not installed: pip install {engine}, or use engine auto'
            )
        return engine
    installed = [name for name in ('torch', 'onnxruntime') if is_installed(name)]
    if not installed:
        raise EngineError(
            'no engine is installed to run the network: pip install onnxruntime (or torch)'
        )
    if is_onnx and 'onnxruntime' in installed:
        return 'onnxruntime'
    if len(installed) == 1:
        return installed[0]
    if settings.is_on_cpu:
        return 'onnxruntime' if settings.precision == 'float32' else 'torch'
    try:
        providers = _module('onnxruntime').onnxruntime.get_available_providers()
    except EngineError as error:
        settings.log(f'the network runs with torch: {error}')
        return 'torch'
    if settings.precision != 'bfloat16' and 'TensorrtExecutionProvider' in providers:
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
    """Return whether a library is installed; its import may still fail."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # an import hook on the path refuses or hides it
        return False


def _module(name: str) -> Any:
    """
    Import the module of an engine and with it the library.

    :raises EngineError: if the import fails, for example with a wheel for another CUDA version.
    """
    if name == 'onnxruntime':
        disable_telemetry()
    try:
        return importlib.import_module(f'.{_MODULES[name]}', __package__)
    except (ImportError, OSError) as error:
        raise EngineError(
            f'engine {name} is installed and cannot be loaded: '
            f'{" ".join(str(error).split())[:300]}'
        ) from error
