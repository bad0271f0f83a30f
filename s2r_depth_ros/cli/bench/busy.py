"""Network and node of this build and another in turn, with and without busy processes beside."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, ExitStack
import json
import os
import subprocess
import tempfile
import time
from typing import Any

import numpy as np

from ...outputs import DEPTH, INFO, POINTS
from .. import ToolError
from ..node_process import heed_signals
from .builds import Build, busy_processes, two_cores
from .live import live_node
from .timing import Row

LOADS = (0, 2, 4)
NETWORK_SIZES_PX = ((128, 416), (304, 400), (192, 640))
PROCESS = 'process that runs the network'
NODE = 'node'
CONFIGURED, FIRST_DEPTH = 'start to configured', 'configured and discovered to first depth'
MEMORY, END = 'resident memory', 'end after SIGINT'

_CLOCK_STEP_S = 1e-3  # a busy process may notice both at once
_ROUNDS = 2
_RUNS = 3
# Runs in either build, so it uses the public names only. It answers each line with times.
_PREDICTIONS = """
import inspect, json, sys, time
import numpy as np
from s2r_depth_ros import DepthPredictor
try:
    from s2r_depth_ros.session import keep_freed_memory
    keep_freed_memory()  # as the node does
except ImportError:
    pass
weights, threads, engine = json.loads(sys.argv[1])
options = {'engine': engine} if 'engine' in inspect.signature(DepthPredictor).parameters else {}
predictors = {}
for line in sys.stdin:
    (height, width), runs = json.loads(line)
    image = np.zeros((height, width, 3), np.uint8)
    if (height, width) not in predictors:
        predictors[height, width] = DepthPredictor(
            weights, 'cpu', network_size_px=(height, width), threads=threads, **options)
        predictors[height, width].predict([image])
    times_ms = []
    for _ in range(runs):
        begun_s = time.perf_counter()
        predictors[height, width].predict([image])
        times_ms.append((time.perf_counter() - begun_s) * 1e3)
    with open('/proc/self/status') as status:
        memory_kb = next(line for line in status if line.startswith('VmRSS')).split()[1]
    print(json.dumps([times_ms, int(memory_kb) / 1024]), flush=True)
"""

Figures = dict[tuple[str, str], dict[int, list[float]]]
"""Of each section and name, for each build by its number: milliseconds, or MB."""


def network_section(load: int) -> str:
    """Return the heading of the network beside so many busy processes."""
    return f'image to depth beside {load} busy processes'


def node_section(load: int) -> str:
    """Return the heading of the node's ages beside so many busy processes."""
    return f'node over DDS beside {load} busy processes'


def age_name(output: str) -> str:
    """Return the name of the age of an output of the node."""
    return f'age of {output} when received'


def busy_rows(
    builds: Sequence[Build], parameters: dict[str, Any], image_size_px: tuple[int, int],
    rate_hz: float, seconds: float,
) -> list[Row]:
    """
    Measure builds in turn on two cores, alone and beside busy processes.

    :param builds: this one, and one to compare with or none.
    :param parameters: of the node; weights, threads and engine are those of the network, too.
    :param image_size_px: (height, width) of the node's camera.
    :param rate_hz: of the node's camera.
    :param seconds: of each measurement of each build.
    :raises ToolError: if a build cannot be run.
    """
    figures: Figures = defaultdict(lambda: defaultdict(list))
    with two_cores():
        _measure_network(figures, builds, parameters, seconds)
        for number in range(_ROUNDS):
            order = [*enumerate(builds)]
            for index, build in order if number % 2 == 0 else reversed(order):
                _measure_node(
                    figures, index, build, parameters, image_size_px, rate_hz, seconds / _ROUNDS)
    sections = [*dict.fromkeys(section for section, _ in figures)]
    return [_row(*place, figures[place]) for section in sections
            for place in figures if place[0] == section]


