"""Each stage trains its own parts and nothing else, and takes what the one before left."""

from dataclasses import replace
import json
import math
from pathlib import Path
import re
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file
from tiny_run import FRAMES, logged, tiny_config, with_stage, write_data
import torch
from torch import nn

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.network import Architecture, DilatedResidualNet, S2RDepthNet
from s2r_depth_training.data import Batch, DataError
from s2r_depth_training.engine.optimizers import parameter_groups
from s2r_depth_training.engine.stage import Stage
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.evaluation.evaluate import evaluate
from s2r_depth_training.settings.data import StyleSettings
from s2r_depth_training.settings.stages import SteDecoderSettings
from s2r_depth_training.stages import (
    attention,
    dsa,
    fine_tune,
    judge,
    rgb_baseline,
    ste_decoder,
    ste_encoder,
    train_all,
)
from s2r_depth_training.stages.depth import depth_batches

PARTS = ('structure_encoder', 'structure_decoder', 'attention', 'depth')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('training')
    write_data(folder)
    return folder


@pytest.fixture(scope='module')
def trained(root):
    config = tiny_config(root, 'trained')
    train_all(config)
    return config


def judged_file(config) -> Path:
    return config.run_dir / 'judge' / 'weights.safetensors'


def modules_of(result: Path) -> dict:
    return torch.load(result, weights_only=True)['modules']


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def part_of(weights_file: Path, part: str) -> dict:
    return {
        name: tensor
        for name, tensor in load_file(weights_file).items()
        if name.startswith(f'{part}.')
    }


def test_stage_2_leaves_the_encoder_of_stage_1_as_it_is(trained):
    encoder = modules_of(trained.result_of('ste_encoder'))['structure_encoder']
    assert same(encoder, modules_of(trained.result_of('ste_decoder'))['structure_encoder'])


def test_stage_3_leaves_structure_as_it_is_down_to_the_running_statistics(trained):
    before = modules_of(trained.result_of('ste_decoder'))
    after = modules_of(trained.result_of('dsa'))
    for part in ('structure_encoder', 'structure_decoder'):
        assert same(before[part], after[part])
    # Statistics that moved would mean that the frozen decoder was in training mode.
    assert 'up1.main.norm.running_mean' in after['structure_decoder']


def test_stage_3_trains_a_new_depth_net(trained):
    before = modules_of(trained.result_of('ste_decoder'))['depth']
    after = modules_of(trained.result_of('dsa'))['depth']
    assert not torch.equal(before['stem.weight'], after['stem.weight'])


@pytest.mark.parametrize(
    ('module', 'parts'),
    [
        (ste_encoder, ['structure_encoder']),
        (ste_decoder, ['structure_decoder', 'depth']),
        (attention, ['attention']),
        (dsa, ['attention', 'depth']),
        (rgb_baseline, ['depth']),
    ],
)
def test_every_trained_part_moves(trained, root, module, parts):
    results = []
    for steps in (0, 1):
        config = tiny_config(root, f'moves_{module.NAME}_{steps}')
        start = (
            {'init_from': None}
            | ({'encoder': trained.result_of('ste_encoder')} if module is ste_decoder else {})
            | ({'structure': trained.result_of('ste_decoder')} if module is dsa else {})
        )
        limit = {'max_minutes': 0.0} if steps == 0 else {}
        length = {'steps': 1} if module is ste_encoder else {'epochs': 0.5}
        results.append(
            modules_of(module.train(with_stage(config, module.NAME, **start, **limit, **length)))
        )
    before, after = results
    for part in parts:
        moved = [not torch.equal(before[part][name], after[part][name]) for name in before[part]]
        assert all(moved), part


def test_the_weights_are_those_of_the_last_stage_and_run(trained):
    after = modules_of(trained.result_of('dsa'))
    network, info = weights.load_with_info(trained.weights_file)
    for part in PARTS:
        assert same(after[part], getattr(network, part).state_dict())
    assert (info.max_depth_m, info.training_focal_px) == (80.0, 90.0)
    assert info.provenance['stage'] == 'dsa'
    image = np.zeros((100, 120, 3), np.uint8)
    assert DepthPredictor(trained.weights_file, 'cpu').predict([image])[0].shape == (100, 120)


