"""The files of a ROS 2 bag as one: stated, readable and lost messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePath
import re
from shlex import quote
import sqlite3
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast, NamedTuple

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.typesys import get_types_from_idl, get_types_from_msg
import yaml
from zstandard import ZstdDecompressor, ZstdError

from . import mcap as bag_mcap
from . import sqlite as bag_sqlite
from .order import in_order, qos_of, StorageFile, topic_of_file
from .paths import (
    files_in,
    is_bag_folder,
    MCAP_MAGIC,
    METADATA,
    METADATA_ROOT,
    ROS1_MAGIC,
    ROS1_SUFFIX,
    SQLITE_MAGIC,
    storage_suffix,
    STORAGES,
    without_packed,
    ZSTD_MAGIC,
)

_BLOCK_BYTES = 2**20
_CDR = 'cdr'
# Of the first record: where the index begins; 0 until the recorder ends.
_ROS1_NO_INDEX, _ROS1_HEADER_BYTES = b'index_pos=' + bytes(8), 4096
_NUMBERED = re.compile(r'(?P<begin>.*_)(?P<number>0|[1-9]\d{0,4})(?P<end>\..*)')
_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, '')


class BagError(ValueError):
    """A bag that cannot be used; the text names the bag and the reason."""


class _Metadata(NamedTuple):
    """The content of ``metadata.yaml``: names of files, and entry and count of each topic."""

    files: list[str]
    topics: list[tuple[dict[str, Any], int]]
    compression: str


class BagFiles:
    """
    The messages of a complete or damaged bag of any recorder; a context manager.

    The stated message counts of ``metadata.yaml``, statistics and tables are compared with the
    readable messages. Files that are compressed or have a journal are copied first.

    :param path: folder of a bag, or one of its files; its ``metadata.yaml`` stands for the folder.
    :param scratch: folder for copies; None means the temporary folder of the system.
    :raises BagError: if nothing in it can be read.
    """

    def __init__(self, path: Path, scratch: Path | None = None) -> None:
        self.path = path.parent if path.name == METADATA else path
        self._stack = ExitStack()
        self._scratch = scratch
        self._losses: dict[str, None] = {}
        self._missing: dict[str, tuple[int, int]] = {}
        self.notes: list[str] = []
        """One sentence for each peculiarity that loses no message."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> BagFiles:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Delete the copies."""
        self._stack.close()

    @property
    def losses(self) -> list[str]:
        """A sentence for each loss that is known so far."""
        reasons = [*self._losses, *(loss for file in self._files for loss in file.losses)]
        losses = [f'{self.path}: {reason}' for reason in reasons]
        if self._missing:
            short = ', '.join(
                f'{promised - read} of {promised} messages on {topic}'
                for topic, (promised, read) in self._missing.items()
            )
            losses.append(
                f'{self.path} lacks {short}: '
                + ('; '.join(reasons) or f'{self._promiser} promises more than the bag holds')
            )
        return losses

    def messages(
        self, connections: Sequence[Connection]
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """
        Read messages in the order of time, and count them at the end.

        :param connections: the elements of ``connections`` to read.
        :returns: connection, time of recording in nanoseconds, and bytes of each.
        """
        numbers = {connection.id for connection in connections}
        read: Counter[int] = Counter()

        def of_file(index: int) -> Iterator[tuple[int, int, bytes]]:
            merged = {
                channel: number
                for channel, number in self._merged[index].items()
                if number in numbers
            }
            try:
                for time_ns, channel, data in self._files[index].messages(merged.keys()):
                    yield time_ns, merged[channel], data
            except (OSError, sqlite3.Error) as error:
                self._losses[f'it cannot be read further, {error}'] = None

        by_number = {connection.id: connection for connection in connections}
        for time_ns, number, data in in_order(
            [(file.start_ns, partial(of_file, index)) for index, file in enumerate(self._files)]
        ):
            if data[:4] == ZSTD_MAGIC:  # which CDR never begins with
                frame = ZstdDecompressor().decompressobj()
                try:
                    data = frame.decompress(data)
                except ZstdError as error:
                    self._losses[f'messages that cannot be decompressed: {error}'] = None
                    continue
                if not frame.eof:
                    self._losses['messages whose compressed end is missing'] = None
                    continue
            read[number] += 1
            yield by_number[number], time_ns, data
        for connection in connections:
            if read[connection.id] < connection.msgcount:
                self._missing[connection.topic] = (connection.msgcount, read[connection.id])

    def _open(self) -> None:
        metadata = None
        if not self.path.exists():
            raise self._refused('there is no such file or folder')
        try:
            if self.path.is_dir():
                metadata = self._metadata()
                files = self._files_of_folder(metadata)
            else:
                files = [self.path]
            opened = [
                (file, part) for file in files if (part := self._opened(file, len(files) == 1))
            ]
        except OSError as error:
            raise self._refused(str(error)) from error
        begun: dict[int, Path] = {}
        for file, part in opened if metadata is None else ():
            other = begun.setdefault(part.start_ns, file)
            if part.start_ns and other != file:  # a copy, or what a tool made of a damaged file
                raise self._refused(
                    f'{other.name} and {file.name} begin at the same time: give one of them'
                )
        self._files: list[StorageFile] = [part for _, part in opened]
        if not self._files:
            raise self._refused('; '.join(self._losses) or 'it has no files')
        self.storage = 'mcap' if isinstance(self._files[0], bag_mcap.McapFile) else 'sqlite3'
        """``sqlite3`` or ``mcap``."""
        self._merge(metadata)

    def _refused(self, reason: str) -> BagError:
        return BagError(f'{self.path} is no ROS 2 bag that can be read: {reason}')

    def _metadata(self) -> _Metadata | None:
        path = self.path / METADATA
        if not path.is_file():
            return None
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8', errors='replace'))
            about = content[METADATA_ROOT]
            mode = str(about.get('compression_mode') or 'none').lower()
            metadata = _Metadata(
                [
                    *dict.fromkeys(
                        PurePath(str(each)).name for each in about['relative_file_paths']
                    )
                ],
                [
                    (
                        {'name': topic['topic_metadata']['name'], **topic['topic_metadata']},
                        int(topic['message_count']),
                    )
                    for topic in about['topics_with_message_count']
                ],
                '' if mode == 'none' else str(about.get('compression_format')).lower(),
            )
        except (
            *(yaml.YAMLError, RecursionError),
            *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
        ) as error:
            reason = (
                'its YAML is broken'
                if isinstance(error, (yaml.YAMLError, RecursionError))
                else (f'{METADATA_ROOT} is not as expected, {error}')
            )
            self.notes.append(
                f'{path} cannot be used, {reason}: the files of the folder are read without it'
            )
            return None
        if metadata.compression not in ('', 'zstd'):
            raise self._refused(
                f'it is compressed with {metadata.compression}, expected zstd: convert it with '
                '`ros2 bag convert`'
            )
        return metadata

    def _files_of_folder(self, metadata: _Metadata | None) -> list[Path]:
        """
        Return the files to read, in the order of their messages.

        :raises BagError: if there is none, or if they have different storage formats.
        """
        files = sorted(
            (file for file in files_in(self.path) if storage_suffix(file) in STORAGES),
            key=_natural,
        )
        if metadata is not None:
            listed = [self.path / name for name in metadata.files]
            if all(file.is_file() for file in listed):
                unlisted = [file for file in files if file not in listed]
                if unlisted:
                    self.notes.append(
                        f'{self.path / METADATA} does not list {_names(unlisted)}: not read'
                    )
                return listed
            files = self._present(listed, files)
        files = self._without_packed_copies(files)
        if metadata is None and (gap := _gap(files)):
            self._losses[f'of its numbered files {gap} is not there'] = None
        if len({STORAGES[storage_suffix(file)] for file in files}) > 1:
            raise self._refused(
                f'it has files of both sqlite3 and MCAP, {_names(files)}: give one of them'
            )
        if not files:
            return self._of_ros1()
        if metadata is None and not self.notes:
            self.notes.append(f'{self.path} has no {METADATA}: {_names(files)} is read as it is')
        return files

    def _present(self, listed: list[Path], files: list[Path]) -> list[Path]:
        """Return the existing files; report those that only the metadata lists."""
        absent = [file for file in listed if not file.is_file()]
        unlisted = [file for file in files if file not in listed]
        text = f'{METADATA} lists {_names(absent)}, not there'
        if unlisted:  # renamed, perhaps: the count tells whether these are its messages
            self.notes.append(f'{self.path}: {text}; {_names(unlisted)} is read instead')
        else:
            self._losses[text] = None
        return sorted({*listed, *unlisted} - {*absent}, key=_natural)

    def _without_packed_copies(self, files: list[Path]) -> list[Path]:
        """Return the files without compressed ones that also exist uncompressed."""
        # A recorder that is killed while it compresses leaves a file in both forms.
        twice = [
            file
            for file in files
            if without_packed(file) != file and without_packed(file) in files
        ]
        if twice:
            self.notes.append(
                f'{self.path} has {_names(twice)} uncompressed, too: only that is read'
            )
        return [file for file in files if file not in twice]

    def _of_ros1(self) -> list[Path]:
        """
        Return a bag of ROS 1 in the folder, whose own error says how to convert it.

        :raises BagError: if there is none.
        """
        ros1 = sorted(file for file in files_in(self.path) if ROS1_SUFFIX in file.suffixes)
        if ros1:
            return ros1[:1]
        if self._losses:
            raise self._refused('; '.join(self._losses))
        bags = [
            folder.name
            for folder in sorted(self.path.iterdir())
            if folder.is_dir() and is_bag_folder(folder)
        ]
        if bags:
            raise self._refused(f'its folders {", ".join(bags)} are bags: give one of them')
        raise self._refused('it has no .db3 and no .mcap')

    def _opened(self, file: Path, is_only: bool) -> StorageFile | None:
        """Return one file, opened; None if it is unreadable and not the only one."""
        try:
            path = self._unpacked(file)
            with path.open('rb') as opened:
                begin = opened.read(16)
            if begin.startswith(MCAP_MAGIC):
                return bag_mcap.McapFile(path)
            if begin.startswith(SQLITE_MAGIC) or bag_sqlite.has_journal(path):
                return bag_sqlite.SqliteFile(path, self._folder())
            if begin.startswith(ROS1_MAGIC):
                raise self._refused(_how_to_convert(file, path))
            raise ValueError(
                'it is empty' if not begin else 'it begins neither as MCAP nor as SQLite'
            )
        except (sqlite3.Error, ValueError) as error:
            if isinstance(error, BagError):
                raise
            if is_only:
                raise self._refused('; '.join([str(error), *self._losses])) from error
            self._losses[f'{file.name} cannot be read, {error}'] = None
            return None

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(TemporaryDirectory(dir=self._scratch)))

    def _unpacked(self, file: Path) -> Path:
        """Return the file, or if it is compressed a copy that is not."""
        with file.open('rb') as source:
            if source.read(4) != ZSTD_MAGIC:
                return file
            source.seek(0)
            copy = self._folder() / re.sub(r'[^\w.-]', '_', without_packed(file).name)
            with copy.open('wb') as target:
                try:
                    is_whole = _decompress(source, target)
                except ZstdError as error:
                    is_whole = False
                    self._losses[f'{file.name} is damaged, {error}'] = None
                if not is_whole:
                    self._losses[f'{file.name} is not whole, its compressed end is missing'] = None
        return copy

    def _merge(self, metadata: _Metadata | None) -> None:
        """Merge the connections of a topic and type; add their stated message counts."""
        entries = metadata.topics if metadata else []
        self._promiser = METADATA if metadata else 'its file'
        types_by_topic = {entry.get('name'): entry.get('type', '') for entry, _ in entries}
        merged: dict[tuple[str, str, str], list[Connection]] = {}
        keys: list[dict[int, tuple[str, str, str]]] = []
        for file in self._files:
            keys.append({})
            for connection in file.connections:
                kind = connection.msgtype or types_by_topic.get(connection.topic, '')
                key = (connection.topic, kind, encoding_of(connection))
                keys[-1][connection.id] = key
                merged.setdefault(key, []).append(connection)
        numbers = {key: number for number, key in enumerate(merged, 1)}
        self._merged = [
            {channel: numbers[key] for channel, key in of_file.items()} for of_file in keys
        ]
        connections = [
            self._merged_connection(numbers[key], key, parts, entries)
            for key, parts in merged.items()
        ]
        topics = {connection.topic for connection in connections}
        connections += [
            topic_of_file(
                len(connections) + number,
                entry['name'],
                entry.get('type', ''),
                entry.get('serialization_format', _CDR),
                _NO_DEFINITION,
                entry.get('type_description_hash') or '',
                count,
                entry.get('offered_qos_profiles'),
            )
            for number, (entry, count) in enumerate(entries, 1)
            if entry['name'] not in topics
        ]
        self.connections = [
            connection
            for connection in connections
            if encoding_of(connection) == _CDR and connection.msgtype
        ]
        """The topics with their types, and their announced message counts."""
        self.foreign = [
            connection for connection in connections if connection not in self.connections
        ]
        """Topics of other encodings than CDR, or without a type."""
        for topic in sorted(topics):
            types = [
                connection.msgtype for connection in self.connections if connection.topic == topic
            ]
            if len(types) > 1:
                self.notes.append(
                    f'{topic} of {self.path} has several types, {", ".join(types)}: each message '
                    'is read as its own'
                )

    def _merged_connection(
        self,
        number: int,
        key: tuple[str, str, str],
        parts: list[Connection],
        entries: list[tuple[dict[str, Any], int]],
    ) -> Connection:
        topic, kind, encoding = key
        definitions = list(
            dict.fromkeys(
                part.msgdef for part in parts if part.msgdef.format != MessageDefinitionFormat.NONE
            )
        ) or [_NO_DEFINITION]
        if any(
            _fields(kind, definition) != _fields(kind, definitions[0])
            for definition in definitions
        ):
            self._losses[
                f'{topic} has {kind} with different definitions, of which the first counts'
            ] = None
        qos = [profile for part in parts for profile in _ext(part).offered_qos_profiles]
        of_topic = [entry for entry in entries if entry[0].get('name') == topic]
        if len(of_topic) > 1:
            of_topic = [entry for entry in of_topic if entry[0].get('type') == kind]
        digest = next((part.digest for part in parts if part.digest), '')
        count = sum(part.msgcount for part in parts)
        if of_topic:
            entry = of_topic[0][0]
            # People edit those of metadata.yaml, so that a topic is played in another way.
            qos = qos_of(entry.get('offered_qos_profiles')) or qos
            digest = entry.get('type_description_hash') or digest
            count = max(count, sum(promised for _, promised in of_topic))
        return Connection(
            number,
            topic,
            kind,
            definitions[0],
            digest,
            count,
            ConnectionExtRosbag2(
                encoding,
                [profile for index, profile in enumerate(qos) if profile not in qos[:index]],
            ),
            None,
        )


