"""Measure network and node of two builds in turn, with and without busy processes."""

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

from s2r_depth_ros.cli import ToolError
from s2r_depth_ros.cli.node_process import heed_signals
from s2r_depth_ros.ros.outputs import DEPTH, INFO, POINTS

from .builds import Build, busy_processes, two_cores
from .live import live_node
from .timing import Measurement

LOADS = (0, 2, 4)
NETWORK_SIZES_PX = ((128, 416), (304, 400), (192, 640))
PROCESS = 'process that runs the network'
NODE = 'node'
CONFIGURED, FIRST_DEPTH = 'start to configured', 'configured and discovered to first depth'
MEMORY, END = 'resident memory', 'end after SIGINT'

_CLOCK_STEP_S = 1e-3  # least time: a busy process may see both events together
_ROUNDS = 2
_RUNS = 3
# This program runs in either build, so it uses only public names. It answers each line with times.
_PREDICTIONS = """
import importlib, inspect, json, sys, time
import numpy as np
def call(name, *modules):
    for module in modules:
        try:
            getattr(importlib.import_module(module), name)()
        except ImportError:  # of another build
            pass
# As the node does.
call('set_up_process', 's2r_depth_ros.environment')
call('keep_freed_memory', 's2r_depth_ros.ros.session', 's2r_depth_ros.session')
from s2r_depth_ros import DepthPredictor
weights, threads, engine = json.loads(sys.argv[1])
load = getattr(DepthPredictor, 'from_weights', DepthPredictor)
options = {'engine': engine} if 'engine' in inspect.signature(load).parameters else {}
predictors = {}
for line in sys.stdin:
    (height, width), runs = json.loads(line)
    image = np.zeros((height, width, 3), np.uint8)
    if (height, width) not in predictors:
        predictors[height, width] = load(
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
"""For each section and name, the milliseconds or MB of each build by its number."""


def network_section(load: int) -> str:
    """Return the heading for the network beside ``load`` busy processes."""
    return f'image to depth beside {load} busy processes'


def node_section(load: int) -> str:
    """Return the heading for the node's ages beside ``load`` busy processes."""
    return f'node over DDS beside {load} busy processes'


def age_name(output: str) -> str:
    """Return the row name for the age of an output of the node."""
    return f'age of {output} when received'


def busy_rows(
    builds: Sequence[Build],
    parameters: dict[str, Any],
    image_size_px: tuple[int, int],
    rate_hz: float,
    seconds: float,
) -> list[Measurement]:
    """
    Measure builds in turn on two cores, without and with busy processes.

    :param builds: this build, and optionally one to compare with.
    :param parameters: of the node; the network uses the same weights, threads and engine.
    :param image_size_px: (height, width) of the node's camera.
    :param rate_hz: of the node's camera.
    :param seconds: of each measurement of each build.
    :raises ToolError: if a build does not run.
    """
    figures: Figures = defaultdict(lambda: defaultdict(list))
    with two_cores():
        _measure_network(figures, builds, parameters, seconds)
        for number in range(_ROUNDS):
            order = [*enumerate(builds)]
            for index, build in order if number % 2 == 0 else reversed(order):
                _measure_node(
                    figures, index, build, parameters, image_size_px, rate_hz, seconds / _ROUNDS
                )
    sections = [*dict.fromkeys(section for section, _ in figures)]
    return [
        _row(*place, figures[place])
        for section in sections
        for place in figures
        if place[0] == section
    ]


def _row(section: str, name: str, figures: dict[int, list[float]]) -> Measurement:
    """Return a row with this build's figures and those of the other build."""
    medians = [float(np.median(figures[index])) for index in sorted(figures)]
    unit = 'MB' if 'memory' in name else 'ms'
    beside = (
        {f'other build ({unit})': medians[1], 'ratio': medians[0] / medians[1]}
        if (len(medians) > 1)
        else {}
    )
    if unit == 'MB':
        return Measurement(section, name, values={'MB': medians[0], **beside})
    return Measurement.of(section, name, figures[0], **beside)


def _measure_network(
    figures: Figures, builds: Sequence[Build], parameters: dict[str, Any], seconds: float
) -> None:
    job = json.dumps([parameters[name] for name in ('weights', 'threads', 'engine')])
    with ExitStack() as stack:
        children = []
        for index, build in enumerate(builds):
            begun_s = time.monotonic()
            child = stack.enter_context(_predictions(build, job))
            _, memory_mb = _ask(build, child, NETWORK_SIZES_PX[0], 0)
            figures[PROCESS, 'start to first depth'][index].append(
                (time.monotonic() - begun_s) * 1e3
            )
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
    """Yield a process of this build that runs the network on request."""
    with tempfile.TemporaryDirectory(prefix='s2r-bench-') as folder:
        process = subprocess.Popen(
            [build.python, '-c', _PREDICTIONS, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=build.environment(os.environ),
            preexec_fn=heed_signals,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _ask(
    build: Build, process: subprocess.Popen, size_px: tuple[int, int], runs: int
) -> tuple[list[float], float]:
    """Return the times of ``runs`` runs in ms, and the resident memory in MB."""
    try:
        process.stdin.write(json.dumps([size_px, runs]) + '\n')  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return json.loads(process.stdout.readline())  # type: ignore[union-attr]
    except (OSError, ValueError) as error:
        errors = process.stderr.read().strip() or 'it printed nothing'  # type: ignore[union-attr]
        raise ToolError(
            f'{build.python} cannot run the network: {errors.splitlines()[-1]}'
        ) from error


def _measure_node(
    figures: Figures,
    index: int,
    build: Build,
    parameters: dict[str, Any],
    image_size_px: tuple[int, int],
    rate_hz: float,
    seconds: float,
) -> None:
    outputs = (DEPTH, INFO, POINTS)
    with live_node(parameters, image_size_px, rate_hz, 1, outputs, build) as node:
        figures[NODE, CONFIGURED][index].append(node.configured_s * 1e3)
        ready_s = max(node.configured_s, node.discovered_s)
        figures[NODE, FIRST_DEPTH][index].append(
            max(node.first_depth_s - ready_s, _CLOCK_STEP_S) * 1e3
        )
        for load in LOADS:
            with busy_processes(load):
                seen = node.measure(seconds)
            for output in (DEPTH, POINTS):
                figures[node_section(load), age_name(output)][index] += seen.ages_ms[output]
            if load == 0:
                figures[NODE, MEMORY][index].append(seen.memory_mb)
        figures[NODE, END][index].append(node.stop() * 1e3)
