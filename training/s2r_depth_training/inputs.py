"""What a run trains on, as settings, and the loaders that these settings describe."""
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from s2r_depth_ros.network import SIZE_MULTIPLE, SMALLEST_SIZE
from s2r_depth_ros.weights import LARGEST_TRAINING_SIDE_PX, WeightsInfo

from .data import (
    Augmentation,
    Batch,
    EpochLoader,
    open_dataset,
    PairedLoader,
    resident_loader,
    style_loader,
    Styles,
    training_loader,
)
from .errors import TrainingError
from .ranges import check_ranges
from .run import Loader, Stage


@dataclass(frozen=True)
class SourceSettings:
    """
    Where images with depth come from, and how they are changed.

    :param dataset: layout of the data set: ``vkitti`` (also what ``render-scenes`` writes),
        ``vkitti2``, ``suncg``, ``hypersim``, ``kitti_raw``, ``kitti_depth``, ``nyu``, ``folder``.
    :param root: its folder, or a list of folders of the same layout.
    :param options: further options of that reader, such as ``{variations: [clone, fog]}``.
    :param augmentation: random changes to the images; the defaults are the published ones.
    :param workers: processes that read ahead; 0 reads in the training process.
    :param resident: read all images once, keep them in the memory of the device that trains (5
        bytes a pixel), and change them there: for a GPU that waits for its CPU. Of images of
        another shape the central part is used; of sparse depth most points are lost; the last
        batch of an epoch is filled up. One process; stage 1 reads as ever.
    :param max_corrupt_fraction: fail if more of the images than this cannot be read.
    """

    dataset: str = 'vkitti'
    root: Path | list[Path] = Path('data')
    options: dict[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    workers: int = 4
    resident: bool = False
    max_corrupt_fraction: float = 0.01

    def __post_init__(self):
        check_ranges(self, 'workers', least=0)
        check_ranges(self, 'max_corrupt_fraction', least=0, most=1)

    def seen_by(self, info: WeightsInfo) -> 'DataSettings':
        """Return these data at the size, focal length and range that a network knows."""
        return DataSettings(
            **{field.name: getattr(self, field.name) for field in fields(SourceSettings)},
            height_px=info.training_height_px, width_px=info.training_width_px,
            training_focal_px=info.training_focal_px, max_depth_m=info.max_depth_m)


@dataclass(frozen=True)
class DataSettings(SourceSettings):
    """
    Images with depth, and what becomes of them.

    :param height_px: height of the network's input, a multiple of 16, 96 to 2048.
    :param width_px: width of the network's input, a multiple of 16, 96 to 2048.
    :param training_focal_px: focal length at that size. Depths are scaled to it, so that the
        network learns one camera; the node scales back. vKITTI: 725 px * 640 / 1242.
    :param max_depth_m: top of the depth range: 80 outdoor, 8 indoor. What is farther, and the
        sky, is supervised as exactly this far.
    """

    height_px: int = 192
    width_px: int = 640
    training_focal_px: float = 725.0 * 640 / 1242
    max_depth_m: float = 80.0

    def __post_init__(self):
        super().__post_init__()
        for name in ('height_px', 'width_px'):
            side = getattr(self, name)
            if side % SIZE_MULTIPLE or not SMALLEST_SIZE <= side <= LARGEST_TRAINING_SIDE_PX:
                raise ValueError(
                    f'{name} must be a multiple of {SIZE_MULTIPLE} and at least {SMALLEST_SIZE}, '
                    f'at most {LARGEST_TRAINING_SIDE_PX}, got {side}')
        check_ranges(self, 'training_focal_px', 'max_depth_m', above=0)

    def weights_info(self, provenance: dict[str, str]) -> WeightsInfo:
        """Return what a weights file says about a network trained on this."""
        return WeightsInfo(
            max_depth_m=self.max_depth_m, training_focal_px=self.training_focal_px,
            training_height_px=self.height_px, training_width_px=self.width_px,
            provenance=provenance)


@dataclass(frozen=True)
class StyleSettings:
    """
    Style images, which need no labels.

    :param root: folder of the images, such as Painter By Numbers or what ``render-styles`` wrote.
    """

    root: Path = Path('styles')


def depth_loader(data: DataSettings, stage: Stage) -> Loader[Batch]:
    """
    Return the loader of stages 2 and 3 and of fine-tuning.

    :param data: what to load, at its full size.
    :param stage: gives batch size, seed and this process's share.
    :raises TrainingError: if several processes want all images resident.
    """
    if data.resident:
        if stage.fabric.world_size > 1:
            raise TrainingError(
                f'data.resident is for one process, and this run has {stage.fabric.world_size}: '
                'leave it out')
        return resident_loader(
            open_dataset(data.dataset, data.root, **data.options),
            size_px=(data.height_px, data.width_px), max_depth_m=data.max_depth_m,
            training_focal_px=data.training_focal_px, augmentation=data.augmentation,
            device=stage.fabric.device, batch_size=stage.process_batch_size,
            seed=stage.run.seed, workers=data.workers,
            max_corrupt_fraction=data.max_corrupt_fraction)
    return _loader(data, stage, (data.height_px, data.width_px))


def translation_loader(
    data: DataSettings, styles: StyleSettings, crop_px: int, stage: Stage,
) -> PairedLoader:
    """
    Return the loader of stage 1: square crops of the data set and of the style images.

    :param data: what to load.
    :param styles: where the style images are.
    :param crop_px: side of the crops.
    :param stage: gives batch size, seed and this process's share.
    """
    size_px = (crop_px, crop_px)
    # They are half the work. One reader at least, unless this process is to read everything.
    style_workers = min(data.workers, max(1, data.workers // 2))
    paintings = style_loader(
        Styles(styles.root), size_px=size_px, **_options(data, stage, style_workers))
    return PairedLoader(_loader(data, stage, size_px), paintings)


def _loader(data: DataSettings, stage: Stage, size_px: tuple[int, int]) -> EpochLoader[Batch]:
    return training_loader(
        open_dataset(data.dataset, data.root, **data.options), size_px=size_px,
        max_depth_m=data.max_depth_m, training_focal_px=data.training_focal_px,
        augmentation=data.augmentation, **_options(data, stage, data.workers))


def _options(data: DataSettings, stage: Stage, workers: int) -> dict[str, Any]:
    return {
        'batch_size': stage.process_batch_size, 'seed': stage.run.seed, 'workers': workers,
        'rank': stage.fabric.global_rank, 'world_size': stage.fabric.world_size,
        'max_corrupt_fraction': data.max_corrupt_fraction}