def encoding_of(connection: Connection) -> str:
    """Return how the messages of a topic are serialized, such as ``cdr``."""
    return _ext(connection).serialization_format


def _ext(connection: Connection) -> ConnectionExtRosbag2:
    return cast(ConnectionExtRosbag2, connection.ext)


def _fields(kind: str, definition: MessageDefinition) -> Any:
    """Return the fields of a definition, since comments may differ; its text if it has no form."""
    parse = (
        get_types_from_msg
        if definition.format == MessageDefinitionFormat.MSG
        else lambda text, _: get_types_from_idl(text)
    )
    try:
        return parse(definition.data, kind)
    except Exception:  # whatever a text that is no definition does to the library
        return definition.data


def _natural(file: Path) -> list[tuple[int, str]]:
    return [
        (int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', file.name)
    ]


def _gap(files: Sequence[Path]) -> str:
    """Return the names that are missing between ``a_1.mcap`` and ``a_3.mcap``."""
    parts = [_NUMBERED.fullmatch(without_packed(file).name) for file in files]
    kinds = {part.group('begin', 'end') for part in parts if part}
    if len(kinds) != 1 or None in parts:  # not the files of one recorder
        return ''
    ((begin, end),) = kinds
    numbers = {int(part['number']) for part in parts if part}
    missing = sorted({*range(min(numbers), max(numbers))} - numbers)
    if len(missing) >= len(numbers):  # times rather than numbers
        return ''
    return ', '.join(f'{begin}{number}{end}' for number in missing)


def _how_to_convert(file: Path, unpacked: Path) -> str:
    """Return the kind of a ROS 1 bag, and the commands to convert it to ROS 2."""
    with unpacked.open('rb') as opened:
        is_closed = _ROS1_NO_INDEX not in opened.read(_ROS1_HEADER_BYTES)
    source, steps = file, []
    if unpacked != file:
        source = without_packed(file)
        steps.append(f'`unzstd {quote(str(file))}`')
    if not is_closed:
        steps.append(f'`rosbag reindex {quote(str(source))}`, since its recorder was killed')
    target = source.with_suffix('')
    steps.append(f'`rosbags-convert --src {quote(str(source))} --dst {quote(str(target))}`')
    return f'it is one of ROS 1. Convert it with {", then ".join(steps)}, then give {target}'


def _names(files: Sequence[Path]) -> str:
    return ', '.join(file.name for file in files)


def _decompress(source: BinaryIO, target: BinaryIO) -> bool:
    """Decompress zstd frames, and return whether the last frame is complete."""
    frame = None
    for block in iter(partial(source.read, _BLOCK_BYTES), b''):
        while block:
            frame = frame or ZstdDecompressor().decompressobj()
            target.write(frame.decompress(block))
            block, frame = (frame.unused_data, None) if frame.eof else (b'', frame)
    return frame is None
