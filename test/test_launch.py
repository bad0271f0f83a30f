"""The launch files: arguments, topics, executables; and the files that they pass on."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
import re

import launch_stand_in as stand_in
from needed import ROS
import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from ros_graph import Graph
import yaml

from s2r_depth_ros.depth import parameters
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.ros.outputs import INFO, OUTPUTS
from s2r_depth_ros.sources.camera_player import PARAMETERS as PLAYER_PARAMETERS

ROOT = Path(__file__).parents[1]
DEPTH, DEMO = ROOT / 'launch/depth.launch.py', ROOT / 'launch/demo.launch.py'
OBSTACLES = ROOT / 'launch/obstacles.launch.py'
FILES = DEPTH, DEMO, OBSTACLES
ALL = pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
INSTALLED = 'rviz2', 'tf2_ros'
NEEDED = {DEPTH: {}, DEMO: {'path': str(ROOT / 's2r_depth_ros/demo_frames')}, OBSTACLES: {}}
# A value for each argument that differs from what is in force without it.
EXAMPLES = {
    'camera': 'front',
    'image_topic': '/a/rgb',
    'camera_info_topic': '/a/info',
    'cameras': 'left,right',
    'rectify': 'false',
    'weights': 'indoor',
    'device': 'cuda:1',
    'engine': 'torch',
    'params_file': '',
    'use_sim_time': 'true',
    'rviz': '',
    'optical_frame': 'lens',
    'enclave': '/here/depth_node',
    'respawn': 'true',
    'log_level': 'debug',
    'publish_tf': 'false',
    'base_frame': 'base_of_the_robot',
    'camera_x': '0.2',
    'camera_y': '-0.1',
    'camera_height': '1.2',
    'camera_pitch': '10.0',
    'camera_yaw': '20.0',
    'path': str(ROOT),
    'rate_hz': '3',
    'focal_px': '700.0',
    'player_params_file': '',
}


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Return a function that runs a launch file, with what it needs, up to the processes."""

    def launched(path, /, installed=INSTALLED, **arguments):
        folder = tmp_path / f'launched_{len(list(tmp_path.iterdir()))}'
        folder.mkdir()
        return stand_in.Launch(
            stand_in.load(path, monkeypatch), folder, installed, **{**NEEDED[path], **arguments}
        )

    return launched


@pytest.fixture
def params_file(tmp_path):
    """Return a function that writes a parameter file."""

    def params_file(node='/**', **values):
        file = tmp_path / f'{len(list(tmp_path.iterdir()))}.yaml'
        file.write_text(yaml.dump({node: {'ros__parameters': values}}))
        return str(file)

    return params_file


def outcome(launch):
    """Return each process's command, parameters and restart, for comparison."""
    return [
        (
            [word for word in each.command if 'launch_params_' not in word],
            each.parameters,
            each.action.named.get('respawn', False),
        )
        for each in launch.run().processes
    ] + [launch.context.notes]


@ALL
def test_every_argument_is_described(path, monkeypatch):
    for action in stand_in.load(path, monkeypatch):
        if isinstance(action, stand_in.DeclareLaunchArgument):
            assert len(action.named['description']) > 10


@ALL
def test_every_argument_has_an_effect(path, monkeypatch, launched, params_file):
    usual = {'rviz': 'true'}  # whose frame and topics are among the effects
    before = outcome(launched(path, **usual))
    files = {
        'params_file': params_file(weights='random', camera_height=0.5),
        'player_params_file': params_file(rate_hz=1.0),
        'rviz': 'false',
    }
    for name in stand_in.argument_names(stand_in.load(path, monkeypatch)):
        given = {**usual, name: files.get(name, EXAMPLES[name])}
        assert outcome(launched(path, **given)) != before, name


@pytest.mark.parametrize(
    ('kind', 'named'),
    [(stand_in.DeclareLaunchArgument, {'choice': ['a']}), (stand_in.Node, {'emulate_ty': True})],
)
def test_the_stand_in_refuses_what_launch_refuses(kind, named):
    with pytest.raises(TypeError, match='has no argument'):
        kind('x', **named)


# What may fail comes first

