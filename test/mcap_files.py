"""Write MCAP files as recorders and converters leave them, by the specification."""

from dataclasses import dataclass, field
import struct
import zlib

import lz4.frame
from rosbags.typesys import get_typestore, Stores
import zstandard

MAGIC = b'\x89MCAP0\r\n'
STORE = get_typestore(Stores.ROS2_JAZZY)
COMPRESSORS = {'': bytes, 'lz4': lz4.frame.compress, 'zstd': zstandard.compress}


@dataclass
class Topic:
    """A channel with its schema."""

    name: str
    schema: str
    schema_encoding: str = 'ros2msg'
    definition: bytes | None = None
    encoding: str = 'cdr'
    metadata: dict = field(default_factory=dict)

    def records(self, number):
        """Return its schema and its channel, both with this number."""
        definition = self.definition
        if definition is None:
            definition = STORE.generate_msgdef(self.schema, ros_version=2)[0].encode()
        pairs = b''.join(text(key) + text(value) for key, value in self.metadata.items())
        return record(
            3,
            struct.pack('<H', number)
            + text(self.schema)
            + text(self.schema_encoding)
            + text(definition),
        ) + record(
            4,
            struct.pack('<HH', number, number)
            + text(self.name)
            + text(self.encoding)
            + text(pairs),
        )


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack('<I', len(data)) + data


def record(opcode, body):
    return struct.pack('<BQ', opcode, len(body)) + body


def write_mcap(
    path,
    topics,
    messages,
    *,
    in_chunks_of=4,
    has_message_index=True,
    has_statistics=True,
    repeats_channels=True,
    is_closed=True,
    compression='',
    has_checksums=True,
):
    """
    Write a file.

    :param topics: of the messages.
    :param messages: index of the topic, time in nanoseconds, bytes; in the order of the file.
    :param in_chunks_of: messages of a chunk; 0 writes them without chunks.
    """
    described = b''.join(topic.records(number) for number, topic in enumerate(topics, 1))
    data = bytearray(MAGIC + record(1, text('ros2') + text('test')))
    encoded = [
        (
            index + 1,
            time_ns,
            record(5, struct.pack('<HIQQ', index + 1, 0, time_ns, time_ns) + body),
        )
        for index, time_ns, body in messages
    ]
    chunk_indexes = b''
    if not in_chunks_of:
        data += described + b''.join(body for _, _, body in encoded)
    for first in range(0, len(encoded) if in_chunks_of else 0, in_chunks_of or 1):
        part = encoded[first : first + in_chunks_of]
        content = b'' if first else described
        places = {}
        for channel, time_ns, body in part:
            places.setdefault(channel, []).append(struct.pack('<QQ', time_ns, len(content)))
            content += body
        times = struct.pack('<QQ', min(each[1] for each in part), max(each[1] for each in part))
        packed = COMPRESSORS[compression](content)
        begin = len(data)
        data += record(
            6,
            times
            + struct.pack('<QI', len(content), zlib.crc32(content) if has_checksums else 0)
            + text(compression)
            + struct.pack('<Q', len(packed))
            + packed,
        )
        end, offsets = len(data), b''
        for channel, entries in places.items() if has_message_index else ():
            offsets += struct.pack('<HQ', channel, len(data))
            data += record(7, struct.pack('<H', channel) + text(b''.join(entries)))
        chunk_indexes += record(
            8,
            times
            + struct.pack('<QQ', begin, end - begin)
            + text(offsets)
            + struct.pack('<Q', len(data) - end)
            + text(compression)
            + struct.pack('<QQ', len(packed), len(content)),
        )
    if is_closed:
        data += record(15, bytes(4))
        begin = len(data)
        data += (described if repeats_channels else b'') + chunk_indexes
        if has_statistics:
            counts = b''.join(
                struct.pack('<HQ', number, sum(each[0] == number for each in encoded))
                for number in range(1, len(topics) + 1)
            )
            times = [each[1] for each in encoded]
            data += record(
                11,
                struct.pack(
                    '<QHIIIIQQ',
                    len(encoded),
                    len(topics),
                    len(topics),
                    0,
                    0,
                    chunk_indexes.count(8),
                    min(times),
                    max(times),
                )
                + text(counts),
            )
        data += record(2, struct.pack('<QQI', begin if len(data) > begin else 0, 0, 0)) + MAGIC
    path.write_bytes(data)
    return path
