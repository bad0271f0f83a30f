"""
Start the depth node for Nav2: a sparse, near cloud in metres, and the camera's place on the robot.

    ros2 launch s2r_depth_ros obstacles.launch.py image_topic:=/front/image_raw \
        camera_info_topic:=/front/camera_info camera_x:=0.2 camera_z:=0.5 camera_pitch_rad:=0.17

The voxel layer that takes the cloud is config/nav2_voxel_layer.yaml; docs/nav2.md explains both.
The arguments of depth.launch.py are those of this file too.
"""
import math
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.launch_description_sources import load_python_launch_file_as_module
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node

depth = load_python_launch_file_as_module(str(Path(__file__).with_name('depth.launch.py')))
PARAMS_FILE = PathJoinSubstitution([depth.SHARE, 'config', 'nav2_depth_node.yaml'])


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then check them and start the node and the camera's place."""
    return LaunchDescription([
        *depth.arguments(params_file='nav2_depth_node.yaml'),
        DeclareLaunchArgument(
            'publish_tf', default_value='true',
            description='Whether to publish where the camera is (true or false); false if a '
            'robot_description does.'),
        DeclareLaunchArgument(
            'base_frame', default_value='base_link',
            description='Frame of the robot, on the floor, whose x is ahead and z up.'),
        DeclareLaunchArgument(
            'camera_x', default_value='0.0',
            description='Metres of the camera ahead of base_frame.'),
        DeclareLaunchArgument(
            'camera_y', default_value='0.0',
            description='Metres of the camera to the left of base_frame.'),
        DeclareLaunchArgument(
            'camera_z', default_value='',
            description='Metres of the camera above base_frame. Left out: camera_height of the '
            'params_file. Given without a params_file it is the camera_height, too.'),
        DeclareLaunchArgument(
            'camera_pitch_rad', default_value='',
            description='Radians by which the camera looks down. Left out: camera_pitch of the '
            'params_file. Given without a params_file it is the camera_pitch, too.'),
        DeclareLaunchArgument(
            'camera_yaw_rad', default_value='0.0',
            description='Radians by which the camera is turned to the left.'),
        OpaqueFunction(function=start),
    ])


def start(context: LaunchContext) -> list:
    """Check all that may fail, then return what is to be started."""
    given = {
        name: depth.number(name, depth.value(context, name))
        for name in ('camera_x', 'camera_y', 'camera_z', 'camera_pitch_rad', 'camera_yaw_rad')
        if depth.value(context, name)}
    place = {}  # of the camera by the arguments, as parameters of the node
    if 'camera_z' in given:
        place['camera_height'] = given['camera_z']
    if 'camera_pitch_rad' in given:
        place['camera_pitch'] = math.degrees(given['camera_pitch_rad'])
    is_published = depth.flag(context, 'publish_tf')
    if is_published:
        depth.require(
            context, 'tf2_ros', 'static_transform_publisher',
            'install ros-$ROS_DISTRO-tf2-ros, or give publish_tf:=false')
    is_default = depth.value(context, 'params_file') == PARAMS_FILE.perform(context)
    plan = depth.plan(context, **(place if is_default else {}))
    height_m, pitch_deg = (
        depth.number(name, plan.parameters.get(name, default))
        for name, default in (('camera_height', 0.5), ('camera_pitch', 0.0)))
    notes = [
        LogInfo(msg=f'{name} is {of_node:g} in the params_file and {place[name]:g} by the '
                'arguments of the launch file; the scale is wrong if both mean the same')
        for name, of_node in (('camera_height', height_m), ('camera_pitch', pitch_deg))
        if name in plan.parameters and abs(place.get(name, of_node) - of_node) > 0.05]
    if not is_published:
        return [*notes, *plan.actions]

    link = f'{plan.camera}_link'
    base_to_camera = transform(
        context, plan, 'base_to_camera', depth.value(context, 'base_frame'), link,
        (given.get('camera_x', 0.0), given.get('camera_y', 0.0), given.get('camera_z', height_m)),
        (0.0, given.get('camera_pitch_rad', math.radians(pitch_deg)),
         given.get('camera_yaw_rad', 0.0)))
    camera_to_optical = transform(
        context, plan, 'camera_to_optical', link, plan.optical_frame,
        (0.0, 0.0, 0.0), (-math.pi / 2, 0.0, -math.pi / 2))
    return [
        *notes, depth.end_with(plan.depth_node, base_to_camera, camera_to_optical),
        base_to_camera, camera_to_optical, *plan.actions]


def transform(context, plan, name, parent, child, xyz, roll_pitch_yaw) -> Node:
    """
    Return the publisher of where a frame is in its parent.

    :param xyz: metres.
    :param roll_pitch_yaw: radians.
    """
    numbers = zip(('x', 'y', 'z', 'roll', 'pitch', 'yaw'), (*xyz, *roll_pitch_yaw))
    return Node(
        package='tf2_ros', executable='static_transform_publisher', name=name,
        parameters=[plan.use_sim_time] if plan.use_sim_time else [],
        arguments=[
            *(part for axis, number in numbers for part in (f'--{axis}', repr(number))),
            '--frame-id', parent, '--child-frame-id', child],
        ros_arguments=depth.enclave_of(context, name))