def test_the_network_after_stage_2_attends_to_everything(trained):
    network = weights.load(trained.run_dir / 'ste_decoder' / 'weights.safetensors')
    with torch.inference_mode():
        maps = network(torch.rand(1, 3, 96, 96), return_maps=True)
    assert torch.equal(maps.attention, torch.ones(1, 1, 96, 96))
    assert torch.equal(maps.depth_specific_structure, maps.structure)


def test_all_skips_what_is_done(trained, capsys):
    written = trained.weights_file.stat().st_mtime_ns
    assert train_all(trained) == judged_file(trained)
    assert trained.weights_file.stat().st_mtime_ns == written
    assert capsys.readouterr().out.count('is done') == 4


@pytest.mark.parametrize('stage', ['dsa', 'judge'])
def test_all_does_not_promise_weights_that_are_gone(trained, root, stage):
    shutil.copytree(trained.run_dir, root / f'gone_{stage}')
    config = replace(trained, run_dir=root / f'gone_{stage}')
    (judged_file(config) if stage == 'judge' else config.weights_file).unlink()
    told = f'finished {stage}.*remove that folder to train it again'
    with pytest.raises(TrainingError, match=told):
        train_all(config)


def test_all_speaks_once_however_many_processes_there_are(trained, capsys, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    train_all(trained)
    assert capsys.readouterr().out == ''


def test_a_stage_without_its_input_says_so(root):
    with pytest.raises(TrainingError, match='ste_decoder.*train that stage first.*ste-decoder'):
        dsa.train(tiny_config(root, 'no_input'))


def test_stage_2_can_train_the_encoder_from_scratch(root):
    config = with_stage(tiny_config(root, 'scratch'), 'ste_decoder', train_encoder=True)
    first = modules_of(ste_decoder.train(with_stage(config, 'ste_decoder', max_minutes=0.0)))
    (config.run_dir / 'ste_decoder' / 'result.pt').unlink()
    after = modules_of(ste_decoder.train(config, resume=True))
    assert not same(first['structure_encoder'], after['structure_encoder'])


def test_a_warm_start_begins_with_the_given_weights(trained, root):
    config = with_stage(
        tiny_config(root, 'warm'),
        'dsa',
        structure=trained.result_of('ste_decoder'),
        init_from=trained.result_of('dsa'),
        max_minutes=0.0,
    )
    assert same(
        modules_of(trained.result_of('dsa'))['depth'], modules_of(dsa.train(config))['depth']
    )


def test_a_warm_start_takes_a_weights_file_and_another_depth_net(trained, root):
    config = with_stage(
        tiny_config(root, 'warm_file'),
        'dsa',
        structure=trained.result_of('ste_decoder'),
        init_from=trained.weights_file,
        init_depth_from=trained.result_of('ste_decoder'),
        max_minutes=0.0,
    )
    begun = modules_of(dsa.train(config))
    assert same(weights.load(trained.weights_file).attention.state_dict(), begun['attention'])
    assert same(modules_of(trained.result_of('ste_decoder'))['depth'], begun['depth'])
    assert not same(modules_of(trained.result_of('dsa'))['depth'], begun['depth'])


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'is damaged, or not of s2r_train'),
        (b'no weights', 'is damaged, or not of s2r_train'),
        (b'PK\x03\x04' * 99, 'is damaged, or not of s2r_train'),
        (None, 'is not the result of a stage'),
    ],
)
def test_a_warm_start_with_a_file_of_something_else_is_one_clear_line(
    trained, root, tmp_path, content, said
):
    path = tmp_path / 'other.pt'
    if content is None:
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    config = with_stage(
        tiny_config(root, 'bad_start'),
        'dsa',
        structure=trained.result_of('ste_decoder'),
        init_from=path,
    )
    with pytest.raises(TrainingError, match=said) as caught:
        dsa.train(config)
    assert '\n' not in str(caught.value)
    assert 'weights_only' not in str(caught.value)


