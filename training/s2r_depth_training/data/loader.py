"""
Training batches: every image once per epoch, the same for any number of workers, resumable.

An image's random changes depend only on the seed, the epoch and the image's index. So a run that
is resumed in mid-epoch goes on exactly as if it had not been stopped.

:func:`training_loader` gives batches of images with depth, :func:`style_loader` gives style
images, and :class:`PairedLoader` gives both. All are an :class:`EpochLoader`, which wraps torch's
``DataLoader``: :class:`ResumableBatchSampler` chooses the images of a batch, a reader opens each
image, a ``prepare`` function augments it, and a ``collate`` function makes the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
import logging
import time
from typing import Any, Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from s2r_depth_ros.engine.contrast import equalize
from s2r_depth_ros.engine.depth_range import from_metres

from ..engine.batches import close_loader, Loader
from .augment import (
    augment,
    Augmentation,
    AugmentParams,
    batch_of_one,
    canonical_depth,
    center_crop,
    draw_params,
    image_rng,
    image_tensor,
    resize_image,
    SampleBatch,
)
from .readers.styles import Styles
from .sample import CorruptSampleError, DataError, Sample, SampleReader, StyleImage

_LOG = logging.getLogger(__name__)
_STAND_INS = 8  # how many neighbours are tried where a whole batch is corrupt


class Batch(NamedTuple):
    """
    Images with depth.

    ``image`` is (B, 3, H, W) float32 in [-1, 1]. ``depth`` is (B, 1, H, W) float32 in [-1, 1], 1
    for far and 0 where not valid. ``valid_mask`` is (B, 1, H, W) bool. ``names`` are the files.
    ``corrupt`` names the files that this batch lacks, with the reason.
    """

    image: Tensor
    depth: Tensor
    valid_mask: Tensor
    names: list[str]
    corrupt: list[str]


class StyleBatch(NamedTuple):
    """Style images: ``image``, ``names`` and ``corrupt`` are those of :class:`Batch`."""

    image: Tensor
    names: list[str]
    corrupt: list[str]


BatchT = TypeVar('BatchT', bound=tuple)


class EpochLoader(Generic[BatchT]):
    """
    Delivers a data set in batches, one epoch at a time.

    Over all ranks an epoch has each image once, in an order given by seed and epoch. Its last
    images are repeated where the ranks would otherwise have unequal numbers. Global batch k is the
    same for any number of ranks: they share it out.

    :param items: the data set.
    :param prepare: augments one item: ``prepare(item, rng)``.
    :param collate: makes a batch of one or more prepared items. It has a list ``corrupt``.
    :param batch_size: images per batch and rank.
    :param seed: the seed of the order and of the random changes.
    :param shuffle: False delivers the images in the order of the data set.
    :param workers: processes that read ahead; 0 reads in this one.
    :param rank: which share is this process's.
    :param world_size: number of shares.
    :param max_corrupt_fraction: the run fails if a larger share of the images is corrupt; one
        corrupt image is always allowed.
    :raises DataError: if there are no images.
    """

    def __init__(
        self,
        items: Any,
        prepare: Callable[[Any, np.random.Generator], Any],
        collate: Callable[[list], BatchT],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        max_corrupt_fraction: float = 0.01,
    ):
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        if not len(items):
            raise DataError('the data set has no images')
        self.corrupt_files: set[str] = set()
        """Messages about the corrupt files met so far."""
        self._max_corrupt = max(1, int(max_corrupt_fraction * len(items)))
        self._image_count = len(items)
        self._batch_sampler = ResumableBatchSampler(
            len(items), batch_size, seed=seed, shuffle=shuffle, rank=rank, world_size=world_size
        )
        self._loader = DataLoader(
            _PreparedBatches(items, prepare, collate, seed),
            batch_sampler=self._batch_sampler,
            collate_fn=_unchanged,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # cv2's own threads would compete for the cores that the workers share.
            worker_init_fn=_use_one_thread,
            # A generator of its own, or reading data would change the run's random state.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self._batch_sampler)

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[BatchT]:
        """
        Yield the batches of an epoch.

        :param epoch: its number, from 0.
        :param start_batch: how many batches to leave out; their images are not read.
        :raises DataError: if more files are corrupt than allowed, a batch has nothing else, or a
            focal length is needed and not known.
        """
        self._batch_sampler.set_epoch(epoch, start_batch)
        for batch in self._loader:
            if isinstance(batch, DataError):
                raise batch
            self._count_corrupt(batch.corrupt)
            if isinstance(batch, _NoImages):
                raise DataError(
                    'all images of a batch, and those around it, are corrupt; the first: '
                    f'{batch.corrupt[0]}'
                )
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the state that must not change if a run continues, as a module does."""
        return {'images': self._image_count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """
        Check that a run can continue with this data set.

        :param state: what :meth:`state_dict` returned when the checkpoint was written.
        :raises DataError: if the data set has another number of images now.
        """
        check_same_images(state, self._image_count)

    def _count_corrupt(self, messages: list[str]) -> None:
        for message in messages:
            if message not in self.corrupt_files:
                self.corrupt_files.add(message)
                _LOG.warning('skipped a corrupt image: %s', message)
        if len(self.corrupt_files) > self._max_corrupt:
            raise DataError(
                f'{len(self.corrupt_files)} of {self._image_count} images are corrupt, more than '
                f'the {self._max_corrupt} that max_corrupt_fraction allows; the last: '
                f'{messages[-1]}'
            )


def check_same_images(state: dict[str, int], count: int) -> None:
    """
    Check that a run can continue with a data set.

    :param state: the state of the loader when the checkpoint was written.
    :param count: how many images there are now.
    :raises DataError: if there were more or less.
    """
    if state != {'images': count}:
        raise DataError(
            f'the data set had {state["images"]} images when the checkpoint was written and now '
            f'has {count}, so the run cannot continue exactly: restore the images, or start '
            'another run with init_from'
        )


class ResumableBatchSampler(Sampler[list[tuple[int, int]]]):
    """
    A ``batch_sampler`` of torch's ``DataLoader`` that can start at any batch of any epoch.

    A batch is a list of (epoch, index) pairs. The epoch travels with the index, because the
    workers of a ``DataLoader`` keep the data set that they started with.

    :param count: number of images.
    :param batch_size: images per batch and rank.
    :param seed: the seed of the order.
    :param shuffle: False keeps the order of the data set.
    :param rank: whose share to deliver.
    :param world_size: number of shares.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ):
        if not 0 <= rank < world_size:
            raise ValueError(f'rank must be 0 to {world_size - 1}, got {rank}')
        self._count, self._seed, self._shuffle = count, seed, shuffle
        self._rank, self._world_size = rank, world_size
        self._global_batch_size = batch_size * world_size
        self._epoch, self._start_batch = 0, 0

    def __len__(self) -> int:
        """Return the number of batches per epoch, wherever this one starts."""
        return -(-self._count // self._global_batch_size)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch that is delivered next, and the batch it starts at."""
        self._epoch, self._start_batch = epoch, start_batch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self._epoch
        order = np.arange(self._count)
        if self._shuffle:
            np.random.default_rng((self._seed, epoch)).shuffle(order)
        for number in range(self._start_batch, len(self)):
            batch = order[number * self._global_batch_size :][: self._global_batch_size]
            # Unequal shares would leave a rank waiting for the others' last gradients.
            missing = -len(batch) % self._world_size
            batch = np.concatenate((batch, np.resize(order, missing)))
            yield [(epoch, int(index)) for index in batch[self._rank :: self._world_size]]


class PairedLoader:
    """
    Pairs batches of two independent loaders, for stage 1.

    The longer one gives the length of an epoch; the shorter one cycles through epochs of its own.
    Both batches of a pair are cut to the same number of images.

    :param synthetic: gives images with depth.
    :param styles: gives style images.
    """

    def __init__(self, synthetic: Loader[Batch], styles: Loader[StyleBatch]):
        self.synthetic = synthetic
        self.styles = styles

    @property
    def corrupt_files(self) -> set[str]:
        """Messages about the corrupt files met so far."""
        return self.synthetic.corrupt_files | self.styles.corrupt_files

    def close(self) -> None:
        """End the processes of a loader that has its own."""
        close_loader(self.synthetic)

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return the state that must not change if a run continues."""
        return {'synthetic': self.synthetic.state_dict(), 'styles': self.styles.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, Any]]) -> None:
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
            range(start_batch, len(self)),
            _cycle(self.synthetic, first),
            _cycle(self.styles, first),
        )
        for _, batch, styles in pairs:
            count = min(len(batch.names), len(styles.names))
            yield (
                batch._replace(
                    image=batch.image[:count],
                    depth=batch.depth[:count],
                    valid_mask=batch.valid_mask[:count],
                    names=batch.names[:count],
                ),
                styles._replace(image=styles.image[:count], names=styles.names[:count]),
            )


def training_loader(
    reader: SampleReader,
    *,
    size_px: tuple[int, int],
    max_depth_m: float,
    training_focal_px: float | None = None,
    contrast_limit: float = 0.0,
    augmentation: Augmentation | None = None,
    **options: Any,
) -> EpochLoader[Batch]:
    """
    Make the loader of images with depth.

    :param reader: the data set.
    :param size_px: (height, width) of the network's input.
    :param max_depth_m: metres at the top of the network's range.
    :param training_focal_px: focal length at that size to which depths are brought
        (:func:`~.augment.canonical_depth`); None leaves them as they are, as published.
    :param contrast_limit: the limit of the equalization of the images; 0 for none.
    :param augmentation: the random changes; None makes none and takes the central crop.
    :param options: the options of :class:`EpochLoader`, such as ``batch_size`` and ``seed``.
    :returns: the loader.
    :raises DataError: if there are no images.
    """
    prepare = partial(
        prepare_sample,
        size_px=size_px,
        needs_focal_length=training_focal_px is not None,
        augmentation=augmentation,
    )
    collate = partial(
        collate_samples,
        max_depth_m=max_depth_m,
        training_focal_px=training_focal_px,
        contrast_limit=contrast_limit,
    )
    return EpochLoader(reader, prepare, collate, **options)


def style_loader(
    styles: Styles,
    *,
    size_px: tuple[int, int],
    crop_scale: tuple[float, float] = (0.5, 1.0),
    contrast_limit: float = 0.0,
    **options: Any,
) -> EpochLoader[StyleBatch]:
    """
    Make the loader of style images: random crops, half of them mirrored.

    :param styles: the data set.
    :param size_px: (height, width) of the batches.
    :param crop_scale: range of the size of the crop, 1 being the largest that fits.
    :param contrast_limit: the limit of the equalization of the images; 0 for none.
    :param options: the options of :class:`EpochLoader`.
    :returns: the loader.
    :raises DataError: if there are no images.
    """
    augmentation = Augmentation(crop_scale=crop_scale, rotation_probability=0, color_probability=0)
    prepare = partial(_prepare_style, size_px=size_px, augmentation=augmentation)
    collate = partial(_collate_styles, contrast_limit=contrast_limit)
    return EpochLoader(styles, prepare, collate, **options)


def network_batch(
    parts: Sequence[SampleBatch],
    names: list[str],
    *,
    max_depth_m: float,
    training_focal_px: float | None,
    contrast_limit: float,
) -> Batch:
    """
    Return a batch in the network's range.

    :param parts: the samples of the batch, at the network's size, the images float32.
    :param names: the names of their files.
    :param max_depth_m: metres at the top of the network's range.
    :param training_focal_px: focal length to which depths are brought; None leaves them.
    :param contrast_limit: the limit of the equalization of the images; 0 for none.
    :returns: the batch, on the device of the samples.
    """
    images, depths, intrinsics = zip(*parts)
    depth_m = torch.cat(depths)
    if training_focal_px is not None:
        depth_m = canonical_depth(depth_m, torch.cat(intrinsics), training_focal_px)
    valid_mask = depth_m > 0
    depth = torch.where(valid_mask, from_metres(depth_m, max_depth_m), 0.0)
    return Batch(_network_range(images, contrast_limit), depth, valid_mask, names, [])


def _network_range(parts: Sequence[Tensor], contrast_limit: float) -> Tensor:
    """Return the images of a batch, of 0 to 255, equalized and in -1 to 1."""
    batch = parts[0].new_empty((sum(len(part) for part in parts), *parts[0].shape[1:]))
    for part, place in zip(parts, batch.split([len(part) for part in parts])):
        if contrast_limit:
            part = _equalized(part, contrast_limit)
        torch.add(torch.tensor(-1.0), part, alpha=2 / 255, out=place)
    return batch


def _equalized(images: Tensor, contrast_limit: float) -> Tensor:
    """Return images (B, 3, H, W) of 0 to 255 as the network sees them; a GPU waits for it."""
    pixels = images.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    equalized = np.stack([equalize(image, contrast_limit) for image in pixels])
    return torch.from_numpy(equalized).permute(0, 3, 1, 2).to(images.device, images.dtype)


def require_focal_length(sample: Sample) -> None:
    """
    Check that the depth of a sample can be brought to a training focal length.

    :param sample: a sample of any size.
    :raises DataError: if it has no camera matrix.
    """
    if not np.isfinite(sample.intrinsics[0, 0]):
        raise DataError(
            f'{sample.name} has no camera matrix, so its depth cannot be scaled to the training '
            'focal length: add intrinsics to the data set'
        )


def measure_images_per_s(loader: EpochLoader, duration_s: float = 5.0) -> float:
    """
    Measure how fast a loader is when nothing waits for anything else.

    :param loader: the loader; its first batches, which start the workers, do not count.
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


class _NoImages(NamedTuple):
    """Stands for a batch of which every file is corrupt."""

    corrupt: list[str]


class _PreparedBatches(Dataset):
    """Prepares whole batches in a worker, so that a corrupt image can be left out there."""

    def __init__(self, items: Any, prepare: Callable, collate: Callable, seed: int):
        self._items, self._prepare, self._collate, self._seed = items, prepare, collate, seed

    def __len__(self) -> int:
        return len(self._items)

    def __getitems__(self, keys: list[tuple[int, int]]) -> Any:
        prepared: list[Any] = []
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
        return (
            self._collate(prepared)._replace(corrupt=corrupt) if prepared else _NoImages(corrupt)
        )

    def _append(self, epoch: int, index: int, prepared: list[Any], corrupt: list[str]) -> None:
        try:
            item = self._items[index]
            prepared.append(self._prepare(item, image_rng(self._seed, epoch, index)))
        except CorruptSampleError as error:
            corrupt.append(str(error))


def prepare_sample(
    sample: Sample,
    rng: np.random.Generator,
    size_px: tuple[int, int],
    needs_focal_length: bool,
    augmentation: Augmentation | None,
) -> tuple[SampleBatch, str]:
    """
    Return a sample at the network's size, changed at random, and its name.

    :param sample: a sample of any size.
    :param rng: the random numbers of its changes.
    :param size_px: (height, width) of the result.
    :param needs_focal_length: refuse a sample without a camera matrix.
    :param augmentation: the changes; None takes the central crop.
    :raises DataError: if the camera matrix is needed and missing.
    """
    if needs_focal_length:
        require_focal_length(sample)
    samples, source_px = batch_of_one(sample), sample.depth_m.shape
    if augmentation is None:
        params = AugmentParams((center_crop(source_px, size_px),), (False,))
    else:
        params = draw_params(augmentation, source_px, size_px, [rng])
    return augment(samples, size_px, params), sample.name


def collate_samples(
    prepared: list[tuple[SampleBatch, str]],
    max_depth_m: float,
    training_focal_px: float | None,
    contrast_limit: float,
) -> Batch:
    """Return the batch of samples from :func:`prepare_sample`, in the network's range."""
    parts, names = zip(*prepared)
    return network_batch(
        parts,
        list(names),
        max_depth_m=max_depth_m,
        training_focal_px=training_focal_px,
        contrast_limit=contrast_limit,
    )


def _prepare_style(
    style: StyleImage,
    rng: np.random.Generator,
    size_px: tuple[int, int],
    augmentation: Augmentation,
) -> tuple[Tensor, str]:
    params = draw_params(augmentation, style.image.shape[:2], size_px, [rng])
    image = resize_image(image_tensor(style.image), params.crops[0], size_px)
    return (image.flip(-1) if params.flips[0] else image)[None].float(), style.name


def _collate_styles(prepared: list[tuple[Tensor, str]], contrast_limit: float) -> StyleBatch:
    images, names = zip(*prepared)
    return StyleBatch(_network_range(images, contrast_limit), list(names), [])


def _cycle(loader: Loader[BatchT], first: int) -> Iterator[BatchT]:
    """Yield batches for ever, from the first-th since the beginning."""
    epoch, start_batch = divmod(first, len(loader))
    while True:
        yield from loader.epoch(epoch, start_batch)
        epoch, start_batch = epoch + 1, 0


def _unchanged(batch: Any) -> Any:
    return batch


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
