"""
Training batches from images that are kept in the memory of the training device.

:func:`gpu_cache_loader` reads a data set once, and :class:`GpuCacheLoader` augments its images on
the device. For each image, it draws the same changes as :class:`~.loader.EpochLoader`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .augment import (
    augment,
    Augmentation,
    batch_of_one,
    center_crop,
    draw_params,
    image_rng,
    resized_crop,
    SampleBatch,
    to_device,
)
from .loader import (
    Batch,
    check_same_images,
    EpochLoader,
    network_batch,
    require_focal_length,
    ResumableBatchSampler,
)
from .sample import CorruptSampleError, DataError, Sample, SampleReader

_READ_AT_ONCE = 32


class CachedImages:
    """
    Images with depth on one device, of one size: 5 bytes per pixel.

    :param capacity: maximum number of images.
    :param size_px: (height, width) of the images.
    :param device: the device.
    """

    def __init__(self, capacity: int, size_px: tuple[int, int], device: torch.device):
        self.size_px = size_px
        self.device = device
        self.names: list[str] = []
        # Channels last, as images are read: so they are resized fastest.
        self._images = torch.empty((capacity, *size_px, 3), dtype=torch.uint8, device=device)
        # The relative error of half precision is at most 1/2000.
        self._depth_m = torch.empty((capacity, 1, *size_px), dtype=torch.float16, device=device)
        self._intrinsics = torch.empty((capacity, 3, 3), device=device)

    def __len__(self) -> int:
        return len(self.names)

    def append(self, samples: SampleBatch, names: list[str]) -> None:
        """
        Add images.

        :param samples: images of this size, on any device.
        :param names: names of their files.
        """
        places = slice(len(self), len(self) + len(names))
        self._images[places] = samples.image.permute(0, 2, 3, 1).to(self.device)
        self._depth_m[places] = samples.depth_m.to(self.device)
        self._intrinsics[places] = samples.intrinsics.to(self.device)
        self.names += names

    def __getitem__(self, indices: Tensor) -> SampleBatch:
        """Return the images of (B,) indices, on the device; depth is float16."""
        return SampleBatch(
            self._images[indices].permute(0, 3, 1, 2),
            self._depth_m[indices],
            self._intrinsics[indices],
        )


class GpuCacheLoader:
    """
    Delivers batches as :class:`EpochLoader` does, from images that are in memory.

    No image is decoded twice, and all random changes are made on the device. The last batch of an
    epoch is filled with the first images, so that all batches have the same size.

    :param images: all images.
    :param size_px: (height, width) of the batches.
    :param max_depth_m: top of the depth range in metres.
    :param training_focal_px: focal length in pixels of that size, to which depth is scaled.
    :param contrast_limit: limit of the equalization of the images, on the CPU; 0 for none.
    :param augmentation: the random changes.
    :param batch_size: images per batch.
    :param seed: seed of the order and of the random changes.
    :param corrupt_files: messages about the files that could not be read.
    """

    def __init__(
        self,
        images: CachedImages,
        *,
        size_px: tuple[int, int],
        max_depth_m: float,
        training_focal_px: float,
        contrast_limit: float = 0.0,
        augmentation: Augmentation,
        batch_size: int,
        seed: int = 0,
        corrupt_files: set[str] = frozenset(),  # type: ignore[assignment]
    ):
        self.corrupt_files = set(corrupt_files)
        self._images = images
        self._size_px = size_px
        self._max_depth_m = max_depth_m
        self._training_focal_px = training_focal_px
        self._contrast_limit = contrast_limit
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._batch_sampler = ResumableBatchSampler(len(images), batch_size, seed=seed)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self._batch_sampler)

    def state_dict(self) -> dict[str, int]:
        """Return the state that must not change if a run continues, as a module does."""
        return {'images': len(self._images)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """
        Check that a run can continue with these images.

        :param state: what :meth:`state_dict` returned when the checkpoint was written.
        :raises DataError: if there is another number of images now.
        """
        check_same_images(state, len(self._images))

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of an epoch, on the device.

        :param epoch: number of the epoch, from 0.
        :param start_batch: number of batches to skip.
        """
        self._batch_sampler.set_epoch(epoch)
        first = next(iter(self._batch_sampler))
        self._batch_sampler.set_epoch(epoch, start_batch)
        for keys in self._batch_sampler:
            indices = [index for _, index in keys + first[: self._batch_size - len(keys)]]
            yield self.batch(np.resize(indices, self._batch_size), epoch)

    def batch(self, indices: np.ndarray, epoch: int) -> Batch:
        """
        Return a batch of these images.

        :param indices: (B,) indices of the images.
        :param epoch: number of the epoch. Random changes depend on it, the seed and the index.
        """
        device, size_px = self._images.device, self._size_px
        rngs = [image_rng(self._seed, epoch, int(index)) for index in indices]
        params = draw_params(self._augmentation, self._images.size_px, size_px, rngs).to(device)
        samples = self._images[to_device(torch.from_numpy(indices), device)]
        return network_batch(
            [augment(samples, size_px, params)],
            [self._images.names[index] for index in indices],
            max_depth_m=self._max_depth_m,
            training_focal_px=self._training_focal_px,
            contrast_limit=self._contrast_limit,
        )


