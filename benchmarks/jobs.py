"""`s2r bag` for one bag and for several, by one worker and by two, in turn."""

from __future__ import annotations

from pathlib import Path
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore, Stores

from s2r_depth_ros.sources.frames import FrameSource

from .timing import Measurement

IMAGES, BAGS, ROUNDS = 60, 8, 3
_PROGRAM = 'import sys; from s2r_depth_ros.cli import main; sys.exit(main(sys.argv[1:]))'


def jobs_rows() -> list[Measurement]:
    """Return a row for each command, with its CPU time and its ratio to another one."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(BAGS):
            _write_bag(root / 'bags' / str(number))
        shutil.copytree(root / 'bags' / '0', root / 'one')
        commands = {
            'one bag': ['one'],
            'one bag as a task': ['one', '--workers', '1'],
            f'{BAGS} bags, one worker': ['bags', '--workers', '1'],
            f'{BAGS} bags, two workers': ['bags', '--workers', '2'],
        }
        walls_s: dict[str, list[float]] = {name: [] for name in commands}
        cpus_s: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, words in commands.items():
                wall_s, cpu_s = _run(root, words)
                walls_s[name].append(wall_s)
                cpus_s[name].append(cpu_s)
    one, as_task, single, double = commands
    images = {name: IMAGES * (BAGS if name in (single, double) else 1) for name in commands}
    ratios = {
        as_task: ('CPU_to_one', np.median(cpus_s[as_task]) / np.median(cpus_s[one])),
        double: ('faster', np.median(np.divide(walls_s[single], walls_s[double]))),
    }
    return [
        Measurement.of(
            f'bags of {IMAGES} images of 640 x 480 by s2r bag',
            name,
            [wall_s * 1e3 for wall_s in walls_s[name]],
            CPU_ms_per_image=float(np.median(cpus_s[name])) * 1e3 / images[name],
            **{ratios[name][0]: float(ratios[name][1])} if name in ratios else {},
        )
        for name in commands
    ]


def _run(root: Path, words: list[str]) -> tuple[float, float]:
    """Return the seconds that a command takes, and those of the CPU in all of its processes."""
    source, *options = words
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, '-c', _PROGRAM, 'bag', source, 'out', '--threads', '1', *options],
        cwd=root,
        check=True,
        capture_output=True,
    )
    wall_s, after = time.monotonic() - begun_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(root / 'out')
    return wall_s, sum(after[:2]) - sum(before[:2])


def _write_bag(path: Path) -> None:
    """Write a bag of one camera with the images of the package."""
    import cv2

    store = get_typestore(Stores.ROS2_JAZZY)
    kinds = store.types
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = Path(__file__).parents[1] / 's2r_depth_ros' / 'demo_frames'
    shown = [cv2.resize(frame.rgb, (640, 480)) for frame in FrameSource(frames, print)]
    with Writer(path, version=Writer.VERSION_LATEST) as writer:
        topic = writer.add_connection('/camera/image', 'sensor_msgs/msg/Image', typestore=store)
        for number in range(IMAGES):
            stamp = kinds['builtin_interfaces/msg/Time'](number // 10, number % 10 * 10**8)
            header = kinds['std_msgs/msg/Header'](stamp, 'camera')
            pixels = shown[number % len(shown)].reshape(-1)
            image = kinds['sensor_msgs/msg/Image'](header, 480, 640, 'rgb8', 0, 1920, pixels)
            data = store.serialize_cdr(image, 'sensor_msgs/msg/Image')
            writer.write(topic, number * 10**8, data)
