"""
Measure the cost of the package on this machine: one table, medians and 95th percentiles.

Sections (the first three by default):
  network  the network by part: GFLOP, rate, share of this machine's matrix product
  around   the steps around the network on one core, beside the naive way
  node     depth_node over DDS: age of each output when received, rate, load, memory
  fresh    the same with a camera of 60 Hz, for one to four cameras
  forms    torch in training form and inference form, and ONNX Runtime, both presets, in turn
  threads  spinning and sleeping threads, without and with a busy process
  growth   time over network size and number of cameras; --plot draws it
  busy     network and node beside 0, 2 and 4 busy processes on two cores; start, memory and end
  install  size of a robot's packages, and `make demo` from a fresh clone (needs a package index)
  targets  busy, install, and their ratios to another build beside the targets
  training samples per second of renderer, loader and stages (`s2r_train bench`)

Examples:
  s2r bench                                   the network that the node would run here
  s2r bench --network-size 400x304 --json now.json
  s2r bench --json after.json --against before.json
  s2r bench growth --plot growth.svg
  s2r bench targets --against ../before/.venv/bin/python     another build, in turn with this one
"""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
import json
import os
from pathlib import Path
import platform
import re
import subprocess
import sys
from typing import Any

from ...engine import cores, ENGINES, is_installed, PRECISIONS, Settings
from ...predictor import DepthPredictor
from ...session import keep_freed_memory
from .. import number_in, ToolError, whole_number
from .builds import Build
from .timing import OtherLoad, Row

SECTIONS = (
    'network', 'around', 'node', 'fresh', 'forms', 'threads', 'growth', 'busy', 'install',
    'targets', 'training')
IN_TURN = {'busy', 'install', 'targets'}
WITHOUT_TORCH = (*sorted(IN_TURN), 'training')  # here; another process has it, or says so
DEFAULT_SECTIONS = ('network', 'around', 'node')
FORM_SIZES_PX = {'compact': (304, 400), 'paper': (192, 640)}
AROUND_SIZES_PX = ((480, 640), (1080, 1920))
FAST_CAMERA_HZ = 60.0

