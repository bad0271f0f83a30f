"""
Copy a ROS 2 bag and add the depth of its cameras, as if the node had run; needs no ROS.

All topics of IN are copied as they are. For each camera <namespace>/image_... the topics
<namespace>/depth/... come in addition, with the stamps and the times of recording of its images:
one for every image, none is dropped. IN is sqlite3 or MCAP, compressed or not, with raw or
compressed images, whole or as a killed recorder left it; OUT must not exist. Messages that IN
promises and does not hold are counted, and the exit code then is 1.

Images are undistorted with <namespace>/camera_info, unless their topic is called rect. Without
camera_info, and without --calibration, --focal-px or --hfov-deg, the depth is right up to a factor
and there is no depth/camera_info and no depth/points.

Until it is finished, the work lies in OUT.partial, image by image. After an interruption, a power
cut too, the same command goes on from there.

Examples:
  s2r bag my_bag my_bag_depth
  s2r bag my_bag my_bag_depth --storage mcap --compress --point-stride 4
  s2r bag my_bag my_bag_depth --image /front/image_raw --outputs image camera_info image_color
  s2r bag my_bag my_bag_depth --hfov-deg 80
"""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
import json
import os
from pathlib import Path
import re
import shutil
import sqlite3
import sys
from typing import Any, cast

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinitionFormat,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError
from rosbags.typesys import get_typestore, Stores
from tqdm import tqdm

from ..bag_files import BagError, BagFiles, encoding_of
from ..bags import Bag, BagCamera
from ..frames import Lens
from ..message_types import serialize_message
from ..outputs import ATTENTION, DEPTH, INFO, OUTPUTS, POINTS, SCALE, STRUCTURE
from ..parameters import Parameters
from ..pipeline import output_messages
from . import ToolError
from .offline import (
    add_lens,
    add_parameters,
    DEPTH_PARAMETERS,
    Faults,
    HOW_TO_KNOW_THE_LENS,
    lens_of,
    NETWORK_PARAMETERS,
    OfflineDepth,
    parameters_of,
    recorded_views,
)

_PREFIX = 'depth/'
_TYPES = {
    **{output: f'sensor_msgs/msg/{kind.__name__}' for output, kind in OUTPUTS.items()},
    SCALE: 'std_msgs/msg/Float32MultiArray'}
_STORAGES = {'sqlite3': StoragePlugin.SQLITE3, 'mcap': StoragePlugin.MCAP}
_FOREVER = QosTime(9223372036, 854775807)
# Of the node's publishers (qos.reliable).
_QOS = Qos(
    QosHistory.KEEP_LAST, 5, QosReliability.RELIABLE, QosDurability.VOLATILE, _FOREVER, _FOREVER,
    QosLiveliness.AUTOMATIC, _FOREVER, False)
_STORE = 'depth.db'
_IN_A_URI = re.compile('[#?%]')  # rosbags puts the path of a database into a URI as it is
_UNKNOWN_HASH = 'RIHS01_' + '0' * 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument('bag', type=Path, metavar='IN', help='folder of a bag, or a file of it')
    parser.add_argument('out', type=Path, metavar='OUT', help='folder of the new bag')
    parser.add_argument(
        '--image', nargs='+', default=[], metavar='TOPIC',
        help='topics of the images (default: all cameras)')
    names = [output.removeprefix(_PREFIX) for output in _TYPES]
    parser.add_argument(
        '--outputs', nargs='+', choices=names, metavar='OUTPUT',
        default=[output.removeprefix(_PREFIX) for output in (DEPTH, INFO, POINTS)],
        help=f'which of the depth topics: {", ".join(names)} (default: image camera_info points)')
    parser.add_argument(
        '--storage', choices=_STORAGES, help='of the new bag (default: as in the old one)')
    parser.add_argument(
        '--compress', action='store_true',
        help='compress the new bag with zstd: the chunks of MCAP, the file of sqlite3')
    add_lens(parser).add_argument(
        '--rectified', action='store_true',
        help='the images are undistorted already, whatever their topic is called')
    add_parameters(parser, (*NETWORK_PARAMETERS, *DEPTH_PARAMETERS, 'depth_encoding'))


