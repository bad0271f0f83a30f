"""Every reader, on a tiny tree of real files in exactly the published layout."""

import json
from pathlib import Path
import re
import struct
import subprocess
import sys
import zlib

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from s2r_depth_training.data import (
    CorruptSampleError,
    DataError,
    Folder,
    Hypersim,
    KittiDepth,
    KittiRaw,
    Nyu,
    open_dataset,
    Styles,
    Suncg,
    VKitti,
    VKitti2,
)
from s2r_depth_training.data.readers.files import read_depth, read_rgb
from s2r_depth_training.data.readers.hypersim import depth_from_distance
from s2r_depth_training.data.readers.kitti_raw import project_velodyne
from s2r_depth_training.data.readers.vkitti import published_intrinsics
from s2r_depth_training.data.sample import camera_matrix

NAN, INF = np.nan, np.inf
RED = (200, 30, 10)
DATE, DRIVE = '2011_09_26', '2011_09_26_drive_0002_sync'


def write_png(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values)


def write_rgb(path, height=2, width=3, color=RED):
    write_png(path, np.full((height, width, 3), color[::-1], np.uint8))


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def add_vkitti(root, world='0001', variation='clone', name='00000', color=RED, depth=None):
    depth = [[1, 250, 8000], [0, 65534, 65535]] if depth is None else depth
    write_rgb(root / 'vkitti_1.3.1_rgb' / world / variation / f'{name}.png', color=color)
    write_png(
        root / 'vkitti_1.3.1_depthgt' / world / variation / f'{name}.png',
        np.array(depth, np.uint16),
    )


# ---- Virtual KITTI 1.3.1


def test_vkitti_reads_rgb_centimetres_and_sky(tmp_path):
    add_vkitti(tmp_path)
    sample = VKitti(tmp_path)[0]
    assert sample.image.dtype == np.uint8
    assert sample.image.shape == (2, 3, 3)
    assert tuple(sample.image[0, 0]) == RED
    assert sample.depth_m.dtype == np.float32
    np.testing.assert_allclose(sample.depth_m, [[0.01, 2.5, 80], [NAN, 655.34, INF]], rtol=1e-6)
    assert sample.name == str(tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00000.png')


def test_vkitti_has_the_published_camera_resized_with_its_images():
    np.testing.assert_array_equal(
        published_intrinsics(375, 1242), np.float32([[725, 0, 620.5], [0, 725, 187], [0, 0, 1]])
    )
    # Centres of pixels are at whole numbers: half a pixel more, halved, and half a pixel less.
    np.testing.assert_allclose(
        published_intrinsics(750, 621), np.float32([[362.5, 0, 310], [0, 1450, 374.5], [0, 0, 1]])
    )


def test_vkitti_takes_the_size_of_each_image_for_its_camera(tmp_path):
    add_vkitti(tmp_path)
    np.testing.assert_array_equal(VKitti(tmp_path)[0].intrinsics, published_intrinsics(2, 3))


def test_rendered_scenes_without_their_intrinsics_are_refused(tmp_path):
    add_vkitti(tmp_path)
    write_text(tmp_path / 'render.json', '{}')
    with pytest.raises(DataError, match=r'was rendered, and lacks vkitti_1\.3\.1_intrinsicsgt'):
        VKitti(tmp_path)


def test_vkitti_takes_the_intrinsics_of_rendered_scenes_per_frame(tmp_path):
    add_vkitti(tmp_path, name='00000')
    add_vkitti(tmp_path, name='00007', variation='fog')
    write_text(
        tmp_path / 'vkitti_1.3.1_intrinsicsgt/0001.txt',
        'frame K[0,0] K[1,1] K[0,2] K[1,2]\n0 500 501 320 96\n7 600 601 310 90\n',
    )
    clone, fog = VKitti(tmp_path)
    np.testing.assert_array_equal(clone.intrinsics, camera_matrix(500, 501, 320, 96))
    np.testing.assert_array_equal(fog.intrinsics, camera_matrix(600, 601, 310, 90))


def test_vkitti_names_a_frame_without_intrinsics(tmp_path):
    add_vkitti(tmp_path, name='00003')
    write_text(
        tmp_path / 'vkitti_1.3.1_intrinsicsgt/0001.txt',
        'frame K[0,0] K[1,1] K[0,2] K[1,2]\n0 500 501 320 96\n',
    )
    with pytest.raises(DataError, match=r'0001\.txt has no line for frame 3 of .*00003\.png'):
        VKitti(tmp_path)


@pytest.mark.parametrize('numbers', ['nan nan nan nan', '-5 5 1 1', '0 5 1 1', '1e38 inf 1 1'])
def test_a_camera_that_cannot_be_is_named_and_not_taken_for_an_unknown_one(tmp_path, numbers):
    add_vkitti(tmp_path)
    write_text(tmp_path / 'vkitti_1.3.1_intrinsicsgt/0001.txt', f'frame K\n0 {numbers}\n')
    with pytest.raises(DataError, match=r'expected .*numbers'):
        VKitti(tmp_path)[0]


@pytest.mark.parametrize('number', ['nan', 'inf'])
def test_a_frame_whose_number_is_none_is_refused(tmp_path, number):
    add_vkitti(tmp_path)
    write_text(tmp_path / 'vkitti_1.3.1_intrinsicsgt/0001.txt', f'frame K\n{number} 5 5 1 1\n')
    with pytest.raises(DataError, match=r'0001\.txt: expected 5 numbers'):
        VKitti(tmp_path)


def test_vkitti_groups_by_world_variation_and_number(tmp_path):
    for variation in ('clone', 'fog', 'rain'):
        for world in ('0001', '0020'):
            add_vkitti(tmp_path, world, variation)
    reader = VKitti(tmp_path, worlds=['0020'], variations=['clone', 'rain'])
    assert [frame[:4] for frame in reader.frames] == [
        ('0020', 'clone', 0, 0),
        ('0020', 'rain', 0, 0),
    ]


def test_vkitti_refuses_an_unknown_variation_and_lists_the_known(tmp_path):
    add_vkitti(tmp_path)
    with pytest.raises(DataError, match='has no variation mist, it has clone'):
        VKitti(tmp_path, variations=['clone', 'mist'])


def test_a_world_that_may_not_be_read_is_not_left_out(tmp_path, monkeypatch):
    for world in ('0001', '0002'):
        add_vkitti(tmp_path, world)
    list_all = Path.iterdir

    def deny(path):
        if path.name == '0002':
            raise PermissionError(13, 'Permission denied', str(path))
        return list_all(path)

    monkeypatch.setattr(Path, 'iterdir', deny)
    with pytest.raises(PermissionError, match='0002'):
        VKitti(tmp_path)


def test_vkitti_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r'no folder .*vkitti_1\.3\.1_rgb; expected .*WORLD/VAR'):
        VKitti(tmp_path)
    (tmp_path / 'vkitti_1.3.1_rgb').mkdir()
    (tmp_path / 'vkitti_1.3.1_depthgt').mkdir()
    with pytest.raises(DataError, match=r'vkitti_1\.3\.1_rgb holds no sample'):
        VKitti(tmp_path)
    add_vkitti(tmp_path)
    (tmp_path / 'vkitti_1.3.1_depthgt/0001/clone/00000.png').unlink()
    with pytest.raises(DataError, match=r'1 images have no depth.*depthgt/0001/clone/00000\.png'):
        VKitti(tmp_path)


