"""Bags as recorders, converters and people leave them: all is read, or the loss is reported."""

from array import array
from collections import Counter
from functools import cache
import shutil
import sqlite3
import tracemalloc

from mcap_files import STORE, Topic, write_mcap
import numpy as np
import pytest
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
import zstandard

from s2r_depth_ros.cli import main
from s2r_depth_ros.ros.message_types import CameraInfo, Image, serialize_message
from s2r_depth_ros.sources.bags.bag import Bag, BagError
from s2r_depth_ros.sources.bags.paths import is_bag, is_bag_folder, is_recorded_folder

IMAGE, INFO, TEXT = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo', 'std_msgs/msg/String'
TOPICS = (Topic('/cam/camera_info', INFO), Topic('/cam/image_raw', IMAGE))
START_NS = 1_700_000_000 * 10**9
QUICK = ('--network-height', '96', '--network-width', '96', '--outputs', 'image')


@cache  # since rclpy leaves the bytes between fields to chance
def recorded(count=4):
    """Return (0 or 1, time, bytes) of so many camera_infos, each before its image."""
    shade = np.arange(64 * 96 * 3)
    messages = []
    for number in range(count):
        image, info = Image(), CameraInfo()
        time_ns = START_NS + number * 10**8
        for each in (info, image):
            each.header.frame_id = 'cam'
            each.header.stamp.sec, each.header.stamp.nanosec = divmod(time_ns, 10**9)
        image.height, image.width, image.step, image.encoding = 64, 96, 288, 'rgb8'
        image.data = array('B', ((shade + 40 * number) % 256).astype(np.uint8).tobytes())
        info.height, info.width, info.distortion_model = 64, 96, 'plumb_bob'
        info.d = array('d', [0.0] * 5)
        info.k = np.array([60.0, 0, 47.5, 0, 60, 31.5, 0, 0, 1])
        info.r = np.eye(3).reshape(-1)
        info.p = np.array([60.0, 0, 47.5, 0, 0, 60, 31.5, 0, 0, 0, 1, 0])
        messages += [
            (0, time_ns, serialize_message(info)),
            (1, time_ns + 1000, serialize_message(image)),
        ]
    return tuple(messages)


def write_bag(path, messages, storage=StoragePlugin.SQLITE3, mode=CompressionMode.NONE):
    """Write a bag as a recorder that ends well."""
    writer = Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = [
            writer.add_connection(each.name, each.schema, typestore=STORE) for each in TOPICS
        ]
        for index, time_ns, data in messages:
            writer.write(connections[index], time_ns, data)
    return path


def read(path):
    """Return what a bag gives: (topic, time, bytes) of all messages, images, losses, notes."""
    skipped = []
    with Bag(path, skipped.append) as bag:
        images = list(bag.images())
        messages = [
            (each.connection.topic, each.received_ns, each.data) for each in bag.messages()
        ]
        assert not skipped
        assert all(image.info is not None for image in images)
        return messages, len(images), ' / '.join(bag.losses), ' / '.join(bag.notes)


def expected(messages):
    return [(TOPICS[index].name, time_ns, data) for index, time_ns, data in messages]


def assert_whole(path, messages):
    got, images, losses, _ = read(path)
    assert got == expected(messages)
    assert (images, losses) == (len(messages) // 2, '')


@pytest.mark.parametrize(
    'form',
    [
        {},
        {'has_message_index': False},
        {'has_statistics': False},
        {'repeats_channels': False},
        {'has_message_index': False, 'has_statistics': False, 'repeats_channels': False},
        {'in_chunks_of': 0},
        {'in_chunks_of': 0, 'has_statistics': False, 'repeats_channels': False},
        {'compression': 'lz4'},
        {'compression': 'zstd', 'repeats_channels': False},
        {'in_chunks_of': 1, 'has_message_index': False},
    ],
    ids=str,
)
def test_an_mcap_file_is_read_whatever_its_index_and_summary_leave_out(form, tmp_path):
    assert_whole(write_mcap(tmp_path / 'a.mcap', TOPICS, recorded(), **form), recorded())


@pytest.mark.parametrize('in_chunks_of', [0, 1, 3])
def test_messages_out_of_order_come_by_their_time_and_ties_as_they_lie(in_chunks_of, tmp_path):
    messages = recorded()
    mixed = [messages[index] for index in (5, 0, 7, 2, 1, 6, 3, 4)]
    assert_whole(
        write_mcap(tmp_path / 'a.mcap', TOPICS, mixed, in_chunks_of=in_chunks_of), messages
    )
    tied = [(index, START_NS, data) for index, _, data in messages]
    assert_whole(write_mcap(tmp_path / 't.mcap', TOPICS, tied, in_chunks_of=in_chunks_of), tied)


@pytest.mark.parametrize('in_chunks_of', [0, 2])
def test_an_mcap_file_that_was_not_closed_is_read_and_said(in_chunks_of, tmp_path):
    path = write_mcap(
        tmp_path / 'a.mcap', TOPICS, recorded(), in_chunks_of=in_chunks_of, is_closed=False
    )
    messages, images, losses, _ = read(path)
    assert messages == expected(recorded())
    assert images == 4
    assert 'a.mcap was not closed' in losses


@pytest.mark.parametrize('compression', ['', 'zstd', 'lz4'])
@pytest.mark.parametrize('tail', [b'', bytes(10_000)])
def test_an_mcap_file_cut_off_inside_a_chunk_gives_what_comes_before(compression, tail, tmp_path):
    path = write_mcap(
        tmp_path / 'a.mcap', TOPICS, recorded(), compression=compression, is_closed=False
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)] + tail)
    messages, images, losses, _ = read(path)
    assert messages[:4] == expected(recorded())[:4]
    assert images >= 2
    assert len(messages) < 8
    assert 'was not closed' in losses
    assert 'bytes are an unfinished record' in losses


