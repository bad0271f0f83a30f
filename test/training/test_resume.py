"""A run that is killed in mid-epoch goes on as if nothing had happened."""

from dataclasses import replace
import signal
import subprocess
import sys

import pytest
from tiny_run import logged, tiny_config, with_stage, write_data, write_yaml
import torch

from s2r_depth_training import cli
from s2r_depth_training.engine.resume import check_settings, fixed_settings
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.stages import ste_decoder

STEPS = 14  # three and a half epochs of stage 2, seven of stage 1

# Two steps after the checkpoint of step 3. A kill from outside comes when it comes: too late, on a
# busy machine.
KILLED_IN_STEP_6 = """
import os
import signal
import sys

from s2r_depth_training import cli
from s2r_depth_training.engine.stage import Stage

report = Stage.report


def report_or_die(stage, *arguments):
    if stage.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    report(stage, *arguments)


Stage.report = report_or_die
cli.main(sys.argv[1:])
"""


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('resume')
    write_data(folder)
    return folder


def an_untrained_stage_2(root):
    return ste_decoder.train(
        with_stage(
            tiny_config(root, 'stage_2'), 'ste_decoder', train_encoder=True, max_minutes=0.0
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ('verb', 'loss', 'settings'),
    [
        ('ste-encoder', 'loss/image', {'steps': STEPS, 'halve_every_steps': 5}),
        (
            'ste-decoder',
            'loss/depth',
            {
                'epochs': STEPS / 4,
                'halve_every_epochs': 1.5,
                'batch_size': 2,
                'train_encoder': True,
            },
        ),
        (
            'dsa',
            'loss/depth',
            {
                'epochs': STEPS / 4,
                'halve_every_epochs': 1.5,
                'batch_size': 2,
                'optimizer': 'muon',
                'attention_rate': 0.1,
            },
        ),
    ],
)
def test_a_killed_run_goes_on_exactly(root, verb, loss, settings):
    stage = verb.replace('-', '_')
    settings |= {'checkpoint_every_steps': 3}
    sections = {stage: settings}
    if verb == 'dsa':  # with one process that reads ahead
        settings['structure'] = str(an_untrained_stage_2(root))
        sections['data'] = {'workers': 1}
    whole, cut = (
        write_yaml(root / f'{stage}_{run}.yaml', root, f'{stage}_{run}', **sections)
        for run in ('whole', 'cut')
    )
    assert cli.main([verb, '--config', str(whole)]) == 0
    folder = root / f'{stage}_cut' / stage

    killed = subprocess.run(
        [sys.executable, '-c', KILLED_IN_STEP_6, verb, '--config', str(cut)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert torch.load(folder / 'checkpoint.pt', weights_only=True)['step'] == 3
    assert not (folder / 'result.pt').exists()
    assert cli.main([verb, '--config', str(cut)]) == 1  # it has to be asked to go on
    assert cli.main([verb, '--config', str(cut), '--resume']) == 0

    expected = logged(root / f'{stage}_whole' / stage, loss)
    assert list(expected) == list(range(1, STEPS + 1))
    assert logged(folder, loss) == expected
    results = [
        torch.load(root / f'{stage}_{run}' / stage / 'result.pt', weights_only=True)
        for run in ('whole', 'cut')
    ]
    for part, tensors in results[0]['modules'].items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, results[1]['modules'][part][name]), name


def test_a_run_goes_on_although_a_setting_is_newer_than_its_checkpoint(tmp_path):
    config = tiny_config(tmp_path)
    settings = config.dsa
    before = fixed_settings(config, settings)
    for newer in ('structure_rate', 'styles.render'):
        del before[newer]
    file = tmp_path / 'checkpoint.pt'
    check_settings(before, config, settings, file)
    with pytest.raises(TrainingError, match=r'structure_rate was 0\.0 and is now 1\.0'):
        check_settings(before, config, replace(settings, structure_rate=1.0), file)
