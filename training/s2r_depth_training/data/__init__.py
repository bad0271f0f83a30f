"""Data sets: one reader per published layout, augmentation, and batches for training."""
from collections.abc import Sequence
import inspect
from os import PathLike
from typing import Any

from torch.utils.data import ConcatDataset

from .augment import Augmentation
from .folder import Folder
from .hypersim import Hypersim
from .kitti_depth import KittiDepth
from .kitti_raw import KittiRaw
from .loader import (
    Batch,
    EpochLoader,
    measure_images_per_s,
    PairedLoader,
    style_loader,
    StyleBatch,
    training_loader,
)
from .manifest import Manifest
from .nyu import Nyu
from .resident import resident_loader, ResidentLoader
from .sample import CorruptSampleError, DataError, Sample, SampleReader, StyleImage
from .styles import Styles
from .suncg import Suncg
from .vkitti import VKitti, VKitti2

__all__ = [
    'Augmentation', 'Batch', 'CorruptSampleError', 'DATASETS', 'DataError', 'EpochLoader',
    'Folder', 'Hypersim', 'KittiDepth', 'KittiRaw', 'Manifest', 'Nyu', 'PairedLoader',
    'ResidentLoader', 'Sample', 'SampleReader', 'StyleBatch', 'StyleImage', 'Styles', 'Suncg',
    'VKitti', 'VKitti2', 'measure_images_per_s', 'open_dataset', 'resident_loader',
    'style_loader', 'training_loader',
]

DATASETS: dict[str, type] = {
    'vkitti': VKitti,
    'vkitti2': VKitti2,
    'suncg': Suncg,
    'hypersim': Hypersim,
    'kitti_raw': KittiRaw,
    'kitti_depth': KittiDepth,
    'nyu': Nyu,
    'folder': Folder,
    'manifest': Manifest,
}
"""The readers of images with depth, by the name that configurations use."""


def open_dataset(
    name: str, root: str | PathLike | Sequence[str | PathLike], **options: Any,
) -> SampleReader:
    """
    Open a data set by its name.

    :param name: one of :data:`DATASETS`.
    :param root: its folder, or several folders of the same kind, which are joined.
    :param options: of the reader, such as ``variations`` of :class:`VKitti`.
    :returns: the reader.
    :raises DataError: if the name or an option is not known, or the folder is not as expected.
    """
    if name not in DATASETS:
        raise DataError(f'there is no data set "{name}"; known are {", ".join(DATASETS)}')
    reader = DATASETS[name]
    roots = [root] if isinstance(root, (str, PathLike)) else list(root)
    if not roots:
        raise DataError(f'the data set "{name}" needs at least one folder')
    try:
        inspect.signature(reader).bind(roots[0], **options)
    except TypeError as error:
        known = ', '.join(list(inspect.signature(reader).parameters)[1:]) or 'none'
        raise DataError(f'data set "{name}": {error}; its options are: {known}') from error
    readers = [reader(each, **options) for each in roots]
    return readers[0] if len(readers) == 1 else ConcatDataset(readers)
