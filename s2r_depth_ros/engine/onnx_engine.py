"""The network in ONNX Runtime: CPUs without torch, and GPUs by TensorRT or CUDA."""
from __future__ import annotations

from collections.abc import Sequence
import json
import os
import time
from typing import Any

import numpy as np
import onnxruntime

from ..weights_info import FORMAT, WeightsError, WeightsInfo
from . import check_finite, input_groups, may_have_gpu, OUTPUTS, pixels, Settings, Task
from .conversion import cache_folder, model_of

_CPU, _CUDA, _TENSORRT = (
    'CPUExecutionProvider', 'CUDAExecutionProvider', 'TensorrtExecutionProvider')
_PROBE_SIZE_PX = (96, 112)
_LONG_S = 5.0  # a first run that takes longer is told: TensorRT builds its engine
# How an external tensor begins to say its file; the fields of ONNX are protobuf.
_EXTERNAL = b'\n\x08location'


class OnnxEngine:
    """
    Runs a model with ONNX Runtime.

    :param model: the content of an ``.onnx`` file of this package.
    :param source: what to call it in an error.
    :param settings: where and how to run it.
    :raises WeightsError: if it is no such model, or is damaged.
    :raises ValueError: if ONNX Runtime has no provider for the device or the precision.
    """

    name = 'onnxruntime'
    warning = ''

    def __init__(self, model: bytes, source: str, settings: Settings):
        self.precision = settings.precision
        self.threads = settings.used_threads
        self._log = settings.log
        self._session = _session(model, source, settings)
        provider = self._session.get_providers()[0]
        self._builds = provider == _TENSORRT
        _, _, index = settings.device.partition(':')
        self.device = 'cpu' if provider == _CPU else f'cuda:{index or 0}'
        self.hardware = provider.removesuffix('ExecutionProvider')
        self.metadata = self._session.get_modelmeta().custom_metadata_map
        self.info = _info(self._session, source)
        self._seen: set[tuple[int, ...]] = set()
        self._prove(source)

    @classmethod
    def load(
        cls, weights: str | os.PathLike | None, settings: Settings, published: WeightsInfo,
    ) -> OnnxEngine:
        """Return the engine of these weights; see :func:`s2r_depth_ros.engine.load_engine`."""
        return cls(*model_of(weights, published, settings.log), settings)

    def run(self, tasks: Sequence[Task], with_maps: bool) -> list[list[np.ndarray]]:
        """Run the network on images; see :class:`s2r_depth_ros.engine.Engine`."""
        results: list[list[np.ndarray]] = [[] for _ in tasks]
        for group in input_groups(tasks):
            batch = np.stack([
                pixels.to_input(tasks[number].image, tasks[number].fit) for number in group])
            maps = self.infer(batch, with_maps)
            check_finite(bool(np.isfinite(maps[0]).all()), self.precision)
            for row, number in enumerate(group):
                task = tasks[number]
                results[number] = pixels.to_image_size(
                    [each[row, 0] for each in maps], task.fit, task.max_depth_m)
        return results

    def infer(self, batch: np.ndarray, with_maps: bool = False) -> list[np.ndarray]:
        """
        Return what the network makes of a batch; tell where TensorRT had to build its engine.

        :param batch: (B, 3, h, w) float32 in [-1, 1].
        :param with_maps: return structure and attention, too.
        :returns: (B, 1, h, w) float32 each: depth in [-1, 1], then maps in [0, 1].
        """
        outputs = OUTPUTS if with_maps else OUTPUTS[:1]
        if not self._builds or batch.shape in self._seen:
            return self._session.run(outputs, {'image': batch})
        start_s = time.monotonic()
        maps = self._session.run(outputs, {'image': batch})
        self._seen.add(batch.shape)
        took_s = time.monotonic() - start_s
        if took_s > _LONG_S:
            batch_size, _, height, width = batch.shape
            self._log(
                f'TensorRT built its engine for {batch_size} x {width} x {height} in '
                f'{took_s:.0f} s; it is kept for the next start')
        return maps

    def _prove(self, source: str) -> None:
        """Raise WeightsError if the model does not compute maps of the input's size."""
        probe = np.zeros((1, 3, *_PROBE_SIZE_PX), np.float32)
        try:
            maps = self._session.run(OUTPUTS, {'image': probe})
        except Exception as error:  # whatever a model can do
            raise WeightsError(f'{source} cannot be run: {_first_line(error)}') from error
        for name, values in zip(OUTPUTS, maps):
            shape = getattr(values, 'shape', None)
            if shape != (1, 1, *_PROBE_SIZE_PX):
                raise WeightsError(
                    f'{source} gives {name} of shape {shape}, expected {(1, 1, *_PROBE_SIZE_PX)}')
            low = -1.0 if name == 'depth' else 0.0
            if not (np.isfinite(values).all() and low <= values.min() and values.max() <= 1.0):
                raise WeightsError(
                    f'{source} gives {name} that is not within [{low:g}, 1]: it is damaged')


