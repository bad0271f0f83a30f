"""Clouds as pictures and files, sheets of frames: what is drawn where, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from plyfile import PlyData
import pytest
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from s2r_depth_ros.cli.cloud_view import (
    BACKGROUND_RGB,
    cloud_picture,
    fill_gaps,
    look_at,
    render_points,
    write_ply,
)
from s2r_depth_ros.cli.contact_sheet import contact_sheet, depth_limits
from s2r_depth_ros.cli.recorder import cloud_arrays
from s2r_depth_ros.ros.messages import points_to_cloud

RED, GREEN = (255, 0, 0), (0, 255, 0)


def test_looking_forward_from_the_origin_changes_nothing():
    np.testing.assert_allclose(look_at((0, 0, 0), (0, 0, 5)), np.eye(4), atol=1e-12)


def test_looking_from_the_right_sees_forward_to_the_right():
    pose = look_at((4, 0, 3), (0, 0, 3))  # from x = 4 towards -x
    # The target is 4 m ahead; a point 1 m farther forward (z) appears 1 m to the right.
    np.testing.assert_allclose(pose @ (0, 0, 3, 1), (0, 0, 4, 1), atol=1e-12)
    np.testing.assert_allclose(pose @ (0, 0, 4, 1), (1, 0, 4, 1), atol=1e-12)
    np.testing.assert_allclose(pose @ (0, 1, 3, 1), (0, 1, 4, 1), atol=1e-12)


def test_the_nearer_point_hides_the_farther():
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50)), -1)
    rays = np.dstack((grid, np.ones((50, 50)))).reshape(-1, 3).astype(np.float32)
    points = np.concatenate((rays * 2, rays * 4))
    for order in (slice(None), slice(None, None, -1)):
        colors = np.array([RED] * 2500 + [GREEN] * 2500, np.uint8)
        picture = render_points(
            points[order], colors[order], np.eye(4), (40, 40), point_m_per_depth=0.06
        )
        assert picture[20, 20].tolist() == list(RED)
        assert not (picture == GREEN).all(axis=-1).any()


def test_a_point_is_drawn_on_its_side_of_the_picture_and_nothing_elsewhere():
    points = np.array([[-1, -1, 2], [1, 1, 2]], np.float32)  # above left, below right
    picture = render_points(
        points, np.array([RED, GREEN], np.uint8), np.eye(4), (40, 60), point_m_per_depth=0.01
    )
    rows, columns = np.nonzero((picture.astype(int)[..., 0] - picture[..., 1]) > 20)
    assert len(rows)
    assert rows.max() < 20
    assert columns.max() < 30
    rows, columns = np.nonzero((picture.astype(int)[..., 1] - picture[..., 0]) > 20)
    assert rows.min() > 20
    assert columns.min() > 30
    assert picture[20, 30].tolist() == list(BACKGROUND_RGB)


def test_gaps_are_filled_on_a_surface_and_left_open_at_its_edge():
    points = np.ones((6, 12, 3), np.float32)
    points[:, :6, 2] = 2.0
    points[:, 6:, 2] = 4.0
    filled, colors = fill_gaps(points, np.full((6, 12, 3), 7, np.uint8), 3)
    assert set(filled[:, 2].tolist()) == {2.0, 4.0}  # nothing between the surfaces
    # Columns 5 and 6 have a neighbour on the other surface: ten of twelve, each 3 x 3 points.
    assert len(filled) == len(colors) == 6 * 10 * 9


def test_no_point_is_made_of_missing_ones():
    points = np.full((6, 12, 3), np.nan, np.float32)
    points[1, 1] = 1.0
    filled, _ = fill_gaps(points, np.zeros((6, 12, 3), np.uint8), 2)
    assert len(filled) == 0
    cloud_picture(points, np.zeros((6, 12, 3), np.uint8))  # a single point can be drawn still


def test_ply_reads_back(tmp_path):
    points = np.array([[1.5, -2.0, 3.0], [0.0, 0.25, 9.0]], np.float32)
    write_ply(tmp_path / 'c.ply', points, np.array([RED, GREEN], np.uint8), ['metres'])
    ply = PlyData.read(tmp_path / 'c.ply')
    assert ply['vertex'].data.tolist() == [(1.5, -2.0, 3.0, *RED), (0.0, 0.25, 9.0, *GREEN)]
    assert ply.comments == ['metres']


@pytest.mark.parametrize('reader', ['plyfile', 'trimesh', 'open3d'])
def test_a_cloud_file_has_bytes_as_colours_and_no_missing_points(tmp_path, reader):
    library = pytest.importorskip(
        reader, reason=f'{reader} is not installed; plyfile always is, and reads the same file'
    )
    points = np.array([[[1, 2, 3], [np.nan] * 3], [[np.inf, 0, 1], [4, 5, 6]]], np.float32)
    colors = np.array([[[0, 127, 255], [9, 9, 9]], [[9, 9, 9], [200, 100, 1]]], np.uint8)
    file = tmp_path / 'c.ply'
    write_ply(file, points, colors)
    if reader == 'plyfile':
        vertices = library.PlyData.read(file)['vertex']
        assert vertices['red'].dtype == np.uint8
        read = [
            np.stack([vertices[name] for name in names], axis=-1)
            for names in ('xyz', ('red', 'green', 'blue'))
        ]
    elif reader == 'trimesh':
        cloud = library.load(file)
        read = [np.asarray(cloud.vertices), np.asarray(cloud.colors)[:, :3]]
    else:
        cloud = library.io.read_point_cloud(str(file))
        read = [np.asarray(cloud.points), np.asarray(cloud.colors) * 255]
    np.testing.assert_array_equal(read[0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(read[1], [[0, 127, 255], [200, 100, 1]], atol=1e-6)


def test_cloud_messages_become_organised_arrays():
    points = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    points[0, 1] = np.nan
    rgb = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    cloud: PointCloud2 = points_to_cloud(points, rgb, Header())
    read_points, read_rgb = cloud_arrays(cloud)
    np.testing.assert_array_equal(read_points, points)
    np.testing.assert_array_equal(read_rgb, rgb)


def test_limits_are_round_numbers_around_the_depths():
    depth = np.array([[3.2, 40.0, np.nan, np.inf]], np.float32)
    assert depth_limits([depth]) == (3.0, 50.0)
    assert depth_limits([np.full((2, 2), 5.0)]) == (5.0, 7.0)
    assert depth_limits([np.full((2, 2), np.nan)]) == (1.0, 10.0)


@pytest.mark.parametrize('size', [(60, 200), (90, 60)], ids=['wide', 'upright'])
def test_sheet_has_a_row_for_each_frame_and_a_scale(size):
    frame = SimpleNamespace(
        rgb=np.zeros((*size, 3), np.uint8),
        structure=np.zeros(size, np.uint8),
        attention=np.zeros(size, np.uint8),
        depth_m=np.full(size, 3.0, np.float32),
    )
    figure = contact_sheet([frame, frame], 'two')
    pictures, scale = figure.axes[:-1], figure.axes[-1]
    assert len(pictures) == 8
    assert [tick.get_text() for tick in scale.get_yticklabels()] == ['5 m', '3 m']
    bounds = [axis.get_window_extent() for axis in pictures]
    assert all(box.width > 0 and box.height > 0 for box in bounds)
