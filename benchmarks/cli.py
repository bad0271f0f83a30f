"""Define the command line of the benchmarks, and print their table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
import json
import os
from pathlib import Path
import platform
import re
import subprocess
import sys
from typing import Any

from s2r_depth_ros.cli import exit_code_of, ToolError
from s2r_depth_ros.cli.parsing import node_parameters, option, parser_of, read, size_px
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.engine import cores, is_installed, Settings
from s2r_depth_ros.environment import set_up_process
from s2r_depth_ros.ros.session import keep_freed_memory

from .builds import Build
from .timing import Measurement, OtherLoad

SECTIONS = (
    'network',
    'around',
    'clean',
    'outputs',
    'node',
    'fresh',
    'forms',
    'threads',
    'growth',
    'busy',
    'install',
    'targets',
    'training',
    'jobs',
)
IN_TURN = {'busy', 'install', 'targets'}
WITHOUT_TORCH = (*sorted(IN_TURN), 'clean', 'training', 'jobs')  # a child process loads torch
PROG = 'python -m benchmarks'
DEFAULT_SECTIONS = ('network', 'around', 'node')
FORM_SIZES_PX = {'compact': (304, 400), 'paper': (192, 640)}
AROUND_SIZES_PX = ((480, 640), (1080, 1920))
FAST_CAMERA_HZ = 60.0

_TRAINING = 's2r_depth_training'
_INSTRUCTIONS = ('avx2', 'avx512f', 'avx512_vnni', 'asimd')
_REPORTED_DIGITS = 4


def section_name(text: str) -> str:
    """Read the name of a section for a parser."""
    if text not in SECTIONS:
        raise argparse.ArgumentTypeError(f'there is no section {text}: {", ".join(SECTIONS)}')
    return text


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """
    Measure the cost of the package on this machine: one table, medians and 95th percentiles.

    Sections (the first three by default):
      network  the network by part: GFLOP, rate, share of this machine's matrix product
      around   the steps around the network on one core, beside the naive way
      clean    the edge filter beside Open3D's outlier removal (pip install open3d), confidence
      outputs  what scan, obstacles and edge filter add to them
      node     depth_node over DDS: age of each output when received, rate, load, memory
      fresh    the same with a camera of 60 Hz, for one to four cameras
      forms    torch in training form and inference form, and ONNX Runtime, both presets, in turn
      threads  spinning and sleeping threads, without and with a busy process
      growth   time over network size and number of cameras; --plot draws it
      busy     network and node beside 0, 2 and 4 busy processes on two cores; start, memory, end
      install  size of a robot's packages, and `make demo` from a fresh clone (needs a package
               index)
      targets  busy, install, and their ratios to another build beside the targets
      training samples per second of renderer, loader and stages (`s2r_train bench`)
      jobs     s2r bag as a task and with two workers, beside without and with one

    Examples:
      python -m benchmarks                        the network that the node would run here
      python -m benchmarks --network-size 400x304 --json now.json
      python -m benchmarks --json after.json --against before.json
      python -m benchmarks growth --plot growth.svg
      python -m benchmarks targets --against ../before/.venv/bin/python    another build, in turn

    :param sections: sections to measure.
    :param image_size: of the camera.
    :param network_size: of the network's input.
    :param rate: of the camera in the section node.
    :param seconds: length of each measurement, at least five runs.
    :param json: write all figures there.
    :param against: an earlier --json, to show its medians too; or the Python of another build,
        for busy, install and targets to measure in turn with this one.
    :param plot: draw the growth (.png, .svg).
    """

    sections: list[str] = option(
        [], metavar='SECTION', kind=section_name, is_positional=True, shown='network around node'
    )
    image_size: tuple[int, int] = option(
        (480, 640), metavar='WIDTHxHEIGHT', kind=size_px, shown='640x480'
    )
    network_size: tuple[int, int] | None = option(
        None, metavar='WIDTHxHEIGHT', kind=size_px, shown='the size of the training'
    )
    rate: float = option(10.0, metavar='HZ', limits=(0.1, 1000))
    seconds: float = option(5.0, metavar='S', limits=(0, 3600))
    json: Path | None = option(None, metavar='FILE')
    against: Path | None = option(None, metavar='FILE')
    plot: Path | None = option(None, metavar='FILE')
    parameters: dict[str, Any] = node_parameters(
        'weights', 'engine', 'device', 'precision', 'threads'
    )


def main(words: Sequence[str] | None = None) -> int:
    """
    Measure, and return the exit code.

    :param words: the command line; None means that of the process.
    """
    set_up_process()
    options = read(
        parser_of(PROG, BenchmarkOptions),
        BenchmarkOptions,
        list(sys.argv[1:] if words is None else words),
    )
    return exit_code_of(PROG, lambda: run(options))


def run(options: BenchmarkOptions) -> int:
    """Run the benchmark and return the exit code."""
    sections = options.sections or list(DEFAULT_SECTIONS)
    if options.plot and 'growth' not in sections:
        raise ToolError('--plot draws the section growth: name it, too')
    if options.plot and (
        options.plot.suffix not in ('.png', '.svg') or not options.plot.parent.is_dir()
    ):
        raise ToolError(
            f'--plot takes a .png or .svg in a folder that is there, not {options.plot}'
        )
    with_torch = [section for section in sections if section not in WITHOUT_TORCH]
    if with_torch and not is_installed('torch'):
        raise ToolError(
            f'torch is not installed, which {", ".join(with_torch)} measures or compares with: '
            f'pip install torch, or name {", ".join(WITHOUT_TORCH)}'
        )
    builds, before = [], {}
    if not IN_TURN.isdisjoint(sections):
        builds.append(Build.of())
        if options.against:
            builds.append(Build.of(options.against))
        elif 'targets' in sections:
            raise ToolError('the targets are ratios: give --against the Python of another build')
    elif options.against:
        before = _read(options.against)
    if options.json and options.json.exists():
        _read(options.json)  # refuse to replace a file that is no earlier run
    keep_freed_memory()  # as the node does
    rows: list[Measurement] = []
    try:
        machine = _machine(options)
    except ValueError as error:  # no such device
        raise ToolError(str(error)) from error
    print(', '.join(f'{key}: {value}' for key, value in machine.items()))
    for section in sections:
        load = OtherLoad()
        measured = _measure(section, options, builds)
        print(_table(measured, before))
        print(f'  (other processes used {load.percent():.0f} % of the cores)', flush=True)
        rows += measured
        if options.json:  # after each section, so that an interruption keeps the figures
            _write(options.json, machine, rows)
    if options.plot:
        from .growth_plot import draw_growth

        draw_growth([row for row in rows if row.section == 'growth'], options.plot)
    return 0


def _measure(
    section: str, options: BenchmarkOptions, builds: Sequence[Build]
) -> list[Measurement]:
    seconds = options.seconds
    if section in IN_TURN:
        return _rows_in_turn(section, options, builds)
    if section == 'training':
        return _training_rows()
    if section == 'jobs':
        from .jobs import jobs_rows

        return jobs_rows()
    if section == 'around':
        from .around import around_rows

        return [row for size_px in AROUND_SIZES_PX for row in around_rows(size_px, seconds / 5)]
    if section == 'clean':
        from .clean import clean_rows

        return clean_rows(options.image_size, seconds)
    if section == 'outputs':
        from .outputs import output_rows

        return output_rows(options.image_size, seconds)
    from . import network

    threads = options.parameters['threads'] or cores()
    if section == 'forms':
        from s2r_depth_ros.engine.torch_engine import torch_device

        device = torch_device(Settings(options.parameters['device']).device)
        return [
            row
            for name, size_px in FORM_SIZES_PX.items()
            for row in network.form_rows(name, device, size_px, threads, seconds)
        ]
    if section == 'threads':
        from .waiting import waiting_rows

        return waiting_rows(
            options.parameters['weights'],
            options.image_size,
            options.network_size,
            threads,
            seconds,
        )
    if section == 'growth':
        return network.growth_rows(seconds / 5, threads, options.parameters['device'])
    try:
        predictor = DepthPredictor(
            **{**options.parameters, 'threads': threads}, network_size_px=options.network_size
        )
    except ValueError as error:  # WeightsError too
        raise ToolError(str(error)) from error
    rows = network.network_rows(predictor, options.image_size, seconds)
    if section == 'network':
        return rows
    return _live_rows(section, options, rows)


def _live_rows(
    section: str, options: BenchmarkOptions, network_rows: list[Measurement]
) -> list[Measurement]:
    """Return the rows of a subscriber of the node; ages also count in runs of the network."""
    from .live import live_rows

    network_ms = next(row.median_ms or 0.0 for row in network_rows if row.name == 'whole')
    parameters = _node_parameters(options)
    runs = (
        [(options.rate, 1)]
        if section == 'node'
        else [(FAST_CAMERA_HZ, cameras) for cameras in (1, 2, 4)]
    )
    return [
        row
        for rate_hz, cameras in runs
        for row in live_rows(
            parameters, options.image_size, rate_hz, cameras, options.seconds, network_ms * cameras
        )
    ]


def _rows_in_turn(
    section: str, options: BenchmarkOptions, builds: Sequence[Build]
) -> list[Measurement]:
    """Return the rows of the sections that measure several builds in turn."""
    rows: list[Measurement] = []
    if section != 'install':
        from .busy import busy_rows

        rows += busy_rows(
            builds, _node_parameters(options), options.image_size, options.rate, options.seconds
        )
    if section != 'busy':
        from .install import install_rows

        rows += install_rows(builds)
    if section == 'targets':
        from .targets import target_rows

        rows += target_rows(rows)
    return rows


def _node_parameters(options: BenchmarkOptions) -> dict[str, Any]:
    height, width = options.network_size or (0, 0)
    weights = options.parameters['weights']
    return {
        **options.parameters,
        'weights': os.path.abspath(weights) if os.path.exists(weights) else weights,
        'network_height': height,
        'network_width': width,
    }


def _training_rows() -> list[Measurement]:
    """Run the training package's benchmark and return its rates; do not import the package."""
    done = subprocess.run(
        [sys.executable, '-m', _TRAINING, 'bench'], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ToolError('the training could not be measured, see above')
    return [
        Measurement('training', name, values=values)
        for name, values in json.loads(done.stdout.splitlines()[-1]).items()
    ]


def _machine(options: BenchmarkOptions) -> dict[str, str]:
    """Return the properties of the machine and the options that the figures depend on."""
    try:
        about = Path('/proc/cpuinfo').read_text()
    except OSError:
        about = ''
    model = re.search(r'^model name\s*:\s*(.+)$', about, re.MULTILINE)
    return {
        'CPU': model[1] if model else platform.processor(),
        'cores': str(len(os.sched_getaffinity(0))),
        'instructions': ' '.join(
            name for name in _INSTRUCTIONS if re.search(rf'\b{name}\b', about)
        ),
        'PyTorch': _version('torch'),
        'ONNX Runtime': _version('onnxruntime'),
        'device': Settings(options.parameters['device'], options.parameters['precision']).device,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'none'


def _table(rows: list[Measurement], before: dict[tuple[str, str], float]) -> str:
    """Return the rows as text, section by section."""
    lines, section = [], None
    for row in rows:
        if row.section != section:
            section = row.section
            lines += [
                '',
                f'{section:48}{"median":>10}{"p95":>10}' + (f'{"before":>10}' if before else ''),
            ]
        times = [row.median_ms, row.p95_ms]
        if before:
            times.append(before.get((row.section, row.name)))
        cells = ''.join('          ' if t is None else f'{t:7.2f} ms' for t in times)
        figures = ', '.join(f'{name} {_short(value)}' for name, value in row.values.items())
        lines.append(f'  {row.name:46}{cells}   {figures}'.rstrip())
    return '\n'.join(lines)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f'{value:.3g}' if isinstance(value, float) and abs(value) < 1000 else f'{value:.0f}'


def _write(path: Path, machine: dict[str, str], rows: list[Measurement]) -> None:
    content = {
        'machine': machine,
        'rows': [
            asdict(replace(row, values={k: _plain(v) for k, v in row.values.items()}))
            for row in rows
        ],
    }
    try:
        path.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise ToolError(f'cannot write {path}: {error.strerror}') from error


def _plain(value: Any) -> Any:
    return float(f'{value:.{_REPORTED_DIGITS}g}') if isinstance(value, float) else value


def _read(path: Path) -> dict[tuple[str, str], float]:
    """Return the medians of an earlier run by section and name."""
    try:
        rows = json.loads(path.read_text(encoding='utf-8'))['rows']
        return {
            (row['section'], row['name']): float(row['median_ms'])
            for row in rows
            if row['median_ms'] is not None
        }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ToolError(f'{path} is no file that --json wrote: {error}') from error
