"""Devices, processes and arithmetic of a training, by Lightning Fabric."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Literal

from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
import torch

from ..errors import TrainingError
from ..settings.fabric import FabricSettings

# How Linux names the units of x86 CPUs that compute in bfloat16.
BFLOAT16_FLAGS = frozenset({'amx_bf16', 'avx512_bf16'})


def start_fabric(settings: FabricSettings) -> Fabric:
    """
    Return Fabric, launched: one process here, several under ``torchrun``.

    :param settings: device, precision, threads.
    :raises TrainingError: if the device is not there, or CUDA graphs are asked for without
        exactly one GPU.
    """
    if settings.cuda_graphs and 'TORCHELASTIC_RUN_ID' in os.environ:
        raise TrainingError(
            'fabric.cuda_graphs is for one process without torchrun: leave one of them out'
        )
    devices, num_nodes = settings.devices, 1
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        devices = int(os.environ['LOCAL_WORLD_SIZE'])
        num_nodes = int(os.environ['WORLD_SIZE']) // devices
    elif settings.accelerator == 'cpu' and devices == 'auto':
        devices = 1
    try:
        fabric = Fabric(
            accelerator=settings.accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy='ddp' if 'TORCHELASTIC_RUN_ID' in os.environ else 'auto',
            precision=resolved_precision(settings),
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise TrainingError(
            f'fabric.accelerator {settings.accelerator} with fabric.devices {devices} is not on '
            f'this machine: {error}'
        ) from error
    fabric.launch()
    if settings.cuda_graphs and (fabric.device.type != 'cuda' or fabric.world_size > 1):
        raise TrainingError(
            f'fabric.cuda_graphs needs one GPU, and this run has {fabric.world_size} x '
            f'{fabric.device.type}: leave it out, or set fabric.devices to 1'
        )
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
    settings: FabricSettings, cpu_info: Path = Path('/proc/cpuinfo')
) -> Literal['32-true', 'bf16-mixed']:
    """
    Return the precision to train with: ``auto`` becomes bfloat16 where that is fast.

    :param settings: accelerator and precision.
    :param cpu_info: the file in which Linux describes the CPU; a missing one counts as slow.
    """
    if settings.precision != 'auto':
        return settings.precision
    if settings.accelerator in ('auto', 'cuda') and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        flags = set(cpu_info.read_text('utf-8').split()) if cpu_info.exists() else set()
        fast = not flags.isdisjoint(BFLOAT16_FLAGS)
    return 'bf16-mixed' if fast else '32-true'
