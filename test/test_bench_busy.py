"""The benchmarks `busy` and `targets`: two builds in turn, and busy processes that always end."""

import json
from pathlib import Path
import subprocess
import sys
import time

import pytest
from test_bench import bench, SMALL
from test_node_process import is_running

from benchmarks import builds, busy, install, targets
from benchmarks.live import live_node
from benchmarks.timing import Measurement
from s2r_depth_ros.cli import ToolError
from s2r_depth_ros.ros.outputs import DEPTH

CHECKOUT = Path(__file__).parents[1]
PATIENCE_S = 60
HOLD_BUSY = """
import os, sys, time
sys.path.append(sys.argv[1])
from benchmarks.builds import busy_processes
with busy_processes(2):
    with open(f'/proc/self/task/{os.getpid()}/children') as children:
        print(children.read(), flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_two_builds_are_measured_in_turn_beside_busy_processes(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(busy, 'LOADS', (0, 1))
    monkeypatch.setattr(busy, 'NETWORK_SIZES_PX', ((96, 96), (96, 160)))
    out = tmp_path / 'busy.json'
    assert (
        bench('busy', *SMALL, '--rate', '20', '--json', str(out), '--against', sys.executable) == 0
    ), capfd.readouterr().err
    rows = {(row['section'], row['name']): row for row in json.loads(out.read_text())['rows']}
    expected = {
        (busy.PROCESS, 'start to first depth'),
        (busy.PROCESS, 'memory after the first depth'),
        *(
            (busy.network_section(load), size)
            for load in (0, 1)
            for size in ('96 x 96', '160 x 96')
        ),
        *(
            (busy.node_section(load), busy.age_name(f'depth/{output}'))
            for load in (0, 1)
            for output in ('image', 'points')
        ),
        *(
            (busy.NODE, name)
            for name in (busy.CONFIGURED, busy.FIRST_DEPTH, busy.MEMORY, busy.END)
        ),
    }
    assert set(rows) == expected
    assert all(row['values']['ratio'] > 0 for row in rows.values())
    assert rows[busy.NODE, busy.MEMORY]['values']['MB'] > 20
    assert rows[busy.NODE, busy.CONFIGURED]['median_ms'] > 0


def test_the_node_is_that_of_the_build_whatever_folder_this_is(tmp_path, monkeypatch):
    """Python's -m looks into the working folder first, which may be a checkout of this build."""
    package = tmp_path / 's2r_depth_ros'
    package.mkdir()
    (package / '__init__.py').write_text('raise SystemExit("of the working folder")')
    monkeypatch.chdir(tmp_path)
    parameters = {'weights': 'random', 'network_height': 96, 'network_width': 96}
    with live_node(parameters, (96, 96), 20.0, 1, (DEPTH,), builds.Build.of()) as node:
        assert 0 < node.configured_s < node.first_depth_s
        assert 0 < node.discovered_s <= node.first_depth_s
        assert node.stop() > 0


def test_busy_processes_end_with_a_benchmark_that_was_killed():
    benchmark = subprocess.Popen(
        [sys.executable, '-c', HOLD_BUSY, str(CHECKOUT)], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in benchmark.stdout.readline().split()]
    assert len(pids) == 2
    assert all(is_running(pid) for pid in pids)
    benchmark.kill()
    benchmark.wait()
    benchmark.stdout.close()
    deadline_s = time.monotonic() + PATIENCE_S
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in pids)


def test_another_build_gets_its_own_libraries(monkeypatch):
    this = builds.Build.of()
    assert (this.prefix, this.package.name) == (Path(sys.prefix), 's2r_depth_ros')
    other = builds.Build('other/.venv/bin/python', Path('other/.venv'), Path('other/package'))
    ours = {
        '_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1',
        'LD_LIBRARY_PATH': 'ours',
        'HOME': 'home',
        'AMENT_PREFIX_PATH': 'ours',
        'OMP_WAIT_POLICY': 'PASSIVE',
    }
    assert other.environment(ours) == {'HOME': 'home', 'AMENT_PREFIX_PATH': 'other/.venv'}
    # A sourced ROS says where its libraries are, for every Python.
    assert this.environment({'LD_LIBRARY_PATH': 'ros', 'AMENT_PREFIX_PATH': 'ros'}) == {
        'LD_LIBRARY_PATH': 'ros',
        'AMENT_PREFIX_PATH': 'ros',
    }


def test_a_python_without_the_package_is_told_in_one_sentence(tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nexit 1\n')
    python.chmod(0o755)
    with pytest.raises(ToolError, match='is no Python that can import s2r_depth_ros'):
        builds.Build.of(python)


def test_targets_need_another_build(capsys):
    assert bench('targets') == 1
    assert 'give --against the Python of another build' in capsys.readouterr().err


def test_a_target_is_met_at_its_ratio_and_missed_above():
    rows = [
        Measurement(target.section, target.name, values={'ratio': target.at_most})
        for target in targets.TARGETS
    ]
    assert {row.values['is'] for row in targets.target_rows(rows)} == {'met'}
    rows = [
        Measurement(row.section, row.name, values={'ratio': row.values['ratio'] * 1.01})
        for row in rows
    ]
    assert {row.values['is'] for row in targets.target_rows(rows)} == {'missed'}


def test_what_a_robot_needs_is_the_package_and_all_that_it_requires():
    sizes = install._sizes(builds.Build.of())
    assert {'s2r-depth-ros', 'numpy', 'opencv-python-headless'} <= set(sizes)
    assert 'pytest' not in sizes
    assert sizes['numpy'] > 10e6