FAULTS = [
    (FILES, {'installed': ('tf2_ros',), 'rviz': 'true'}, 'rviz2 .* is not installed'),
    (FILES, {'params_file': '/nowhere/mine.yaml'}, "params_file: '/nowhere/mine.yaml'.*no "),
    (FILES, {'params_file': str(ROOT)}, 'params_file: .*is a directory'),
    (FILES, {'params_file': str(ROOT / 'setup.py')}, 'params_file: .*is not YAML'),
    (
        FILES,
        {'params_file': str(ROOT / 'config/nav2_voxel_layer.yaml')},
        'no parameters of depth_node.*and has /local_costmap/local_costmap',
    ),
    (FILES, {'rviz': 'yes please'}, "rviz must be true or false, got 'yes please'"),
    (FILES, {'respawn': 'on'}, "respawn must be true or false, got 'on'"),
    (FILES, {'rectify': 'no'}, "rectify must be true or false, got 'no'"),
    (FILES, {'use_sim_time': '2'}, "use_sim_time must be true or false, got '2'"),
    (FILES, {'camera': 'front cam'}, "camera is one name, got 'front cam'"),
    (FILES, {'camera': '1st'}, "camera: '1st' cannot be the namespace"),
    (FILES, {'cameras': 'front,re-ar'}, "cameras: 're-ar' cannot be the namespace"),
    (FILES, {'camera': 'front', 'cameras': 'left,right'}, 'is not one of .*left, right'),
    (FILES, {'enclave': 'depth_node'}, "begins with '/', got 'depth_node'"),
    ([OBSTACLES], {'installed': ('rviz2',)}, 'static_transform_publisher .* is not installed'),
    ([OBSTACLES], {'publish_tf': 'maybe'}, "publish_tf must be true or false, got 'maybe'"),
    ([OBSTACLES], {'camera_x': '20 cm'}, "camera_x must be a number, got '20 cm'"),
    ([OBSTACLES], {'camera_pitch': 'down'}, "camera_pitch must be a number, got 'down'"),
    ([OBSTACLES], {'camera_height': '0'}, 'camera_height is missing: give camera_height:=METRES'),
    ([OBSTACLES], {'camera_height': 'nan'}, "camera_height must be a number, got 'nan'"),
    ([OBSTACLES], {'camera_yaw': '1e999'}, "camera_yaw must be a number, got '1e999'"),
    ([OBSTACLES], {'optical_frame': 'base_link'}, 'frames must differ, and are base_link, base'),
    (FILES, {'image_topic': '/front/2nd/image'}, "image_topic: '/front/2nd/image' cannot be a"),
    (FILES, {'camera_info_topic': '/front/info/'}, "camera_info_topic: '/front/info/' cannot"),
    ([OBSTACLES], {'camera_z': '1.2'}, 'camera_z is now camera_height, in metres above'),
    ([OBSTACLES], {'camera_pitch_rad': '0'}, 'camera_pitch_rad is now camera_pitch, in degrees'),
    ([DEMO], {'path': ''}, 'path is missing'),
    ([DEMO], {'path': '/nowhere/film.mp4'}, "there is no folder or file '/nowhere/film.mp4'"),
    ([DEMO], {'rate_hz': 'fast'}, "rate_hz must be a number, got 'fast'"),
    ([DEMO], {'player_params_file': 'nowhere.yaml'}, "player_params_file: 'nowhere.yaml'"),
]


@pytest.mark.parametrize(
    ('path', 'given', 'sentence'),
    [(path, given, sentence) for paths, given, sentence in FAULTS for path in paths],
)
def test_a_launch_that_fails_has_started_nothing(path, given, sentence, launched):
    launch = launched(path, **given)
    with pytest.raises(RuntimeError, match=sentence):
        launch.run()
    assert launch.processes == []


@ALL
def test_cameras_of_a_file_that_are_no_list_are_refused_not_replaced(path, launched, params_file):
    launch = launched(path, params_file=params_file(cameras='front', camera_height=0.5))
    with pytest.raises(RuntimeError, match=r"must be a list of names, such as \[front\], got 'fr"):
        launch.run()
    assert launch.processes == []


