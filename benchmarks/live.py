"""Measure the node in a separate process over DDS: age of outputs, rate, load and memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path
import re
import struct
import sys
import tempfile
import time
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from s2r_depth_ros.cli import ToolError
from s2r_depth_ros.cli.node_process import NodeProcess, own_domain_id, ros_environment
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.ros.message_types import Header
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image
from s2r_depth_ros.ros.outputs import DEPTH, INFO, OUTPUTS, POINTS

from .builds import Build
from .timing import Measurement

_START_PATIENCE_S = 180.0  # enough for a busy machine
_WARM_UP_S = 1.5
_LEAST_IMAGES = 3
# The log text at the end of on_configure, after the time.
_LOG_FORMAT = '{time} {message}'
_CONFIGURED = re.compile(r'^(\d+\.\d+) weights: ', re.MULTILINE)
_STAMP_AT_BYTE = 4  # in a serialised message that begins with a header


@dataclass
class Seen:
    """Results of a run: ages in ms by topic, arrival times of depths, and the node's load."""

    ages_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    arrivals_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    peak_memory_mb: float = 0.0


def live_rows(
    parameters: dict[str, Any],
    image_size_px: tuple[int, int],
    rate_hz: float,
    cameras: int,
    seconds: float,
    network_ms: float,
) -> list[Measurement]:
    """
    Run the node with ``cameras`` cameras, and measure its outputs in a subscriber.

    :param parameters: of the node, without ``cameras``.
    :param image_size_px: (height, width) of the images.
    :param rate_hz: of each camera.
    :param cameras: how many.
    :param seconds: of measurement.
    :param network_ms: median time of one run of only the network for one image.
    :raises ToolError: if the node ends, or publishes nothing.
    """
    outputs = (DEPTH, INFO, POINTS)
    with live_node(parameters, image_size_px, rate_hz, cameras, outputs) as node:
        seen = node.measure(seconds)
        node.stop()
    section = (
        f'node over DDS, {cameras} x {image_size_px[1]} x {image_size_px[0]} at {rate_hz:g} Hz'
    )
    rows = [
        Measurement.of(section, f'age of {output} when received', seen.ages_ms[output])
        for output in outputs
    ]
    spacing_ms = np.diff(np.sort(seen.arrivals_s)) * 1e3
    duration_s = seen.arrivals_s[-1] - seen.arrivals_s[0]
    count = len(seen.arrivals_s)
    rows.append(
        Measurement(
            section,
            'depth images, all cameras',
            values={
                'Hz': (count - 1) / duration_s,
                'longest gap (ms)': float(spacing_ms.max()),
                'age p95 / network': float(np.percentile(seen.ages_ms[DEPTH], 95)) / network_ms,
                'age max / network': max(seen.ages_ms[DEPTH]) / network_ms,
            },
        )
    )
    rows.append(
        Measurement(
            section,
            'node process',
            values={
                'CPU per image (ms)': seen.cpu_s / count * 1e3,
                'memory (MB)': seen.memory_mb,
                'peak memory (MB)': seen.peak_memory_mb,
            },
        )
    )
    return rows


class LiveNode:
    """A process of a node that publishes depth; :func:`live_node` creates it."""

    def __init__(
        self, process: NodeProcess, begun_s: float, executor: SingleThreadedExecutor, seen: Seen
    ) -> None:
        self._process = process
        self._begun_s = begun_s
        self._executor = executor
        self._seen = seen
        self.first_depth_s = float('nan')
        """Seconds from the start of the process to the arrival of its first depth image."""
        self.discovered_s = float('nan')
        """
        Seconds until camera and subscriber discover the node's topics.

        Fast DDS may need up to 3 s from the start of any process. It repeats discovery messages
        that are lost in this time.
        """

    @property
    def configured_s(self) -> float:
        """
        Seconds from the start of the process until it has loaded its network and run it once.

        :raises ToolError: if the log lacks that entry.
        """
        line = _CONFIGURED.search(self._process.log.read_text(errors='replace'))
        if line is None:
            raise ToolError(f'the node does not say when it is ready:\n{self._process.tail()}')
        return float(line[1]) - self._begun_s

    def wait_for_first_depth(self, is_discovered: Callable[[], bool]) -> None:
        """
        Wait for the discovery of the node, and then for its depth.

        :param is_discovered: whether camera and subscriber have discovered the node's topics.
        :raises ToolError: if the node ends, or no depth arrives for long.
        """
        self._wait_until(is_discovered, 'the node was not discovered')
        discovered_s = time.time() - self._begun_s
        self._wait_until(lambda: bool(self._seen.arrivals_s), 'no depth came')
        self.first_depth_s = self._seen.arrivals_s[0] - self._begun_s
        self.discovered_s = min(discovered_s, self.first_depth_s)

    def measure(self, seconds: float) -> Seen:
        """
        Return the results of ``seconds`` seconds, after a short uncounted time.

        :raises ToolError: if the node ends, or publishes too few images.
        """
        _spin(self._executor, _WARM_UP_S)
        seen = self._seen
        seen.ages_ms.clear()
        seen.arrivals_s.clear()
        cpu_s = _cpu_s(self._process.pid)
        _spin(self._executor, seconds)
        self._wait_until(
            lambda: len(self._seen.arrivals_s) >= _LEAST_IMAGES, 'hardly any depth came'
        )
        memory_mb, peak_memory_mb = _memory_mb(self._process.pid)
        return Seen(
            {output: [*ages_ms] for output, ages_ms in seen.ages_ms.items()},
            [*seen.arrivals_s],
            _cpu_s(self._process.pid) - cpu_s,
            memory_mb,
            peak_memory_mb,
        )

    def stop(self) -> float:
        """
        Stop the process with SIGINT, and return the seconds until its end.

        :raises ToolError: unless it ends in time and with exit code 0.
        """
        begun_s = time.monotonic()
        self._process.stop()
        return time.monotonic() - begun_s

    def _wait_until(self, is_done: Callable[[], bool], fault: str) -> None:
        end_s = time.monotonic() + _START_PATIENCE_S
        while not is_done():
            self._process.check()
            if time.monotonic() > end_s:
                raise ToolError(f'{fault} after {_START_PATIENCE_S:g} s:\n{self._process.tail()}')
            self._executor.spin_once(timeout_sec=0.02)


