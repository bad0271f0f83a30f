"""The parameters: every one described, contradictions refused, changes at run time."""

from dataclasses import fields
from pathlib import Path
import shutil
import subprocess
import sys

import pytest
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python
from ros_graph import Graph

from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.node.parameters import changed, help_text

ROOT = Path(__file__).parents[1]
RUN_TIME = {
    'min_depth',
    'max_depth',
    'depth_scale',
    'camera_height',
    'camera_pitch',
    'min_height',
    'max_height',
    'voxel_size',
    'scale_smoothing',
    'temporal_smoothing',
    'sharp_edges',
    'edge_filter',
    'min_confidence',
    'points_confidence',
    'point_stride',
    'max_rate',
    'stale_after',
    'frozen_after',
    'ground_contact',
    'ground_probability',
}


def test_every_parameter_is_described_and_marked():
    for item in fields(Parameters):
        assert len(item.metadata['description']) > 20, item.name
        assert item.metadata['run_time'] == (item.name in RUN_TIME), item.name
        for choice in item.metadata['choices']:
            assert choice in item.metadata['description'], item.name


def test_what_is_generated_from_the_parameters_has_not_drifted():
    script = ROOT / 'docs/scripts/parameters.py'
    check = subprocess.run([sys.executable, script, '--check'], capture_output=True, text=True)
    assert (check.returncode, check.stdout, check.stderr) == (0, '', '')


def test_generated_texts_that_drift_are_named_and_written_anew(tmp_path):
    for name in ('config', 'docs', 'launch'):
        shutil.copytree(ROOT / name, tmp_path / name)
    script, originals = tmp_path / 'docs/scripts/parameters.py', {}
    for pattern, text in {
        'config/depth_node.yaml': 'max_depth: 76.0',
        'config/camera_player.yaml': 'Images per second.',
        'docs/**/node.md': '0 to 0.99',
        'launch/depth.launch.py': 'Device of the network',
        'launch/demo.launch.py': 'Images per second.',
    }.items():
        (path,) = tmp_path.glob(pattern)
        originals[path] = path.read_text()
        path.write_text(originals[path].replace(text, 'another'))
        assert path.read_text() != originals[path]
    check = subprocess.run([sys.executable, script, '--check'], capture_output=True, text=True)
    assert check.returncode == 1
    assert check.stdout.splitlines() == [
        f'{path.relative_to(tmp_path)}: differs, run `make generate`' for path in originals
    ]
    subprocess.run([sys.executable, script], check=True)
    assert {path: path.read_text() for path in originals} == originals


def test_every_number_has_a_range_that_holds_its_default():
    defaults = Parameters()
    for item in fields(defaults):
        value = getattr(defaults, item.name)
        if isinstance(value, (float, int)) and not isinstance(value, bool):
            least, greatest = item.metadata['limits']
            assert least <= value <= greatest, item.name


def test_ground_probability_cannot_hide_every_obstacle():
    about = Parameters.__dataclass_fields__['ground_probability'].metadata
    assert about['limits'][0] > 0
    assert '1 is off' in about['description']


@pytest.mark.parametrize(
    ('values', 'fault'),
    [
        ({'min_depth': 5.0, 'max_depth': 5.0}, r'min_depth \(5.0 m\) must be below max_depth'),
        ({'depth_encoding': '64FC1'}, '32FC1, 16UC1'),
        ({'input_transport': 'theora'}, 'raw, compressed'),
        ({'precision': 'int8'}, 'float32'),
        ({'scale_source': 'gps'}, 'auto, fixed, ground_plane, reference'),
        ({'scale_source': 'ground_plane', 'base_frame': ''}, 'needs camera_height, in metres'),
        ({'camera_height': float('nan')}, 'camera_height must be a finite number, got nan'),
        ({'network_height': 192}, '192 x 0'),
        ({'cameras': []}, 'at least one'),
        ({'cameras': ['']}, 'namespace'),
        ({'cameras': ['/front']}, 'namespace'),
        ({'cameras': ['front cam']}, 'namespace'),
        ({'cameras': ['1st']}, 'namespace'),
        ({'cameras': ['network']}, 'namespace'),
        ({'cameras': ['a', 'b', 'a']}, 'different names'),
    ],
)
def test_contradictions_are_refused(values, fault):
    with pytest.raises(ValueError, match=fault):
        Parameters(**values)


