"""The ablation: the variants, each seed its own run; tables with mean and deviation."""

import json

import pytest
from tiny_run import tiny_config, write_data, write_yaml
import torch

from s2r_depth_training.cli import main
from s2r_depth_training.data import DataError
from s2r_depth_training.engine.checkpoints import read_result
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.evaluation.ablation import ablation, evaluate_once, TestSet
from s2r_depth_training.evaluation.ablation_tables import scene_tables, tables, VARIANTS
from s2r_depth_training.evaluation.variants import stage_3


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Two processes that share the seeds, and a last call that makes the tables."""
    root = tmp_path_factory.mktemp('ablation')
    write_data(root)
    tests = {'streets': {'dataset': 'vkitti', 'root': str(root / 'scenes'), 'by_scene': True}}
    config = write_yaml(root / 'config.yaml', root, tests=tests, dsa={'pretrain_attention': True})
    for seeds in ('[1]', '[2]', '[1,2]'):
        assert main(['ablation', '--config', str(config), '--seeds', seeds]) == 0
    return root / 'run'


def test_the_tables_hold_all_seeds(run):
    results = json.loads((run / 'ablation.json').read_text('utf-8'))
    assert results['seeds'] == [1, 2]
    for variant in VARIANTS:
        assert [set(seed) for seed in results['tests']['streets'][variant]] == 2 * [
            {'Abs Rel', 'delta < 1.25', 'Abs Rel, unscaled', 'style change'}
        ]
    page = (run / 'ablation.md').read_text('utf-8')
    assert '| (d) c without stage 1 |' in page
    # One variation alone has no style change; a figure that none has gets no column.
    assert 'style change' not in page


def test_variants_differ_in_what_they_leave_out(run):
    def modules(result):
        return read_result(run / 'seed_1' / result)['modules']

    first, second, scratch = (
        modules(result)['structure_encoder']
        for result in (
            'ste_encoder/result.pt',
            'ste_decoder/result.pt',
            'without_stage_1/ste_decoder/result.pt',
        )
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], scratch[name]) for name in first)
    assert set(modules('rgb_baseline/result.pt')) == {'depth'}
    assert not torch.equal(
        *(
            modules(f'{folder}rgb_baseline/result.pt')['depth']['stem.weight']
            for folder in ('', 'longer_baseline/')
        )
    )
    longer = modules('without_attention/dsa/result.pt')
    assert not longer['attention']['head.conv.weight'].any()  # still 1 everywhere
    assert not torch.equal(
        longer['depth']['stem.weight'], modules('ste_decoder/result.pt')['depth']['stem.weight']
    )
    # Both that have an attention begin with the same one.
    assert not (run / 'seed_1/without_stage_1/attention').exists()
    provenance = read_result(run / 'seed_1/without_stage_1/dsa/result.pt')['provenance']
    begun = json.loads(provenance['settings'])['dsa']['init_attention_from']
    assert begun.endswith('seed_1/attention/result.pt')


@pytest.mark.parametrize('new', [False, True])
def test_stage_3_begins_with_the_depth_net_of_stage_2_or_a_new_one(tmp_path, new):
    config = tiny_config(tmp_path)
    after = stage_3(config, tmp_path / 'elsewhere', new, None)
    assert after.dsa.structure == config.result_of('ste_decoder')
    assert after.dsa.init_depth_from == (None if new else config.result_of('ste_decoder'))
    assert after.run_dir == tmp_path / 'elsewhere'


def test_a_test_set_that_changed_is_measured_anew(run, monkeypatch):
    def stop(*_, **__):
        raise InterruptedError

    monkeypatch.setattr('s2r_depth_training.evaluation.ablation.evaluate', stop)
    weights, out = run / 'seed_1/weights.safetensors', run / 'seed_1/evaluation/streets/c'
    scenes = run.parent / 'scenes'
    same = TestSet('vkitti', scenes, by_scene=True)
    assert evaluate_once(weights, same, out)['name'] == 'network'
    with pytest.raises(InterruptedError):
        evaluate_once(weights, TestSet('vkitti', scenes, 'kitti-50m'), out)


def test_tables_hold_mean_and_deviation_of_the_seeds():
    def seeds(*errors):
        return [
            {'Abs Rel': error, 'delta < 1.25': 0.5, 'Abs Rel, unscaled': 1.0, 'style change': None}
            for error in errors
        ]

    page = tables({'streets': {variant: seeds(0.1, 0.3) for variant in VARIANTS}})
    # The sample deviation of 0.1 and 0.3 is 0.2 / sqrt(2).
    assert '| (a) depth straight from RGB | 0.200 ± 0.141 | 0.500 ± 0.000 |' in page


def test_scenes_that_stand_for_something_get_a_row_each():
    page = scene_tables(
        {
            'cases': {
                'a': [{'truck/clone': 0.1}, {'truck/clone': 0.3}],
                'b': [{'truck/clone': 0.2}] * 2,
            }
        }
    )
    assert '| | (a) | (b) |' in page
    assert '| truck/clone | 0.200 ± 0.141 | 0.200 ± 0.000 |' in page


def test_the_page_names_the_scenes(run):
    assert '| 0001/clone | ' in (run / 'ablation.md').read_text('utf-8')


def test_nothing_to_do_is_an_error(tmp_path):
    config = tiny_config(tmp_path)
    with pytest.raises(TrainingError, match='at least one seed and one test set'):
        ablation(config, {}, seeds=[1])


@pytest.mark.parametrize(
    ('seeds', 'reason'), [([1, -1], 'seed must be at least 0'), ([1, 1], 'differ from each other')]
)
def test_a_wrong_seed_is_an_error_before_any_training(tmp_path, seeds, reason):
    with pytest.raises(TrainingError, match=reason):
        ablation(tiny_config(tmp_path), {'a': TestSet('vkitti', tmp_path)}, seeds)


def test_a_test_set_that_is_not_there_is_an_error_before_any_training(tmp_path):
    config = tiny_config(tmp_path)
    write_data(tmp_path)
    with pytest.raises(DataError, match='gone'):
        ablation(config, {'streets': TestSet('vkitti', tmp_path / 'gone')})
    assert not config.run_dir.exists()
