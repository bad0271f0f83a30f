"""`s2r bench`: measure the cost of the network on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import time
from typing import Any

import numpy as np

from ..depth.predictor import DepthPredictor
from ..ros.session import keep_freed_memory
from . import ToolError
from .options import BenchOptions

_CAMERAS = (1, 2, 4)  # cameras whose images share one run of the network
_LEAST_RUNS = 5


def run(options: BenchOptions) -> int:
    """Print the cost of the network, and return the exit code."""
    keep_freed_memory()  # as the node does
    try:
        predictor = DepthPredictor(**options.parameters, network_size_px=options.network_size)
    except ValueError as error:  # WeightsError too
        raise ToolError(str(error)) from error
    engine = predictor.engine
    height, width = predictor.letterbox(options.image_size).input_size_px
    print(
        f'{options.parameters["weights"]}, {engine.name} on {engine.device}, {engine.precision}, '
        f'{width} x {height} pixels'
    )
    rgb = np.random.default_rng(0).integers(0, 256, (*options.image_size, 3), np.uint8)
    size = f'{options.image_size[1]} x {options.image_size[0]}'
    print(f'{f"from images of {size} to metres":32}{"median":>12}{"p95":>12}{"rate":>12}')
    for cameras in _CAMERAS:
        times_ms = _times_ms(partial(predictor.predict, [rgb] * cameras), options.seconds)
        median_ms, p95_ms = np.percentile(times_ms, (50, 95))
        name = f'{cameras} camera{"s" if cameras > 1 else ""}'
        print(f'{name:32}{median_ms:9.1f} ms{p95_ms:9.1f} ms{1000 / median_ms:9.1f} Hz')
    return 0


def _times_ms(work: Callable[[], Any], seconds: float) -> list[float]:
    """Return the time of each run in ms, after one uncounted run."""
    work()
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(times_ms) < _LEAST_RUNS or time.perf_counter() < end_s:
        begun_s = time.perf_counter()
        work()
        times_ms.append((time.perf_counter() - begun_s) * 1e3)
    return times_ms
