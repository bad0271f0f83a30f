"""`s2r bag`: every topic is copied, every image gets the messages that the node would publish."""

from array import array
import errno
import os
from pathlib import Path
import resource
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
from plyfile import PlyData
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2
from std_msgs.msg import Header
from test_cli_depth import run_without_ros
from tiny_network import write_tiny_weights

import s2r_depth_ros
from s2r_depth_ros.cli import bag as bag_tool
from s2r_depth_ros.cli import main
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraState, DepthPipeline
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.ros.inputs import camera_image
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image
from s2r_depth_ros.ros.outputs import DEPTH, INFO, output_messages, POINTS
from s2r_depth_ros.sources.bags.bag import Bag

STREET = Path(s2r_depth_ros.__file__).parent / 'demo_frames/street_0.jpg'
K = np.array([[100.0, 0, 80], [0, 100, 60], [0, 0, 1]])
SECOND_NS = 10**9
KINDS = {
    'Image': Image,
    'CompressedImage': CompressedImage,
    'CameraInfo': CameraInfo,
    'LaserScan': LaserScan,
    'PointCloud2': PointCloud2,
}


def header(number, frame_id):
    """Return a header stamped a little before the recording."""
    made = Header(frame_id=frame_id)
    made.stamp.sec, made.stamp.nanosec = 100 + number, 7
    return made


def write_bag(
    path, images=2, storage=StoragePlugin.SQLITE3, mode=CompressionMode.NONE, is_calibrated=True
):
    """Write a raw distorted camera, a compressed rectified one, and a type that nobody knows."""
    pixels = cv2.resize(cv2.imread(str(STREET)), (160, 120))
    distorted = CameraModel.from_calibration(
        160, 120, K, (0.1, 0.0, 0.0, 0.0, 0.0), np.eye(3), np.zeros((3, 4))
    )
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg('float64 weight', 'kitchen_msgs/msg/Spoon'))
    writer = Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topics = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in (
                ('/left/image_raw', 'sensor_msgs/msg/Image'),
                ('/left/camera_info', 'sensor_msgs/msg/CameraInfo'),
                ('/left/image_raw/compressed', 'sensor_msgs/msg/CompressedImage'),
                ('/rear/cam/image_rect/compressed', 'sensor_msgs/msg/CompressedImage'),
                ('/rear/cam/camera_info', 'sensor_msgs/msg/CameraInfo'),
                ('/range/image', 'sensor_msgs/msg/Image'),
                ('/spoon', 'kitchen_msgs/msg/Spoon'),
            )
        }

        def write(topic, number, message):
            if isinstance(message, CameraInfo) and not is_calibrated:
                return
            received_ns = (100 + number) * SECOND_NS + 50_000_000
            data = message if isinstance(message, bytes) else serialize_message(message)
            writer.write(topics[topic], received_ns, data)

        for number in range(images):
            shade = np.clip(pixels.astype(int) + 10 * number, 0, 255).astype(np.uint8)
            left, rear = header(number, 'left_eye'), header(number, 'rear_eye')
            jpeg = array('B', cv2.imencode('.jpg', shade)[1].tobytes())
            write('/left/image_raw', number, pixels_to_image(shade, 'bgr8', left))
            write('/left/camera_info', number, camera_model_to_info(distorted, left))
            write(
                '/left/image_raw/compressed',
                number,
                CompressedImage(header=left, format='jpeg', data=jpeg),
            )
            write('/rear/cam/camera_info', number, camera_model_to_info(distorted, rear))
            write(
                '/rear/cam/image_rect/compressed',
                number,
                CompressedImage(header=rear, format='jpeg', data=jpeg),
            )
            write(
                '/range/image',
                number,
                Image(header=left, height=1, width=1, step=4, encoding='32FC1', data=bytes(4)),
            )
            write('/spoon', number, b'\0\1\0\0' + bytes(8))
    return path


def read_bag(path):
    """Return (topic, received_ns, bytes) of all messages, and the reader's facts of the topics."""
    with Reader(path) as reader:
        facts = {
            each.topic: (
                each.msgtype,
                each.msgdef.data,
                each.digest,
                each.ext.offered_qos_profiles,
            )
            for each in reader.connections
        }
        return [
            (each.topic, received_ns, bytes(data))
            for each, received_ns, data in reader.messages(reader.connections)
        ], facts