# ---- Files that are broken, through the reader that everybody uses


def test_a_truncated_image_is_named(tmp_path):
    add_vkitti(tmp_path)
    file = tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00000.png'
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(CorruptSampleError, match=rf'{file} is not a readable image'):
        VKitti(tmp_path)[0]


def test_an_image_of_more_pixels_than_opencv_reads_is_named(tmp_path):
    header = b'IHDR' + struct.pack('>IIBBBBB', 10**5, 10**5, 8, 2, 0, 0, 0)
    chunk = struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header))
    write_rgb(tmp_path / 'a.png')
    png = (tmp_path / 'a.png').read_bytes()
    (tmp_path / 'a.png').write_bytes(png[:8] + chunk + png[8 + len(chunk) :])
    with pytest.raises(CorruptSampleError, match=r'a\.png cannot be decoded'):
        read_rgb(tmp_path / 'a.png')


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_an_image_whose_second_half_is_missing_is_named_and_not_filled(tmp_path, suffix):
    file = tmp_path / f'image{suffix}'
    write_png(file, np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptSampleError, match=r'not a readable image: truncated'):
        read_rgb(file)


def test_depth_whose_second_half_is_missing_is_named_and_not_filled(tmp_path):
    file = tmp_path / 'depth.png'
    write_png(file, np.random.default_rng(0).integers(1, 9999, (48, 64), np.uint16))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptSampleError, match=r'not a readable image: truncated'):
        read_depth(file, 0.01)


def test_an_empty_file_is_named(tmp_path):
    add_vkitti(tmp_path)
    file = tmp_path / 'vkitti_1.3.1_depthgt/0001/clone/00000.png'
    file.write_bytes(b'')
    with pytest.raises(CorruptSampleError, match=rf'{file} is not a readable image'):
        VKitti(tmp_path)[0]


def test_depth_of_another_size_is_refused(tmp_path):
    add_vkitti(tmp_path, depth=[[1, 2]])
    with pytest.raises(CorruptSampleError, match=r'has 3 x 2 pixels but its depth has 2 x 1'):
        VKitti(tmp_path)[0]


def test_depth_that_is_nowhere_valid_is_refused(tmp_path):
    add_vkitti(tmp_path, depth=np.zeros((2, 3)))
    with pytest.raises(CorruptSampleError, match='no valid depth in any pixel'):
        VKitti(tmp_path)[0]


def test_depth_of_eight_bits_is_refused_where_sixteen_are_expected(tmp_path):
    add_vkitti(tmp_path)
    write_png(tmp_path / 'vkitti_1.3.1_depthgt/0001/clone/00000.png', np.ones((2, 3), np.uint8))
    with pytest.raises(CorruptSampleError, match='one channel of uint16, it has 1 of uint8'):
        VKitti(tmp_path)[0]


# ---- Virtual KITTI 2


def add_vkitti2(root, scene='Scene01', variation='clone', camera=0):
    frames = root / scene / variation / 'frames'
    write_rgb(frames / f'rgb/Camera_{camera}/rgb_00000.jpg')
    write_png(
        frames / f'depth/Camera_{camera}/depth_00000.png',
        np.array([[100, 200, 300], [0, 1, 65535]], np.uint16),
    )
    write_text(
        root / scene / variation / 'intrinsic.txt',
        'frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]\n'
        '0 0 725.0087 725.0087 620.5 187\n0 1 725.5 725.5 620.5 187\n',
    )


