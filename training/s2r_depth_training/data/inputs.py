"""The loaders that the settings of a run describe."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from s2r_scenes import render_styles

from ..engine.batches import Loader
from ..engine.stage import Stage
from ..errors import TrainingError
from ..settings.data import DataSettings, ScenesSettings, StyleSettings
from . import (
    Batch,
    gpu_cache_loader,
    open_dataset,
    PairedLoader,
    SceneStream,
    style_loader,
    Styles,
    training_loader,
)
from .sample import CorruptSampleError, DataError, SampleReader

_SAMPLED_IMAGES = 8
_NEAREST_SHARE = 1e-3  # of the range; no data set is nearer throughout


def depth_loader(data: DataSettings, stage: Stage) -> Loader[Batch]:
    """
    Return the loader of stages 2 and 3 and of fine-tuning.

    :param data: what to load, at its full size.
    :param stage: gives batch size, seed and this process's share.
    :raises TrainingError: if several processes are to share a GPU cache.
    """
    if data.gpu_cache and data.dataset == 'scenes':
        raise TrainingError(
            'data.gpu_cache is for images in a folder, not for scenes: leave it out'
        )
    if data.gpu_cache:
        if stage.fabric.world_size > 1:
            raise TrainingError(
                f'data.gpu_cache is for one process, and this run has {stage.fabric.world_size}: '
                'leave it out'
            )
        return gpu_cache_loader(
            _open(data),
            size_px=(data.height_px, data.width_px),
            max_depth_m=data.max_depth_m,
            training_focal_px=data.training_focal_px,
            contrast_limit=data.contrast_limit,
            augmentation=data.augmentation,
            device=stage.fabric.device,
            batch_size=stage.process_batch_size,
            seed=stage.config.seed,
            workers=data.workers,
            max_corrupt_fraction=data.max_corrupt_fraction,
        )
    return _loader(data, stage, (data.height_px, data.width_px))


def translation_loader(
    data: DataSettings, styles: StyleSettings, crop_px: int, stage: Stage
) -> PairedLoader:
    """
    Return the loader of stage 1: square crops of the data set and of the style images.

    :param data: what to load.
    :param styles: where the style images are.
    :param crop_px: side of the crops.
    :param stage: gives batch size, seed and this process's share.
    """
    size_px = (crop_px, crop_px)
    if styles.render and stage.fabric.is_global_zero:
        render_styles(styles.root, styles.render, workers=max(1, data.workers))
    stage.fabric.barrier()
    # Style images are half the work. They get a worker at least, unless there are none.
    style_workers = min(data.workers, max(1, data.workers // 2))
    return PairedLoader(
        _loader(data, stage, size_px),
        style_loader(
            Styles(styles.root),
            size_px=size_px,
            contrast_limit=data.contrast_limit,
            **_options(data, stage, style_workers),
        ),
    )


def _loader(data: DataSettings, stage: Stage, size_px: tuple[int, int]) -> Loader[Batch]:
    if data.dataset == 'scenes':
        scenes = data.scenes or ScenesSettings()
        scenes = replace(
            scenes,
            width_px=scenes.width_px or data.width_px,
            height_px=scenes.height_px or data.height_px,
            sizes_px=scenes.sizes_px if size_px == (data.height_px, data.width_px) else [],
        )
        try:
            return SceneStream(
                scenes,
                size_px=size_px,
                max_depth_m=data.max_depth_m,
                training_focal_px=data.training_focal_px,
                contrast_limit=data.contrast_limit,
                augmentation=data.augmentation,
                **_options(data, stage, data.workers),
            )
        except ValueError as error:
            raise TrainingError(f'data.scenes: {error}') from error
    return training_loader(
        _open(data),
        size_px=size_px,
        max_depth_m=data.max_depth_m,
        training_focal_px=data.training_focal_px,
        contrast_limit=data.contrast_limit,
        augmentation=data.augmentation,
        **_options(data, stage, data.workers),
    )


def _open(data: DataSettings) -> SampleReader:
    """
    Return the reader of the images.

    :raises DataError: if they are not as expected, or their depth seems to be in another unit.
    """
    reader = open_dataset(data.dataset, data.root, **data.options)
    depth_m = _measured_depth_m(reader)
    if depth_m.size and (
        np.percentile(depth_m, 5) > data.max_depth_m
        or np.percentile(depth_m, 95) < data.max_depth_m * _NEAREST_SHARE
    ):
        raise DataError(
            f'the images in {data.root} have a median depth of {np.median(depth_m):g} m, and '
            f'max_depth_m is {data.max_depth_m:g}: correct the unit of their depth, or that range'
        )
    return reader


def _measured_depth_m(reader: SampleReader) -> np.ndarray:
    """Return the finite depth of some images, (N,) metres."""
    depths_m = [np.zeros(0, np.float32)]
    for index in np.linspace(0, len(reader) - 1, min(_SAMPLED_IMAGES, len(reader))):
        with suppress(CorruptSampleError):  # the loader counts it
            depth_m = reader[round(index)].depth_m
            depths_m.append(depth_m[np.isfinite(depth_m)])
    return np.concatenate(depths_m)


def _options(data: DataSettings, stage: Stage, workers: int) -> dict[str, Any]:
    return {
        'batch_size': stage.process_batch_size,
        'seed': stage.config.seed,
        'workers': workers,
        'rank': stage.fabric.global_rank,
        'world_size': stage.fabric.world_size,
        'max_corrupt_fraction': data.max_corrupt_fraction,
    }
