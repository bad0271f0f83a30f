"""Give tasks to workers, and repeat the tasks of dead workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from functools import partial
import logging
from typing import Any, NamedTuple

from tqdm import tqdm

from .pools import Here, Pool, pool_of, Slot
from .worker import JobsError, Make, Outcome, versions

TRIES = 3
_PATIENCE_S = 30.0
_SHOWN_FAULTS = 5
_LOG = logging.getLogger(__name__)


class Result(NamedTuple):
    """
    The result of a task.

    ``value`` is its return value. ``fault`` is a sentence if it failed, else empty. ``trace`` is
    the traceback of an unexpected exception, else empty. ``tries`` counts the workers that ran it.
    """

    name: str
    value: Any
    fault: str
    trace: str
    tries: int
    seconds: float
    host: str


class _Seat:
    """A place for a worker, and its current task; None while it loads."""

    def __init__(self, new_slot: Callable[[], Slot]) -> None:
        self._new_slot = new_slot
        self.slot = new_slot()
        self.name: str | None = None
        self.losses = 0

    def renew(self) -> None:
        self.slot.end()
        self.slot = self._new_slot()
        self.name = None


def run_tasks(
    make: Make,
    tasks: Mapping[str, Any],
    pool: Pool,
    expected: tuple[type[Exception], ...] = (OSError, ValueError),
) -> Generator[Result, None, None]:
    """
    Run tasks, and yield the result of each as soon as it is available.

    Closing the iterator ends the workers.

    :param make: called once in each worker; returns the function that runs a task. ``make``,
        arguments and results must be picklable, unless the pool is :class:`Here`.
    :param tasks: the argument of each task by its name.
    :param pool: the workers.
    :param expected: exceptions whose text is one sentence for the user.
    :raises JobsError: if no worker can load.
    """
    return _Run(make, tasks, pool, expected).results()


def in_order(
    make: Make,
    arguments: Sequence[Any],
    pool: Pool,
    expected: tuple[type[Exception], ...] = (OSError, ValueError),
) -> Generator[Result, None, None]:
    """
    Run tasks as :func:`run_tasks` does, and yield their results in the order of the arguments.

    :param arguments: the arguments of the tasks, whose names are their numbers.
    """
    held: dict[str, Result] = {}
    tasks = {str(number): argument for number, argument in enumerate(arguments)}
    with closing(run_tasks(make, tasks, pool, expected)) as results:
        wanted = iter(tasks)
        name = next(wanted, '')
        for result in results:
            held[result.name] = result
            while name in held:
                yield held.pop(name)
                name = next(wanted, '')


class _Run:
    """One call of :func:`run_tasks`: its tasks, its workers, and who works on what."""

    def __init__(
        self,
        make: Make,
        tasks: Mapping[str, Any],
        pool: Pool,
        expected: tuple[type[Exception], ...],
    ) -> None:
        self._tasks = tasks
        self._pool = pool
        self._waiting = deque(tasks)
        self._tries: Counter[str] = Counter()
        self._fault = ''
        self._seats = [
            _Seat(partial(pool.slot, make, expected, number))
            for number in range(min(pool.count, len(tasks)))
        ]
        self._idle: list[_Seat] = []
        self._busy: dict[Future[Outcome], _Seat] = {}

    def results(self) -> Generator[Result, None, None]:
        missing = len(self._tasks)
        try:
            for seat in self._seats:
                self._busy[seat.slot.load()] = seat
            while missing:
                if not self._busy:
                    raise JobsError(self._fault)
                ended, _ = wait(self._busy, _PATIENCE_S, FIRST_COMPLETED)
                if not ended and not self._idle and all(s.name is None for s in self._seats):
                    _LOG.warning('no worker is ready yet: the cluster is busy, or still starting')
                for future in ended:
                    result = self._ended(future, self._busy.pop(future))
                    if result is not None:
                        missing -= 1
                        yield result
                self._begin()
        finally:
            for seat in self._seats:
                seat.slot.end()
            for seat in self._seats:
                seat.slot.wait()

    def _begin(self) -> None:
        """Give tasks to idle workers."""
        while self._waiting and self._idle:
            seat, name = self._idle.pop(), self._waiting.popleft()
            try:
                future = seat.slot.submit(self._tasks[name])
            except self._pool.lost:  # the worker died while it was idle: no task is at fault
                self._waiting.appendleft(name)
                self._reload(seat)
                continue
            seat.name = name
            self._tries[name] += 1
            self._busy[future] = seat

    def _ended(self, future: Future[Outcome], seat: _Seat) -> Result | None:
        """Return the result of a task; None after loading, and if the task must be repeated."""
        name, seat.name = seat.name, None
        try:
            outcome = future.result()
        except self._pool.lost as error:
            self._lost(seat, name, error)
            if name is None or self._tries[name] < TRIES:
                return None
            tries = self._tries[name]
            fault = f'{tries} workers died of it, one after the other'
            return Result(name, None, fault, trace='', tries=tries, seconds=0.0, host='')
        if name is not None:
            seat.losses = 0
            self._idle.append(seat)
            return Result(
                name,
                outcome.value,
                outcome.fault,
                outcome.trace,
                self._tries[name],
                outcome.seconds,
                outcome.host,
            )
        fault = outcome.fault or _difference(outcome)
        if fault:
            self._give_up(seat, fault)
            if outcome.trace:
                _LOG.warning('%s', outcome.trace)
        else:
            self._idle.append(seat)
        return None

    def _lost(self, seat: _Seat, name: str | None, error: BaseException) -> None:
        """Start a new worker, and repeat the task in another one."""
        if name is not None:
            if self._tries[name] < TRIES:
                self._waiting.append(name)
            self._reload(seat)
            return
        seat.losses += 1
        if seat.losses < TRIES:
            self._reload(seat)
        else:
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            self._give_up(seat, f'a worker dies while it loads: {reason[0]}')

    def _give_up(self, seat: _Seat, fault: str) -> None:
        """Continue without a worker that cannot load; others may be able to."""
        if fault != self._fault and len(self._seats) > 1:
            _LOG.warning('one worker less: %s', fault)
        self._fault = fault
        seat.slot.end()

    def _reload(self, seat: _Seat) -> None:
        seat.renew()
        self._busy[seat.slot.load()] = seat


def _difference(loaded: Outcome) -> str:
    """Return a sentence if the packages of a worker differ from those of this process."""
    own, theirs = versions(), loaded.value
    for name in own.keys() & theirs.keys():
        if own[name] != theirs[name]:
            return (
                f'{loaded.host} has {name} {theirs[name]}, and this machine {own[name]}: install '
                'the same version on all machines'
            )
    return ''


def run_jobs(
    task: Callable[[str], object],
    names: Sequence[str],
    is_done: Callable[[str], bool],
    workers: int | None,
    unit: str,
    desc: str,
    cluster: str | None = None,
) -> None:
    """
    Run a task for each name that is not complete, with a progress bar.

    :param task: runs a name; must be picklable, unless this process runs it.
    :param names: the names.
    :param is_done: whether a name is already complete.
    :param workers: number of processes; None for one per core; 1 for this process.
    :param unit: the unit of the progress bar.
    :param desc: the title of the progress bar.
    :param cluster: as for :func:`pool_of`.
    :raises JobsError: if tasks failed; the others are complete.
    """
    missing = {name: name for name in names if not is_done(name)}
    pool: Pool = Here()
    if cluster is not None or (workers != 1 and len(missing) > 1):
        pool = pool_of(workers, cluster, most=len(missing))
    failed: list[Result] = []
    with (
        closing(pool),
        tqdm(
            total=len(names),
            initial=len(names) - len(missing),
            unit=unit,
            desc=desc,
            smoothing=0.05,
        ) as progress,
        closing(run_tasks(partial(_returned, task), missing, pool)) as results,
    ):
        for result in results:
            if result.fault:
                failed.append(result)
            progress.update()
    if failed:
        for result in failed:
            if result.trace:
                _LOG.error('%s', result.trace)
                break
        shown = '; '.join(f'{each.name}: {each.fault}' for each in failed[:_SHOWN_FAULTS])
        rest = len(failed) - _SHOWN_FAULTS
        raise JobsError(
            f'{len(failed)} of {len(missing)} failed, the others are complete: {shown}'
            + (f'; and {rest} more' if rest > 0 else '')
        )


def _returned(task: Callable[[str], object]) -> Callable[[str], object]:
    """Return the task itself, which needs no loading; a lambda would not be picklable."""
    return task
