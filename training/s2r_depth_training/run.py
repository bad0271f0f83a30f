"""
One stage of a run: its folder, checkpoints, log and loop, on whatever device there is.

A run folder holds one folder per stage. In it: ``settings.json`` (every resolved setting),
``environment.json`` (of each start: git revision, versions, seed, command), ``checkpoint.pt``
(what ``--resume`` goes on from), ``result.pt`` (what later stages take), TensorBoard events, and
``pictures/``.
"""
from __future__ import annotations

import atexit
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
import fcntl
import json
import os
from pathlib import Path
import shutil
import sys
import time
from typing import Any, Literal, Protocol, TypeVar

from lightning_fabric import Fabric, seed_everything
from PIL import Image
import torch
from torch import nn, Tensor
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard.writer import SummaryWriter
from tqdm import tqdm

from s2r_depth_ros.network import Architecture

from .checkpoints import read_whole, save_whole, write_json
from .environment import environment
from .errors import TrainingError
from .pictures import contact_sheet
from .ranges import check_ranges

# Settings that may differ when a run goes on: they decide how long and on what, not on which data.
# The learning rate is one of them, since it is what to lower after a loss that is not finite.
FREE_TO_CHANGE = frozenset({
    'run_dir', 'fabric', 'workers', 'epochs', 'steps', 'max_minutes', 'learning_rate',
    'max_corrupt_fraction', 'log_every_steps', 'checkpoint_every_steps', 'pictures_every_steps'})

# How Linux names the units of x86 CPUs that compute in bfloat16.
BFLOAT16_FLAGS = frozenset({'amx_bf16', 'avx512_bf16'})


@dataclass(frozen=True)
class FabricSettings:
    """
    Where the training runs. Under ``torchrun`` the number of processes comes from there.

    :param accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    :param devices: how many devices of this machine to use; ``auto`` is all of them.
    :param precision: arithmetic. ``bf16-mixed`` takes 0.5 to 0.7 of the time on GPUs and on CPUs
        that compute in bfloat16, and several times as long on other CPUs; ``auto`` chooses it
        where it is fast.
    :param threads: CPU threads of the training process; 0 leaves it to PyTorch.
    :param cuda_graphs: record each step of the stages with a depth loss once and replay it, on a
        single GPU: a small network takes longer to be launched, kernel by kernel, than to run.
        Losses, and whether there is depth, are looked at every ``log_every_steps`` only, when the
        weights have moved. The first batch of each start is learnt from four times.
    """

    accelerator: str = 'auto'
    devices: int | Literal['auto'] = 'auto'
    precision: Literal['auto', '32-true', 'bf16-mixed'] = '32-true'
    threads: int = 0
    cuda_graphs: bool = False

    def __post_init__(self):
        check_ranges(self, 'threads', least=0)
        if self.devices != 'auto':
            check_ranges(self, 'devices', least=1)


@dataclass(frozen=True)
class LoopSettings:
    """
    What every stage's loop has.

    :param batch_size: images per step, over all processes together.
    :param learning_rate: of the optimizer.
    :param ema_decay: decay per step of the moving average of the weights, which is what the
        stage hands over; 0 hands over the last weights themselves.
    :param max_minutes: end the stage cleanly after this long, whatever is left; null is no limit.
    :param log_every_steps: steps between TensorBoard scalars.
    :param checkpoint_every_steps: steps between checkpoints.
    :param pictures_every_steps: steps between pictures of the maps.
    """

    batch_size: int = 32
    learning_rate: float = 1e-4
    ema_decay: float = 0.998
    max_minutes: float | None = None
    log_every_steps: int = 10
    checkpoint_every_steps: int = 500
    pictures_every_steps: int = 500

    def __post_init__(self):
        check_ranges(
            self, 'batch_size', 'log_every_steps', 'checkpoint_every_steps',
            'pictures_every_steps', least=1)
        check_ranges(self, 'ema_decay', least=0, below=1)
        check_ranges(self, 'learning_rate', above=0)
        check_ranges(self, 'max_minutes', least=0)


