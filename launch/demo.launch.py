"""
Play images or a video as a camera, and show its depth in rviz.

    ros2 launch s2r_depth_ros demo.launch.py path:=$HOME/pictures
"""
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

PACKAGE = 's2r_depth_ros'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then the player, the node and rviz."""
    share = FindPackageShare(PACKAGE)
    # Without it Fast DDS drops large images; Jazzy reads the first name, Kilted and newer the
    # second, other middlewares none.
    fast_dds_profile = PathJoinSubstitution([share, 'config', 'fastdds_large_images.xml'])
    return LaunchDescription([
        DeclareLaunchArgument(
            'path', description='Folder with images, an image, or a video to play.'),
        DeclareLaunchArgument(
            'rate_hz', default_value='5.0', description='Images a second.'),
        DeclareLaunchArgument(
            'focal_px', default_value='0.0',
            description='Focal length of the images in pixels; 0 if it is not known.'),
        DeclareLaunchArgument(
            'player_params_file',
            default_value=PathJoinSubstitution([share, 'config', 'camera_player.yaml']),
            description='YAML file with the other parameters of camera_player.'),
        DeclareLaunchArgument(
            'weights', default_value='outdoor',
            description="Weights of the network, as in depth.launch.py; 'random' needs none."),
        DeclareLaunchArgument(
            'device', default_value='auto',
            description='Where the network runs: auto (CUDA if there is one), cpu, cuda, cuda:N.'),
        DeclareLaunchArgument(
            'rviz', default_value='true', choices=['true', 'false'],
            description='Whether to start rviz2.'),
        SetEnvironmentVariable('FASTRTPS_DEFAULT_PROFILES_FILE', fast_dds_profile),
        SetEnvironmentVariable('FASTDDS_DEFAULT_PROFILES_FILE', fast_dds_profile),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([share, 'launch', 'depth.launch.py'])),
            launch_arguments={
                'weights': LaunchConfiguration('weights'),
                'device': LaunchConfiguration('device'),
                'rviz': LaunchConfiguration('rviz'),
            }.items()),
        Node(
            package=PACKAGE, executable='camera_player', name='camera_player',
            namespace='camera', output='screen', emulate_tty=True,
            parameters=[LaunchConfiguration('player_params_file'), {
                'path': ParameterValue(LaunchConfiguration('path'), value_type=str),
                'rate_hz': ParameterValue(LaunchConfiguration('rate_hz'), value_type=float),
                'focal_px': ParameterValue(LaunchConfiguration('focal_px'), value_type=float),
            }]),
    ])
