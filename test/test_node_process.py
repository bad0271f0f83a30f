"""The processes that the tools start end with them, however those end."""

from pathlib import Path
import shlex
import subprocess
import sys
import time

from ros_graph import PATIENCE_S

import s2r_depth_ros
from s2r_depth_ros.cli.node_process import NodeProcess, own_domain_id, ros_environment

FRAMES = Path(s2r_depth_ros.__file__).parent / 'demo_frames'

TOOL = """
from pathlib import Path
import sys
import time
from s2r_depth_ros.cli.node_process import NodeProcess, ros_environment

folder = Path(sys.argv[1])
player = NodeProcess(
    'camera_player', {'path': sys.argv[2]}, [], ros_environment(int(sys.argv[3]), folder), folder)
print(player.pid, flush=True)
time.sleep(600)
"""


def test_a_node_ends_with_a_tool_that_was_killed(tmp_path):
    tool = subprocess.Popen(
        [sys.executable, '-c', TOOL, str(tmp_path), str(FRAMES), str(own_domain_id())],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(tool.stdout.readline())
    assert is_running(pid)
    tool.kill()
    tool.wait()
    tool.stdout.close()
    deadline_s = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not is_running(pid)


def test_the_node_of_another_build_starts_whatever_its_version(tmp_path):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    old_build = tmp_path / 'old'
    (old_build / 's2r_depth_ros').mkdir(parents=True)
    (old_build / 's2r_depth_ros' / '__init__.py').touch()
    # Otherwise an editable installation would find its own.
    (old_build / 's2r_depth_ros' / 'program.py').write_text('raise ImportError')
    (old_build / 's2r_depth_ros' / 'camera_player.py').write_text(
        'import sys\nprint("old build", sys.argv[1:])\n'
    )
    environment = ros_environment(own_domain_id(), tmp_path)
    for folder, sentence in ((old_build, "old build ['--ros-args'"), (tmp_path, 'plays')):
        arguments = 'camera_player', {'path': str(FRAMES)}, [], environment, tmp_path
        with NodeProcess(*arguments, str(python), folder) as node:
            deadline_s = time.monotonic() + PATIENCE_S
            while sentence not in node.log.read_text() and time.monotonic() < deadline_s:
                time.sleep(0.05)
            assert sentence in node.log.read_text()


def test_processes_whose_ids_would_choose_the_same_domain_take_two():
    command = (
        'import os, sys; os.getpid = lambda: 7; '
        'from s2r_depth_ros.cli.node_process import own_domain_id; '
        'print(own_domain_id(), own_domain_id(), flush=True); sys.stdin.read()'
    )
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    domain_ids = [process.stdout.readline().split() for process in processes]
    for process in processes:
        process.communicate()
    assert domain_ids[0][0] == domain_ids[0][1]
    assert domain_ids[1][0] == domain_ids[1][1]
    assert domain_ids[0] != domain_ids[1]


def is_running(pid):
    """Return whether there is such a process, one that nobody has waited for not counted."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False
