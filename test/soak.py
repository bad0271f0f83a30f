"""
Feed the node small frames for long, and look whether it grows, leaks or loses count.

Three cameras come and go, each time with another size and encoding; one frame in a hundred is
bad; subscribers come and go as well. ``make soak`` runs it; ``python test/soak.py --help``.

Reliable transport of the images, by ``qos_overrides``, makes the count exact from end to end:
what was sent was received, and what was received was published or dropped under a cause.
"""

from __future__ import annotations

import argparse
from array import array
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
import random
import resource
import statistics
import sys
import tempfile
import time

import conftest  # noqa: F401  keeps the messages on this machine, as pytest has by now
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from ros_graph import Graph, PATIENCE_S, Process, ros_arguments
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from tiny_network import write_tiny_weights

from s2r_depth_ros import weights

CAMERAS = ('a', 'b', 'c')
ENCODINGS = {'rgb8': 3, 'bgra8': 4, 'mono8': 1, 'mono16': 2, 'yuv422': 2, 'bayer_rggb8': 1}
SIZES_PX = ((32, 24), (24, 24), (48, 16))
FRAMES_OF_A_SCENE = FRAMES_OF_A_SAMPLE = 250
SCENES_TO_LAST_WORD = 5
BAD_SHARE = 0.01
WARM_UP_FRAMES = 5000
# So many images may wait in the middleware. It keeps the memory of the longest queue there was,
# which is why the images are small.
QUEUE = 1000


@dataclass
class Report:
    """What came out; memory in bytes, as medians of the first and last tenth after the warm-up."""

    sent: Counter = field(default_factory=Counter)
    bad: int = 0
    received: Counter = field(default_factory=Counter)
    published: Counter = field(default_factory=Counter)
    dropped: dict[str, Counter] = field(default_factory=dict)
    seconds: float = 0.0
    memory_first: float = 0.0
    memory_last: float = 0.0
    files: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)
    exit_code: int | None = None

    @property
    def growth(self) -> float:
        """Of the resident memory, as a share."""
        return self.memory_last / self.memory_first - 1

    def faults(self) -> list[str]:
        """Return what is not as it must be."""
        faults = []
        for camera in CAMERAS:
            received, sent = self.received[camera], self.sent[camera]
            accounted = self.published[camera] + self.dropped[camera].total()
            if received != sent:
                faults.append(f'camera {camera}: sent {sent}, received {received}')
            if received != accounted:
                faults.append(f'camera {camera}: received {received}, accounted for {accounted}')
        if self.growth >= 0.01:
            faults.append(f'resident memory grew by {self.growth:.2%}')
        for what, (first, last) in (('files', self.files), ('threads', self.threads)):
            if first != last:
                faults.append(f'{first} {what} became {last}')
        if self.exit_code != 0:
            faults.append(f'exit code {self.exit_code}')
        return faults

    def __str__(self) -> str:
        drops: Counter = sum(self.dropped.values(), Counter())
        return '\n'.join(
            f'{name:28}{value}'
            for name, value in (
                ('frames sent', f'{self.sent.total()}, {self.bad} of them bad'),
                ('frames received', self.received.total()),
                ('depth images published', self.published.total()),
                ('dropped', ', '.join(f'{n} {cause}' for cause, n in sorted(drops.items()))),
                ('duration', f'{self.seconds:.0f} s'),
                (
                    'resident memory',
                    f'{self.memory_first / 2**20:.1f} MiB, then '
                    f'{self.memory_last / 2**20:.1f} MiB ({self.growth:+.2%})',
                ),
                (
                    'open files, threads',
                    f'{self.files[0]}, {self.threads[0]}, then {self.files[1]}, {self.threads[1]}',
                ),
                ('faults', '; '.join(self.faults()) or 'none'),
            )
        )


