"""One stage of a run, on whatever device there is: its steps, its checkpoints, its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
import math
from pathlib import Path
import sys
import time
from typing import Any, TextIO, TYPE_CHECKING, TypeVar

from lightning_fabric import seed_everything
import torch
from torch import nn, Tensor
from tqdm import tqdm

from s2r_depth_ros.network import Architecture
from s2r_depth_ros.weights.info import WeightsInfo

from ..errors import TrainingError
from ..settings.stages import LoopSettings
from .batches import close_loader, Loader
from .checkpoints import read_whole, save_whole
from .fabric import resolved_precision, start_fabric
from .provenance import provenance
from .resume import check_form, check_settings, check_start, digest_of, fixed_settings, restore
from .run_folder import (
    check_room,
    CHECKPOINT_FILE,
    describe_start,
    lock_run,
    refuse_earlier_run,
    RESULT_FILE,
)
from .stopping import StopSignals
from .training_log import TrainingLog

if TYPE_CHECKING:
    from ..config import Config
    from .optimizers import ScheduledOptimizer

BatchT = TypeVar('BatchT')


class Stage:
    """
    One stage of a run. Use it as a context: it locks the folder and closes the log.

    :param name: the name of the stage, and of its folder.
    :param config: the configuration of the whole run.
    :param settings: the settings of this stage.
    :param resume: continue from the checkpoint of an interrupted run.
    :raises TrainingError: if the folder is in use, cannot be written, or already holds a run.
    """

    def __init__(self, name: str, config: Config, settings: LoopSettings, resume: bool):
        self.name = name
        self.config = config
        self.settings = settings
        self.folder = Path(config.run_dir) / name
        self.step = 0
        self.fabric = start_fabric(config.fabric)
        seed_everything(config.seed, verbose=False)
        self._resume = resume
        self._spent_s = 0.0
        self._loader: Loader | None = None
        self._parts: dict[str, Any] = {}
        self._start = '', ''
        self._log: TrainingLog | None = None
        self._lock: TextIO | None = None

    def __enter__(self) -> Stage:
        if self.fabric.is_global_zero:
            refuse_earlier_run(self.folder, self._resume)
            self._lock = lock_run(Path(self.config.run_dir))
        self.fabric.barrier()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._log is not None:
            self._log.close()
        if self._lock is not None:
            self._lock.close()
        close_loader(self._loader)
        self._parts, self._loader = {}, None  # a GPU may be full of it
        if exception[0] is None:
            self.fabric.barrier()  # or one process ends while another still talks to it

    @property
    def checkpoint_file(self) -> Path:
        """The file from which ``--resume`` continues."""
        return self.folder / CHECKPOINT_FILE

    @property
    def result_file(self) -> Path:
        """The parts that later stages take; it exists once the stage is finished."""
        return self.folder / RESULT_FILE

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
                f'{self.fabric.world_size} processes cannot share evenly: choose a multiple'
            )
        return share

    def random(self) -> torch.Generator:
        """Return a source of random numbers that depends on seed, step and process only."""
        generator = torch.Generator()
        place = (self.config.seed * 1_000_003 + self.step) * 1_009 + self.fabric.global_rank
        return generator.manual_seed(place % 2**63)

    def starts_from(self, source: str | Path, network: nn.Module, info: WeightsInfo) -> None:
        """
        Set the weights that the stage starts from, before :meth:`track` compares them.

        The result has their metadata. So a run that continues needs the same weights.

        :param source: their name, for the message.
        :param network: as it was read.
        :param info: its metadata.
        """
        self._start = str(source), digest_of(network, info)

    def track(self, loader: Loader, **parts: Any) -> None:
        """
        Set the parts of a checkpoint. With ``--resume``, restore them from the last one.

        Writes the first checkpoint, so that a full disk is found now and not after hours.

        :param loader: the loader of the data, which must still be the same.
        :param parts: modules (not wrapped by Fabric), optimizers, schedules, averages.
        :raises TrainingError: if the checkpoint does not fit, or the disk has no room.
        :raises DataError: if the data are not those of the checkpoint.
        """
        self._loader = loader
        self._parts = {'loader': loader, **parts}
        # Only the first process looks: another one might find the file that it has just written.
        if self._resume and self.fabric.broadcast(self.checkpoint_file.exists()):
            state = read_whole(self.checkpoint_file)
            check_form(state, self.checkpoint_file)
            check_settings(state['settings'], self.config, self.settings, self.checkpoint_file)
            check_start(state, *self._start, self.checkpoint_file)
            restore(self._parts, state, self.checkpoint_file)
            self.step, self._spent_s = state['step'], state['spent_s']
        else:
            if self._resume and self.fabric.is_global_zero:
                tqdm.write(
                    f'{self.name}: begins anew, since there is no {self.checkpoint_file}',
                    file=sys.stderr,
                )
            self.folder.mkdir(exist_ok=True)
            self.save()
        if self.fabric.is_global_zero:
            describe_start(
                self.folder,
                self.config,
                from_step=self.step,
                device=str(self.fabric.device),
                precision=resolved_precision(self.config.fabric),
            )
            check_room(self.folder)
            self._log = TrainingLog(self.folder, self.step)

    def progress(self, step: int, total_steps: int) -> float:
        """
        Return the progress of the stage, 0 to 1: in steps or in time, whichever is more.

        :param step: how many steps are done.
        :param total_steps: the number of steps of the whole stage.
        """
        in_time = 0.0
        if self.settings.max_minutes:
            in_time = self._spent_s / (60 * self.settings.max_minutes)
        return min(1.0, max(step / total_steps, in_time))

    def loop(self, batches: Iterable[BatchT], total_steps: int) -> Iterator[BatchT]:
        """
        Yield batches until the steps or the time are used up; keep checkpoints meanwhile.

        Ctrl-C and SIGTERM end a single process between two steps, with a checkpoint. Several
        processes end at once.

        :param batches: from :func:`~.batches.batches_from`, at the current step.
        :param total_steps: steps of the whole stage, those of an interrupted run included.
        :raises KeyboardInterrupt: after such a signal.
        """
        if self.fabric.world_size > 1:  # one that stops would let the others wait
            yield from self._steps(batches, total_steps, lambda: False)
            return
        with StopSignals(self.name) as signals:
            yield from self._steps(batches, total_steps, lambda: signals.came)
            if signals.came:
                raise KeyboardInterrupt

    def _steps(
        self, batches: Iterable[BatchT], total_steps: int, must_stop: Callable[[], bool]
    ) -> Iterator[BatchT]:
        if self._log is not None:
            self._log.start_bar(self.name, self.step, total_steps)
        start_s = time.monotonic() - self._spent_s
        source = iter(batches)
        while self.step < total_steps and not must_stop():
            self._spent_s = time.monotonic() - start_s
            if self.settings.max_minutes is not None:  # all processes go by the clock of one
                self._spent_s = self.fabric.broadcast(self._spent_s)
                if self._spent_s >= self.settings.max_minutes * 60:
                    tqdm.write(
                        f'{self.name}: {self.settings.max_minutes:g} minutes are over after '
                        f'{self.step} steps',
                        file=sys.stderr,
                    )
                    break
            batch = next(source, None)
            if batch is None or must_stop():
                break
            yield batch
            self.step += 1
            if self._log is not None:
                self._log.advance()
            if self.step % self.settings.checkpoint_every_steps == 0:
                self.save()
        self.save()

    def log_due(self) -> bool:
        """Return whether the scalars of this step are logged."""
        return self.step == 0 or (self.step + 1) % self.settings.log_every_steps == 0

    def check_due(self) -> bool:
        """
        Return whether the values of this step are looked at, which is to wait for the device.

        With CUDA graphs that is once in ``log_every_steps``, else in every step.
        """
        return self.log_due() or not self.config.fabric.cuda_graphs

    def picture_due(self) -> bool:
        """Return whether the maps of this step are shown."""
        return self.fabric.is_global_zero and (
            self.step == 0 or (self.step + 1) % self.settings.pictures_every_steps == 0
        )

    def report(
        self,
        losses: Mapping[str, Tensor],
        names: Iterable[str],
        optimizer: ScheduledOptimizer | None = None,
    ) -> None:
        """
        Check the losses of this step, and log them, where :meth:`check_due`.

        :param losses: scalars by name.
        :param names: the batch's files, for the message.
        :param optimizer: whose learning rate is logged, too.
        :raises TrainingError: if a loss is not finite; the checkpoint is of an earlier step.
        """
        if not self.check_due():
            return
        values = torch.stack([loss.detach().float() for loss in losses.values()]).tolist()
        figures = dict(zip(losses, values))
        if not all(map(math.isfinite, values)):
            bad = ', '.join(f'{name} = {value:g}' for name, value in figures.items())
            where = (
                f'within the {self.settings.log_every_steps} steps to {self.step + 1} ({bad})'
                if self.config.fabric.cuda_graphs
                else f'at step {self.step + 1} ({bad}); the batch was {", ".join(map(str, names))}'
            )
            raise TrainingError(
                f'{self.name}: loss not finite {where}; the checkpoint of the last good steps is '
                f'{self.checkpoint_file}. Check those files, or continue with --resume '
                f'and a lower {self.name}.learning_rate'
            )
        if self._log is not None:
            self._log.show_on_bar(figures)
            if self.log_due():
                rate = {'learning_rate': optimizer.learning_rate} if optimizer else {}
                self._log.write_scalars({**figures, **rate}, self.step + 1)

    def show(self, **maps: Tensor) -> None:
        """
        Write one picture: a row per image, a column per map, in the order given.

        :param maps: (B, 3, H, W) images in [-1, 1] or (B, 1, H, W) maps in [0, 1].
        """
        if self._log is not None:
            self._log.write_picture(maps, self.step + 1)

    def save(self) -> None:
        """
        Write the checkpoint: the whole file or, should that fail, the old one stays.

        :raises TrainingError: if it cannot be written, or a weight is no longer finite.
        """
        for name, part in self._parts.items():
            if isinstance(part, nn.Module) and not all(
                torch.isfinite(parameter).all() for parameter in part.parameters()
            ):
                raise TrainingError(
                    f'{self.name}: the weights of {name} are no longer finite at step '
                    f'{self.step}; {self.checkpoint_file} holds the last good ones. Continue '
                    f'with --resume and a lower {self.name}.learning_rate, or with '
                    'fabric.precision 32-true'
                )
        state = {
            **{name: part.state_dict() for name, part in self._parts.items()},
            'step': self.step,
            'spent_s': self._spent_s,
            'settings': fixed_settings(self.config, self.settings),
            'start': self._start[1],
        }
        if self.fabric.is_global_zero:
            save_whole(state, self.checkpoint_file)
            if self._log is not None:
                self._log.flush()
        self.fabric.barrier()

    def finish(self, **modules: nn.Module) -> Path:
        """
        Write the result of the stage and return its file.

        :param modules: the trained parts, by the name under which later stages ask for them.
        """
        if self._loader is not None and self._loader.corrupt_files:
            tqdm.write(
                f'{self.name}: corrupt images left out: {len(self._loader.corrupt_files)}, named '
                'in the warnings above',
                file=sys.stderr,
            )
        if self.fabric.is_global_zero:
            save_whole(
                {
                    'architecture': Architecture.preset(self.config.architecture).as_dict(),
                    'modules': {name: _on_cpu(module) for name, module in modules.items()},
                    'provenance': self.provenance(),
                },
                self.result_file,
            )
        self.fabric.barrier()
        return self.result_file

    def provenance(self) -> dict[str, str]:
        """Return in words where the weights of this stage come from."""
        return provenance(self.config, self.name, self.step, self._spent_s / 3600)


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
