"""`s2r bag`: copy a ROS 2 bag and add the depth of its cameras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, ExitStack
from dataclasses import asdict
from functools import partial as with_arguments
import json
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

from ..atomic_files import sole_owner, sync
from ..depth.parameters import Parameters
from ..depth.pipeline import DepthPipeline
from ..engine.conversion import fingerprint
from ..ros.message_types import serialize_message
from ..ros.outputs import (
    GROUND,
    GROUND_OUTPUTS,
    MAPS,
    needs_confidence,
    needs_ground,
    output_messages,
    OUTPUTS,
    SCALE,
)
from ..sources.bags.bag import Bag, BagCamera
from ..sources.bags.files import BagError, BagFiles, encoding_of
from ..sources.bags.paths import is_bag_folder, is_recorded_folder, METADATA, STORAGES
from ..sources.frames import IntrinsicsOverride
from ..weights.info import WeightsError
from . import fleet, ToolError
from .offline import (
    Faults,
    HOW_TO_KNOW_THE_LENS,
    lens_of,
    load_pipeline,
    parameters_of,
    recorded_images,
    remembers,
)
from .options import BagOptions, GROUND_PARAMETERS

_PREFIX = 'depth/'
ADDED_TOPICS = {
    **{
        output: f'sensor_msgs/msg/{kind.__name__}'
        for output, kind in {**OUTPUTS, **GROUND_OUTPUTS}.items()
    },
    SCALE: 'std_msgs/msg/Float32MultiArray',
}
_STORAGES = {'sqlite3': StoragePlugin.SQLITE3, 'mcap': StoragePlugin.MCAP}
_FOREVER = QosTime(9223372036, 854775807)
# The QoS of the node's publishers (qos.reliable).
_QOS = Qos(
    QosHistory.KEEP_LAST,
    5,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _FOREVER,
    _FOREVER,
    QosLiveliness.AUTOMATIC,
    _FOREVER,
    False,
)
_STORE = 'depth.db'
_IN_A_URI = re.compile('[#?%]')  # rosbags puts the path of a database unescaped into a URI
_IDL_BEGINS = '=' * 80 + '\nIDL: '
_UNKNOWN_HASH = 'RIHS01_' + '0' * 64
_BAGS = fleet.Kinds(is_recorded_folder, STORAGES)


def run(arguments: BagOptions) -> int:
    """Write the new bags and return the exit code."""
    if fleet.is_wanted(arguments) or len(arguments.inputs) > 1 or _holds_bags(arguments.inputs[0]):
        make = with_arguments(BagWorker, fleet.settled(arguments))
        return fleet.run('bag', arguments, make, _BAGS)
    out, faults = Path(arguments.out).expanduser(), Faults('bag')
    parameters = _parameters_of(arguments)
    try:
        added = _Copy(arguments, parameters, lens_of(arguments), faults).write(
            Path(arguments.inputs[0]), out, lambda: load_pipeline(parameters)
        )
    except KeyboardInterrupt:
        print(f's2r bag: stopped; {_kept(_partial_of(out))}', file=sys.stderr)
        return 130
    print(f'{out}: {added}')
    if faults.count:
        print(f's2r bag: {faults.count} faults; the rest is in {out}', file=sys.stderr)
    return 1 if faults.count else 0


def _parameters_of(options: BagOptions) -> Parameters:
    """:raises ToolError: if options contradict each other."""
    parameters = parameters_of(options, rectify=not options.rectified)
    of_ground = [name for name in options.outputs if _PREFIX + name in GROUND_OUTPUTS]
    if of_ground and not parameters.camera_height:
        raise ToolError(
            f'--outputs {of_ground[0]} needs --camera-height, the metres of the camera above the '
            'ground'
        )
    if not of_ground:
        for name in GROUND_PARAMETERS:
            if getattr(parameters, name) != getattr(Parameters(), name):
                raise ToolError(
                    f'--{name.replace("_", "-")} has no effect without --outputs obstacles or '
                    'scan: add one, or leave it out'
                )
    return parameters


def _holds_bags(word: str) -> bool:
    """Return whether a folder is not a bag, but contains bags."""
    path = Path(word).expanduser()
    return path.is_dir() and not is_bag_folder(path) and any(fleet.below(path, _BAGS))


class BagWorker(fleet.Worker):
    """
    Adds depth to one bag after the other.

    :param options: the options of the command.
    :raises ToolError: if the options, the weights or the device are unusable.
    """

    def __init__(self, options: BagOptions) -> None:
        self._options = options
        self._lens = lens_of(options)
        self._parameters = _parameters_of(options)
        self._pipeline = load_pipeline(self._parameters)
        self._pipeline.predictor.engine.use_threads()

    def work(self, source: Path, identity: str, out: Path, faults: Faults) -> str:
        """Write the new bag, and return the topics that were added."""
        copy = _Copy(self._options, self._parameters, self._lens, faults, is_task=True)
        return copy.write(source, out, lambda: self._pipeline, identity)


class _Copy:
    """
    Copies bags and adds depth to them.

    :param options: the options of the command.
    :param parameters: the parameters of the node from these options.
    :param lens: the intrinsics from these options.
    :param faults: counts and reports the faults of the bag.
    :param is_task: whether to show no progress bar, and to give the same result after any number
        of interruptions.
    """

    def __init__(
        self,
        options: BagOptions,
        parameters: Parameters,
        lens: IntrinsicsOverride,
        faults: Faults,
        is_task: bool = False,
    ) -> None:
        self._options = options
        self._parameters = parameters
        self._lens = lens
        self._faults = faults
        self._outputs = [_PREFIX + name for name in options.outputs]
        self._is_task = is_task
        self._typestore = get_typestore(Stores.ROS2_JAZZY)
        self._bar = with_arguments(tqdm, disable=is_task)

    def write(
        self, source: Path, out: Path, load: Callable[[], DepthPipeline], identity: str = ''
    ) -> str:
        """
        Write the new bag.

        :param source: the old bag.
        :param out: the new bag.
        :param load: returns the pipeline; called only after the old bag is found to be usable.
        :param identity: the URL of the old bag if ``source`` is a copy, else empty.
        :returns: the topics that were added, as text.
        :raises ToolError: if the old bag cannot be used, or the new one cannot be written.
        """
        self._check_out(source, out)
        partial = _partial_of(out)
        try:
            with ExitStack() as owned:
                added = self._fill(source, out, load, identity, owned)
                sync(out.parent)
                shutil.rmtree(partial)
        except (BagError, WeightsError) as error:
            raise ToolError(str(error)) from error
        except WriterError as error:
            raise ToolError(f'cannot write {partial}: {error}') from error
        except (OSError, sqlite3.Error) as error:
            raise ToolError(
                f'cannot write {partial}: {error}; {_kept(partial, "there")}'
            ) from error
        if not added:
            raise ToolError(
                f'no image of {source} gives {" or ".join(self._options.outputs)}, so {out} is '
                'not written'
            )
        return ', '.join(f'{camera.namespace}/{output}' for camera, output in added)

    def _fill(
        self,
        source: Path,
        out: Path,
        load: Callable[[], DepthPipeline],
        identity: str,
        owned: ExitStack,
    ) -> list[tuple[BagCamera, str]]:
        """
        Write the new bag, and return the added outputs; without any, write no bag.

        :param owned: keeps ``out``'s folder of unfinished work locked until it is closed.
        """
        options, faults, outputs = self._options, self._faults, self._outputs
        partial = _partial_of(out)
        finished = partial / 'new' / out.name
        with Bag(source, faults, options.image) as bag:
            faults.of_bag(bag)
            storage = options.storage or bag.storage
            special = _IN_A_URI.search(str(out.absolute()))
            if special and storage == 'sqlite3':
                raise ToolError(
                    f'{out.absolute()} has a {special[0]}, with which readers of sqlite3 bags do '
                    'not find the file: give another OUT, or --storage mcap'
                )
            _report_foreign(bag, faults)
            _check_topics(bag, outputs)
            pipeline = load()
            if GROUND in outputs and not pipeline.predictor.has_judge:
                raise ToolError(
                    '--outputs ground needs weights with a judge, such as the bundled ones: leave '
                    'it out, or give other --weights'
                )
            partial.mkdir(parents=True, exist_ok=True)
            owned.enter_context(sole_owner(partial))
            if self._is_task and remembers(self._parameters):
                _forget(partial)  # the result must be that of one run
            identity = identity or str(bag.path.resolve())
            with _open_store(
                partial, bag, identity, outputs, self._parameters, self._lens
            ) as store:
                self._compute(bag, store, pipeline)
                added = store.topics(bag, outputs)
                if added:
                    shutil.rmtree(finished, ignore_errors=True)  # left by an interrupted run
                    finished.parent.mkdir(exist_ok=True)
                    written = self._write(bag, store, added, finished, storage)
            faults.of_bag(bag)
        if added:
            sync(*finished.iterdir(), finished)
            _check_written(finished, written, partial)
            if options.force and out.exists():  # deleting it takes time, moving it does not
                old = partial / 'old'
                shutil.rmtree(old, ignore_errors=True)
                out.rename(old)
            finished.rename(out)
        return added

    def _check_out(self, source: Path, out: Path) -> None:
        """:raises ToolError: if ``out`` exists and must not be replaced."""
        if not out.exists():
            return
        if not self._options.force:
            raise ToolError(f'{out} exists: give another name, or --force to write it again')
        real = source.expanduser().resolve()
        if real.exists() and out.resolve() in (real, *real.parents):
            raise ToolError(f'{out} is the bag to be read: give another OUT')
        if not is_bag_folder(out):
            raise ToolError(f'{out} exists and is no bag, which --force keeps: give another OUT')
        others = [path.name for path in out.iterdir() if path.is_dir() or not _is_of_bag(path)]
        if others:
            raise ToolError(
                f'{out} also contains {sorted(others)[0]}, which --force would delete: move '
                'it, or give another OUT'
            )
        if out.name in ('', '..'):
            raise ToolError(f'{out} must name the new folder: give its name from above it')

    def _compute(self, bag: Bag, store: DepthStore, pipeline: DepthPipeline) -> None:
        """Compute and store the depth of all images that the store does not have yet."""
        faults, outputs = self._faults, self._outputs
        done = store.done()
        parameters, with_maps = pipeline.parameters, bool(MAPS & set(outputs))
        with_confidence = needs_confidence(outputs, parameters)
        with_ground = needs_ground(outputs, parameters)
        with self._bar(
            total=bag.image_count, initial=len(done), unit='image', desc='depth'
        ) as bar:
            images = bag.images(done)
            for source, image, state in recorded_images(
                bag, images, parameters, self._lens, faults
            ):
                camera = source.camera
                faults.of_image(camera.image_topic, image.rgb)
                result = pipeline.run(
                    image,
                    state,
                    with_maps=with_maps,
                    with_confidence=with_confidence,
                    with_ground=with_ground,
                )
                if image.camera is None:
                    faults.note(
                        f'the focal length of {camera.image_topic} is not known, its depth is '
                        f'wrong by an unknown factor, without camera_info and points: '
                        f'{HOW_TO_KNOW_THE_LENS}'
                    )
                if result.scale_fault:
                    faults.note(f'{camera.image_topic}: {result.scale_fault}')
                messages = output_messages(result, outputs, parameters)
                store.add(
                    camera.image_topic,
                    source.number,
                    {each: self._serialized(each, message) for each, message in messages.items()},
                )
                bar.update()

    def _serialized(self, output: str, message: Any) -> bytes:
        """Return the bytes of a message, with zeros between fields, where ROS leaves any bytes."""
        kind, store = ADDED_TOPICS[output], self._typestore
        data = serialize_message(message)
        return bytes(store.serialize_cdr(store.deserialize_cdr(data, kind), kind))

    def _write(
        self,
        bag: Bag,
        store: DepthStore,
        topics: Sequence[tuple[BagCamera, str]],
        path: Path,
        storage: str,
    ) -> Counter[str]:
        """
        Write the new bag, with the depth of each image after the image.

        :returns: the number of messages of each topic in the new bag.
        :raises ToolError: if the bag now yields fewer images than during the computation.
        """
        writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=_STORAGES[storage])
        if self._options.compress:
            writer.set_compression(
                CompressionMode.STORAGE if storage == 'mcap' else CompressionMode.FILE,
                CompressionFormat.ZSTD,
            )
        typestore = self._typestore
        written: Counter[str] = Counter()
        unwritten = len(store)
        with writer, self._bar(total=bag.message_count, unit='message', desc='bag') as bar:
            copies = {
                connection.id: writer.add_connection(
                    connection.topic, connection.msgtype, **_description(connection, typestore)
                )
                for connection in bag.connections
            }
            added = {
                (camera, output): writer.add_connection(
                    f'{camera.namespace}/{output}',
                    ADDED_TOPICS[output],
                    typestore=typestore,
                    offered_qos_profiles=[_QOS],
                )
                for camera, output in topics
            }

            def write(connection: Connection, received_ns: int, data: bytes) -> None:
                # MCAP times are unsigned. A negative time is written as rosbag2 writes it.
                writer.write(
                    connection, received_ns % 2**64 if storage == 'mcap' else received_ns, data
                )
                written[connection.topic] += 1

            for message in bag.messages():
                write(copies[message.connection.id], message.received_ns, message.data)
                if message.camera is not None:
                    for output, data in store.outputs_of(
                        message.camera.image_topic, message.number
                    ):
                        write(added[message.camera, output], message.received_ns, data)
                        unwritten -= 1
                bar.update()
        if unwritten:
            raise ToolError(
                '; '.join(
                    [
                        f'{bag.path} yields fewer images now than before',
                        *bag.losses,
                        _kept(path.parent.parent),
                    ]
                )
            )
        return written


class DepthStore:
    """A database of computed outputs; it has all outputs of an image, or none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def done(self) -> set[tuple[str, int]]:
        """Return the topic and number of each image whose depth is stored."""
        return set(self._connection.execute('SELECT DISTINCT topic, number FROM depth'))

    def add(self, topic: str, number: int, computed: dict[str, bytes]) -> None:
        """Store all outputs of an image, or none."""
        with self._connection:
            self._connection.executemany(
                'INSERT INTO depth VALUES (?, ?, ?, ?)',
                [(topic, number, output, data) for output, data in computed.items()],
            )

    def topics(self, bag: Bag, outputs: Sequence[str]) -> list[tuple[BagCamera, str]]:
        """Return the cameras and outputs that have at least one stored message."""
        pairs = set(self._connection.execute('SELECT DISTINCT topic, output FROM depth'))
        return [
            (camera, output)
            for camera in bag.cameras
            for output in outputs
            if (camera.image_topic, output) in pairs
        ]

    def outputs_of(self, topic: str, number: int) -> list[tuple[str, bytes]]:
        """Return the outputs of an image with their bytes."""
        return self._connection.execute(
            'SELECT output, data FROM depth WHERE topic = ? AND number = ?', (topic, number)
        ).fetchall()

    def __len__(self) -> int:
        """Return the total number of outputs."""
        return self._connection.execute('SELECT count(*) FROM depth').fetchone()[0]


