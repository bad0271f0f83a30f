"""
Start the depth node on the topics of a camera, and rviz if asked for.

    ros2 launch s2r_depth_ros depth.launch.py image_topic:=/my_camera/image_raw \
        camera_info_topic:=/my_camera/camera_info rviz:=true

demo.launch.py and obstacles.launch.py load this file and add to its arguments and nodes. When an
action raises, launch forgets the processes that the same file has just started, and they run on.
So all that may fail is checked first, in :func:`plan`, and only then is anything handed to launch.
"""
import os
from pathlib import PurePosixPath
import re
from typing import Any, NamedTuple

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, SubstitutionFailure
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare
import yaml

PACKAGE = 's2r_depth_ros'
SHARE = FindPackageShare(PACKAGE)
TOPIC_NAME = r'[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*'
# Topics of depth.rviz, all under /camera.
SHOWN = (
    'depth/image', 'depth/image_color', 'depth/points', 'depth/structure', 'depth/attention')


def arguments(params_file: str = 'depth_node.yaml', rviz: str = 'false') -> list:
    """
    Declare the arguments of the depth node and of rviz.

    :param params_file: the default, a file of the package's config folder.
    :param rviz: the default.
    """
    return [
        DeclareLaunchArgument(
            'camera', default_value='',
            description='Name of the camera whose topics image_topic and camera_info_topic are; '
            'its depth is published under <camera>/depth. Left out: the first of cameras.'),
        DeclareLaunchArgument(
            'image_topic', default_value='',
            description='Topic of the images of <camera>; with input_transport compressed in the '
            "params_file it is this name with '/compressed' appended. Left out: "
            '<camera>/image_raw.'),
        DeclareLaunchArgument(
            'camera_info_topic', default_value='',
            description='Topic of the calibration of <camera>. Left out: <camera>/camera_info.'),
        DeclareLaunchArgument(
            'cameras', default_value='',
            description='All cameras, such as front,rear or "[front, rear]"; images of those '
            'beside <camera> come from <name>/image and <name>/camera_info. Left out: <camera>, '
            'or as in the params_file, or camera.'),
        DeclareLaunchArgument(
            'rectify', default_value='',
            description='Whether image_topic is a raw image, to be undistorted with its '
            'camera_info first (true or false); false for an image_rect topic. Left out: as in '
            'the params_file, or true.'),
        DeclareLaunchArgument(
            'weights', default_value='',
            description="Bundled weights ('outdoor' or 'indoor'), a .safetensors file, a folder "
            "with the four published .pth files, or 'random' for an untrained network. Left out: "
            'as in the params_file, or outdoor.'),
        DeclareLaunchArgument(
            'device', default_value='',
            description='Where the network runs: auto (CUDA if there is one), cpu, cuda, cuda:N. '
            'Left out: as in the params_file, or auto.'),
        DeclareLaunchArgument(
            'engine', default_value='',
            description='Library that runs the network: auto, onnxruntime or torch. Left out: as '
            'in the params_file, or auto.'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([SHARE, 'config', params_file]),
            description='YAML file with the parameters of depth_node. An argument that is given '
            'overrides it.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='',
            description='Whether the time is that of /clock, from a simulator or a bag (true or '
            'false). Left out: as in the params_file, or false.'),
        DeclareLaunchArgument(
            'rviz', default_value=rviz,
            description='Whether to start rviz2 with the displays of <camera> (true or false).'),
        DeclareLaunchArgument(
            'optical_frame', default_value='',
            description='frame_id of the images: z ahead, x right, y down; the fixed frame of '
            'rviz2. Left out: <camera>_optical_frame.'),
        DeclareLaunchArgument(
            'enclave', default_value='',
            description='Enclave of depth_node in a security keystore, such as /depth_node; those '
            'of the other nodes lie beside it, under their names. Left out: none is given.'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description='Log level of depth_node: debug, info, warn, error or fatal.'),
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then check them and start the node and rviz."""
    return LaunchDescription([
        *arguments(), OpaqueFunction(function=lambda context: plan(context).actions)])


class Plan(NamedTuple):
    """
    What is to be started; nothing of it fails any more.

    ``actions`` are depth_node, rviz2 if asked for, and the handler that ends it with depth_node;
    ``parameters`` those of the file and the arguments; ``use_sim_time`` is for the parameters of
    other nodes, empty where nothing says it.
    """

    actions: list
    depth_node: Node
    parameters: dict[str, Any]
    use_sim_time: dict[str, bool]
    camera: str
    image_topic: str
    camera_info_topic: str
    optical_frame: str


def plan(context: LaunchContext, optical_frame: str = '', **changes: Any) -> Plan:
    """
    Check all that may fail, and return what is to be started.

    :param optical_frame: where the argument is left out; empty for <camera>_optical_frame.
    :param changes: parameters of depth_node beside those of the arguments.
    :raises RuntimeError: with a sentence, if an argument makes no sense or something is missing.
    """
    require(context, PACKAGE, 'depth_node', 'build this package and source its workspace')
    shows = flag(context, 'rviz')
    if shows:
        require(
            context, 'rviz2', 'rviz2', 'install ros-$ROS_DISTRO-rviz2, or give rviz:=false')
    params_file, file = read_parameters(context, 'params_file', 'depth_node')

    cameras = camera_names('cameras', value(context, 'cameras'))
    given = camera_names('camera', value(context, 'camera'))
    if len(given) > 1:
        raise RuntimeError(f'camera is one name, got {value(context, "camera")!r}; see cameras')
    in_file = file.get('cameras')
    known = cameras or (in_file if isinstance(in_file, list) else [])
    camera = str((given or known or ['camera'])[0])
    if given and cameras and camera not in cameras:
        raise RuntimeError(
            f'camera {camera!r} is not one of cameras, which are {", ".join(cameras)}')
    image_topic = value(context, 'image_topic') or f'{camera}/image_raw'
    camera_info_topic = value(context, 'camera_info_topic') or f'{camera}/camera_info'
    optical_frame = (
        value(context, 'optical_frame') or optical_frame or f'{camera}_optical_frame')

    parameters = dict(changes)
    if cameras or camera not in known:
        parameters['cameras'] = cameras or [camera]
    for name in ('weights', 'device', 'engine'):
        if value(context, name):
            parameters[name] = value(context, name)
    for name in ('rectify', 'use_sim_time'):
        if value(context, name):
            parameters[name] = flag(context, name)
    if 'rectify' not in {**file, **parameters}:
        parameters['rectify'] = True  # the default topic is image_raw
    together = {**file, **parameters}
    use_sim_time = {
        name: setting for name, setting in together.items() if name == 'use_sim_time'}

    # Not a LifecycleNode, since it configures and activates itself: for one launch makes a node of
    # its own, which needs an enclave too.
    depth_node = Node(
        package=PACKAGE, executable='depth_node', name='depth_node', namespace='',
        output='screen', emulate_tty=True,
        parameters=[params_file, parameters] if parameters else [params_file],
        remappings=[
            (f'{camera}/image', image_topic),
            (f'{camera}/image/compressed', f'{image_topic}/compressed'),
            (f'{camera}/camera_info', camera_info_topic),
        ],
        ros_arguments=[
            '--log-level', value(context, 'log_level') or 'info',
            *enclave_of(context, 'depth_node')])
    actions = [depth_node]
    if shows:
        rviz = Node(
            package='rviz2', executable='rviz2', name='rviz2', output='log',
            parameters=[use_sim_time] if use_sim_time else [],
            remappings=[
                ('/camera/image_raw', image_topic),
                *((f'/camera/{topic}', f'{camera}/{topic}') for topic in SHOWN)],
            arguments=[
                '-d', PathJoinSubstitution([SHARE, 'rviz', 'depth.rviz']).perform(context),
                '--fixed-frame', optical_frame],
            ros_arguments=enclave_of(context, 'rviz2'))
        actions = [end_with(depth_node, rviz), depth_node, rviz]
    return Plan(
        actions, depth_node, together, use_sim_time, camera, image_topic, camera_info_topic,
        optical_frame)


def end_with(first: Node, *others: Node) -> RegisterEventHandler:
    """Have ``others`` end when ``first`` has ended, and no other node of whoever includes this."""
    return RegisterEventHandler(OnProcessExit(
        target_action=first, on_exit=[end(each) for each in others]))


def end(node: Node) -> EmitEvent:
    """Return the action that ends a node, as Ctrl-C does."""
    return EmitEvent(event=ShutdownProcess(process_matcher=matches_action(node)))


def enclave_of(context: LaunchContext, node: str) -> list[str]:
    """Return the ROS arguments that put a node into its enclave, if there is one."""
    enclave = value(context, 'enclave')
    if not enclave:
        return []
    if not enclave.startswith('/'):
        raise RuntimeError(f"enclave is a path that begins with '/', got {enclave!r}")
    if node != 'depth_node':
        enclave = str(PurePosixPath(enclave).with_name(node))
    return ['--enclave', enclave]


def require(context: LaunchContext, package: str, executable: str, advice: str) -> None:
    """
    Look for an executable, as launch does when it starts it.

    :param advice: what to do if there is none.
    :raises RuntimeError: if there is none.
    """
    try:
        ExecutableInPackage(package=package, executable=executable).perform(context)
    except (LookupError, SubstitutionFailure) as error:
        raise RuntimeError(
            f'{executable} of the package {package} is not installed: {advice}') from error


def value(context: LaunchContext, name: str) -> str:
    """Return an argument, empty if it was left out."""
    return LaunchConfiguration(name).perform(context).strip()


def flag(context: LaunchContext, name: str) -> bool:
    """
    Return an argument that is true or false.

    :raises RuntimeError: if it is another word.
    """
    text = value(context, name)
    if text.lower() not in ('true', 'false'):
        raise RuntimeError(f'{name} must be true or false, got {text!r}')
    return text.lower() == 'true'


def number(name: str, text: object) -> float:
    """
    Return an argument or a parameter that is a number.

    :raises RuntimeError: if it is none.
    """
    try:
        return float(str(text))
    except ValueError:
        raise RuntimeError(f'{name} must be a number, got {text!r}') from None


def camera_names(argument: str, text: str) -> list[str]:
    """
    Return the names in ``front``, ``/front``, ``front,rear`` or ``[front, rear]``.

    :raises RuntimeError: if one cannot be the namespace of topics.
    """
    names = [
        name.strip('\'"/') for name in re.split(r'[,\s]+', text.strip('[] ')) if name.strip('\'"')]
    for name in names:
        if not re.fullmatch(TOPIC_NAME, name):
            raise RuntimeError(
                f'{argument}: {name!r} cannot be the namespace of topics; use letters, digits and '
                '_, with / between words')
    return names


def read_parameters(
    context: LaunchContext, argument: str, node: str,
) -> tuple[str, dict[str, Any]]:
    """
    Return the path of a parameter file, and what the file says for a node of any namespace.

    :raises RuntimeError: if there is no such file, or it says nothing for the node.
    """
    path = os.path.expanduser(value(context, argument))
    try:
        with open(path, encoding='utf-8') as opened:
            content = yaml.safe_load(opened)
    except OSError as error:
        raise RuntimeError(
            f'{argument}: {path!r} cannot be read: {error.strerror.lower()}') from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise RuntimeError(f'{argument}: {path!r} is not YAML: {reason}') from error
    sections = dict(_sections(content))
    parameters: dict[str, Any] = {}
    for name, section in sections.items():
        if name.rpartition('/')[2] in (node, '*', '**'):
            parameters.update(section)
    if content is not None and not parameters:
        raise RuntimeError(
            f'{argument}: {path!r} has no parameters of {node}; it needs a section '
            f"'{node}:' or '/**:' with 'ros__parameters:', and has "
            f'{", ".join(sections) or "none"}')
    return path, parameters


def _sections(content: object, prefix: str = ''):
    """Yield the name of each node in a parameter file, with its parameters."""
    for name, section in content.items() if isinstance(content, dict) else ():
        if name == 'ros__parameters' and isinstance(section, dict):
            yield prefix, section
        elif name != 'ros__parameters':
            yield from _sections(section, f'{prefix}/{str(name).strip("/")}')
