"""
The obstacles that Nav2 is given: the launch file's transforms and the example configurations.

Nav2 exists in a ROS installation alone; marking is done here as its voxel layer documents it.
"""
from dataclasses import fields
import math
from pathlib import Path

import launch_stand_in as stand_in
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
import yaml

from s2r_depth_ros.geometry import back_project, subsample
from s2r_depth_ros.parameters import Parameters
from s2r_depth_training.render import camera as cameras
from s2r_depth_training.render.embree import EmbreeRenderer
from s2r_depth_training.render.meshes import box, Material, merge, quads
from s2r_depth_training.render.scene import Scene
from s2r_depth_training.render.textures import Library

ROOT = Path(__file__).parents[1]
HEIGHT_M, PITCH_RAD = 0.5, 0.2
GREY = Material(0)


def transform_of(process):
    """Return frames and (4, 4) matrix of a static_transform_publisher, read as tf2 does."""
    given = dict(zip(process.command[1::2], process.command[2::2]))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler(  # about the fixed x, y and z axes, in this order
        'xyz', [float(given[f'--{name}']) for name in ('roll', 'pitch', 'yaw')]).as_matrix()
    matrix[:3, 3] = [float(given[f'--{name}']) for name in 'xyz']
    return given['--frame-id'], given['--child-frame-id'], matrix


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Return a function that runs obstacles.launch.py up to the processes."""
    def launched(**arguments):
        folder = tmp_path / f'launched_{len(list(tmp_path.iterdir()))}'
        folder.mkdir()
        actions = stand_in.load(ROOT / 'launch/obstacles.launch.py', monkeypatch)
        return stand_in.Launch(actions, folder, ('tf2_ros',), **arguments).run()
    return launched


@pytest.fixture
def optical_to_base(launched):
    """Return the (4, 4) matrix that the launch file publishes for a camera that looks down."""
    launch = launched(
        camera_x='0.2', camera_y='-0.1', camera_z=str(HEIGHT_M), camera_pitch_rad=str(PITCH_RAD))
    (base, link, first), (link_again, optical, second) = (
        transform_of(launch.process(name)) for name in ('base_to_camera', 'camera_to_optical'))
    assert (base, link, optical) == ('base_link', link_again, 'camera_optical_frame')
    return first @ second


def node_parameters():
    return yaml.safe_load((ROOT / 'config/nav2_depth_node.yaml').read_text())['/**'][
        'ros__parameters']


def voxel_layer():
    content = yaml.safe_load((ROOT / 'config/nav2_voxel_layer.yaml').read_text())
    return content['local_costmap']['local_costmap']['ros__parameters']['voxel_layer']


def test_the_optical_axis_is_ahead_and_down(optical_to_base):
    ahead = optical_to_base[:3, :3] @ (0, 0, 1)
    assert ahead == pytest.approx([math.cos(PITCH_RAD), 0, -math.sin(PITCH_RAD)])
    right = optical_to_base[:3, :3] @ (1, 0, 0)
    assert right == pytest.approx([0, -1, 0])
    assert optical_to_base[:3, 3] == pytest.approx([0.2, -0.1, HEIGHT_M])


def test_transforms_are_left_to_the_robot_description_if_asked_for(launched):
    launch = launched(publish_tf='False')
    assert [each.executable for each in launch.processes] == ['depth_node']


def test_the_place_of_the_camera_is_that_of_the_scale(launched, tmp_path):
    launch = launched(camera_z='1.2', camera_pitch_rad='0.17')
    parameters = launch.process('depth_node').parameters
    assert parameters['camera_height'] == 1.2
    assert parameters['camera_pitch'] == pytest.approx(math.degrees(0.17))
    mine = tmp_path / 'nav2_depth_node.yaml'
    mine.write_text('/**: {ros__parameters: {camera_height: 0.8, camera_pitch: 10.0}}')
    launch = launched(params_file=str(mine))
    _, _, matrix = transform_of(launch.process('base_to_camera'))
    assert matrix[2, 3] == 0.8
    assert matrix[2, 0] == pytest.approx(-math.sin(math.radians(10)))
    assert not launch.context.notes


def test_two_places_of_the_camera_are_pointed_out(launched, tmp_path):
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**: {ros__parameters: {camera_height: 0.8}}')
    launch = launched(params_file=str(mine), camera_z='1.2')
    assert launch.process('depth_node').parameters['camera_height'] == 0.8
    note, = launch.context.notes
    assert 'camera_height is 0.8 in the params_file and 1.2' in note


def test_the_node_takes_the_parameters():
    given = node_parameters()
    assert set(given) <= {item.name for item in fields(Parameters)}
    parameters = Parameters(**given)
    assert all(type(value) is type(getattr(Parameters(), name)) for name, value in given.items())
    source = voxel_layer()['depth']
    assert source['topic'] == '/camera/depth/points'
    assert source['obstacle_min_range'] >= parameters.min_depth
    # What is farther than the layer looks must be in the cloud, to clear what is before it.
    assert source['obstacle_max_range'] < source['raytrace_max_range'] < parameters.max_depth


def test_boxes_are_marked_and_the_floor_is_not(optical_to_base):
    intrinsics = cameras.pinhole(math.radians(70), 320, 240)
    camera = cameras.look((0.2, -0.1, HEIGHT_M), 0, -PITCH_RAD, 0, intrinsics, 320, 240)
    floor = quads(np.array([[(60, 60, 0), (60, -60, 0), (-60, -60, 0), (-60, 60, 0)]]), GREY)
    near, far, high = (
        box((0.3, 0.4, 0.4), GREY, (2.0, 0.3, 0.2)), box((0.3, 0.4, 1.0), GREY, (7.0, -1, 0.5)),
        box((0.5, 4, 0.1), GREY, (3.0, 0, 1.9)))
    renderer = EmbreeRenderer(1)
    renderer.load(Scene(
        merge([floor, near, far, high]), merge([]),
        Library(np.full((1, 256, 256, 4), 255, np.uint8), {'plain': [0]}), [camera], {}))
    depth_m = renderer.depth(camera) * np.random.default_rng(0).normal(1, 0.05, (240, 320))

    depth_m[depth_m > node_parameters()['max_depth']] = np.inf
    points = back_project(*subsample(
        depth_m, intrinsics, node_parameters()['point_stride'])).reshape(-1, 3)
    points = points[np.isfinite(points[:, 2])] @ optical_to_base[:3, :3].T + optical_to_base[:3, 3]
    layer = voxel_layer()
    source = layer['depth']
    distance_m = np.linalg.norm(points - optical_to_base[:3, 3], axis=1)
    is_marked = (
        (points[:, 2] >= source['min_obstacle_height'])
        & (points[:, 2] <= min(source['max_obstacle_height'], layer['max_obstacle_height']))
        & (distance_m >= source['obstacle_min_range'])
        & (distance_m <= source['obstacle_max_range']))
    x, y, _ = points[is_marked].T
    # The near box alone, within the noise of its depth; not the floor, nor what is far or high.
    assert len(x) > 20
    assert np.median(x) == pytest.approx(1.85, abs=0.15)
    assert (np.abs(x - 2.0) < 0.6).all()
    assert (np.abs(y - 0.3) < 0.35).all()
    top = layer['origin_z'] + layer['z_resolution'] * layer['z_voxels']
    assert top == pytest.approx(layer['max_obstacle_height'])
    assert layer['z_voxels'] <= 16
