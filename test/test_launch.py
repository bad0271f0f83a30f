"""The launch files: arguments, topics, executables; and the files that they pass on."""
from __future__ import annotations

from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
import re
import runpy

import launch_stand_in as stand_in
from needed import ROS
import pytest
import yaml

from s2r_depth_ros import parameters
from s2r_depth_ros.camera_player import PARAMETERS as PLAYER_PARAMETERS
from s2r_depth_ros.outputs import OUTPUTS
from s2r_depth_ros.parameters import Parameters

ROOT = Path(__file__).parents[1]
DEPTH, DEMO = ROOT / 'launch/depth.launch.py', ROOT / 'launch/demo.launch.py'
OBSTACLES = ROOT / 'launch/obstacles.launch.py'


def of_kind(actions, kind):
    return [action for action in actions if isinstance(action, kind)]


def node(actions, executable):
    found, = (each for each in of_kind(actions, stand_in.Node)
              if each.named['executable'] == executable)
    return found


def ros_parameters(launched, arguments):
    files = [each for each in launched.named['parameters'] if not isinstance(each, dict)]
    values = [each for each in launched.named['parameters'] if isinstance(each, dict)]
    return ([stand_in.resolve(each, arguments) for each in files],
            {name: stand_in.resolve(value, arguments)
             for each in values for name, value in each.items()})


@pytest.mark.parametrize('path', [DEPTH, DEMO, OBSTACLES], ids=lambda path: path.name)
def test_every_argument_is_described_and_used_and_every_used_one_is_declared(path, monkeypatch):
    actions = stand_in.load(path, monkeypatch)
    declared = of_kind(actions, stand_in.DeclareLaunchArgument)
    assert all(len(action.named['description']) > 10 for action in declared)
    others = [action for action in actions if action not in declared]
    defaults_of = [action.named.get('default_value', '') for action in declared]
    assert {action.positional[0] for action in declared} == stand_in.used_arguments(
        others) | stand_in.used_arguments(defaults_of)


@pytest.mark.parametrize(('kind', 'named'), [
    (stand_in.DeclareLaunchArgument, {'choice': ['a']}), (stand_in.Node, {'emulate_ty': True})])
def test_the_stand_in_refuses_what_launch_refuses(kind, named):
    with pytest.raises(TypeError, match='has no argument'):
        kind('x', **named)


@pytest.mark.parametrize('path', [DEPTH, DEMO], ids=lambda path: path.name)
def test_executables_are_console_scripts_of_the_package(path, monkeypatch):
    scripts = {
        script.name for script in entry_points(group='console_scripts')
        if script.value.startswith('s2r_depth_ros')}
    launched = [each.named for each in of_kind(stand_in.load(path, monkeypatch), stand_in.Node)]
    own = {each['executable'] for each in launched if each['package'] == 's2r_depth_ros'}
    assert own
    assert own <= scripts


def test_topics_of_a_driver_are_remapped_to_the_node_by_default(monkeypatch):
    actions = stand_in.load(DEPTH, monkeypatch)
    arguments = stand_in.defaults(actions)
    remappings = {
        stand_in.resolve(old, arguments): stand_in.resolve(new, arguments)
        for old, new in node(actions, 'depth_node').named['remappings']}
    assert remappings == {
        'camera/image': 'camera/image_raw',
        'camera/image/compressed': 'camera/image_raw/compressed',
        'camera/camera_info': 'camera/camera_info'}


def test_arguments_name_cameras_topics_weights_and_device(monkeypatch):
    actions = stand_in.load(DEPTH, monkeypatch)
    arguments = stand_in.defaults(
        actions, camera='front', image_topic='/a/rgb', camera_info_topic='/a/info',
        cameras='[front, rear]', weights='indoor', device='cuda:1', params_file='mine.yaml',
        use_sim_time='true', rectify='false')
    depth_node = node(actions, 'depth_node')
    assert {
        stand_in.resolve(old, arguments): stand_in.resolve(new, arguments)
        for old, new in depth_node.named['remappings']} == {
            'front/image': '/a/rgb', 'front/image/compressed': '/a/rgb/compressed',
            'front/camera_info': '/a/info'}
    files, values = ros_parameters(depth_node, arguments)
    assert files == ['mine.yaml']
    assert values == {
        'cameras': '[front, rear]', 'rectify': 'false', 'weights': 'indoor',
        'device': 'cuda:1', 'use_sim_time': 'true'}


def test_default_arguments_are_the_default_parameters(monkeypatch):
    actions = stand_in.load(DEPTH, monkeypatch)
    _, values = ros_parameters(node(actions, 'depth_node'), stand_in.defaults(actions))
    assert values.pop('use_sim_time') == 'false'
    assert values.pop('rectify') == 'true'  # the default topic is image_raw
    assert {name: yaml.safe_load(value) for name, value in values.items()} == {
        name: getattr(Parameters(), name) for name in values}


def test_rviz_starts_only_if_asked_for(monkeypatch):
    actions = stand_in.load(DEPTH, monkeypatch)
    condition = node(actions, 'rviz2').named['condition']
    assert stand_in.resolve(condition, stand_in.defaults(actions)) == 'false'
    assert stand_in.resolve(condition, stand_in.defaults(actions, rviz='true')) == 'true'


