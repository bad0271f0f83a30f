"""
Training batches of scenes that are rendered during the training, without files.

:class:`Schedule` decides which frames make which batch: a pure function of the seed. Processes
render frames into a pool in shared memory, and make batches of them. :class:`SceneStream` delivers
the batches as :class:`~.loader.EpochLoader` does.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator, Sequence
import functools
import logging
import multiprocessing
from multiprocessing.connection import Connection, wait
import os
import signal
import threading
import time
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from s2r_scenes.generate import check_worlds, Frame, Job, render_frames, resolve_backend
from s2r_scenes.models import gather

from ..settings.augmentation import Augmentation
from ..settings.data import ScenesSettings
from .augment import image_rng
from .loader import Batch, collate_samples, prepare_sample
from .sample import checked_sample, DataError

_LOG = logging.getLogger(__name__)
_BATCHES_AHEAD = 4
_ATTEMPTS = 3  # times that a task may end its process
# Bytes per pixel in shared memory. A frame has float32 depth and uint8 RGB. A batch has float32
# RGB and depth, and a bool mask.
_DEPTH_BYTES, _RGB_BYTES = 4, 3
_FRAME_BYTES = _DEPTH_BYTES + _RGB_BYTES
_FLOAT_RGB_BYTES, _MASK_BYTES = 12, 1
_FLOATS_BYTES = _FLOAT_RGB_BYTES + _DEPTH_BYTES

Render = Callable[[Job, str], Iterable[Frame]]
Size = tuple[int, int]


class Schedule(NamedTuple):
    """
    The order in which frames are used: a pure function of the seed.

    Frames are numbered in the order of rendering, and come in groups. Round r uses each frame of
    the groups r - ``reuse`` + 1 to r once, in random order. So each frame is used ``reuse`` times.

    :param group_frames: number of frames that enter, and leave, with each round.
    :param reuse: number of uses of a frame.
    :param seed: seed of the order.
    :param rank: the training process.
    """

    group_frames: int
    reuse: int
    seed: int
    rank: int

    def start(self, round_number: int) -> int:
        """Return the number of uses before a round; the first rounds have fewer groups."""
        short = min(round_number, self.reuse)
        groups = short * (short + 1) // 2 + max(0, round_number - self.reuse) * self.reuse
        return groups * self.group_frames

    def round_of(self, use: int) -> int:
        """Return the round of a use."""
        number = max(0, use // (self.reuse * self.group_frames) - 1)
        while self.start(number + 1) <= use:
            number += 1
        return number

    def uses(self, first: int, count: int) -> list[tuple[int, int]]:
        """Return (round, frame) of ``count`` uses, starting with the use number ``first``."""
        uses: list[tuple[int, int]] = []
        number = self.round_of(first)
        while len(uses) < count:
            order = _order(self, number)
            rest = order[first + len(uses) - self.start(number) :][: count - len(uses)]
            uses += [(number, int(frame)) for frame in rest]
            number += 1
        return uses


@functools.lru_cache(maxsize=16)
def _order(schedule: Schedule, round_number: int) -> np.ndarray:
    """Return the frames of a round in the order of their use."""
    first_group = max(0, round_number - schedule.reuse + 1)
    frames = np.arange(
        first_group * schedule.group_frames, (round_number + 1) * schedule.group_frames
    )
    np.random.default_rng((schedule.seed, schedule.rank, round_number)).shuffle(frames)
    return frames


class _Recipe(NamedTuple):
    """The settings with which a process renders scenes and makes batches."""

    render: Render
    jobs: tuple[Job, ...]
    shares: tuple[float, ...]
    seed: int
    rank: int
    world_size: int
    batch_size: int
    sizes_px: tuple[Size, ...]
    max_depth_m: float
    training_focal_px: float
    contrast_limit: float
    augmentation: Augmentation

    @property
    def frame_px(self) -> int:
        return self.jobs[0].width_px * self.jobs[0].height_px

    @property
    def frames_per_scene(self) -> int:
        return self.jobs[0].frames_per_scene

    @property
    def batch_px(self) -> int:
        """Pixels of an image of the largest batch."""
        return max(height_px * width_px for height_px, width_px in self.sizes_px)

    def size_px(self, step: int) -> Size:
        """Return (height, width) of the batch of a step."""
        return self.sizes_px[np.random.default_rng((self.seed, step)).integers(len(self.sizes_px))]

    def scene(self, place: int) -> tuple[Job, str]:
        """Return settings and name of the scene at a place in the order of this rank."""
        number = place * self.world_size + self.rank + 1
        kind = np.random.default_rng((self.seed, number, 1)).choice(len(self.jobs), p=self.shares)
        return self.jobs[kind], f'{number:04d}'

    def scene_name(self, place: int) -> str:
        job, world = self.scene(place)
        return f'{job.kind} {world} (seed {self.seed})'


class _Placed(NamedTuple):
    """A frame in the pool."""

    slot: int
    shape: Size
    intrinsics: np.ndarray
    name: str


class _RenderScene(NamedTuple):
    """Render the scene at a place of the order, into the slots from ``first_slot`` on."""

    place: int
    first_slot: int


class _MakeBatch(NamedTuple):
    """Make the batch of a step; ``keys`` are the (round, frame) of its random changes."""

    step: int
    frames: list[_Placed]
    keys: list[tuple[int, int]]


_Task = _RenderScene | _MakeBatch


class _Failure(NamedTuple):
    """Why a task has no result."""

    message: str


def _shares(
    settings: ScenesSettings, job: Job, models: tuple[str, ...], models_digest: str
) -> dict[Job, float]:
    """
    Return what to render, and how often.

    :param settings: the settings of the mix.
    :param job: the settings that all scenes share, without models.
    :param models: the libraries of models.
    :param models_digest: a hash of their content.
    :returns: the share of each job, above 0; the sum is 1.
    """
    shares: dict[Job, float] = {}
    for kind, share in settings.kinds.items():
        plain = job._replace(kind=kind)
        furnished = plain._replace(models=models, models_digest=models_digest)
        models_share = settings.models_share if models else 0.0
        if kind == 'world':  # a world is a model
            models_share = 1.0
        shares[furnished] = share * models_share
        shares[plain] = shares.get(plain, 0.0) + share * (1 - models_share)
    if settings.cameras == 'any':
        any_camera = {job: share * settings.any_share for job, share in shares.items()}
        ordinary = {
            job._replace(cameras='ordinary'): share * (1 - settings.any_share)
            for job, share in shares.items()
        }
        shares = any_camera | ordinary
    shares = {job: share for job, share in shares.items() if share}
    total = sum(shares.values())
    return {job: share / total for job, share in shares.items()}


class SceneStream:
    """
    Delivers batches of scenes that processes render while the network trains.

    A batch depends only on seed and step, not on the number or the speed of the processes. A scene
    that cannot be rendered is replaced by the next one of its group.

    :param settings: the settings of scenes and pool.
    :param size_px: (height, width) of the batches, unless the settings have other sizes.
    :param max_depth_m: top of the depth range in metres.
    :param training_focal_px: focal length in pixels of that size, to which depth is scaled.
    :param contrast_limit: limit of the equalization of the images; 0 for none.
    :param augmentation: the random changes.
    :param batch_size: images per batch and rank.
    :param seed: seed of scenes, order and random changes.
    :param workers: number of processes that render; at least one is started.
    :param rank: number of this training process.
    :param world_size: number of training processes.
    :param max_corrupt_fraction: the run fails if a larger share of the scenes cannot be rendered;
        one is always allowed.
    :param render: renders one scene.
    :raises ValueError: if no scene can be rendered with these settings on this machine.
    """

    def __init__(
        self,
        settings: ScenesSettings,
        *,
        size_px: Size,
        max_depth_m: float,
        training_focal_px: float,
        contrast_limit: float = 0.0,
        augmentation: Augmentation,
        batch_size: int,
        seed: int = 0,
        workers: int = 1,
        rank: int = 0,
        world_size: int = 1,
        max_corrupt_fraction: float = 0.01,
        render: Render = render_frames,
    ):
        if settings.pool_frames < batch_size:  # a batch would never be complete
            raise ValueError(
                f'pool_frames is {settings.pool_frames}, and a batch has {batch_size} images: '
                'give the pool at least one batch'
            )
        backend = resolve_backend(settings.backend)
        names = tuple(name for name in settings.models if name != 'none')
        digest = gather(names, None, quiet=False).digest if names else ''
        if settings.kinds.get('world'):
            check_worlds(names)
        job = Job(
            kind='',
            frames_per_scene=settings.frames_per_scene,
            width_px=settings.width_px or size_px[1],
            height_px=settings.height_px or size_px[0],
            seed=seed,
            variations=tuple(settings.variations),
            variation_per_scene='one',
            backend=backend,
            supersample=settings.supersample,
            cameras=settings.cameras,
        )
        shares = _shares(settings, job, names, digest)
        self._recipe = _Recipe(
            render,
            tuple(shares),
            tuple(shares.values()),
            seed,
            rank,
            world_size,
            batch_size,
            tuple((height, width) for height, width in settings.sizes_px) or (size_px,),
            max_depth_m,
            training_focal_px,
            contrast_limit,
            augmentation,
        )
        scenes = -(-settings.pool_frames // (settings.reuse * settings.frames_per_scene))
        self._schedule = Schedule(scenes * settings.frames_per_scene, settings.reuse, seed, rank)
        self._length = max(1, round(settings.epoch_images / (batch_size * world_size)))
        self._workers = max(1, workers)
        scenes_per_epoch = settings.epoch_images / (settings.reuse * settings.frames_per_scene)
        self._max_corrupt = max_corrupt_fraction, scenes_per_epoch / world_size
        self._state = {'backend': backend, 'processes': world_size}
        if digest:
            self._state['models'] = digest
        self._renderers: _Renderers | None = None
        self._next_step = -1
        self.corrupt_files: set[str] = set()
        """Messages about the scenes that could not be rendered."""
        self.waited_s = 0.0
        """Seconds of waiting for batches, without the first batch of each start."""

    def __len__(self) -> int:
        """Return the number of batches that count as one epoch."""
        return self._length

    def state_dict(self) -> dict[str, Any]:
        """Return the state that must not change if a run continues, as a module does."""
        return dict(self._state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """
        Check that a run can continue with these scenes.

        :param state: what :meth:`state_dict` returned when the checkpoint was written.
        :raises DataError: if the renderer, or the number of training processes, is another one.
        """
        if state != self._state:
            raise DataError(
                f'the scenes of the checkpoint were rendered with {state}, and now with '
                f'{self._state}, so the run cannot continue exactly: use the same versions, or '
                'start another run with init_from'
            )

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of an epoch; the next epoch continues with the same pool.

        :param epoch: number of the epoch, from 0.
        :param start_batch: number of batches to skip; only frames in use are rendered.
        :raises DataError: if more scenes than allowed cannot be rendered.
        """
        for step in range(epoch * len(self) + start_batch, (epoch + 1) * len(self)):
            renderers = self._renderers
            is_first = renderers is None or step != self._next_step
            if renderers is None or is_first:
                self.close()
                renderers = self._renderers = _Renderers(
                    self._recipe,
                    self._schedule,
                    step,
                    self._workers,
                    self._max_corrupt,
                    self.corrupt_files,
                )
            start_s = time.monotonic()
            batch = renderers.take(step)
            if not is_first:
                self.waited_s += time.monotonic() - start_s
            self._next_step = step + 1
            yield batch

    def close(self) -> None:
        """End the processes."""
        if self._renderers is not None:
            self._renderers.close()
            self._renderers = None