class RunSettings(Protocol):
    """What a stage needs to know of the run that it belongs to."""

    @property
    def run_dir(self) -> Path:
        """The run folder."""

    @property
    def seed(self) -> int:
        """From which all randomness comes."""

    @property
    def architecture(self) -> str:
        """Name of the architecture preset."""

    @property
    def fabric(self) -> FabricSettings:
        """Where to train."""


BatchT = TypeVar('BatchT')
BatchT_co = TypeVar('BatchT_co', covariant=True)


class Loader(Protocol[BatchT_co]):
    """Epochs of batches, each a function of (seed, epoch, place in the epoch) alone."""

    @property
    def corrupt_files(self) -> set[str]:
        """Messages about the corrupt files that were left out so far."""

    def state_dict(self) -> dict[str, Any]:
        """Return what must be the same for a run to go on exactly."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raise where that is no longer the same."""

    def __len__(self) -> int:
        """Return how many batches :meth:`epoch` yields."""

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[BatchT_co]:
        """Return the batches of one epoch, beginning with batch ``start_batch``."""


def start_fabric(settings: FabricSettings) -> Fabric:
    """
    Return Fabric, launched: one process here, several under ``torchrun``.

    :param settings: device, precision, threads.
    :raises TrainingError: if CUDA graphs are wanted of anything but one GPU.
    """
    if settings.cuda_graphs and 'TORCHELASTIC_RUN_ID' in os.environ:
        raise TrainingError(
            'fabric.cuda_graphs is for one process without torchrun: leave one of them out')
    devices, num_nodes = settings.devices, 1
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        devices = int(os.environ['LOCAL_WORLD_SIZE'])
        num_nodes = int(os.environ['WORLD_SIZE']) // devices
    elif settings.accelerator == 'cpu' and devices == 'auto':
        devices = 1
    fabric = Fabric(
        accelerator=settings.accelerator, devices=devices, num_nodes=num_nodes,
        strategy='ddp' if 'TORCHELASTIC_RUN_ID' in os.environ else 'auto',
        precision=resolved_precision(settings))
    fabric.launch()
    if settings.cuda_graphs and (fabric.device.type != 'cuda' or fabric.world_size > 1):
        raise TrainingError(
            f'fabric.cuda_graphs needs one GPU, and this run has {fabric.world_size} x '
            f'{fabric.device.type}: leave it out, or set fabric.devices to 1')
    if settings.threads:  # after the launch, which may set a number of its own
        torch.set_num_threads(settings.threads)
    if fabric.world_size > 1:
        atexit.register(_leave_process_group)
    return fabric


def _leave_process_group() -> None:
    """Stop gloo's threads: a process that ends while one runs is aborted by the C++ runtime."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def resolved_precision(
    settings: FabricSettings, cpu_info: Path = Path('/proc/cpuinfo'),
) -> Literal['32-true', 'bf16-mixed']:
    """
    Return the precision to train with: ``auto`` becomes bfloat16 where that is fast.

    :param settings: accelerator and precision.
    :param cpu_info: what Linux says of the CPU; elsewhere it is missing, which counts as slow.
    """
    if settings.precision != 'auto':
        return settings.precision
    if settings.accelerator in ('auto', 'cuda') and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        flags = set(cpu_info.read_text('utf-8').split()) if cpu_info.exists() else set()
        fast = not flags.isdisjoint(BFLOAT16_FLAGS)
    return 'bf16-mixed' if fast else '32-true'


def batches_from(loader: Loader[BatchT], step: int) -> Iterator[BatchT]:
    """
    Yield batches for ever, one epoch after the other, beginning where step ``step`` would be.

    :param loader: makes the epochs.
    :param step: how many batches were taken before.
    """
    epoch, start_batch = divmod(step, len(loader))
    while True:
        yield from loader.epoch(epoch, start_batch)
        epoch, start_batch = epoch + 1, 0


def averaged(module: nn.Module, decay: float) -> AveragedModel:
    """
    Return the exponential moving average of ``module``'s weights and running statistics.

    Early on the average is short, ``(1 + n) / (10 + n)`` after n steps (as in TensorFlow's
    ``ExponentialMovingAverage``), so that the random start does not weigh on a short run.

    :param module: the module itself, on its device, not what ``Fabric.setup`` wraps it in.
    :param decay: per step, at least 0 and below 1.
    """
    return MovingAverage(module, decay).requires_grad_(False)


class MovingAverage(AveragedModel):
    """
    See :func:`averaged`; nothing waits for the device, and a CUDA graph can record it.

    :param module: whose average.
    :param decay: per step.
    """

    def __init__(self, module: nn.Module, decay: float):
        super().__init__(module, next(module.parameters()).device, use_buffers=True)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights of one more step into the average."""
        count = self.n_averaged
        keep = ((1 + count) / (10 + count)).clamp(max=self._decay)
        weight = torch.where(count == 0, 1.0, 1 - keep)  # the first are the average
        pairs = [
            (average, value.detach())
            for kind in ('parameters', 'buffers')
            for average, value in zip(getattr(self.module, kind)(), getattr(model, kind)())]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        averages, values = [list(column) for column in zip(*floats)]
        steps = torch._foreach_sub(values, averages)
        torch._foreach_mul_(steps, weight)
        torch._foreach_add_(averages, steps)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)
        count.add_(1)


