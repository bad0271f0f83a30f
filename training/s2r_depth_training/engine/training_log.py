"""The log of a stage: TensorBoard scalars and pictures, and the progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import logging
from pathlib import Path
import sys

from PIL import Image
from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter
from tqdm import tqdm

from s2r_depth_ros.atomic_files import atomic_file

from .pictures import map_grid

_LOG = logging.getLogger(__name__)


class TrainingLog:
    """
    The log of one stage, which the first process keeps.

    If a part of it cannot be written, a warning says so, and the training continues.

    :param folder: the folder of the stage, for events and ``pictures/``.
    :param step: the last step that is done; what is logged of later ones is dropped.
    """

    def __init__(self, folder: Path, step: int):
        self._folder = folder
        self._writer = SummaryWriter(folder, purge_step=step + 1)
        self._bar: tqdm | None = None
        self._figures: dict[str, str] = {}
        self._is_complete = True

    def start_bar(self, name: str, step: int, total_steps: int) -> None:
        """
        Show the progress.

        :param name: the name of the stage.
        :param step: how many steps are done.
        :param total_steps: the number of steps of the stage.
        """
        self._bar = tqdm(
            desc=name,
            initial=step,
            total=total_steps,
            unit='step',
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 30.0,
        )

    def advance(self) -> None:
        """Move the bar by one step."""
        if self._bar is not None:
            self._bar.update()

    def show_on_bar(self, scalars: Mapping[str, float]) -> None:
        """Show the scalars beside the bar, by the last part of their names."""
        if self._bar is not None:
            self._figures |= {
                name.rpartition('/')[2]: f'{value:.3f}' for name, value in scalars.items()
            }
            self._bar.set_postfix(self._figures, refresh=False)

    def write_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Write the scalars of step number ``step``, counted from 1."""
        with self._optional():
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, step)

    def write_picture(self, maps: Mapping[str, Tensor], step: int) -> None:
        """
        Write one picture: a row per image, a column per map, in the order given.

        :param maps: (B, 3, H, W) images in [-1, 1] or (B, 1, H, W) maps in [0, 1].
        :param step: its number, counted from 1.
        """
        sheet = map_grid(maps)
        folder = self._folder / 'pictures'
        with self._optional():
            folder.mkdir(exist_ok=True)
            with atomic_file(folder / f'step_{step:07d}.png') as part:
                Image.fromarray(sheet).save(part)
            self._writer.add_image(' | '.join(maps), sheet, step, dataformats='HWC')

    def flush(self) -> None:
        """Put the events on the disk."""
        with self._optional():
            self._writer.flush()

    def close(self) -> None:
        """End the bar and the events."""
        if self._bar is not None:
            self._bar.close()
        with self._optional():
            self._writer.close()

    @contextmanager
    def _optional(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._is_complete:
                _LOG.warning('pictures or events are missing in %s: %s', self._folder, error)
            self._is_complete = False
