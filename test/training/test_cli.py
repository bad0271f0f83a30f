"""``s2r_train``: what is wrong is said in one sentence, with the right exit status."""

from pathlib import Path
import re
import shlex
import subprocess
import sys

import pytest
from tiny_run import write_data, write_yaml
import torch

from s2r_depth_training import cli
from s2r_depth_training.stages import judge

CONFIGS = sorted((Path(__file__).parents[2] / 'config' / 'training').glob('*.yaml'))


def error_of(capsys, *arguments) -> tuple[int, str]:
    status = cli.main([str(argument) for argument in arguments])
    return status, capsys.readouterr().err


def test_the_overview_names_every_verb_and_needs_no_torch():
    code = (
        "import sys; from s2r_depth_training import cli; status = cli.main(['--help'])\n"
        "sys.exit(status or 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in cli.VERBS)


@pytest.mark.parametrize('verb', sorted(set(cli.VERBS) - {'export-onnx'}))  # which computes in it
def test_the_help_of_a_verb_loads_no_torch(verb):
    code = (
        'import sys; from s2r_depth_training import cli; status = cli.main(sys.argv[1:])\n'
        "sys.exit(status or 'torch' in sys.modules)"
    )
    command = [sys.executable, '-c', code, verb, '--help']
    assert subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ('missing', 'arguments'),
    [('torch', ['all', '--run-dir', 'run']), ('jsonargparse', ['all', '--help'])],
)
def test_a_missing_package_is_told_with_what_to_install(missing, arguments, tmp_path):
    code = (
        f'import sys; sys.modules[{missing!r}] = None\n'
        'from s2r_depth_training import cli; sys.exit(cli.main(sys.argv[1:]))'
    )
    command = [sys.executable, '-c', code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert f"{missing} is not installed: run pip install '.[train]'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_no_verb_and_a_wrong_verb_are_errors(capsys):
    assert cli.main([]) == 2
    status, error = error_of(capsys, 'trian')
    assert status == 2
    assert "no verb 'trian'" in error


@pytest.mark.parametrize('verb', cli.VERBS)
def test_every_verb_explains_its_settings(verb, capsys):
    assert cli.main([verb, '--help']) == 0
    shown = capsys.readouterr().out
    assert f's2r_train {verb}' in shown
    special = {'bench': '--steps', 'completion': 'bash'}
    assert ('--config' if verb in cli.STAGES else special.get(verb, '--out')) in shown


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_valid(config):
    verb = 'ablation' if config.stem.startswith('ablation') else 'all'
    _, values = cli.parse(verb, ['--config', str(config)])
    assert values['config'].run_dir
    assert values['resume'] is False


def expanded(page: str) -> str:
    """Return a page with each command on one line and in place of $NAME what NAME='...' says."""
    page = page.replace('\\\n', ' ')
    for name, value in re.findall(r"^([A-Z]+)='([^']*)'$", page, re.M):
        page = re.sub(rf'\${name}\b', lambda _, value=value: ' '.join(value.split()), page)
    return page


def documented_commands() -> list[str]:
    """Return what pages, README and model card tell one to type, what ... cuts short left out."""
    root = Path(__file__).parents[2]
    pages = (
        root / 'README.md',
        root / 's2r_depth_ros' / 'weights' / 'models' / 'README.md',
        *sorted(root.glob('docs/**/*.md')),
    )
    text = '\n'.join(expanded(page.read_text('utf-8')) for page in pages)
    found = re.findall(r'^(?:s2r_train|torchrun .* -m s2r_depth_training) (.+)$', text, re.M)
    found += re.findall(r'`s2r_train ([^`]* --[^`]*)`', text)
    return [command for command in found if '...' not in command]


@pytest.mark.parametrize('command', documented_commands())
def test_every_documented_command_parses(command, tmp_path):
    verb, *arguments = shlex.split(command)
    example = str(write_yaml(tmp_path / 'config.yaml', tmp_path))
    shipped = {f'config/training/{path.name}': str(path) for path in CONFIGS}
    places = {'FILE': example, **shipped}
    arguments = [places.get(argument, argument) for argument in arguments]
    if '--help' in arguments:
        assert cli.main([verb, *arguments]) == 0
    else:
        assert cli.parse(verb, arguments)


@pytest.mark.parametrize('name', ['reference_indoor', 'reference_outdoor'])
def test_the_published_settings_hand_over_the_last_weights_and_no_average(name):
    (path,) = (path for path in CONFIGS if path.stem == name)
    config = cli.parse('all', ['--config', str(path)])[1]['config']
    stages = (config.ste_encoder, config.ste_decoder, config.dsa, config.rgb_baseline)
    assert [stage.ema_decay for stage in stages] == [0.0] * 4


@pytest.mark.parametrize(
    ('sections', 'message'),
    [
        ({'ste_decodr': {'epochs': 1}}, 'ste_decodr'),
        ({'ste_decoder': {'epocs': 1}}, 'epocs'),
        ({'data': {'augmentation': {'brightnes': [1, 1]}}}, 'brightnes'),
        ({'seed': 'one'}, 'seed'),
        ({'architecture': 'huge'}, 'architecture'),
        ({'data': {'height_px': 100}}, 'height_px must be a multiple of 16'),
        ({'data': {'max_depth_m': 0}}, 'max_depth_m'),
        ({'ste_encoder': {'crop_px': 20}}, 'crop_px'),
        ({'dsa': {'batch_size': 0}}, 'batch_size'),
        ({'seed': -1}, 'seed must be at least 0, got -1'),
        ({'fabric': {'devices': 0}}, 'devices must be at least 1'),
        ({'fabric': {'threads': -1}}, 'threads must be at least 0'),
        ({'dsa': {'max_minutes': -1}}, 'max_minutes must be at least 0'),
        ({'ste_encoder': {'steps': -5}}, 'steps must be at least 1'),
        ({'ste_encoder': {'halve_every_steps': 0}}, 'halve_every_steps must be at least 1'),
        ({'ste_encoder': {'style_size': 0}}, 'style_size must be at least 1'),
        ({'ste_encoder': {'discriminator_scales': 0}}, 'discriminator_scales must be at least 1'),
        ({'ste_encoder': {'weights': {'image': -1}}}, 'image must be at least 0'),
        ({'ste_decoder': {'beta': -1}}, 'beta must be at least 0'),
        ({'data': {'max_corrupt_fraction': 2}}, 'max_corrupt_fraction must be at most 1'),
        (
            {'data': {'augmentation': {'jpeg_quality': [40, 101]}}},
            'jpeg_quality must be at most 100',
        ),
        ({'data': {'augmentation': {'max_noise': -1}}}, 'max_noise must be at least 0'),
        ({'data': {'augmentation': {'max_blur_px': -1}}}, 'max_blur_px must be at least 0'),
        (
            {'data': {'augmentation': {'max_rotation_deg': -5}}},
            'max_rotation_deg must be at least',
        ),
        ({'fabric': {'precision': 'half'}}, 'precision'),
        ({'dsa': None}, '--dsa must hold settings, a `name: value` each, or be left out'),
        ({'dsa': []}, '--dsa must hold settings'),
        ({'data': {'augmentation': None}}, '--data.augmentation must hold settings'),
        ({'seed': None}, '--seed must have a value or be left out, got null'),
        ({'dsa': {'batch_size': None}}, '--dsa.batch-size must have a value'),
        ({'data': {'height_px': None}}, '--data.height-px must have a value'),
        ({'data': {'scenes': {'reuse': None}}}, 'reuse must have a value'),
        ({'data': {'scenes': {'width_px': 10**6}}}, 'width_px must be at most 8192'),
        ({'data': {'scenes': {'supersample': 1000}}}, 'supersample must be at most 16'),
        ({'data': {'max_depth_m': 1e300}}, 'max_depth_m must be at most 1e+06'),
    ],
)
def test_a_wrong_config_is_one_error_with_status_2(tmp_path, capsys, sections, message):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path, **sections)
    status, error = error_of(capsys, 'dsa', '--config', config)
    assert status == 2
    assert message in error
    assert 'Traceback' not in error
    assert not (tmp_path / 'run').exists()