def test_a_scan_frame_that_would_close_a_loop_of_frames_is_refused(launched, params_file):
    for frame in ('base_link', 'camera_link', 'camera_optical_frame'):
        file = params_file(scan_frame=frame, camera_height=0.5)
        with pytest.raises(RuntimeError, match=f'frames must differ.* {frame}.*change .*scan_fra'):
            launched(OBSTACLES, params_file=file).run()
    # Without the transforms of the camera, the frame is still no parent of itself.
    file = params_file(scan_frame='camera_optical_frame', camera_height=0.5)
    with pytest.raises(RuntimeError, match='frames must differ'):
        launched(OBSTACLES, params_file=file, publish_tf='false').run()


@ALL
def test_nothing_starts_before_the_last_check(path, monkeypatch, launched):
    """One function checks and returns all that is started; nothing in it is conditional."""
    *others, last = stand_in.load(path, monkeypatch)
    assert not any(isinstance(each, (stand_in.Node, stand_in.OpaqueFunction)) for each in others)
    launch = launched(path, rviz='true')
    launch.run()
    started = [each.action for each in launch.processes]
    returned = last.visit(launch.context)
    assert all('condition' not in each.named for each in returned)
    assert len([each for each in returned if isinstance(each, stand_in.Node)]) == len(started)


@pytest.mark.parametrize(
    ('path', 'others'),
    [
        (DEPTH, {'rviz2'}),
        (DEMO, {'rviz2', 'camera_player'}),
        (OBSTACLES, {'rviz2', 'base_to_camera', 'camera_to_optical', 'optical_to_level'}),
    ],
    ids=lambda value: getattr(value, 'name', None),
)
def test_what_was_started_beside_depth_node_ends_with_it(path, others, launched):
    launch = launched(path, rviz='true').run()
    assert {each.action.named['name'] for each in launch.processes} == others | {'depth_node'}
    assert launch.ended_with('depth_node', 1) == others
    assert launch.ended_with('depth_node', 0) == others
    assert launch.ended_with('rviz2', 0) == set()


@ALL
def test_with_respawn_depth_node_alone_starts_again_and_nothing_ends_with_it(path, launched):
    launch = launched(path, rviz='true', respawn='true').run()
    starts_again = {
        each.action.named['name'] for each in launch.processes if each.action.named.get('respawn')
    }
    assert starts_again == {'depth_node'}
    assert launch.process('depth_node').action.named['respawn_delay'] > 0
    assert launch.ended_with('depth_node', 1) == set()


def test_a_player_that_fails_ends_the_demo_and_one_that_is_through_does_not(launched):
    launch = launched(DEMO).run()
    assert launch.ended_with('camera_player', 1) == {'depth_node'}
    assert launch.ended_with('camera_player', 0) == set()


def test_what_the_launch_files_start_is_declared_in_the_manifest(launched):
    started = {
        each.action.named['package']
        for path in NEEDED
        for each in launched(path, rviz='true').run().processes
    }
    declared = re.findall(r'<exec_depend>(\w+)</exec_depend>', (ROOT / 'package.xml').read_text())
    assert started - {'s2r_depth_ros'} == {'rviz2', 'tf2_ros'}
    assert started <= {*declared, 's2r_depth_ros'}


# Arguments and parameters


def test_topics_of_a_driver_are_remapped_to_the_node_by_default(launched):
    assert launched(DEPTH).run().process('depth_node').remappings == {
        'camera/image': 'camera/image_raw',
        'camera/image/compressed': 'camera/image_raw/compressed',
        'camera/camera_info': 'camera/camera_info',
    }


def test_arguments_name_cameras_topics_weights_and_device(launched):
    depth_node = (
        launched(
            DEPTH,
            camera='front',
            image_topic='/a/rgb',
            camera_info_topic='/a/info',
            cameras='[front, rear]',
            weights='indoor',
            device='cuda:1',
            use_sim_time='true',
            rectify='false',
        )
        .run()
        .process('depth_node')
    )
    assert depth_node.remappings == {
        'front/image': '/a/rgb',
        'front/image/compressed': '/a/rgb/compressed',
        'front/camera_info': '/a/info',
    }
    given = {
        'cameras': ['front', 'rear'],
        'rectify': False,
        'weights': 'indoor',
        'device': 'cuda:1',
        'use_sim_time': True,
    }
    assert {name: depth_node.parameters[name] for name in given} == given