def test_stage_3_begins_with_an_attention_that_shows_what_is_near(root, trained):
    config = tiny_config(root, 'near')
    shutil.copytree(trained.run_dir, config.run_dir)
    for later in ('dsa', 'judge'):
        shutil.rmtree(config.run_dir / later)
    config = with_stage(config, 'dsa', pretrain_attention=True, max_minutes=0.0)
    train_all(config)  # both: what stage 3 begins with is trained when it is asked for
    begun = modules_of(config.result_of('dsa'))['attention']
    assert same(modules_of(config.result_of('attention'))['attention'], begun)
    assert not same(modules_of(trained.result_of('dsa'))['attention'], begun)


def test_stage_3_says_when_the_attention_to_begin_with_is_missing(root, trained):
    config = with_stage(
        tiny_config(root, 'not_near'),
        'dsa',
        pretrain_attention=True,
        structure=trained.result_of('ste_decoder'),
    )
    with pytest.raises(TrainingError, match='train that stage first .s2r_train attention'):
        dsa.train(config)


def test_the_attention_learns_what_is_near(root):
    config = with_stage(
        tiny_config(root, 'learns_near'),
        'attention',
        epochs=15,
        learning_rate=3e-3,
        halve_every_epochs=10,
    )
    attention.train(config)
    losses = logged(config.run_dir / 'attention', 'loss/nearness')
    first, last = min(losses), max(losses)
    assert losses[last] < 0.6 * losses[first]


@pytest.mark.parametrize(
    ('stage', 'optimizer'), [(ste_decoder, 'adam'), (rgb_baseline, 'adam'), (rgb_baseline, 'muon')]
)
def test_proportions_are_learnt_where_they_are_asked_for(root, trained, stage, optimizer):
    start = {'encoder': trained.result_of('ste_encoder')} if stage is ste_decoder else {}
    config = with_stage(
        tiny_config(root, f'proportions_{stage.NAME}_{optimizer}'),
        stage.NAME,
        scale_invariant_weight=2.0,
        epochs=15,
        learning_rate=3e-3,
        halve_every_epochs=10,
        optimizer=optimizer,
        **start,
    )
    stage.train(config)
    losses = logged(config.run_dir / stage.NAME, 'loss/proportion')
    assert losses[max(losses)] < 0.8 * losses[min(losses)]


def test_a_part_can_learn_more_slowly():
    network = S2RDepthNet(Architecture.preset('compact'))
    network.structure_encoder.requires_grad_(False)
    groups = parameter_groups(network, 1e-3, {'attention': 0.1})
    rate_of = {id(parameter): group['lr'] for group in groups for parameter in group['params']}
    for part, rate in (('structure_decoder', 1e-3), ('attention', 1e-4), ('depth', 1e-3)):
        parameters = list(getattr(network, part).parameters())
        assert {rate_of.pop(id(parameter)) for parameter in parameters} == {rate}
    assert not rate_of  # the frozen part is in no group


def test_images_can_stay_on_the_device(trained, root):
    config = with_stage(
        tiny_config(root, 'gpu_cache'), 'fine_tune', weights=str(trained.weights_file)
    )
    data = replace(config.fine_tune.data, gpu_cache=True)
    fine_tune.train(with_stage(config, 'fine_tune', data=data, epochs=2))
    assert len(logged(config.run_dir / 'fine_tune', 'loss/depth')) == 2 * FRAMES // 4
    tuned = config.run_dir / 'fine_tune' / 'weights.safetensors'
    assert not same(part_of(trained.weights_file, 'depth'), part_of(tuned, 'depth'))


@pytest.mark.parametrize('optimizer', ['adam', 'muon'])
def test_the_learning_rate_can_fall_to_nothing(root, optimizer):
    config = with_stage(
        tiny_config(root, f'cosine_{optimizer}'),
        'rgb_baseline',
        schedule='cosine',
        epochs=4,
        learning_rate=1e-3,
        optimizer=optimizer,
    )
    rgb_baseline.train(config)
    rates = logged(config.run_dir / 'rgb_baseline', 'learning_rate')
    expected = [0.5e-3 * (1 + math.cos(math.pi * (step - 1) / 8)) for step in rates]
    assert list(rates.values()) == pytest.approx(expected, rel=1e-5)