def test_a_config_that_is_missing_or_no_yaml_is_an_error_with_status_2(tmp_path, capsys):
    (tmp_path / 'bad.yaml').write_text('run_dir: [unclosed')
    for name in ('none.yaml', 'bad.yaml'):
        status, error = error_of(capsys, 'all', '--config', tmp_path / name)
        assert status == 2
        assert 'config' in error


@pytest.mark.parametrize('text', ['', 'null', '[]', 'a text'])
def test_a_config_without_settings_is_told_what_it_must_hold(tmp_path, capsys, text):
    (tmp_path / 'a.yaml').write_text(text)
    status, error = error_of(capsys, 'dsa', '--config', tmp_path / 'a.yaml')
    assert status == 2
    assert 'a.yaml must hold settings, a `name: value` each' in error


def test_a_config_that_holds_itself_is_one_sentence(tmp_path, capsys):
    (tmp_path / 'a.yaml').write_text('run_dir: a\nb: &b [*b]\n')
    status, error = error_of(capsys, 'dsa', '--config', tmp_path / 'a.yaml')
    assert status == 2
    assert 'a.yaml holds itself or nests without end' in error


def test_a_value_that_swells_by_anchors_gives_a_short_message(tmp_path, capsys):
    lines = ['a0: &a0 x', *(f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]' for i in range(1, 5))]
    (tmp_path / 'a.yaml').write_text('\n'.join([*lines, 'run_dir: a', 'seed: *a4']))
    status, error = error_of(capsys, 'dsa', '--config', tmp_path / 'a.yaml')
    assert status == 2
    assert len(error) < 1200


def test_broken_yaml_is_named_with_its_file_or_as_the_value(tmp_path, capsys):
    file = tmp_path / 'my run.yaml'
    file.write_text('run_dir: a\n  seed: 1\n')
    for words in (['--config', file], [f'--config={file}']):
        status, error = error_of(capsys, 'dsa', *words)
        assert status == 2
        assert f'in {file}, line 2' in error
    status, error = error_of(capsys, 'dsa', '--config', CONFIGS[-1], '--data', '{root: [')
    assert status == 2
    assert 'in this value, line' in error


def test_a_setting_of_the_scenes_that_is_out_of_range_is_one_sentence(capsys):
    config = CONFIGS[0].with_name('compact_indoor.yaml')
    status, error = error_of(capsys, 'dsa', '--config', config, '--data.scenes.any-share', '1.5')
    assert status == 2
    assert error.startswith('s2r_train dsa: error: any_share must be at most 1, got 1.5 (')


def test_a_wrong_type_in_the_scenes_is_said_by_the_verb(tmp_path, capsys):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path, data={'scenes': {'kinds': 3}})
    status, error = error_of(capsys, 'dsa', '--config', config)
    assert status == 2
    assert error.startswith('s2r_train dsa: error: --kinds must be a mapping')