@contextmanager
def live_node(
    parameters: dict[str, Any],
    image_size_px: tuple[int, int],
    rate_hz: float,
    cameras: int,
    outputs: tuple[str, ...],
    build: Build | None = None,
) -> Iterator[LiveNode]:
    """
    Start the node, play images to it, and subscribe to its outputs; end the process afterwards.

    :param parameters: of the node, without ``cameras``.
    :param image_size_px: (height, width) of the images.
    :param rate_hz: of each camera.
    :param cameras: how many.
    :param outputs: of ``outputs.OUTPUTS``; they include ``DEPTH``.
    :param build: the build of the node; None means this build.
    :raises ToolError: if the node ends, or publishes nothing.
    """
    names = [f'camera{number}' for number in range(cameras)]
    with _graph() as (node, executor, environment, folder):
        seen = Seen()
        # As bytes: this process must not use the processor time that the node needs.
        for name in names:
            for output in outputs:
                node.create_subscription(
                    OUTPUTS[output],
                    f'{name}/{output}',
                    partial(_on_message, seen, output),
                    5,
                    raw=True,
                )
        for name in names:
            node.create_timer(1 / rate_hz, _Camera(node, name, image_size_px).publish)
        if build is not None:
            environment = build.environment(environment)
        begun_s = time.time()  # the clock of the log
        with NodeProcess(
            'depth_node',
            {**parameters, 'cameras': names},
            [],
            {**environment, 'RCUTILS_CONSOLE_OUTPUT_FORMAT': _LOG_FORMAT},
            folder,
            sys.executable if build is None else build.python,
            folder,  # in a checkout, -m would import the package from there
        ) as process:
            live = LiveNode(process, begun_s, executor, seen)
            live.wait_for_first_depth(
                lambda: all(
                    node.count_subscribers(f'{name}/image')
                    and node.count_publishers(f'{name}/{DEPTH}')
                    for name in names
                )
            )
            yield live


class _Camera:
    """Publishes one image and its camera_info repeatedly, with a new stamp each time."""

    def __init__(self, node: Node, name: str, image_size_px: tuple[int, int]) -> None:
        height, width = image_size_px
        coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        header = Header(frame_id='camera')
        k = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
        self._image = pixels_to_image(pixels, 'bgr8', header)
        self._info = camera_model_to_info(CameraModel.from_intrinsics(width, height, k), header)
        self._publishers = [
            node.create_publisher(kind, f'{name}/{topic}', qos_profile_sensor_data)
            for kind, topic in ((CameraInfo, 'camera_info'), (Image, 'image'))
        ]
        self._clock = node.get_clock()

    def publish(self) -> None:
        """Publish the image with the current time as its stamp."""
        stamp = self._clock.now().to_msg()
        for message, publisher in zip((self._info, self._image), self._publishers):
            message.header.stamp = stamp
            publisher.publish(message)


@contextmanager
def _graph() -> Iterator[tuple[Node, SingleThreadedExecutor, dict[str, str], Path]]:
    """Yield a node of this process in a separate domain, and the environment for other nodes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='s2r-bench-')))
        domain_id = own_domain_id()
        environment = ros_environment(domain_id, folder)
        os.environ.update(environment)
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        stack.callback(rclpy.try_shutdown, context=context)
        node = rclpy.create_node('s2r_bench', context=context)
        stack.callback(node.destroy_node)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        yield node, executor, environment, folder


def _on_message(seen: Seen, output: str, data: bytes) -> None:
    now_s = time.time()
    sec, nanosec = struct.unpack_from('<iI', data, _STAMP_AT_BYTE)
    seen.ages_ms[output].append((now_s - sec - nanosec * 1e-9) * 1e3)
    if output == DEPTH:
        seen.arrivals_s.append(now_s)


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.05)


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process in seconds; 0 without /proc."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _memory_mb(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process and its peak in MB; 0 without /proc."""
    try:
        lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kb = {
        name: value.split()[0]
        for name, _, value in (line.partition(':') for line in lines)
        if name in ('VmRSS', 'VmHWM')
    }
    return int(kb['VmRSS']) / 1024, int(kb['VmHWM']) / 1024