def test_it_falls_with_the_time_where_that_is_what_ends_the_stage(root):
    config = with_stage(tiny_config(root, 'cosine_time'), 'dsa', max_minutes=2.0)
    with Stage('dsa', config, config.dsa, resume=False) as stage:
        stage._spent_s = 30.0
        assert stage.progress(10, 1000) == pytest.approx(0.25)
        assert stage.progress(10, 20) == pytest.approx(0.5)
        stage._spent_s = 130.0
        assert stage.progress(10, 1000) == 1


def test_the_judge_is_trained_last_and_changes_nothing_else(trained):
    before, after = load_file(trained.weights_file), load_file(judged_file(trained))
    assert same(before, after)
    own = {name for name in after if name not in before}
    assert {name.split('.')[0] for name in own} == {'judge'}
    _, info = weights.load_with_info(judged_file(trained))
    _, begin = weights.load_with_info(trained.weights_file)
    made = json.loads(info.provenance.pop('judge'))
    assert made['stage'] == 'judge'
    assert info == begin
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    (prediction,) = DepthPredictor(judged_file(trained)).run([image], judged=True)
    assert prediction.ground.shape == (96, 96)
    (depth_m,) = DepthPredictor(trained.weights_file).predict([image])
    assert np.array_equal(prediction.depth_m, depth_m)


def test_a_judge_learns_where_the_ground_is(trained, root):
    config = with_stage(
        tiny_config(root, 'judge_learns'),
        'judge',
        weights=str(trained.weights_file),
        epochs=30,
        learning_rate=5e-3,
        channels=8,
    )
    judge.train(config)
    for name in ('loss/ground', 'loss/expected_error'):
        losses = logged(config.run_dir / 'judge', name)
        values = [losses[step] for step in sorted(losses)]
        assert np.mean(values[-5:]) < np.mean(values[:5]) - 0.1, name


def test_a_judge_is_replaced_and_one_without_channels_refused(trained, root):
    config = with_stage(tiny_config(root, 'again'), 'judge', weights=str(judged_file(trained)))
    judge.train(config)
    first, second = load_file(judged_file(trained)), load_file(judged_file(config))
    assert first.keys() == second.keys()
    assert same({n: t for n, t in first.items() if not n.startswith('judge.')}, second)
    none = with_stage(
        tiny_config(root, 'no_judge'), 'judge', weights=str(trained.weights_file), channels=0
    )
    with pytest.raises(TrainingError, match='channels is 0'):
        judge.train(none)


@pytest.mark.parametrize('max_depth_m', [1.0, 1e6])
def test_depth_in_another_unit_than_metres_is_refused(root, max_depth_m):
    config = tiny_config(root, 'unit')
    data = replace(config.data, max_depth_m=max_depth_m)  # the depth is 3 to 60 m
    with pytest.raises(DataError, match=r'have a median depth of .* m, and max_depth_m is .*unit'):
        attention.train(replace(config, data=data))


@pytest.mark.parametrize('left', ['result.pt', 'checkpoint.pt'])
def test_a_stage_is_not_trained_again_below_later_stages(trained, root, left):
    config = tiny_config(root, f'outdated_{left}')
    later = config.run_dir / 'judge'
    later.mkdir(parents=True)
    shutil.copy(judged_file(trained).parent / left, later)
    with pytest.raises(TrainingError, match=r'ste_encoder is not finished, so .*judge cannot be'):
        train_all(config)
    assert not (config.run_dir / 'ste_encoder').exists()


def test_a_finished_stage_says_which_settings_it_does_not_follow(trained, capsys):
    train_all(replace(trained, data=replace(trained.data, contrast_limit=3.0)))
    changed = 'keeps its earlier settings: data.contrast_limit was 0.0 and is now 3.0'
    assert f'ste_encoder {changed}' in capsys.readouterr().err
    train_all(trained)
    assert not capsys.readouterr().err


