"""The network in ONNX Runtime: on CPUs without torch, and on GPUs with TensorRT or CUDA."""

from __future__ import annotations

from collections.abc import Sequence
import json
import os
import time
from typing import Any

import numpy as np
import onnxruntime

from ..weights.info import FORMAT, WeightsError, WeightsInfo
from . import (
    check_finite,
    DepthRequest,
    input_groups,
    IS_JUDGED,
    JUDGED,
    may_have_gpu,
    OUTPUTS,
    pixels,
    Settings,
    UNJUDGED,
    UNUSABLE_JUDGE,
)
from .conversion import cache_folder, model_of

_CPU, _CUDA, _TENSORRT = (
    'CPUExecutionProvider',
    'CUDAExecutionProvider',
    'TensorrtExecutionProvider',
)
_PROBE_SIZE_PX = (96, 112)
# Ranges of the outputs that are not in [0, 1]. The logarithm of an error is far within its range.
_LIMITS = {'depth': (-1.0, 1.0), 'log_error': (-100.0, 100.0)}
_LONG_S = 5.0  # a longer first run is logged, since TensorRT builds its engine in it
# First bytes of the file name of an external tensor, in protobuf.
_EXTERNAL = b'\n\x08location'


class OnnxEngine:
    """
    Runs a model with ONNX Runtime.

    :param model: the content of an ``.onnx`` file of this package.
    :param source: name of the model in error messages.
    :param settings: device, precision and other options.
    :raises WeightsError: if the model is damaged, or not of this package.
    :raises ValueError: if ONNX Runtime has no provider for the device or the precision.
    """

    name = 'onnxruntime'
    warning = ''

    def __init__(self, model: bytes, source: str, settings: Settings):
        self.precision = settings.precision
        self.threads = settings.used_threads
        self._log, self._has_warned = settings.log, False
        self._session = _session(model, source, settings)
        provider = self._session.get_providers()[0]
        self._builds_engines = provider == _TENSORRT
        _, _, index = settings.device.partition(':')
        self.device = 'cpu' if provider == _CPU else f'cuda:{index or 0}'
        self.hardware = provider.removesuffix('ExecutionProvider')
        self.metadata = self._session.get_modelmeta().custom_metadata_map
        self.info = _info(self._session, source)
        self.has_judge = _has_judge(self._session, source)
        self._outputs = (*OUTPUTS, *JUDGED) if self.has_judge else OUTPUTS
        self._built_shapes: set[tuple[int, ...]] = set()
        self._prove(source)

    @classmethod
    def load(
        cls, weights: str | os.PathLike | None, settings: Settings, published: WeightsInfo
    ) -> OnnxEngine:
        """Return the engine of these weights; see :func:`s2r_depth_ros.engine.load_engine`."""
        return cls(*model_of(weights, published, settings.log), settings)

    def use_threads(self) -> None:
        """Do nothing, since the session has its own threads."""

    def run(
        self, requests: Sequence[DepthRequest], with_maps: bool, judged: bool = False
    ) -> list[list[np.ndarray]]:
        """Run the network on images; see :class:`s2r_depth_ros.engine.Engine`."""
        results: list[list[np.ndarray]] = [[] for _ in requests]
        for group in input_groups(requests):
            batch = np.stack(
                [
                    pixels.to_input(
                        requests[number].image,
                        requests[number].letterbox,
                        self.info.contrast_limit,
                    )
                    for number in group
                ]
            )
            maps = self.infer(batch, with_maps, judged)
            count = len(OUTPUTS) if with_maps else 1
            check_finite(all(np.isfinite(values).all() for values in maps[:count]), self.precision)
            maps[count:] = self._usable(maps[count:])
            for row, number in enumerate(group):
                request = requests[number]
                results[number] = pixels.to_image_size(
                    [values[row, 0] for values in maps], request.letterbox, request.max_depth_m
                )
        return results

    def _usable(self, judgement: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the judgement with :data:`UNJUDGED` where it is not finite; say so once."""
        if all(np.isfinite(values).all() for values in judgement):
            return list(judgement)
        if not self._has_warned:
            self._has_warned = True
            self._log(UNUSABLE_JUDGE)
        return [
            np.nan_to_num(values, nan=unjudged, posinf=unjudged, neginf=unjudged)
            for values, unjudged in zip(judgement, UNJUDGED.values())
        ]

    def infer(
        self, batch: np.ndarray, with_maps: bool = False, judged: bool = False
    ) -> list[np.ndarray]:
        """
        Run the network on a batch; log a sentence if TensorRT built its engine.

        :param batch: (B, 3, h, w) float32 in [-1, 1].
        :param with_maps: return the structure and attention maps, too.
        :param judged: return the judgement, too, if the model has a judge.
        :returns: (B, 1, h, w) float32 arrays: depth in [-1, 1], then maps in [0, 1]; judged also
            those of :data:`JUDGED`.
        """
        outputs: tuple[str, ...] = OUTPUTS if with_maps else OUTPUTS[:1]
        feed = {'image': batch}
        if judged and self.has_judge:
            outputs += JUDGED
            feed[IS_JUDGED] = np.array(True)
        if not self._builds_engines or batch.shape in self._built_shapes:
            return self._session.run(outputs, feed)
        start_s = time.monotonic()
        maps = self._session.run(outputs, feed)
        self._built_shapes.add(batch.shape)
        duration_s = time.monotonic() - start_s
        if duration_s > _LONG_S:
            batch_size, _, height, width = batch.shape
            self._log(
                f'TensorRT built its engine for {batch_size} x {width} x {height} in '
                f'{duration_s:.0f} s; it is kept for the next start'
            )
        return maps

    def _prove(self, source: str) -> None:
        """Raise WeightsError if the model does not compute maps of the input's size."""
        probe = np.zeros((1, 3, *_PROBE_SIZE_PX), np.float32)
        try:
            maps = self.infer(probe, with_maps=True, judged=True)
        except Exception as error:  # a damaged model raises any class
            raise WeightsError(f'{source} cannot be run: {_first_line(error)}') from error
        for name, values in zip(self._outputs, maps):
            shape = getattr(values, 'shape', None)
            if shape != (1, 1, *_PROBE_SIZE_PX):
                raise WeightsError(
                    f'{source} gives {name} of shape {shape}, expected {(1, 1, *_PROBE_SIZE_PX)}'
                )
            low, high = _LIMITS.get(name, (0.0, 1.0))
            if not (np.isfinite(values).all() and low <= values.min() and values.max() <= high):
                raise WeightsError(
                    f'{source} gives {name} that is not within [{low:g}, {high:g}]: it is damaged'
                )


def _session(model: bytes, source: str, settings: Settings) -> Any:
    """Return a session of the first provider that loads."""
    if _EXTERNAL in model:
        raise WeightsError(
            f'{source} keeps tensors in other files, which are not read: use a single file'
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the exception carries the fault
    options.intra_op_num_threads = settings.used_threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # saves 15 to 30 MB at the same speed
    # Spinning threads take the CPU from other processes (docs/explanation/performance.md).
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    faults = []
    for provider, provider_options in _providers(settings):
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=[(provider, provider_options)], enable_fallback=0
            )
        except Exception as error:  # a fault of the model, or of a provider's libraries
            faults.append(_first_line(error))
            if provider == _CPU:
                raise WeightsError(
                    f'{source} is not a model that ONNX Runtime can run: {faults[-1]}'
                ) from error
            continue
        if session.get_providers()[0] == provider:
            return session
        faults.append(f'{provider} could not be loaded')
    raise ValueError(f'ONNX Runtime cannot run on device {settings.device!r}: {"; ".join(faults)}')


def _providers(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """
    Return the providers to try with their options, the fastest first.

    :raises ValueError: if ONNX Runtime has no provider for the device and the precision.
    """
    available = onnxruntime.get_available_providers()
    precision, device = settings.precision, settings.device
    _, _, index = device.partition(':')
    gpu_options = {'device_id': int(index or 0)}
    candidates: list[tuple[str, dict[str, Any]]] = []
    if device != 'cpu' and (device != 'auto' or may_have_gpu()):
        if precision in ('float32', 'float16'):
            candidates.append(
                (
                    _TENSORRT,
                    {
                        **gpu_options,
                        'trt_fp16_enable': precision == 'float16',
                        'trt_engine_cache_enable': True,
                        'trt_timing_cache_enable': True,
                        'trt_engine_cache_path': str(cache_folder() / 'tensorrt'),
                        'trt_timing_cache_path': str(cache_folder() / 'tensorrt'),
                    },
                )
            )
        if precision == 'float32':
            candidates.append((_CUDA, gpu_options))
    if device in ('auto', 'cpu') and precision == 'float32':
        candidates.append((_CPU, {}))
    usable = [(name, options) for name, options in candidates if name in available]
    if not usable:
        providers = ' or '.join(name.removesuffix('ExecutionProvider') for name, _ in candidates)
        raise ValueError(
            f'ONNX Runtime has no provider for device {device!r} with precision {precision}: it '
            f'needs {providers or "PyTorch in its place (engine torch)"}, and this build offers '
            f'{", ".join(name.removesuffix("ExecutionProvider") for name in available)}'
        )
    return usable


def _info(session: Any, source: str) -> WeightsInfo:
    """Return the metadata of the model; raise WeightsError if it is not of this package."""
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{source} is not a model of this package: expected the metadata format {FORMAT!r}, '
            'got '
            f'{metadata.get("format")!r}; s2r_train export-onnx writes one'
        )
    try:
        info = WeightsInfo(**json.loads(metadata['info']))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WeightsError(
            f'{source} does not say its range, focal length and size: {error}'
        ) from error
    inputs = [(node.name, node.type, len(node.shape)) for node in session.get_inputs()]
    outputs = [node.name for node in session.get_outputs()]
    if inputs != [('image', 'tensor(float)', 4)] or not set(OUTPUTS) <= set(outputs):
        raise WeightsError(
            f'{source} has inputs {[name for name, *_ in inputs]} and outputs {outputs}, expected '
            f"['image'] (float, 4 axes) and {list(OUTPUTS)}"
        )
    return info


def _has_judge(session: Any, source: str) -> bool:
    """Return whether the model has a judge; raise WeightsError if it has a part of one only."""
    outputs = {output.name for output in session.get_outputs()}
    optional = {each.name for each in session.get_overridable_initializers()}
    missing = [name for name in (*JUDGED, IS_JUDGED) if name not in outputs | optional]
    is_whole, has_none = not missing, len(missing) == len(JUDGED) + 1
    try:
        architecture = json.loads(session.get_modelmeta().custom_metadata_map['architecture'])
        is_promised = bool(architecture.get('judge_channels'))
    except (KeyError, AttributeError, ValueError, RecursionError):  # of another program
        is_promised = False
    if is_whole or has_none and not is_promised:
        return is_whole
    raise WeightsError(
        f'{source} has lost {", ".join(missing)} of its judge: expected the outputs '
        f'{", ".join(JUDGED)} and the optional input {IS_JUDGED}; a tool that simplifies models '
        'removes them, so write it again with s2r_train export-onnx'
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
