"""
Play images to the depth node as a camera would, and look at what it publishes.

camera_player and depth_node run as two processes that talk over DDS, in a ROS domain of their
own. This tool subscribes to all that they publish, stops them again, and leaves in a folder:

  contact_sheet.png  image, structure map, attention map and depth of a few frames
  cloud.png          the point cloud of one frame from two sides
  cloud.ply          the same cloud for MeshLab, CloudCompare or Open3D
  table.txt          frames in and out, drops by cause, latency and rate

Examples:
  s2r demo                                 frames that come with the package
  s2r demo ~/pictures --out my-demo        a folder of images, or one with a manifest.json
  s2r demo drive.mp4 --weights run/weights.safetensors --frames 60
"""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path
import shutil
import tempfile
import time

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from tqdm import tqdm

from ..engine import ENGINES
from ..outputs import DEPTH, OUTPUTS
from ..weights_info import BUNDLED, RANDOM, source_of, WeightsError
from . import ToolError
from .cloud_view import cloud_picture, write_ply
from .contact_sheet import contact_sheet, watermark
from .node_process import check_input, NodeProcess, own_domain_id, ros_environment
from .recorder import Recorder, Recording

RESULTS = ('contact_sheet.png', 'cloud.png', 'cloud.ply', 'table.txt')
CAMERA = 'camera'
DEMO_FRAMES = Path(__file__).parents[1] / 'demo_frames'

