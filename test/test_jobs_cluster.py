"""A Ray cluster of two nodes on this machine: what is lost is done again, with the same result."""

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from tempfile import TemporaryDirectory
import threading
import time

import pytest
from test_cli_bag import write_bag

from s2r_depth_ros.cli import main
from s2r_depth_training.cli import main as s2r_train

pytest.importorskip('ray', reason='needs Ray: pip install ray')
OPTIONS = ('--image', '/left/image_raw', '--outputs', 'image', 'points', '--threads', '1')
NODE = {'num_cpus': 1, 'object_store_memory': 80 * 2**20, 'include_dashboard': False}
LIMIT_S = 300


@pytest.fixture(scope='module')
def cluster():
    """Start a cluster with one node, to which tests add others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_USAGE_STATS_ENABLED', '0')
        patch.setenv('RAY_memory_monitor_refresh_ms', '0')  # others may fill the memory
        from ray.cluster_utils import Cluster

        # The paths of Ray's sockets are too long for the folder of a test.
        with TemporaryDirectory(prefix='ray-', ignore_cleanup_errors=True) as folder:
            # Ray writes the address of the cluster into a folder that it expects to be there.
            patch.setenv('RAY_TMPDIR', folder)
            Path(folder, 'ray').mkdir()
            made = Cluster(initialize_head=True, head_node_args={**NODE, 'temp_dir': folder})
            yield made
            made.shutdown()


def s2r(*words):
    """Start a command in a process of its own, as this one joins no cluster."""
    return subprocess.Popen(
        [sys.executable, '-c', 'import sys; from s2r_depth_ros.cli import main; sys.exit(main())']
        + [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.name != 'report.json'
    }


def stopped_in_work(node, command):
    """Wait for a worker of a node that is amid a bag, stop it there, and return its number."""
    (raylet,) = node.all_processes['raylet']
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        assert command.poll() is None, command.communicate()
        for pid in children(raylet.process.pid):
            if not holds_partial(pid):
                continue
            os.kill(pid, signal.SIGSTOP)
            if holds_partial(pid):  # it did not end its bag between the look and the stop
                return pid
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    pytest.fail('no worker began a bag')


def children(pid):
    try:
        found = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    except OSError:
        return []
    return [int(child) for child in found]


def holds_partial(pid):
    try:
        return any('.partial' in os.readlink(file) for file in Path(f'/proc/{pid}/fd').iterdir())
    except OSError:  # it has ended
        return False


def test_a_lost_worker_and_a_lost_node_change_nothing_in_the_new_bags(cluster, tmp_path):
    names = ['a', 'b', 'c', 'd']
    for number, name in enumerate(names):
        write_bag(tmp_path / 'in' / name, 2 + number % 2)
        words = ['bag', str(tmp_path / 'in' / name), str(tmp_path / 'plain' / name), *OPTIONS]
        assert main(words) == 0
    second = cluster.add_node(**NODE)
    command = s2r('bag', tmp_path / 'in', tmp_path / 'out', *OPTIONS, '--cluster', cluster.address)
    stopped = []
    try:
        for node in (cluster.head_node, second):
            stopped.append(stopped_in_work(node, command))
        os.kill(stopped.pop(0), signal.SIGKILL)
        # A machine goes with all of its processes: none is left that holds a bag, or that tells.
        os.kill(second.all_processes['raylet'][0].process.pid, signal.SIGSTOP)
        os.kill(stopped.pop(), signal.SIGKILL)
        cluster.remove_node(second, allow_graceful=False)
        out, err = command.communicate(timeout=LIMIT_S)
    finally:
        for pid in stopped:  # which would stay for ever
            os.kill(pid, signal.SIGKILL)
        command.kill()
    assert command.returncode == 0, out + err
    assert '4 done, 0 skipped, 0 failed' in out
    assert digests(tmp_path / 'out') == digests(tmp_path / 'plain')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [*names, 'report.json']
    report = json.loads((tmp_path / 'out/report.json').read_text())
    assert sum(entry['tries'] for entry in report['inputs']) == 6


def in_a_process(*words):
    """Run a verb of the training in a process of its own, as this one joins no cluster."""
    done = subprocess.run(
        [sys.executable, '-m', 's2r_depth_training', *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr


def test_scenes_and_their_scores_are_the_same_from_a_cluster(cluster, tmp_path):
    words = ['--scenes', '2', '--frames-per-scene', '1', '--width-px', '160', '--height-px', '96']
    words += ['--backend', 'embree', '--supersample', '1', '--variations', '[clone]']
    here = ['render-scenes', '--out', str(tmp_path / 'here'), '--workers', '1', *words]
    assert s2r_train(here) == 0
    address = ['--cluster', cluster.address]
    in_a_process('render-scenes', '--out', str(tmp_path / 'there'), *address, *words)
    assert digests(tmp_path / 'there') == digests(tmp_path / 'here')

    scored = ['evaluate', '--weights', 'outdoor', '--dataset', 'vkitti', '--pictures', '0']
    scored += ['--root', str(tmp_path / 'here'), '--out']
    assert s2r_train([*scored, str(tmp_path / 'scores_here'), '--workers', '1']) == 0
    in_a_process(*scored, str(tmp_path / 'scores_there'), *address)
    here, there = (
        json.loads((tmp_path / folder / 'results.json').read_text())['methods']
        for folder in ('scores_here', 'scores_there')
    )
    assert there == here


def test_an_input_that_ends_every_worker_is_named_and_the_rest_is_done(cluster):
    done = subprocess.run(
        [sys.executable, '-c', POISON, cluster.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {  # Ray tells of the deaths before
        'a': 'a',
        'b': '3 workers died of it, one after the other',
        'c': 'c',
    }


POISON = """
import json
import os
import signal
import sys

from s2r_depth_ros.jobs.pools import pool_of
from s2r_depth_ros.jobs.run import run_tasks


class Deadly:
    def __call__(self, name):
        if name == 'b':
            os.kill(os.getpid(), signal.SIGKILL)
        return name


pool = pool_of(1, sys.argv[1])
results = list(run_tasks(Deadly, {name: name for name in 'abc'}, pool))
pool.close()
print(json.dumps({each.name: each.fault or each.value for each in results}, sort_keys=True))
"""


def test_a_server_of_another_kind_is_one_sentence(tmp_path, capsys):
    write_bag(tmp_path / 'in', 1)
    with ThreadingHTTPServer(('127.0.0.1', 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'127.0.0.1:{server.server_port}'
        words = ['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--cluster', address]
        assert main(words) == 1
        server.shutdown()
    assert f'the server at {address} is not a Ray cluster' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('address', 'sentence'),
    [
        ('127.0.0.1:1', 'there is no Ray cluster at 127.0.0.1:1, Connection refused: start one'),
        ('somewhere', '--cluster takes auto or HOST:PORT, got somewhere'),
    ],
)
def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path, capsys, address, sentence):
    write_bag(tmp_path / 'in', 1)
    words = ['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--cluster', address]
    assert main(words) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f's2r bag: {sentence}')
    assert not (tmp_path / 'out').exists()