def test_a_damaged_chunk_is_left_out_and_the_rest_is_read(tmp_path):
    path = write_mcap(tmp_path / 'a.mcap', TOPICS, recorded(6), in_chunks_of=2)
    data = bytearray(path.read_bytes())
    third = data.index(recorded(6)[5][2]) + 500
    data[third : third + 100] = bytes(100)
    path.write_bytes(data)
    messages, images, losses, _ = read(path)
    assert messages == [
        each for index, each in enumerate(expected(recorded(6))) if index // 2 != 2
    ]
    assert images == 5
    assert 'has a damaged chunk at byte' in losses
    assert 'its checksum is wrong' in losses
    assert '1 of 6 messages on /cam/image_raw' in losses


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_definition_in_idl_is_copied_as_idl(storage, tmp_path):
    idl = 'module my_msgs { module msg { struct X { octet a; }; }; };'
    begin = '=' * 80 + '\nIDL: my_msgs/msg/X\n'
    for number, (encoding, text) in enumerate(
        [('ros2idl', begin + idl), ('ros2idl', idl), ('omgidl', idl)]
    ):
        topic = Topic('/x', 'my_msgs/msg/X', encoding, text.encode())
        bag = write_mcap(
            tmp_path / f'{number}.mcap',
            (*TOPICS, topic),
            [*recorded(), (2, START_NS, b'\0\1\0\0\1')],
        )
        out = tmp_path / f'{number}'
        assert main(['bag', str(bag), str(out), *QUICK, '--storage', storage]) == 0
        with Reader(out) as reader:
            (copied,) = (each for each in reader.connections if each.topic == '/x')
        assert copied.msgdef == MessageDefinition(MessageDefinitionFormat.IDL, begin + idl)


def test_bytes_after_the_end_of_an_mcap_file_are_said(tmp_path):
    parts = [
        write_mcap(tmp_path / f'{first}.mcap', TOPICS, recorded()[first : first + 4]).read_bytes()
        for first in (0, 4)
    ]
    path = tmp_path / 'both.mcap'
    for more in (parts[1], bytes(5000)):
        path.write_bytes(parts[0] + more)
        messages, images, losses, _ = read(path)
        assert (messages, images) == (expected(recorded()[:4]), 2)
        assert f'both.mcap has {len(more)} more bytes after its end' in losses


def test_two_channels_of_one_topic_are_one(tmp_path):
    messages = [
        (index + 2 * (number > 3), time_ns, data)
        for number, (index, time_ns, data) in enumerate(recorded())
    ]
    for again in (
        TOPICS,
        tuple(Topic(each.name, each.schema.replace('/msg/', '/')) for each in TOPICS),
    ):
        for each in again:
            each.definition = (
                STORE.generate_msgdef(
                    each.schema.replace('/msg/', '/').replace('/', '/msg/'), ros_version=2
                )[0].encode()
                + b'\n# a comment\n'
            )
        path = write_mcap(tmp_path / 'a.mcap', (*TOPICS, *again), messages)
        assert read(path)[:3] == (expected(recorded()), 4, '')
        with Bag(path, print) as bag:
            assert len(bag.connections) == 2