def test_a_finished_stage_needs_no_checkpoint(trained, tmp_path):
    shutil.copytree(trained.run_dir, tmp_path / 'copy')
    for name, content in (('dsa', None), ('ste_encoder', b'damaged')):
        file = tmp_path / 'copy' / name / 'checkpoint.pt'
        file.write_bytes(content) if content else file.unlink()
    train_all(replace(trained, run_dir=tmp_path / 'copy'))


@pytest.mark.parametrize('stage', [judge, fine_tune])
def test_without_stage_3_or_other_weights_the_message_names_both(stage, root):
    config = with_stage(tiny_config(root, 'no_stage_3'), stage.NAME, weights=None)
    with pytest.raises(TrainingError, match=rf'run s2r_train dsa first, or .* {stage.NAME}\.weig'):
        stage.train(config)


@pytest.mark.parametrize(
    ('stage', 'losses'),
    [(judge, 'judge_losses'), (fine_tune, 'depth_losses')],
    ids=['judge', 'fine_tune'],
)
def test_a_run_goes_on_with_the_weights_it_was_begun_with_only(
    stage, losses, trained, root, monkeypatch
):
    file = root / 'begun_with.safetensors'
    shutil.copyfile(trained.weights_file, file)
    config = with_stage(tiny_config(root, f'{stage.NAME}_goes_on'), stage.NAME, weights=str(file))
    result = config.run_dir / stage.NAME / 'weights.safetensors'

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stage, losses, stop)
        with pytest.raises(KeyboardInterrupt):
            stage.train(config)
    for factor, max_depth_m in ((1.0, 10.0), (2.0, trained.data.max_depth_m)):
        network, info = weights.load_with_info(trained.weights_file)
        network.depth.depth1.weight *= factor
        weights.save(file, network, replace(info, max_depth_m=max_depth_m))
        with pytest.raises(TrainingError, match='begun_with.safetensors is not what .* was begun'):
            stage.train(config, resume=True)
    assert not result.exists()
    shutil.copyfile(trained.weights_file, file)
    stage.train(config, resume=True)
    assert result.exists()


def test_a_judge_of_weights_of_another_architecture_is_refused(trained, root):
    config = with_stage(
        tiny_config(root, 'judge_paper'), 'judge', weights=str(trained.weights_file)
    )
    with pytest.raises(TrainingError, match="the config says 'paper': they must be the same"):
        judge.train(replace(config, architecture='paper'))


def test_fine_tuning_keeps_the_judge_and_says_so(trained, root, capsys):
    config = with_stage(
        tiny_config(root, 'tuned_judge'), 'fine_tune', weights=str(judged_file(trained))
    )
    fine_tune.train(config)
    assert 'train it again with s2r_train judge' in capsys.readouterr().err
    tuned = config.run_dir / 'fine_tune' / 'weights.safetensors'
    assert same(part_of(judged_file(trained), 'judge'), part_of(tuned, 'judge'))
    assert not same(part_of(judged_file(trained), 'depth'), part_of(tuned, 'depth'))


def test_fine_tuning_moves_only_what_is_not_frozen(trained, root):
    config = with_stage(
        tiny_config(root, 'tuned'),
        'fine_tune',
        weights=str(trained.weights_file),
        freeze=['structure_encoder', 'structure_decoder', 'attention'],
    )
    fine_tune.train(config)
    tuned = config.run_dir / 'fine_tune' / 'weights.safetensors'
    for part in PARTS:
        kept = same(part_of(trained.weights_file, part), part_of(tuned, part))
        assert kept == (part != 'depth'), part


def test_fine_tuning_keeps_focal_length_size_and_range_of_the_weights(root):
    info = weights.WeightsInfo(8.0, 100.0, 96, 112, contrast_limit=3.0)
    begin = root / 'indoor.safetensors'
    weights.save(begin, S2RDepthNet(Architecture.preset('compact')), info)
    config = with_stage(tiny_config(root, 'kept'), 'fine_tune', weights=str(begin))
    fine_tune.train(config)
    _, tuned = weights.load_with_info(config.run_dir / 'fine_tune' / 'weights.safetensors')
    assert replace(tuned, provenance={}) == info