@contextmanager
def _open_store(
    partial: Path,
    bag: Bag,
    identity: str,
    outputs: Sequence[str],
    parameters: Parameters,
    lens: IntrinsicsOverride,
) -> Iterator[DepthStore]:
    """:raises ToolError: if the store belongs to another bag, other options or weights."""
    settings = json.dumps(
        {
            'bag': identity,
            'messages': bag.message_count,
            'images': [camera.image_topic for camera in bag.cameras],
            'outputs': outputs,
            'parameters': asdict(parameters),
            'weights': fingerprint(parameters.weights or None),
            'lens': repr(lens),
        }
    )
    if partial.is_dir() and any(partial.iterdir()) and not (partial / _STORE).is_file():
        raise ToolError(f'{partial} exists, but not from `s2r bag`: give another OUT')
    partial.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect((partial / _STORE).absolute())) as connection:
        connection.execute('PRAGMA synchronous = FULL')  # finished images survive a power cut
        connection.execute('CREATE TABLE IF NOT EXISTS begun (settings TEXT)')
        connection.execute(
            'CREATE TABLE IF NOT EXISTS depth (topic TEXT, number INTEGER, output TEXT, '
            'data BLOB, PRIMARY KEY (topic, number, output))'
        )
        begun = connection.execute('SELECT settings FROM begun').fetchone()
        store = DepthStore(connection)
        if begun is None or not len(store):
            with connection:
                connection.execute('DELETE FROM begun')
                connection.execute('INSERT INTO begun VALUES (?)', (settings,))
        elif begun[0] != settings:
            raise ToolError(
                f'{partial} is of another bag, or of other options or weights: use the same '
                'ones, or delete it'
            )
        yield store