def test_two_types_and_two_definitions_of_one_topic_are_said(tmp_path):
    text = STORE.types[TEXT](data='hello')
    message = (2, START_NS + 5, bytes(STORE.serialize_cdr(text, TEXT)))
    path = write_mcap(
        tmp_path / 'a.mcap', (*TOPICS, Topic('/cam/image_raw', TEXT)), [*recorded(), message]
    )
    messages, images, losses, notes = read(path)
    assert (len(messages), images, losses) == (9, 4, '')
    assert f'has several types, {IMAGE}, {TEXT}' in notes
    path = write_mcap(
        tmp_path / 'b.mcap',
        (*TOPICS, Topic('/cam/image_raw', IMAGE, definition=b'uint8 kind')),
        recorded(),
    )
    assert '/cam/image_raw has sensor_msgs/msg/Image with different definitions' in read(path)[2]


@pytest.mark.parametrize(
    ('encoding', 'schema_encoding'),
    [('json', 'jsonschema'), ('protobuf', 'protobuf'), ('ros1', 'ros1msg'), ('', '')],
)
def test_a_topic_that_is_not_of_ros_2_is_said_and_the_camera_is_read(
    encoding, schema_encoding, tmp_path, capsys
):
    other = Topic('/log', 'foxglove.RawImage', schema_encoding, b'\xff\0', encoding)
    message = (2, START_NS + 5, b'{}')
    path = write_mcap(tmp_path / 'a.mcap', (*TOPICS, other), [*recorded(), message])
    assert_whole(path, recorded())
    assert main(['bag', str(path), str(tmp_path / 'out'), *QUICK]) == 1
    assert (
        f'/log (foxglove.RawImage, 1 messages) is in {encoding or "no encoding"}, and a ROS 2 '
        'bag needs cdr: not copied'
    ) in capsys.readouterr().err
    assert count(tmp_path / 'out') == {
        '/cam/image_raw': 4,
        '/cam/camera_info': 4,
        '/cam/depth/image': 4,
    }
    path = write_mcap(tmp_path / 'only.mcap', (other,), [(0, *message[1:])])
    with pytest.raises(BagError, match='images in forms that cannot be read, on /log'):
        Bag(path, print)


def count(path):
    with Reader(path) as reader:
        return Counter(each.topic for each, _, _ in reader.messages())


@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_another_qos_in_the_metadata_loses_nothing_and_is_copied(storage, tmp_path):
    bag = write_bag(tmp_path / 'in', recorded(), storage)
    metadata = bag / 'metadata.yaml'
    profile = (
        '[{history: keep_last, depth: 1, reliability: reliable, durability: '
        'transient_local, deadline: {sec: 2147483647, nsec: 4294967295}, lifespan: {sec: '
        '9223372036, nsec: 854775807}, liveliness: automatic, liveliness_lease_duration: '
        '{sec: 0, nsec: 0}, avoid_ros_namespace_conventions: false}]'
    )
    metadata.write_text(
        metadata.read_text().replace(
            'offered_qos_profiles: []', f'offered_qos_profiles: {profile}', 1
        )
    )
    assert 'transient_local' in metadata.read_text()
    assert_whole(bag, recorded())
    assert main(['bag', str(bag), str(tmp_path / 'out'), *QUICK]) == 0
    assert count(tmp_path / 'out')['/cam/camera_info'] == 4
    with Reader(tmp_path / 'out') as reader:
        durability = {
            profile.durability.name
            for each in reader.connections
            for profile in each.ext.offered_qos_profiles
            if 'depth' not in each.topic
        }
    assert durability == {'TRANSIENT_LOCAL'}


@pytest.mark.parametrize('storage', StoragePlugin)
def test_times_before_0_are_read_and_copied_to_both_storages(storage, tmp_path):
    # A clock that was never set; MCAP has the signed times of ROS as if they were not signed.
    messages = [
        (index, time_ns - START_NS - 150_000_000, data) for index, time_ns, data in recorded()
    ]
    if storage == StoragePlugin.SQLITE3:
        bag = write_bag(tmp_path / 'bag', messages)
    else:
        bag = write_mcap(
            tmp_path / 'bag.mcap',
            TOPICS,
            [(index, time_ns % 2**64, data) for index, time_ns, data in messages],
        )
    assert_whole(bag, messages)
    for name in ('sqlite3', 'mcap'):
        out = tmp_path / name
        assert main(['bag', str(bag), str(out), *QUICK, '--storage', name]) == 0
        with Bag(out, pytest.fail) as copied:
            assert [
                (each.connection.topic, each.received_ns, each.data)
                for each in copied.messages()
                if 'depth' not in each.connection.topic
            ] == expected(messages)


