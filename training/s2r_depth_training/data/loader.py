"""
Training batches: every image once per epoch, the same for any number of workers, resumable.

What is random about an image depends on the seed, the epoch and the image's index alone. So a run
that is resumed in mid-epoch goes on exactly as if it had not been stopped.
"""
from collections.abc import Callable, Iterator
from functools import partial
import logging
import time
from typing import Any, Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from s2r_depth_ros.depth_range import from_metres

from .augment import augment, Augmentation, canonical_depth, fit, random_part, resize_image
from .sample import CorruptSampleError, DataError, Sample, SampleReader, StyleImage
from .styles import Styles

_LOG = logging.getLogger(__name__)
_STAND_INS = 8  # how many neighbours are tried where a whole batch is corrupt


class Batch(NamedTuple):
    """
    Images with depth.

    ``image`` is (B, 3, H, W) float32 in [-1, 1], ``depth`` (B, 1, H, W) float32 in [-1, 1] with 1
    for far and 0 where not valid, ``valid`` (B, 1, H, W) bool. ``names`` are the files.
    ``corrupt`` names the files that this batch lacks, with the reason: it is smaller by them.
    """

    image: torch.Tensor
    depth: torch.Tensor
    valid: torch.Tensor
    names: list[str]
    corrupt: list[str]


class StyleBatch(NamedTuple):
    """Style images: ``image`` (B, 3, H, W) float32 in [-1, 1]; ``names``, ``corrupt`` as above."""

    image: torch.Tensor
    names: list[str]
    corrupt: list[str]


BatchT = TypeVar('BatchT', Batch, StyleBatch)


class EpochLoader(Generic[BatchT]):
    """
    Delivers a data set in batches, one epoch at a time.

    Over all ranks an epoch has each image once, in an order given by seed and epoch; its last
    images are repeated where the ranks would else have unequal numbers. Global batch k is the same
    for any number of ranks: they share it out.

    :param items: the data set.
    :param prepare: makes the arrays of one item: ``prepare(item, rng)``.
    :param collate: makes the batch of the arrays of its items and the corrupt ones' messages.
    :param batch_size: images per batch and rank.
    :param seed: of order and chance.
    :param workers: processes that read ahead; 0 reads in this one.
    :param rank: which share is this process's.
    :param world_size: number of shares.
    :param max_corrupt_fraction: share of corrupt images from which on the run fails; one is always
        allowed.
    :raises DataError: if there are no images.
    """

    def __init__(
        self, items: Any, prepare: Callable[[Any, np.random.Generator], tuple],
        collate: Callable[[list[tuple], list[str]], BatchT], *, batch_size: int, seed: int = 0,
        workers: int = 0, rank: int = 0, world_size: int = 1,
        max_corrupt_fraction: float = 0.01,
    ):
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.corrupt_files: set[str] = set()
        """Messages about the corrupt files met so far."""
        self._max_corrupt = max(1, int(max_corrupt_fraction * len(items)))
        self._image_count = len(items)
        if not len(items):
            raise DataError('the data set has no images')
        self._plan = EpochPlan(
            len(items), batch_size, seed=seed, rank=rank, world_size=world_size)
        self._loader = DataLoader(
            _Items(items, prepare, collate, seed), batch_sampler=self._plan,
            collate_fn=_as_it_is, num_workers=workers, persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # cv2's own threads would fight for the cores that the workers share.
            worker_init_fn=_use_one_thread,
            # A generator of its own, or reading data would change the run's random state.
            generator=torch.Generator())

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self._plan)

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[BatchT]:
        """
        Yield the batches of an epoch.

        :param epoch: its number, from 0.
        :param start_batch: how many batches to leave out; their images are not read.
        :raises DataError: if more files are corrupt than allowed, a batch has nothing else, or a
            focal length is needed and not known.
        """
        self._plan.choose(epoch, start_batch)
        for batch in self._loader:
            if isinstance(batch, DataError):
                raise batch
            self._count_corrupt(batch.corrupt)
            if not len(batch.image):
                raise DataError(
                    f'a whole batch of images is corrupt and so are those around it; the first: '
                    f'{batch.corrupt[0]}')
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return what must be the same for a run to go on exactly, as a module does."""
        return {'images': self._image_count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """
        Check that a run can go on with this data set.

        :param state: what :meth:`state_dict` returned when the checkpoint was written.
        :raises DataError: if the data set has another number of images now.
        """
        check_same_images(state, self._image_count)

    def _count_corrupt(self, messages: list[str]) -> None:
        for message in messages:
            if message not in self.corrupt_files:
                self.corrupt_files.add(message)
                _LOG.warning('left out a corrupt image: %s', message)
        if len(self.corrupt_files) > self._max_corrupt:
            raise DataError(
                f'{len(self.corrupt_files)} of {self._image_count} images are corrupt, more than '
                f'the {self._max_corrupt} that max_corrupt_fraction allows; the last: '
                f'{messages[-1]}')


def check_same_images(state: dict[str, int], count: int) -> None:
    """
    Check that a run can go on with a data set.

    :param state: of the loader when the checkpoint was written.
    :param count: how many images there are now.
    :raises DataError: if there were more or less.
    """
    if state != {'images': count}:
        raise DataError(
            f'the data set had {state["images"]} images when the checkpoint was written and now '
            f'has {count}, so the run cannot go on exactly: put the images back, or begin another '
            'run with init_from')


class EpochPlan(Sampler[list[tuple[int, int]]]):
    """
    Which images make up which batch: lists of (epoch, index) pairs.

    :param count: number of images.
    :param batch_size: images per batch and rank.
    :param seed: of the order.
    :param rank: whose share to deliver.
    :param world_size: number of shares.
    """

    def __init__(
        self, count: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1,
    ):
        if not 0 <= rank < world_size:
            raise ValueError(f'rank must be 0 to {world_size - 1}, got {rank}')
        self._count, self._seed = count, seed
        self._rank, self._world_size = rank, world_size
        self._global_batch_size = batch_size * world_size
        self._epoch, self._start_batch = 0, 0

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return -(-self._count // self._global_batch_size)

    def choose(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch that is delivered next, and the batch it starts at."""
        self._epoch, self._start_batch = epoch, start_batch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self._epoch
        order = np.random.default_rng((self._seed, epoch)).permutation(self._count)
        for number in range(self._start_batch, len(self)):
            batch = order[number * self._global_batch_size:][:self._global_batch_size]
            # Unequal shares would leave a rank waiting for the others' last gradients.
            spare = -len(batch) % self._world_size
            batch = np.concatenate((batch, np.resize(order, spare)))
            yield [(epoch, int(index)) for index in batch[self._rank::self._world_size]]