def gpu_cache_loader(
    reader: SampleReader,
    *,
    size_px: tuple[int, int],
    max_depth_m: float,
    training_focal_px: float,
    contrast_limit: float = 0.0,
    augmentation: Augmentation,
    device: torch.device,
    batch_size: int,
    seed: int = 0,
    workers: int = 0,
    max_corrupt_fraction: float = 0.01,
) -> GpuCacheLoader:
    """
    Read a whole data set and return the loader of its images.

    The images are kept at the size that the smallest crop of :attr:`Augmentation.crop_scale`
    needs, but not larger than the first image. Images of another aspect ratio than the network's
    input are cropped at the centre.

    :param reader: the data set.
    :param size_px: (height, width) of the network's input.
    :param max_depth_m: top of the depth range in metres.
    :param training_focal_px: focal length in pixels of that size, to which depth is scaled.
    :param contrast_limit: limit of the equalization of the images, on the CPU; 0 for none.
    :param augmentation: the random changes.
    :param device: the device that keeps the images.
    :param batch_size: images per batch.
    :param seed: seed of the order and of the random changes.
    :param workers: number of processes that read; with 0, this process reads.
    :param max_corrupt_fraction: the run fails if a larger share of the images is corrupt.
    :raises DataError: if there are no images, too many are corrupt, one has no camera matrix, or
        the device has too little memory.
    """
    cached_px = _cached_px(reader, size_px, augmentation.crop_scale[0])
    read_loader: EpochLoader[_ReadSamples] = EpochLoader(
        reader,
        partial(_prepare, size_px=cached_px),
        _collate,
        batch_size=_READ_AT_ONCE,
        shuffle=False,
        workers=workers,
        max_corrupt_fraction=max_corrupt_fraction,
    )
    try:
        images = CachedImages(len(reader), cached_px, device)
    except torch.cuda.OutOfMemoryError as error:
        raise DataError(
            f'{len(reader)} images of {cached_px[1]} x {cached_px[0]} pixels need '
            f'{5 * len(reader) * cached_px[0] * cached_px[1] / 1e9:.1f} GB on {device}, more than '
            'is free: leave data.gpu_cache out, or raise augmentation.crop_scale'
        ) from error
    for batch in tqdm(read_loader.epoch(0), desc='reading', total=len(read_loader), unit='batch'):
        images.append(batch.samples, batch.names)
    return GpuCacheLoader(
        images,
        size_px=size_px,
        max_depth_m=max_depth_m,
        training_focal_px=training_focal_px,
        contrast_limit=contrast_limit,
        augmentation=augmentation,
        batch_size=batch_size,
        seed=seed,
        corrupt_files=read_loader.corrupt_files,
    )


def _cached_px(
    reader: SampleReader, size_px: tuple[int, int], smallest_crop: float
) -> tuple[int, int]:
    """Return the size of the kept images, from the size of the first readable image."""
    enlarged = 1 / smallest_crop
    for index in range(len(reader)):
        try:
            height, width = reader[index].depth_m.shape
        except CorruptSampleError:
            continue
        enlarged = min(enlarged, max(1.0, min(height / size_px[0], width / size_px[1])))
        break
    return round(size_px[0] * enlarged), round(size_px[1] * enlarged)


class _ReadSamples(NamedTuple):
    """Samples as they were read, and the files that could not be."""

    samples: SampleBatch
    names: list[str]
    corrupt: list[str]


def _prepare(
    sample: Sample, rng: np.random.Generator, size_px: tuple[int, int]
) -> tuple[SampleBatch, str]:
    require_focal_length(sample)
    crop = center_crop(sample.depth_m.shape, size_px)
    return resized_crop(batch_of_one(sample), [crop], size_px), sample.name


def _collate(prepared: list[tuple[SampleBatch, str]]) -> _ReadSamples:
    parts, names = zip(*prepared)
    return _ReadSamples(SampleBatch(*(torch.cat(part) for part in zip(*parts))), list(names), [])
