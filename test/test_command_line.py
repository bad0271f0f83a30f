"""One grammar for `s2r` and `s2r_train`: dashes, and one sentence for a fault."""

import re
import subprocess
import sys

import pytest

from s2r_depth_ros.cli import main as s2r
from s2r_depth_ros.cli import VERBS
from s2r_depth_ros.cli.bag import ADDED_TOPICS
from s2r_depth_ros.cli.options import BagOptions, OPTIONS
from s2r_depth_ros.cli.parsing import parser_of, read
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_training.cli import main as s2r_train
from s2r_depth_training.cli import parse
from s2r_depth_training.cli import parser_of as training_parser_of
from s2r_depth_training.cli import VERBS as TRAINING_VERBS

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from s2r_depth_ros.cli import main
sys.exit(main())
"""


def options_of(verb, *words):
    options = OPTIONS[verb]
    return read(parser_of(f's2r {verb}', options), options, [str(word) for word in words])


def test_every_verb_has_its_options():
    assert [*OPTIONS] == [*VERBS]


@pytest.mark.parametrize('verb', OPTIONS)
def test_the_help_of_a_tool_has_dashes_defaults_and_an_example(verb):
    page = parser_of(f's2r {verb}', OPTIONS[verb]).format_help()
    assert not re.search(r'--[\w-]*_', page)
    assert f'  s2r {verb}' in page.partition('Examples:')[2]
    assert ':param' not in page


@pytest.mark.parametrize('verb', TRAINING_VERBS)
def test_the_help_of_the_training_has_dashes_and_plain_types(verb):
    page = training_parser_of(verb)[0].format_help()
    assert not re.search(r'--[\w.-]*_', page)
    assert '<class' not in page


@pytest.mark.parametrize('option', ['--color-range', '--color_range'])
def test_a_tool_takes_underscores_for_dashes(option):
    options = options_of('depth', 'a_b.jpg', option, 0.5, 10, '--point_stride=2')
    assert list(options.color_range) == [0.5, 10.0]
    assert options.parameters['point_stride'] == 2
    assert str(*options.inputs) == 'a_b.jpg'


@pytest.mark.parametrize('dash', ['-', '_'])
def test_the_training_takes_underscores_for_dashes(dash):
    words = '--run-dir a_b --ste-encoder.crop-px=128 --dsa.batch-size 3'.replace('-', dash)
    words = words.replace(dash * 2, '--').split()
    config = parse('all', words)[1]['config']
    assert (config.ste_encoder.crop_px, config.dsa.batch_size) == (128, 3)
    assert str(config.run_dir) == 'a_b'


@pytest.mark.parametrize(
    'words',
    [
        ['--fine-tune.data.options.raw-root', 'a-b_c'],
        ['--fine-tune.data.options.raw_root=a-b_c'],
        ['--fine_tune.data.options.raw_root', 'a-b_c'],
        ['--fine-tune.data.options', '{"raw_root": "a-b_c"}'],
    ],
)
def test_a_key_of_a_mapping_keeps_the_name_that_it_has_in_python(words):
    config = parse('fine-tune', ['--run-dir', 'run', *words])[1]['config']
    assert config.fine_tune.data.options == {'raw_root': 'a-b_c'}


@pytest.mark.parametrize('option', ['--print-config', '--print_config'])
def test_the_config_that_the_training_prints_keeps_its_underscores(option, capsys):
    assert s2r_train(['dsa', '--run-dir', 'run', option]) == 0
    assert 'batch_size:' in capsys.readouterr().out


def test_the_parameters_of_the_node_have_its_defaults():
    given = options_of('depth', 'a.jpg').parameters
    defaults = Parameters()
    assert given == {name: getattr(defaults, name) for name in given}


def test_names_are_taken_as_they_are():
    names = ['010', 'null', '[a]', '{b: 1}', '1e5', 'c: d']
    options = options_of('depth', *names, '--weights', '010', '--image', 'null', '08')
    assert [str(path) for path in options.inputs] == names
    assert options.parameters['weights'] == '010'
    assert options.image == ['null', '08']


def test_the_outputs_of_a_bag_are_all_that_can_be_added():
    choices = BagOptions.__dataclass_fields__['outputs'].metadata['choices']
    assert [f'depth/{name}' for name in choices] == [*ADDED_TOPICS]
    help_page = ' '.join(parser_of('s2r bag', BagOptions).format_help().split())
    outputs = help_page.partition('depth topics to add: ')[2].partition('.')[0]
    assert {*choices} <= {*outputs.replace(',', '').split()}


def test_a_kind_that_is_named_twice_counts_once():
    words = ['--outputs', 'scale', 'image', 'scale']
    assert options_of('bag', 'a', 'b', *words).outputs == ['scale', 'image']
    assert options_of('depth', 'a', '--save', 'ply', 'ply').save == ['ply']


@pytest.mark.parametrize(
    ('words', 'fault'),
    [
        (['depth'], 'required: INPUT'),
        (['depth', ''], 'a word is empty'),
        (['depth', 'a', '--out.x', '3'], '--out has no parts: write --out VALUE'),
        (['depth', 'a', '--threads', '08'], '08 begins with a zero'),
        (['depth', 'a', '--frames', '0'], '0 is not in 1 to'),
        (['depth', 'a', '--save', 'tiff'], "invalid choice: 'tiff'"),
        (['depth', 'a', '--color-range', '1'], 'expected 2 arguments'),
        (['depth', 'a', '--scale-source', 'reference'], 'invalid choice'),
        (['depth', 'a', '--colour-range', '1', '2'], 'unrecognized arguments: --colour-range'),
        (['bag', 'a'], 'required'),
        (['bench', '--image-size', '640'], "invalid WIDTHxHEIGHT value: '640'"),
        (['demo', '--frames', '-1'], 'invalid positive int value'),
        (['doctor', '--images', '1.5'], "invalid int value: '1.5'"),
        (['completion', 'fish'], "invalid choice: 'fish'"),
    ],
)
def test_a_fault_of_the_command_line_is_one_sentence(words, fault, capsys):
    with pytest.raises(SystemExit) as ended:
        s2r(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1
    assert said.startswith(f's2r {words[0]}: error: ')
    assert fault in said


@pytest.mark.parametrize(
    ('words', 'fault'),
    [
        (['dsa'], 'required: --run-dir'),
        (['dsa', '--seed', 'x'], '--seed must be a whole number, got x'),
        (['dsa', '--seed.x', '3'], '--seed has no parts: write --seed VALUE'),
        (['dsa', '--dsa.epochs', 'many'], '--dsa.epochs must be a number, got many'),
        (['dsa', '--data.gpu-cache', 'maybe'], '--data.gpu-cache must be true or false'),
        (['dsa', '--dsa.optimizer', 'sgd'], '--dsa.optimizer must be one of adam, muon, got sgd'),
        (['dsa', '--fabric.accelerator', 'tpu'], 'must be one of auto, cpu, cuda, mps, got tpu'),
        (['evaluate', '--limit', 'x'], '--limit must be a whole number or null, got x'),
        (['completion', 'fish'], 'shell must be one of bash, zsh, tcsh, got fish'),
    ],
)
def test_a_wrong_setting_of_the_training_is_one_sentence_without_names_of_classes(
    words, fault, capsys
):
    assert s2r_train(words) == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1
    assert fault in said
    assert '<class' not in said
    assert 'typing.' not in said


@pytest.mark.parametrize('option', ['--config', '--fabric'])
def test_a_config_that_is_no_text_is_one_sentence(option, tmp_path, capsys):
    picture = tmp_path / 'street.jpg'
    picture.write_bytes(b'\xff\xd8\xff')
    assert s2r_train(['dsa', '--run-dir', 'run', option, str(picture)]) == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1
    assert 'YAML file in UTF-8' in said


def test_a_new_name_counts_more_than_the_old_one_even_with_the_default(capsys):
    options = options_of('depth', 'a.jpg', '--steadiness', 0.5, '--temporal-smoothing', 0)
    assert options.parameters['temporal_smoothing'] == 0
    assert '--steadiness is ignored' in capsys.readouterr().err


def test_without_jsonargparse_the_tools_say_what_to_install():
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT, 'jsonargparse', 'depth', 'a.jpg'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith('s2r depth needs jsonargparse, which is not installed: pip ')
    assert done.stderr.count('\n') == 1


def test_the_list_of_verbs_needs_no_library():
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT, 'jsonargparse', '--help'], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert all(f'  {verb}' in done.stdout for verb in VERBS)
