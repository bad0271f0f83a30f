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

from s2r_depth_ros.depth.geometry import back_project, subsample
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.obstacles import obstacle_points
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.scan import level_rotation, scan_from_depth
from s2r_depth_ros.ros.outputs import GROUND_OUTPUTS, OUTPUTS
from s2r_scenes import camera as cameras
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.meshes import box, Material, merge, quads
from s2r_scenes.scene import Scene
from s2r_scenes.textures import Library

ROOT = Path(__file__).parents[1]
HEIGHT_M, PITCH_RAD = 0.5, 0.2
GREY = Material(0)


def transform_of(process):
    """Return frames and (4, 4) matrix of a static_transform_publisher, read as tf2 does."""
    given = dict(zip(process.command[1::2], process.command[2::2]))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler(  # about the fixed x, y and z axes, in this order
        'xyz', [float(given[f'--{name}']) for name in ('roll', 'pitch', 'yaw')]
    ).as_matrix()
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
        camera_x='0.2',
        camera_y='-0.1',
        camera_height=str(HEIGHT_M),
        camera_pitch=str(math.degrees(PITCH_RAD)),
    )
    (base, link, first), (link_again, optical, second) = (
        transform_of(launch.process(name)) for name in ('base_to_camera', 'camera_to_optical')
    )
    assert (base, link, optical) == ('base_link', link_again, 'camera_optical_frame')
    return first @ second


def node_parameters():
    return yaml.safe_load((ROOT / 'config/nav2_depth_node.yaml').read_text())['/**'][
        'ros__parameters'
    ]


def layer(name):
    content = yaml.safe_load((ROOT / f'config/nav2_{name}.yaml').read_text())
    return content['local_costmap']['local_costmap']['ros__parameters'][name]


LAYERS = pytest.mark.parametrize(
    ('name', 'clears'), [('obstacle_layer', 'scan'), ('voxel_layer', 'points')]
)


def test_the_optical_axis_is_ahead_and_down(optical_to_base):
    ahead = optical_to_base[:3, :3] @ (0, 0, 1)
    assert ahead == pytest.approx([math.cos(PITCH_RAD), 0, -math.sin(PITCH_RAD)])
    right = optical_to_base[:3, :3] @ (1, 0, 0)
    assert right == pytest.approx([0, -1, 0])
    assert optical_to_base[:3, 3] == pytest.approx([0.2, -0.1, HEIGHT_M])


@pytest.mark.parametrize('pitch_deg', [0.0, 12.0, -3.0])
def test_the_frame_of_the_scan_is_level_and_ahead_is_where_the_camera_looks(launched, pitch_deg):
    launch = launched(camera_height='1.2', camera_pitch=str(pitch_deg), camera_yaw='30')
    matrices = [
        transform_of(launch.process(name))[2]
        for name in ('base_to_camera', 'camera_to_optical', 'optical_to_level')
    ]
    optical, level, to_level = transform_of(launch.process('optical_to_level'))
    assert (optical, level) == ('camera_optical_frame', 'camera_optical_frame_level')
    ground = GroundPlane(1.2, math.radians(pitch_deg))
    assert to_level[:3, :3] == pytest.approx(level_rotation(ground).T, abs=1e-9)
    to_base = matrices[0] @ matrices[1] @ matrices[2]
    yaw_rad = math.radians(30)
    assert to_base[:3, 0] == pytest.approx([math.cos(yaw_rad), math.sin(yaw_rad), 0])
    assert to_base[:3, 2] == pytest.approx([0, 0, 1])
    assert to_base[:3, 3] == pytest.approx([0, 0, 1.2])


def test_the_pose_is_left_to_the_robot_description_if_asked_for(launched, tmp_path):
    launch = launched(publish_tf='False')
    assert {each.action.named['name'] for each in launch.processes} == {
        'depth_node',
        'optical_to_level',
    }
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**: {ros__parameters: {weights: indoor}}')
    launch = launched(publish_tf='False', params_file=str(mine))
    assert [each.executable for each in launch.processes] == ['depth_node']


def test_height_and_pitch_given_once_are_those_of_node_and_transforms(launched, tmp_path):
    launch = launched(camera_height='1.2', camera_pitch='10', base_frame='robot')
    parameters = launch.process('depth_node').parameters
    assert (parameters['camera_height'], parameters['camera_pitch']) == (1.2, 10.0)
    assert parameters['base_frame'] == 'robot'
    base, _, matrix = transform_of(launch.process('base_to_camera'))
    assert (base, matrix[2, 3]) == ('robot', 1.2)
    assert matrix[2, 0] == pytest.approx(-math.sin(math.radians(10)))

    mine = tmp_path / 'nav2_depth_node.yaml'
    mine.write_text('/**: {ros__parameters: {camera_height: 0.8, camera_pitch: 10.0}}')
    launch = launched(params_file=str(mine))
    _, _, matrix = transform_of(launch.process('base_to_camera'))
    assert matrix[2, 3] == 0.8
    assert matrix[2, 0] == pytest.approx(-math.sin(math.radians(10)))
    launch = launched(params_file=str(mine), camera_height='1.2')
    assert launch.process('depth_node').parameters['camera_height'] == 1.2
    assert transform_of(launch.process('base_to_camera'))[2][2, 3] == 1.2


