"""Where a run trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..ranges import check_ranges


@dataclass(frozen=True)
class FabricSettings:
    """
    Device, precision and threads of the training. ``torchrun`` sets the number of processes.

    :param accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    :param devices: how many devices of this machine to use; ``auto`` is all of them.
    :param precision: arithmetic. ``bf16-mixed`` takes 0.5 to 0.7 of the time on GPUs and on CPUs
        that compute in bfloat16, and several times as long on other CPUs; ``auto`` chooses it
        where it is fast.
    :param threads: CPU threads of the training process; 0 leaves it to PyTorch.
    :param cuda_graphs: on a single GPU, record a training step of the stages with a depth loss
        once and replay it. For a small network, the launch of each kernel takes longer than its
        run. Losses and missing depth are checked only every ``log_every_steps``, after the weights
        were updated. After each start, the first batch is used for four steps.
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
