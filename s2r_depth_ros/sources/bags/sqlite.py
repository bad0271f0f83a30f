"""Read an SQLite file of a bag: complete, damaged, or with a journal beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
import os
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from .order import topic_of_file

# A write-ahead log or a rollback journal. After a kill of the recorder it holds changes that are
# not in the database, or only in part.
_HEADER_BYTES = 100
_WAL_HEADER_BYTES, _WAL_FRAME_HEADER_BYTES = 32, 24
JOURNALS = ('-wal', '-journal')
_NEEDED = {'topics': {'id', 'name', 'type'}, 'messages': {'id', 'topic_id', 'timestamp', 'data'}}
_FORMATS = {'ros2msg': MessageDefinitionFormat.MSG, 'ros2idl': MessageDefinitionFormat.IDL}


class SqliteFile:
    """
    An SQLite file of messages with their topics.

    SQLite writes into a database when it replays a journal. So a database with a journal, or a
    truncated one, is copied first. The original stays unchanged.

    :param path: the file.
    :param scratch: an empty folder for a copy.
    :raises sqlite3.Error: if the database is unreadable.
    :raises OSError: if the disk has no room for a copy.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._path = path
        self._losses: dict[str, None] = {}
        self._options = '?mode=ro&immutable=1'
        self._source = path
        if has_journal(path):
            self._source = scratch / 'copy.db3'
            for suffix in ('', *JOURNALS):
                if path.with_name(path.name + suffix).exists():
                    shutil.copyfile(path.with_name(path.name + suffix), f'{self._source}{suffix}')
            log = path.with_name(path.name + JOURNALS[0])
            with closing(sqlite3.connect(self._source)) as database:
                database.execute('SELECT count(*) FROM sqlite_master').fetchone()
                replayed = max(0, database.execute('PRAGMA wal_checkpoint').fetchone()[1])
            self._options = '?mode=ro'
            if _is_cut_log(log):
                self._lose(
                    'has a write-ahead log that ends inside a page: what was recorded last '
                    'is missing'
                )
            elif replayed < (pages := _pages_of_log(log)):
                self._lose(
                    f'has a write-ahead log that can be replayed up to page {replayed} '
                    f'of {pages}: what was recorded last is missing'
                )
        elif (size := _promised_bytes(path)) > path.stat().st_size:
            # SQLite refuses a file that is shorter than its header says. Zeros pad the copy;
            # SQLite takes them for damaged pages.
            self._source = scratch / 'copy.db3'
            shutil.copyfile(path, self._source)
            os.truncate(self._source, size)
            self._lose(f'is not whole: it has {path.stat().st_size} of {size} bytes')
        with closing(self._open()) as database:
            for table, needed in _NEEDED.items():
                if missing := needed - {*_columns(database, table)}:
                    raise sqlite3.DatabaseError(
                        f'it has no tables of messages and topics: {table} lacks '
                        f'{", ".join(sorted(missing))}'
                    )
            topics = _rows(database, 'topics')
            definitions = {
                row['topic_type']: row for row in reversed(_rows(database, 'message_definitions'))
            }
            self._is_damaged = False
            counts = self._counts(database)
            self._start_ns = self._first_ns(database)
        self.connections = [
            topic_of_file(
                row['id'],
                row['name'],
                row['type'],
                row.get('serialization_format', 'cdr'),
                _definition(definitions.get(row['type'])),
                row.get('type_description_hash') or '',
                counts[row['id']],
                row.get('offered_qos_profiles') or '',
            )
            for row in topics
        ]
        nameless = counts.keys() - {row['id'] for row in topics}
        if nameless:
            self._lose(
                f'does not say the topics of {sum(counts[topic] for topic in nameless)} messages'
            )

    @property
    def losses(self) -> list[str]:
        """One sentence for each part that was unreadable so far."""
        return list(self._losses)

    @property
    def start_ns(self) -> int:
        """The time of the first message; 0 if the file has no message."""
        return self._start_ns

    def messages(self, channels: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """
        Read messages in the order of time; messages of equal time follow their row numbers.

        :param channels: the ids of the topics to read.
        :returns: for each message: time in nanoseconds, id of the topic, and bytes.
        """
        with closing(self._open()) as database:
            places = (
                sorted(self._places(database))
                if self._is_damaged
                else database.execute(
                    'SELECT timestamp, id, topic_id FROM messages ORDER BY timestamp, id'
                )
            )
            for time_ns, number, topic in places:
                if topic not in channels:
                    continue
                try:
                    (data,) = database.execute(
                        'SELECT data FROM messages WHERE id = ?', (number,)
                    ).fetchone()
                except sqlite3.DatabaseError as error:
                    self._lose(f'is damaged: {error}')
                    continue
                if not isinstance(data, bytes):
                    self._lose('has messages without bytes')
                    continue
                yield time_ns, topic, data

    def _lose(self, text: str) -> None:
        self._losses[f'{self._path.name} {text}'] = None

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._source.absolute().as_uri() + self._options, uri=True)
        database.text_factory = lambda text: text.decode('utf-8', 'replace')
        return database

    def _counts(self, database: sqlite3.Connection) -> Counter[int]:
        """Return the message count of each topic."""
        try:
            counts = Counter(
                dict(database.execute('SELECT topic_id, count(*) FROM messages GROUP BY topic_id'))
            )
            # The order of time comes from an index, and the index may be damaged, too.
            (ordered,) = database.execute(
                'SELECT count(*) FROM (SELECT timestamp FROM messages ORDER BY timestamp LIMIT -1)'
            ).fetchone()
            if ordered != counts.total():
                raise sqlite3.DatabaseError('index and table have different numbers of messages')
            return counts
        except sqlite3.DatabaseError as error:
            self._is_damaged = True
            self._lose(f'is damaged: {error}')
            return Counter(topic for _, _, topic in self._places(database))

    def _places(self, database: sqlite3.Connection) -> Iterator[tuple[int, int, int]]:
        """Yield time, row number and topic of messages, from both ends up to the damage."""
        first = -1
        for order in ('ASC', 'DESC'):
            try:
                for place in database.execute(
                    'SELECT timestamp, id, topic_id FROM messages WHERE id > ? '
                    f'ORDER BY id {order}',
                    (first,),
                ):
                    if order == 'ASC':
                        first = place[1]
                    yield place
                return
            except sqlite3.DatabaseError as error:
                self._lose(f'is damaged: {error}')

    def _first_ns(self, database: sqlite3.Connection) -> int:
        try:
            return database.execute('SELECT min(timestamp) FROM messages').fetchone()[0] or 0
        except sqlite3.DatabaseError:
            return 0