def run(arguments: argparse.Namespace) -> int:
    """Write the new bag and return the exit code."""
    out: Path = arguments.out
    parameters = parameters_of(arguments, rectify=not arguments.rectified)
    lens = lens_of(arguments)
    outputs = [_PREFIX + name for name in arguments.outputs]
    if out.exists():
        raise ToolError(f'{out} exists: give another name')
    faults = Faults('bag')
    partial = out.with_name(f'{out.name}.partial')
    finished = partial / 'new' / out.name
    try:
        with Bag(arguments.bag, faults, arguments.image) as bag:
            faults.of_bag(bag)
            storage = arguments.storage or bag.storage
            special = _IN_A_URI.search(str(out.absolute()))
            if special and storage == 'sqlite3':
                raise ToolError(
                    f'{out.absolute()} has a {special[0]}, with which readers of sqlite3 bags do '
                    'not find the file: give another OUT, or --storage mcap')
            _tell_of_foreign(bag, faults)
            _check_topics(bag, outputs)
            network = OfflineDepth(parameters)
            with _open_store(partial, bag, outputs, parameters, lens) as store:
                _compute(bag, store, network, outputs, parameters, lens, faults)
                added = store.topics(bag, outputs)
                if added:
                    shutil.rmtree(finished, ignore_errors=True)  # of an interrupted run
                    finished.parent.mkdir(exist_ok=True)
                    written = _write(bag, store, added, finished, storage, arguments.compress)
            faults.of_bag(bag)
        if not added:
            shutil.rmtree(partial)
            raise ToolError(
                f'no image of {bag.path} gives {" or ".join(arguments.outputs)}, so {out} is not '
                'made')
        _sync(*finished.iterdir(), finished)
        _check_written(finished, written, partial)
        finished.rename(out)
        _sync(out.parent)
        shutil.rmtree(partial)
    except BagError as error:
        raise ToolError(str(error)) from error
    except WriterError as error:
        raise ToolError(f'cannot write {partial}: {error}') from error
    except (OSError, sqlite3.Error) as error:
        raise ToolError(f'cannot write {partial}: {error}; {_kept(partial, "there")}') from error
    except KeyboardInterrupt:
        print(f's2r bag: stopped; {_kept(partial)}', file=sys.stderr)
        return 130
    print(f'{out}: ' + ', '.join(f'{camera.namespace}/{output}' for camera, output in added))
    if faults.count:
        print(f's2r bag: {faults.count} faults; the rest is in {out}', file=sys.stderr)
    return 1 if faults.count else 0


