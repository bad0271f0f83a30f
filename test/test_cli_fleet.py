"""`s2r bag` and `s2r depth` over many inputs: each is done, skipped or failed, in a sentence."""

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from test_cli_bag import STREET, write_bag

from s2r_depth_ros.cli import main

SMALL = ('--image', '/left/image_raw', '--outputs', 'image', 'points')
ONE_THREAD = ('--threads', '1')
PROGRAM = 'import sys; from s2r_depth_ros.cli import main; sys.exit(main(sys.argv[1:]))'


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def report(folder):
    read = json.loads((folder / 'report.json').read_text())
    return {entry['name']: entry for entry in read['inputs']}, read['counts']


def s2r(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Return a folder with two bags, one of them deeper, and what is no bag."""
    made = tmp_path_factory.mktemp('bags')
    for name in ('monday', 'week/tuesday.2'):
        write_bag(made / name, 2)
    (made / 'notes.txt').write_text('no bag')
    (made / 'week/broken.mcap').write_text('no bag')
    return made


@pytest.fixture(scope='module')
def plain(bags, tmp_path_factory):
    """Return the folder with the new bags of one command for each bag."""
    made = tmp_path_factory.mktemp('plain')
    for name in ('monday', 'week/tuesday.2'):
        assert s2r('bag', bags / name, made / name, *SMALL, *ONE_THREAD) == 0
    return made


@pytest.mark.parametrize('workers', ['1', '2'])
def test_bags_of_a_folder_are_those_of_single_commands(bags, plain, tmp_path, capsys, workers):
    out = tmp_path / 'out'
    assert s2r('bag', bags, out, *SMALL, '--workers', workers) == 1
    said = capsys.readouterr()
    assert 'done     monday: /left/depth/image, /left/depth/points\n' in said.out
    assert 'failed   week/broken: ' in said.out
    assert '3 of 3 inputs in ' in said.out
    assert ': 2 done, 0 skipped, 1 failed; ' in said.out
    assert '3/3' in said.err
    entries, counts = report(out)
    assert counts == {'done': 2, 'skipped': 0, 'failed': 1}
    assert 'broken.mcap is no ROS 2 bag that can be read' in entries['week/broken']['text']
    assert entries['monday']['input'] == str(bags / 'monday')
    assert entries['monday']['output'] == str(out / 'monday')
    found = digests(out)
    del found['report.json']
    assert found == digests(plain)


def test_what_is_there_is_kept_unless_it_is_forced(bags, plain, tmp_path, capsys):
    out = tmp_path / 'out'
    shutil.copytree(plain, out)
    before = digests(out)
    (out / 'monday' / 'metadata.yaml').unlink()
    assert s2r('bag', bags / 'monday', bags / 'week/tuesday.2', out, *SMALL) == 0
    assert 'skipped  monday: already exists; --force overwrites it' in capsys.readouterr().out
    assert not (out / 'monday' / 'metadata.yaml').exists()
    assert s2r('bag', bags / 'monday', out / 'monday', *SMALL, *ONE_THREAD) == 1
    assert 'monday exists: give another name, or --force' in capsys.readouterr().err
    assert s2r('bag', bags / 'monday', out / 'monday', '--force', *SMALL, *ONE_THREAD) == 0
    after = digests(out)
    assert after['monday/metadata.yaml'] == before['monday/metadata.yaml']
    assert s2r('bag', bags / 'monday', bags / 'monday', '--force') == 1
    assert 'monday is the bag to be read: give another OUT' in capsys.readouterr().err
    (tmp_path / 'home').mkdir()
    (tmp_path / 'home' / 'letter').touch()
    assert s2r('bag', bags / 'monday', tmp_path / 'home', '--force') == 1
    assert 'home exists and is no bag, which --force keeps' in capsys.readouterr().err


def test_a_list_a_pattern_and_a_bag_that_vanished(bags, plain, tmp_path, capsys, monkeypatch):
    lines = [str(bags / 'week/tuesday.2'), '', str(tmp_path / 'vanished'), f'{bags}/mon*']
    monkeypatch.setattr(sys, 'stdin', io.StringIO('\n'.join(lines)))
    out = tmp_path / 'out'
    assert s2r('bag', '-', out, *SMALL, '--workers', '1') == 1
    entries, counts = report(out)
    assert counts == {'done': 2, 'skipped': 0, 'failed': 1}
    assert 'there is no such file or folder' in entries['vanished']['text']
    assert digests(out / 'tuesday.2') == digests(plain / 'week/tuesday.2')
    assert sorted(path.name for path in out.iterdir()) == ['monday', 'report.json', 'tuesday.2']


def test_no_input_and_two_of_one_name_are_one_sentence(tmp_path, capsys):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
    out = tmp_path / 'out'
    for words, sentence in (
        ((tmp_path / 'a/x.mcap', tmp_path / 'b/x.mcap'), 'would both be'),
        ((tmp_path / '*.mcap',), 'there is no such file or folder'),
        (('nowhere://x/bag', 'b'), 'nowhere'),
    ):
        assert s2r('bag', *words, out) == 1
        said = capsys.readouterr()
        assert sentence in said.err + said.out
    assert s2r('bag', 'a', 'b', out, '--device', 'cuda') == 1
    assert 'does not go with --gpus-per-worker 0: leave out --device' in capsys.readouterr().err


def test_urls_are_read_and_written_through_fsspec(bags, plain, tmp_path, capsys):
    pytest.importorskip('fsspec', reason='needs fsspec: pip install fsspec')
    url = f'file://{tmp_path}/store'
    words = ('bag', f'file://{bags}/monday', f'file://{bags}/none', url, *SMALL)
    assert s2r(*words) == 1
    said = capsys.readouterr().out
    assert f'failed   none: file://{bags}/none is not there' in said
    found = digests(tmp_path / 'store' / 'monday')
    assert found.pop('_SUCCESS') == hashlib.sha256().hexdigest()
    assert found == digests(plain / 'monday')
    assert sorted(path.name for path in (tmp_path / 'store').iterdir()) == [
        'monday',
        'report.json',
    ]
    assert s2r('bag', f'file://{bags}/mon*', url, *SMALL) == 0
    assert 'skipped  monday' in capsys.readouterr().out


def test_without_fsspec_a_url_says_what_to_install(tmp_path, capsys, monkeypatch):
    for name in ('fsspec', 'fsspec.core'):
        monkeypatch.setitem(sys.modules, name, None)
    assert s2r('bag', 's3://bucket/*.mcap', tmp_path / 'out') == 1
    assert 'is a URL, which needs fsspec: pip install fsspec' in capsys.readouterr().err


def test_a_full_disk_is_a_sentence_for_each_input_and_leaves_nothing_half(bags, plain, tmp_path):
    def no_more_space():  # the limit on a file's size stands for the disk's
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    out = tmp_path / 'out'
    names = ('monday', 'week/tuesday.2')
    command = ['bag', *(str(bags / name) for name in names), str(out), *SMALL]
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, *command],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=no_more_space,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.count('\nfailed') + done.stdout.startswith('failed') == 2
    assert done.stdout.count('cannot write') == 2
    assert not any((out / name).exists() for name in ('monday', 'tuesday.2'))
    assert s2r(*command) == 0
    assert digests(out / 'monday') == digests(plain / 'monday')


def test_depth_of_many_inputs_has_a_folder_for_each(tmp_path, capsys):
    (tmp_path / 'in/pictures').mkdir(parents=True)
    shutil.copy(STREET, tmp_path / 'in/pictures')
    bgr = cv2.imread(str(STREET))
    film = cv2.VideoWriter(
        str(tmp_path / 'in/film.avi'),
        cv2.VideoWriter.fourcc(*'MJPG'),
        5,
        (bgr.shape[1], bgr.shape[0]),
    )
    film.write(bgr)
    film.release()
    (tmp_path / 'in/broken.mp4').write_text('no film')
    for name in ('pictures', 'film.avi'):
        out = tmp_path / 'plain' / name.partition('.')[0]
        words = ('depth', tmp_path / 'in' / name, '--save', 'npy', 'color', *ONE_THREAD)
        assert s2r(*words, '--out', out) == 0
    out = tmp_path / 'out'
    words = ('depth', tmp_path / 'in', '--save', 'npy', 'color', '--workers', '1', '--out', out)
    assert s2r(*words) == 1
    entries, counts = report(out)
    assert counts == {'done': 2, 'skipped': 0, 'failed': 1}
    assert 'cannot open it as a video' in entries['broken']['text']
    assert entries['film']['text'] == '1 image'
    found = digests(out)
    del found['report.json']
    assert found == digests(tmp_path / 'plain')
    kept = out / 'film' / 'mine.txt'
    kept.write_text('mine')
    np.save(out / 'film/depth_m/000000.npy', np.zeros(1))
    shutil.rmtree(out / 'pictures')
    capsys.readouterr()
    assert s2r('depth', tmp_path / 'in/film.avi', *words[2:]) == 0
    assert 'skipped  film' in capsys.readouterr().out
    assert s2r('depth', tmp_path / 'in/film.avi', *words[2:], '--force') == 0
    assert digests(out / 'film').items() >= digests(tmp_path / 'plain/film').items()
    assert kept.read_text() == 'mine'


def heed_ctrl_c():
    """Take back what a shell sets for its commands in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_after_ctrl_c_the_same_command_goes_on(tmp_path):
    bags = [write_bag(tmp_path / 'in' / name, 30) for name in 'ab']
    out = tmp_path / 'out'
    command = ['bag', *map(str, bags), str(out), *SMALL, '--workers', '1']
    program = subprocess.Popen(
        [sys.executable, '-c', PROGRAM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    deadline_s = time.monotonic() + 300
    while not (out / 'a.partial' / 'depth.db').exists():
        assert program.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does, to all of its processes
    _, err = program.communicate(timeout=300)
    assert program.returncode == 130, err
    assert err.splitlines()[-1] == 's2r bag: stopped; the same command continues'
    assert 'Traceback' not in err
    assert not (out / 'a').exists()
    assert report(out) == ({}, {'done': 0, 'skipped': 0, 'failed': 0})
    assert s2r(*command) == 0
    assert sorted(path.name for path in out.iterdir()) == ['a', 'b', 'report.json']


def test_outputs_are_never_inputs_nor_in_their_place(bags, plain, tmp_path, capsys):
    shutil.copytree(bags / 'monday', tmp_path / 'runs/monday')
    (tmp_path / 'runs/round').symlink_to('..')
    (tmp_path / 'same').symlink_to('runs')
    runs, out = tmp_path / 'runs', tmp_path / 'runs/out'
    shutil.copytree(plain / 'monday', out / 'monday')
    for inputs in (
        (f'{runs}/[!r]*',),
        (runs / 'monday', out),
        (runs,),
        (f'{runs}/monday/', tmp_path / 'same/monday'),
        (f'{runs}/monday', f'{runs}/mon*', f'{runs}/mond*/**'),
    ):
        assert s2r('bag', *inputs, out, *SMALL, '--workers', '1') == 0
        assert report(out)[1] == {'done': 0, 'skipped': 1, 'failed': 0}
    before = digests(runs / 'monday')
    capsys.readouterr()
    for inputs in ((runs / 'monday',), (f'file://{runs}/monday',), (runs / 'monday/monday.db3',)):
        assert s2r('bag', *inputs, f'file://{runs}', '--force', *SMALL) == 1
        assert 'would replace' in capsys.readouterr().err
    assert s2r('bag', runs / 'monday/monday.db3', runs / 'monday', '--force', *SMALL) == 1
    assert 'monday is the bag to be read' in capsys.readouterr().err
    assert digests(runs / 'monday') == before


def test_a_pattern_without_a_match_is_a_failed_input(bags, tmp_path):
    shutil.copytree(bags / 'monday', tmp_path / 'out/monday')
    words = (bags / 'monday', tmp_path / 'gone[1]', tmp_path / 'out')
    assert s2r('bag', *words, '--workers', '1') == 1
    entries, counts = report(tmp_path / 'out')
    assert counts == {'done': 0, 'skipped': 1, 'failed': 1}
    assert 'there is no such file or folder' in entries['gone[1]']['text']