def has_journal(path: Path) -> bool:
    """Return whether a database has a journal that SQLite must replay."""
    journals = [path.with_name(path.name + suffix) for suffix in JOURNALS]
    return any(journal.is_file() and journal.stat().st_size for journal in journals)


def _is_cut_log(log: Path) -> bool:
    """Return whether a write-ahead log ends inside a frame, that is, a page with its header."""
    if not log.is_file() or log.stat().st_size <= _WAL_HEADER_BYTES:
        return False
    with log.open('rb') as file:
        page_bytes = int.from_bytes(file.read(12)[8:], 'big')
    return (log.stat().st_size - _WAL_HEADER_BYTES) % (_WAL_FRAME_HEADER_BYTES + page_bytes) != 0


def _pages_of_log(log: Path) -> int:
    """
    Return the number of pages that were to be in a write-ahead log.

    SQLite writes each log from the start over the last one, whose pages have another salt.
    """
    if not log.is_file() or log.stat().st_size <= _WAL_HEADER_BYTES:
        return 0
    with log.open('rb') as file:
        header = file.read(_WAL_HEADER_BYTES)
        frame_bytes = _WAL_FRAME_HEADER_BYTES + int.from_bytes(header[8:12], 'big')
        salts = (header[16:24], bytes(8))  # zeros where the disk has not got what was written
        pages = 0
        for begin in range(_WAL_HEADER_BYTES, log.stat().st_size, frame_bytes):
            file.seek(begin + 8)
            if file.read(8) not in salts:
                break
            pages += 1
    return pages


def _promised_bytes(path: Path) -> int:
    """Return the size of a database in bytes from its header; 0 if the header has none."""
    with path.open('rb') as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[24:28] != header[92:96]:
        return 0
    page_bytes = int.from_bytes(header[16:18], 'big')
    return int.from_bytes(header[28:32], 'big') * (page_bytes if page_bytes > 1 else 65536)


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f'PRAGMA table_info({table})')]


def _rows(database: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table, or none without the table; columns differ by version."""
    columns = _columns(database, table)
    return (
        [dict(zip(columns, row)) for row in database.execute(f'SELECT * FROM {table} ORDER BY id')]
        if columns
        else []
    )


def _definition(row: dict[str, Any] | None) -> MessageDefinition:
    if row is None:
        return MessageDefinition(MessageDefinitionFormat.NONE, '')
    return MessageDefinition(
        _FORMATS.get(row['encoding'], MessageDefinitionFormat.NONE),
        row['encoded_message_definition'],
    )