def test_vkitti2_reads_both_cameras_with_their_intrinsics(tmp_path):
    add_vkitti2(tmp_path, camera=0)
    add_vkitti2(tmp_path, camera=1)
    left, right = VKitti2(tmp_path)
    np.testing.assert_allclose(left.depth_m, [[1, 2, 3], [NAN, 0.01, INF]], rtol=1e-6)
    np.testing.assert_allclose(left.intrinsics, camera_matrix(725.0087, 725.0087, 620.5, 187))
    assert right.intrinsics[0, 0] == 725.5
    np.testing.assert_allclose(left.image[0, 0], RED, atol=8)  # JPEG


def test_vkitti2_reads_one_camera_alone(tmp_path):
    add_vkitti2(tmp_path, camera=0)
    assert len(VKitti2(tmp_path, cameras=[0])) == 1
    with pytest.raises(DataError, match='no folder .*Camera_1'):
        VKitti2(tmp_path)


def test_vkitti2_says_what_is_missing(tmp_path):
    add_vkitti2(tmp_path)
    (tmp_path / 'Scene01/clone/intrinsic.txt').unlink()
    with pytest.raises(DataError, match=r'no file .*Scene01/clone/intrinsic\.txt; expected'):
        VKitti2(tmp_path, cameras=[0])
    write_text(tmp_path / 'Scene01/clone/intrinsic.txt', 'header\n0 0 725\n')
    with pytest.raises(DataError, match='expected 6 numbers, got "0 0 725"'):
        VKitti2(tmp_path, cameras=[0])


# ---- SUNCG


def add_suncg(root, rgb='000001_mlt.png', depth='000001_depth.png'):
    write_rgb(root / 'trainA_SYN10/trainA_SYN10' / rgb)
    write_png(
        root / 'trainC_SYN10/trainC_SYN10' / depth,
        np.array([[51, 102, 204], [0, 254, 255]], np.uint8),
    )


def test_suncg_reads_the_published_list_and_eight_bit_depth_of_8_m(tmp_path):
    add_suncg(tmp_path)
    write_text(tmp_path / 'suncg_train.txt', '000001_mlt.png,000001_depth.png\n')
    sample = Suncg(tmp_path, list_file=tmp_path / 'suncg_train.txt')[0]
    np.testing.assert_allclose(
        sample.depth_m, [[1.6, 3.2, 6.4], [NAN, 254 / 255 * 8, INF]], rtol=1e-6
    )
    np.testing.assert_allclose(
        sample.intrinsics, camera_matrix(518.8579 * 3 / 640, 518.8579 * 3 / 640, 1, 0.5)
    )


def test_suncg_without_a_list_pairs_by_name(tmp_path):
    add_suncg(tmp_path, '7.png', '7.png')
    assert len(Suncg(tmp_path)) == 1


def test_suncg_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match='no folder .*trainA_SYN10/trainA_SYN10; expected'):
        Suncg(tmp_path)
    add_suncg(tmp_path)
    with pytest.raises(DataError, match=r'no file .*trainC_SYN10/000001_mlt\.png'):
        Suncg(tmp_path)
    write_text(tmp_path / 'list.txt', 'one two\n')
    with pytest.raises(DataError, match='"RGB_NAME,DEPTH_NAME" a line, got "one two"'):
        Suncg(tmp_path, list_file=tmp_path / 'list.txt')


# ---- Hypersim


def add_hypersim(root, distance_m):
    images = root / 'ai_001_001/images'
    height, width = np.shape(distance_m)
    write_rgb(images / 'scene_cam_00_final_preview/frame.0000.tonemap.jpg', height, width)
    geometry = images / 'scene_cam_00_geometry_hdf5'
    geometry.mkdir(exist_ok=True)
    with h5py.File(geometry / 'frame.0000.depth_meters.hdf5', 'w') as file:
        file['dataset'] = np.array(distance_m, np.float16)


def test_hypersim_converts_ray_distance_to_depth(tmp_path):
    distance_m = np.full((768, 1024), 2.0)
    distance_m[0, 1] = NAN
    add_hypersim(tmp_path, distance_m)
    sample = Hypersim(tmp_path)[0]
    np.testing.assert_allclose(sample.intrinsics, camera_matrix(886.81, 886.81, 511.5, 383.5))
    # The first pixel is 511.5 left of and 383.5 above the axis.
    expected_m = 2 * 886.81 / np.sqrt(511.5**2 + 383.5**2 + 886.81**2)
    np.testing.assert_allclose(sample.depth_m[0, 0], expected_m, rtol=1e-6)
    assert np.isnan(sample.depth_m[0, 1])
    assert np.isnan(sample.depth_m).sum() == 1


def test_depth_from_distance_by_hand():
    # At 3 and 4 focal lengths off the axis rays are sqrt(10) and sqrt(17) long per metre of depth.
    intrinsics = camera_matrix(1, 1, 0, 0)
    depth_m = depth_from_distance(np.full((5, 4), 10.0), intrinsics)
    np.testing.assert_allclose(depth_m[0, 0], 10)
    np.testing.assert_allclose(depth_m[0, 3], 10 / np.sqrt(10), rtol=1e-6)
    np.testing.assert_allclose(depth_m[4, 0], 10 / np.sqrt(17), rtol=1e-6)