def test_fine_tuning_can_change_range_and_contrast(trained, root):
    config = with_stage(
        tiny_config(root, 'farther'),
        'fine_tune',
        weights=str(trained.weights_file),
        max_depth_m=120.0,
        contrast_limit=4.0,
    )
    fine_tune.train(config)
    _, tuned = weights.load_with_info(config.run_dir / 'fine_tune' / 'weights.safetensors')
    assert (tuned.max_depth_m, tuned.contrast_limit) == (120, 4)


def test_fine_tuning_begins_with_weights_of_the_architecture_of_the_config(trained, root):
    config = with_stage(
        replace(tiny_config(root, 'other'), architecture='paper'),
        'fine_tune',
        weights=str(trained.weights_file),
    )
    with pytest.raises(TrainingError, match="has the architecture .* says 'paper'"):
        fine_tune.train(config)


def test_freezing_everything_is_refused(trained, root):
    config = with_stage(
        tiny_config(root, 'all_frozen'),
        'fine_tune',
        weights=str(trained.weights_file),
        freeze=list(PARTS),
    )
    with pytest.raises(TrainingError, match='every part'):
        fine_tune.train(config)


def classifier_file(path: Path, trunk: nn.Module) -> dict:
    """Write the trunk's tensors under the names of the published DRN; return those tensors."""
    tensors = {
        name: torch.randn(tensor.shape)
        for name, tensor in trunk.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }
    published = {'fc.weight': torch.zeros(2, 2)}
    for name, tensor in tensors.items():
        name = re.sub(r'base\.(\d)\.layer\.conv', r'layer\1.0', name)
        name = re.sub(r'base\.(\d)\.layer\.norm', r'layer\1.1', name)
        name = re.sub(r'base\.(\d)\.(\d)\.layer(\d)\.conv', r'layer\1.\2.conv\3', name)
        name = re.sub(r'base\.(\d)\.(\d)\.layer(\d)\.norm', r'layer\1.\2.bn\3', name)
        name = re.sub(r'base\.(\d)\.(\d)\.shortcut\.conv', r'layer\1.\2.downsample.0', name)
        published[
            re.sub(r'base\.(\d)\.(\d)\.shortcut\.norm', r'layer\1.\2.downsample.1', name)
        ] = tensor
    torch.save(published, path)
    return tensors


def test_the_trunk_takes_the_weights_of_a_classifier(tmp_path):
    trunk = DilatedResidualNet(Architecture.preset('compact'))
    tensors = classifier_file(tmp_path / 'drn.pth', trunk)
    dsa.load_trunk(trunk, tmp_path / 'drn.pth')
    assert same(tensors, trunk.state_dict())


def test_a_trunk_of_another_width_is_refused(tmp_path):
    classifier_file(tmp_path / 'drn.pth', DilatedResidualNet(Architecture(width=1 / 16)))
    trunk = DilatedResidualNet(Architecture.preset('compact'))
    with pytest.raises(TrainingError, match='drn.pth'):
        dsa.load_trunk(trunk, tmp_path / 'drn.pth')


def test_a_stage_shows_every_map(trained):
    pictures = {
        name: list((trained.run_dir / name / 'pictures').glob('*.png'))
        for name in ('ste_encoder', 'ste_decoder', 'dsa')
    }
    assert all(pictures.values()), pictures


def test_the_baseline_predicts_metres_as_the_method_does(root):
    result = rgb_baseline.train(tiny_config(root, 'baseline'))
    predictor = rgb_baseline.load_predictor(result, 'cpu')
    (depth_m,) = predictor.predict([np.zeros((100, 120, 3), np.uint8)])
    assert depth_m.shape == (100, 120)
    assert predictor.info.training_focal_px == 90.0
    out = root / 'evaluated'
    results = evaluate(
        str(result),
        'vkitti',
        root / 'scenes',
        out,
        weights_baseline=str(result),
        limit=2,
        pictures=1,
        device='cpu',
    )
    network, baseline = results['methods'][:2]
    assert network['mean'] == baseline['mean']
    assert network['mean']['frames'] == 2


