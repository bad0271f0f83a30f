"""Help does not import libraries that only the work needs."""

import subprocess
import sys

import pytest

from s2r_depth_ros.cli import VERBS

HELP = """
import contextlib, io, sys
from s2r_depth_ros.cli import main
with contextlib.redirect_stdout(io.StringIO()) as page, contextlib.suppress(SystemExit):
    main(sys.argv[1:])
assert 'usage: s2r' in page.getvalue()
print(*{name.partition('.')[0] for name in sys.modules})
"""
# Each takes a tenth of a second of the CPU, or seconds.
SLOW = {
    'torch',
    'onnxruntime',
    'onnx',
    'matplotlib',
    'plyfile',
    'scipy',
    'rclpy',
    'cv2',
    'rosbags',
}


def loaded_for_help(*arguments):
    done = subprocess.run(
        [sys.executable, '-c', HELP, *arguments, '--help'],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize('verb', VERBS)
def test_the_help_of_a_verb_loads_no_slow_library(verb):
    assert not loaded_for_help(verb) & SLOW


def test_the_help_of_s2r_loads_neither_arrays_nor_ros():
    assert not loaded_for_help() & {*SLOW, 'numpy', 'tqdm', 'yaml', 'jsonargparse'}