class DepthStore:
    """What was computed so far, in a database: all outputs of an image are there, or none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def done(self) -> set[tuple[str, int]]:
        """Return the image topic and number of every image whose depth is here."""
        return set(self._connection.execute('SELECT DISTINCT topic, number FROM depth'))

    def add(self, topic: str, number: int, computed: dict[str, bytes]) -> None:
        """Keep all outputs of an image, or none."""
        with self._connection:
            self._connection.executemany(
                'INSERT INTO depth VALUES (?, ?, ?, ?)',
                [(topic, number, output, data) for output, data in computed.items()])

    def topics(self, bag: Bag, outputs: Sequence[str]) -> list[tuple[BagCamera, str]]:
        """Return the cameras and outputs of which there is any message here."""
        found = set(self._connection.execute('SELECT DISTINCT topic, output FROM depth'))
        return [(camera, output) for camera in bag.cameras for output in outputs
                if (camera.image_topic, output) in found]

    def outputs_of(self, topic: str, number: int) -> list[tuple[str, bytes]]:
        """Return the outputs of an image with their bytes."""
        return self._connection.execute(
            'SELECT output, data FROM depth WHERE topic = ? AND number = ?',
            (topic, number)).fetchall()

    def __len__(self) -> int:
        """Return how many outputs there are in all."""
        return self._connection.execute('SELECT count(*) FROM depth').fetchone()[0]


@contextmanager
def _open_store(
    partial: Path, bag: Bag, outputs: Sequence[str], parameters: Parameters, lens: Lens,
) -> Iterator[DepthStore]:
    """:raises ToolError: if it was begun for another bag or with other options."""
    settings = json.dumps({
        'bag': str(bag.path.resolve()), 'messages': bag.message_count,
        'images': [camera.image_topic for camera in bag.cameras], 'outputs': outputs,
        'parameters': asdict(parameters), 'lens': repr(lens)})
    if partial.is_dir() and any(partial.iterdir()) and not (partial / _STORE).is_file():
        raise ToolError(f'{partial} exists and is none of `s2r bag`: give another OUT')
    partial.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(partial / _STORE)) as connection:
        connection.execute('PRAGMA synchronous = FULL')  # what is done outlives a power cut
        connection.execute('CREATE TABLE IF NOT EXISTS begun (settings TEXT)')
        connection.execute(
            'CREATE TABLE IF NOT EXISTS depth (topic TEXT, number INTEGER, output TEXT, '
            'data BLOB, PRIMARY KEY (topic, number, output))')
        begun = connection.execute('SELECT settings FROM begun').fetchone()
        store = DepthStore(connection)
        if begun is None or not len(store):
            with connection:
                connection.execute('DELETE FROM begun')
                connection.execute('INSERT INTO begun VALUES (?)', (settings,))
        elif begun[0] != settings:
            raise ToolError(
                f'{partial} was begun for another bag or with other options: repeat those, or '
                'delete it')
        yield store


def _compute(
    bag: Bag, store: DepthStore, network: OfflineDepth, outputs: Sequence[str],
    parameters: Parameters, lens: Lens, faults: Faults,
) -> None:
    """Put the depth of all images that are not there yet into the store."""
    done = store.done()
    with_maps = bool({STRUCTURE, ATTENTION} & set(outputs))
    with tqdm(total=bag.image_count, initial=len(done), unit='image', desc='depth') as bar:
        images = bag.images(done)
        for recorded, view in recorded_views(bag, images, parameters, lens, faults):
            camera = recorded.camera
            finished, maps = network.finish(camera.namespace, view, with_maps)
            if view.model is None:
                faults.note(
                    f'the focal length of {camera.image_topic} is not known, its depth is '
                    f'right up to a factor, without camera_info and points: '
                    f'{HOW_TO_KNOW_THE_LENS}')
            if finished.scale_fault:
                faults.note(f'{camera.image_topic}: {finished.scale_fault}')
            made = output_messages(view, finished, maps, outputs, parameters)
            store.add(camera.image_topic, recorded.number, {
                output: serialize_message(message) for output, message in made.items()})
            bar.update()


def _write(
    bag: Bag, store: DepthStore, topics: Sequence[tuple[BagCamera, str]], path: Path,
    storage: str, is_compressed: bool,
) -> Counter[str]:
    """
    Write the bag anew, with the depth of each image after it.

    :returns: how many messages each topic has now.
    :raises ToolError: if less can be read of the bag than when the depth was computed.
    """
    writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=_STORAGES[storage])
    if is_compressed:
        writer.set_compression(
            CompressionMode.STORAGE if storage == 'mcap' else CompressionMode.FILE,
            CompressionFormat.ZSTD)
    typestore = get_typestore(Stores.ROS2_JAZZY)
    written: Counter[str] = Counter()
    unwritten = len(store)
    with writer, tqdm(total=bag.message_count, unit='message', desc='bag') as bar:
        copies = {
            connection.id: writer.add_connection(
                connection.topic, connection.msgtype, **_description(connection, typestore))
            for connection in bag.connections}
        added = {
            (camera, output): writer.add_connection(
                f'{camera.namespace}/{output}', _TYPES[output], typestore=typestore,
                offered_qos_profiles=[_QOS])
            for camera, output in topics}

        def write(connection: Connection, received_ns: int, data: bytes) -> None:
            # MCAP has no times before 0: as rosbag2 writes them.
            writer.write(
                connection, received_ns % 2**64 if storage == 'mcap' else received_ns, data)
            written[connection.topic] += 1

        for message in bag.messages():
            write(copies[message.connection.id], message.received_ns, message.data)
            if message.camera is not None:
                for output, data in store.outputs_of(message.camera.image_topic, message.number):
                    write(added[message.camera, output], message.received_ns, data)
                    unwritten -= 1
            bar.update()
    if unwritten:
        raise ToolError('; '.join([
            f'{bag.path} could be read further before than now', *bag.losses,
            _kept(path.parent.parent)]))
    return written


def _check_written(path: Path, written: Counter[str], partial: Path) -> None:
    """:raises ToolError: if the new bag does not hold what was written."""
    try:
        with BagFiles(path, partial) as new:
            held = Counter(connection.topic for connection, _, _ in new.messages(new.connections))
            losses = new.losses
    except BagError as error:
        held, losses = Counter(), [str(error)]
    if held != written or losses:
        raise ToolError('; '.join([
            f'of {written.total()} messages written to {path}, {held.total()} can be read',
            *losses, _kept(partial)]))


def _kept(partial: Path, place: str = '') -> str:
    """
    Say what an interruption leaves, and whether it is of use.

    :param partial: the folder of the work.
    :param place: what to call it; by default "in" and its path.
    """
    try:
        with closing(sqlite3.connect(
                (partial / _STORE).absolute().as_uri() + '?mode=ro', uri=True)) as connection:
            if len(DepthStore(connection)):
                return f'what is done is kept {place or f"in {partial}"}, the same command goes on'
    except sqlite3.OperationalError:  # it is not there
        pass
    except sqlite3.DatabaseError as error:
        return f'{partial / _STORE} is damaged, {error}: delete {partial}'
    return 'no depth was computed yet'


def _sync(*paths: Path) -> None:
    """Wait until files and the names in folders are on the disk, not only on their way to it."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError:
            if not path.is_dir():  # for folders some network file systems cannot
                raise
        finally:
            os.close(handle)


