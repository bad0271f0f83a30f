"""Begin and end of a node's process: no traceback, nothing lost, torch not unloaded."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from ros_graph import Graph, PATIENCE_S, ros_arguments
from sensor_msgs.msg import Image

import s2r_depth_ros

PROGRAM = 's2r_depth_ros.program'
FRAMES = Path(s2r_depth_ros.__file__).parent / 'demo_frames'
MOST_CPU_S = 0.5
STOP_SIGNALS = pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path) as graph:
        yield graph


def run_code(code):
    return subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=buffered(),
    )


def buffered():
    """Return the environment of a process whose output waits to be flushed."""
    return {**os.environ, 'PYTHONUNBUFFERED': ''}


def maps(process):
    """Return which files the process has in its memory."""
    try:
        return Path(f'/proc/{process.pid}/maps').read_text()
    except FileNotFoundError:
        return ''


def wait_for_file(process, name):
    deadline_s = time.monotonic() + PATIENCE_S
    while name not in maps(process):
        assert process.is_running, process.output
        assert time.monotonic() < deadline_s, f'{name} is not loaded'


def cpu_s(process):
    """Return the seconds of CPU that the process has used."""
    fields = Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_the_end_flushes_all_that_was_printed_and_skips_the_rest():
    done = run_code(
        'import atexit, ctypes, logging, logging.handlers, sys\n'
        'from s2r_depth_ros.ros.process import end_process\n'
        'atexit.register(print, "unloaded")\n'
        'logging.getLogger().addHandler(logging.handlers.MemoryHandler(\n'
        '    100, target=logging.StreamHandler(sys.stderr)))\n'
        'logging.error("logged")\n'
        'ctypes.CDLL(None).printf(b"C, ")\n'
        'ctypes.CDLL(None).fflush(None)\n'
        'print("Python", end="")\n'
        'ctypes.CDLL(None).printf(b", C again")\n'
        'end_process(7)\n'
    )
    assert done.returncode == 7
    assert done.stdout == 'C, Python, C again'
    assert done.stderr == 'logged\n'


def test_the_end_does_not_mind_that_nobody_reads_its_output_any_more():
    process = subprocess.Popen(
        [
            sys.executable,
            '-c',
            'import sys\nfrom s2r_depth_ros.ros.process import end_process\n'
            'sys.stdin.read()\nprint("unread")\nend_process(3)\n',
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=buffered(),
    )
    process.stdout.close()
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 3
    assert process.stderr.read() == ''
    process.stderr.close()


@pytest.mark.parametrize(
    ('main', 'code', 'error'),
    [
        ('lambda: 0', 0, ''),
        ('lambda: 5', 5, ''),
        ('lambda: sys.exit(2)', 2, ''),
        ('lambda: sys.exit()', 0, ''),
        ('lambda: 1 / 0', 1, 'ZeroDivisionError'),
    ],
)
def test_the_exit_code_is_that_of_main(main, code, error):
    done = run_code(f'import sys\nfrom s2r_depth_ros.ros.process import run\nrun({main})')
    assert done.returncode == code
    assert error in done.stderr
    assert bool(done.stderr) == bool(error)


@pytest.mark.parametrize(
    ('command', 'variables', 'reason'),
    [
        ('depth_node --ros-args -r __ns:=/robot/', {}, 'invalid node namespace'),
        ('camera_player --ros-args -r __ns:=/robot/', {}, 'invalid node namespace'),
        ('depth_node', {'ROS_LOG_DIR': '/proc/none'}, 'create log directory'),
        ('camera_player', {'ROS_DOMAIN_ID': 'a'}, 'not an integral number'),
        ('view', {'ROS_DOMAIN_ID': 'a'}, 'not an integral number'),
    ],
)
def test_ros_that_cannot_start_is_one_sentence(command, variables, reason, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    program, *words = command.split()
    done = run_code(
        f'import sys\nfrom s2r_depth_ros import cli, program\nsys.argv[1:] = {words}\n'
        + (f'sys.exit(cli.main(["{program}"]))' if program == 'view' else f'program.{program}()')
    )
    assert done.returncode == 1
    assert 'ROS cannot start: ' in done.stderr
    assert reason in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('program', ['depth_node', 'camera_player'])
def test_a_program_without_ros_says_so(program):
    done = run_code(
        'import sys\nsys.modules["rclpy"] = sys.modules["diagnostic_msgs"] = None\n'
        f'from s2r_depth_ros import program\nprogram.{program}()'
    )
    said = 'ROS 2 is not installed here, or its setup.bash is not sourced\n'
    assert (done.returncode, done.stderr) == (1, said)


@STOP_SIGNALS
@pytest.mark.parametrize('program', ['depth_node', 'camera_player'])
def test_a_signal_amid_the_imports_ends_it_in_silence(graph, program, number):
    process = graph.start(PROGRAM, program, *ros_arguments(path=FRAMES))
    wait_for_file(process, '_multiarray_umath')  # NumPy; ROS, OpenCV and torch come later
    assert process.stop(number) == 0
    assert process.output == ''


@STOP_SIGNALS
def test_a_signal_while_the_network_is_loaded_ends_it_at_once(graph, number):
    process = graph.start('never_loads', str(graph.folder))
    graph.wait(lambda: 'loading' in process.output, 'the loading')
    assert process.stop(number) == 0
    assert 'stopped before the network was loaded' in process.output
    assert 'Traceback' not in process.output
    assert 'ERROR' not in process.output


@pytest.fixture(autouse=True)
def never_loads(tmp_path, monkeypatch):
    """Have the module ``never_loads`` in the processes: a node whose network takes for ever."""
    (tmp_path / 'never_loads.py').write_text(
        'import threading\n'
        'from s2r_depth_ros.node import depth_node\n'
        'from s2r_depth_ros.ros import process\n'
        'assert depth_node._load_predictor\n'
        'def load(*arguments):\n'
        '    print("loading", flush=True)\n'
        '    threading.Event().wait()\n'
        'depth_node._load_predictor = load\n'
        'process.run(lambda: depth_node.main([]))\n'
    )
    monkeypatch.chdir(tmp_path)


@STOP_SIGNALS
def test_a_running_node_ends_in_order_without_unloading_torch(graph, number, monkeypatch):
    for name in [name for name in os.environ if name.startswith('COV')]:
        monkeypatch.delenv(name)  # measuring the coverage takes CPU, too
    monkeypatch.setenv('RCUTILS_LOGGING_USE_STDOUT', '1')
    monkeypatch.setenv('ROS_LOG_DIR', str(graph.folder / 'ros'))
    process = graph.start(PROGRAM, 'depth_node', *ros_arguments(engine='torch', device='cpu'))
    graph.wait(lambda: graph.node.count_publishers('/camera/depth/image'), 'the node')
    graph.wait(lambda: 'subscribes /camera/image' in process.output, 'its last word')
    assert 'libtorch' in maps(process)
    shared = {
        Path(word)
        for word in maps(process).split()
        if word.startswith('/dev/shm/fast') and '_port' not in word
    }
    begun_s = cpu_s(process)
    before = os.times()
    for _ in range(5):  # whoever is impatient
        process.send(number)
    assert process.wait() == 0
    after = os.times()
    # Of the test's children only this one has ended.
    whole_s = sum(after[2:4]) - sum(before[2:4])
    assert whole_s - begun_s < MOST_CPU_S
    assert 'Traceback' not in process.output
    assert any(not path.exists() for path in shared), 'its shared memory is left behind'
    graph.wait(lambda: not graph.node.count_publishers('/camera/depth/image'), 'its farewell')
    (log,) = (graph.folder / 'ros').glob('*.log')
    assert 'subscribes /camera/image' in log.read_text()


def test_the_camera_plays_without_torch(graph):
    images = graph.collect(Image, 'image_raw')
    process = graph.start(PROGRAM, 'camera_player', *ros_arguments(path=FRAMES))
    graph.wait(lambda: images, 'an image')
    assert 'cv2' in maps(process)
    assert 'torch' not in maps(process)
    assert process.stop() == 0