_TRAINING = 's2r_depth_training'
_INSTRUCTIONS = ('avx2', 'avx512f', 'avx512_vnni', 'asimd')
_REPORTED_DIGITS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        'sections', nargs='*', metavar='SECTION', choices=(*SECTIONS, []),
        help='sections to measure (default: network around node)')
    parser.add_argument(
        '--weights', default='outdoor', help='name or path of the weights (default: %(default)s)')
    parser.add_argument(
        '--engine', default='auto', choices=ENGINES, help='default: %(default)s')
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)')
    parser.add_argument(
        '--precision', default='float32', choices=PRECISIONS, help='default: %(default)s')
    parser.add_argument(
        '--threads', type=number_in(int, 0, 1024), default=0, metavar='N',
        help='CPU threads, 0 for as many as there are cores')
    parser.add_argument(
        '--image-size', type=_size_px, default=(480, 640), metavar='WIDTHxHEIGHT',
        help='of the camera (default: 640x480)')
    parser.add_argument(
        '--network-size', type=_size_px, metavar='WIDTHxHEIGHT',
        help="of the network's input (default: the size of the training)")
    parser.add_argument(
        '--rate', type=number_in(float, 0.1, 1000), default=10.0, metavar='HZ',
        help='of the camera in the section node (default: %(default)g)')
    parser.add_argument(
        '--seconds', type=number_in(float, 0, 3600), default=5.0, metavar='S',
        help='length of each measurement, at least five runs (default: %(default)g)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all figures there')
    parser.add_argument(
        '--against', type=Path, metavar='FILE',
        help='an earlier --json, to show its medians too; or the Python of another build, for '
        'busy, install and targets to measure in turn with this one')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the growth (.png, .svg)')


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark and return the exit code."""
    sections = arguments.sections or list(DEFAULT_SECTIONS)
    if arguments.plot and 'growth' not in sections:
        raise ToolError('--plot draws the section growth: name it, too')
    if arguments.plot and (
            arguments.plot.suffix not in ('.png', '.svg') or not arguments.plot.parent.is_dir()):
        raise ToolError(f'--plot takes a .png or .svg in a folder that is there, '
                        f'not {arguments.plot}')
    with_torch = [section for section in sections if section not in WITHOUT_TORCH]
    if with_torch and not is_installed('torch'):
        raise ToolError(
            f'torch is not installed, which {", ".join(with_torch)} measures or compares with: '
            f'pip install torch, or name {", ".join(WITHOUT_TORCH)}')
    builds, before = [], {}
    if not IN_TURN.isdisjoint(sections):
        builds.append(Build.of())
        if arguments.against:
            builds.append(Build.of(arguments.against))
        elif 'targets' in sections:
            raise ToolError('the targets are ratios: give --against the Python of another build')
    elif arguments.against:
        before = _read(arguments.against)
    if arguments.json and arguments.json.exists():
        _read(arguments.json)  # refuse to replace what is no earlier run
    keep_freed_memory()  # as the node does
    rows: list[Row] = []
    try:
        machine = _machine(arguments)
    except ValueError as error:  # no such device
        raise ToolError(str(error)) from error
    print(', '.join(f'{key}: {value}' for key, value in machine.items()))
    for section in sections:
        load = OtherLoad()
        measured = _measure(section, arguments, builds)
        print(_table(measured, before))
        print(f'  (other processes used {load.percent():.0f} % of the cores)', flush=True)
        rows += measured
        if arguments.json:  # after each section: what is measured is kept
            _write(arguments.json, machine, rows)
    if arguments.plot:
        from .growth_plot import draw_growth

        draw_growth([row for row in rows if row.section == 'growth'], arguments.plot)
    return 0


def _measure(
    section: str, arguments: argparse.Namespace, builds: Sequence[Build],
) -> list[Row]:
    seconds = arguments.seconds
    if section in IN_TURN:
        return _rows_in_turn(section, arguments, builds)
    if section == 'training':
        return _training_rows()
    if section == 'around':
        from .around import around_rows

        return [row for size_px in AROUND_SIZES_PX for row in around_rows(size_px, seconds / 5)]
    from . import network

    threads = arguments.threads or cores()
    if section == 'forms':
        from ...engine.torch_engine import torch_device

        device = torch_device(Settings(arguments.device).device)
        return [row for name, size_px in FORM_SIZES_PX.items() for row in network.form_rows(
            name, device, size_px, threads, seconds)]
    if section == 'threads':
        from .waiting import waiting_rows

        return waiting_rows(
            arguments.weights, arguments.image_size, arguments.network_size, threads, seconds)
    if section == 'growth':
        return network.growth_rows(seconds / 5, threads, arguments.device)
    try:
        predictor = DepthPredictor(
            arguments.weights, arguments.device, arguments.precision, arguments.network_size,
            threads=threads, engine=arguments.engine)
    except ValueError as error:  # WeightsError too
        raise ToolError(str(error)) from error
    rows = network.network_rows(predictor, arguments.image_size, seconds)
    if section == 'network':
        return rows
    return _live_rows(section, arguments, rows)


def _live_rows(
    section: str, arguments: argparse.Namespace, network_rows: list[Row],
) -> list[Row]:
    """Return what a subscriber of the node sees; ages are also told in runs of the network."""
    from .live import live_rows

    network_ms = next(row.median_ms or 0.0 for row in network_rows if row.name == 'whole')
    parameters = _node_parameters(arguments)
    runs = ([(arguments.rate, 1)] if section == 'node'
            else [(FAST_CAMERA_HZ, cameras) for cameras in (1, 2, 4)])
    return [row for rate_hz, cameras in runs for row in live_rows(
        parameters, arguments.image_size, rate_hz, cameras, arguments.seconds,
        network_ms * cameras)]


def _rows_in_turn(
    section: str, arguments: argparse.Namespace, builds: Sequence[Build],
) -> list[Row]:
    """Return what is measured of several builds in turn."""
    rows: list[Row] = []
    if section != 'install':
        from .busy import busy_rows

        rows += busy_rows(
            builds, _node_parameters(arguments), arguments.image_size, arguments.rate,
            arguments.seconds)
    if section != 'busy':
        from .install import install_rows

        rows += install_rows(builds)
    if section == 'targets':
        from .targets import target_rows

        rows += target_rows(rows)
    return rows


def _node_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    height, width = arguments.network_size or (0, 0)
    weights = arguments.weights
    return {
        'weights': os.path.abspath(weights) if os.path.exists(weights) else weights,
        'engine': arguments.engine, 'device': arguments.device, 'precision': arguments.precision,
        'threads': arguments.threads,
        'network_height': height, 'network_width': width}


def _training_rows() -> list[Row]:
    """Ask the training package, which nothing here imports, for its rates."""
    done = subprocess.run(
        [sys.executable, '-m', _TRAINING, 'bench'], stdout=subprocess.PIPE, text=True,
        check=False)
    if done.returncode:
        raise ToolError('the training could not be measured, see above')
    return [Row('training', name, values=values)
            for name, values in json.loads(done.stdout.splitlines()[-1]).items()]


def _machine(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what the figures depend on and a reader should know."""
    try:
        about = Path('/proc/cpuinfo').read_text()
    except OSError:
        about = ''
    model = re.search(r'^model name\s*:\s*(.+)$', about, re.MULTILINE)
    return {
        'CPU': model[1] if model else platform.processor(),
        'cores': str(len(os.sched_getaffinity(0))),
        'instructions': ' '.join(
            name for name in _INSTRUCTIONS if re.search(rf'\b{name}\b', about)),
        'PyTorch': _version('torch'),
        'ONNX Runtime': _version('onnxruntime'),
        'device': Settings(arguments.device, arguments.precision).device,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'none'


def _table(rows: list[Row], before: dict[tuple[str, str], float]) -> str:
    """Return the rows as text, section after section."""
    lines, section = [], None
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ['', f'{section:48}{"median":>10}{"p95":>10}' + (
                f'{"before":>10}' if before else '')]
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


def _write(path: Path, machine: dict[str, str], rows: list[Row]) -> None:
    content = {'machine': machine, 'rows': [asdict(replace(
        row, values={k: _plain(v) for k, v in row.values.items()})) for row in rows]}
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
        return {(row['section'], row['name']): float(row['median_ms'])
                for row in rows if row['median_ms'] is not None}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ToolError(f'{path} is no file that --json wrote: {error}') from error


def _size_px(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT; returns (height, width)."""
    width, height = (whole_number(side) for side in text.split('x'))
    if min(width, height) < 1:
        raise ValueError
    return height, width