def expected_messages(messages, image_topic, info_topic, rectify):
    """Return (output, received_ns, message) as the node's own parts make them."""
    parameters, state = Parameters(rectify=rectify, point_stride=4), CameraState()
    pipeline = DepthPipeline(DepthPredictor(), parameters)
    kind = CompressedImage if image_topic.endswith('compressed') else Image
    infos = {
        received_ns: deserialize_message(data, CameraInfo)
        for topic, received_ns, data in messages
        if topic == info_topic
    }
    for topic, received_ns, data in messages:
        if topic != image_topic:
            continue
        image = camera_image(
            deserialize_message(data, kind), infos[received_ns], parameters.max_image_pixels
        )
        result = pipeline.run(image, state)
        for output, message in output_messages(result, (DEPTH, INFO, POINTS), parameters).items():
            yield output, received_ns, message


def assert_same(message, expected):
    """Compare messages; depth to a millimetre or a shade, since threads add up in any order."""
    is_depth = isinstance(expected, PointCloud2) or getattr(expected, 'encoding', '') == '32FC1'
    if is_depth or hasattr(expected, 'encoding'):
        kind, most = (np.float32, 1e-3) if is_depth else (np.uint8, 3)
        values, expected_values = (
            np.frombuffer(each.data, kind).astype(np.float64) for each in (message, expected)
        )
        # A depth at the limit of the range may be far in one of the two.
        known, expected_known = np.isfinite(values), np.isfinite(expected_values)
        assert (known != expected_known).mean() < 0.01
        both = known & expected_known
        np.testing.assert_allclose(values[both], expected_values[both], rtol=0, atol=most)
        message.data = expected.data
    assert repr(message) == repr(expected)


