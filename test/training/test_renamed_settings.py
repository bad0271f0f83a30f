"""Settings under their earlier names work for one release, with a warning."""

from dataclasses import replace

import pytest
from tiny_run import tiny_config, write_yaml
import torch
from torch import nn

from s2r_depth_training import cli
from s2r_depth_training.engine.stage import Stage
from s2r_depth_training.settings import renamed

# section, earlier name, name, value
RENAMED = [
    ('ste_decoder', 'nearness', 'inverse_depth_weighting', 16.0),
    ('dsa', 'proportion_weight', 'scale_invariant_weight', 2.0),
    ('dsa', 'nearness_first', 'pretrain_attention', True),
    ('attention', 'nearness', 'inverse_depth_slope', 4.0),
    ('fine_tune', 'frozen', 'freeze', ['depth']),
    ('data', 'resident', 'gpu_cache', True),
]
BY_SECTION = pytest.mark.parametrize(('section', 'earlier', 'name', 'value'), RENAMED)


@pytest.fixture(autouse=True)
def _nothing_was_warned_of_before():
    renamed._warn.cache_clear()


@BY_SECTION
@pytest.mark.parametrize('form', ['file', 'option'])
def test_an_earlier_name_sets_the_new_one_and_is_warned_of_once(
    tmp_path, caplog, section, earlier, name, value, form
):
    options, sections = [], {section: {earlier: value}}
    if form == 'option':
        options = [f'--{section}.{earlier}={str(value).lower()}']
        sections = {}
    file = write_yaml(tmp_path / 'config.yaml', tmp_path, **sections)
    _, values = cli.parse('all', ['--config', str(file), *options])
    settings = getattr(values['config'], section)
    assert getattr(settings, name) == value
    assert getattr(settings, earlier) is None
    (message,) = caplog.messages
    assert f'{earlier} is now called' in message
    assert name in message
    assert getattr(replace(settings), name) == value


@pytest.mark.parametrize(
    ('section', 'earlier', 'name', 'values'),
    [
        ('dsa', 'nearness', 'inverse_depth_weighting', (16.0, 8.0)),
        ('attention', 'nearness', 'inverse_depth_slope', (16.0, 4.0)),
        ('fine_tune', 'frozen', 'freeze', (['depth'], ['attention'])),
    ],
)
def test_two_values_under_both_names_are_refused(tmp_path, capsys, section, earlier, name, values):
    sections = {section: dict(zip((earlier, name), values))}
    file = write_yaml(tmp_path / 'config.yaml', tmp_path, **sections)
    assert cli.main(['all', '--config', str(file)]) == 2
    assert f'give only {name}' in capsys.readouterr().err


def test_an_option_under_an_earlier_name_replaces_the_value_of_a_config(tmp_path):
    file = write_yaml(tmp_path / 'c.yaml', tmp_path, dsa={'inverse_depth_weighting': 16.0})
    for words in (['--dsa.nearness', '8'], ['--dsa.nearness=8']):
        _, values = cli.parse('dsa', ['--config', str(file), *words])
        assert values['config'].dsa.inverse_depth_weighting == 8.0


def test_a_run_that_began_under_earlier_names_goes_on(tmp_path):
    def stage_of(resume):
        config = tiny_config(tmp_path)
        return Stage('dsa', config, replace(config.dsa, inverse_depth_weighting=16.0), resume)

    class NoImages:
        corrupt_files = frozenset()

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            assert state == {}

    with stage_of(resume=False) as stage:
        stage.track(NoImages(), layer=nn.Linear(1, 1))
    state = torch.load(stage.checkpoint_file, weights_only=True)
    for earlier, name in (
        ('nearness', 'inverse_depth_weighting'),
        ('proportion_weight', 'scale_invariant_weight'),
        ('nearness_first', 'pretrain_attention'),
        ('data.resident', 'data.gpu_cache'),
    ):
        state['settings'][earlier] = state['settings'].pop(name)
    state['step'] = 7
    torch.save(state, stage.checkpoint_file)
    with stage_of(resume=True) as stage:
        stage.track(NoImages(), layer=nn.Linear(1, 1))
        assert stage.step == 7
