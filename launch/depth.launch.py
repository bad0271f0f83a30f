"""
Start the depth node on the topics of a camera, and rviz if asked for.

    ros2 launch s2r_depth_ros depth.launch.py image_topic:=/my_camera/image_raw \
        camera_info_topic:=/my_camera/camera_info rviz:=true
"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

PACKAGE = 's2r_depth_ros'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then the node and rviz."""
    share = FindPackageShare(PACKAGE)
    camera = LaunchConfiguration('camera')
    image_topic = LaunchConfiguration('image_topic')
    use_sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return LaunchDescription([
        DeclareLaunchArgument(
            'camera', default_value='camera',
            description='Name of the camera whose topics image_topic and camera_info_topic are; '
            'its depth is published under <camera>/depth.'),
        DeclareLaunchArgument(
            'image_topic', default_value=[camera, '/image_raw'],
            description='Topic of the images of <camera>; with input_transport compressed in the '
            "params_file it is this name with '/compressed' appended."),
        DeclareLaunchArgument(
            'camera_info_topic', default_value=[camera, '/camera_info'],
            description='Topic of the calibration of <camera>.'),
        DeclareLaunchArgument(
            'cameras', default_value=['[', camera, ']'],
            description='All cameras as a YAML list, such as "[front, rear]"; images of those '
            'beside <camera> come from <name>/image and <name>/camera_info.'),
        DeclareLaunchArgument(
            'rectify', default_value='true', choices=['true', 'false'],
            description='Whether image_topic is a raw image, to be undistorted with its '
            'camera_info first; false for an image_rect topic.'),
        DeclareLaunchArgument(
            'weights', default_value='outdoor',
            description="Bundled weights ('outdoor' or 'indoor'), a .safetensors file, a folder "
            "with the four published .pth files, or 'random' for an untrained network."),
        DeclareLaunchArgument(
            'device', default_value='auto',
            description='Where the network runs: auto (CUDA if there is one), cpu, cuda, cuda:N.'),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'depth_node.yaml']),
            description='YAML file with the parameters of depth_node; cameras, rectify, weights, '
            'device and use_sim_time are those of the arguments all the same.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='Whether the time is that of /clock, from a simulator or a bag.'),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=['true', 'false'],
            description='Whether to start rviz2 with the displays of a camera named camera.'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description='Log level of depth_node: debug, info, warn, error or fatal.'),
        LifecycleNode(  # configures and activates itself: its parameter autostart is true
            package=PACKAGE, executable='depth_node', name='depth_node', namespace='',
            output='screen', emulate_tty=True,
            parameters=[LaunchConfiguration('params_file'), {
                'cameras': LaunchConfiguration('cameras'),  # read as YAML: a list
                'rectify': ParameterValue(LaunchConfiguration('rectify'), value_type=bool),
                'weights': ParameterValue(LaunchConfiguration('weights'), value_type=str),
                'device': ParameterValue(LaunchConfiguration('device'), value_type=str),
                'use_sim_time': use_sim_time,
            }],
            remappings=[
                ([camera, '/image'], image_topic),
                ([camera, '/image/compressed'], [image_topic, '/compressed']),
                ([camera, '/camera_info'], LaunchConfiguration('camera_info_topic')),
            ],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')]),
        Node(
            package='rviz2', executable='rviz2', name='rviz2', output='log',
            condition=IfCondition(LaunchConfiguration('rviz')),
            parameters=[{'use_sim_time': use_sim_time}],
            arguments=['-d', PathJoinSubstitution([share, 'rviz', 'depth.rviz'])]),
    ])