def test_files_named_by_the_launch_files_are_installed(monkeypatch):
    depth, demo = stand_in.load(DEPTH, monkeypatch), stand_in.load(DEMO, monkeypatch)
    arguments = stand_in.defaults(depth)
    include, = of_kind(demo, stand_in.IncludeLaunchDescription)
    named = [
        arguments['params_file'],
        stand_in.resolve(node(depth, 'rviz2').named['arguments'][1], arguments),
        stand_in.resolve(include.positional[0].positional[0], {}),
        stand_in.defaults(demo, path='x')['player_params_file'],
        *(stand_in.resolve(action.positional[1], {})
          for action in of_kind(demo, stand_in.SetEnvironmentVariable))]
    for name in named:
        assert name.startswith('share(s2r_depth_ros)/')
        assert (ROOT / name.partition('/')[2]).is_file()


@pytest.mark.parametrize('path', [DEMO, OBSTACLES], ids=lambda path: path.name)
def test_arguments_passed_on_are_those_that_the_included_file_declares(path, monkeypatch):
    depth, outer = stand_in.load(DEPTH, monkeypatch), stand_in.load(path, monkeypatch)
    include, = of_kind(outer, stand_in.IncludeLaunchDescription)
    passed = {name for name, _ in include.named['launch_arguments']}
    declared = {
        action.positional[0] for action in of_kind(depth, stand_in.DeclareLaunchArgument)}
    assert passed <= declared


def test_demo_plays_the_path_into_the_camera_of_the_node(monkeypatch):
    actions = stand_in.load(DEMO, monkeypatch)
    player = node(actions, 'camera_player')
    assert player.named['namespace'] == 'camera'
    _, values = ros_parameters(player, stand_in.defaults(actions, path='/films/a b.mp4'))
    assert values['path'] == '/films/a b.mp4'
    assert set(values) <= set(PLAYER_PARAMETERS)


@pytest.mark.parametrize('path', [DEPTH, DEMO, OBSTACLES], ids=lambda path: path.name)
def test_real_launch_reads_the_file(path):
    pytest.importorskip('launch_ros', reason=ROS.format('launch'))
    description = runpy.run_path(str(path))['generate_launch_description']()
    assert all(argument.description for argument in description.get_launch_arguments())


def test_parameters_file_holds_every_parameter_with_its_default():
    file = yaml.safe_load((ROOT / 'config/depth_node.yaml').read_text())
    written = file['/**']['ros__parameters']
    assert written == {item.name: getattr(Parameters(), item.name) for item in fields(Parameters)}
    assert {name: type(value) for name, value in written.items()} == {
        name: type(getattr(Parameters(), name)) for name in written}


def test_parameters_file_says_what_the_launch_file_sets_in_its_place(monkeypatch):
    header = (ROOT / 'config/depth_node.yaml').read_text().partition('/**:')[0]
    actions = stand_in.load(DEPTH, monkeypatch)
    _, values = ros_parameters(node(actions, 'depth_node'), stand_in.defaults(actions))
    assert [name for name in values if name not in header] == []


def test_parameters_file_marks_what_can_change_at_run_time():
    comment, marked = '', set()
    for line in (ROOT / 'config/depth_node.yaml').read_text().splitlines():
        text = line.strip()
        if text.startswith('#'):
            comment += text
        else:
            name = text.partition(':')[0]
            if '(run time)' in comment and line.startswith('    '):
                marked.add(name)
            comment = ''
    assert marked == {
        item.name for item in fields(parameters.Parameters)
        if item.metadata['run_time']}


def test_rviz_shows_published_topics_with_the_published_reliability():
    configuration = yaml.safe_load((ROOT / 'rviz/depth.rviz').read_text())
    displays = configuration['Visualization Manager']['Displays']
    shown = {display['Topic']['Value']: display['Topic']['Reliability Policy']
             for display in displays if 'Topic' in display}
    assert shown.pop('/camera/image_raw') == 'Best Effort'  # of any driver
    assert set(shown) == {
        f'/camera/{output}' for output in OUTPUTS if output != 'depth/camera_info'}
    assert set(shown.values()) == {'Reliable'}
    assert configuration['Visualization Manager']['Global Options']['Fixed Frame'] == (
        PLAYER_PARAMETERS['frame_id'].default)
    cloud, = (each for each in displays if each['Class'].endswith('DepthCloud'))
    assert cloud['Depth Map Topic'] == '/camera/depth/image'
    assert cloud['Color Image Topic'] == '/camera/depth/image_color'


def pages():
    """Return the text of the README and of all pages, commands in one line."""
    files = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
    return '\n'.join(re.sub(r'\\\n\s*', ' ', file.read_text()) for file in files)


def test_every_argument_that_the_pages_give_is_declared(monkeypatch):
    text = pages()
    commands = re.findall(r'ros2 launch s2r_depth_ros (\S+) ([^\n`]*)', text)
    assert sum(':=' in line for _, line in commands) >= 3
    for file, line in commands:
        declared = {
            action.positional[0] for action in stand_in.load(ROOT / 'launch' / file, monkeypatch)
            if isinstance(action, stand_in.DeclareLaunchArgument)}
        given = re.findall(r'(\w+):=', line)
        assert set(given) <= declared, (file, line)


def test_every_parameter_that_the_pages_give_is_one_of_the_node():
    commands = re.findall(r'ros2 run s2r_depth_ros depth_node ([^\n`]*)', pages())
    given = {name for line in commands for name in re.findall(r'-p (\w+):=', line)}
    given |= set(re.findall(r'ros2 param set /depth_node (\w+)', pages()))
    assert {'scale_source', 'weights', 'steadiness'} <= given
    assert given <= {item.name for item in fields(Parameters)}
