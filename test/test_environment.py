"""A process that imports the package, or predicts with it, stays as it was; programs set it up."""

import ctypes
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from s2r_depth_ros import cli, DepthPredictor, environment
from s2r_depth_training import cli as training_cli

VARIABLES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'ORT_DISABLE_TELEMETRY')
# Libraries set what they like: they are imported before the comparison begins.
IMPORT_ALL = """
import importlib, logging, os, pkgutil, signal, sys, threading, warnings
import cv2, matplotlib, numpy, onnx, onnxruntime, rclpy, torch
import jsonargparse, lightning_fabric, moderngl, safetensors.torch, tqdm, yaml

def state():
    return {
        'environment': dict(os.environ),
        'threads of torch': torch.get_num_threads(),
        'threads of OpenCV': cv2.getNumThreads(),
        'threads': threading.active_count(),
        'signals': [str(signal.getsignal(number)) for number in signal.valid_signals()],
        'log handlers': list(logging.getLogger().handlers),
        'path': list(sys.path),
        'folder': os.getcwd(),
        'gradients': torch.is_grad_enabled(),
        'search for kernels': torch.backends.cudnn.benchmark,
        'backend of pictures': matplotlib.rcParams['backend'],
    }

before = state()
names = []
for package in sys.argv[1:]:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + '.'):
        if not found.name.endswith('__main__'):
            importlib.import_module(found.name)
            names.append(found.name)
after = state()
assert len(names) > 20, names
for key in before:
    if before[key] != after[key]:
        print(key, before[key], after[key])
"""


@pytest.fixture
def unset(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize('package', ['s2r_depth_ros', 's2r_depth_training', 's2r_scenes'])
def test_the_import_of_every_module_changes_nothing_in_the_process(package, unset):
    imported = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL, package], capture_output=True, text=True
    )
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout == ''


def test_a_program_sets_its_process_up_and_keeps_what_is_set(unset, monkeypatch, capsys):
    assert cli.main([]) == 2
    assert [os.environ.get(name) for name in VARIABLES] == ['PASSIVE', '1000', '1']
    for name in VARIABLES[:2]:
        monkeypatch.delenv(name)
    monkeypatch.setenv('OMP_WAIT_POLICY', 'ACTIVE')
    monkeypatch.setenv('ORT_DISABLE_TELEMETRY', '0')
    assert cli.main([]) == 2
    assert training_cli.main([]) == 2
    assert [os.environ.get(name) for name in VARIABLES] == ['ACTIVE', None, '0']


def test_a_training_leaves_the_waiting_to_pytorch_and_reports_to_nobody(unset, capsys):
    assert training_cli.main([]) == 2
    assert [os.environ.get(name) for name in VARIABLES] == [None, None, '1']


@pytest.mark.parametrize('engine', ['torch', 'onnxruntime'])
@pytest.mark.parametrize('threads', [0, 1, 3])
def test_a_prediction_leaves_the_threads_of_pytorch_as_they_were(engine, threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        predictor = DepthPredictor(device='cpu', engine=engine, threads=threads)
        predictor.predict([np.zeros((96, 96, 3), np.uint8)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_prediction_runs_with_the_threads_asked_for():
    counts = []

    class Network(torch.nn.Module):
        def forward(self, image, return_maps):
            counts.append(torch.get_num_threads())
            raise RuntimeError('a fault')

    before = torch.get_num_threads()
    predictor = DepthPredictor(device='cpu', engine='torch', threads=before + 1)
    predictor.engine.network = Network()
    with pytest.raises(RuntimeError, match='a fault'):
        predictor.predict([np.zeros((96, 96, 3), np.uint8)])
    assert counts == [before + 1]
    assert torch.get_num_threads() == before


FRAMES = """
import resource, sys, threading
import numpy as np
from s2r_depth_ros.environment import set_up_process

set_up_process()


def frame():
    return [np.ones(mib * 2**18, np.float32) for mib in (5, 4, 1, 3)]


def work():
    frame(), frame()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        frame()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


threading.Thread(target=work).start() if sys.argv[1] == 'thread' else work()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc: others keep memory')
@pytest.mark.parametrize('place', ['main', 'thread'])
def test_the_memory_of_a_frame_serves_the_next_one(place):
    variables = {key: value for key, value in os.environ.items() if 'MALLOC' not in key}
    run = subprocess.run(
        [sys.executable, '-c', FRAMES, place],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < 500  # of 66,560 pages of 4 kB


def test_a_user_who_sets_up_malloc_has_the_last_word(monkeypatch):
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '0')
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: pytest.fail('it is set all the same'))
    environment.keep_memory()


def test_another_c_library_stays_as_it_is(monkeypatch):
    monkeypatch.delenv('MALLOC_TRIM_THRESHOLD_', raising=False)
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: object())
    environment.keep_memory()