def _session(model: bytes, source: str, settings: Settings) -> Any:
    """Return the session of the first provider that works."""
    if _EXTERNAL in model:
        raise WeightsError(
            f'{source} keeps tensors in other files, which are not read: give one whole file')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is told by the exception
    options.intra_op_num_threads = settings.used_threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # which keeps 15 to 30 MB and gains nothing here
    # Threads that spin while they wait take the CPU from other processes (docs/performance.md).
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    faults = []
    for provider, provider_options in _providers(settings):
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=[(provider, provider_options)], enable_fallback=0)
        except Exception as error:  # of the model, or of a provider's libraries
            faults.append(_first_line(error))
            if provider == _CPU:
                raise WeightsError(
                    f'{source} is no model that ONNX Runtime can run: {faults[-1]}') from error
            continue
        if session.get_providers()[0] == provider:
            return session
        faults.append(f'{provider} could not be loaded')
    raise ValueError(
        f'ONNX Runtime cannot run on device {settings.device!r}: {"; ".join(faults)}')


def _providers(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """
    Return the providers to try, the best first, with their options.

    :raises ValueError: if ONNX Runtime has none for the device and the precision.
    """
    offered = onnxruntime.get_available_providers()
    precision, device = settings.precision, settings.device
    _, _, index = device.partition(':')
    on_gpu = {'device_id': int(index or 0)}
    suited: list[tuple[str, dict[str, Any]]] = []
    if device != 'cpu' and (device != 'auto' or may_have_gpu()):
        if precision in ('float32', 'float16'):
            suited.append((_TENSORRT, {
                **on_gpu, 'trt_fp16_enable': precision == 'float16',
                'trt_engine_cache_enable': True, 'trt_timing_cache_enable': True,
                'trt_engine_cache_path': str(cache_folder() / 'tensorrt'),
                'trt_timing_cache_path': str(cache_folder() / 'tensorrt')}))
        if precision == 'float32':
            suited.append((_CUDA, on_gpu))
    if device in ('auto', 'cpu') and precision == 'float32':
        suited.append((_CPU, {}))
    usable = [(name, options) for name, options in suited if name in offered]
    if not usable:
        needed = ' or '.join(name.removesuffix('ExecutionProvider') for name, _ in suited)
        raise ValueError(
            f'ONNX Runtime has no provider for device {device!r} with precision {precision}: it '
            f'needs {needed or "PyTorch in its place (engine torch)"}, and this build offers '
            f'{", ".join(name.removesuffix("ExecutionProvider") for name in offered)}')
    return usable


def _info(session: Any, source: str) -> WeightsInfo:
    """Return what the model says of itself; raise WeightsError if it is not of this package."""
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{source} is no model of this package: expected the metadata format {FORMAT!r}, got '
            f'{metadata.get("format")!r}; s2r_train export-onnx writes one')
    try:
        info = WeightsInfo(**json.loads(metadata['info']))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WeightsError(
            f'{source} does not say its range, focal length and size: {error}') from error
    inputs = [(each.name, each.type, len(each.shape)) for each in session.get_inputs()]
    outputs = [each.name for each in session.get_outputs()]
    if inputs != [('image', 'tensor(float)', 4)] or not set(OUTPUTS) <= set(outputs):
        raise WeightsError(
            f'{source} has inputs {[name for name, *_ in inputs]} and outputs {outputs}, expected '
            f"['image'] (float, 4 axes) and {list(OUTPUTS)}")
    return info


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
