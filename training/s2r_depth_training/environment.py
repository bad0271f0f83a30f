"""What is needed to repeat a run, beside its settings."""
from __future__ import annotations

import datetime
from importlib import metadata
from pathlib import Path
import platform
import subprocess
import sys
from typing import Any

LOGGED_PACKAGES = (
    's2r_depth_ros', 'torch', 'lightning-fabric', 'numpy', 'opencv-python-headless', 'pillow',
    'safetensors')


def environment(seed: int) -> dict[str, Any]:
    """
    Return what is needed to repeat a run, beside its settings.

    :param seed: the run's.
    """
    versions = {}
    for package in LOGGED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        'command': ' '.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        'started': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'seed': seed, 'git_revision': git_revision(), 'python': platform.python_version(),
        'machine': platform.machine(), 'packages': versions,
    }


def git_revision() -> str | None:
    """Return the revision of this package's checkout, ``+`` if changed; None if there is none."""
    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', *arguments], cwd=Path(__file__).parent, capture_output=True, text=True,
            check=True).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', Path(__file__).name)
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', 'HEAD') + ('+' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return None
