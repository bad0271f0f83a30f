"""The loaders that the settings of a run describe."""

from dataclasses import replace
from typing import Any

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
            open_dataset(data.dataset, data.root, **data.options),
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
        open_dataset(data.dataset, data.root, **data.options),
        size_px=size_px,
        max_depth_m=data.max_depth_m,
        training_focal_px=data.training_focal_px,
        contrast_limit=data.contrast_limit,
        augmentation=data.augmentation,
        **_options(data, stage, data.workers),
    )


def _options(data: DataSettings, stage: Stage, workers: int) -> dict[str, Any]:
    return {
        'batch_size': stage.process_batch_size,
        'seed': stage.config.seed,
        'workers': workers,
        'rank': stage.fabric.global_rank,
        'world_size': stage.fabric.world_size,
        'max_corrupt_fraction': data.max_corrupt_fraction,
    }