class Soak:
    """Publishes scenes to a node under test and keeps count."""

    def __init__(self, graph: Graph, process: Process, seed: int) -> None:
        self.graph = graph
        self.process = process
        self.report = Report()
        self._random = random.Random(seed)
        self._stamp_ns = 10**9
        self._memory: list[int] = []
        self._gone: deque[Publisher] = deque()
        self._counts: dict[str, dict[str, str]] = {}
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def scene(self, frames: int, rate_hz: float) -> None:
        """Let some cameras appear, publish so many frames in all, and let them vanish."""
        node, choose = self.graph.node, self._random.choice
        cameras = self._random.sample(CAMERAS, self._random.randint(1, len(CAMERAS)))
        kinds = {
            'image': Image,
            'points': PointCloud2,
            'camera_info': CameraInfo,
            'image_color': Image,
            'structure': Image,
        }
        listeners = [
            node.create_subscription(kinds[output], f'{camera}/depth/{output}', _ignore, 1)
            for camera in cameras
            for output in self._random.sample(sorted(kinds), self._random.randint(0, 3))
        ]
        images = {
            camera: node.create_publisher(Image, f'{camera}/image', QoSProfile(depth=QUEUE))
            for camera in cameras
        }
        infos = {
            camera: node.create_publisher(CameraInfo, f'{camera}/camera_info', 10)
            for camera in cameras
        }
        for publisher in (*images.values(), *infos.values()):
            self.graph.wait(publisher.get_subscription_count, 'the node')
        looks = {camera: (choose(sorted(ENCODINGS)), choose(SIZES_PX)) for camera in cameras}
        next_s = time.monotonic()
        for _ in range(frames):
            camera = choose(cameras)
            info, image = self._frame(*looks[camera])
            if self._random.random() < 0.5:
                infos[camera].publish(info)
            images[camera].publish(image)
            self.report.sent[camera] += 1
            next_s += 1 / rate_hz
            self.graph.spin(next_s - time.monotonic())
            sent = self.report.sent.total()
            if sent >= WARM_UP_FRAMES and sent % FRAMES_OF_A_SAMPLE == 0:
                self.sample_memory()
        for listener in listeners:
            node.destroy_subscription(listener)
        self._gone.extend((*images.values(), *infos.values()))
        # The middleware asks but every three seconds what is still missing of the last images.
        while len(self._gone) > 2 * len(CAMERAS) * SCENES_TO_LAST_WORD:
            publisher = self._gone.popleft()
            publisher.wait_for_all_acked(Duration(seconds=PATIENCE_S))
            node.destroy_publisher(publisher)
        # On a busy machine the node falls behind, and no queue holds what came meanwhile.
        self.wait_until_counted(QUEUE // 2)

    def wait_until_counted(self, waiting: int = 0) -> None:
        """
        Wait until the node has said what became of the frames.

        :param waiting: so many of each camera may still wait.
        """

        def is_counted() -> bool:
            return all(
                sum(
                    int(value)
                    for key, value in self._counts.get(camera, {}).items()
                    if key == 'published' or key.startswith('dropped ')
                )
                >= self.report.sent[camera] - waiting
                for camera in CAMERAS
            )

        self.graph.wait(is_counted, 'count of all frames')

    def sample_memory(self) -> None:
        """Note the resident memory of the node."""
        pages = int(Path(f'/proc/{self.process.pid}/statm').read_text().split()[1])
        self._memory.append(pages * resource.getpagesize())

    def open_files(self) -> int:
        """Return how many files and sockets the node has open."""
        return len(list(Path(f'/proc/{self.process.pid}/fd').iterdir()))

    def threads(self) -> int:
        """Return how many threads the node has."""
        return len(list(Path(f'/proc/{self.process.pid}/task').iterdir()))

    def finish(self, seconds: float) -> Report:
        """Return the report, with the node's own counts."""
        report = self.report
        report.seconds = seconds
        tenth = max(1, len(self._memory) // 10)
        report.memory_first = statistics.median(self._memory[:tenth])
        report.memory_last = statistics.median(self._memory[-tenth:])
        for camera in CAMERAS:
            counts = self._counts[camera]
            report.received[camera] = int(counts['received'])
            report.published[camera] = int(counts['published'])
            report.dropped[camera] = Counter(
                {
                    key.removeprefix('dropped '): int(value)
                    for key, value in counts.items()
                    if key.startswith('dropped ')
                }
            )
        return report

    def _frame(self, encoding: str, size_px: tuple[int, int]) -> tuple[CameraInfo, Image]:
        width, height = size_px
        self._stamp_ns += 10**6
        step = width * ENCODINGS[encoding]
        image = Image(width=width, height=height, encoding=encoding, step=step)
        image.data = array('B', self._random.randbytes(step * height))
        info = CameraInfo(
            width=width,
            height=height,
            distortion_model='plumb_bob',
            k=[90.0, 0.0, width / 2, 0.0, 90.0, height / 2, 0.0, 0.0, 1.0],
        )
        for message in (image, info):
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(self._stamp_ns, 10**9)
        if self._random.random() < BAD_SHARE:
            self.report.bad += 1
            change, value = self._random.choice(
                [
                    ('step', 1),
                    ('encoding', 'none'),
                    ('width', 0),
                    ('height', 2**32 - 1),
                    ('data', array('B', bytes(7))),
                ]
            )
            setattr(image, change, value)
        return info, image

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._counts[status.hardware_id] = {each.key: each.value for each in status.values}


def _ignore(message: object) -> None:
    """Take a message, as a viewer would."""


def soak(
    frames: int,
    rate_hz: float,
    folder: Path,
    seed: int = 1,
    frames_of_a_scene: int = FRAMES_OF_A_SCENE,
) -> Report:
    """
    Run the node on so many frames and return the report.

    :param frames: in all; the first 5,000 are the warm-up, after which nothing may grow.
    :param rate_hz: frames a second, all cameras together.
    :param folder: for the weights of a tiny network and the node's log.
    :param seed: of everything that is random.
    :param frames_of_a_scene: after which cameras and viewers change.
    """
    write_tiny_weights(folder, seed, weights.WeightsInfo(80.0, 90.0, 96, 96))
    reliable = [
        part
        for camera in CAMERAS
        for policy, value in (('reliability', 'reliable'), ('depth', QUEUE))
        for part in ('-p', f'qos_overrides./{camera}/image.subscription.{policy}:={value}')
    ]
    with Graph(folder) as graph:
        process = graph.start(
            's2r_depth_ros.node.depth_node',
            *ros_arguments(
                weights=folder / 'tiny.safetensors',
                device='cpu',
                threads=1,
                # PyTorch keeps prepared kernels for each size of the network's input: it is one.
                network_height=96,
                network_width=96,
                cameras=f'[{", ".join(CAMERAS)}]',
                stale_after=3600.0,
            ),
            *reliable,
        )
        run = Soak(graph, process, seed)
        begun_s = time.monotonic()
        after_warm_up = None
        for begin in range(0, frames, frames_of_a_scene):
            run.scene(min(frames_of_a_scene, frames - begin), rate_hz)
            if begin + frames_of_a_scene >= WARM_UP_FRAMES:
                after_warm_up = after_warm_up or (run.open_files(), run.threads())
        run.wait_until_counted()
        report = run.finish(time.monotonic() - begun_s)
        assert after_warm_up is not None, f'the warm-up alone takes {WARM_UP_FRAMES} frames'
        report.files, report.threads = zip(after_warm_up, (run.open_files(), run.threads()))
        report.exit_code = process.stop()
        return report


def main() -> int:
    """Run the soak from the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--frames', type=int, default=100_000)
    parser.add_argument('--rate', type=float, default=400.0, help='frames a second')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument(
        '--scene',
        type=int,
        default=FRAMES_OF_A_SCENE,
        help='frames after which cameras and viewers change',
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = soak(
            arguments.frames, arguments.rate, Path(folder), arguments.seed, arguments.scene
        )
    print(report)
    return bool(report.faults())


if __name__ == '__main__':
    sys.exit(main())