def test_a_camera_whose_encoding_cannot_be_read_is_said(tmp_path, capsys):
    topics = (*TOPICS, Topic('/right/image_raw', IMAGE), Topic('/flow/image', IMAGE))
    others = []
    for index, encoding in ((2, 'bayer_rggb16'), (3, '32FC2')):  # optical flow is no camera's
        image = Image()
        image.encoding, image.height, image.width = encoding, 64, 96
        others.append((index, START_NS + 10**9, serialize_message(image)))
    bag = write_mcap(tmp_path / 'a.mcap', topics, [*recorded(), *others])
    assert main(['bag', str(bag), str(tmp_path / 'out'), *QUICK]) == 1
    (fault,) = (line for line in capsys.readouterr().err.splitlines() if 'left out' in line)
    assert 'a camera on /right/image_raw that is left out' in fault
    assert "'bayer_rggb16' cannot be read" in fault
    # Somebody who names a camera knows that there are others.
    assert (
        main(['bag', str(bag), str(tmp_path / 'left'), *QUICK, '--image', '/cam/image_raw']) == 0
    )
    bag = write_mcap(tmp_path / 'b.mcap', topics, others)
    assert main(['bag', str(bag), str(tmp_path / 'none'), *QUICK]) == 1
    assert "'bayer_rggb16' cannot be read" in capsys.readouterr().err


FFMPEG = 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'


@pytest.mark.parametrize(
    ('topic', 'kind'),
    [
        ('/right/image_raw/ffmpeg', FFMPEG),
        ('/right/image_raw/theora', 'theora_image_transport/msg/Packet'),
        ('/right/video', 'foxglove_msgs/msg/CompressedVideo'),
    ],
)
def test_a_camera_of_video_packets_is_said(topic, kind, tmp_path, capsys):
    others = (
        (topic, kind),
        ('/cam/image_raw/ffmpeg', FFMPEG),  # the same camera once more
        ('/scan', 'velodyne_msgs/msg/VelodynePacket'),
        ('/marks', 'foxglove_msgs/msg/ImageAnnotations'),
    )
    topics = [*TOPICS, *(Topic(*each, definition=b'uint8 x') for each in others)]
    packets = [(number, START_NS, b'\0\1\0\0\1') for number in range(2, len(topics))]
    bag = write_mcap(tmp_path / 'a.mcap', topics, [*recorded(), *packets])
    assert main(['bag', str(bag), str(tmp_path / 'out'), *QUICK]) == 1
    (fault,) = (line for line in capsys.readouterr().err.splitlines() if 'left out' in line)
    assert f'a camera on {topic} that is left out: {kind} cannot be read' in fault
    assert count(tmp_path / 'out')[topic] == 1
    assert main(['bag', str(bag), str(tmp_path / 'b'), *QUICK, '--image', '/cam/image_raw']) == 0


def test_depth_files_of_a_bag_say_which_images_are_not_of_ros_2(tmp_path, capsys):
    other = Topic('/right/image', 'foxglove.CompressedImage', 'jsonschema', b'{}', 'json')
    marks = Topic('/marks', 'foxglove.ImageAnnotations', 'jsonschema', b'{}', 'json')
    bag = write_mcap(
        tmp_path / 'a.mcap',
        (*TOPICS, other, marks),
        [*recorded(), (2, START_NS, b'{}'), (3, START_NS, b'{}')],
    )
    depth = ['depth', str(bag), *QUICK[:4], '--save', 'png', '--out']
    assert main([*depth, str(tmp_path / 'out')]) == 1
    (fault,) = (line for line in capsys.readouterr().err.splitlines() if 'left out' in line)
    assert 'images on /right/image that are left out: foxglove.CompressedImage in json' in fault
    assert len(list((tmp_path / 'out').rglob('*.png'))) == 4
    assert main([*depth, str(tmp_path / 'one'), '--image', '/cam/image_raw']) == 0


def test_what_the_metadata_promises_and_the_files_lack_is_counted(tmp_path, capsys):
    bag = write_bag(tmp_path / 'in', recorded())
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 4', 'message_count: 9'))
    for verb in ('bag', 'depth'):
        words = (
            [str(tmp_path / verb), *QUICK]
            if verb == 'bag'
            else ['--out', str(tmp_path / verb), *QUICK[:4]]
        )
        assert main([verb, str(bag), *words]) == 1
        said = capsys.readouterr().err
        assert '5 of 9 messages on /cam/image_raw' in said
        assert 'metadata.yaml promises more than the bag holds' in said


def kill_recorder(folder, messages, *, journal):
    """Leave what a power cut leaves of a recorder: a database and its journal."""
    bag = write_bag(folder / 'whole', messages[:4])
    live = folder / 'live'
    live.mkdir()
    shutil.copy(bag / 'whole.db3', live / 'a.db3')
    database = sqlite3.connect(live / 'a.db3', isolation_level=None)
    if journal == 'wal':
        database.execute('PRAGMA journal_mode = WAL')
        database.execute('PRAGMA wal_autocheckpoint = 0')
        database.executemany(
            'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)',
            [(index + 1, *rest) for index, *rest in messages[4:]],
        )
    else:  # a transaction that was half written must not count
        database.execute('PRAGMA cache_size = 2')
        database.execute('BEGIN')
        database.execute('UPDATE messages SET data = zeroblob(100000)')
        database.execute('INSERT INTO messages VALUES (99, 1, 1, zeroblob(3000000))')
    shutil.copytree(live, folder / 'killed')
    database.close()
    return folder / 'killed'


