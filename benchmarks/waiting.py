"""
Measure the ways in which threads of torch wait, without and with a busy process.

A process reads the setting only at its start. So each setting runs in a separate process: this
module, run as a program, prints the times of one setting.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.cli import ToolError
from s2r_depth_ros.environment import set_up_process

from .builds import busy_processes
from .timing import Measurement, timed

# By name; None leaves a variable unset.
CHECKOUT = Path(__file__).parents[1]
WAYS: dict[str, dict[str, str]] = {
    'spin (ACTIVE)': {'OMP_WAIT_POLICY': 'ACTIVE'},
    'sleep (PASSIVE)': {'OMP_WAIT_POLICY': 'PASSIVE', 'GOMP_SPINCOUNT': '0'},
    'spin briefly, then sleep (the default here)': {},
}


def waiting_rows(
    weights: str,
    image_size_px: tuple[int, int],
    network_size_px: tuple[int, int] | None,
    threads: int,
    seconds: float,
) -> list[Measurement]:
    """
    Measure one image with each way of waiting, without and with one busy process.

    :param weights: of the predictor.
    :param image_size_px: (height, width) of the image.
    :param network_size_px: (height, width) of the network's input, None to choose.
    :param threads: CPU threads, 0 for as many as there are cores.
    :param seconds: for each measurement.
    """
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'OMP_NUM_THREADS')
    }
    job = json.dumps(
        [weights, image_size_px, network_size_px, threads or len(os.sched_getaffinity(0)), seconds]
    )
    rows = []
    for place in ('alone', 'beside a busy process'):
        with busy_processes(0 if place == 'alone' else 1):
            for way, variables in WAYS.items():
                done = subprocess.run(
                    [sys.executable, '-m', __name__, job],
                    env={**inherited, **variables},
                    cwd=CHECKOUT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise ToolError(f'cannot measure: {done.stderr.strip().splitlines()[-1]}')
                rows.append(
                    Measurement.of(f'threads that wait, {place}', way, json.loads(done.stdout))
                )
    return rows


def _main() -> None:
    set_up_process()  # keeps a variable that is already set
    weights, image_size_px, network_size_px, threads, seconds = json.loads(sys.argv[1])
    predictor = DepthPredictor(
        weights,
        'cpu',
        network_size_px=network_size_px and tuple(network_size_px),
        threads=threads,
        engine='torch',
    )
    image = np.zeros((*image_size_px, 3), np.uint8)
    (times_ms,) = timed([lambda: predictor.predict([image])], seconds)
    print(json.dumps(times_ms.tolist()))


if __name__ == '__main__':
    _main()
