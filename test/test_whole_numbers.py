"""An integer with a leading zero is refused in all places of input."""

import argparse
import re

import pytest

from s2r_depth_ros.cli import main as s2r
from s2r_depth_ros.cli.parsing import number_in
from s2r_depth_ros.ros.session import check_command_line
from s2r_depth_ros.whole_numbers import leading_zero_fault
from s2r_depth_training.cli import main as s2r_train


@pytest.mark.parametrize('text', ['010', '08', '-012', '+07', '00', 'a: 010', '[1, 010]', '0_7'])
def test_a_leading_zero_is_found_in_values_and_files(text):
    assert re.search('begins with a zero.*leave the zero out', leading_zero_fault(text))


@pytest.mark.parametrize(
    'text',
    [
        '0',
        '10',
        '-1',
        '0.5',
        '00.5',
        '0x10',
        '1e05',
        "'010'",
        '"007"',
        'a010',
        '12:05',
        '/data/007/',
        'on',
        'a: {',
        '# 010',
        'stamp: 0-1',
    ],
)
def test_what_is_no_such_integer_is_left_alone(text):
    assert leading_zero_fault(text) == ''


def test_the_tools_refuse_it(capsys):
    with pytest.raises(argparse.ArgumentTypeError, match='begins with a zero'):
        number_in(int, 0, 100)('010')
    assert number_in(float, 0, 100)('010') == 10.0
    with pytest.raises(SystemExit):
        s2r(['bench', '--threads', '010'])
    assert '010 begins with a zero' in capsys.readouterr().err


@pytest.mark.parametrize(
    'words', [['-p', 'threads:=010'], ['--param', 'threads:=08'], ['-p', 'counts:=[1, 010]']]
)
def test_a_node_refuses_it_on_the_command_line(words, capsys):
    with pytest.raises(SystemExit) as ended:
        check_command_line('depth_node', 'help', ['--ros-args', *words])
    assert ended.value.code == 2
    assert 'begins with a zero' in capsys.readouterr().err


def test_a_node_refuses_it_in_a_parameter_file(tmp_path, capsys):
    file = tmp_path / 'robot.yaml'
    words = ['--ros-args', '--params-file', str(file)]
    file.write_text('/**:\n  ros__parameters:\n    threads: 010\n')
    with pytest.raises(SystemExit) as ended:
        check_command_line('depth_node', 'help', words)
    assert ended.value.code == 2
    assert f'{file} is not clear: 010 in line 3 begins with a zero' in capsys.readouterr().err
    file.write_text('/**:\n  ros__parameters:\n    threads: 10\n    weights: "010"\n')
    check_command_line('depth_node', 'help', words)


@pytest.mark.parametrize('words', [['--seed', '010'], ['--seed=010']])
def test_the_training_refuses_it_on_the_command_line(words, capsys):
    assert s2r_train(['ste-encoder', '--run_dir', 'run', *words]) == 2
    assert '--seed is not clear: 010 begins with a zero' in capsys.readouterr().err


def test_the_training_refuses_it_in_a_config_file(tmp_path, capsys):
    file = tmp_path / 'config.yaml'
    file.write_text('seed: 1\nste_encoder:\n  steps: 0100\n')
    assert s2r_train(['ste-encoder', '--run_dir', 'run', '--config', str(file)]) == 2
    assert f'{file} is not clear: 0100 in line 3 begins with a zero' in capsys.readouterr().err


def test_the_training_takes_a_folder_whose_name_is_of_digits(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert s2r_train(['dsa', '--run_dir', '010', '--architecture', 'none']) != 0
    assert 'begins with a zero' not in capsys.readouterr().err
