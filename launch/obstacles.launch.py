"""
Start the depth node for Nav2: a sparse, near cloud in metres, and the camera's place on the robot.

    ros2 launch s2r_depth_ros obstacles.launch.py image_topic:=/front/image_raw \
        camera_info_topic:=/front/camera_info camera_x:=0.2 camera_z:=0.5 camera_pitch_rad:=0.17

The voxel layer that takes the cloud is config/nav2_voxel_layer.yaml; docs/nav2.md explains both.
"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

PACKAGE = 's2r_depth_ros'
PASSED_ON = (
    'camera', 'image_topic', 'camera_info_topic', 'rectify', 'weights', 'device', 'params_file',
    'use_sim_time', 'rviz')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then the node and the camera's place."""
    share = FindPackageShare(PACKAGE)
    camera = LaunchConfiguration('camera')
    camera_frame = [camera, '_link']
    use_sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return LaunchDescription([
        DeclareLaunchArgument(
            'camera', default_value='camera',
            description='Name of the camera; the cloud is <camera>/depth/points.'),
        DeclareLaunchArgument(
            'image_topic', default_value=[camera, '/image_raw'],
            description='Topic of its images.'),
        DeclareLaunchArgument(
            'camera_info_topic', default_value=[camera, '/camera_info'],
            description='Topic of its calibration, without which there is no cloud.'),
        DeclareLaunchArgument(
            'rectify', default_value='true', choices=['true', 'false'],
            description='Whether image_topic is a raw image; false for an image_rect topic.'),
        DeclareLaunchArgument(
            'weights', default_value='outdoor',
            description='Weights of the network, as in depth.launch.py.'),
        DeclareLaunchArgument(
            'device', default_value='auto',
            description='Where the network runs: auto (CUDA if there is one), cpu, cuda, cuda:N.'),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'nav2_depth_node.yaml']),
            description='YAML file with the parameters of depth_node: stride, range, scale.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='Whether the time is that of /clock, from a simulator or a bag.'),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=['true', 'false'],
            description='Whether to start rviz2 with the displays of a camera named camera.'),
        DeclareLaunchArgument(
            'publish_tf', default_value='true', choices=['true', 'false'],
            description='Whether to publish where the camera is; false if a robot_description '
            'does.'),
        DeclareLaunchArgument(
            'base_frame', default_value='base_link',
            description='Frame of the robot, on the floor, whose x is ahead and z up.'),
        DeclareLaunchArgument(
            'optical_frame', default_value='camera_optical_frame',
            description='frame_id of the images: z ahead, x right, y down.'),
        DeclareLaunchArgument(
            'camera_x', default_value='0.0',
            description='Metres of the camera ahead of base_frame.'),
        DeclareLaunchArgument(
            'camera_y', default_value='0.0',
            description='Metres of the camera to the left of base_frame.'),
        DeclareLaunchArgument(
            'camera_z', default_value='0.5',
            description='Metres of the camera above base_frame; camera_height of params_file is '
            'the same above the ground.'),
        DeclareLaunchArgument(
            'camera_pitch_rad', default_value='0.0',
            description='Radians by which the camera looks down; camera_pitch of params_file is '
            'the same in degrees.'),
        DeclareLaunchArgument(
            'camera_yaw_rad', default_value='0.0',
            description='Radians by which the camera is turned to the left.'),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([share, 'launch', 'depth.launch.py'])),
            launch_arguments={name: LaunchConfiguration(name) for name in PASSED_ON}.items()),
        Node(
            package='tf2_ros', executable='static_transform_publisher', name='base_to_camera',
            condition=IfCondition(LaunchConfiguration('publish_tf')),
            parameters=[{'use_sim_time': use_sim_time}],
            arguments=[
                '--x', LaunchConfiguration('camera_x'), '--y', LaunchConfiguration('camera_y'),
                '--z', LaunchConfiguration('camera_z'), '--roll', '0',
                '--pitch', LaunchConfiguration('camera_pitch_rad'),
                '--yaw', LaunchConfiguration('camera_yaw_rad'),
                '--frame-id', LaunchConfiguration('base_frame'),
                '--child-frame-id', camera_frame]),
        Node(
            package='tf2_ros', executable='static_transform_publisher', name='camera_to_optical',
            condition=IfCondition(LaunchConfiguration('publish_tf')),
            parameters=[{'use_sim_time': use_sim_time}],
            arguments=[
                '--x', '0', '--y', '0', '--z', '0',
                '--roll', '-1.5707963267948966', '--pitch', '0', '--yaw', '-1.5707963267948966',
                '--frame-id', camera_frame,
                '--child-frame-id', LaunchConfiguration('optical_frame')]),
    ])
