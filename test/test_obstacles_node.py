"""Obstacles and scan as a subscriber of the node's topics meets them, with bundled weights."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from std_msgs.msg import Header
from test_depth_node import NODE
from test_scale_node import Robot, street  # noqa: F401 (a fixture)

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.obstacles import obstacle_points
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthPipeline
from s2r_depth_ros.depth.scan import scan_from_depth
from s2r_depth_ros.ros.compat import read_points
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image

GROUND = GroundPlane(1.5, math.radians(2))
PLACE = {'camera_height': 1.5, 'camera_pitch': 2.0}


class Listener:
    """Subscribes to obstacles and scan of a robot, and returns those of one stamp."""

    def __init__(self, robot):
        self._robot = robot
        self.obstacles = robot.graph.collect(PointCloud2, 'camera/depth/obstacles')
        self.scans = robot.graph.collect(LaserScan, 'camera/depth/scan')

    def shoot(self):
        """Return depth in metres, obstacles and scan of an image."""
        header = self._robot.next_header()

        def of_stamp():
            found = [
                next((each for each in messages if each.header.stamp == header.stamp), None)
                for messages in (self._robot.depths, self.obstacles, self.scans)
            ]
            return found if all(found) else None

        depth, obstacles, scan = self._robot.graph.wait(
            of_stamp, 'depth, obstacles and scan', repeat=lambda: self._robot._send(header)
        )
        depth_m = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
        return depth_m, obstacles, scan


def test_both_are_those_of_the_depth_with_its_stamp(tmp_path, street):  # noqa: F811
    settings = {'voxel_size': 0.5, 'max_depth': 30.0, 'ground_probability': 1.0}
    with Robot(tmp_path, street, **PLACE, **settings) as robot:
        depth_m, obstacles, scan = Listener(robot).shoot()
        assert obstacles.header.frame_id == 'optical'
        expected_m = obstacle_points(
            back_project(depth_m, robot.intrinsics), GROUND, 0.15, 2.0, voxel_m=0.5
        )
        assert len(expected_m) > 50
        assert (obstacles.height, obstacles.is_dense) == (1, True)
        read = read_points(obstacles, ('x', 'y', 'z'))
        points_m = np.stack([read[axis] for axis in 'xyz'], axis=-1)
        assert points_m == pytest.approx(expected_m, abs=1e-5)

        assert scan.header.frame_id == 'optical_level'
        expected = scan_from_depth(depth_m, robot.intrinsics, GROUND, (0.15, 2.0), (0.1, 30.0))
        assert np.array_equal(scan.ranges, expected.ranges_m, equal_nan=True)
        assert np.isfinite(scan.ranges).any()
        assert scan.angle_min == pytest.approx(expected.angle_min_rad)
        last_rad = scan.angle_min + (len(scan.ranges) - 1) * scan.angle_increment
        assert scan.angle_max == pytest.approx(last_rad)
        assert (scan.range_min, scan.range_max) == (pytest.approx(0.1), 30.0)


def test_pixels_that_show_the_ground_are_in_neither(tmp_path, street):  # noqa: F811
    rgb, intrinsics, *_ = street
    camera = CameraModel.from_intrinsics(rgb.shape[1], rgb.shape[0], intrinsics)
    pipeline = DepthPipeline(DepthPredictor(device='cpu'), Parameters())
    (result,) = pipeline.predict([CameraImage(rgb, camera)], with_ground=True)
    is_ground = result.is_ground(0.3)
    assert 0.1 < is_ground.mean() < 0.9
    place = {**PLACE, 'min_height': 0.0, 'max_depth': 30.0, 'ground_probability': 0.3}
    with Robot(tmp_path, street, **place) as robot:
        depth_m, obstacles, scan = Listener(robot).shoot()
        points_m = back_project(depth_m, robot.intrinsics)
        expected_m = obstacle_points(points_m, GROUND, 0.0, 2.0, is_ground=is_ground)
        assert len(expected_m) < len(obstacle_points(points_m, GROUND, 0.0, 2.0))
        read = read_points(obstacles, ('x', 'y', 'z'))
        assert np.stack([read[axis] for axis in 'xyz'], axis=-1) == pytest.approx(
            expected_m, abs=1e-5
        )
        expected = scan_from_depth(
            depth_m, robot.intrinsics, GROUND, (0.0, 2.0), (0.1, 30.0), is_ground
        )
        assert np.array_equal(scan.ranges, expected.ranges_m, equal_nan=True)


@pytest.mark.parametrize('ground_contact', [True, False])
def test_things_stand_on_the_ground_if_asked_for(tmp_path, street, ground_contact):  # noqa: F811
    rgb, intrinsics, *_ = street
    image = CameraImage(rgb, CameraModel.from_intrinsics(rgb.shape[1], rgb.shape[0], intrinsics))
    predictor = DepthPredictor(device='cpu')
    tilted = {'camera_height': 1.5, 'camera_pitch': 5.0}
    depths_m = {}
    for is_on in (True, False):
        parameters = Parameters(**tilted, ground_contact=is_on)
        depths_m[is_on] = DepthPipeline(predictor, parameters).run(image, CameraState()).depth_m
    moved = np.isfinite(depths_m[True]) & np.isfinite(depths_m[False])
    change = np.abs(depths_m[True][moved] / depths_m[False][moved] - 1)
    assert 0.005 < np.quantile(change, 0.9) < 0.3
    with Robot(tmp_path, street, **tilted, ground_contact=ground_contact) as robot:
        depth_m, *_ = Listener(robot).shoot()
    assert depth_m == pytest.approx(depths_m[ground_contact], rel=1e-3)


def test_where_nothing_stands_the_cloud_is_empty_and_all_else_comes(
    tmp_path,
    street,  # noqa: F811
):
    with Robot(tmp_path, street, **PLACE, min_height=900.0, max_height=1000.0) as robot:
        _, obstacles, scan = Listener(robot).shoot()
        assert (obstacles.width, obstacles.height, obstacles.row_step) == (0, 1, 0)
        assert len(obstacles.data) == 0
        assert not np.isfinite(scan.ranges).any()


def test_the_scan_has_the_frame_that_the_robot_names(tmp_path, street):  # noqa: F811
    with Robot(tmp_path, street, **PLACE, scan_frame='mast') as robot:
        _, obstacles, scan = Listener(robot).shoot()
        assert (obstacles.header.frame_id, scan.header.frame_id) == ('optical', 'mast')


def test_without_a_ground_there_is_neither_and_the_reason_is_said_once_and_shown(
    tmp_path,
    street,  # noqa: F811
):
    with Robot(tmp_path, street) as robot:
        status = robot.status(lambda s: s.level == DiagnosticStatus.OK, 'no fault')
        assert 'ground' not in status.message
        listener = Listener(robot)
        status = robot.status(
            lambda s: 'camera_height' in s.message,
            'the reason',
            repeat=lambda: robot._send(robot.next_header()),
        )
        assert status.level == DiagnosticStatus.WARN
        assert status.message == (
            'obstacles and scan need the ground: TF from base_frame, or camera_height'
        )
        for _ in range(2):
            robot.shoot(robot.next_header())
        assert not listener.obstacles
        assert not listener.scans
        assert robot.node.output.count('obstacles and scan need the ground') == 1

        # The height can still come, and neither the depth nor the other way round is lost.
        assert robot.set_height(1.5)
        listener.shoot()
        robot.status(lambda s: s.level == DiagnosticStatus.OK, 'no fault')


def test_an_image_that_gives_neither_and_nothing_else_is_a_counted_drop(
    tmp_path,
    street,  # noqa: F811
):
    rgb, intrinsics, *_ = street
    model = CameraModel.from_intrinsics(rgb.shape[1], rgb.shape[0], intrinsics)
    with Graph(tmp_path) as graph:
        graph.start(NODE, *ros_arguments(device='cpu'))
        image = graph.publisher(Image, 'camera/image', qos_profile_sensor_data)
        info = graph.publisher(CameraInfo, 'camera/camera_info', qos_profile_sensor_data)
        scans = graph.collect(LaserScan, 'camera/depth/scan')
        arrays = graph.collect(DiagnosticArray, '/diagnostics')

        def send():
            header = Header(frame_id='optical')
            info.publish(camera_model_to_info(model, header))
            image.publish(pixels_to_image(rgb, 'rgb8', header))

        def counts():
            found = [
                each for array in arrays for each in array.status if 'no_ground' in each.message
            ]
            return {each.key: each.value for each in found[-1].values} if found else None

        values = graph.wait(counts, 'the cause', repeat=send)
        assert int(values['dropped no_ground']) > 0
        assert values['published'] == '0'
        for status in (each for array in arrays for each in array.status):
            if 'no_ground' in status.message:  # with the reason of TF, whichever it is
                assert 'TF from base_frame, or camera_height; ' in status.message
                assert 'transform from base_footprint' in status.message
        assert not scans
