"""Size of the packages that a robot needs, and time and size of a first `make demo`."""
from __future__ import annotations

from collections.abc import Sequence
import json
import os
from pathlib import Path
import subprocess
import tempfile
import time

from .. import ToolError
from .builds import Build
from .timing import Row

SECTION = 'installation'
ROBOT = 'wheels that pip adds to ROS on a robot'
ALL = 'all wheels that the package needs, without ROS'
DEMO = 'make demo, fresh clone, empty pip cache'
DEMO_SIZE = 'its .venv'

# What rosdep installs on a robot, from package.xml.
_BY_ROSDEP = {'opencv-python-headless', 'pillow', 'pyyaml'}
_LONGEST_S = 1800
# Runs in either build: the files of the package's requirements, of theirs, and so on, without
# extras. What is required but not installed is named on the standard error.
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
        found = distribution(name)
    except PackageNotFoundError:
        sys.exit(f'{name} is required, but not installed')
    sizes[name] = sum(
        os.path.getsize(found.locate_file(file)) for file in found.files or ()
        if os.path.isfile(found.locate_file(file)))
    for text in found.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
            waiting.append(requirement.name)
print(json.dumps(sizes))
"""


def install_rows(builds: Sequence[Build]) -> list[Row]:
    """
    Measure the size of what each build needs, and `make demo` from a fresh clone of each.

    :param builds: this one, and one to compare with or none; each from a checkout.
    :raises ToolError: if one is from no checkout, or its demo fails.
    """
    sizes = [_sizes(build) for build in builds]
    robot_mb = [sum(size for name, size in each.items() if name not in _BY_ROSDEP) / 1e6
                for each in sizes]
    all_mb = [sum(each.values()) / 1e6 for each in sizes]
    demos = [_demo(build) for build in builds]
    seconds, demo_mb = zip(*demos)
    return [
        Row(SECTION, name, values={unit: values[0], **(
            {f'other build ({unit})': values[1], 'ratio': values[0] / values[1]}
            if len(values) > 1 else {})})
        for name, unit, values in (
            (ROBOT, 'MB', robot_mb), (ALL, 'MB', all_mb), (DEMO, 's', seconds),
            (DEMO_SIZE, 'MB', demo_mb))]


def _sizes(build: Build) -> dict[str, int]:
    """Return the bytes of each distribution that the package needs."""
    done = subprocess.run(
        [build.python, '-c', _SIZE], capture_output=True, text=True, check=False, cwd='/',
        env=build.environment(os.environ))
    if done.returncode:
        raise ToolError(f'cannot tell the size of {build.prefix}: {done.stderr.strip()}')
    return json.loads(done.stdout)


def _demo(build: Build) -> tuple[float, float]:
    """Return the seconds of a first `make demo`, and the MB of its environment."""
    with tempfile.TemporaryDirectory(prefix='s2r-bench-') as folder:
        clone = Path(folder) / 'clone'
        environment = {
            **build.environment(os.environ), 'PIP_CACHE_DIR': str(Path(folder) / 'cache')}
        try:
            subprocess.run(
                ['git', 'clone', '--quiet', str(build.package.parent), str(clone)], check=True,
                capture_output=True, text=True)
            begun_s = time.monotonic()
            subprocess.run(
                ['make', 'demo', 'INPUT='], cwd=clone, env=environment, check=True,
                capture_output=True, text=True, timeout=_LONGEST_S)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, 'stderr', None) or str(error)).strip().splitlines()[-1]
            raise ToolError(f'no demo from a clone of {build.package.parent}: {said}') from error
        seconds = time.monotonic() - begun_s
        return seconds, _size_mb(clone / '.venv')


def _size_mb(folder: Path) -> float:
    """Return what the files of a folder take on the disk."""
    return sum(
        os.lstat(os.path.join(place, file)).st_blocks * 512
        for place, _, files in os.walk(folder) for file in files) / 1e6