@pytest.mark.parametrize('journal', ['wal', 'journal'])
def test_a_journal_beside_a_database_is_replayed_on_a_copy(journal, tmp_path):
    messages = recorded()
    killed = kill_recorder(tmp_path, messages, journal=journal)
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    assert f'a.db3-{journal}' in before
    wanted = messages if journal == 'wal' else messages[:4]
    for path in (killed / 'a.db3', killed):
        assert_whole(path, wanted)
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before


def test_a_write_ahead_log_that_was_cut_off_gives_what_comes_before_and_is_said(tmp_path):
    killed = kill_recorder(tmp_path, recorded(), journal='wal')
    log = killed / 'a.db3-wal'
    log.write_bytes(log.read_bytes()[: log.stat().st_size * 2 // 3])
    got, _, losses, _ = read(killed)
    assert 4 <= len(got) < 8
    assert got == expected(recorded()[: len(got)])
    assert 'a.db3 has a write-ahead log that ends inside a page' in losses


@pytest.mark.parametrize('damage', ['zeros at the end', 'a hole', 'whole pages are cut off'])
def test_a_write_ahead_log_that_is_damaged_gives_what_comes_before_and_is_said(damage, tmp_path):
    killed = kill_recorder(tmp_path, recorded(), journal='wal')
    log = killed / 'a.db3-wal'
    data = log.read_bytes()
    pages = (len(data) - 32) // 4120
    part = 32 + pages * 2 // 3 * 4120
    log.write_bytes(
        {
            'zeros at the end': data[:part] + bytes(len(data) - part),
            'a hole': data[: part - 3000] + b'\x55' * 100 + data[part - 2900 :],
            'whole pages are cut off': data[:part],
        }[damage]
    )
    got, _, losses, _ = read(killed)
    assert 4 <= len(got) < 8
    assert got == expected(recorded()[: len(got)])
    assert 'a.db3 has a write-ahead log that can be replayed up to page' in losses


def test_pages_of_an_earlier_write_ahead_log_are_not_missed(tmp_path):
    killed = kill_recorder(tmp_path, recorded(), journal='wal')
    live = tmp_path / 'live again'
    shutil.copytree(killed, live)
    database = sqlite3.connect(live / 'a.db3', isolation_level=None)
    database.execute('PRAGMA wal_autocheckpoint = 0')
    database.execute('PRAGMA wal_checkpoint(RESTART)')
    database.execute('UPDATE topics SET id = id')  # over the begin of the log
    shutil.copytree(live, tmp_path / 'killed again')
    database.close()
    assert (tmp_path / 'killed again/a.db3-wal').stat().st_size > 20_000
    assert_whole(tmp_path / 'killed again', recorded())


def test_a_camera_info_whose_bytes_are_damaged_is_said(tmp_path):
    messages = list(recorded())
    index, time_ns, data = messages[2]
    messages[2] = index, time_ns, data[:30]
    skipped = []
    with Bag(write_bag(tmp_path / 'bag', messages), skipped.append) as bag:
        assert len(list(bag.images())) == 4
    (fault,) = skipped
    assert '/cam/camera_info, message 1: its bytes are damaged' in fault


def test_the_metadata_of_a_bag_stands_for_the_bag(tmp_path):
    bag = write_bag(tmp_path / 'bag', recorded())
    assert is_bag(bag / 'metadata.yaml')
    assert_whole(bag / 'metadata.yaml', recorded())


def test_a_database_that_was_cut_off_gives_what_comes_before(tmp_path):
    bag = write_bag(tmp_path / 'in', recorded())
    file = bag / 'in.db3'
    data = file.read_bytes()
    file.write_bytes(data[:-5000])
    messages, images, losses, _ = read(bag)
    assert set(messages) < set(expected(recorded()))
    assert images > 1
    assert f'is not whole: it has {len(data) - 5000} of {len(data)} bytes' in losses
    assert 'messages on /cam/image_raw' in losses


@pytest.mark.parametrize('name', ['a #1', 'a?b', '100%41', "it's"])
def test_any_character_in_the_path_of_a_bag(name, tmp_path, capsys):
    (tmp_path / name).mkdir()
    bag = write_bag(tmp_path / 'in', recorded())
    bag = bag.rename(tmp_path / name / 'in')
    assert_whole(bag, recorded())
    assert_whole(bag / 'in.db3', recorded())
    out = tmp_path / name / 'out'
    if name != "it's":
        assert main(['bag', str(bag), str(out), *QUICK]) == 1
        assert 'give another OUT, or --storage mcap' in capsys.readouterr().err
        assert {path.name for path in tmp_path.rglob('*')} == {
            name,
            'in',
            'in.db3',
            'metadata.yaml',
        }
    assert main(['bag', str(bag), str(out), '--storage', 'mcap', *QUICK]) == 0
    assert count(out)['/cam/depth/image'] == 4


@pytest.mark.parametrize('name', ['file:x', 'a:b', ':memory:', '~/x', '-x'])
def test_any_name_of_the_new_bag_is_a_name_here(name, tmp_path, monkeypatch):
    bag = write_bag(tmp_path / 'in', recorded())
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert main(['bag', *QUICK, '--', str(bag), name]) == 0
    out = tmp_path / name.replace('~', 'home') if '~' in name else tmp_path / 'here' / name
    assert count(out)['/cam/depth/image'] == 4
    assert {path.name for path in (tmp_path / 'here').iterdir()} == {name} - {'~/x'}


def test_a_new_bag_is_not_written_over_what_is_not_of_a_bag(tmp_path, monkeypatch, capsys):
    bag = write_bag(tmp_path / 'in', recorded())
    out = write_bag(tmp_path / 'out', recorded()[:2])
    forced = ['bag', str(bag), *QUICK, '--force']
    for other in ('notes.txt', 'calibration'):
        (out / other).touch() if '.' in other else (out / other).mkdir()
        assert main([*forced, str(out)]) == 1
        assert f'out also contains {other}, which --force would delete' in capsys.readouterr().err
        (out / other).unlink() if '.' in other else (out / other).rmdir()
    monkeypatch.chdir(out)
    assert main([*forced, '.']) == 1
    assert '. must name the new folder' in capsys.readouterr().err
    (out / 'out.db3-wal').touch()
    (out / '.DS_Store').touch()
    assert main([*forced, str(out)]) == 0
    assert count(out)['/cam/depth/image'] == 4


@pytest.mark.parametrize('storage', list(StoragePlugin))
@pytest.mark.parametrize('mode', [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_a_compressed_bag_is_read_from_its_folder_and_from_its_file(storage, mode, tmp_path):
    bag = write_bag(tmp_path / 'in', recorded(), storage, mode)
    (file,) = (path for path in bag.iterdir() if path.suffix != '.yaml')
    renamed = shutil.copy(file, tmp_path / f'{file.stem}.zst')
    for path in (bag, file, renamed):
        assert is_bag(path)
        assert_whole(path, recorded())
    if mode == CompressionMode.FILE:
        file.write_bytes(file.read_bytes()[:-3])
        assert 'its compressed end is missing' in read_or_refusal(bag)


def read_or_refusal(path):
    try:
        return read(path)[2]
    except BagError as error:
        return str(error)


@pytest.mark.parametrize('metadata', [None, '', 'a: [', 'other: 1', '{' * 3000])
@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_a_folder_without_metadata_is_read_as_it_is(storage, metadata, tmp_path):
    bag = write_bag(tmp_path / 'in', recorded(), storage)
    (bag / 'metadata.yaml').unlink()
    if metadata is not None:
        (bag / 'metadata.yaml').write_text(metadata)
    assert is_bag(bag)
    assert_whole(bag, recorded())
    assert 'metadata.yaml' in read(bag)[3]


def split(folder, **form):
    folder.mkdir()
    for number, part in enumerate((recorded()[4:], recorded()[:4])):
        write_mcap(folder / f'a_{number}.mcap', TOPICS, part, **form)
    return folder


def test_the_files_of_a_split_bag_are_merged_by_time(tmp_path):
    assert_whole(split(tmp_path / 'in'), recorded())


def test_a_part_of_a_split_bag_that_is_missing_is_said(tmp_path):
    bag = split(tmp_path / 'in')
    write_bag(tmp_path / 'whole', recorded(), StoragePlugin.MCAP)
    metadata = (tmp_path / 'whole/metadata.yaml').read_text()
    for listed in ('[a_0.mcap, a_1.mcap]', '[in/a_0.mcap, in/a_1.mcap]'):
        (bag / 'metadata.yaml').write_text(metadata.replace('\n  - whole.mcap', f' {listed}', 1))
        assert_whole(bag, recorded())
    (bag / 'a_1.mcap').unlink()
    messages, images, losses, _ = read(bag)
    assert (len(messages), images) == (4, 2)
    assert 'metadata.yaml lists a_1.mcap, not there' in losses
    assert 'lacks 2 of 4 messages on /cam/camera_info, 2 of 4 messages on /cam/image_raw' in losses
    (bag / 'a_1.mcap').write_bytes(b'')
    assert 'a_1.mcap cannot be read, it is empty' in read(bag)[2]


def test_a_file_that_was_renamed_is_read_in_the_place_of_the_one_that_is_listed(tmp_path):
    bag = write_bag(tmp_path / 'in', recorded())
    (bag / 'in.db3').rename(bag / 'new.db3')
    assert_whole(bag, recorded())
    assert 'lists in.db3, not there; new.db3 is read instead' in read(bag)[3]
    (bag / 'new.db3').rename(bag / 'IN.DB3')  # by a file system without small letters
    assert_whole(bag, recorded())
    (bag / 'IN.DB3').rename(bag / 'new.db3')
    shutil.copy(bag / 'new.db3', bag / 'in.db3')
    assert_whole(bag, recorded())
    assert 'does not list new.db3: not read' in read(bag)[3]


@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_a_file_that_lies_there_compressed_and_not_is_read_once(storage, tmp_path):
    # A recorder was killed while it compressed, or somebody unpacked a file.
    bag = write_bag(tmp_path / 'in', recorded(), storage)
    (bag / 'metadata.yaml').unlink()
    (file,) = bag.iterdir()
    packed = zstandard.compress(file.read_bytes())
    for content in (packed, packed[: len(packed) // 2]):
        (bag / f'{file.name}.zstd').write_bytes(content)
        assert_whole(bag, recorded())
        assert f'has {file.name}.zstd uncompressed, too: only that is read' in read(bag)[3]


def test_a_recording_that_lies_there_twice_is_not_read_twice(tmp_path):
    bag = write_bag(tmp_path / 'in', recorded())
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('  - in.db3', '  - in.db3\n  - in.db3'))
    assert_whole(bag, recorded())
    folder = tmp_path / 'killed'
    folder.mkdir()
    write_mcap(folder / 'a_0.mcap', TOPICS, recorded()[:5], is_closed=False)
    write_mcap(folder / 'a_0_recovered.mcap', TOPICS, recorded()[:5])  # as `mcap recover` does
    assert (
        'a_0.mcap and a_0_recovered.mcap begin at the same time: give one of them'
        in read_or_refusal(folder)
    )


def test_a_compressed_message_that_is_cut_off_is_said_and_not_copied(tmp_path, capsys):
    topics = (*TOPICS, Topic('/said', TEXT))
    text = zstandard.compress(
        bytes(STORE.serialize_cdr(STORE.types[TEXT](data='hello' * 99), TEXT))
    )
    bag = write_mcap(
        tmp_path / 'a.mcap', topics, [*recorded(), (2, START_NS, text), (2, START_NS, text[:-3])]
    )
    assert main(['bag', str(bag), str(tmp_path / 'out'), *QUICK]) == 1
    said = capsys.readouterr().err
    assert 'messages whose compressed end is missing' in said
    assert '1 of 2 messages on /said' in said
    assert count(tmp_path / 'out')['/said'] == 1


def test_a_part_that_is_missing_between_others_is_said_without_metadata_too(tmp_path):
    for folder, numbers, missing in (
        ('a', (0, 1, 3), 'x_2.mcap'),
        ('ring', (7, 8), ''),  # a recorder that keeps only the last parts
        ('hours', (800, 1430), ''),
        ('days', (20260101, 20260102, 20260104), ''),
    ):
        (tmp_path / folder).mkdir()
        for number, first in zip(numbers, range(0, 8, 2)):
            write_mcap(
                tmp_path / folder / f'x_{number}.mcap', TOPICS, recorded()[first : first + 2]
            )
        assert read(tmp_path / folder)[2] == (
            f'{tmp_path / folder}: of its numbered files {missing} is not there' if missing else ''
        )


def test_what_a_mac_adds_and_folders_with_the_name_of_a_file_are_not_read(tmp_path):
    bag = write_bag(tmp_path / 'in', recorded())
    (bag / '._in.db3').write_bytes(bytes.fromhex('00051607') + bytes(100))
    (bag / 'out.mcap').mkdir()
    for has_metadata in (True, False):
        if not has_metadata:
            (bag / 'metadata.yaml').unlink()
            (bag / 'in.db3').rename(bag / 'in_0.db3')
        assert is_recorded_folder(bag)
        assert_whole(bag, recorded())
        assert '._in.db3' not in read(bag)[3]
    # `ros2 bag record -o day.mcap` makes a folder of that name.
    day = write_bag(tmp_path / 'day/day.mcap', recorded(), StoragePlugin.MCAP)
    assert not is_bag_folder(day.parent)
    assert 'its folders day.mcap are bags: give one of them' in read_or_refusal(day.parent)


def test_what_cannot_be_read_is_one_sentence_that_says_what_to_do(tmp_path):
    (tmp_path / 'old.bag').write_bytes(b'#ROSBAG V2.0\n' + bytes(50))
    assert 'rosbags-convert --src' in read_or_refusal(tmp_path / 'old.bag')
    assert 'reindex' not in read_or_refusal(tmp_path / 'old.bag')
    (tmp_path / 'ros1').mkdir()
    killed = tmp_path / 'ros1/a.bag.active'
    killed.write_bytes(b'#ROSBAG V2.0\n' + bytes(50) + b'index_pos=' + bytes(50))
    for path in (killed, killed.parent):
        assert f'with `rosbag reindex {killed}`' in read_or_refusal(path)
    packed = tmp_path / 'old.bag.zst'
    packed.write_bytes(zstandard.compress((tmp_path / 'old.bag').read_bytes()))
    assert f'`unzstd {packed}`, then `rosbags-convert --src {tmp_path}/old.bag --dst' in (
        read_or_refusal(packed)
    )
    (tmp_path / 'bags').mkdir()
    write_bag(tmp_path / 'bags/one', recorded())
    assert is_bag(tmp_path / 'bags')
    assert 'its folders one are bags: give one of them' in read_or_refusal(tmp_path / 'bags')
    both = write_bag(tmp_path / 'both', recorded())
    (both / 'metadata.yaml').unlink()
    write_mcap(both / 'both.mcap', TOPICS, recorded())
    assert 'files of both sqlite3 and MCAP' in read_or_refusal(both)
    (both / 'street.png').touch()
    assert not is_bag(both)
    bag = write_bag(tmp_path / 'lz4', recorded(), mode=CompressionMode.FILE)
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('zstd', 'lz4'))
    assert 'is compressed with lz4, expected zstd' in read_or_refusal(bag)
    (tmp_path / 'text.zst').write_bytes(zstandard.compress(b'a letter'))
    assert 'begins neither as MCAP nor as SQLite' in read_or_refusal(tmp_path / 'text.zst')


def write_tables(path, topics, messages):
    database = sqlite3.connect(path)
    database.execute(f'CREATE TABLE topics ({topics})')
    database.execute(f'CREATE TABLE messages ({messages})')
    return database


def test_a_database_with_other_columns_is_read_or_refused(tmp_path):
    columns = 'id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB'
    database = write_tables(
        tmp_path / 'old.db3', 'id INTEGER PRIMARY KEY, name TEXT, type TEXT', columns
    )
    database.executemany(
        'INSERT INTO topics VALUES (?, ?, ?)',
        [(number, each.name, each.schema) for number, each in enumerate(TOPICS, 1)],
    )
    database.executemany(
        'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)',
        [(index + 1, *rest) for index, *rest in recorded()],
    )
    database.commit()
    assert_whole(tmp_path / 'old.db3', recorded())
    database.execute('UPDATE messages SET data = NULL WHERE id = 4')
    database.commit()
    messages, images, losses, _ = read(tmp_path / 'old.db3')
    assert (len(messages), images) == (7, 3)
    assert 'old.db3 has messages without bytes' in losses
    assert '1 of 4 messages on /cam/image_raw' in losses
    database.close()
    write_tables(tmp_path / 'forum.db3', 'id INTEGER, title TEXT', 'id INTEGER, body').close()
    assert 'no tables of messages and topics: topics lacks name, type' in read_or_refusal(
        tmp_path / 'forum.db3'
    )


def test_a_topic_without_messages_is_copied(tmp_path):
    path = write_mcap(tmp_path / 'a.mcap', (*TOPICS, Topic('/said', TEXT)), recorded())
    assert main(['bag', str(path), str(tmp_path / 'out'), *QUICK]) == 0
    with Reader(tmp_path / 'out') as reader:
        assert {each.topic: each.msgcount for each in reader.connections}['/said'] == 0


@pytest.mark.parametrize('in_chunks_of', [0, 1, 10])
def test_memory_holds_a_few_chunks_not_the_file(in_chunks_of, tmp_path):
    shuffled = [(1, START_NS + index * 7919 % 1000, bytes(50_000)) for index in range(1000)]
    path = write_mcap(
        tmp_path / 'a.mcap', TOPICS, shuffled, in_chunks_of=in_chunks_of, is_closed=False
    )
    del shuffled
    tracemalloc.start()
    with Bag(path, print, ['/cam/image_raw']) as bag:
        times = [each.received_ns for each in bag.messages()]
        assert times == sorted(times)
        assert len(times) == 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