@pytest.mark.parametrize(
    ('given', 'cameras', 'first'),
    [
        ({}, ['camera'], 'camera'),
        ({'camera': '/front'}, ['front'], 'front'),
        ({'camera': 'front/'}, ['front'], 'front'),
        ({'camera': 'a/front'}, ['a/front'], 'a/front'),
        ({'cameras': 'front'}, ['front'], 'front'),
        ({'cameras': 'front,rear'}, ['front', 'rear'], 'front'),
        ({'cameras': '/front, /rear'}, ['front', 'rear'], 'front'),
        ({'cameras': '[front, rear]'}, ['front', 'rear'], 'front'),
        ({'cameras': '["front", \'/rear\']'}, ['front', 'rear'], 'front'),
        ({'camera': '/rear', 'cameras': '[front, rear]'}, ['front', 'rear'], 'rear'),
    ],
)
def test_names_of_cameras_are_understood(given, cameras, first, launched):
    depth_node = launched(DEPTH, **given).run().process('depth_node')
    assert depth_node.parameters['cameras'] == cameras
    assert depth_node.remappings[f'{first}/image'] == f'{first}/image_raw'


@pytest.mark.parametrize(
    ('word', 'value'),
    [
        ('true', True),
        ('True', True),
        ('TRUE', True),
        ('false', False),
        ('False', False),
        ('FALSE', False),
    ],
)
def test_true_and_false_are_understood_in_any_case(word, value, launched):
    launch = launched(DEPTH, rectify=word, use_sim_time=word, rviz=word).run()
    given = launch.process('depth_node').parameters
    assert (given['rectify'], given['use_sim_time']) == (value, value)
    assert len(launch.processes) == 1 + value


IN_FILE = {
    'cameras': ['front', 'rear'],
    'rectify': False,
    'weights': 'indoor',
    'device': 'cpu',
    'use_sim_time': True,
    'camera_height': 0.5,
    'base_frame': 'base_link',
}


@pytest.mark.parametrize('node', ['/**', 'depth_node', '/depth_node'])
@ALL
def test_an_argument_that_is_left_out_leaves_the_parameter_file_alone(
    path, node, launched, params_file
):
    launch = launched(path, params_file=params_file(node, **IN_FILE)).run()
    depth_node = launch.process('depth_node')
    assert depth_node.parameters == IN_FILE
    assert depth_node.remappings['front/image'] == 'front/image_raw'  # of the file's first camera


@ALL
def test_an_argument_that_is_given_overrides_the_parameter_file(path, launched, params_file):
    given = {'camera': 'rear', 'rectify': 'true', 'weights': 'outdoor', 'use_sim_time': 'false'}
    launch = launched(path, params_file=params_file(**IN_FILE), **given).run()
    assert launch.process('depth_node').parameters == {
        **IN_FILE,
        'rectify': True,
        'weights': 'outdoor',
        'use_sim_time': False,
    }
    assert launch.process('depth_node').remappings['rear/image'] == 'rear/image_raw'


def test_a_raw_image_is_undistorted_unless_somebody_says_otherwise(launched, params_file):
    assert launched(DEPTH).run().process('depth_node').parameters['rectify']
    launch = launched(DEPTH, params_file=params_file(weights='indoor')).run()
    assert launch.process('depth_node').parameters['rectify']


def test_without_arguments_the_node_has_its_default_parameters(launched):
    values = launched(DEPTH).run().process('depth_node').parameters
    assert values.pop('rectify')  # the default topic is image_raw
    assert values == {
        item.name: getattr(Parameters(), item.name)
        for item in fields(Parameters)
        if item.name != 'rectify'
    }


@ALL
def test_simulated_time_is_that_of_all_nodes(path, launched, params_file):
    file = params_file(use_sim_time=True, camera_height=0.5)
    for given in ({'use_sim_time': 'True'}, {'params_file': file}):
        for process in launched(path, rviz='true', **given).run().processes:
            assert process.parameters['use_sim_time'] is True


@ALL
def test_an_enclave_is_given_only_if_asked_for(path, launched):
    for process in launched(path, rviz='true').run().processes:
        assert '--enclave' not in process.command
    for process in launched(path, rviz='true', enclave='/robot/depth_node').run().processes:
        assert process.values_after('--enclave') == [f'/robot/{process.action.named["name"]}']
    launch = launched(path, enclave='/robot/eyes').run()
    assert launch.process('depth_node').values_after('--enclave') == ['/robot/eyes']


