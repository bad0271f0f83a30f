"""The shorter form of ``make train-demo``: from nothing to a report and weights that run."""

from pathlib import Path

import numpy as np
import pytest
from tiny_run import logged

from s2r_depth_ros import DepthPredictor
from s2r_depth_training import cli

CONFIG = Path(__file__).parents[2] / 'config' / 'training' / 'demo.yaml'


@pytest.mark.parametrize('option', ['--scenes', '--test-scenes', '--style-images'])
def test_a_demo_of_nothing_is_refused_before_it_renders(tmp_path, capsys, option):
    run_dir = tmp_path / 'train-demo'
    words = ['demo', '--config', str(CONFIG), '--run-dir', str(run_dir), option, '0']
    assert cli.main(words) == 1
    assert 'must be at least 1, not 0' in capsys.readouterr().err
    assert not run_dir.exists()


@pytest.mark.slow
def test_the_demo_ends_with_a_report_and_weights_and_lower_losses(tmp_path):
    run_dir = tmp_path / 'train-demo'
    assert (
        cli.main(
            [
                'demo',
                '--config',
                str(CONFIG),
                '--run-dir',
                str(run_dir),
                '--scenes',
                '6',
                '--test-scenes',
                '2',
                '--style-images',
                '8',
                '--fabric.precision',
                '32-true',
                '--data.workers',
                '0',
                '--ste-encoder.steps',
                '4',
                '--ste-encoder.crop-px',
                '128',
                '--ste-decoder.epochs',
                '8',
                '--dsa.epochs',
                '2',
                '--ste-decoder.log-every-steps',
                '1',
                '--ste-decoder.batch-size',
                '4',
                '--dsa.batch-size',
                '4',
            ]
        )
        == 0
    )
    (depth_m,) = DepthPredictor(run_dir / 'weights.safetensors', 'cpu').predict(
        [np.zeros((96, 320, 3), np.uint8)]
    )
    assert depth_m.shape == (96, 320)
    assert '<img' in (run_dir / 'report.html').read_text()
    losses = list(logged(run_dir / 'ste_decoder', 'loss/depth').values())
    assert np.mean(losses[-5:]) < np.mean(losses[:2]) / 2
