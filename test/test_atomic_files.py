"""A file appears whole or not at all."""

import os
from pathlib import Path
import stat
import subprocess
import sys

import pytest

from s2r_depth_ros import atomic_files
from s2r_depth_ros.atomic_files import atomic_file

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from s2r_depth_ros.atomic_files import atomic_file
with atomic_file(Path(sys.argv[1])) as part:
    part.write_text('half')
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path):
    path = tmp_path / 'cloud.ply'
    path.write_text('before')
    return path


def test_the_new_file_takes_the_place_of_the_old_one_at_the_end(place):
    with atomic_file(place) as part:
        part.write_text('after')
        assert place.read_text() == 'before'
        assert (part.parent, part.suffix) == (place.parent, place.suffix)
    assert place.read_text() == 'after'
    assert [*place.parent.iterdir()] == [place]


def test_an_exception_leaves_what_was_there_and_nothing_else(place):
    def fail(part):
        part.write_text('half')
        raise OSError('full')

    with pytest.raises(OSError, match='full'), atomic_file(place) as part:
        fail(part)
    assert place.read_text() == 'before'
    assert [*place.parent.iterdir()] == [place]


def test_killed_writers_leave_one_part_at_most_and_the_next_one_removes_it(place):
    for _ in range(3):
        subprocess.run([sys.executable, '-c', WRITE_AND_DIE, place], check=False)
    assert place.read_text() == 'before'
    assert len([*place.parent.iterdir()]) == 2
    with atomic_file(place) as part:
        part.write_text('after')
    assert place.read_text() == 'after'
    assert [*place.parent.iterdir()] == [place]


def test_processes_that_share_a_place_do_not_share_a_part(place, monkeypatch):
    with atomic_file(place, is_shared=True) as own:
        monkeypatch.setattr(os, 'getpid', lambda: 1)
        with atomic_file(place, is_shared=True) as other:
            own.write_text('own')
            other.write_text('other')
            assert own.read_text() == 'own'
        assert place.read_text() == 'other'
    assert place.read_text() == 'own'


def test_a_synced_file_is_on_the_disk_before_it_takes_its_place(place, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(handle):
        calls.append(('fsync', Path(f'/proc/self/fd/{handle}').resolve()))
        fsync(handle)

    def recorded_replace(source, target):
        calls.append(('replace', Path(source)))
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', recorded_fsync)
    monkeypatch.setattr(os, 'replace', recorded_replace)
    with atomic_file(place, is_synced=True) as part:
        part.write_text('after')
    assert calls == [('fsync', part.resolve()), ('replace', part)]


def test_the_permissions_are_those_of_any_new_file(place):
    other = place.with_name('other')
    other.write_text('')
    with atomic_file(place) as part:
        part.write_text('after')
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / 'none' / 'file') as part:
        part.write_text('')


def test_a_file_that_cannot_be_synced_is_an_error_a_folder_is_not(tmp_path, monkeypatch):
    def fail(handle):
        raise OSError('no')

    file = tmp_path / 'file'
    file.write_text('')
    monkeypatch.setattr(os, 'fsync', fail)
    atomic_files.sync(tmp_path)
    with pytest.raises(OSError, match='no'):
        atomic_files.sync(file)
