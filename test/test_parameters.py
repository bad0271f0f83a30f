"""The parameters: every one described, contradictions refused, changes at run time."""
from dataclasses import fields
from pathlib import Path
import re

import pytest
from rclpy.parameter import Parameter
from ros_graph import Graph

from s2r_depth_ros.parameters import changed, help_text, Parameters

RUN_TIME = {
    'min_depth', 'max_depth', 'depth_scale', 'camera_height', 'camera_pitch', 'scale_smoothing',
    'steadiness', 'point_stride', 'max_rate', 'stale_after'}


def test_every_parameter_is_described_and_marked():
    for item in fields(Parameters):
        assert len(item.metadata['description']) > 20, item.name
        assert item.metadata['run_time'] == (item.name in RUN_TIME), item.name


def test_the_reference_page_has_every_parameter_with_its_type_and_default():
    page = (Path(__file__).parents[1] / 'docs' / 'node.md').read_text()
    rows = re.findall(r'^\| `(\w+)`(\*?) \| (\S+) \| `?(.+?)`? \| \S', page, re.M)
    types = {list: 'string[]', str: 'string', float: 'double', int: 'int', bool: 'bool'}
    defaults = Parameters()
    values = {item.name: getattr(defaults, item.name) for item in fields(defaults)}
    assert {name: (kind, default, star == '*') for name, star, kind, default in rows} == {
        name: (types[type(value)], written(value), name in RUN_TIME)
        for name, value in values.items()}
    assert len(rows) == len(values)


def written(value):
    """Return a default as the reference page writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f'[{", ".join(value)}]'
    return f'{value:.10g}' if isinstance(value, float) else str(value)


def test_every_number_has_a_range_that_holds_its_default():
    defaults = Parameters()
    for item in fields(defaults):
        value = getattr(defaults, item.name)
        if isinstance(value, (float, int)) and not isinstance(value, bool):
            least, greatest = item.metadata['limits']
            assert least <= value <= greatest, item.name


@pytest.mark.parametrize(('values', 'fault'), [
    ({'min_depth': 5.0, 'max_depth': 5.0}, r'min_depth \(5.0 m\) must be below max_depth'),
    ({'depth_encoding': '64FC1'}, '32FC1, 16UC1'),
    ({'input_transport': 'theora'}, 'raw, compressed'),
    ({'precision': 'int8'}, 'float32'),
    ({'scale_source': 'gps'}, 'fixed, ground_plane, reference'),
    ({'scale_source': 'ground_plane'}, 'needs camera_height, in metres'),
    ({'network_height': 192}, '192 x 0'),
    ({'cameras': []}, 'at least one'), ({'cameras': ['']}, 'namespace'),
    ({'cameras': ['/front']}, 'namespace'), ({'cameras': ['front cam']}, 'namespace'),
    ({'cameras': ['1st']}, 'namespace'), ({'cameras': ['network']}, 'namespace'),
    ({'cameras': ['a', 'b', 'a']}, 'different names')])
def test_contradictions_are_refused(values, fault):
    with pytest.raises(ValueError, match=fault):
        Parameters(**values)


def test_a_change_is_taken_whole_or_not_at_all():
    before = Parameters()
    after, result = changed(before, [
        Parameter('max_depth', value=30.0), Parameter('of_another', value=1)])
    assert result.successful
    assert after.max_depth == 30.0
    same, result = changed(after, [
        Parameter('point_stride', value=2), Parameter('min_depth', value=31.0)])
    assert not result.successful
    assert 'below max_depth (30.0 m)' in result.reason
    assert same is after


def test_the_size_is_automatic_or_both():
    assert Parameters().network_size_px is None
    assert Parameters(network_height=192, network_width=640).network_size_px == (192, 640)


def test_the_help_names_every_parameter():
    text = help_text()
    assert all(f'  {item.name} (' in text for item in fields(Parameters))


@pytest.mark.parametrize(('module', 'written', 'sentences'), [
    ('depth_node', 'autostart: false, weigths: indoor, max_depht: 8.0, x: 1, use_sim_time: false, '
     'qos_overrides: {/camera/image: {subscription: {depth: 2}}}',
     ['weigths is no parameter of depth_node and is ignored; is weights meant?',
      'max_depht is no parameter of depth_node and is ignored; is max_depth meant?',
      'x is no parameter of depth_node and is ignored; --help lists them']),
    ('camera_player', 'path: /nowhere, rate: 5.0, frame: lens',
     ['rate is no parameter of camera_player and is ignored; is rate_hz meant?',
      'frame is no parameter of camera_player and is ignored; is frame_id meant?'])])
def test_misspelt_parameters_are_named_in_a_warning(module, written, sentences, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {' + written + '}}')
    with Graph(tmp_path) as graph:
        process = graph.start(
            f's2r_depth_ros.{module}', '--ros-args', '--params-file', str(file))
        graph.wait(lambda: all(sentence in process.output for sentence in sentences), 'warnings')
        assert process.output.count('is no parameter of') == len(sentences)
