"""The processes that the tools start end with them, however those end."""
from pathlib import Path
import subprocess
import sys
import time

from ros_graph import PATIENCE_S

import s2r_depth_ros
from s2r_depth_ros.cli.node_process import own_domain_id

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
        stdout=subprocess.PIPE, text=True)
    pid = int(tool.stdout.readline())
    assert is_running(pid)
    tool.kill()
    tool.wait()
    tool.stdout.close()
    deadline_s = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid):
    """Return whether there is such a process, one that nobody has waited for not counted."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False