def test_rviz_starts_only_if_asked_for(launched):
    assert len(launched(DEPTH, installed=()).run().processes) == 1
    assert len(launched(DEPTH, rviz='true').run().processes) == 2


def shown_topics():
    """Return the topics of depth.rviz with their reliability."""
    configuration = yaml.safe_load((ROOT / 'rviz/depth.rviz').read_text())
    displays = configuration['Visualization Manager']['Displays']
    return {
        display['Topic']['Value']: display['Topic']['Reliability Policy']
        for display in displays
        if 'Topic' in display
    }


@ALL
def test_rviz_shows_a_camera_of_any_name(path, launched):
    launch = launched(path, rviz='true', camera='/front', image_topic='/a/rgb').run()
    rviz = launch.process('rviz2')
    assert set(rviz.remappings) == set(shown_topics())
    assert rviz.remappings['/camera/image_raw'] == '/a/rgb'
    assert {new for old, new in rviz.remappings.items() if 'depth' in old} == {
        f'front/{output}' for output in OUTPUTS if output != INFO
    }


@pytest.mark.parametrize('path', [DEPTH, OBSTACLES], ids=lambda path: path.name)
@pytest.mark.parametrize(
    ('given', 'frame'),
    [
        ({}, 'camera_optical_frame'),
        ({'camera': 'front'}, 'front_optical_frame'),
        ({'camera': 'front', 'optical_frame': 'lens'}, 'lens'),
    ],
)
def test_the_frame_of_the_images_goes_by_the_camera(path, given, frame, launched):
    launch = launched(path, rviz='true', **given).run()
    assert launch.process('rviz2').values_after('--fixed-frame') == [frame]
    if path == OBSTACLES:
        transform = launch.process('camera_to_optical')
        assert transform.values_after('--child-frame-id') == [frame]
        transform = launch.process('optical_to_level')
        assert transform.values_after('--child-frame-id') == [f'{frame}_level']


def test_files_named_by_the_launch_files_are_installed(launched):
    launches = [launched(path, rviz='true').run() for path in NEEDED]
    named = {
        word
        for launch in launches
        for each in launch.processes
        for word in each.command
        if word.startswith(str(ROOT)) and '/share/' not in word and '.venv' not in word
    }
    named |= {word for launch in launches for word in launch.context.environment.values()}
    names = {str(Path(word).relative_to(ROOT)) for word in named if Path(word).suffix}
    assert names == {
        'config/depth_node.yaml',
        'config/nav2_depth_node.yaml',
        'config/camera_player.yaml',
        'config/fastdds_large_images.xml',
        'rviz/depth.rviz',
    }
    assert all((ROOT / name).is_file() for name in names)


# The demo


@pytest.mark.parametrize(
    'given', [{}, {'camera': 'front'}, {'image_topic': '/a/rgb', 'camera_info_topic': 'a/info'}]
)
def test_demo_plays_the_path_into_the_camera_of_the_node(given, launched, tmp_path):
    film = tmp_path / 'a b.mp4'
    film.touch()
    launch = launched(DEMO, path=str(film), **given).run()
    player, depth_node = launch.process('camera_player'), launch.process('depth_node')
    (camera,) = depth_node.parameters['cameras']
    assert player.values_after('-r')[1] == f'__ns:=/{camera}'
    topics = {name.lstrip('/') for name in player.remappings.values()}
    assert topics == {name.lstrip('/') for name in depth_node.remappings.values()}
    assert player.parameters['path'] == str(film)
    assert set(player.parameters) <= set(PLAYER_PARAMETERS)


def test_demo_shows_the_frame_that_the_player_publishes(launched, params_file):
    frames = [
        (
            launch.process('camera_player').parameters['frame_id'],
            *launch.process('rviz2').values_after('--fixed-frame'),
        )
        for launch in (
            launched(DEMO).run(),
            launched(DEMO, optical_frame='lens').run(),
            launched(DEMO, player_params_file=params_file(frame_id='eye')).run(),
        )
    ]
    assert frames == [('camera_optical_frame',) * 2, ('lens',) * 2, ('eye',) * 2]