def test_depth_from_distance_has_no_value_where_nothing_is():
    depth_m = depth_from_distance(np.array([[INF, 0, NAN, -1, 1]]), camera_matrix(1, 1, 4, 0))
    np.testing.assert_array_equal(depth_m, [[NAN, NAN, NAN, NAN, 1]])


def test_hypersim_says_what_is_missing_and_names_a_corrupt_file(tmp_path):
    with pytest.raises(DataError, match=r'holds no sample; expected .*tonemap\.jpg'):
        Hypersim(tmp_path)
    add_hypersim(tmp_path, np.ones((2, 2)))
    file = next(tmp_path.rglob('*.hdf5'))
    reader = Hypersim(tmp_path)
    file.write_bytes(b'not HDF5')
    with pytest.raises(CorruptSampleError, match=rf'{file} is not readable HDF5'):
        reader[0]
    file.unlink()
    with pytest.raises(DataError, match=r'no file .*frame\.0000\.depth_meters\.hdf5'):
        Hypersim(tmp_path)


# ---- Styles


def test_styles_reads_every_image_of_a_flat_folder(tmp_path):
    write_rgb(tmp_path / '2.jpg', 4, 5)
    write_rgb(tmp_path / '1.png', 3, 3)
    write_text(tmp_path / 'train_info.csv', 'ignored')
    styles = Styles(tmp_path)
    assert [style.image.shape for style in styles] == [(3, 3, 3), (4, 5, 3)]
    assert styles[0].name == str(tmp_path / '1.png')


def test_styles_refuses_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match='holds no sample; expected a folder of style images'):
        Styles(tmp_path)


# ---- KITTI


def add_kitti_raw(root, points, number='0000000069', suffix='.png', height=4, width=6):
    """A camera of focal length 2 looking along the Velodyne's x axis, 4 x 6 pixels."""
    write_rgb(root / DATE / DRIVE / f'image_02/data/{number}{suffix}', height, width)
    velodyne = root / DATE / DRIVE / 'velodyne_points/data'
    velodyne.mkdir(parents=True, exist_ok=True)
    np.array([(*point, 0.5) for point in points], '<f4').tofile(velodyne / f'{number}.bin')
    write_text(
        root / DATE / 'calib_cam_to_cam.txt',
        'calib_time: 09-Jan-2012 13:57:47\nR_rect_00: 1 0 0 0 1 0 0 0 1\n'
        f'S_rect_02: {width}.0e+00 {height}.0e+00\nP_rect_02: 2 0 3 0 0 2 2 0 0 0 1 0\n',
    )
    write_text(
        root / DATE / 'calib_velo_to_cam.txt',
        'calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.5\n',
    )


SPLITS = [
    f'{DATE}/{DRIVE}/image_02/data/0000000069.png {DATE}/{DRIVE}/image_03/data/0000000069.png '
    f'{DATE} {DATE}/{DRIVE}/velodyne_points/data/0000000069.bin',
    f'{DATE}/{DRIVE}/image_02/data/0000000069.jpg {DATE}/{DRIVE}/image_03/data/0000000069.jpg',
    f'{DATE}/{DRIVE} 0000000069 l',
    f'{DATE}/{DRIVE} 69 l',
]


@pytest.mark.parametrize('line', SPLITS)
def test_kitti_raw_projects_points_and_understands_the_split_lists(tmp_path, line):
    # Depth is forward - 0.5; the point ahead meets (3, 2), which counts from one: column 2, row 1.
    add_kitti_raw(tmp_path, [(4.5, 0, 0)])
    write_text(tmp_path / 'split.txt', f'{line}\n')
    sample = KittiRaw(tmp_path, tmp_path / 'split.txt')[0]
    expected = np.full((4, 6), NAN)
    expected[1, 2] = 4.0
    np.testing.assert_array_equal(sample.depth_m, expected)
    np.testing.assert_array_equal(sample.intrinsics, camera_matrix(2, 2, 3, 2))


