"""`s2r demo`: run images through the node, and save its outputs as pictures, cloud and table."""

from __future__ import annotations

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

from ..ros.outputs import DEPTH, NEEDS_JUDGE, OUTPUTS
from ..weights.info import BUNDLED, RANDOM, source_of, WeightsError
from . import ToolError
from .cloud_view import cloud_picture, write_ply
from .contact_sheet import contact_sheet, watermark
from .node_process import check_input, NodeProcess, own_domain_id, ros_environment
from .options import DemoOptions
from .recorder import Recorder, Recording

RESULTS = ('contact_sheet.png', 'cloud.png', 'cloud.ply', 'table.txt')
CAMERA = 'camera'
DEMO_FRAMES = Path(__file__).parents[1] / 'demo_frames'

_ROWS = 5
_QUIET_S = 180.0  # enough for a large network on a slow or busy machine
# The node reports its figures every second. After this many equal reports the recording ends.
# Incomplete outputs need more reports, because messages may still arrive.
_LAST_REPORTS = 2
_LAST_REPORTS_IF_INCOMPLETE = 5
_UNTRAINED = 'UNTRAINED NETWORK'


def run(arguments: DemoOptions) -> int:
    """Run the demo and return the exit code."""
    source = arguments.input or DEMO_FRAMES
    check_input(source)
    weights = _choose_weights(arguments.weights)
    with _staging_folder(arguments.out) as folder:
        recording = _record(arguments, source, weights)
        table = _table(recording)
        _write_results(
            folder,
            recording,
            f'{source.name or source} through depth_node',
            table,
            is_untrained=weights == RANDOM,
        )
    print(f'\n{table}\n{arguments.out}: {", ".join(RESULTS)}')
    return 0


def _record(arguments: DemoOptions, source: Path, weights: str) -> Recording:
    """Run player and node until there are enough depth images, and return the recording."""
    player_parameters = {
        'path': str(source.resolve()),
        'rate_hz': arguments.rate,
        # The two are the node and the recorder. The node subscribes after it loads the network.
        'wait_for_subscribers': 2,
        'calibration_file': str(arguments.calibration or ''),
    }
    node_parameters = {
        'cameras': [CAMERA],
        'weights': weights,
        'frozen_after': 0.0,
        **arguments.parameters,
        'rectify': arguments.calibration is not None,
    }
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
        depth_node = stack.enter_context(
            NodeProcess(
                'depth_node',
                node_parameters,
                ['-r', f'{CAMERA}/image:={CAMERA}/image_raw'],
                environment,
                Path(scratch),
            )
        )
        player = stack.enter_context(
            NodeProcess(
                'camera_player',
                player_parameters,
                ['-r', f'__ns:=/{CAMERA}'],
                environment,
                Path(scratch),
            )
        )
        _receive(recorder.recording, executor, (depth_node, player), arguments.frames)
        player.stop()
        _receive_last_words(recorder.recording, executor)
        depth_node.stop()
        return recorder.recording


def _receive_last_words(recording: Recording, executor: SingleThreadedExecutor) -> None:
    """
    Spin until the node counts all received images, and no more messages arrive.

    The node's reports serve as the clock, because a busy machine slows them like the rest.
    """
    end_s = time.monotonic() + _QUIET_S
    report, figures, repeats = recording.camera, None, 0
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.1)
        if recording.camera is None or recording.camera is report:
            continue
        report = recording.camera
        counts = {
            value.key: int(value.value)
            for value in report.values
            if value.key in ('received', 'published') or value.key.startswith('dropped ')
        }
        repeats = repeats + 1 if figures == (counts, recording.counts) else 0
        figures = counts, recording.counts.copy()
        is_complete = 2 * counts['received'] == sum(counts.values()) and all(
            recording.counts[output] >= counts['published']
            for output in OUTPUTS.keys() - NEEDS_JUDGE
        )
        if repeats >= (_LAST_REPORTS if is_complete else _LAST_REPORTS_IF_INCOMPLETE):
            return