def test_demo_leaves_the_file_of_the_player_alone(launched, params_file):
    in_file = {'path': str(ROOT), 'rate_hz': 3.0, 'focal_px': 500.0, 'frame_id': 'eye'}
    launch = launched(DEMO, path='', player_params_file=params_file(**in_file)).run()
    assert launch.process('camera_player').parameters == in_file
    launch = launched(DEMO, path='~', player_params_file=params_file(**in_file), rate_hz='2').run()
    assert launch.process('camera_player').parameters == {**in_file, 'path': '~', 'rate_hz': 2.0}


@ALL
def test_real_launch_reads_the_file(path):
    sources = pytest.importorskip('launch.launch_description_sources', reason=ROS.format('launch'))
    module = sources.load_python_launch_file_as_module(str(path))
    description = module.generate_launch_description()
    assert all(argument.description for argument in description.get_launch_arguments())


def test_a_real_node_has_the_arguments_and_the_parameter_file(launched, params_file, tmp_path):
    file = params_file(
        weights='random', device='cpu', autostart=False, max_depth=7.5, stale_after=3.0
    )
    command = (
        launched(DEPTH, params_file=file, camera='/front', use_sim_time='False', weights='outdoor')
        .run()
        .process('depth_node')
        .command
    )
    expected = {
        'weights': 'outdoor',
        'device': 'cpu',
        'autostart': False,
        'max_depth': 7.5,
        'cameras': ['front'],
        'rectify': True,
        'use_sim_time': False,
    }
    with Graph(tmp_path) as graph:
        graph.start('s2r_depth_ros.node.depth_node', *command[1:])
        answer = graph.call(
            GetParameters, '/depth_node/get_parameters', GetParameters.Request(names=[*expected])
        )
    assert dict(zip(expected, map(parameter_value_to_python, answer.values))) == expected


def test_parameters_file_holds_every_parameter_with_its_default():
    file = yaml.safe_load((ROOT / 'config/depth_node.yaml').read_text())
    written = file['/**']['ros__parameters']
    # Without rectify, so that a copy of the file leaves it to the launch files.
    assert written == {
        item.name: getattr(Parameters(), item.name)
        for item in fields(Parameters)
        if item.name != 'rectify'
    }
    assert {name: type(value) for name, value in written.items()} == {
        name: type(getattr(Parameters(), name)) for name in written
    }


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
        item.name for item in fields(parameters.Parameters) if item.metadata['run_time']
    }


def test_rviz_shows_published_topics_with_the_published_reliability():
    shown = shown_topics()
    assert shown.pop('/camera/image_raw') == 'Best Effort'  # of any driver
    assert set(shown) == {f'/camera/{output}' for output in OUTPUTS if output != INFO}
    assert set(shown.values()) == {'Reliable'}
    configuration = yaml.safe_load((ROOT / 'rviz/depth.rviz').read_text())['Visualization Manager']
    assert configuration['Global Options']['Fixed Frame'] == PLAYER_PARAMETERS['frame_id'].default
    (cloud,) = (each for each in configuration['Displays'] if each['Class'].endswith('DepthCloud'))
    assert cloud['Depth Map Topic'] == '/camera/depth/image'
    assert cloud['Color Image Topic'] == '/camera/depth/image_color'


def pages():
    """Return the text of the README and of all pages, commands in one line."""
    files = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
    return '\n'.join(re.sub(r'\\\n\s*', ' ', file.read_text()) for file in files)


def test_every_argument_that_the_pages_give_is_declared(monkeypatch):
    text = pages()
    commands = re.findall(r'ros2 launch s2r_depth_ros (\S+) ([^\n`]*)', text)
    assert sum(':=' in line for _, line in commands) >= 3
    for file, line in commands:
        declared = stand_in.argument_names(stand_in.load(ROOT / 'launch' / file, monkeypatch))
        given = re.findall(r'(\w+):=', line)
        assert set(given) <= declared, (file, line)


def test_every_parameter_that_the_pages_give_is_one_of_the_node():
    commands = re.findall(r'ros2 run s2r_depth_ros depth_node ([^\n`]*)', pages())
    given = {name for line in commands for name in re.findall(r'-p (\w+):=', line)}
    given |= set(re.findall(r'ros2 param set /depth_node (\w+)', pages()))
    assert {'scale_source', 'weights', 'temporal_smoothing'} <= given
    assert given <= {item.name for item in fields(Parameters)}
