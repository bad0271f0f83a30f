"""
The folder of a run: who may write to it, and the files that say how to repeat the run.

A run folder holds one folder per stage. In it: ``settings.json`` (every resolved setting),
``environment.json`` (of each start: git revision, versions, seed, command), ``checkpoint.pt``
(from which ``--resume`` continues), ``result.pt`` (which later stages take), TensorBoard events,
and ``pictures/``.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
import shutil
from typing import Any, TextIO, TYPE_CHECKING

from ..errors import TrainingError
from .checkpoints import write_json
from .provenance import environment
from .resume import plain

if TYPE_CHECKING:
    from ..config import Config

CHECKPOINT_FILE = 'checkpoint.pt'
RESULT_FILE = 'result.pt'


def lock_run(folder: Path) -> TextIO:
    """
    Return the open lock of a run folder; the system frees it however the process ends.

    :param folder: made where it is missing.
    :raises TrainingError: if it cannot be written, or another process trains in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / '.lock', 'w')
    except OSError as error:
        raise TrainingError(
            f'cannot write to the run folder {folder} ({error}): give another run_dir'
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise TrainingError(
            f'another process is training in {folder}: wait for it, or give another run_dir'
        ) from error
    # Or the processes that read ahead would hold the lock for seconds after this one was killed.
    os.register_at_fork(after_in_child=lock.close)
    return lock


def refuse_earlier_run(folder: Path, resume: bool) -> None:
    """
    Refuse to train a stage whose folder holds a result, or a checkpoint that is not continued.

    :param folder: the folder of the stage, which may be missing.
    :param resume: whether the stage continues from its checkpoint.
    :raises TrainingError: if it does.
    """
    if (folder / RESULT_FILE).exists():
        raise TrainingError(
            f'{folder} holds a finished {folder.name}: give another run_dir, or remove that '
            'folder to train it again'
        )
    if (folder / CHECKPOINT_FILE).exists() and not resume:
        raise TrainingError(
            f'{folder} holds an unfinished {folder.name}: continue it with --resume, or give '
            'another run_dir'
        )


def check_room(folder: Path) -> None:
    """
    Check that the disk has room for two more checkpoints.

    :param folder: the folder of a stage that has a checkpoint.
    :raises TrainingError: if it has not.
    """
    need = 2 * (folder / CHECKPOINT_FILE).stat().st_size
    free = shutil.disk_usage(folder).free
    if free < need:
        raise TrainingError(
            f'{folder} is on a disk with {free / 1e6:.0f} MB free; the checkpoints of '
            f'{folder.name} need {need / 1e6:.0f} MB: make room or give another run_dir'
        )


def describe_start(folder: Path, config: Config, **start: Any) -> None:
    """
    Write the settings of a run, and add this start to the list of its starts.

    :param folder: the folder of the stage.
    :param config: the configuration of the run.
    :param start: further facts about this start.
    """
    file = folder / 'environment.json'
    try:
        starts = json.loads(file.read_text('utf-8')) if file.exists() else []
    except ValueError as error:
        raise TrainingError(f'{file} is damaged ({error}): repair or remove it') from error
    write_json(folder / 'settings.json', plain(config))
    write_json(file, [*starts, {**environment(config.seed), **start}])