def _receive(
    recording: Recording,
    executor: SingleThreadedExecutor,
    processes: tuple[NodeProcess, ...],
    frames: int,
) -> None:
    """
    Spin until the requested number of depth images arrives, and show the progress.

    :raises ToolError: if a process ends, the node cannot configure, or no image arrives for long.
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
                    f'{processes[0].tail()}'
                )


def _write_results(
    folder: Path, recording: Recording, title: str, table: str, *, is_untrained: bool
) -> None:
    if not recording.frames:
        raise ToolError('no frame came with all of its outputs: a slower --rate may help')
    masks = [np.isfinite(frame.points_m).all(axis=-1) for frame in recording.frames]
    fullest = max(range(len(masks)), key=lambda index: masks[index].sum())
    cloud, is_point = recording.frames[fullest], masks[fullest]
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
        folder / 'cloud.ply',
        cloud.points_m,
        cloud.colors,
        [title, 'metres; x right, y down, z forward', *([_UNTRAINED] if is_untrained else [])],
    )
    (folder / 'table.txt').write_text(table, encoding='utf-8')


def _table(recording: Recording) -> str:
    """Return the figures of a recording as lines of text."""
    node, network = (
        {item.key: item.value for item in status.values} if status else {}
        for status in (recording.camera, recording.network)
    )
    drops = {
        key.removeprefix('dropped '): int(value)
        for key, value in node.items()
        if key.startswith('dropped ')
    }
    # The later subscriber misses the first image: this process or the node.
    played = max(len(recording.images_s), int(node.get('received', 0)))
    # The node requests only the newest image: the middleware drops images while it is busy.
    lost = played - int(node.get('received', 0))
    if lost > 0:
        drops['before the node'] = lost
    median_ms, p95_ms = np.percentile(recording.latencies_s, (50, 95)) * 1e3
    rows = [
        (
            'weights, engine, device',
            ', '.join(network.get(key, '?') for key in ('weights', 'engine', 'device')),
        ),
        ('images played', str(played)),
        ('images received by the node', node.get('received', '?')),
        ('depth images published', node.get('published', '?')),
        ('images dropped', ', '.join(f'{n} {cause}' for cause, n in drops.items()) or 'none'),
        *((f'received here: {output}', str(recording.counts[output])) for output in OUTPUTS),
        ('latency p50 / p95, stamp to here', f'{median_ms:.0f} / {p95_ms:.0f} ms'),
        (
            'latency p50 / p95, in the node',
            f'{node.get("latency median (ms)", "?")} / {node.get("latency p95 (ms)", "?")} ms',
        ),
        ('rate of the camera', f'{_rate_hz(recording.images_s):.1f} Hz'),
        ('rate of the depth', f'{_rate_hz(recording.depths_s):.1f} Hz'),
    ]
    return ''.join(f'{name:34}{value}\n' for name, value in rows)


def _rate_hz(times_s: list[float]) -> float:
    return (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-9)


def _choose_weights(name: str | None) -> str:
    """Return the weights of this name, else the bundled weights, else random weights."""
    if name is not None:
        is_bundled = name in (RANDOM, *BUNDLED)
        return name if is_bundled else str(Path(name).expanduser().resolve())
    try:
        source_of('outdoor')
    except WeightsError:
        print(
            'no weights are bundled with this version: the network is untrained, its depth '
            'means nothing'
        )
        return RANDOM
    return 'outdoor'


@contextmanager
def _staging_folder(out: Path) -> Iterator[Path]:
    """
    Yield a folder to write to, and move it to ``out`` on success.

    :raises ToolError: if ``out`` holds anything but an earlier demo, or is not writable at the
        start or at the end.
    """
    out = out.resolve()
    try:
        strangers = sorted(set(os.listdir(out)) - set(RESULTS)) if out.exists() else []
        if strangers:
            raise ToolError(
                f'{out} holds {strangers[0]!r}, which no earlier demo left: give another --out'
            )
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
    except OSError as error:  # in most cases a full disk
        raise ToolError(f'cannot write {out}: {error.strerror}') from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
