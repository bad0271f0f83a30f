"""
What an entry point sets for its process, before the libraries that read it load.

The package itself changes no process that imports it. Each function keeps a value that is set.
:func:`cores` is what the process may use.
"""

import ctypes
import os

# Parameters of mallopt(3), and how many bytes glibc may keep or take from its heap.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_BYTES = 64 * 2**20, 32 * 2**20


def set_up_process() -> None:
    """Set all of this; call it first in a program that runs the network."""
    sleep_while_waiting()
    keep_memory()
    disable_telemetry()


def sleep_while_waiting() -> None:
    """
    Let waiting threads of PyTorch leave the CPU to others; call it before torch is imported.

    Threads that spin while they wait take the CPU from other threads. Threads that sleep wake
    late. A spin of some microseconds has neither cost (docs/explanation/performance.md).
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'
        os.environ.setdefault('GOMP_SPINCOUNT', '1000')


def keep_memory() -> None:
    """
    Let glibc keep up to 64 MB of freed memory, where the images of the next frame have place.

    Else it returns them to the kernel, which clears each page anew. That can double the time
    outside of the network. Other C libraries do as they do.
    """
    if {'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_'} & os.environ.keys():
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc; TypeError on Windows
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)


def disable_telemetry() -> None:
    """
    Keep ONNX Runtime and Ray from reporting to their makers; call it before their import.

    ONNX Runtime 1.32 reports as soon as it is imported, and leaves an identifier in the user's
    cache. A robot does not, unless its user says so.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