def test_the_result_of_a_stage_is_not_taken_for_that_of_the_baseline(trained):
    with pytest.raises(TrainingError, match='result of dsa and not of rgb_baseline'):
        rgb_baseline.load_predictor(trained.result_of('dsa'))


def test_stage_2_adds_up_its_two_losses(trained, root):
    model = ste_decoder.StructureToDepth(Architecture.preset('compact')).eval()
    batch = Batch(
        torch.zeros(1, 3, 96, 96),
        torch.zeros(1, 1, 96, 96),
        torch.ones(1, 1, 96, 96, dtype=torch.bool),
        ['a'],
        [],
    )
    structure, depths = model(batch.image)
    one, two = (
        ste_decoder.structure_losses(
            SteDecoderSettings(structure_weight=weight), structure, depths, batch
        )
        for weight in (1.0, 2.0)
    )
    assert two['loss/structure'].item() == pytest.approx(2 * one['loss/structure'].item())
    assert two['loss/depth'].item() == one['loss/depth'].item()


def test_a_batch_without_any_depth_is_refused(root):
    class Blind:
        def __len__(self):
            return 1

        def state_dict(self):
            return {}

        def epoch(self, epoch, start_batch=0):
            nothing = torch.zeros(1, 1, 96, 96)
            yield Batch(torch.zeros(1, 3, 96, 96), nothing, nothing > 0, ['blind.png'], [])

    config = tiny_config(root, 'blind')
    with (
        Stage('dsa', config, config.dsa, resume=False) as stage,
        pytest.raises(
            TrainingError, match='no image of the batch of step 1 has valid depth.*blind.png'
        ),
    ):
        next(depth_batches(stage, Blind(), total_steps=1))


def test_a_run_does_not_go_on_with_another_number_of_images(tmp_path):
    write_data(tmp_path)
    config = with_stage(tiny_config(tmp_path), 'rgb_baseline', max_minutes=0.0)
    rgb_baseline.train(config).unlink()
    rgb_baseline.train(config, resume=True).unlink()  # unchanged it does
    for folder in ('rgb', 'depthgt'):
        (tmp_path / f'scenes/vkitti_1.3.1_{folder}/0001/clone/00007.png').unlink()
    with pytest.raises(DataError, match='had 8 images .* now has 7'):
        rgb_baseline.train(config, resume=True)


def test_the_number_of_corrupt_images_is_said_at_the_end_of_a_stage(tmp_path, capsys):
    write_data(tmp_path)
    (tmp_path / 'scenes/vkitti_1.3.1_rgb/0001/clone/00003.png').write_bytes(b'spoilt')
    rgb_baseline.train(tiny_config(tmp_path))
    assert 'rgb_baseline: corrupt images left out: 1,' in capsys.readouterr().err


@pytest.mark.parametrize(('rate', 'changes'), [(0.0, False), (1.0, True)])
def test_the_structure_learns_in_stage_3_only_where_it_is_asked_to(tmp_path, rate, changes):
    write_data(tmp_path)
    config = with_stage(tiny_config(tmp_path), 'dsa', structure_rate=rate)
    train_all(config)
    before, after = (
        weights.load(config.run_dir / file).structure_encoder.state_dict()
        for file in ('ste_decoder/weights.safetensors', 'weights.safetensors')
    )
    assert all(torch.equal(before[name], after[name]) for name in before) is not changes


def test_style_images_that_are_missing_are_rendered_before_stage_1(tmp_path):
    write_data(tmp_path)
    config = tiny_config(tmp_path)
    styles = StyleSettings(tmp_path / 'rendered_styles', render=3)
    ste_encoder.train(replace(config, styles=styles))
    assert len(list((tmp_path / 'rendered_styles').glob('*.jpg'))) == 3
