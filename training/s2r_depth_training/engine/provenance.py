"""Where a run comes from: revision, versions, command, seed."""

from __future__ import annotations

import datetime
from importlib import metadata
import json
from pathlib import Path
import platform
import subprocess
import sys
from typing import Any, TYPE_CHECKING

from .resume import plain

if TYPE_CHECKING:
    from ..config import Config

LOGGED_PACKAGES = (
    's2r_depth_ros',
    'torch',
    'lightning-fabric',
    'numpy',
    'opencv-python-headless',
    'pillow',
    'safetensors',
)


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
        'seed': seed,
        'git_revision': git_revision(),
        'python': platform.python_version(),
        'machine': platform.machine(),
        'packages': versions,
    }


def git_revision() -> str | None:
    """Return the revision of this package's checkout, ``+`` if changed; None if there is none."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', Path(__file__).name)
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', 'HEAD') + ('+' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(config: Config, stage: str, steps: int, hours: float) -> dict[str, str]:
    """
    Return a description of the origin of the weights of a stage.

    :param config: the configuration of the run.
    :param stage: its name.
    :param steps: how many it took.
    :param hours: how long it took.
    """
    start = environment(config.seed)
    return {
        'stage': stage,
        'steps': str(steps),
        'hours': f'{hours:.2f}',
        'seed': str(config.seed),
        'git_revision': str(start['git_revision']),
        'command': str(start['command']),
        'date': str(start['started'])[:10],
        'settings': json.dumps(plain(config), default=str),
    }
