"""Training batches from images that stay in the memory of the device that trains."""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from s2r_depth_ros.depth_range import from_metres

from .augment import Augmentation, fit
from .augment_batch import change_colors, change_places, draw_changes
from .loader import Batch, check_same_images, EpochLoader, EpochPlan
from .sample import CorruptSampleError, DataError, Sample, SampleReader

_READ_AT_ONCE = 32


class ResidentImages:
    """
    Images with depth on one device, of one size: 5 bytes a pixel.

    :param capacity: how many there is room for.
    :param size_px: (height, width) of the images.
    :param device: where they are.
    """

    def __init__(self, capacity: int, size_px: tuple[int, int], device: torch.device):
        self.size_px = size_px
        self.device = device
        self.names: list[str] = []
        self._images = torch.empty((capacity, 3, *size_px), dtype=torch.uint8, device=device)
        self._depth_m = torch.empty((capacity, 1, *size_px), dtype=torch.float16, device=device)
        self._focal_px = torch.empty(capacity, device=device)

    def __len__(self) -> int:
        return len(self.names)

    def append(
        self, images: np.ndarray, depth_m: np.ndarray, focal_px: np.ndarray, names: list[str],
    ) -> None:
        """
        Add images.

        :param images: (N, H, W, 3) uint8 RGB.
        :param depth_m: (N, H, W) float32 metres, NaN where not known, infinite for the sky.
        :param focal_px: (N,) at this size.
        :param names: of their files.
        """
        where = slice(len(self), len(self) + len(names))
        self._images[where] = torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device)
        # 0 is what is not known. Half precision is as good as a two-thousandth of the depth.
        known = torch.from_numpy(depth_m).nan_to_num(nan=0.0, posinf=float('inf'))
        self._depth_m[where] = known[:, None].half().to(self.device)
        self._focal_px[where] = torch.from_numpy(focal_px).float().to(self.device)
        self.names += names

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return images (B, 3, H, W) uint8, depth (B, 1, H, W) float16 metres, focal lengths."""
        return self._images[indices], self._depth_m[indices], self._focal_px[indices]


class ResidentLoader:
    """
    Delivers batches as :class:`EpochLoader` does, of images that were all read before.

    Nothing is decoded twice, and all random changes are made on the device. The last batch of an
    epoch is filled up with the first images, so that all have one size.

    :param images: all of them.
    :param size_px: (height, width) of the batches, multiples of 16.
    :param max_depth_m: metres at the top of the network's range.
    :param training_focal_px: focal length at that size to which depths are brought.
    :param augmentation: the random changes.
    :param batch_size: images per batch.
    :param seed: of order and chance.
    :param corrupt_files: messages about the files that could not be read.
    """

    def __init__(
        self, images: ResidentImages, *, size_px: tuple[int, int], max_depth_m: float,
        training_focal_px: float, augmentation: Augmentation, batch_size: int, seed: int = 0,
        corrupt_files: set[str] = frozenset(),  # type: ignore[assignment]
    ):
        self.corrupt_files = set(corrupt_files)
        self._images = images
        self._size_px = size_px
        self._max_depth_m = max_depth_m
        self._training_focal_px = training_focal_px
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return -(-len(self._images) // self._batch_size)

    def state_dict(self) -> dict[str, int]:
        """Return what must be the same for a run to go on exactly, as a module does."""
        return {'images': len(self._images)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """
        Check that a run can go on with these images.

        :param state: what :meth:`state_dict` returned when the checkpoint was written.
        :raises DataError: if there is another number of images now.
        """
        check_same_images(state, len(self._images))

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of an epoch, on the device.

        :param epoch: its number, from 0.
        :param start_batch: how many batches to leave out.
        """
        plan = EpochPlan(len(self._images), self._batch_size, seed=self._seed)
        plan.choose(epoch, 0)
        first = [index for _, index in next(iter(plan))]
        plan.choose(epoch, start_batch)
        for number, keys in enumerate(plan, start_batch):
            indices = [index for _, index in keys]
            filled = np.resize(indices + first[:self._batch_size - len(indices)], self._batch_size)
            yield self.batch(filled, (epoch, number))

    def batch(self, indices: np.ndarray, place: tuple[int, int]) -> Batch:
        """
        Return a batch of chosen images.

        :param indices: (B,) of the images.
        :param place: epoch and number in it, from which, with the seed, chance comes.
        """
        device, size_px = self._images.device, self._size_px
        rng = np.random.default_rng((self._seed, *place))
        changes = draw_changes(
            self._augmentation, len(indices), self._images.size_px, size_px, rng).to(device)
        chance = torch.Generator(device).manual_seed(int(rng.integers(2 ** 62)))
        where = torch.from_numpy(indices)
        if device.type == 'cuda':
            where = where.pin_memory()  # or the copy waits for what the device is doing
        images, depth_m, focal_px = self._images[where.to(device, non_blocking=True)]
        image, depth_m = change_places(images, depth_m, changes.to_source, size_px)
        noise = torch.randn(image.shape, generator=chance, device=device)
        image = change_colors(image, changes, noise, self._augmentation)
        valid = depth_m > 0
        focal_px = focal_px * changes.zoom * (size_px[1] / self._images.size_px[1])
        depth_m = depth_m * (self._training_focal_px / focal_px)[:, None, None, None]
        depth = torch.where(valid, from_metres(depth_m, self._max_depth_m), 0.0)
        return Batch(
            image * (2 / 255) - 1, depth, valid, [self._images.names[i] for i in indices], [])