def _description(connection: Connection, typestore: Any) -> dict[str, Any]:
    """Return what the writer wants to know of a topic; of an unknown type that is little."""
    ext = cast(ConnectionExtRosbag2, connection.ext)
    description: dict[str, Any] = {
        'serialization_format': ext.serialization_format,
        'offered_qos_profiles': ext.offered_qos_profiles}
    is_known = connection.msgtype in typestore.fielddefs
    if connection.msgdef.format == MessageDefinitionFormat.NONE and is_known:
        return {**description, 'typestore': typestore}
    return {**description, 'msgdef': connection.msgdef.data, 'rihs01': connection.digest or (
        typestore.hash_rihs01(connection.msgtype) if is_known else _UNKNOWN_HASH)}


def _tell_of_foreign(bag: Bag, faults: Faults) -> None:
    """Say which topics stay behind."""
    for topic in bag.foreign:
        text = (f'{topic.topic} ({topic.msgtype or "no type"}, {topic.msgcount} messages) is in '
                f'{encoding_of(topic) or "no encoding"}, and a ROS 2 bag holds cdr: not copied')
        if topic.msgcount:
            faults.lost(text)
        else:
            faults.note(text)


def _check_topics(bag: Bag, outputs: Sequence[str]) -> None:
    """:raises ToolError: if the bag has one of the depth topics already."""
    there = {connection.topic for connection in bag.connections}
    for camera in bag.cameras:
        for output in outputs:
            if f'{camera.namespace}/{output}' in there:
                raise ToolError(
                    f'{bag.path} has {camera.namespace}/{output} already: leave it out of '
                    '--outputs, or the camera out of --image')