def test_the_scan_has_the_frame_of_the_parameter_file(launched, tmp_path):
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**: {ros__parameters: {camera_height: 0.8, scan_frame: mast}}')
    launch = launched(params_file=str(mine))
    assert transform_of(launch.process('optical_to_level'))[1] == 'mast'


@LAYERS
def test_the_node_takes_the_parameters(name, clears):
    given = node_parameters()
    assert set(given) <= {item.name for item in fields(Parameters)}
    parameters = Parameters(**given)
    assert all(type(value) is type(getattr(Parameters(), name)) for name, value in given.items())
    marking, clearing = layer(name)['obstacles'], layer(name)[clears]
    assert layer(name)['observation_sources'] == f'obstacles {clears}'
    assert [source['topic'] for source in (marking, clearing)] == [
        '/camera/depth/obstacles',
        f'/camera/depth/{clears}',
    ]
    assert {**OUTPUTS, **GROUND_OUTPUTS}[f'depth/{clears}'].__name__ == clearing['data_type']
    assert marking['obstacle_min_range'] >= parameters.min_depth
    assert marking['max_obstacle_height'] == parameters.max_height
    # What is farther than the layer looks must be known, to clear what is before it. Nav2 puts a
    # ray of +inf at range_max, which is max_depth, and must not mark there.
    assert marking['obstacle_max_range'] < clearing['raytrace_max_range'] < parameters.max_depth
    assert (marking['marking'], marking['clearing']) == (True, False)
    assert (clearing['marking'], clearing['clearing']) == (False, True)
    assert clearing['min_obstacle_height'] <= 0 < parameters.camera_height
    assert clearing['max_obstacle_height'] > parameters.camera_height


def test_boxes_are_marked_and_the_floor_is_not(optical_to_base):
    intrinsics = cameras.pinhole(math.radians(70), 320, 240)
    camera = cameras.look((0.2, -0.1, HEIGHT_M), 0, -PITCH_RAD, 0, intrinsics, 320, 240)
    floor = quads(np.array([[(60, 60, 0), (60, -60, 0), (-60, -60, 0), (-60, 60, 0)]]), GREY)
    near, far, high = (
        box((0.3, 0.4, 0.4), GREY, (2.0, 0.3, 0.2)),
        box((0.3, 0.4, 1.0), GREY, (7.0, -1, 0.5)),
        box((0.5, 4, 0.1), GREY, (3.0, 0, 1.9)),
    )
    renderer = EmbreeRenderer(1)
    renderer.load(
        Scene(
            merge([floor, near, far, high]),
            merge([]),
            Library(np.full((1, 256, 256, 4), 255, np.uint8), {'plain': [0]}),
            [camera],
            {},
        )
    )
    depth_m = renderer.depth(camera) * np.random.default_rng(0).normal(1, 0.05, (240, 320))
    depth_m = depth_m.astype(np.float32)

    parameters = Parameters(**node_parameters())
    depth_m[depth_m > parameters.max_depth] = np.inf
    ground = GroundPlane(HEIGHT_M, PITCH_RAD)
    heights_m = parameters.min_height, parameters.max_height
    points = obstacle_points(
        back_project(*subsample(depth_m, intrinsics, parameters.point_stride)),
        ground,
        *heights_m,
        parameters.voxel_size,
    )
    points = points @ optical_to_base[:3, :3].T + optical_to_base[:3, 3]
    source = layer('obstacle_layer')['obstacles']
    distance_m = np.linalg.norm(points - optical_to_base[:3, 3], axis=1)
    is_marked = (
        (points[:, 2] >= source['min_obstacle_height'])
        & (points[:, 2] <= source['max_obstacle_height'])
        & (distance_m >= source['obstacle_min_range'])
        & (distance_m <= source['obstacle_max_range'])
    )
    x, y, _ = points[is_marked].T
    # The near box alone, within the noise of its depth; not the floor, nor what is far or high.
    assert len(x) > 20
    assert np.median(x) == pytest.approx(1.85, abs=0.15)
    assert (np.abs(x - 2.0) < 0.6).all()
    assert (np.abs(y - 0.3) < 0.35).all()

    scan = scan_from_depth(
        depth_m, intrinsics, ground, heights_m, (parameters.min_depth, parameters.max_depth)
    )
    angles = scan.angle_min_rad + scan.angle_step_rad * np.arange(len(scan.ranges_m))
    is_beside = np.abs(angles - math.atan2(0.4, 1.65)) > 0.25
    assert not (scan.ranges_m[is_beside] <= source['obstacle_max_range']).any()
    assert (scan.ranges_m[is_beside] == np.inf).mean() > 0.7  # the outermost see only near floor


def test_the_voxels_reach_as_high_as_the_obstacles():
    voxels = layer('voxel_layer')
    top = voxels['origin_z'] + voxels['z_resolution'] * voxels['z_voxels']
    assert top == pytest.approx(voxels['max_obstacle_height'])
    assert voxels['z_voxels'] <= 16
