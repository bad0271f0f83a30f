"""Killed at random moments, again and again: what is on the disk is whole, and nothing is lost."""

import multiprocessing
import os
import random
import resource
import sys
import time

import pytest
from safetensors.torch import load_file
from tiny_run import logged, write_data, write_yaml

from s2r_depth_training import cli
from s2r_depth_training.engine.checkpoints import read_whole

KILLS = 30 if os.environ.get('LONG') else 3
LOSSES = {'ste_encoder': 'loss/image', 'ste_decoder': 'loss/depth', 'dsa': 'loss/depth'}
STEPS = {'ste_encoder': 2, 'ste_decoder': 4, 'dsa': 4}

# Forked from a process that has imported everything: a start costs no seconds.
starter = multiprocessing.get_context('forkserver')
starter.set_forkserver_preload(['s2r_depth_training.config'])


def run(verb, config):
    sys.exit(cli.main([verb, '--config', str(config), '--resume']))


def start(verb, config):
    process = starter.Process(target=run, args=(verb, config))
    process.start()
    return process


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_loses_nothing(tmp_path):
    write_data(tmp_path)
    stages = {
        stage: {
            'checkpoint_every_steps': 1,
            **({'steps': steps} if stage == 'ste_encoder' else {'epochs': steps / 2}),
        }
        for stage, steps in STEPS.items()
    }

    def start_run(name):
        return start('all', write_yaml(tmp_path / f'{name}.yaml', tmp_path, name, **stages))

    begun_s = time.monotonic()
    process = start_run('whole')
    process.join()
    assert (tmp_path / 'whole' / 'weights.safetensors').exists()
    run_s = time.monotonic() - begun_s
    print(f'undisturbed: {run_s:.1f} s')

    choose = random.Random(1)
    kills = finished = 0
    while kills < KILLS or process.exitcode:  # and let the last one end
        folder = tmp_path / str(finished)
        process = start_run(str(finished))
        process.join(choose.uniform(0, 0.6 * run_s) if kills < KILLS else None)
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
            print(
                f'kill {kills} of run {finished}',
                sorted(file.relative_to(folder).as_posix() for file in folder.glob('*/*.pt')),
            )
            for file in (*folder.glob('*/checkpoint.pt'), *folder.glob('*/result.pt')):
                assert read_whole(file), file
        else:
            check_is_whole(folder, tmp_path / 'whole')
            finished += 1


def check_is_whole(folder, whole):
    """Compare a finished run with one that nobody disturbed."""
    for stage, loss in LOSSES.items():
        expected = logged(whole / stage, loss)
        assert list(expected) == list(range(1, STEPS[stage] + 1))
        assert logged(folder / stage, loss) == expected, stage
    expected_tensors = load_file(whole / 'weights.safetensors')
    tensors = load_file(folder / 'weights.safetensors')
    assert all(tensors[name].equal(tensor) for name, tensor in expected_tensors.items())


def test_a_disk_that_fills_ends_the_run_and_keeps_its_last_checkpoint(tmp_path):
    write_data(tmp_path)
    config = write_yaml(
        tmp_path / 'run.yaml',
        tmp_path,
        ste_decoder={
            'epochs': 1000,
            'checkpoint_every_steps': 1,
            'train_encoder': True,
            'max_minutes': 60.0,
        },
    )
    checkpoint = tmp_path / 'run' / 'ste_decoder' / 'checkpoint.pt'
    process = start('ste-decoder', config)
    while not (checkpoint.exists() and read_whole(checkpoint)['step'] > 1):
        assert process.is_alive()
        time.sleep(0.01)
    # No disk is filled here for real: files may not become larger than this from now on.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    process.join()
    assert process.exitcode == 1  # as for any error that was told in one sentence
    assert read_whole(checkpoint)['step'] > 1
    assert not list(checkpoint.parent.glob('.*.part*'))