def resident_loader(
    reader: SampleReader, *, size_px: tuple[int, int], max_depth_m: float,
    training_focal_px: float, augmentation: Augmentation, device: torch.device, batch_size: int,
    seed: int = 0, workers: int = 0, max_corrupt_fraction: float = 0.01,
) -> ResidentLoader:
    """
    Read a whole data set and return the loader of its images.

    They are kept as large as the smallest part of :attr:`Augmentation.crop_scale` needs them, or
    as the first of them is, if that is smaller. Of images of another shape than the network's
    input the central part is kept.

    :param reader: the data set.
    :param size_px: (height, width) of the network's input.
    :param max_depth_m: metres at the top of the network's range.
    :param training_focal_px: focal length at that size to which depths are brought.
    :param augmentation: the random changes.
    :param device: where to keep the images.
    :param batch_size: images per batch.
    :param seed: of order and chance.
    :param workers: processes that read; 0 reads in this one.
    :param max_corrupt_fraction: share of corrupt images from which on the run fails.
    :raises DataError: if there are no images, too many are corrupt, one has no camera matrix, or
        the device has no room for them.
    """
    kept_px = _kept_px(reader, size_px, augmentation.crop_scale[0])
    source: EpochLoader[Any] = EpochLoader(
        reader, partial(_prepare, size_px=kept_px), _collate, batch_size=_READ_AT_ONCE,
        workers=workers, max_corrupt_fraction=max_corrupt_fraction)
    try:
        images = ResidentImages(len(reader), kept_px, device)
    except torch.cuda.OutOfMemoryError as error:
        raise DataError(
            f'{len(reader)} images of {kept_px[1]} x {kept_px[0]} pixels need '
            f'{5 * len(reader) * kept_px[0] * kept_px[1] / 1e9:.1f} GB on {device}, which has not '
            'as much free: leave data.resident out, or raise augmentation.crop_scale') from error
    for read in tqdm(source.epoch(0), desc='reading', total=len(source), unit='batch'):
        images.append(*read[:4])
    return ResidentLoader(
        images, size_px=size_px, max_depth_m=max_depth_m, training_focal_px=training_focal_px,
        augmentation=augmentation, batch_size=batch_size, seed=seed,
        corrupt_files=source.corrupt_files)


def _kept_px(
    reader: SampleReader, size_px: tuple[int, int], smallest_part: float,
) -> tuple[int, int]:
    """Return the size to keep images at; the first that can be read says how large they are."""
    enlarged = 1 / smallest_part
    for index in range(len(reader)):
        try:
            height, width = reader[index].depth_m.shape
        except CorruptSampleError:
            continue
        enlarged = min(enlarged, max(1.0, min(height / size_px[0], width / size_px[1])))
        break
    return round(size_px[0] * enlarged), round(size_px[1] * enlarged)


class _Read(NamedTuple):
    """Images as they were read; what :class:`EpochLoader` needs to know of a batch."""

    image: np.ndarray
    depth_m: np.ndarray
    focal_px: np.ndarray
    names: list[str]
    corrupt: list[str]


def _prepare(
    sample: Sample, rng: np.random.Generator, size_px: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, float, str]:
    sample = fit(sample, size_px)
    focal_px = float(sample.intrinsics[0, 0])
    if not np.isfinite(focal_px):
        raise DataError(
            f'{sample.name} has no camera matrix, so its depth cannot be brought to the training '
            'focal length: give the data set its intrinsics')
    return sample.image, sample.depth_m, focal_px, sample.name


def _collate(prepared: list[tuple], corrupt: list[str]) -> _Read:
    images, depths, focal_px, names = [list(column) for column in zip(*prepared)] or [[]] * 4
    return _Read(np.array(images), np.array(depths), np.array(focal_px), names, corrupt)