@pytest.mark.parametrize(
    ('storage', 'mode', 'options'),
    [
        (StoragePlugin.SQLITE3, CompressionMode.NONE, ()),
        (StoragePlugin.SQLITE3, CompressionMode.FILE, ('--compress',)),
        (StoragePlugin.MCAP, CompressionMode.NONE, ('--compress',)),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE, ('--storage', 'sqlite3')),
    ],
)
def test_the_new_bag_has_all_messages_and_those_of_the_node(
    tmp_path, capsys, storage, mode, options
):
    before, facts_before = read_bag(write_bag(tmp_path / 'in', 2, storage, mode))
    out = tmp_path / 'out'
    assert main(['bag', str(tmp_path / 'in'), str(out), '--point-stride', '4', *options]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in', 'out']
    after, facts = read_bag(out)
    added = {
        f'{camera}/{output}'
        for camera in ('/left', '/rear/cam')
        for output in (DEPTH, INFO, POINTS)
    }
    assert set(facts) == set(facts_before) | added
    assert {topic: facts[topic] for topic in facts_before} == facts_before
    assert sorted(each for each in after if each[0] not in added) == sorted(before)
    for camera, image_topic, rectify in (
        ('/left', '/left/image_raw', True),
        ('/rear/cam', '/rear/cam/image_rect/compressed', False),
    ):
        expected = list(expected_messages(before, image_topic, f'{camera}/camera_info', rectify))
        assert len(expected) == 6
        for output, received_ns, message in expected:
            (data,) = (
                data
                for topic, at_ns, data in after
                if (topic, at_ns) == (f'{camera}/{output}', received_ns)
            )
            kind = type(message)
            assert_same(
                deserialize_message(data, kind),
                deserialize_message(serialize_message(message), kind),
            )
            assert message.header.stamp.nanosec == 7
    files = {path.suffix for path in out.iterdir()}
    assert files == (
        {'.yaml', '.zstd'}
        if mode == CompressionMode.FILE
        else {'.yaml', '.db3'}
        if 'sqlite3' in options or not options
        else {'.yaml', '.mcap'}
    )
    assert 'faults' not in capsys.readouterr().err


def test_without_ros_the_messages_are_the_same(tmp_path):
    write_bag(tmp_path / 'in', 1)
    # As many here as there: another number adds up in another order, which at an edge makes 1 cm.
    command = ['bag', str(tmp_path / 'in'), '--threads', '1']
    outputs = ['--outputs', 'image', 'camera_info', 'points', 'image_color', 'structure', 'scale']
    outputs += ['obstacles', 'scan', '--camera-height', '0.5']
    done = run_without_ros(*command, tmp_path / 'bare', *outputs)
    assert done.returncode == 0, done.stderr
    assert main([*command, str(tmp_path / 'ros'), *outputs]) == 0
    (bare, facts), (ros, _) = read_bag(tmp_path / 'bare'), read_bag(tmp_path / 'ros')
    assert len(bare) == len(ros) == 7 + 2 * 8
    for (topic, _, data), (same_topic, _, same_data) in zip(sorted(bare), sorted(ros)):
        assert topic == same_topic
        kind = KINDS.get(facts[topic][0].rpartition('/')[2])
        if kind is not None:
            assert_same(deserialize_message(data, kind), deserialize_message(same_data, kind))


def test_obstacles_and_scan_are_added_with_a_height_and_refused_without(tmp_path, capsys):
    write_bag(tmp_path / 'in', 1)
    command = ['bag', str(tmp_path / 'in'), str(tmp_path / 'out')]
    asked = ['--outputs', 'obstacles', 'scan']
    high = ['--camera-height', '0.5', '--voxel-size', '0.1']
    for refused, sentence in (
        (asked, '--outputs obstacles needs --camera-height'),
        (high, '--voxel-size has no effect without --outputs obstacles or scan'),
    ):
        assert main([*command, *refused]) == 1
        assert sentence in capsys.readouterr().err
        assert not list(tmp_path.glob('out*'))
    assert main([*command, *asked, *high]) == 0
    messages, facts = read_bag(tmp_path / 'out')
    added = {
        topic: deserialize_message(data, KINDS[facts[topic][0].rpartition('/')[2]])
        for topic, _, data in messages
        if '/depth/' in topic
    }
    assert set(added) == {
        f'{camera}/depth/{each}' for camera in ('/left', '/rear/cam') for each in asked[1:]
    }
    for topic, message in added.items():
        frame_id = message.header.frame_id
        assert frame_id.endswith('_level') == topic.endswith('scan')
        assert message.header.stamp.sec or message.header.stamp.nanosec


def test_the_ground_is_added_with_a_judge_and_refused_without(tmp_path, capsys):
    write_bag(tmp_path / 'in', 1)
    asked = ['--outputs', 'ground', 'confidence']
    assert main(['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), *asked]) == 0
    messages, facts = read_bag(tmp_path / 'out')
    grounds = [
        deserialize_message(data, KINDS[facts[topic][0].rpartition('/')[2]])
        for topic, _, data in messages
        if topic.endswith('/depth/ground')
    ]
    assert grounds
    assert {(each.encoding, len(each.data)) for each in grounds} == {
        ('mono8', each.height * each.width) for each in grounds
    }
    capsys.readouterr()
    judgeless = write_tiny_weights(tmp_path)
    command = ['bag', str(tmp_path / 'in'), str(tmp_path / 'none'), *asked]
    assert main([*command, '--weights', str(judgeless)]) == 1
    assert 'ground needs weights with a judge' in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob('none*'))


KEPT_IMAGES = 7
KILLED_AFTER_SOME_IMAGES = f"""
import os
import signal
import sys

from s2r_depth_ros.cli import bag, main

add, images = bag.DepthStore.add, []


def add_and_die(*arguments):
    add(*arguments)
    images.append(1)
    if len(images) == {KEPT_IMAGES}:
        os.kill(os.getpid(), signal.SIGKILL)


bag.DepthStore.add = add_and_die
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    write_bag(tmp_path / 'in', 15)
    out, partial = tmp_path / 'out', tmp_path / 'out.partial'
    command = ['bag', str(tmp_path / 'in'), str(out), '--outputs', 'image']
    killed = subprocess.run(
        [sys.executable, '-c', KILLED_AFTER_SOME_IMAGES, *command],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()

    assert main([*command, '--max-depth', '20']) == 1
    assert 'out.partial is of another bag, or of other options' in capsys.readouterr().err
    predicted = []
    run = DepthPredictor.run

    def counted(*arguments, **options):
        predicted.append(1)
        return run(*arguments, **options)

    monkeypatch.setattr(DepthPredictor, 'run', counted)
    assert main(command) == 0
    assert len(predicted) == 30 - KEPT_IMAGES
    assert not partial.exists()
    topics = [topic for topic, _, _ in read_bag(out)[0]]
    assert topics.count('/left/depth/image') == topics.count('/rear/cam/depth/image') == 15
    assert main(command) == 1
    assert 'out exists: give another name' in capsys.readouterr().err


def test_what_was_begun_with_other_weights_of_the_same_name_is_not_mixed(tmp_path, capsys):
    write_bag(tmp_path / 'in', 15)
    file = write_tiny_weights(tmp_path)
    command = ['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--outputs', 'image']
    command += ['--weights', str(file), '--engine', 'torch']
    killed = subprocess.run(
        [sys.executable, '-c', KILLED_AFTER_SOME_IMAGES, *command],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    begun_with = file.read_bytes()
    write_tiny_weights(tmp_path, seed=4)
    assert main(command) == 1
    assert 'is of another bag, or of other options or weights' in capsys.readouterr().err
    file.write_bytes(begun_with)
    assert main(command) == 0


def test_an_output_that_is_named_twice_is_added_once(tmp_path):
    write_bag(tmp_path / 'in', 1)
    asked = ['--outputs', 'image', 'scale', 'image']
    assert main(['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), *asked]) == 0
    topics = [topic for topic, _, _ in read_bag(tmp_path / 'out')[0]]
    assert topics.count('/left/depth/image') == topics.count('/left/depth/scale') == 1


def test_a_full_disk_is_told_and_the_work_goes_on_later(tmp_path):
    def no_more_space():  # the limit on a file's size stands for the disk's
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    write_bag(tmp_path / 'in', 5)
    command = ['bag', tmp_path / 'in', tmp_path / 'out', '--outputs', 'image']
    done = run_without_ros(*command, preexec_fn=no_more_space)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert 'out.partial' in last
    assert 'the results are kept there; the same command continues' in last
    assert main([str(word) for word in command]) == 0
    topics = [topic for topic, _, _ in read_bag(tmp_path / 'out')[0]]
    assert topics.count('/left/depth/image') == 5


def test_depth_files_of_a_bag_are_named_by_camera_and_stamp(tmp_path):
    write_bag(tmp_path / 'in', 2)
    assert (
        main(['depth', str(tmp_path / 'in'), '--save', 'png', '--out', str(tmp_path / 'all')]) == 0
    )
    assert sorted(path.name for path in (tmp_path / 'all/depth_mm').iterdir()) == [
        'left-100.000000007.png',
        'left-101.000000007.png',
        'rear_cam-100.000000007.png',
        'rear_cam-101.000000007.png',
    ]
    assert (
        main(
            [
                'depth',
                str(tmp_path / 'in'),
                '--image',
                '/left/image_raw/compressed',
                '--save',
                'npy',
                'ply',
                '--out',
                str(tmp_path / 'one'),
            ]
        )
        == 0
    )
    assert sorted(path.name for path in (tmp_path / 'one').rglob('*.*')) == [
        '100.000000007.npy',
        '100.000000007.ply',
        '101.000000007.npy',
        '101.000000007.ply',
    ]


def test_without_camera_info_there_is_depth_alone_unless_the_lens_is_given(tmp_path, capsys):
    bag = write_bag(tmp_path / 'in', 1, is_calibrated=False)

    def added(name, *options):
        assert (
            main(['bag', str(bag), str(tmp_path / name), '--image', '/left/image_raw', *options])
            == 0
        )
        messages, facts = read_bag(tmp_path / name)
        return {
            topic: deserialize_message(data, KINDS[facts[topic][0].rpartition('/')[2]])
            for topic, _, data in messages
            if '/depth/' in topic
        }, facts

    plain, facts = added('plain')
    said = capsys.readouterr()
    assert said.out == f'{tmp_path / "plain"}: /left/depth/image\n'
    assert (
        'the focal length of /left/image_raw is not known, its depth is wrong by an unknown '
        'factor, without camera_info and points: give --calibration, --focal-px or --hfov-deg'
    ) in said.err
    assert set(plain) == {topic for topic in facts if '/depth/' in topic} == {'/left/depth/image'}

    assert main(['bag', str(bag), str(tmp_path / 'none'), '--outputs', 'points']) == 1
    assert 'gives points, so' in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob('none*'))

    known, _ = added('known', '--focal-px', '100')
    assert 'not known' not in capsys.readouterr().err
    assert set(known) == {f'/left/{output}' for output in (DEPTH, INFO, POINTS)}
    np.testing.assert_array_equal(
        known['/left/depth/camera_info'].k, (100, 0, 79.5, 0, 100, 59.5, 0, 0, 1)
    )
    # Twice the focal length, twice as far, within what the threads add up in another order.
    far, _ = added('far', '--focal-px', '200', '--max-depth', '10000')
    near, _ = added('near', '--focal-px', '100', '--max-depth', '10000')
    near_m, far_m = (
        np.frombuffer(each['/left/depth/image'].data, np.float32) for each in (near, far)
    )
    is_finite = np.isfinite(near_m) & np.isfinite(far_m)
    assert is_finite.any()
    np.testing.assert_allclose(far_m[is_finite] / near_m[is_finite], 2, rtol=1e-3)

    assert (
        main(
            [
                'depth',
                str(bag),
                '--image',
                '/left/image_raw',
                '--focal-px',
                '100',
                '--save',
                'ply',
                '--out',
                str(tmp_path / 'files'),
            ]
        )
        == 0
    )
    (cloud,) = (tmp_path / 'files/cloud').iterdir()
    assert len(PlyData.read(str(cloud))['vertex']) > 1000


def test_a_focal_length_counts_before_camera_info_and_a_field_of_view_after_it(tmp_path):
    bag = write_bag(tmp_path / 'in', 1)

    def focal_px(*options):
        out = tmp_path / '_'.join(('out', *options))
        assert (
            main(
                [
                    'bag',
                    str(bag),
                    str(out),
                    '--outputs',
                    'camera_info',
                    '--image',
                    '/left/image_raw',
                    *options,
                ]
            )
            == 0
        )
        (data,) = (data for topic, _, data in read_bag(out)[0] if topic.endswith(INFO))
        return deserialize_message(data, CameraInfo).k[0]

    assert focal_px() == focal_px('--hfov-deg', '50') == 100
    assert focal_px('--focal-px', '300') == 300


def test_a_calibration_of_another_shape_is_told_of_a_bag_too(tmp_path, capsys):
    calibration = Path(__file__).parents[1] / 'config/camera_info.example.yaml'
    assert (
        main(
            [
                'bag',
                str(write_bag(tmp_path / 'in', 1)),
                str(tmp_path / 'out'),
                '--calibration',
                str(calibration),
            ]
        )
        == 1
    )
    said = capsys.readouterr().err
    assert 'images of 160 x 120 have another aspect ratio' in said
    assert 'Traceback' not in said


def test_what_is_done_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """A power cut must not find the work deleted and the new bag not yet written."""
    synced, events = set(), []
    fsync, rmtree = os.fsync, shutil.rmtree

    def recorded_fsync(handle):
        synced.add(Path(f'/proc/self/fd/{handle}').resolve())
        fsync(handle)

    def recorded_rmtree(path, **options):
        if Path(path).name == 'out.partial':
            events.append((set(synced), {*(tmp_path / 'out').iterdir(), tmp_path}))
        rmtree(path, **options)

    pragmas = []
    add = bag_tool.DepthStore.add

    def recorded_add(store, *arguments):
        pragmas.append(store._connection.execute('PRAGMA synchronous').fetchone()[0])
        add(store, *arguments)

    monkeypatch.setattr(os, 'fsync', recorded_fsync)
    monkeypatch.setattr(shutil, 'rmtree', recorded_rmtree)
    monkeypatch.setattr(bag_tool.DepthStore, 'add', recorded_add)
    write_bag(tmp_path / 'in', 1)
    assert main(['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--outputs', 'image']) == 0
    assert pragmas == [2, 2]  # FULL: each image of the two cameras waits for the disk
    ((done, needed),) = events
    assert {path.name for path in needed} <= {path.name for path in done}
    assert {'metadata.yaml', 'out.db3'} <= {path.name for path in needed}


def test_a_file_system_that_cannot_sync_folders_will_do(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_alone(handle):
        if Path(f'/proc/self/fd/{handle}').resolve().is_dir():
            raise OSError(errno.EINVAL, 'Invalid argument')
        fsync(handle)

    monkeypatch.setattr(os, 'fsync', files_alone)
    write_bag(tmp_path / 'in', 1)
    assert main(['bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--outputs', 'image']) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in', 'out']


def test_bags_that_cannot_be_used_are_one_sentence(tmp_path, capsys):
    def refused(*arguments):
        assert main(['bag', *map(str, arguments)]) == 1
        return capsys.readouterr().err.strip().splitlines()[-1]

    bag = write_bag(tmp_path / 'in', 1)
    out = tmp_path / 'out'
    assert 'nowhere is no ROS 2 bag that can be read' in refused('nowhere', out)
    (tmp_path / 'text.mcap').write_text('no bag')
    assert 'text.mcap is no ROS 2 bag' in refused(tmp_path / 'text.mcap', out)
    assert 'has no images on /right, but on /left/image_raw' in refused(
        bag, out, '--image', '/right'
    )
    assert 'belong to one camera: select one with --image' in refused(
        bag, out, '--image', '/left/image_raw', '/left/image_raw/compressed'
    )
    with Writer(tmp_path / 'empty', version=9) as writer:
        writer.add_connection(
            '/clock', 'rosgraph_msgs/msg/Clock', typestore=get_typestore(Stores.ROS2_JAZZY)
        )
    assert 'has no images of a camera; its topics are /clock (rosgraph_msgs/msg/Clock, no ' in (
        refused(tmp_path / 'empty', out)
    )
    assert main(['bag', str(bag), str(out), '--outputs', 'image']) == 0
    capsys.readouterr()
    assert 'already has /left/depth/image' in refused(out, tmp_path / 'twice')


def test_the_rate_of_a_bag_is_that_of_its_images_also_where_its_clock_was_set(tmp_path):
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(tmp_path / 'bag', version=9) as writer:
        topic = writer.add_connection('/a/image', 'sensor_msgs/msg/Image', typestore=store)
        message = pixels_to_image(np.zeros((8, 8, 3), np.uint8), 'bgr8', header(0, 'eye'))
        for number in range(6):
            years_ns = 10**18 if number > 2 else 0
            writer.write(topic, years_ns + number * SECOND_NS // 20, serialize_message(message))
    with Bag(tmp_path / 'bag', print) as bag:
        assert bag.rate_hz == pytest.approx(20)


def test_a_broken_bag_gives_all_but_what_is_damaged(tmp_path, capsys):
    bag = write_bag(tmp_path / 'in', 40, StoragePlugin.MCAP)
    (file,) = bag.glob('*.mcap')
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 50_000] = bytes(50_000)
    file.write_bytes(data)
    assert (
        main(
            [
                'bag',
                str(bag),
                str(tmp_path / 'out'),
                '--outputs',
                'image',
                '--image',
                '/left/image_raw',
            ]
        )
        == 1
    )
    said = capsys.readouterr().err
    assert 'has a damaged chunk at byte' in said
    topics = [topic for topic, _, _ in read_bag(tmp_path / 'out')[0]]
    made = topics.count('/left/depth/image')
    assert 20 < made < 40
    assert f'{40 - made} of 40 messages on /left/image_raw' in said
    assert (
        main(
            [
                'depth',
                str(bag),
                '--out',
                str(tmp_path / 'depth'),
                '--image',
                '/left/image_raw',
                '--save',
                'png',
            ]
        )
        == 1
    )
    assert f'{40 - made} of 40 messages on /left/image_raw' in capsys.readouterr().err
    assert len(list((tmp_path / 'depth').rglob('*.png'))) == made


def test_only_what_can_go_on_is_said_to_go_on(tmp_path, capsys):
    bag = write_bag(tmp_path / 'in', 1)

    def refused(out):
        assert main(['bag', str(bag), str(out), '--outputs', 'image']) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert 'continues' not in said
        return said

    (tmp_path / 'file').touch()
    assert 'no depth was computed yet' in refused(tmp_path / 'file/out')
    mine = tmp_path / 'out.partial'
    mine.mkdir()
    (mine / 'letter').touch()
    assert 'out.partial exists, but not from `s2r bag`' in refused(tmp_path / 'out')
    (mine / 'depth.db').write_bytes(bytes(range(256)) * 40)
    assert 'is damaged' in refused(tmp_path / 'out')
    assert (mine / 'letter').exists()


def test_a_new_bag_that_does_not_hold_what_was_written_leaves_the_work(
    tmp_path, monkeypatch, capsys
):
    write, written = Writer.write, []

    def forgetful(writer, connection, received_ns, data):
        written.append(connection.topic)
        if written.count(connection.topic) != 2:
            write(writer, connection, received_ns, data)

    bag = write_bag(tmp_path / 'in', 2)
    command = ['bag', str(bag), str(tmp_path / 'out'), '--outputs', 'image']
    monkeypatch.setattr(Writer, 'write', forgetful)
    assert main(command) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert 'of 18 messages written' in said
    assert '9 can be read' in said
    assert 'the same command continues' in said
    assert not (tmp_path / 'out').exists()
    monkeypatch.undo()
    assert main(command) == 0
    assert len(read_bag(tmp_path / 'out')[0]) == 18
