"""
The pages: links lead somewhere, the site builds, and the commands do what they should.

A block of ``sh run`` is run here, in a folder with a picture, a film and a bag. Any other block
says why it is not, beside its fence (``sh needs a robot``), or PAGES_NOT_RUN says it for the page;
of these every ``s2r`` is parsed at least.
"""

import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from typing import NamedTuple

import cv2
import pytest
from test_cli_bag import write_bag

from s2r_depth_ros.cli import main, VERBS
from s2r_depth_ros.cli.options import OPTIONS
from s2r_depth_ros.cli.parsing import parser_of, read

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])
PAGES_NOT_RUN = {
    'README.md': 'make and ros2; test_demo, test_launch and test_train_demo run what they run',
    'CONTRIBUTING.md': 'make, whose targets CI runs',
    'SECURITY.md': 'needs a ROS installation',
    'nav2.md': 'needs a ROS installation; test_launch runs the launch file',
    'performance.md': 'takes minutes; test_bench runs the benchmarks',
    'rendering.md': 'takes long; parsed and run by test/training',
    'scale.md': 'needs a ROS installation and real frames; test_scale_node does the same',
    'temporal_smoothing.md': 'needs a ROS installation',
    'view.md': 'runs until it is stopped; test_view runs the verb',
}


class Block(NamedTuple):
    page: str
    line: int
    word: str
    text: str


def blocks():
    """Return the commands of all pages, with what is written beside the fence."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(
            r'^( *)```(?:sh|bash|console)\b *([^\n]*)\n(.*?)^\1```$', text, re.M | re.S
        ):
            found.append(
                Block(
                    page.name,
                    text[: match.start()].count('\n') + 1,
                    match[2],
                    textwrap.dedent(match[3]),
                )
            )
    return found


def name_of(block):
    return f'{block.page}:{block.line}'


def words_of_s2r(block):
    """Return the words of each line that calls s2r, without a redirection."""
    lines = block.text.replace('\\\n', ' ').splitlines()
    commands = [line for line in lines if line.split()[:1] == ['s2r']]
    return [shlex.split(line.partition('>')[0], comments=True)[1:] for line in commands]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)#\s]+)', page.read_text())
    missing = [link for link in links if '://' not in link and not (page.parent / link).exists()]
    assert not missing


def sentences(page):
    """Return the sentences of a page, without code. A cell or a list item is a text of its own."""
    text = re.sub(r'^( *)```.*?^\1```$', '\n', page.read_text(), flags=re.M | re.S)
    text = re.sub(r'`[^`]*`', 'CODE', text)
    text = re.sub(r'\]\([^)]*\)', ']', text)
    parts = re.split(r'\n\s*\n|^\s*(?:[-*>]|\d+\.) |^\|.*-- \|$|\|', text, flags=re.M)
    return [one for part in parts for one in re.split(r'(?<=[.!?])[*")]*\s+(?=[*A-Z0-9[])', part)]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_have_at_most_25_words(page):
    assert not [one for one in sentences(page) if len(re.findall(r'\S*\w\S*', one)) > 25]


def test_the_readme_has_at_most_900_words():
    assert len((ROOT / 'README.md').read_text().split()) <= 900


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder with the files that the pages speak of."""
    made = tmp_path_factory.mktemp('docs')
    frames = sorted((ROOT / 's2r_depth_ros' / 'demo_frames').glob('street_*.jpg'))[:2]
    (made / 'pictures').mkdir()
    for frame in frames:
        shutil.copy(frame, made / 'pictures')
    for name in ('street.jpg', 'room.jpg'):  # what is to be seen does not matter
        shutil.copy(frames[0], made / name)
    bgr = cv2.imread(str(frames[0]))
    height_px, width_px = bgr.shape[:2]
    film = cv2.VideoWriter(
        str(made / 'drive.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 10, (width_px, height_px)
    )
    for _ in range(2):
        film.write(bgr)
    film.release()
    example = (ROOT / 'config' / 'camera_info.example.yaml').read_text()
    (made / 'camera.yaml').write_text(
        example.replace('1242', str(width_px)).replace('375', str(height_px))
    )
    write_bag(made / 'my_bag', 1)
    return made


def test_what_is_not_run_says_why():
    assert not [
        name_of(block) for block in blocks() if not block.word and block.page not in PAGES_NOT_RUN
    ]


@pytest.mark.parametrize(
    'block', [block for block in blocks() if block.word == 'run'], ids=name_of
)
def test_commands_run(block, folder, monkeypatch):
    monkeypatch.chdir(folder)
    commands = words_of_s2r(block)
    assert len(commands) == len(block.text.replace('\\\n', ' ').splitlines())
    for words in commands:
        assert main(words) == 0


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_an_environment_is_not_made_where_results_go(page):
    text = page.read_text()
    environments = re.findall(r'python3 -m venv (\S+)', text)
    results = {'depth', *re.findall(r'--out (\S+)', text)}
    assert not results.intersection(environments)


@pytest.mark.parametrize(
    'words', [words for block in blocks() for words in words_of_s2r(block)], ids=' '.join
)
def test_commands_are_understood(words):
    assert words[0] in VERBS
    if '...' in words or len(words) == 1:
        return
    options = OPTIONS[words[0]]
    read(parser_of('s2r', options), options, words[1:])


def test_the_site_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'sphinx',
            '-q',
            '-E',
            '-W',
            '--keep-going',
            '-c',
            'docs',
            '-d',
            tmp_path / 'cache',
            '.',
            tmp_path / 'site',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'LC_ALL': 'C'},
    )
    assert done.returncode == 0, done.stderr
    front = (tmp_path / 'site' / 'README.html').read_text()
    pages = {page.relative_to(ROOT).with_suffix('.html').as_posix() for page in PAGES}
    assert pages - {'README.html'} <= set(re.findall(r'href="([\w/-]+\.html)', front))
