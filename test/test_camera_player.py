"""camera_player as a real process over DDS, seen by what it publishes and how it ends."""

import json
from pathlib import Path
import signal

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_graph import Graph, ros_arguments
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
import yaml

from s2r_depth_ros.depth.camera_model import CameraError, read_calibration
from s2r_depth_ros.ros.messages import camera_info_to_model, compressed_to_rgb, image_to_rgb
from s2r_depth_ros.sources.camera_player import PARAMETERS

PLAYER = 's2r_depth_ros.sources.camera_player'
EXAMPLE = Path(__file__).parents[1] / 'config' / 'camera_info.example.yaml'
KEEP_ALL = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


@pytest.fixture
def graph(tmp_path):
    folder = tmp_path / 'log'
    folder.mkdir()
    with Graph(folder) as result:
        yield result


@pytest.fixture
def pictures(tmp_path):
    """Make a folder with three images of 64 x 48 pixels, each of one colour."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for value in (10, 20, 30):
        write_image(folder / f'{value}.png', value)
    return folder


def write_image(path, value):
    cv2.imwrite(str(path), np.full((48, 64, 3), (value, 100, 200), np.uint8))


def play(graph, path, **parameters):
    """Start the player, and return it with the lists of what it publishes."""
    is_jpeg = parameters.get('encoding') == 'jpeg'
    images = (
        graph.collect(CompressedImage, 'image_raw/compressed', KEEP_ALL)
        if is_jpeg
        else graph.collect(Image, 'image_raw', KEEP_ALL)
    )
    infos = graph.collect(CameraInfo, 'camera_info', KEEP_ALL)
    player = graph.start(
        PLAYER,
        *ros_arguments(
            **{
                'path': path,
                'rate_hz': 50.0,
                'loop': 'false',
                'wait_for_subscribers': 1,
                **parameters,
            }
        ),
    )
    return player, images, infos


def see(graph, path, count=1, **parameters):
    """Play, and return the first images and camera_infos with what the player said by then."""
    player, images, infos = play(graph, path, **parameters)
    graph.wait(lambda: min(len(images), len(infos)) >= count, f'{count} images')
    return images, infos, player.output


def test_every_image_comes_once_in_order_with_its_camera_info(graph, pictures):
    player, images, infos = play(graph, pictures, frame_id='front_optical')
    graph.wait(lambda: not player.is_running, 'the end of the player')
    assert player.wait() == 0, player.output
    graph.wait(lambda: len(images) == len(infos) == 3, 'the last image with its camera_info')
    assert [image_to_rgb(image)[0, 0].tolist() for image in images] == [
        [200, 100, 10],
        [200, 100, 20],
        [200, 100, 30],
    ]
    assert [image.encoding for image in images] == ['bgr8'] * 3
    assert [image.header for image in images] == [info.header for info in infos]
    assert {image.header.frame_id for image in images} == {'front_optical'}
    stamps = [(image.header.stamp.sec, image.header.stamp.nanosec) for image in images]
    assert stamps == sorted(set(stamps))
    assert 'played 3 images, skipped 0' in player.output


@pytest.mark.parametrize('encoding', ['rgb8', 'mono8', 'jpeg'])
def test_other_encodings(graph, pictures, encoding):
    images, _, _ = see(graph, pictures, encoding=encoding)
    if encoding == 'jpeg':
        assert images[0].format == 'jpeg'
        np.testing.assert_allclose(
            compressed_to_rgb(images[0]).mean(axis=(0, 1)), [200, 100, 10], atol=4
        )
    elif encoding == 'rgb8':
        assert images[0].encoding == 'rgb8'
        assert bytes(images[0].data[:3]) == bytes((200, 100, 10))
    else:
        # 0.299 R + 0.587 G + 0.114 B = 119.64
        assert images[0].encoding == 'mono8'
        assert images[0].data[0] == 120


def test_intrinsics_of_a_manifest_are_those_of_each_image(graph, pictures):
    write_image(pictures / '10_depth.png', 99)
    (pictures / 'manifest.json').write_text(
        json.dumps(
            [
                {'rgb': '20.png', 'depth': '10_depth.png', 'K': [50, 51, 31, 23]},
                {'rgb': '10.png', 'K': [60, 61, 32, 24]},
            ]
        )
    )
    images, infos, _ = see(graph, pictures, 3, loop='true')
    assert [image.data[0] for image in images[:3]] == [20, 10, 20]  # and never the depth
    assert [info.k.tolist() for info in infos[:2]] == [
        [50, 0, 31, 0, 51, 23, 0, 0, 1],
        [60, 0, 32, 0, 61, 24, 0, 0, 1],
    ]
    assert infos[0].p.tolist() == [50, 0, 31, 0, 0, 51, 23, 0, 0, 0, 1, 0]


def test_a_calibration_file_is_scaled_to_the_images(graph, pictures, tmp_path):
    calibration = tmp_path / 'camera.yaml'
    calibration.write_text(yaml.safe_dump(CALIBRATION))
    _, infos, output = see(graph, pictures, calibration_file=calibration)
    # from 128 x 96 to 64 x 48: cx' = (63.5 + 0.5) / 2 - 0.5
    np.testing.assert_allclose(infos[0].k, [50, 0, 31.5, 0, 45, 23.5, 0, 0, 1])
    np.testing.assert_allclose(infos[0].d, [-0.1, 0.02, 0, 0, 0])
    assert (infos[0].width, infos[0].height) == (64, 48)
    assert 'another shape' not in output


def test_a_focal_length_or_a_field_of_view_will_do(graph, pictures):
    _, infos, _ = see(graph, pictures, focal_px=70.0)
    assert infos[0].k.tolist() == [70, 0, 31.5, 0, 70, 23.5, 0, 0, 1]


def test_the_assumed_field_of_view_is_told(graph, pictures):
    _, infos, output = see(graph, pictures, hfov_deg=90.0)
    assert infos[0].k[0] == pytest.approx(32)  # 64 / 2 / tan(45 degrees)
    assert 'field of view of 90 degrees is assumed' in output


def test_impossible_intrinsics_of_one_image_are_told_and_not_published(graph, pictures):
    (pictures / 'manifest.json').write_text('[{"rgb": "10.png", "K": [-5, 5, 1, 1]}]')
    _, infos, output = see(graph, pictures)
    assert 'played as uncalibrated: focal lengths are above' in output
    assert not camera_info_to_model(infos[0]).is_calibrated


def test_an_image_too_wide_for_jpeg_is_named_skipped_and_counted(graph, pictures):
    cv2.imwrite(str(pictures / '15.png'), np.zeros((2, 65501, 3), np.uint8))
    player, images, infos = play(graph, pictures, encoding='jpeg')
    graph.wait(lambda: 'played 3 images, skipped 1' in player.output, 'the count')
    graph.wait(lambda: len(images) >= 3 and len(infos) >= 3, 'the last image')
    assert (len(images), len(infos)) == (3, 3)
    assert '15 has more than 65500 pixels a side' in player.output


def test_unreadable_images_are_named_skipped_and_counted(graph, pictures):
    (pictures / '15.png').write_bytes(b'no image')
    player, images, _ = play(graph, pictures)
    graph.wait(lambda: 'played 3 images, skipped 1' in player.output, 'the count')
    graph.wait(lambda: len(images) >= 3, 'the last image')
    assert [image.data[0] for image in images] == [10, 20, 30]
    assert player.output.count('15.png') == 1


def test_a_video_is_played(graph, tmp_path):
    film = tmp_path / 'film.avi'
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for value in (0, 100, 200):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    images, _, _ = see(graph, film, 3)
    np.testing.assert_allclose([np.mean(image.data) for image in images], [0, 100, 200], atol=3)


@pytest.mark.parametrize('stop', [signal.SIGINT, signal.SIGTERM])
def test_a_loop_starts_again_and_ends_with_0_on_a_signal(graph, pictures, stop):
    player, images, _ = play(graph, pictures, loop='true')
    graph.wait(lambda: len(images) >= 7, 'the third round')
    assert [image.data[0] for image in images[:7]] == [10, 20, 30, 10, 20, 30, 10]
    assert player.stop(stop) == 0
    assert 'Traceback' not in player.output


def test_the_parameter_file_gives_the_defaults(graph, pictures):
    images = graph.collect(Image, '/camera/image_raw', KEEP_ALL)
    graph.start(
        PLAYER,
        '--ros-args',
        '--params-file',
        str(EXAMPLE.parent / 'camera_player.yaml'),
        '-r',
        '__ns:=/camera',
        '-p',
        f'path:={pictures}',
    )
    graph.wait(lambda: images, 'an image')
    assert images[0].header.frame_id == 'camera_optical_frame'
    stated = yaml.safe_load((EXAMPLE.parent / 'camera_player.yaml').read_text())
    assert stated['/**']['ros__parameters'] == {
        name: item.default for name, item in PARAMETERS.items()
    }


def test_the_profile_for_large_images_is_understood(graph, pictures, monkeypatch):
    profile = EXAMPLE.parent / 'fastdds_large_images.xml'
    for variable in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
        monkeypatch.setenv(variable, str(profile))
    images, _, output = see(graph, pictures, 3)
    assert len(images) == 3
    assert 'XML' not in output  # where Fast DDS complains, it says which parser did


def test_qos_can_be_overridden(graph, pictures):
    arguments = ros_arguments(
        path=pictures, **{'qos_overrides./image_raw.publisher.reliability': 'best_effort'}
    )
    graph.start(PLAYER, *arguments)
    graph.wait(lambda: graph.node.get_publishers_info_by_topic('/image_raw'), 'the publisher')
    (endpoint,) = graph.node.get_publishers_info_by_topic('/image_raw')
    assert endpoint.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_an_override_of_a_topic_that_there_is_not_ends_it_with_1_and_one_sentence(graph, pictures):
    player = graph.start(
        PLAYER,
        *ros_arguments(
            path=pictures, **{'qos_overrides./image.publisher.reliability': 'best_effort'}
        ),
    )
    assert player.wait() == 1
    assert 'qos_overrides./image.publisher.reliability: has no effect' in player.output
    assert '/image_raw.publisher' in player.output
    assert len(player.output.splitlines()) == 1


@pytest.mark.parametrize(
    ('parameters', 'reason'),
    [
        ({}, "'path'"),
        ({'path': 'nowhere'}, 'nowhere is neither'),
        ({'path': '.', 'rate_hz': -1.0}, 'rate_hz'),
        ({'path': '.', 'encoding': 'hsv8'}, "'hsv8'"),
        ({'path': EXAMPLE.parent}, 'has no images'),
        (
            {
                'path': EXAMPLE.parents[1] / 'docs',
                'calibration_file': EXAMPLE.parent / 'none.yaml',
            },
            'none.yaml',
        ),
    ],
)
def test_wrong_parameters_end_with_1_and_one_sentence(graph, parameters, reason):
    player = graph.start(PLAYER, *(ros_arguments(**parameters) if parameters else ()))
    assert player.wait() == 1
    assert reason in player.output
    assert len(player.output.splitlines()) == 1


def test_a_bag_ends_it_with_1_and_says_what_plays_bags(graph, tmp_path):
    (tmp_path / 'a.mcap').write_bytes(b'\x89MCAP0\r\n')
    for path in (tmp_path, tmp_path / 'a.mcap'):
        player = graph.start(PLAYER, *ros_arguments(path=path))
        assert player.wait() == 1
        assert f'{path} is a bag, which `ros2 bag play` plays' in player.output


def test_a_folder_without_one_readable_image_ends_with_1(graph, tmp_path):
    (tmp_path / 'a.png').write_bytes(b'no image')
    player = graph.start(PLAYER, *ros_arguments(path=tmp_path))
    assert player.wait() == 1
    assert 'none of the 1 images can be read' in player.output


def test_help_names_parameters_and_topics(graph):
    player = graph.start(PLAYER, '--help')
    assert player.wait() == 0
    for word in ('image_raw', 'camera_info', 'calibration_file', 'wait_for_subscribers'):
        assert word in player.output


CALIBRATION = {
    'camera_name': 'test',
    'image_width': 128,
    'image_height': 96,
    'camera_matrix': {'rows': 3, 'cols': 3, 'data': [100, 0, 63.5, 0, 90, 47.5, 0, 0, 1]},
    'distortion_model': 'plumb_bob',
    'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [-0.1, 0.02, 0, 0, 0]},
    'rectification_matrix': {'rows': 3, 'cols': 3, 'data': [1, 0, 0, 0, 1, 0, 0, 0, 1]},
    'projection_matrix': {
        'rows': 3,
        'cols': 4,
        'data': [95, 0, 63.5, 0, 0, 85, 47.5, 0, 0, 0, 1, 0],
    },
}


def test_the_example_calibration_is_read():
    model = read_calibration(EXAMPLE)
    assert (model.width_px, model.height_px) == (1242, 375)
    assert model.k[0, 0] == 720
    assert model.is_rectified


def test_a_calibration_without_the_optional_parts_is_a_pinhole(tmp_path):
    file = tmp_path / 'camera.yaml'
    file.write_text(
        yaml.safe_dump(
            {name: CALIBRATION[name] for name in ('image_width', 'image_height', 'camera_matrix')}
        )
    )
    assert read_calibration(file).is_rectified


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'image_width': None}, 'image_width .*None'),
        ({'image_height': '96'}, "image_height .*'96'"),
        ({'image_height': -96}, '-96'),
        ({'camera_matrix': None}, 'camera_matrix .*None'),
        ({'camera_matrix': [1, 2, 3]}, 'camera_matrix must have rows'),
        ({'camera_matrix': {'rows': 3, 'cols': 3, 'data': [1, 2]}}, '9 values, its data has 2'),
        ({'camera_matrix': {'rows': 3, 'cols': 3, 'data': ['a'] * 9}}, 'list of numbers'),
        ({'camera_matrix': {'rows': 1, 'cols': 2, 'data': [1, 2]}}, 'K .*9 values, not 2'),
        ({'projection_matrix': {'rows': 3, 'cols': 4, 'data': [-1] * 12}}, 'P .*fx -1'),
    ],
)
def test_wrong_calibrations_are_refused_with_file_and_reason(tmp_path, changes, reason):
    file = tmp_path / 'camera.yaml'
    file.write_text(yaml.safe_dump({**CALIBRATION, **changes}))
    with pytest.raises(CameraError, match=f'camera.yaml is wrong: .*{reason}'):
        read_calibration(file)


@pytest.mark.parametrize('content', ['[1, 2', '\x00', 'text', '- 1'])
def test_what_is_no_calibration_is_refused(tmp_path, content):
    file = tmp_path / 'camera.yaml'
    file.write_text(content)
    with pytest.raises(CameraError, match='camera.yaml'):
        read_calibration(file)