def _forget(partial: Path) -> None:
    """Delete all unfinished work; the store, which identifies it, is deleted last."""
    store = partial / _STORE
    if store.is_file():
        for left in set(partial.iterdir()) - {store}:  # including its journal
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        store.unlink()


def _is_of_bag(file: Path) -> bool:
    """Return whether a file in the folder of a bag is part of the bag, or hidden."""
    name = file.name
    return name == METADATA or name.startswith('.') or any(each in name for each in STORAGES)


def _partial_of(out: Path) -> Path:
    """Return the folder of the unfinished work."""
    return out.with_name(f'{out.name}.partial')


def _check_written(path: Path, written: Counter[str], partial: Path) -> None:
    """:raises ToolError: if the new bag does not contain all written messages."""
    try:
        with BagFiles(path, partial) as new:
            found = Counter(connection.topic for connection, _, _ in new.messages(new.connections))
            losses = new.losses
    except BagError as error:
        found, losses = Counter(), [str(error)]
    if found != written or losses:
        raise ToolError(
            '; '.join(
                [
                    f'of {written.total()} messages written to {path}, {found.total()} can be '
                    'read',
                    *losses,
                    _kept(partial),
                ]
            )
        )


def _kept(partial: Path, place: str = '') -> str:
    """
    Describe the outputs that an interrupted run leaves, and whether a new run can use them.

    :param partial: the folder of the unfinished work.
    :param place: the name of the folder in the text; by default "in" and its path.
    """
    try:
        with closing(
            sqlite3.connect((partial / _STORE).absolute().as_uri() + '?mode=ro', uri=True)
        ) as connection:
            if len(DepthStore(connection)):
                kept = place or f'in {partial}'
                return f'the results are kept {kept}; the same command continues'
    except sqlite3.OperationalError:  # the store does not exist
        pass
    except sqlite3.DatabaseError as error:
        return f'{partial / _STORE} is damaged, {error}: delete {partial}'
    return 'no depth was computed yet'