def test_a_device_that_is_not_here_is_an_error_with_status_1(tmp_path, capsys):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path, fabric={'accelerator': 'mps'})
    if torch.backends.mps.is_available():
        pytest.skip('this machine has the device: Metal of macOS')
    status, error = error_of(capsys, 'dsa', '--config', config)
    assert status == 1
    assert 'fabric.accelerator mps' in error
    assert 'Traceback' not in error


def test_missing_data_is_an_error_with_status_1(tmp_path, capsys):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    status, error = error_of(capsys, 'rgb-baseline', '--config', config)
    assert status == 1
    assert str(tmp_path / 'scenes') in error
    assert 'Traceback' not in error


def test_an_empty_data_set_is_an_error_with_status_1(tmp_path, capsys):
    write_data(tmp_path)
    for file in (tmp_path / 'scenes/vkitti_1.3.1_rgb/0001/clone').iterdir():
        file.unlink()
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    status, error = error_of(capsys, 'rgb-baseline', '--config', config)
    assert status == 1
    assert 'holds no sample' in error
    assert not (tmp_path / 'run' / 'rgb_baseline' / 'checkpoint.pt').exists()


def test_styles_of_other_settings_are_an_error_with_status_1(tmp_path, capsys):
    write_data(tmp_path)
    (tmp_path / 'styles').mkdir(exist_ok=True)
    (tmp_path / 'styles/styles.json').write_text('{"seed": 5}')
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    status, error = error_of(capsys, 'ste-encoder', '--config', config, '--styles.render', '3')
    assert status == 1
    assert 'holds data made with seed 5' in error
    assert 'Traceback' not in error


def test_a_missing_stage_input_is_an_error_with_status_1(tmp_path, capsys):
    write_data(tmp_path)
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    status, error = error_of(capsys, 'ste-decoder', '--config', config)
    assert status == 1
    assert 'ste_encoder' in error


def test_losses_that_explode_name_the_files_and_leave_no_result(tmp_path, capsys):
    write_data(tmp_path)
    config = write_yaml(
        tmp_path / 'config.yaml', tmp_path, rgb_baseline={'learning_rate': 1e30, 'epochs': 9}
    )
    status, error = error_of(capsys, 'rgb-baseline', '--config', config)
    assert status == 1
    assert 'finite' in error
    assert not (tmp_path / 'run' / 'rgb_baseline' / 'result.pt').exists()


def test_settings_on_the_command_line_count_more_than_the_config(tmp_path):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    _, values = cli.parse('all', ['--config', str(config), '--dsa.epochs', '7', '--resume'])
    assert values['config'].dsa.epochs == 7
    assert values['config'].dsa.batch_size == 4
    assert values['resume'] is True


def test_fine_tuning_takes_the_name_of_bundled_weights(tmp_path):
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    _, values = cli.parse('fine-tune', ['--config', str(config), '--fine-tune.weights', 'indoor'])
    assert values['config'].fine_tune.weights == 'indoor'


def test_a_focal_length_that_contradicts_the_weights_cannot_be_given(tmp_path, capsys):
    config = write_yaml(
        tmp_path / 'config.yaml', tmp_path, fine_tune={'data': {'training_focal_px': 50.0}}
    )
    status, error = error_of(capsys, 'fine-tune', '--config', config)
    assert status == 2
    assert 'training_focal_px' in error


def test_a_wrong_argument_of_a_tool_is_one_error(tmp_path, capsys):
    status, error = error_of(
        capsys,
        'export-onnx',
        '--weights',
        tmp_path / 'none.safetensors',
        '--out',
        tmp_path / 'network.onnx',
    )
    assert status == 1
    assert 'none.safetensors' in error


def test_a_finished_stage_says_where_its_result_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(judge, 'train', lambda config, resume: config.result_of(judge.NAME))
    config = write_yaml(tmp_path / 'config.yaml', tmp_path)
    options = ['--config', str(config), '--run-dir', str(tmp_path / 'run')]
    assert cli.main(['judge', *options]) == 0
    assert capsys.readouterr().out == f'wrote {tmp_path / "run" / "judge"}\n'
    monkeypatch.setenv('RANK', '1')
    assert cli.main(['judge', *options]) == 0
    assert capsys.readouterr().out == ''
