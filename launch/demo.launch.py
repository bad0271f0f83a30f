"""
Play images or a video as a camera, and show its depth in rviz.

    ros2 launch s2r_depth_ros demo.launch.py path:=$HOME/pictures

The arguments of depth.launch.py are those of this file too.
"""
from pathlib import Path
import re

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import load_python_launch_file_as_module
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node

depth = load_python_launch_file_as_module(str(Path(__file__).with_name('depth.launch.py')))


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then check them and start the player, the node and rviz."""
    # Without it Fast DDS drops large images; Jazzy reads the first name, Kilted and newer the
    # second, other middlewares none.
    fast_dds_profile = PathJoinSubstitution([depth.SHARE, 'config', 'fastdds_large_images.xml'])
    return LaunchDescription([
        *depth.arguments(rviz='true'),
        DeclareLaunchArgument(
            'path', default_value='',
            description='Folder with images, an image, a video, or webcam. Left out: as in the '
            'player_params_file.'),
        DeclareLaunchArgument(
            'rate_hz', default_value='',
            description='Images a second. Left out: as in the player_params_file.'),
        DeclareLaunchArgument(
            'focal_px', default_value='',
            description='Focal length of the images in pixels; 0 if it is not known. Left out: '
            'as in the player_params_file.'),
        DeclareLaunchArgument(
            'player_params_file',
            default_value=PathJoinSubstitution([depth.SHARE, 'config', 'camera_player.yaml']),
            description='YAML file with the parameters of camera_player, which plays the images '
            'as <camera>. An argument that is given overrides it.'),
        SetEnvironmentVariable('FASTRTPS_DEFAULT_PROFILES_FILE', fast_dds_profile),
        SetEnvironmentVariable('FASTDDS_DEFAULT_PROFILES_FILE', fast_dds_profile),
        OpaqueFunction(function=start),
    ])


def start(context: LaunchContext) -> list:
    """Check all that may fail, then return what is to be started."""
    depth.require(
        context, depth.PACKAGE, 'camera_player', 'build this package and source its workspace')
    params_file, file = depth.read_parameters(context, 'player_params_file', 'camera_player')
    path = depth.value(context, 'path') or str(file.get('path', ''))
    if not path:
        raise RuntimeError('path is missing: give a folder with images, an image, or a video')
    if not re.fullmatch(r'webcam(:\d+)?', path) and not Path(path).expanduser().exists():
        raise RuntimeError(f'path: there is no folder or file {path!r}')
    parameters = {'path': path}
    for name in ('rate_hz', 'focal_px'):
        if depth.value(context, name):
            parameters[name] = depth.number(name, depth.value(context, name))
    parameters['frame_id'] = depth.value(context, 'optical_frame') or str(
        file.get('frame_id', 'camera_optical_frame'))

    plan = depth.plan(context, optical_frame=parameters['frame_id'])
    topics = {
        'image_raw': plan.image_topic, 'image_raw/compressed': f'{plan.image_topic}/compressed',
        'camera_info': plan.camera_info_topic}
    player = Node(
        package=depth.PACKAGE, executable='camera_player', name='camera_player',
        namespace=plan.camera, output='screen', emulate_tty=True,
        parameters=[params_file, {**parameters, **plan.use_sim_time}],
        remappings=[(own, f'/{topic.lstrip("/")}') for own, topic in topics.items()],
        ros_arguments=depth.enclave_of(context, 'camera_player'))
    return [
        depth.end_with(plan.depth_node, player),
        RegisterEventHandler(OnProcessExit(
            target_action=player,
            # After the last image the node stays, so that the picture can be looked at.
            on_exit=lambda event, _: [depth.end(plan.depth_node)] if event.returncode else [])),
        *plan.actions, player]
