"""``s2r_train bench``: a rate for the renderer, the loader and each stage."""

import json

import pytest

from s2r_depth_training import bench, cli


def test_everything_has_a_rate(capsys):
    assert (
        cli.main(
            [
                'bench',
                '--width-px',
                '128',
                '--height-px',
                '96',
                '--batch-size',
                '2',
                '--steps',
                '4',
                '--scenes',
                '1',
                '--workers',
                '0',
            ]
        )
        == 0
    )
    rates = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(rates) == [
        'renderer',
        'loader',
        'stage ste_encoder',
        'stage ste_decoder',
        'stage dsa',
    ]
    assert all(rate > 0 for each in rates.values() for rate in each.values())


def test_however_many_gpus_there_are_one_is_measured(monkeypatch):
    # Several GPUs cannot be had here: each would start the command anew, with its own folder.
    configs = []

    def stop(config):
        configs.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, 'train_all', stop)
    with pytest.raises(KeyboardInterrupt):
        bench.bench(width_px=128, height_px=96, steps=4, scenes=1, workers=0)
    assert configs[0].fabric.devices == 1


def test_too_few_steps_are_refused(capsys):
    assert cli.main(['bench', '--steps', '3']) == 1
    assert 'steps must be 4 or more' in capsys.readouterr().err
