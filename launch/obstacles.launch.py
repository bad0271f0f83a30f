"""
Start the depth node for Nav2: obstacles and scan, and the camera's pose on the robot.

    ros2 launch s2r_depth_ros obstacles.launch.py image_topic:=/front/image_raw \
        camera_info_topic:=/front/camera_info camera_x:=0.2 camera_height:=0.5 camera_pitch:=10.0

Height and pitch are parameters of the node, and part of the transforms. Set both once, here or in
the params_file. docs/how-to/nav2.md explains the costmap layers that read the topics. This file
also accepts the arguments of depth.launch.py.
"""

import math
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_sources import load_python_launch_file_as_module
from launch_ros.actions import Node

depth = load_python_launch_file_as_module(str(Path(__file__).with_name('depth.launch.py')))
# Earlier names. Launch silently ignores unknown arguments, so these would have no effect.
RENAMED = {
    'camera_z': 'camera_height, in metres above the ground',
    'camera_pitch_rad': 'camera_pitch, in degrees',
    'camera_yaw_rad': 'camera_yaw, in degrees',
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then check them and start the node and the pose publishers."""
    return LaunchDescription(
        [
            *depth.arguments(
                params_file='nav2_depth_node.yaml',
                base_frame='the value in params_file, or base_link',
            ),
            DeclareLaunchArgument(
                'camera_height',
                default_value='',
                description='Height of the camera above the ground in metres. Default: the value '
                'in params_file.',
            ),
            DeclareLaunchArgument(
                'camera_pitch',
                default_value='',
                description='Pitch of the camera below the horizon in degrees. Default: the value '
                'in params_file, or 0.',
            ),
            DeclareLaunchArgument(
                'publish_tf',
                default_value='true',
                description='Whether to publish the pose of the camera (true or false). Set false '
                'if your robot_description has it.',
            ),
            DeclareLaunchArgument(
                'camera_x',
                default_value='0.0',
                description='Position of the camera ahead of base_frame in metres.',
            ),
            DeclareLaunchArgument(
                'camera_y',
                default_value='0.0',
                description='Position of the camera to the left of base_frame in metres.',
            ),
            DeclareLaunchArgument(
                'camera_yaw',
                default_value='0.0',
                description='Yaw of the camera to the left in degrees.',
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list:
    """Check all that can fail, then return the actions to start."""
    for old, new in RENAMED.items():
        if old in context.launch_configurations:
            raise RuntimeError(f'{old} is now {new}')
    given = {
        name: depth.number(name, depth.value(context, name))
        for name in ('camera_height', 'camera_pitch', 'camera_x', 'camera_y', 'camera_yaw')
        if depth.value(context, name)
    }
    is_published = depth.flag(context, 'publish_tf')
    depth.require(
        context, 'tf2_ros', 'static_transform_publisher', 'install ros-$ROS_DISTRO-tf2-ros'
    )
    _, file = depth.read_parameters(context, 'params_file', 'depth_node')
    base_frame = depth.value(context, 'base_frame') or file.get('base_frame') or 'base_link'
    mounting: dict[str, Any] = {
        name: given[name] for name in ('camera_height', 'camera_pitch') if name in given
    }
    if is_published and 'base_frame' not in file:
        mounting['base_frame'] = base_frame
    plan = depth.plan(context, **mounting)
    height_m, pitch_deg = (
        depth.number(name, plan.parameters.get(name, 0.0))
        for name in ('camera_height', 'camera_pitch')
    )
    if not height_m > 0 and is_published:
        raise RuntimeError(
            'camera_height is missing: give camera_height:=METRES, above the ground, or set it in '
            'the params_file'
        )
    pitch_rad = math.radians(pitch_deg)
    level = str(plan.parameters.get('scan_frame') or f'{plan.optical_frame}_level')
    transforms = {}  # parent, child, translation in metres, roll, pitch and yaw in radians
    if height_m > 0:
        transforms['optical_to_level'] = (
            plan.optical_frame,
            level,
            (0.0, 0.0, 0.0),
            (math.pi, pitch_rad - math.pi / 2, -math.pi / 2),
        )
    if is_published:
        link = f'{plan.camera}_link'
        transforms |= {
            'base_to_camera': (
                base_frame,
                link,
                (given.get('camera_x', 0.0), given.get('camera_y', 0.0), height_m),
                (0.0, pitch_rad, math.radians(given.get('camera_yaw', 0.0))),
            ),
            'camera_to_optical': (
                link,
                plan.optical_frame,
                (0.0, 0.0, 0.0),
                (-math.pi / 2, 0.0, -math.pi / 2),
            ),
        }
    frames = [base_frame if is_published else plan.optical_frame]
    frames += [child for _, child, *_ in transforms.values()]
    if len(set(frames)) < len(frames):  # a loop, which breaks all of TF
        raise RuntimeError(
            f'the frames must differ, and are {", ".join(frames)}: change base_frame, '
            'optical_frame or scan_frame'
        )
    publishers = [transform(context, plan, name, *pose) for name, pose in transforms.items()]
    return [depth.end_with(plan.depth_node, *publishers), *publishers, *plan.actions]


def transform(context, plan, name, parent, child, xyz, roll_pitch_yaw) -> Node:
    """
    Return the publisher of the transform from a parent frame to a child frame.

    :param xyz: the translation in metres.
    :param roll_pitch_yaw: the rotation in radians.
    """
    numbers = zip(('x', 'y', 'z', 'roll', 'pitch', 'yaw'), (*xyz, *roll_pitch_yaw))
    return Node(
        package='tf2_ros',
        executable='static_transform_publisher',
        name=name,
        parameters=[plan.use_sim_time] if plan.use_sim_time else [],
        arguments=[
            *(part for axis, number in numbers for part in (f'--{axis}', repr(number))),
            '--frame-id',
            parent,
            '--child-frame-id',
            child,
        ],
        ros_arguments=depth.enclave_of(context, name),
    )
