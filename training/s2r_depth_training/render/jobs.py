"""Many small independent jobs over processes, each done at most once."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
import os

from tqdm import tqdm


def run_jobs(task: Callable[[str], object], names: Sequence[str], is_done: Callable[[str], bool],
             workers: int | None, unit: str, desc: str) -> None:
    """
    Run a task for each name that is not done yet, over processes, with a progress bar.

    :param workers: processes; None for all cores.
    :param unit: what the bar counts.
    :param desc: what the bar is called.
    """
    missing = [name for name in names if not is_done(name)]
    workers = min(workers or os.cpu_count() or 1, max(1, len(missing)))
    with tqdm(total=len(names), initial=len(names) - len(missing), unit=unit, desc=desc,
              smoothing=0.05) as progress:
        if workers == 1:
            for name in missing:
                task(name)
                progress.update()
            return
        # Spawned, not forked: the parent may hold threads of torch or OpenGL.
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context('spawn'))
        try:
            for _ in pool.map(task, missing):
                progress.update()
        finally:  # after an error or Ctrl-C: what was not begun is not begun
            pool.shutdown(cancel_futures=True)