def frozen(module: nn.Module) -> nn.Module:
    """Return ``module`` in evaluation mode and without gradients."""
    return module.requires_grad_(False).eval()


class Stage:
    """
    One stage of a run. Use it as a context: it locks the folder and closes the log.

    :param name: of the stage, and of its folder.
    :param run: settings of the whole run.
    :param settings: settings of this stage.
    :param resume: go on from the checkpoint of an interrupted run.
    :raises TrainingError: if the folder is in use, cannot be written, or already holds a run.
    """

    def __init__(self, name: str, run: RunSettings, settings: LoopSettings, resume: bool):
        self.name = name
        self.run = run
        self.settings = settings
        self.folder = Path(run.run_dir) / name
        self.step = 0
        self.fabric = start_fabric(run.fabric)
        seed_everything(run.seed, verbose=False)
        self._resume = resume
        self._spent_s = 0.0
        self._loader: Loader | None = None
        self._tracked: dict[str, Any] = {}
        self._fixed_settings = _fixed_settings(run, settings)
        self._bar: tqdm | None = None
        self._shown: dict[str, str] = {}
        self._writer: SummaryWriter | None = None
        self._lock: Any = None

    def __enter__(self) -> Stage:
        if self.fabric.is_global_zero:
            if self.result_file.exists():
                raise TrainingError(
                    f'{self.folder} holds a finished {self.name}: give another run_dir, or '
                    'remove that folder to train it again')
            if self.checkpoint_file.exists() and not self._resume:
                raise TrainingError(
                    f'{self.folder} holds an unfinished {self.name}: continue it with --resume, '
                    'or give another run_dir')
            self._lock = _locked_folder(Path(self.run.run_dir))
        self.fabric.barrier()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._writer is not None:
            self._writer.close()
        if self._lock is not None:
            self._lock.close()
        self._tracked, self._loader = {}, None  # a GPU may be full of it
        if exception[0] is None:
            self.fabric.barrier()  # or one process ends while another still talks to it

    @property
    def checkpoint_file(self) -> Path:
        """What ``--resume`` goes on from."""
        return self.folder / 'checkpoint.pt'

    @property
    def result_file(self) -> Path:
        """What the stage hands over; it exists once the stage is finished."""
        return self.folder / 'result.pt'

    @property
    def process_batch_size(self) -> int:
        """
        Images per step of each process.

        :raises TrainingError: if the processes cannot share a batch evenly.
        """
        share, rest = divmod(self.settings.batch_size, self.fabric.world_size)
        if rest or not share:
            raise TrainingError(
                f'{self.name}.batch_size is {self.settings.batch_size}, which '
                f'{self.fabric.world_size} processes cannot share evenly: choose a multiple')
        return share

    def random(self) -> torch.Generator:
        """Return a source of random numbers that depends on seed, step and process alone."""
        generator = torch.Generator()
        place = (self.run.seed * 1_000_003 + self.step) * 1_009 + self.fabric.global_rank
        return generator.manual_seed(place % 2 ** 63)

    def track(self, loader: Loader, **parts: Any) -> None:
        """
        Name what a checkpoint holds, and continue from the last one if asked to.

        Writes the first checkpoint, so that a full disk shows now and not after hours.

        :param loader: of the data, which must still be the same.
        :param parts: modules (not wrapped by Fabric), optimisers, schedules, averages.
        :raises TrainingError: if the checkpoint does not fit, or the disk has no room.
        :raises DataError: if the data are not those of the checkpoint.
        """
        self._loader = loader
        self._tracked = {'loader': loader, **parts}
        # The first process alone looks: another one might find what that has just written.
        if self._resume and self.fabric.broadcast(self.checkpoint_file.exists()):
            self._restore()
        else:
            self.folder.mkdir(exist_ok=True)
            self.save()
        if self.fabric.is_global_zero:
            self._describe()
            need = 2 * self.checkpoint_file.stat().st_size
            free = shutil.disk_usage(self.folder).free
            if free < need:
                raise TrainingError(
                    f'{self.folder} is on a disk with {free / 1e6:.0f} MB free; the checkpoints '
                    f'of {self.name} need {need / 1e6:.0f} MB: make room or give another run_dir')
            self._writer = SummaryWriter(self.folder, purge_step=self.step + 1)

    def progress(self, step: int, total_steps: int) -> float:
        """
        Return how much of the stage is over, 0 to 1: in steps or in time, whichever is more.

        :param step: how many steps are done.
        :param total_steps: of the whole stage.
        """
        in_time = 0.0
        if self.settings.max_minutes:
            in_time = self._spent_s / (60 * self.settings.max_minutes)
        return min(1.0, max(step / total_steps, in_time))

    def loop(self, batches: Iterable[BatchT], total_steps: int) -> Iterator[BatchT]:
        """
        Yield batches until the steps or the time are used up; keep checkpoints meanwhile.

        :param batches: from :func:`batches_from`, at the current step.
        :param total_steps: steps of the whole stage, those of an interrupted run included.
        """
        self._bar = tqdm(
            desc=self.name, initial=self.step, total=total_steps, unit='step',
            dynamic_ncols=True, disable=not self.fabric.is_global_zero,
            mininterval=0.5 if sys.stderr.isatty() else 30.0)
        begun_s = time.monotonic() - self._spent_s
        source = iter(batches)
        while self.step < total_steps:
            self._spent_s = time.monotonic() - begun_s
            if self.settings.max_minutes is not None:  # all processes go by the clock of one
                self._spent_s = self.fabric.broadcast(self._spent_s)
            if self._time_is_up():
                tqdm.write(f'{self.name}: {self.settings.max_minutes:g} minutes are over after '
                           f'{self.step} steps', file=sys.stderr)
                break
            batch = next(source, None)
            if batch is None:
                break
            yield batch
            self.step += 1
            self._bar.update()
            if self.step % self.settings.checkpoint_every_steps == 0:
                self.save()
        self.save()

    def report(self, losses: Mapping[str, Tensor], names: Iterable[str]) -> None:
        """
        Log the losses of this step; call it before ``backward``.

        :param losses: scalars by name.
        :param names: the batch's files, for the message.
        :raises TrainingError: if a loss is not finite; unless steps are recorded, the weights are
            still untouched.
        """
        values = torch.stack([loss.detach().float() for loss in losses.values()]).cpu()
        if not torch.isfinite(values).all():
            bad = ', '.join(
                f'{name} = {value:g}' for name, value in zip(losses, values.tolist()))
            where = (
                f'within the {self.settings.log_every_steps} steps to {self.step + 1} ({bad})'
                if self.run.fabric.cuda_graphs else
                f'at step {self.step + 1} ({bad}); the batch was {", ".join(map(str, names))}')
            raise TrainingError(
                f'{self.name}: loss not finite {where}; the checkpoint of the last good steps is '
                f'{self.checkpoint_file}. Look at those files, or go on from there with --resume '
                f'and a lower {self.name}.learning_rate')
        if self._writer is not None and self.log_due():
            for name, value in zip(losses, values.tolist()):
                self._writer.add_scalar(name, value, self.step + 1)
        if self._bar is not None:
            self._shown |= {name.rpartition('/')[2]: f'{value:.3f}'
                            for name, value in zip(losses, values.tolist())}
            self._bar.set_postfix(self._shown, refresh=False)

    def log(self, **values: float) -> None:
        """Log further scalars of this step."""
        if self._writer is not None and (self.step + 1) % self.settings.log_every_steps == 0:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self.step + 1)

    def log_due(self) -> bool:
        """Return whether the scalars of this step are logged."""
        return self.step == 0 or (self.step + 1) % self.settings.log_every_steps == 0

    def picture_due(self) -> bool:
        """Return whether this step is one whose maps are to be shown."""
        return self.fabric.is_global_zero and (
            self.step == 0 or (self.step + 1) % self.settings.pictures_every_steps == 0)

    def show(self, **maps: Tensor) -> None:
        """
        Write one picture: a row per image, a column per map, in the order given.

        :param maps: (B, 3, H, W) images in [-1, 1] or (B, 1, H, W) maps in [0, 1].
        """
        sheet = contact_sheet(maps)
        folder = self.folder / 'pictures'
        folder.mkdir(exist_ok=True)
        Image.fromarray(sheet).save(folder / f'step_{self.step + 1:07d}.png')
        if self._writer is not None:
            self._writer.add_image(
                ' | '.join(maps), sheet, self.step + 1, dataformats='HWC')

    def save(self) -> None:
        """
        Write the checkpoint: the whole file or, should that fail, the old one stays.

        :raises TrainingError: if it cannot be written, or a weight is no longer finite.
        """
        for name, part in self._tracked.items():
            if isinstance(part, nn.Module) and not all(
                    torch.isfinite(parameter).all() for parameter in part.parameters()):
                raise TrainingError(
                    f'{self.name}: the weights of {name} are no longer finite at step '
                    f'{self.step}; {self.checkpoint_file} holds the last good ones. Go on from '
                    f'there with --resume and a lower {self.name}.learning_rate, or with '
                    'fabric.precision 32-true')
        state = {
            **{name: part.state_dict() for name, part in self._tracked.items()},
            'step': self.step, 'spent_s': self._spent_s, 'settings': self._fixed_settings,
        }
        if self.fabric.is_global_zero:
            save_whole(state, self.checkpoint_file)
            if self._writer is not None:
                self._writer.flush()
        self.fabric.barrier()

    def finish(self, **modules: nn.Module) -> Path:
        """
        Write what the stage hands over and return its file.

        :param modules: the trained parts, by the name under which later stages ask for them.
        """
        if self._loader is not None and self._loader.corrupt_files:
            tqdm.write(
                f'{self.name}: corrupt images left out: {len(self._loader.corrupt_files)}, named '
                'in the warnings above', file=sys.stderr)
        if self.fabric.is_global_zero:
            save_whole(
                {'architecture': Architecture.preset(self.run.architecture).as_dict(),
                 'modules': {name: _on_cpu(module) for name, module in modules.items()},
                 'provenance': self.provenance()}, self.result_file)
        self.fabric.barrier()
        return self.result_file

    def provenance(self) -> dict[str, str]:
        """Return in words where this stage's weights come from."""
        here = environment(self.run.seed)
        return {
            'stage': self.name, 'steps': str(self.step),
            'hours': f'{self._spent_s / 3600:.2f}', 'seed': str(self.run.seed),
            'git_revision': str(here['git_revision']), 'command': str(here['command']),
            'date': str(here['started'])[:10],
            'settings': json.dumps(_plain(self.run), default=str),
        }

    def _time_is_up(self) -> bool:
        limit = self.settings.max_minutes
        return limit is not None and self._spent_s >= limit * 60

    def _describe(self) -> None:
        """Write with what settings, and each time where and how, the stage was run."""
        write_json(self.folder / 'settings.json', _plain(self.run))
        file = self.folder / 'environment.json'
        starts = json.loads(file.read_text('utf-8')) if file.exists() else []
        write_json(file, [*starts, {
            **environment(self.run.seed), 'from_step': self.step,
            'device': str(self.fabric.device), 'precision': resolved_precision(self.run.fabric)}])

    def _restore(self) -> None:
        state = read_whole(self.checkpoint_file)
        before, now = state['settings'], self._fixed_settings
        changed = [
            f'{name} was {before.get(name)!r} and is now {now.get(name)!r}'
            for name in {**before, **now} if before.get(name) != now.get(name)]
        if changed:
            raise TrainingError(
                f'{self.checkpoint_file} cannot be continued with other settings: '
                + '; '.join(changed) + '. Put them back, or start in another run_dir')
        missing = sorted(self._tracked.keys() - state.keys())
        if missing:
            raise TrainingError(
                f'{self.checkpoint_file} lacks {", ".join(missing)}, as another version of this '
                'package wrote it: go on with that version, or start in another run_dir')
        for name, part in self._tracked.items():
            wanted = list(part.base_lrs) if isinstance(part, LRScheduler) else []
            if hasattr(part, 'param_groups'):
                _keep_places(state[name], part.param_groups)
            part.load_state_dict(state[name])
            if isinstance(part, LRScheduler):
                _set_learning_rates(part, wanted)
        self.step = state['step']
        self._spent_s = state['spent_s']


