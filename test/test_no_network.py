"""
Nothing talks to anybody but the middleware, and no tool starts a shell or unpickles code.

Python's audit hooks see every socket that Python opens, in the processes started from here and in
theirs; the middleware's own are C++ and not among them, and are looked at in /proc.
"""

import os
from pathlib import Path
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from ros_graph import Graph, ros_arguments

# Put into every Python process by PYTHONPATH; a refused call is written down even if the error
# that it raises is caught.
HOOK = """
import os
import sys

REFUSED = {'socket.connect', 'socket.bind', 'socket.sendto', 'socket.getaddrinfo',
           'socket.gethostbyname', 'urllib.Request', 'os.system', 'http.client.connect'}


def refuse(event, arguments):
    is_local = event in ('socket.connect', 'socket.bind', 'socket.sendto') and isinstance(
        arguments[1], (str, bytes))  # a file name: between the processes of one program
    is_shell = event == 'subprocess.Popen' and str(arguments[0]).endswith('sh')
    if event in REFUSED and not is_local or is_shell:
        with open(os.environ['REFUSED_CALLS'], 'a') as log:
            log.write(f'{event} {arguments[1:2]} {sys.argv[:3]}\\n')
        raise RuntimeError(f'refused: {event}')


sys.addaudithook(refuse)
"""
VERBS = [
    [
        'render-scenes',
        '--out',
        'scenes',
        '--scenes',
        '1',
        '--frames-per-scene',
        '2',
        '--workers',
        '1',
        '--width-px',
        '128',
        '--height-px',
        '96',
        '--variations',
        '[clone]',
    ],
    ['render-styles', '--out', 'styles', '--count', '2', '--size-px', '112', '--workers', '1'],
    [
        'ste-encoder',
        '--run-dir',
        'run',
        '--architecture',
        'compact',
        '--data.root',
        'scenes',
        '--data.height-px',
        '96',
        '--data.width-px',
        '128',
        '--data.workers',
        '0',
        '--styles.root',
        'styles',
        '--ste-encoder.steps',
        '1',
        '--ste-encoder.batch-size',
        '1',
        '--ste-encoder.crop-px',
        '64',
        '--ste-encoder.discriminator-scales',
        '1',
        '--fabric.accelerator',
        'cpu',
    ],
    [
        'evaluate',
        '--weights',
        'outdoor',
        '--dataset',
        'vkitti',
        '--root',
        'scenes',
        '--out',
        'results',
        '--limit',
        '1',
        '--device',
        'cpu',
    ],
]


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The file in which refused calls are written down; it must not come to be."""
    hook = tmp_path / 'hook'
    hook.mkdir()
    (hook / 'sitecustomize.py').write_text(HOOK)
    monkeypatch.setenv('PYTHONPATH', str(hook))
    monkeypatch.setenv('REFUSED_CALLS', str(tmp_path / 'refused'))
    return tmp_path / 'refused'


def run(code, *arguments, folder):
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_the_hook_sees_what_it_is_to_see(refused, tmp_path):
    run('import socket; socket.create_connection(("127.0.0.1", 9))', folder=tmp_path)
    run('import os; os.system("true")', folder=tmp_path)
    run('import subprocess; subprocess.run("true", shell=True)', folder=tmp_path)
    assert re.findall('^[a-zA-Z.]+', refused.read_text(), re.M) == [
        'socket.getaddrinfo',
        'os.system',
        'subprocess.Popen',
    ]


@pytest.mark.parametrize(
    'arguments',
    [
        ('demo', 'images', '--frames', 2),
        ('depth', 'images', '--focal-px', 90, '--save', 'png', 'ply'),
    ],
)
def test_player_node_and_tools_talk_to_the_middleware_alone(refused, tmp_path, arguments):
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images' / '0.png'), np.zeros((96, 128, 3), np.uint8))
    done = run(
        'import sys; from s2r_depth_ros.cli import main; sys.exit(main())',
        *arguments,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert not refused.exists(), refused.read_text()


def test_training_rendering_and_evaluation_talk_to_nobody(refused, tmp_path):
    done = run(
        'import sys; from s2r_depth_training import cli\n'
        f'for verb in {VERBS!r}: assert cli.main(verb) == 0, verb',
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert not refused.exists(), refused.read_text()


def test_the_node_has_no_connections_but_the_middlewares_datagrams(tmp_path):
    with Graph(tmp_path) as graph:
        process = graph.start(
            's2r_depth_ros.node.depth_node', *ros_arguments(weights='random', device='cpu')
        )
        graph.wait(lambda: graph.node.count_publishers('camera/depth/image'), 'the node')
        held = {
            os.readlink(file)
            for file in Path(f'/proc/{process.pid}/fd').iterdir()
            if file.is_symlink()
        }
        sockets = {
            kind: [
                (peer, state)
                for peer, state, inode in re.findall(
                    r'^ *\d+: \S+ (\S+) (\S+) \S+ \S+ \S+ +\d+ +\d+ (\d+)',
                    Path(f'/proc/{process.pid}/net/{kind}').read_text(),
                    re.M,
                )
                if f'socket:[{inode}]' in held
            ]
            for kind in ('tcp', 'tcp6', 'udp', 'udp6')
        }
        assert sockets['tcp'] == sockets['tcp6'] == []
        assert sockets['udp']
        for peer, _ in sockets['udp'] + sockets['udp6']:
            assert set(peer) <= set('0:'), 'a datagram socket with a fixed peer'
