"""Measure the speed of rendering, loading and training, for ``python -m benchmarks training``."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
import time
from typing import Any

import numpy as np

from s2r_scenes import render_scenes, render_styles

from .config import Config
from .settings.data import DataSettings, StyleSettings
from .settings.fabric import FabricSettings
from .settings.stages import DsaSettings, SteDecoderSettings, SteEncoderSettings
from .stages import train_all

_STAGES = ('ste_encoder', 'ste_decoder', 'dsa')
_FIRST_STEPS = 2  # which wait for the first batch and choose kernels
_STYLES = 16


def bench(
    width_px: int = 320,
    height_px: int = 96,
    batch_size: int = 8,
    steps: int = 20,
    scenes: int = 6,
    workers: int = 1,
    architecture: str = 'compact',
) -> None:
    """
    Measure renderer, loader and the three stages; print JSON as the last line.

    :param width_px: width of the images and of the network's input.
    :param height_px: height of the images and of the network's input.
    :param batch_size: batch size of stages 2 and 3. Stage 1 uses two crops of 128 x 128.
    :param steps: number of training steps of each stage, and of batches of the loader; at least 4.
    :param scenes: number of streets to render.
    :param workers: number of processes that read ahead.
    :param architecture: ``compact`` or ``paper``.
    :raises ValueError: for fewer steps.
    """
    from .data import open_dataset  # the help needs no PyTorch, which takes seconds

    if steps < _FIRST_STEPS + 2:
        raise ValueError(f'steps must be {_FIRST_STEPS + 2} or more, got {steps}')
    loop: Any = {'log_every_steps': 1, 'pictures_every_steps': 10**9}
    with TemporaryDirectory(prefix='s2r-bench-') as scratch:
        folder = Path(scratch)
        begun_s = time.perf_counter()
        render_scenes(folder / 'scenes', scenes=scenes, width_px=width_px, height_px=height_px)
        spent_s = time.perf_counter() - begun_s
        render_styles(folder / 'styles', count=_STYLES, size_px=160)
        data = DataSettings(
            root=folder / 'scenes', workers=workers, width_px=width_px, height_px=height_px
        )
        images = len(open_dataset(data.dataset, data.root))
        loop_of_images: Any = {
            **loop,
            'batch_size': batch_size,
            'epochs': steps / -(-images // batch_size),
        }
        config = Config(
            folder / 'run',
            architecture=architecture,  # type: ignore[arg-type]
            fabric=FabricSettings(devices=1, precision='auto'),
            data=data,
            styles=StyleSettings(folder / 'styles'),
            ste_encoder=SteEncoderSettings(batch_size=2, crop_px=128, steps=steps, **loop),
            ste_decoder=SteDecoderSettings(**loop_of_images),
            dsa=DsaSettings(**loop_of_images),
        )
        rates = {
            'renderer': {'images/s': images / spent_s},
            'loader': {'images/s': _loader_rate(data, batch_size, steps)},
        }
        train_all(config)
        for stage in _STAGES:
            size = getattr(config, stage).batch_size
            rates[f'stage {stage}'] = {'samples/s': size * _steps_per_s(config.run_dir / stage)}
    print(json.dumps(rates))


def _loader_rate(data: DataSettings, batch_size: int, steps: int) -> float:
    """Return how many images a second come out of the loader."""
    from .data import open_dataset, training_loader

    loader = training_loader(
        open_dataset(data.dataset, data.root),
        size_px=(data.height_px, data.width_px),
        max_depth_m=data.max_depth_m,
        training_focal_px=data.training_focal_px,
        contrast_limit=data.contrast_limit,
        augmentation=data.augmentation,
        batch_size=batch_size,
        workers=data.workers,
    )
    batches = itertools.chain.from_iterable(loader.epoch(n) for n in itertools.count())
    next(batches)  # the workers have started
    begun_s = time.perf_counter()
    count = sum(len(batch.image) for batch in itertools.islice(batches, steps))
    return count / (time.perf_counter() - begun_s)


def _steps_per_s(folder: Path) -> float:
    """Return the median rate of a stage, from the times in its log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(folder))
    log.Reload()
    times_s = [event.wall_time for event in log.Scalars(log.Tags()['scalars'][0])]
    return 1 / float(np.median(np.diff(times_s[_FIRST_STEPS:])))
