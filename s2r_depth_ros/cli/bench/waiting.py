"""
How the threads of torch wait for each other, alone and beside a busy process.

The setting counts from the start of a process, so that each is measured in a process of its own:
this module, run as a program, prints the times of one.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

from ... import DepthPredictor
from .. import ToolError
from .builds import busy_processes
from .timing import Row, timed

# By name; None leaves a variable unset.
WAYS: dict[str, dict[str, str]] = {
    'spin (ACTIVE)': {'OMP_WAIT_POLICY': 'ACTIVE'},
    'sleep (PASSIVE)': {'OMP_WAIT_POLICY': 'PASSIVE', 'GOMP_SPINCOUNT': '0'},
    'spin briefly, then sleep (the default here)': {},
}


def waiting_rows(
    weights: str, image_size_px: tuple[int, int], network_size_px: tuple[int, int] | None,
    threads: int, seconds: float,
) -> list[Row]:
    """
    Measure one image with each way of waiting, alone and beside one busy process.

    :param weights: of the predictor.
    :param image_size_px: (height, width) of the image.
    :param network_size_px: (height, width) of the network's input, None to choose.
    :param threads: CPU threads, 0 for as many as there are cores.
    :param seconds: for each measurement.
    """
    inherited = {key: value for key, value in os.environ.items()
                 if key not in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'OMP_NUM_THREADS')}
    job = json.dumps([weights, image_size_px, network_size_px,
                      threads or len(os.sched_getaffinity(0)), seconds])
    rows = []
    for place in ('alone', 'beside a busy process'):
        with busy_processes(0 if place == 'alone' else 1):
            for way, variables in WAYS.items():
                done = subprocess.run(
                    [sys.executable, '-m', __name__, job], env={**inherited, **variables},
                    capture_output=True, text=True, check=False)
                if done.returncode:
                    raise ToolError(f'cannot measure: {done.stderr.strip().splitlines()[-1]}')
                rows.append(Row.of(f'threads that wait, {place}', way, json.loads(done.stdout)))
    return rows


def _main() -> None:
    weights, image_size_px, network_size_px, threads, seconds = json.loads(sys.argv[1])
    predictor = DepthPredictor(
        weights, 'cpu', network_size_px=network_size_px and tuple(network_size_px),
        threads=threads, engine='torch')
    image = np.zeros((*image_size_px, 3), np.uint8)
    times_ms, = timed([lambda: predictor.predict([image])], seconds)
    print(json.dumps(times_ms.tolist()))


if __name__ == '__main__':
    _main()
