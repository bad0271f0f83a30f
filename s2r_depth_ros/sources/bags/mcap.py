"""Read an MCAP file of a bag: complete, unclosed, without an index, or damaged."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO
from operator import attrgetter
from pathlib import Path
import struct
from typing import BinaryIO, NamedTuple
import zlib

from lz4.frame import LZ4FrameDecompressor
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, Schema, Statistics
from mcap.summary import Summary
import numpy as np
from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from zstandard import ZstdDecompressor

from .order import in_order, topic_of_file
from .paths import MCAP_MAGIC

_RECORD = struct.Struct('<BQ')  # opcode and length
# Channel, sequence, log time, publish time. ROS times are signed. rosbag2 writes the bits of a
# negative time into the unsigned field.
_MESSAGE = struct.Struct('<HIqq')
_TIMES = struct.Struct('<qq')
_INDEX = struct.Struct('<HI')  # channel and size of its entries in bytes
_INDEX_ENTRY_BYTES = 16
# This many chunks that overlap in time stay decompressed. Others are decompressed again.
_CACHED_CHUNKS = 4
_FORMATS = {
    'ros2msg': MessageDefinitionFormat.MSG,
    'ros2idl': MessageDefinitionFormat.IDL,
    'omgidl': MessageDefinitionFormat.IDL,
}


class _Place(NamedTuple):
    """A message: its log time, its channel, and its byte range in a chunk or in the file."""

    log_ns: int
    channel: int
    chunk: int | None
    begin: int
    end: int


class _ChunkPlace(NamedTuple):
    """A chunk of the file; ``counts`` is None if the chunk has no message index."""

    begin: int
    end: int
    start_ns: int
    counts: dict[int, int] | None


class McapFile:
    """
    An MCAP file of messages with their topics.

    The constructor visits all records without reading their contents. So the file needs neither
    an index nor a footer. Reading keeps a few chunks and the places of messages in memory.

    :param path: the file.
    :raises ValueError: if the file is not MCAP; the text gives the reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses: dict[str, None] = {}
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: list[_ChunkPlace] = []
        self._single_ns, self._single_begin = array('q'), array('Q')
        self._single_end, self._single_channel = array('Q'), array('H')
        self._statistics: Statistics | None = None
        with path.open('rb') as file:
            if file.read(len(MCAP_MAGIC)) != MCAP_MAGIC:
                raise ValueError('it does not begin as an MCAP file')
            self._walk(file, _summary(file))
            counts = self._counts(file)
        self.connections = [
            self._connection(channel, counts[channel]) for channel in self._channels
        ]
        """The topics of the file; their message counts come from its summary or indexes."""
        nameless = sum(counts[channel] for channel in counts.keys() - self._channels.keys())
        if nameless:
            self._lose(f'does not describe the channels of {nameless} messages')

    @property
    def losses(self) -> list[str]:
        """One sentence for each part that was unreadable so far."""
        return list(self._losses)

    @property
    def start_ns(self) -> int:
        """The time of the first message; 0 if the file has no message."""
        times = [chunk.start_ns for chunk in self._chunks]
        return min(times + ([min(self._single_ns)] if self._single_ns else []), default=0)

    def messages(self, channels: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """
        Read messages in the order of log time; messages of equal time keep the file's order.

        :param channels: the ids of the connections to read.
        :returns: for each message: time in nanoseconds, id of the connection, and bytes.
        """
        with self._path.open('rb') as file:
            load = lru_cache(_CACHED_CHUNKS)(partial(self._load, file))

            def of_chunk(number: int) -> Iterator[_Place]:
                return iter(sorted(load(number)[1], key=attrgetter('log_ns')))

            channel_ids = set(channels)
            parts: list[tuple[int, Callable[[], Iterator[_Place]]]] = [
                (chunk.start_ns, partial(of_chunk, number))
                for number, chunk in enumerate(self._chunks)
                if chunk.counts is None or chunk.counts.keys() & channel_ids
            ]
            if self._single_ns:
                parts.append((min(self._single_ns), self._singles))
            for place in in_order(parts):
                if place.channel not in channel_ids:
                    continue
                if place.chunk is not None:
                    data = load(place.chunk)[0][place.begin : place.end]
                else:
                    file.seek(place.begin)
                    data = file.read(place.end - place.begin)
                yield place.log_ns, place.channel, data

    def _lose(self, text: str) -> None:
        self._losses[f'{self._path.name} {text}'] = None

    def _walk(self, file: BinaryIO, summary: Summary | None) -> None:
        """Visit the records of the file in sequence."""
        size = self._path.stat().st_size
        # The walk continues here after a damaged record.
        marks = (
            sorted(chunk.chunk_start_offset for chunk in summary.chunk_indexes) if summary else []
        )
        if summary:
            self._schemas.update(summary.schemas)
            self._channels.update(summary.channels)
            self._statistics = summary.statistics
        position = len(MCAP_MAGIC)
        while position + _RECORD.size <= size:
            file.seek(position)
            opcode, length = _RECORD.unpack(file.read(_RECORD.size))
            end = position + _RECORD.size + length
            if opcode == Opcode.FOOTER:
                if end + len(MCAP_MAGIC) < size:
                    self._lose(
                        f'has {size - end - len(MCAP_MAGIC)} more bytes after its end, which are '
                        'not read: give concatenated files one by one'
                    )
                return
            try:
                if not opcode or end > size:
                    raise ValueError('no record')
                self._visit(file, opcode, position, end)
            except (struct.error, ValueError, KeyError):
                mark = next((mark for mark in marks if mark > position), None)
                if mark is None:
                    break
                self._lose(f'is damaged at byte {position}')
                end = mark
            position = end
        rest = size - position
        if summary is not None:  # the file was closed, so this is damage
            self._lose(f'is damaged at byte {position}')
            return
        if rest > _RECORD.size and opcode == Opcode.CHUNK:
            self._chunk(file, position, size)
        self._lose(
            'was not closed: the recorder was killed, or the copy is not whole'
            + (f'; its last {rest} bytes are an unfinished record' if rest else '')
        )

    def _visit(self, file: BinaryIO, opcode: int, begin: int, end: int) -> None:
        """:raises struct.error: if the record is too short."""
        body = begin + _RECORD.size
        if opcode == Opcode.MESSAGE:
            channel, _, log_ns, _ = _MESSAGE.unpack(file.read(_MESSAGE.size))
            if body + _MESSAGE.size > end:
                raise ValueError('no message')
            self._single_ns.append(log_ns)
            self._single_channel.append(channel)
            self._single_begin.append(body + _MESSAGE.size)
            self._single_end.append(end)
        elif opcode == Opcode.CHUNK:
            self._chunk(file, begin, end)
        elif opcode == Opcode.MESSAGE_INDEX and self._chunks:
            channel, size = _INDEX.unpack(file.read(_INDEX.size))
            last = self._chunks[-1]
            counts = {**(last.counts or {}), channel: size // _INDEX_ENTRY_BYTES}
            self._chunks[-1] = last._replace(counts=counts)
        elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            self._describe(opcode, file.read(end - body))
        elif opcode == Opcode.STATISTICS:
            self._statistics = Statistics.read(ReadDataStream(BytesIO(file.read(end - body))))

    def _chunk(self, file: BinaryIO, begin: int, end: int) -> None:
        file.seek(begin + _RECORD.size)
        with suppress(struct.error):  # cut off before its times
            start_ns, _ = _TIMES.unpack(file.read(_TIMES.size))
            self._chunks.append(_ChunkPlace(begin, end, start_ns, None))

    def _describe(self, opcode: int, body: bytes) -> None:
        stream = ReadDataStream(BytesIO(body))
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(stream)
            self._schemas.setdefault(schema.id, schema)
        else:
            channel = Channel.read(stream)
            self._channels.setdefault(channel.id, channel)

    def _counts(self, file: BinaryIO) -> Counter[int]:
        """
        Return the number of messages of each channel, and register all channels.

        They come from the statistics of the summary, if these are consistent. Otherwise, they come
        from the message indexes, and from reading chunks without an index.
        """
        found: Counter[int] = Counter(self._single_channel)
        announced: Counter[int] = Counter(
            self._statistics.channel_message_counts if self._statistics else {}
        )
        is_announced = (
            self._statistics is not None and announced.total() == self._statistics.message_count
        )
        for number, chunk in enumerate(self._chunks):
            found.update(chunk.counts or {})
            is_described = all(map(self._is_described, announced | found))
            if is_described and (is_announced or chunk.counts is not None):
                continue
            places = self._load(file, number)[1]
            if chunk.counts is None:
                counts = Counter(place.channel for place in places)
                self._chunks[number] = chunk._replace(counts=counts)
                found.update(counts)
        if is_announced:
            if announced != found:  # the message indexes can also be wrong
                self._chunks = [chunk._replace(counts=None) for chunk in self._chunks]
            return announced | found
        if self._statistics and self._statistics.message_count > found.total():
            self._lose(
                f'announces {self._statistics.message_count} messages and has {found.total()}'
            )
        return found

    def _is_described(self, channel: int) -> bool:
        return channel in self._channels and (
            self._channels[channel].schema_id in (0, *self._schemas)
        )

    def _load(self, file: BinaryIO, number: int) -> tuple[bytes, list[_Place]]:
        """Return the bytes of a chunk and its messages; register its schemas and channels."""
        begin, end = self._chunks[number][:2]
        file.seek(begin + _RECORD.size)
        places: list[_Place] = []
        data = b''
        try:
            data, is_whole = _expanded(file.read(end - begin - _RECORD.size))
            position = 0
            while position < len(data):
                opcode, length = _RECORD.unpack_from(data, position)
                body = position + _RECORD.size
                position = body + length
                if not opcode or position > len(data):
                    raise ValueError('a record is damaged')
                if opcode == Opcode.MESSAGE and length >= _MESSAGE.size:
                    channel, _, log_ns, _ = _MESSAGE.unpack_from(data, body)
                    places.append(_Place(log_ns, channel, number, body + _MESSAGE.size, position))
                elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                    self._describe(opcode, data[body:position])
            if not is_whole:
                raise ValueError('its end is missing')
        except Exception as error:  # the libraries raise any error on wrong bytes
            self._lose(
                f'has a damaged chunk at byte {begin}, of which {len(places)} messages can be '
                f'read: {error}'
            )
        return data, places

    def _singles(self) -> Iterator[_Place]:
        """Return the messages outside of chunks in the order of time."""
        for index in np.argsort(np.asarray(self._single_ns), kind='stable'):
            yield _Place(
                self._single_ns[index],
                self._single_channel[index],
                None,
                self._single_begin[index],
                self._single_end[index],
            )

    def _connection(self, number: int, count: int) -> Connection:
        channel = self._channels[number]
        schema = self._schemas.get(channel.schema_id)
        return topic_of_file(
            number,
            channel.topic,
            schema.name if schema else '',
            channel.message_encoding,
            MessageDefinition(
                _FORMATS.get(schema.encoding, MessageDefinitionFormat.NONE),
                schema.data.decode('utf-8', 'replace'),
            )
            if schema
            else MessageDefinition(MessageDefinitionFormat.NONE, ''),
            channel.metadata.get('topic_type_hash', ''),
            count,
            channel.metadata.get('offered_qos_profiles', ''),
        )


def _summary(file: BinaryIO) -> Summary | None:
    """Return the summary section of a file; None if it is unclosed or has no summary."""
    file.seek(0)
    try:
        return make_reader(file).get_summary()
    except Exception:  # the library raises any error on a truncated file
        return None


def _expanded(body: bytes) -> tuple[bytes, bool]:
    """
    Return the decompressed content of a chunk, and whether it is complete.

    :raises ValueError: if its checksum is wrong, or its compression is unknown.
    """
    chunk = Chunk.read(ReadDataStream(BytesIO(body)))
    if chunk.compression == 'zstd':
        data = ZstdDecompressor().decompressobj().decompress(chunk.data)
    elif chunk.compression == 'lz4':
        data = LZ4FrameDecompressor().decompress(chunk.data)
    elif chunk.compression:
        raise ValueError(f'its compression is {chunk.compression}, expected zstd or lz4')
    else:
        data = chunk.data
    is_whole = len(data) >= chunk.uncompressed_size
    if is_whole and chunk.uncompressed_crc not in (0, zlib.crc32(data)):
        raise ValueError('its checksum is wrong')
    return data, is_whole
