"""Measure the size of the packages of a robot, and time and size of a first `make demo`."""

from __future__ import annotations

from collections.abc import Sequence
import json
import os
from pathlib import Path
import subprocess
import tempfile
import time

from s2r_depth_ros.cli import ToolError

from .builds import Build
from .timing import Measurement

SECTION = 'installation'
ROBOT = 'wheels that pip adds to ROS on a robot'
ALL = 'all wheels that the package needs, without ROS'
DEMO = 'make demo, fresh clone, empty pip cache'
DEMO_SIZE = 'its .venv'

# The packages that rosdep installs on a robot, from package.xml.
_BY_ROSDEP = {'opencv-python-headless', 'pillow', 'pyyaml'}
_LONGEST_S = 1800
# This program runs in either build. It lists the files of the package's requirements, recursively
# and without extras. It writes the names of missing requirements to the standard error.
_SIZE = """
from importlib.metadata import distribution, PackageNotFoundError
import json, os, re, sys
from packaging.requirements import Requirement
sizes, waiting = {}, ['s2r_depth_ros']
while waiting:
    name = re.sub('[-_.]+', '-', waiting.pop()).lower()
    if name in sizes:
        continue
    try:
        package = distribution(name)
    except PackageNotFoundError:
        sys.exit(f'{name} is required, but not installed')
    sizes[name] = sum(
        os.path.getsize(package.locate_file(file)) for file in package.files or ()
        if os.path.isfile(package.locate_file(file)))
    for text in package.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
            waiting.append(requirement.name)
print(json.dumps(sizes))
"""


def install_rows(builds: Sequence[Build]) -> list[Measurement]:
    """
    Measure the size of the requirements of each build, and `make demo` from a fresh clone of each.

    :param builds: this build, and optionally one to compare with; each from a checkout.
    :raises ToolError: if a build is not from a checkout, or its demo fails.
    """
    sizes = [_sizes(build) for build in builds]
    robot_mb = [
        sum(size for name, size in bytes_by_name.items() if name not in _BY_ROSDEP) / 1e6
        for bytes_by_name in sizes
    ]
    all_mb = [sum(bytes_by_name.values()) / 1e6 for bytes_by_name in sizes]
    demos = [_demo(build) for build in builds]
    seconds, demo_mb = zip(*demos)
    return [
        Measurement(
            SECTION,
            name,
            values={
                unit: values[0],
                **(
                    {f'other build ({unit})': values[1], 'ratio': values[0] / values[1]}
                    if len(values) > 1
                    else {}
                ),
            },
        )
        for name, unit, values in (
            (ROBOT, 'MB', robot_mb),
            (ALL, 'MB', all_mb),
            (DEMO, 's', seconds),
            (DEMO_SIZE, 'MB', demo_mb),
        )
    ]


def _sizes(build: Build) -> dict[str, int]:
    """Return the size in bytes of each distribution that the package needs."""
    done = subprocess.run(
        [build.python, '-c', _SIZE],
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
        env=build.environment(os.environ),
    )
    if done.returncode:
        raise ToolError(f'cannot tell the size of {build.prefix}: {done.stderr.strip()}')
    return json.loads(done.stdout)


def _demo(build: Build) -> tuple[float, float]:
    """Return the time of a first `make demo` in seconds, and the size of its environment in MB."""
    with tempfile.TemporaryDirectory(prefix='s2r-bench-') as folder:
        clone = Path(folder) / 'clone'
        environment = {
            **build.environment(os.environ),
            'PIP_CACHE_DIR': str(Path(folder) / 'cache'),
        }
        try:
            subprocess.run(
                ['git', 'clone', '--quiet', str(build.package.parent), str(clone)],
                check=True,
                capture_output=True,
                text=True,
            )
            begun_s = time.monotonic()
            subprocess.run(
                ['make', 'demo', 'INPUT='],
                cwd=clone,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            last_line = (getattr(error, 'stderr', None) or str(error)).strip().splitlines()[-1]
            raise ToolError(
                f'no demo from a clone of {build.package.parent}: {last_line}'
            ) from error
        seconds = time.monotonic() - begun_s
        return seconds, _size_mb(clone / '.venv')


def _size_mb(folder: Path) -> float:
    """Return the disk usage of the files of a folder in MB."""
    return (
        sum(
            os.lstat(os.path.join(place, file)).st_blocks * 512
            for place, _, files in os.walk(folder)
            for file in files
        )
        / 1e6
    )
