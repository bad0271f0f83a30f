"""Set how the CPU threads of PyTorch wait for each other, before torch is imported."""
import os


def sleep_while_waiting() -> None:
    """
    Let waiting threads leave the CPU to others, unless the environment says how they wait.

    Threads that wait by spinning take the CPU from whoever has work, those that sleep wake late. A
    short spin, some microseconds, has neither cost (docs/performance.md).
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'
        os.environ.setdefault('GOMP_SPINCOUNT', '1000')