def test_kitti_images_that_were_resized_are_refused(tmp_path):
    add_kitti_raw(tmp_path, [(4.5, 0, 0)])
    write_rgb(tmp_path / DATE / DRIVE / 'image_02/data/0000000069.png', 2, 3)
    write_text(tmp_path / 'split.txt', SPLITS[0])
    with pytest.raises(CorruptSampleError, match=r'69\.png has 3 x 2 pixels, .* is for 6 x 4'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')[0]


def test_kitti_raw_takes_images_kept_as_jpeg(tmp_path):
    add_kitti_raw(tmp_path, [(4.5, 0, 0)], suffix='.jpg')
    write_text(tmp_path / 'split.txt', SPLITS[0])
    assert KittiRaw(tmp_path, tmp_path / 'split.txt')[0].name.endswith('0000000069.jpg')


def test_the_nearest_of_several_points_in_a_pixel_counts():
    projection = np.array([[2, 0, 3, 0], [0, 2, 2, 0], [0, 0, 1, 0.0]]) @ np.array(
        [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    )
    for points in ([(9, 0, 0), (4, 0, 0), (7, 0, 0)], [(4, 0, 0), (9, 0, 0)]):
        assert project_velodyne(np.float32(points), projection, (4, 6))[1, 2] == 4


def test_points_behind_and_outside_are_left_out():
    projection = np.array([[2, 0, 3, 0], [0, 2, 2, 0], [0, 0, 1, 0.0]]) @ np.array(
        [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    )
    # behind; u = 3 + 2 * 2 = 7 -> column 6; u = 3 - 2 * 1.3 = 0.4 -> column -1; on the camera.
    points = np.float32([(-4, 0, 0), (1, -2, 0), (1, 1.3, 0), (0, 0, 0)])
    assert np.isnan(project_velodyne(points, projection, (4, 6))).all()


def test_halves_are_rounded_to_even_before_one_is_subtracted():
    projection = np.array([[1, 0, 0, 0], [0, 1, 2, 0], [0, 0, 1, 0.0]]) @ np.array(
        [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    )
    # u = 2.5 -> 2 -> column 1, u = 3.5 -> 4 -> column 3 (NumPy's rounding, as published)
    depth_m = project_velodyne(np.float32([(1, -2.5, 0), (1, -3.5, 0)]), projection, (4, 6))
    assert np.argwhere(~np.isnan(depth_m)).tolist() == [[1, 1], [1, 3]]


def test_kitti_raw_says_what_is_missing(tmp_path):
    write_text(tmp_path / 'split.txt', SPLITS[0])
    with pytest.raises(DataError, match=r'no image .*image_02/data/0000000069\.png or \.jpg'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')
    add_kitti_raw(tmp_path, [(4.5, 0, 0)])
    write_text(tmp_path / DATE / 'calib_velo_to_cam.txt', 'R: 1 2 3\n')
    with pytest.raises(DataError, match=r'calib_velo_to_cam\.txt: R has 9 numbers, got "1 2 3"'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')
    write_text(tmp_path / DATE / 'calib_cam_to_cam.txt', 'calib_time: now\n')
    with pytest.raises(DataError, match='has no line "P_rect_02:"'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')
    (tmp_path / 'split.txt').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='cannot use the line'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')
    write_text(tmp_path / 'split.txt', 'nonsense')
    with pytest.raises(DataError, match='cannot use the line "nonsense"'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')
    with pytest.raises(DataError, match=r'no file .*none\.txt'):
        KittiRaw(tmp_path, tmp_path / 'none.txt')


def test_a_cut_velodyne_file_is_named(tmp_path):
    add_kitti_raw(tmp_path, [(4.5, 0, 0)])
    write_text(tmp_path / 'split.txt', SPLITS[0])
    file = tmp_path / DATE / DRIVE / 'velodyne_points/data/0000000069.bin'
    file.write_bytes(file.read_bytes()[:12])
    with pytest.raises(CorruptSampleError, match=rf'{file} holds 3 floats'):
        KittiRaw(tmp_path, tmp_path / 'split.txt')[0]


def test_kitti_depth_reads_256ths_of_a_metre_with_the_raw_image_and_camera(tmp_path):
    add_kitti_raw(tmp_path / 'raw', [(4.5, 0, 0)], '0000000005', height=2, width=3)
    write_png(
        tmp_path / 'depth/train' / DRIVE / 'proj_depth/groundtruth/image_02/0000000005.png',
        np.array([[256, 384, 0], [65535, 1, 0]], np.uint16),
    )
    sample = KittiDepth(tmp_path / 'depth', tmp_path / 'raw')[0]
    np.testing.assert_array_equal(
        sample.depth_m, np.float32([[1, 1.5, NAN], [65535 / 256, 1 / 256, NAN]])
    )
    np.testing.assert_array_equal(sample.intrinsics, camera_matrix(2, 2, 3, 2))
    assert sample.name.endswith(f'{DATE}/{DRIVE}/image_02/data/0000000005.png')


def test_kitti_depth_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match='no folder .*depth/val; expected .*proj_depth'):
        KittiDepth(tmp_path / 'depth', tmp_path, split='val')
    write_png(
        tmp_path / 'train' / DRIVE / 'proj_depth/groundtruth/image_02/0000000005.png',
        np.ones((2, 3), np.uint16),
    )
    with pytest.raises(DataError, match='no image .*image_02/data/0000000005'):
        KittiDepth(tmp_path, tmp_path)


# ---- NYU Depth v2


def write_nyu(root):
    """Three images of 2 x 3 pixels; MATLAB's axes come reversed: (N, 3, W, H) and (N, W, H)."""
    images = np.zeros((3, 3, 3, 2), np.uint8)
    images[1, :, 2, 0] = RED  # image 1, first row, last column
    depths = np.full((3, 3, 2), 2.0, np.float32)
    depths[1, 2, 0] = 4.5
    raw = depths.copy()
    raw[1, 0, 0] = 0
    with h5py.File(root / 'nyu_depth_v2_labeled.mat', 'w') as file:
        file['images'], file['depths'], file['rawDepths'] = images, depths, raw
    scipy.io.savemat(
        root / 'splits.mat',
        {'testNdxs': np.array([[2], [3]], np.uint16), 'trainNdxs': np.array([[1]], np.uint16)},
    )


def test_nyu_reads_the_test_images_counted_from_one_and_turns_matlab_axes(tmp_path):
    write_nyu(tmp_path)
    reader = Nyu(tmp_path)
    assert len(reader) == 2
    sample = reader[0]
    assert sample.image.shape == (2, 3, 3)
    assert tuple(sample.image[0, 2]) == RED
    assert sample.image.sum() == sum(RED)
    np.testing.assert_array_equal(sample.depth_m, np.float32([[2, 2, 4.5], [2, 2, 2]]))
    np.testing.assert_allclose(
        sample.intrinsics, camera_matrix(518.857901, 519.469611, 325.582449, 253.736166)
    )
    assert len(Nyu(tmp_path, split='train')) == 1


def test_nyu_raw_depth_has_holes(tmp_path):
    write_nyu(tmp_path)
    np.testing.assert_array_equal(
        Nyu(tmp_path, raw=True)[0].depth_m, np.float32([[NAN, 2, 4.5], [2, 2, 2]])
    )


@pytest.mark.parametrize('damage', [b'TREE', b'SNOD', b'HEAP'])
def test_nyu_names_a_file_whose_structure_is_damaged(tmp_path, damage):
    write_nyu(tmp_path)
    file = tmp_path / 'nyu_depth_v2_labeled.mat'
    file.write_bytes(file.read_bytes().replace(damage, b'\xff' * 4))
    with pytest.raises(CorruptSampleError, match=r'labeled\.mat is not readable HDF5'):
        Nyu(tmp_path)


def test_nyu_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r'no file .*nyu_depth_v2_labeled\.mat; expected the two'):
        Nyu(tmp_path)
    write_nyu(tmp_path)
    with pytest.raises(DataError, match='split must be one of test, train, got "all"'):
        Nyu(tmp_path, split='all')
    scipy.io.savemat(tmp_path / 'splits.mat', {'testNdxs': [[4]]})
    with pytest.raises(DataError, match='counts up to 4 images, .* has 3'):
        Nyu(tmp_path)
    scipy.io.savemat(tmp_path / 'splits.mat', {'other': [[4]]})
    for content in (None, b'', b'no MATLAB file, though it is longer than the header' * 9):
        if content is not None:
            (tmp_path / 'splits.mat').write_bytes(content)
        with pytest.raises(DataError, match=r'splits\.mat '):
            Nyu(tmp_path)


@pytest.mark.parametrize('indices', [np.zeros((0, 1)), [[np.nan]], [[0]], 'text'])
def test_a_split_that_lists_no_images_is_named(tmp_path, indices):
    write_nyu(tmp_path)
    scipy.io.savemat(tmp_path / 'splits.mat', {'testNdxs': indices})
    with pytest.raises(DataError, match=r'splits\.mat must list the images as numbers from 1'):
        Nyu(tmp_path)


def test_arrays_of_another_shape_are_named(tmp_path):
    write_nyu(tmp_path)
    with h5py.File(tmp_path / 'nyu_depth_v2_labeled.mat', 'w') as file:
        file['images'], file['depths'] = np.zeros((3, 4, 3)), np.ones((3, 4, 3))
    with pytest.raises(DataError, match=r'of shapes .*, expected \(N, 3, W, H\)'):
        Nyu(tmp_path)


# ---- A plain folder

CAMERA = 'fx: 500\nfy: 510\ncx: 1.5\ncy: 1.0\n'


def test_folder_reads_png_depth_with_a_scale_and_one_camera_for_all(tmp_path):
    write_rgb(tmp_path / 'rgb/a.jpg')
    write_png(tmp_path / 'depth/a.png', np.array([[1000, 2500, 0]] * 2, np.uint16))
    write_text(tmp_path / 'intrinsics.yaml', CAMERA)
    sample = Folder(tmp_path)[0]
    np.testing.assert_allclose(sample.depth_m, [[1, 2.5, NAN]] * 2, rtol=1e-6)
    np.testing.assert_array_equal(sample.intrinsics, camera_matrix(500, 510, 1.5, 1))
    np.testing.assert_allclose(
        Folder(tmp_path, depth_scale=0.01)[0].depth_m, [[10, 25, NAN]] * 2, rtol=1e-6
    )


def test_folder_reads_npy_metres_and_a_camera_per_image(tmp_path):
    for name, fx in (('000001', 100), ('000002', 200)):
        write_rgb(tmp_path / f'rgb/{name}.png')
        (tmp_path / 'depth').mkdir(exist_ok=True)
        np.save(tmp_path / f'depth/{name}.npy', np.array([[fx, 0, NAN], [INF, -1, 1]]))
    write_text(
        tmp_path / 'intrinsics.json',
        json.dumps({f'00000{i}': {'fx': 100 * i, 'fy': 100, 'cx': 1, 'cy': 0.5} for i in (1, 2)}),
    )
    first, second = Folder(tmp_path)
    np.testing.assert_array_equal(first.depth_m, np.float32([[100, NAN, NAN], [INF, NAN, 1]]))
    assert (first.intrinsics[0, 0], second.intrinsics[0, 0]) == (100, 200)


def test_folder_takes_a_calibration_file_of_ros(tmp_path):
    write_rgb(tmp_path / 'rgb/a.png')
    write_png(tmp_path / 'depth/a.png', np.ones((2, 3), np.uint16))
    write_text(
        tmp_path / 'intrinsics.yaml',
        'image_width: 3\ncamera_matrix:\n  rows: 3\n  cols: 3\n'
        '  data: [500., 0., 1.5, 0., 510., 1., 0., 0., 1.]\n',
    )
    np.testing.assert_array_equal(Folder(tmp_path)[0].intrinsics, camera_matrix(500, 510, 1.5, 1))


def test_folder_takes_the_camera_of_rectified_images_from_a_calibration(tmp_path):
    add_folder(tmp_path)
    projection = 'projection_matrix: {rows: 3, cols: 4, data: [DATA]}\n'
    raw = 'camera_matrix: {data: [500, 0, 1.5, 0, 510, 1, 0, 0, 1]}\n'
    for data, expected in (
        ('400, 0, 1.25, 9, 0, 410, 0.75, 0, 0, 0, 1, 0', (400, 410, 1.25, 0.75)),
        ('0, ' * 11 + '0', (500, 510, 1.5, 1)),
    ):
        write_text(tmp_path / 'intrinsics.yaml', raw + projection.replace('DATA', data))
        np.testing.assert_array_equal(Folder(tmp_path)[0].intrinsics, camera_matrix(*expected))


def test_folder_has_one_size_for_one_camera(tmp_path):
    add_folder(tmp_path)
    write_rgb(tmp_path / 'rgb/b.png', 4, 6)
    write_png(tmp_path / 'depth/b.png', np.ones((4, 6), np.uint16))
    reader = Folder(tmp_path)
    assert reader[0].image.shape == (2, 3, 3)
    with pytest.raises(CorruptSampleError, match=r'b\.png has 6 x 4 pixels, .* is for 3 x 2'):
        reader[1]


def test_folder_refuses_a_calibration_for_another_size(tmp_path):
    add_folder(tmp_path)
    text = 'image_width: 6\nimage_height: 4\ncamera_matrix: {data: [5, 0, 3, 0, 5, 2, 0, 0, 1]}'
    write_text(tmp_path / 'intrinsics.yaml', text)
    with pytest.raises(CorruptSampleError, match=r'a\.png has 3 x 2 pixels, .* is for 6 x 4'):
        Folder(tmp_path)[0]


def test_folder_says_what_is_missing(tmp_path):
    write_rgb(tmp_path / 'rgb/a.png')
    (tmp_path / 'depth').mkdir()
    with pytest.raises(DataError, match=r'a\.png has no depth .*depth/a\.png or \.npy; expected'):
        Folder(tmp_path)
    write_png(tmp_path / 'depth/a.png', np.ones((2, 3), np.uint16))
    with pytest.raises(DataError, match=r'no .*intrinsics\.yaml or \.json; expected either one'):
        Folder(tmp_path)


def test_folder_does_not_choose_between_two_depths_of_an_image(tmp_path):
    write_rgb(tmp_path / 'rgb/a.png')
    write_png(tmp_path / 'depth/a.png', np.ones((2, 3), np.uint16))
    np.save(tmp_path / 'depth/a.npy', np.ones((2, 3)))
    write_text(tmp_path / 'intrinsics.yaml', CAMERA)
    with pytest.raises(DataError, match=r'a\.npy and a\.png are depth of the same image'):
        Folder(tmp_path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[1, 2]', 'expected either one camera'),
        ('{', 'cannot be parsed'),
        ('fx: 1', 'expected either one camera'),
        ('fx: a\nfy: 1\ncx: 1\ncy: 1', 'expected either one camera'),
        ('fx: 0\nfy: 1\ncx: 1\ncy: 1', 'focal lengths must be positive'),
        ('b: {fx: 1, fy: 1, cx: 1, cy: 1}', 'no entry for the image "a"'),
        ('a: 5', 'expected either one camera'),
    ],
)
def test_folder_refuses_wrong_intrinsics(tmp_path, text, message):
    write_rgb(tmp_path / 'rgb/a.png')
    write_png(tmp_path / 'depth/a.png', np.ones((2, 3), np.uint16))
    write_text(tmp_path / 'intrinsics.yaml', text)
    with pytest.raises(DataError, match=message):
        Folder(tmp_path)


@pytest.mark.parametrize(
    'content', [np.ones((2, 3), np.int64), np.ones((2, 3, 1)), np.array([{}], object)]
)
def test_folder_names_a_wrong_npy_file(tmp_path, content):
    write_rgb(tmp_path / 'rgb/a.png')
    (tmp_path / 'depth').mkdir()
    np.save(tmp_path / 'depth/a.npy', content, allow_pickle=True)
    write_text(tmp_path / 'intrinsics.yaml', CAMERA)
    with pytest.raises(CorruptSampleError, match=r'depth/a\.npy'):
        Folder(tmp_path)[0]


def add_folder(root):
    write_rgb(root / 'rgb/a.png')
    write_png(root / 'depth/a.png', np.ones((2, 3), np.uint16))
    write_text(root / 'intrinsics.yaml', CAMERA)


@pytest.mark.parametrize('scale', [0, -1, NAN, INF])
def test_folder_refuses_a_depth_scale_that_gives_no_metres(tmp_path, scale):
    add_folder(tmp_path)
    with pytest.raises(DataError, match='depth_scale must be a number of metres above 0'):
        Folder(tmp_path, depth_scale=scale)


def test_folder_does_not_choose_between_two_images_of_a_depth(tmp_path):
    add_folder(tmp_path)
    write_rgb(tmp_path / 'rgb/a.jpg')
    with pytest.raises(DataError, match=r'a\.jpg and a\.png have the same depth: keep one'):
        Folder(tmp_path)


def test_folder_says_which_depth_has_no_image(tmp_path, caplog):
    add_folder(tmp_path)
    write_png(tmp_path / 'depth/b.png', np.ones((2, 3), np.uint16))
    assert len(Folder(tmp_path)) == 1
    assert '1 depth files have no image and are not used' in caplog.text
    assert 'depth/b.png' in caplog.text


def test_folder_leaves_out_the_hidden_files_of_a_mac(tmp_path):
    add_folder(tmp_path)
    (tmp_path / 'rgb/._a.png').write_bytes(b'\0\5\x16\7')
    assert len(Folder(tmp_path)) == 1


@pytest.mark.parametrize('text', ['{' * 2000, 'a: &a [*a]'])
def test_folder_refuses_intrinsics_without_end(tmp_path, text):
    add_folder(tmp_path)
    write_text(tmp_path / 'intrinsics.yaml', text)
    with pytest.raises(DataError, match='cannot be parsed'):
        Folder(tmp_path)


def test_intrinsics_that_swell_by_anchors_give_a_short_message(tmp_path):
    add_folder(tmp_path)
    lines = ['a0: &a0 x', *(f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]' for i in range(1, 9))]
    write_text(tmp_path / 'intrinsics.yaml', '\n'.join([*lines, 'fx: *a8']))
    with pytest.raises(DataError, match='expected either one camera') as refusal:
        Folder(tmp_path)
    assert len(str(refusal.value)) < 2000


@pytest.mark.parametrize(
    'header',
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 100000000), }",
        "{'descr': [1, 2], 'fortran_order': 3, 'shape': ((((((",
    ],
)
def test_folder_names_an_npy_file_whose_header_is_damaged(tmp_path, header):
    add_folder(tmp_path)
    (tmp_path / 'depth/a.png').unlink()
    text = header.ljust(117).encode() + b'\n'
    (tmp_path / 'depth/a.npy').write_bytes(b'\x93NUMPY\x01\x00v\x00' + text + bytes(100))
    with pytest.raises(CorruptSampleError, match=r'a\.npy is not a readable array'):
        Folder(tmp_path)[0]


def test_folder_names_several_arrays_in_the_place_of_one(tmp_path):
    add_folder(tmp_path)
    (tmp_path / 'depth/a.png').unlink()
    with (tmp_path / 'depth/a.npy').open('wb') as file:
        np.savez(file, depth=np.ones((2, 3)))
    with pytest.raises(CorruptSampleError, match=r'a\.npy holds several arrays: expected one'):
        Folder(tmp_path)[0]


# ---- By name


def test_open_dataset_passes_options_and_joins_folders(tmp_path):
    for name in ('one', 'two'):
        add_vkitti(tmp_path / name, variation='clone')
        add_vkitti(tmp_path / name, variation='fog')
    joined = open_dataset('vkitti', [tmp_path / 'one', tmp_path / 'two'], variations=['fog'])
    assert len(joined) == 2
    assert joined[1].name == str(tmp_path / 'two/vkitti_1.3.1_rgb/0001/fog/00000.png')


def test_open_dataset_lists_what_is_known(tmp_path):
    with pytest.raises(DataError, match='no data set "vkiti"; known are vkitti, vkitti2, suncg'):
        open_dataset('vkiti', tmp_path)
    with pytest.raises(
        DataError,
        match="unexpected keyword argument 'variation'; its options are: worlds, variations",
    ):
        open_dataset('vkitti', tmp_path, variation='fog')
    with pytest.raises(DataError, match="missing a required argument: 'split_file'"):
        open_dataset('kitti_raw', tmp_path)
    with pytest.raises(DataError, match='needs at least one folder'):
        open_dataset('vkitti', [])


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('vkitti', {'worlds': 1}, 'its option worlds must be a list, each item a text, got 1'),
        ('vkitti', {'worlds': [1]}, 'its option worlds must be a list'),
        ('vkitti', {'variations': 'clone'}, "must be a list, each item a text, got 'clone'"),
        ('vkitti2', {'cameras': ['0']}, 'must be a list, each item a whole number'),
        ('folder', {'depth_scale': 'abc'}, "depth_scale must be a number, got 'abc'"),
        ('folder', {'depth_scale': True}, 'depth_scale must be a number, got True'),
        ('folder', {'depth_scale': None}, 'depth_scale must be a number, got None'),
        ('suncg', {'list_file': 3}, 'list_file must be a text, got 3'),
        ('kitti_raw', {'split_file': ['a']}, 'split_file must be a text'),
        ('nyu', {'split': ['test']}, 'split must be a text'),
        ('nyu', {'raw': 'yes'}, "raw must be true or false, got 'yes'"),
    ],
)
def test_an_option_of_another_type_is_named_with_what_was_expected(
    tmp_path, name, options, message
):
    with pytest.raises(DataError, match=re.escape(message)):
        open_dataset(name, tmp_path, **options)


def test_readers_that_need_no_hdf5_work_without_it():
    code = 'import sys, s2r_depth_training.data; sys.exit("h5py" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