def test_a_change_is_taken_whole_or_not_at_all():
    before = Parameters()
    after, result = changed(
        before, [Parameter('max_depth', value=30.0), Parameter('of_another', value=1)]
    )
    assert result.successful
    assert after.max_depth == 30.0
    same, result = changed(
        after, [Parameter('point_stride', value=2), Parameter('min_depth', value=31.0)]
    )
    assert not result.successful
    assert 'below max_depth (30.0 m)' in result.reason
    assert same is after


def test_the_size_is_automatic_or_both():
    assert Parameters().network_size_px is None
    assert Parameters(network_height=192, network_width=640).network_size_px == (192, 640)


def test_the_help_names_every_parameter():
    text = help_text()
    assert all(f'  {item.name} (' in text for item in fields(Parameters))


@pytest.mark.parametrize(
    ('program', 'written', 'sentences'),
    [
        (
            'depth_node',
            'autostart: false, weigths: indoor, max_depht: 8.0, x: 1, use_sim_time: false, '
            'qos_overrides: {/camera/image: {subscription: {depth: 2}}}',
            [
                'weigths is not a parameter of depth_node and is ignored; did you mean weights?',
                'max_depht is not a parameter of depth_node and is ignored; '
                'did you mean max_depth?',
                'x is not a parameter of depth_node and is ignored; --help lists them',
            ],
        ),
        (
            'camera_player',
            'path: /nowhere, rate: 5.0, frame: lens',
            [
                'rate is not a parameter of camera_player and is ignored; did you mean rate_hz?',
                'frame is not a parameter of camera_player and is ignored; did you mean frame_id?',
            ],
        ),
    ],
)
def test_misspelt_parameters_are_named_in_a_warning(program, written, sentences, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {' + written + '}}')
    with Graph(tmp_path) as graph:
        process = graph.start(
            's2r_depth_ros.program', program, '--ros-args', '--params-file', str(file)
        )
        graph.wait(lambda: all(sentence in process.output for sentence in sentences), 'warnings')
        assert process.output.count('is not a parameter of') == len(sentences)


@pytest.mark.parametrize(
    ('arguments', 'value', 'sentence'),
    [
        (['-p', 'steadiness:=0.5'], 0.5, 'steadiness is now called temporal_smoothing'),
        (['--params-file', 'mine.yaml'], 0.25, 'steadiness is now called temporal_smoothing'),
        (
            ['-p', 'temporal_smoothing:=0.75', '-p', 'steadiness:=0.5'],
            0.75,
            'steadiness is ignored: temporal_smoothing, which is its new name, is given, too',
        ),
    ],
)
def test_the_old_name_of_a_parameter_is_taken_with_a_warning(arguments, value, sentence, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('depth_node: {ros__parameters: {steadiness: 0.25}}')
    arguments = [str(file) if word == file.name else word for word in arguments]
    with Graph(tmp_path) as graph:
        process = graph.start(
            's2r_depth_ros.program',
            'depth_node',
            '--ros-args',
            '-p',
            'autostart:=false',
            *arguments,
        )
        graph.wait(lambda: sentence in process.output, sentence)
        assert 'is not a parameter of' not in process.output
        assert parameter(graph, 'temporal_smoothing') == value


def test_ros2_param_set_takes_the_old_name_of_a_parameter_with_a_warning(tmp_path):
    with Graph(tmp_path) as graph:
        process = graph.start(
            's2r_depth_ros.program', 'depth_node', '--ros-args', '-p', 'autostart:=false'
        )
        assert parameter(graph, 'temporal_smoothing') == 0.0
        changes = [Parameter('steadiness', value=0.5).to_parameter_msg()]
        response = graph.call(
            SetParameters, '/depth_node/set_parameters', SetParameters.Request(parameters=changes)
        )
        assert [result.successful for result in response.results] == [True]
        assert parameter(graph, 'temporal_smoothing') == 0.5
        graph.wait(
            lambda: 'steadiness is now called temporal_smoothing' in process.output, 'warning'
        )
        changes = [Parameter('steadiness', value=1.5).to_parameter_msg()]
        response = graph.call(
            SetParameters, '/depth_node/set_parameters', SetParameters.Request(parameters=changes)
        )
        assert [result.successful for result in response.results] == [False]
        assert parameter(graph, 'temporal_smoothing') == 0.5


def parameter(graph, name):
    """Return the value that the running node has."""
    response = graph.call(
        GetParameters, '/depth_node/get_parameters', GetParameters.Request(names=[name])
    )
    return parameter_value_to_python(response.values[0])
