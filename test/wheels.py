"""
List the versions in constraints.txt without a wheel: ``python wheels.py PYTHON_VERSION ...``.

Wheels of ROS exist for CPython 3.10 to 3.13, and are left out for newer ones.
"""

from pathlib import Path
import subprocess
import sys
import tempfile

from packaging.requirements import Requirement

# Pure Python, of which no version has a wheel: pip builds it.
SOURCE_ONLY = {'empy'}
NEWEST_OF_ROS = (3, 13)


def pins(python_version: str) -> list[Requirement]:
    """Return what constraints.txt asks for with this Python."""
    lines = (Path(__file__).parents[1] / 'constraints.txt').read_text('utf-8').splitlines()
    texts = [line.partition('#')[0].strip() for line in lines]
    requirements = [Requirement(text) for text in texts if text]
    has_ros = tuple(map(int, python_version.split('.'))) <= NEWEST_OF_ROS
    return [
        each
        for each in requirements
        if each.name not in SOURCE_ONLY
        and (has_ros or not each.name.startswith('ros-'))
        and (each.marker is None or each.marker.evaluate({'python_version': python_version}))
    ]


def main(*python_versions: str) -> int:
    """Ask pip for each pin, of one Python after the other; 1 if a wheel is missing."""
    missing = []
    for python_version in python_versions:
        for pin in pins(python_version):
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [
                        sys.executable,
                        '-m',
                        'pip',
                        'install',
                        '--quiet',
                        '--dry-run',
                        '--no-deps',
                        '--ignore-installed',
                        '--only-binary=:all:',
                        '--target',
                        folder,
                        '--python-version',
                        python_version,
                        f'{pin.name}{pin.specifier}',
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                )
            if done.returncode:
                missing.append(
                    f'{pin.name}{pin.specifier} has no wheel for CPython {python_version}'
                )
    print('\n'.join(missing) or f'every pin has a wheel for {", ".join(python_versions)}')
    return bool(missing)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