class PairedLoader:
    """
    Pairs batches of two loaders that have nothing to do with each other, for stage 1.

    The longer one gives the length of an epoch; the shorter one cycles through epochs of its own.
    Both batches of a pair are cut to the same number of images.

    :param synthetic: gives images with depth.
    :param styles: gives style images.
    """

    def __init__(self, synthetic: EpochLoader[Batch], styles: EpochLoader[StyleBatch]):
        self.synthetic = synthetic
        self.styles = styles

    @property
    def corrupt_files(self) -> set[str]:
        """Messages about the corrupt files met so far."""
        return self.synthetic.corrupt_files | self.styles.corrupt_files

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Return what must be the same for a run to go on exactly."""
        return {'synthetic': self.synthetic.state_dict(), 'styles': self.styles.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        """Check that a run can go on, as :meth:`EpochLoader.load_state_dict`."""
        self.synthetic.load_state_dict(state['synthetic'])
        self.styles.load_state_dict(state['styles'])

    def __len__(self) -> int:
        """Return the number of pairs per epoch."""
        return max(len(self.synthetic), len(self.styles))

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[tuple[Batch, StyleBatch]]:
        """
        Yield the pairs of an epoch.

        :param epoch: its number, from 0.
        :param start_batch: how many pairs to leave out; their images are not read.
        :raises DataError: as :meth:`EpochLoader.epoch`.
        """
        first = epoch * len(self) + start_batch
        pairs = zip(
            range(start_batch, len(self)), _cycle(self.synthetic, first),
            _cycle(self.styles, first))
        for _, batch, styles in pairs:
            count = min(len(batch.names), len(styles.names))
            yield (
                Batch(
                    batch.image[:count], batch.depth[:count], batch.valid[:count],
                    batch.names[:count], batch.corrupt),
                StyleBatch(styles.image[:count], styles.names[:count], styles.corrupt))


def training_loader(
    reader: SampleReader, *, size_px: tuple[int, int], max_depth_m: float,
    training_focal_px: float | None = None, augmentation: Augmentation | None = None,
    **options: Any,
) -> EpochLoader[Batch]:
    """
    Make the loader of images with depth.

    :param reader: the data set.
    :param size_px: (height, width) of the network's input.
    :param max_depth_m: metres at the top of the network's range.
    :param training_focal_px: focal length at that size to which depths are brought
        (:func:`~.augment.canonical_depth`); None leaves them as they are, as published.
    :param augmentation: the random changes; None makes none and takes the central part.
    :param options: of :class:`EpochLoader`: ``batch_size``, ``seed``, ``workers``, ``rank``...
    :returns: the loader.
    :raises DataError: if there are no images.
    """
    prepare = partial(
        _prepare_sample, size_px=size_px, training_focal_px=training_focal_px,
        augmentation=augmentation)
    collate = partial(_collate_samples, size_px=size_px, max_depth_m=max_depth_m)
    return EpochLoader(reader, prepare, collate, **options)


def style_loader(
    styles: Styles, *, size_px: tuple[int, int],
    crop_scale: tuple[float, float] = (0.5, 1.0), **options: Any,
) -> EpochLoader[StyleBatch]:
    """
    Make the loader of style images: random parts, half of them mirrored.

    :param styles: the data set.
    :param size_px: (height, width) of the batches.
    :param crop_scale: range of the size of the part used, 1 being the largest that fits.
    :param options: of :class:`EpochLoader`.
    :returns: the loader.
    :raises DataError: if there are no images.
    """
    prepare = partial(_prepare_style, size_px=size_px, crop_scale=crop_scale)
    return EpochLoader(styles, prepare, partial(_collate_styles, size_px=size_px), **options)


def measure_images_per_s(loader: EpochLoader, duration_s: float = 5.0) -> float:
    """
    Measure what a loader delivers when nothing waits for anything else.

    :param loader: whose rate is wanted; its first batches, which start the workers, do not count.
    :param duration_s: how long to measure.
    :returns: images per second.
    """
    count, start_s, epoch = 0, None, 0
    while True:
        for batch in loader.epoch(epoch):
            now_s = time.perf_counter()
            if start_s is None:
                start_s = now_s
                continue
            count += len(batch.names)
            if now_s - start_s > duration_s:
                return count / (now_s - start_s)
        epoch += 1


class _Items(Dataset):
    """Prepares whole batches in a worker, so that a corrupt image can be left out there."""

    def __init__(self, items: Any, prepare: Callable, collate: Callable, seed: int):
        self._items, self._prepare, self._collate, self._seed = items, prepare, collate, seed

    def __len__(self) -> int:
        return len(self._items)

    def __getitems__(self, keys: list[tuple[int, int]]) -> Any:
        prepared: list[tuple] = []
        corrupt: list[str] = []
        try:
            for epoch, index in keys:
                self._append(epoch, index, prepared, corrupt)
            epoch, first = keys[0]
            for step in range(1, _STAND_INS + 1):  # no step may be empty: other ranks wait for it
                if prepared:
                    break
                self._append(epoch, (first + step) % len(self), prepared, corrupt)
        except DataError as error:
            return error  # raised in a worker it would come with the worker's trace
        return self._collate(prepared, corrupt)

    def _append(self, epoch: int, index: int, prepared: list[tuple], corrupt: list[str]) -> None:
        rng = np.random.default_rng((self._seed, epoch, index))
        try:
            prepared.append(self._prepare(self._items[index], rng))
        except CorruptSampleError as error:
            corrupt.append(str(error))


def _prepare_sample(
    sample: Sample, rng: np.random.Generator, size_px: tuple[int, int],
    training_focal_px: float | None, augmentation: Augmentation | None,
) -> tuple[np.ndarray, np.ndarray, str]:
    sample = (
        fit(sample, size_px) if augmentation is None
        else augment(sample, size_px, augmentation, rng))
    if training_focal_px is None:
        return sample.image, sample.depth_m, sample.name
    if not np.isfinite(sample.intrinsics[0, 0]):
        raise DataError(
            f'{sample.name} has no camera matrix, so its depth cannot be brought to the training '
            'focal length: give the data set its intrinsics')
    return sample.image, canonical_depth(sample, training_focal_px), sample.name


def _collate_samples(
    prepared: list[tuple], corrupt: list[str], size_px: tuple[int, int], max_depth_m: float,
) -> Batch:
    images, depths, names = [list(column) for column in zip(*prepared)] or ([], [], [])
    depth_m = torch.from_numpy(_stack(depths, size_px, np.float32))[:, None]
    valid = ~depth_m.isnan()
    depth = from_metres(depth_m, max_depth_m).nan_to_num_(nan=0.0)
    return Batch(_to_network_range(_stack(images, (*size_px, 3), np.uint8)), depth, valid, names,
                 corrupt)


def _prepare_style(
    style: StyleImage, rng: np.random.Generator, size_px: tuple[int, int],
    crop_scale: tuple[float, float],
) -> tuple[np.ndarray, str]:
    part = random_part(style.image.shape[:2], size_px, crop_scale, rng)
    image = resize_image(style.image[part], size_px)
    return (image[:, ::-1] if rng.random() < 0.5 else image), style.name


def _collate_styles(
    prepared: list[tuple], corrupt: list[str], size_px: tuple[int, int],
) -> StyleBatch:
    images, names = [list(column) for column in zip(*prepared)] or ([], [])
    return StyleBatch(
        _to_network_range(_stack(images, (*size_px, 3), np.uint8)), names, corrupt)


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.stack(arrays) if arrays else np.empty((0, *shape), dtype)


def _to_network_range(images: np.ndarray) -> torch.Tensor:
    """Return (B, H, W, 3) uint8 as (B, 3, H, W) float32 in [-1, 1]."""
    values = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return values.float().mul_(2 / 255).sub_(1)


def _cycle(loader: EpochLoader[BatchT], first: int) -> Iterator[BatchT]:
    """Yield batches for ever, from the first-th since the beginning."""
    epoch, start_batch = divmod(first, len(loader))
    while True:
        yield from loader.epoch(epoch, start_batch)
        epoch, start_batch = epoch + 1, 0


def _as_it_is(batch: Any) -> Any:
    return batch


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
