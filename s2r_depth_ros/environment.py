"""
Environment settings of a process, which an entry point sets before libraries load.

Importing the package does not change the process. Each function keeps a value that is already set.
:func:`cores` returns the number of usable cores.
"""

import ctypes
import os

# Parameters of mallopt(3), and how many bytes glibc may keep or take from its heap.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_BYTES = 64 * 2**20, 32 * 2**20


def set_up_process() -> None:
    """Call all functions of this module; a program that runs the network calls it first."""
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
    Let glibc keep up to 64 MB of freed memory for the images of the next frame.

    By default, glibc returns the memory to the kernel, which clears each page again. That can
    double the time outside of the network. Other C libraries are not affected.
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
    Turn off the telemetry of ONNX Runtime and Ray; call it before their import.

    ONNX Runtime 1.32 sends data as soon as it is imported, and writes an identifier to the user's
    cache. A robot must not, unless its user turns it on.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