def _row(section: str, name: str, figures: dict[int, list[float]]) -> Row:
    """Return this build's figures, and those of the other beside."""
    medians = [float(np.median(figures[index])) for index in sorted(figures)]
    unit = 'MB' if 'memory' in name else 'ms'
    beside = {f'other build ({unit})': medians[1], 'ratio': medians[0] / medians[1]} if (
        len(medians) > 1) else {}
    if unit == 'MB':
        return Row(section, name, values={'MB': medians[0], **beside})
    return Row.of(section, name, figures[0], **beside)


def _measure_network(
    figures: Figures, builds: Sequence[Build], parameters: dict[str, Any], seconds: float,
) -> None:
    job = json.dumps([parameters[name] for name in ('weights', 'threads', 'engine')])
    with ExitStack() as stack:
        children = []
        for index, build in enumerate(builds):
            begun_s = time.monotonic()
            child = stack.enter_context(_predictions(build, job))
            _, memory_mb = _ask(build, child, NETWORK_SIZES_PX[0], 0)
            figures[PROCESS, 'start to first depth'][index].append(
                (time.monotonic() - begun_s) * 1e3)
            figures[PROCESS, 'memory after the first depth'][index].append(memory_mb)
            children.append(child)
        for size_px in NETWORK_SIZES_PX[1:]:
            for build, child in zip(builds, children):
                _ask(build, child, size_px, 0)
        for load in LOADS:
            with busy_processes(load):
                for size_px in NETWORK_SIZES_PX:
                    name = f'{size_px[1]} x {size_px[0]}'
                    end_s = time.monotonic() + seconds * len(builds)
                    while not figures[network_section(load), name] or time.monotonic() < end_s:
                        for index, (build, child) in enumerate(zip(builds, children)):
                            times_ms, _ = _ask(build, child, size_px, _RUNS)
                            figures[network_section(load), name][index] += times_ms


@contextmanager
def _predictions(build: Build, job: str) -> Iterator[subprocess.Popen]:
    """Give a process of this build that runs the network when it is asked to."""
    with tempfile.TemporaryDirectory(prefix='s2r-bench-') as folder:
        process = subprocess.Popen(
            [build.python, '-c', _PREDICTIONS, job], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            env=build.environment(os.environ), preexec_fn=heed_signals)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _ask(
    build: Build, process: subprocess.Popen, size_px: tuple[int, int], runs: int,
) -> tuple[list[float], float]:
    """Return the times of so many runs in ms, and the resident memory in MB."""
    try:
        process.stdin.write(json.dumps([size_px, runs]) + '\n')  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return json.loads(process.stdout.readline())  # type: ignore[union-attr]
    except (OSError, ValueError) as error:
        said = process.stderr.read().strip() or 'it said nothing'  # type: ignore[union-attr]
        raise ToolError(
            f'{build.python} cannot run the network: {said.splitlines()[-1]}') from error


def _measure_node(
    figures: Figures, index: int, build: Build, parameters: dict[str, Any],
    image_size_px: tuple[int, int], rate_hz: float, seconds: float,
) -> None:
    outputs = (DEPTH, INFO, POINTS)
    with live_node(parameters, image_size_px, rate_hz, 1, outputs, build) as node:
        figures[NODE, CONFIGURED][index].append(node.configured_s * 1e3)
        ready_s = max(node.configured_s, node.discovered_s)
        figures[NODE, FIRST_DEPTH][index].append(
            max(node.first_depth_s - ready_s, _CLOCK_STEP_S) * 1e3)
        for load in LOADS:
            with busy_processes(load):
                seen = node.measure(seconds)
            for output in (DEPTH, POINTS):
                figures[node_section(load), age_name(output)][index] += (
                    seen.ages_ms[output])
            if load == 0:
                figures[NODE, MEMORY][index].append(seen.memory_mb)
        figures[NODE, END][index].append(node.stop() * 1e3)
