"""
Data sets and batches: a reader opens images, the augmentation changes them, a loader batches them.

``readers/`` has one file per data set, and says how to add one. ``sample.py`` is one image with
its depth, ``augment.py`` the random changes, ``loader.py`` the batches read from files,
``gpu_cache.py`` those of images kept on the GPU, and ``stream.py`` those of scenes rendered
meanwhile. ``inputs.py`` has the settings of all these.
"""

from .augment import Augmentation, AugmentParams
from .gpu_cache import gpu_cache_loader, GpuCacheLoader
from .loader import (
    Batch,
    EpochLoader,
    measure_images_per_s,
    PairedLoader,
    ResumableBatchSampler,
    style_loader,
    StyleBatch,
    training_loader,
)
from .readers import (
    DATASETS,
    Folder,
    Hypersim,
    KittiDepth,
    KittiRaw,
    Manifest,
    Nyu,
    open_dataset,
    Suncg,
    VKitti,
    VKitti2,
)
from .readers.styles import Styles
from .sample import CorruptSampleError, DataError, Sample, SampleReader, StyleImage
from .stream import SceneStream

__all__ = [
    'AugmentParams',
    'Augmentation',
    'Batch',
    'CorruptSampleError',
    'DATASETS',
    'DataError',
    'EpochLoader',
    'Folder',
    'GpuCacheLoader',
    'Hypersim',
    'KittiDepth',
    'KittiRaw',
    'Manifest',
    'Nyu',
    'PairedLoader',
    'ResumableBatchSampler',
    'Sample',
    'SampleReader',
    'SceneStream',
    'StyleBatch',
    'StyleImage',
    'Styles',
    'Suncg',
    'VKitti',
    'VKitti2',
    'gpu_cache_loader',
    'measure_images_per_s',
    'open_dataset',
    'style_loader',
    'training_loader',
]
