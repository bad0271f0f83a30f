"""Device, precision and threads of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..ranges import check_ranges


@dataclass(frozen=True)
class FabricSettings:
    """
    Device, precision and threads of the training. ``torchrun`` sets the number of processes.

    :param accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    :param devices: number of devices of this machine to use; ``auto`` uses all.
    :param precision: number format. ``bf16-mixed`` takes 0.5 to 0.7 of the time on GPUs, and on
        CPUs with bfloat16 instructions. On other CPUs, it takes several times as long. ``auto``
        selects it where it is fast.
    :param threads: CPU threads of the training process; with 0, PyTorch chooses.
    :param cuda_graphs: record a training step once and replay it, on a single GPU, in stages with
        a depth loss. This saves time in a small network, whose kernels take longer to launch than
        to run. Losses and missing depth are checked only every ``log_every_steps``, after the
        weights were updated. After each start, the first batch is used for four steps.
    """

    accelerator: Literal['auto', 'cpu', 'cuda', 'mps'] = 'auto'
    devices: int | Literal['auto'] = 'auto'
    precision: Literal['auto', '32-true', 'bf16-mixed'] = '32-true'
    threads: int = 0
    cuda_graphs: bool = False

    def __post_init__(self):
        check_ranges(self, 'threads', least=0)
        if self.devices != 'auto':
            check_ranges(self, 'devices', least=1)
