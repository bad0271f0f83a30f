"""Tasks over workers: each is done, whichever worker dies; a task that kills them is named."""

from concurrent.futures import Future
from functools import partial
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from s2r_depth_ros.jobs import pools, worker
from s2r_depth_ros.jobs.pools import Here, pool_of, Processes
from s2r_depth_ros.jobs.run import in_order, run_tasks
from s2r_depth_ros.jobs.worker import JobsError


class Deadly:
    """Returns its argument, but ends with its process for 'b'."""

    def __call__(self, name):
        if name == 'b':
            os.kill(os.getpid(), signal.SIGKILL)
        return name


class DeadlyOnce:
    """Ends with its process, in the first worker that has the task."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, name):
        mark = self._folder / name
        if name != 'a' and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL if name == 'b' else signal.SIGTERM)
        return name, os.getpid()


class Made:
    """Makes what fails in several ways."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self):
        (self._folder / str(os.getpid())).touch()
        return fail


def fail(name):
    if name == 'expected':
        raise ValueError('it is empty')
    if name == 'bug':
        raise KeyError('size')
    return name


def refuse():
    raise ValueError('there are no weights')


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def tasks(*names):
    return {name: name for name in names}


def test_a_task_whose_worker_is_killed_is_done_by_another(tmp_path):
    make = partial(DeadlyOnce, tmp_path)
    results = {each.name: each for each in run_tasks(make, tasks('a', 'b', 'c'), Processes(2))}
    assert [results[name].value[0] for name in 'abc'] == ['a', 'b', 'c']
    assert [results[name].tries for name in 'abc'] == [1, 2, 2]
    assert not any(each.fault for each in results.values())


def test_a_task_that_kills_its_workers_is_named_after_three_of_them():
    results = {each.name: each for each in run_tasks(Deadly, tasks('a', 'b', 'c'), Processes(1))}
    assert results['b'].fault == '3 workers died of it, one after the other'
    assert [results[name].value for name in 'ac'] == ['a', 'c']


@pytest.mark.parametrize('pool', [Here(), Processes(2)], ids=['here', 'processes'])
def test_a_worker_loads_once_and_a_fault_is_a_sentence(tmp_path, pool):
    names = ('one', 'expected', 'bug', 'two')
    results = {each.name: each for each in run_tasks(Made(tmp_path), tasks(*names), pool)}
    assert [results[name].value for name in names] == ['one', None, None, 'two']
    assert results['expected'].fault == 'it is empty'
    assert not results['expected'].trace
    assert results['bug'].fault == "KeyError: 'size'"
    assert "raise KeyError('size')" in results['bug'].trace
    assert 1 <= len(list(tmp_path.iterdir())) <= pool.count


def test_results_come_in_order_where_it_counts():
    values = [each.value for each in in_order(Slow, range(5), Processes(2))]
    assert values == [0, 1, 2, 3, 4]


class Slow:
    """Is slowest for the first task."""

    def __call__(self, number):
        return sum(range(10**6)) * 0 + number if number == 0 else number


@pytest.mark.parametrize(
    ('make', 'sentence'), [(refuse, 'there are no weights'), (die, 'a worker dies while it loads')]
)
def test_workers_that_cannot_load_are_one_sentence(make, sentence):
    with pytest.raises(JobsError, match=sentence):
        list(run_tasks(make, tasks('a', 'b'), Processes(1)))


class OldWorker:
    """Stands for a worker of another machine, which has another version of the package."""

    count, lost = 1, ()

    def slot(self, make, expected, number):
        loaded = worker.Outcome({'numpy': '0.1'}, '', '', 0.0, 'old-machine')
        future = Future()
        future.set_result(loaded)
        nothing = lambda *_: None  # noqa: E731
        return SimpleNamespace(load=lambda: future, end=nothing, wait=nothing)


def test_a_machine_with_other_versions_is_told():
    with pytest.raises(JobsError, match=r'old-machine has numpy 0.1, and this machine \d'):
        list(run_tasks(Deadly, tasks('a'), OldWorker()))


def test_gpus_are_dealt_to_workers(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,5,7')
    given = []
    monkeypatch.setattr(pools, '_ProcessSlot', lambda make, expected, env: given.append(env))
    for share, count, devices in ((0.5, 6, '4 4 5 5 7 7'), (1, 3, '4 5 7'), (3, 1, '4,5,7')):
        pool = pool_of(None, gpus_per_worker=share)
        assert pool.count == count
        given.clear()
        for number in range(count):
            pool.slot(Deadly, (), number)
        assert ' '.join(each['CUDA_VISIBLE_DEVICES'] for each in given) == devices
    with pytest.raises(JobsError, match='needs 4 GPUs, but this machine has 3'):
        pool_of(None, gpus_per_worker=4)


def test_without_ray_the_cluster_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(JobsError, match='needs Ray, which is not installed here: pip install'):
        pool_of(None, 'auto')


ENDLESS = """
import os, sys, time
from pathlib import Path
from s2r_depth_ros.jobs.pools import Processes
from s2r_depth_ros.jobs.run import run_tasks

class Endless:
    def __call__(self, name):
        file = Path(sys.argv[1]) / f'{name}.{os.getpid()}'
        try:
            file.touch()
            while True:
                time.sleep(0.01)
        finally:
            file.unlink()

if __name__ == '__main__':
    list(run_tasks(Endless, {'a': 'a', 'b': 'b'}, Processes(2)))
"""


def wait_until(event):
    """Wait for an event, long enough for the busiest machine."""
    end_s = time.monotonic() + 300
    while not event():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.mark.parametrize('ending', [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_program_and_clean_up(tmp_path, ending):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'endless.py').write_text(ENDLESS)
    program = subprocess.Popen(
        [sys.executable, 'endless.py', 'work'],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # not as in background
    )
    wait_until(lambda: len(list((tmp_path / 'work').iterdir())) == 2)
    pids = [int(path.suffix[1:]) for path in (tmp_path / 'work').iterdir()]
    program.send_signal(ending)
    program.wait(300)
    wait_until(lambda: not any(Path(f'/proc/{pid}').exists() for pid in pids))
    assert not list((tmp_path / 'work').iterdir())