def _keep_places(saved: dict[str, Any], groups: list[dict[str, Any]]) -> None:
    """Have rates and counts of steps where this run keeps them: on a GPU if it is recorded."""
    for old, own in zip(saved['param_groups'], groups):
        for name in {'lr', 'initial_lr'} & old.keys():
            rate = float(old[name])
            old[name] = own['lr'].new_tensor(rate) if isinstance(own['lr'], Tensor) else rate
        if 'capturable' in own:
            old['capturable'] = own['capturable']


def _set_learning_rates(schedule: LRScheduler, wanted: list[Any]) -> None:
    """Let a restored schedule and its optimiser go on as if they had begun at other rates."""
    for group, begun, rate in zip(schedule.optimizer.param_groups, schedule.base_lrs, wanted):
        group['lr'] *= float(rate) / float(begun)
    schedule.base_lrs = wanted


def _locked_folder(folder: Path) -> Any:
    """Return the open lock of ``folder``; the system frees it however the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / '.lock', 'w')
    except OSError as error:
        raise TrainingError(
            f'cannot write to the run folder {folder} ({error}): give another run_dir') from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise TrainingError(
            f'another process is training in {folder}: wait for it, or give another run_dir'
        ) from error
    # Or the processes that read ahead would hold the lock for seconds after this one was killed.
    os.register_at_fork(after_in_child=lock.close)
    return lock


def _fixed_settings(run: RunSettings, settings: LoopSettings) -> dict[str, Any]:
    """Return, by dotted name, the settings that an exact continuation depends on."""
    flat: dict[str, Any] = {}

    def add(prefix: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name in FREE_TO_CHANGE:
                continue
            if isinstance(value, Mapping):
                add(f'{prefix}{name}.', value)
            else:
                flat[f'{prefix}{name}'] = value

    whole = _plain(run)
    other_stages = {
        field.name for field in fields(run)  # type: ignore[arg-type]
        if isinstance(getattr(run, field.name), LoopSettings)}
    add('', {name: value for name, value in whole.items() if name not in other_stages})
    add('', _plain(settings))
    return flat


def _plain(value: Any) -> Any:
    """Return dataclasses, paths and tuples as what JSON knows."""
    if hasattr(value, '__dataclass_fields__'):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone()
            for name, tensor in module.state_dict().items()}