def _description(connection: Connection, typestore: Any) -> dict[str, Any]:
    """Return the writer's arguments for a topic; an unknown type gets a placeholder hash."""
    ext = cast(ConnectionExtRosbag2, connection.ext)
    description: dict[str, Any] = {
        'serialization_format': ext.serialization_format,
        'offered_qos_profiles': ext.offered_qos_profiles,
    }
    is_known = connection.msgtype in typestore.fielddefs
    if connection.msgdef.format == MessageDefinitionFormat.NONE and is_known:
        return {**description, 'typestore': typestore}
    definition = connection.msgdef.data
    if connection.msgdef.format == MessageDefinitionFormat.IDL:
        if not definition.startswith(_IDL_BEGINS):  # rosbags recognises IDL by this line
            definition = f'{_IDL_BEGINS}{connection.msgtype}\n{definition}'
    return {
        **description,
        'msgdef': definition,
        'rihs01': connection.digest
        or (typestore.hash_rihs01(connection.msgtype) if is_known else _UNKNOWN_HASH),
    }


def _report_foreign(bag: Bag, faults: Faults) -> None:
    """Report the topics that the new bag does not include."""
    for topic in bag.foreign:
        text = (
            f'{topic.topic} ({topic.msgtype or "no type"}, {topic.msgcount} messages) is in '
            f'{encoding_of(topic) or "no encoding"}, and a ROS 2 bag needs cdr: not copied'
        )
        if topic.msgcount:
            faults.lost(text)
        else:
            faults.note(text)


def _check_topics(bag: Bag, outputs: Sequence[str]) -> None:
    """:raises ToolError: if the bag already has one of the depth topics."""
    existing = {connection.topic for connection in bag.connections}
    for camera in bag.cameras:
        for output in outputs:
            if f'{camera.namespace}/{output}' in existing:
                raise ToolError(
                    f'{bag.path} already has {camera.namespace}/{output}: leave it out of '
                    '--outputs, or leave the camera out of --image'
                )