_ROWS = 5
_QUIET_S = 180.0  # a large network on a slow or busy machine
# The node reports its figures every second. So many reports say the same when nothing more comes:
# few where all is here, more where something is still on its way or was lost.
_LAST_REPORTS = 2
_LAST_REPORTS_IF_INCOMPLETE = 5
_UNTRAINED = 'UNTRAINED NETWORK'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        'input', nargs='?', metavar='INPUT', type=Path,
        help='folder of images, an image or a video (default: frames of the package)')
    parser.add_argument(
        '--out', type=Path, default=Path('demo'), metavar='FOLDER',
        help='what an earlier demo left there is replaced (default: %(default)s)')
    parser.add_argument(
        '--weights', metavar='WEIGHTS',
        help="'outdoor' or 'indoor' (bundled), a .safetensors file, a folder with published .pth "
        "files, or 'random' for an untrained network (default: outdoor)")
    parser.add_argument(
        '--engine', choices=ENGINES, default='auto',
        help='what runs the network (default: %(default)s)')
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)')
    parser.add_argument(
        '--rate', type=_positive(float), default=5.0, metavar='HZ',
        help='images a second; faster than the network, frames are dropped (default: %(default)g)')
    parser.add_argument(
        '--frames', type=_positive(int), default=30, metavar='N',
        help='stop after so many depth images; short inputs are repeated (default: %(default)s)')
    parser.add_argument(
        '--calibration', type=Path, metavar='YAML',
        help='intrinsics and distortion in the form of camera_info_manager; the node undistorts '
        'the images with them')


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code."""
    source = arguments.input or DEMO_FRAMES
    check_input(source)
    chosen_weights = _choose_weights(arguments.weights)
    with _staging_folder(arguments.out) as folder:
        recording = _record(arguments, source, chosen_weights)
        table = _table(recording)
        _write_results(
            folder, recording, f'{source.name or source} through depth_node', table,
            is_untrained=chosen_weights == RANDOM)
    print(f'\n{table}\n{arguments.out}: {", ".join(RESULTS)}')
    return 0


def _record(arguments: argparse.Namespace, source: Path, chosen_weights: str) -> Recording:
    """Run player and node until there are enough depth images, and return what they published."""
    player_parameters = {
        'path': str(source.resolve()), 'rate_hz': arguments.rate,
        # The node, whose subscriptions open when the network is loaded, and the recorder.
        'wait_for_subscribers': 2,
        'calibration_file': str(arguments.calibration or '')}
    node_parameters = {
        'cameras': [CAMERA], 'weights': chosen_weights, 'engine': arguments.engine,
        'device': arguments.device,
        'rectify': arguments.calibration is not None}
    with tempfile.TemporaryDirectory(prefix='s2r-demo-') as scratch, ExitStack() as stack:
        domain_id = own_domain_id()
        environment = ros_environment(domain_id, Path(scratch))
        os.environ.update(environment)
        rclpy.init(domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO)
        stack.callback(rclpy.try_shutdown)
        listener = rclpy.create_node('s2r_demo')
        stack.callback(listener.destroy_node)
        executor = SingleThreadedExecutor()
        executor.add_node(listener)
        recorder = Recorder(listener, CAMERA, _ROWS, arguments.frames)
        depth_node = stack.enter_context(NodeProcess(
            'depth_node', node_parameters,
            ['-r', f'{CAMERA}/image:={CAMERA}/image_raw'], environment, Path(scratch)))
        player = stack.enter_context(NodeProcess(
            'camera_player', player_parameters, ['-r', f'__ns:=/{CAMERA}'], environment,
            Path(scratch)))
        _receive(recorder.recording, executor, (depth_node, player), arguments.frames)
        player.stop()
        _receive_last_words(recorder.recording, executor)
        depth_node.stop()
        return recorder.recording


def _receive_last_words(recording: Recording, executor: SingleThreadedExecutor) -> None:
    """
    Spin until the node has counted all that it received, and nothing more comes.

    The node's reports are the clock, which a busy machine slows down as it does the rest.
    """
    end_s = time.monotonic() + _QUIET_S
    report, figures, repeats = recording.camera, None, 0
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.1)
        if recording.camera is None or recording.camera is report:
            continue
        report = recording.camera
        counts = {
            value.key: int(value.value) for value in report.values
            if value.key in ('received', 'published') or value.key.startswith('dropped ')}
        repeats = repeats + 1 if figures == (counts, recording.counts) else 0
        figures = counts, recording.counts.copy()
        is_complete = 2 * counts['received'] == sum(counts.values()) and all(
            recording.counts[output] >= counts['published'] for output in OUTPUTS)
        if repeats >= (_LAST_REPORTS if is_complete else _LAST_REPORTS_IF_INCOMPLETE):
            return


def _receive(
    recording: Recording, executor: SingleThreadedExecutor, processes: tuple[NodeProcess, ...],
    frames: int,
) -> None:
    """
    Spin until so many depth images came, showing how many there are.

    :raises ToolError: if a process ends, the node can not configure, or nothing comes for long.
    """
    with tqdm(total=frames, desc='loading the network', unit='frame') as bar:
        last_s = time.monotonic()
        while bar.n < frames:
            executor.spin_once(timeout_sec=0.1)
            received = min(recording.counts[DEPTH], frames)
            if received > bar.n:
                bar.set_description('depth images', refresh=False)
                bar.update(received - bar.n)
                last_s = time.monotonic()
            for process in processes:
                process.check()
            network = recording.network
            if network is not None and network.level == DiagnosticStatus.ERROR:
                raise ToolError(f'depth_node: {network.message}')
            if time.monotonic() - last_s > _QUIET_S:
                raise ToolError(
                    f'no depth image came for {_QUIET_S:g} s; depth_node said:\n'
                    f'{processes[0].tail()}')


def _write_results(
    folder: Path, recording: Recording, title: str, table: str, *, is_untrained: bool,
) -> None:
    if not recording.frames:
        raise ToolError('no frame came with all of its outputs: a slower --rate may help')
    known = [np.isfinite(frame.points_m).all(axis=-1) for frame in recording.frames]
    fullest = max(range(len(known)), key=lambda index: known[index].sum())
    cloud, is_point = recording.frames[fullest], known[fullest]
    figures = {'contact_sheet.png': contact_sheet(recording.frames, title)}
    if is_point.any():
        figures['cloud.png'] = cloud_picture(cloud.points_m, cloud.colors)
    else:
        print('no depth is nearer than max_depth: there is no cloud to draw')
    for name, figure in figures.items():
        if is_untrained:
            watermark(figure, _UNTRAINED)
        figure.savefig(folder / name)
    write_ply(
        folder / 'cloud.ply', cloud.points_m, cloud.colors,
        [title, 'metres; x right, y down, z forward', *([_UNTRAINED] if is_untrained else [])])
    (folder / 'table.txt').write_text(table, encoding='utf-8')


def _table(recording: Recording) -> str:
    """Return the figures of a recording as lines of text."""
    node, network = (
        {item.key: item.value for item in status.values} if status else {}
        for status in (recording.camera, recording.network))
    drops = {key.removeprefix('dropped '): int(value)
             for key, value in node.items() if key.startswith('dropped ')}
    # Whoever finds the player last misses its first image: here or the node.
    played = max(len(recording.images_s), int(node.get('received', 0)))
    # The node asks for the newest alone: what comes while it is busy, the middleware lets fall.
    lost = played - int(node.get('received', 0))
    if lost > 0:
        drops['before the node'] = lost
    median_ms, p95_ms = np.percentile(recording.latencies_s, (50, 95)) * 1e3
    rows = [
        ('weights, engine, device',
         ', '.join(network.get(key, '?') for key in ('weights', 'engine', 'device'))),
        ('images played', str(played)),
        ('images received by the node', node.get('received', '?')),
        ('depth images published', node.get('published', '?')),
        ('images dropped', ', '.join(f'{n} {cause}' for cause, n in drops.items()) or 'none'),
        *((f'received here: {output}', str(recording.counts[output])) for output in OUTPUTS),
        ('latency p50 / p95, stamp to here', f'{median_ms:.0f} / {p95_ms:.0f} ms'),
        ('latency p50 / p95, in the node',
         f'{node.get("latency median (ms)", "?")} / {node.get("latency p95 (ms)", "?")} ms'),
        ('rate of the camera', f'{_rate_hz(recording.images_s):.1f} Hz'),
        ('rate of the depth', f'{_rate_hz(recording.depths_s):.1f} Hz'),
    ]
    return ''.join(f'{name:34}{value}\n' for name, value in rows)


def _rate_hz(times_s: list[float]) -> float:
    return (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-9)


def _choose_weights(wanted: str | None) -> str:
    """Return the weights wanted, or the bundled ones, or random where none are bundled."""
    if wanted is not None:
        is_name = wanted in (RANDOM, *BUNDLED)
        return wanted if is_name else str(Path(wanted).expanduser().resolve())
    try:
        source_of('outdoor')
    except WeightsError:
        print('no weights are bundled with this version: the network is untrained, its depth '
              'means nothing')
        return RANDOM
    return 'outdoor'


@contextmanager
def _staging_folder(out: Path) -> Iterator[Path]:
    """
    Give a folder to write to, and put it in the place of ``out`` when all went well.

    :raises ToolError: if ``out`` holds anything but an earlier demo, or can not be written, now
        or later.
    """
    out = out.resolve()
    try:
        strangers = sorted(set(os.listdir(out)) - set(RESULTS)) if out.exists() else []
        if strangers:
            raise ToolError(
                f'{out} holds {strangers[0]!r}, which no earlier demo left: give another --out')
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f'.{out.name}-', dir=out.parent))
    except OSError as error:
        raise ToolError(f'cannot write {out}: {error.strerror}') from error
    try:
        yield staging
        staging.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        staging.rename(out)
    except OSError as error:  # a full disk, above all
        raise ToolError(f'cannot write {out}: {error.strerror}') from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _positive(kind: type):
    """Return a reader of a positive number for argparse."""
    def positive_number(text: str):
        number = kind(text)
        if not 0 < number < float('inf'):
            raise ValueError
        return number
    positive_number.__name__ = f'positive {kind.__name__}'
    return positive_number