class _Worker:
    """A process with its pipe and the task that it has."""

    def __init__(self, recipe: _Recipe, pool: Any, batches: Any):
        context = multiprocessing.get_context('spawn')  # the trainer has threads of its own
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, os.getpid(), recipe, pool, batches), daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: _Task | None = None


class _Renderers:
    """
    The processes, and a thread that gives them tasks.

    :param first: the step to begin with.
    :param max_corrupt: the share of scenes that may fail, and the number of scenes it counts from.
    :param corrupt: takes messages about scenes that failed.
    """

    def __init__(
        self,
        recipe: _Recipe,
        schedule: Schedule,
        first: int,
        workers: int,
        max_corrupt: tuple[float, float],
        corrupt: set[str],
    ):
        self._recipe, self._schedule = recipe, schedule
        self._max_corrupt, self._corrupt = max_corrupt, corrupt
        frames = (schedule.reuse + 1) * schedule.group_frames
        # Unlinked files: nothing stays behind, however the processes end.
        shared_array = multiprocessing.get_context('spawn').RawArray
        self._pool = shared_array('B', frames * recipe.frame_px * _FRAME_BYTES)
        batches_px = _BATCHES_AHEAD * recipe.batch_size * recipe.batch_px
        self._batches = shared_array('B', batches_px * (_FLOATS_BYTES + _MASK_BYTES))
        self._consumed = self._next_batch = first
        self._names: dict[int, list[str]] = {}  # of the batches that are ready
        self._scenes: dict[int, list[_Placed] | None] = {}  # None: cannot be rendered
        self._requested: set[int] = set()
        self._queue: list[_Task] = []  # of tasks to do before all others
        self._scenes_done = 0
        self._deaths: dict[Any, int] = {}
        self._group = max(0, schedule.round_of(first * recipe.batch_size) - schedule.reuse + 1)
        self._order = self._scene_order(self._group)
        self._error: Exception | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._wakeup, self._wake = multiprocessing.Pipe(duplex=False)
        self._crew = [_Worker(recipe, self._pool, self._batches) for _ in range(workers)]
        self._thread = threading.Thread(target=self._run, name='scene stream', daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def take(self, step: int) -> Batch:
        """Wait for the batch of a step and return a copy of it."""
        with self._changed:
            while step not in self._names:
                if self._error is not None:
                    raise self._error
                self._changed.wait()
            names = self._names.pop(step)
        views = _batch_views(self._batches, step, self._recipe)
        image, depth, valid_mask = (_own(view[: len(names)]) for view in views)
        with self._changed:
            self._consumed = step + 1
        self._wake.send_bytes(b' ')
        return Batch(image, depth, valid_mask, names, [])

    def close(self) -> None:
        """End thread and processes."""
        atexit.unregister(self.close)
        self._closing = True
        self._wake.send_bytes(b' ')
        self._thread.join()
        for worker in self._crew:
            worker.process.kill()  # it writes to this memory only
            worker.process.join()
            worker.pipe.close()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._assign()
                for source in wait([self._wakeup, *(worker.pipe for worker in self._crew)]):
                    if source is self._wakeup:
                        self._wakeup.recv_bytes()
                for place, worker in enumerate(self._crew):
                    self._listen(place, worker)
        except Exception as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _listen(self, place: int, worker: _Worker) -> None:
        """Take the result of a worker, if there is one, or replace the worker that has ended."""
        if not worker.pipe.poll():
            return
        try:
            result = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(place, worker)
            return
        if not worker.ready:
            worker.ready = True
            self._deaths.pop('start', None)
            return
        task, worker.task = worker.task, None
        if isinstance(task, _RenderScene):
            self._keep_scene(task.place, result)
        elif isinstance(task, _MakeBatch):
            if isinstance(result, _Failure):
                raise DataError(result.message)
            with self._changed:
                self._names[task.step] = result
                self._changed.notify_all()

    def _keep_scene(self, place: int, result: list[_Placed] | _Failure) -> None:
        self._scenes_done += 1
        if not isinstance(result, _Failure):
            self._scenes[place] = result
            return
        self._scenes[place] = None
        message = f'scene {self._recipe.scene_name(place)} cannot be rendered: {result.message}'
        _LOG.warning('%s', message)
        self._corrupt.add(message)
        fraction, least = self._max_corrupt
        most = max(1, int(fraction * max(least, self._scenes_done)))
        if len(self._corrupt) > most:
            raise DataError(
                f'{len(self._corrupt)} scenes cannot be rendered, more than the {most} that '
                f'max_corrupt_fraction allows; the last: {message}'
            )

    def _replace(self, place: int, worker: _Worker) -> None:
        """Start another worker for one that has ended, and do its task again."""
        worker.process.join()
        worker.pipe.close()
        task = worker.task
        # The task is repeated. If it ends several processes in turn, it is the cause.
        key: Any = None
        if not worker.ready:
            key = 'start'
        elif task is not None:
            key = type(task).__name__, task[0]
        self._deaths[key] = self._deaths.get(key, 0) + 1
        ended = f'its process ended with exit code {worker.process.exitcode}'
        if self._deaths[key] < _ATTEMPTS or key is None:
            _LOG.warning('a render process ended (%s); another one replaces it', ended)
            if task is not None:
                self._queue.insert(0, task)
        elif isinstance(task, _RenderScene):
            self._keep_scene(task.place, _Failure(f'{ended}, {_ATTEMPTS} times'))
        else:
            raise DataError(f'the scenes cannot be rendered: {ended}, {_ATTEMPTS} times')
        self._crew[place] = _Worker(self._recipe, self._pool, self._batches)

    def _assign(self) -> None:
        for worker in self._crew:
            if worker.ready and worker.task is None:
                worker.task = self._next_task()
                if worker.task is None:
                    return
                try:
                    worker.pipe.send(worker.task)
                except OSError:  # the worker has ended, which its pipe also reports
                    continue

    def _next_task(self) -> _Task | None:
        if self._queue:
            return self._queue.pop(0)
        batch = self._batch_task()
        if batch is not None:
            return batch
        return self._queue.pop(0) if self._queue else self._render_task()

    def _batch_task(self) -> _MakeBatch | None:
        """Return the next batch to make, if its frames are rendered and memory is free."""
        step, size = self._next_batch, self._recipe.batch_size
        if step >= self._consumed + _BATCHES_AHEAD:
            return None
        keys = self._schedule.uses(step * size, size)
        frames = []
        for _, frame in keys:
            placed = self._frame(frame)
            if placed is None:
                return None
            frames.append(placed)
        self._next_batch += 1
        return _MakeBatch(step, frames, keys)

    def _frame(self, frame: int) -> _Placed | None:
        """Return a frame, or a substitute from the next scenes of its group; None if not ready."""
        scene, number = divmod(frame, self._recipe.frames_per_scene)
        count = self._schedule.group_frames // self._recipe.frames_per_scene
        group, first = divmod(scene, count)
        for step in range(count):
            place = group * count + (first + step) % count
            if place not in self._scenes:
                if step and place not in self._requested:  # only needed as a substitute
                    self._queue.append(self._request(place))
                return None
            frames = self._scenes[place]
            if frames is not None:
                return frames[number]
        raise DataError(
            f'none of the {count} scenes from {self._recipe.scene_name(group * count)} on can be '
            'rendered: see the warnings above'
        )

    def _request(self, place: int) -> _RenderScene:
        self._requested.add(place)
        slots = (self._schedule.reuse + 1) * self._schedule.group_frames
        return _RenderScene(place, place * self._recipe.frames_per_scene % slots)

    def _render_task(self) -> _RenderScene | None:
        """Return the scene that is needed next, if its slots are free."""
        while True:
            # The slots are those of the group before the oldest in use.
            free = self._unfinished() >= self._schedule.start(self._group - 1)
            if self._group and not free:
                return None
            for place in self._order:
                if place not in self._requested:
                    return self._request(place)
            self._group += 1
            self._order = self._scene_order(self._group)
            self._forget_before(self._schedule.round_of(self._unfinished()) - self._schedule.reuse)

    def _unfinished(self) -> int:
        """Return the first use whose batch is not complete."""
        making = [worker.task.step for worker in self._crew if isinstance(worker.task, _MakeBatch)]
        making += [task.step for task in self._queue if isinstance(task, _MakeBatch)]
        return min([self._next_batch, *making]) * self._recipe.batch_size

    def _scene_order(self, group: int) -> list[int]:
        """Return the scenes of a group that are still needed, in the order of their use."""
        schedule, start = self._schedule, self._consumed * self._recipe.batch_size
        now = schedule.round_of(start)
        places: dict[int, None] = {}
        for number in range(max(group, now), group + schedule.reuse):
            order = _order(schedule, number)[max(0, start - schedule.start(number)) :]
            frames = order[order // schedule.group_frames == group]
            places |= dict.fromkeys((frames // self._recipe.frames_per_scene).tolist())
        return list(places)

    def _forget_before(self, group: int) -> None:
        count = self._schedule.group_frames // self._recipe.frames_per_scene
        self._scenes = {
            place: frames for place, frames in self._scenes.items() if place >= group * count
        }
        self._requested = {place for place in self._requested if place >= group * count}


# ---- In the processes


def _work(pipe: Connection, trainer: int, recipe: _Recipe, pool: Any, batches: Any) -> None:
    """Run tasks until the training process ends."""
    threading.Thread(target=_end_with, args=(trainer,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C, the trainer ends this process
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        pipe.send('ready')
        while True:
            task = pipe.recv()
            try:
                if isinstance(task, _RenderScene):
                    result: Any = _render_scene(task, recipe, pool)
                else:
                    result = _make_batch(task, recipe, pool, batches)
            except Exception as error:
                result = _Failure(str(error) or type(error).__name__)
            pipe.send(result)
    except (EOFError, OSError):
        return


def _end_with(trainer: int) -> None:
    """End this process after its parent; other processes can keep the pipe open."""
    while os.getppid() == trainer:
        time.sleep(0.5)
    os._exit(1)


def _render_scene(task: _RenderScene, recipe: _Recipe, pool: Any) -> list[_Placed]:
    job, world = recipe.scene(task.place)
    placed: list[_Placed] = []
    for frame in recipe.render(job, world):
        name = f'{job.kind}/{world}/{frame.variation}/{frame.number:05d}'
        sample = checked_sample(frame.image, frame.depth_m, frame.intrinsics, name)
        shape = (sample.depth_m.shape[0], sample.depth_m.shape[1])
        if len(placed) == recipe.frames_per_scene or shape[0] * shape[1] > recipe.frame_px:
            raise DataError(f'{name} does not fit in the pool: {shape[1]} x {shape[0]} pixels')
        slot = task.first_slot + len(placed)
        image, depth_m = _frame_views(pool, slot, shape, recipe)
        image[:], depth_m[:] = sample.image, sample.depth_m
        placed.append(_Placed(slot, shape, sample.intrinsics, name))
    if len(placed) < recipe.frames_per_scene:
        raise DataError(f'it has {len(placed)} frames, not {recipe.frames_per_scene}')
    return placed


def _make_batch(task: _MakeBatch, recipe: _Recipe, pool: Any, batches: Any) -> list[str]:
    prepared = []
    size_px = recipe.size_px(task.step)
    for (slot, shape, intrinsics, name), key in zip(task.frames, task.keys):
        sample = checked_sample(*_frame_views(pool, slot, shape, recipe), intrinsics, name)
        rng = image_rng(recipe.seed, *key)
        prepared.append(prepare_sample(sample, rng, size_px, True, recipe.augmentation))
    batch = collate_samples(
        prepared, recipe.max_depth_m, recipe.training_focal_px, recipe.contrast_limit
    )
    views = _batch_views(batches, task.step, recipe)
    for view, tensor in zip(views, (batch.image, batch.depth, batch.valid_mask)):
        view[:] = tensor.numpy()
    return batch.names


# ---- Views into the shared memory


def _frame_views(
    pool: Any, slot: int, shape: Size, recipe: _Recipe
) -> tuple[np.ndarray, np.ndarray]:
    """Return image (H, W, 3) uint8 and depth (H, W) float32 of a slot."""
    pixels = shape[0] * shape[1]
    frames = len(pool) // (_FRAME_BYTES * recipe.frame_px)
    # All depths come first, then all images.
    depth_m = np.frombuffer(pool, np.float32, pixels, slot * recipe.frame_px * _DEPTH_BYTES)
    offset = (frames * _DEPTH_BYTES + slot * _RGB_BYTES) * recipe.frame_px
    image = np.frombuffer(pool, np.uint8, pixels * 3, offset)
    return image.reshape(*shape, 3), depth_m.reshape(shape)


def _batch_views(batches: Any, step: int, recipe: _Recipe) -> Sequence[np.ndarray]:
    """Return image (B, 3, H, W) float32, depth (B, 1, H, W) float32 and mask of a batch."""
    values = recipe.batch_size * recipe.batch_px
    place = step % _BATCHES_AHEAD
    height_px, width_px = recipe.size_px(step)
    used = recipe.batch_size * height_px * width_px
    # Image and depth of all batches come first, then all masks.
    images_at = place * values * _FLOATS_BYTES
    depths_at = images_at + values * _FLOAT_RGB_BYTES
    masks_at = (_BATCHES_AHEAD * _FLOATS_BYTES + place * _MASK_BYTES) * values
    one = (recipe.batch_size, 1, height_px, width_px)
    three = (recipe.batch_size, 3, height_px, width_px)
    return (
        np.frombuffer(batches, np.float32, 3 * used, images_at).reshape(three),
        np.frombuffer(batches, np.float32, used, depths_at).reshape(one),
        np.frombuffer(batches, np.bool_, used, masks_at).reshape(one),
    )


def _own(view: np.ndarray) -> Tensor:
    """Return a copy; with a GPU, in pinned memory."""
    tensor = torch.from_numpy(view)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor.clone()
