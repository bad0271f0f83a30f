"""The verb demo of s2r, as its user meets it: real processes over DDS, files, and sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
from plyfile import PlyData
import pytest
import yaml

from s2r_depth_ros.cli import main
from s2r_depth_ros.cli.demo import _rate_hz, RESULTS

HEIGHT, WIDTH = 96, 160
RUN_S2R = 'import sys; from s2r_depth_ros.cli import main; sys.exit(main())'


def s2r(*arguments):
    """Run s2r as a process that a shell's background job would be: SIGINT is ignored."""
    without_ros = {
        name: value
        for name, value in os.environ.items()
        if name not in ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE')
    }
    return subprocess.run(
        [
            'bash',
            '-c',
            'trap "" INT; exec "$@"',
            'bash',
            sys.executable,
            '-c',
            RUN_S2R,
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        env=without_ros,
    )


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Return a folder with three small pictures of noise, nowhere red, and their intrinsics."""
    folder = tmp_path_factory.mktemp('images')
    random = np.random.default_rng(1)
    names = [f'{index}.png' for index in range(3)]
    for name in names:
        coarse = random.integers(0, 255, (6, 10, 3), np.uint8)
        coarse[..., 2] = 0
        cv2.imwrite(str(folder / name), cv2.resize(coarse, (WIDTH, HEIGHT)))
    (folder / 'manifest.json').write_text(
        json.dumps([{'rgb': name, 'K': [120.0, 120.0, 80.0, 48.0]} for name in names])
    )
    return folder


@pytest.fixture(scope='module')
def demo(images, tmp_path_factory):
    """Return the folder and the output of a demo that replaced an earlier one."""
    out = tmp_path_factory.mktemp('demo') / 'demo'
    out.mkdir()
    (out / 'table.txt').write_text('of yesterday')
    result = s2r('demo', images, '--out', out, '--weights', 'random', '--rate', 10, '--frames', 6)
    assert result.returncode == 0, result.stderr
    return out, result


def test_demo_leaves_its_files_and_nothing_else(demo):
    out, _ = demo
    assert sorted(file.name for file in out.parent.iterdir()) == ['demo']
    assert sorted(file.name for file in out.iterdir()) == sorted(RESULTS)
    assert out.stat().st_mode & 0o777 == 0o755


def test_demo_shows_progress_and_ends_with_the_table(demo):
    out, result = demo
    table = (out / 'table.txt').read_text()
    assert table in result.stdout
    assert 'depth images: 100%' in result.stderr


def test_table_counts_every_frame_and_every_output(demo):
    table = (demo[0] / 'table.txt').read_text()
    value = {line[:34].strip(): line[34:] for line in table.splitlines()}
    published = int(value['depth images published'])
    assert published >= 6
    received_here = {
        output: int(value[f'received here: depth/{output}'])
        for output in ('image', 'camera_info', 'points', 'image_color', 'structure', 'attention')
    }
    # The first ones may have come before this side had found their publisher.
    assert 6 <= received_here['image']
    assert all(0 < count <= published for count in received_here.values())
    played, received = (
        int(value[name]) for name in ('images played', 'images received by the node')
    )
    assert published <= received <= played
    drops = value['images dropped']
    dropped = 0 if drops == 'none' else sum(int(each.split()[0]) for each in drops.split(', '))
    assert dropped + published == played
    assert value['weights, engine, device'].startswith('random, ')
    median_ms, p95_ms = (
        float(part)
        for part in value['latency p50 / p95, stamp to here'].removesuffix(' ms').split(' / ')
    )
    assert 0 < median_ms <= p95_ms
    for name in ('rate of the camera', 'rate of the depth'):
        assert float(value[name].removesuffix(' Hz')) > 0


def test_a_rate_is_that_of_the_gaps():
    assert _rate_hz([5.0, 5.1, 5.2, 5.5]) == pytest.approx(6)


def test_cloud_file_holds_one_coloured_point_per_pixel(demo):
    ply = PlyData.read(demo[0] / 'cloud.ply')
    vertices = ply['vertex']
    assert len(vertices) == HEIGHT * WIDTH
    assert (np.asarray(vertices['z']) > 0).all()
    # The first pixel's ray: (0 - 80) / 120 to the left and (0 - 48) / 120 up.
    assert vertices['x'][0] / vertices['z'][0] == pytest.approx(-80 / 120, rel=1e-5)
    assert vertices['y'][0] / vertices['z'][0] == pytest.approx(-48 / 120, rel=1e-5)
    assert 'UNTRAINED NETWORK' in ply.comments


def test_cloud_file_has_the_colours_of_a_played_image(demo, images):
    vertices = PlyData.read(demo[0] / 'cloud.ply')['vertex']
    bgr = np.stack([vertices[name] for name in ('blue', 'green', 'red')], axis=-1)
    played = [cv2.imread(str(images / f'{index}.png')).reshape(-1, 3) for index in range(3)]
    assert any(np.array_equal(bgr, image) for image in played)


@pytest.mark.parametrize(('name', 'column'), [('contact_sheet.png', 0.23), ('cloud.png', 1.0)])
def test_pictures_of_an_untrained_network_carry_a_watermark(demo, name, column):
    picture = cv2.imread(str(demo[0] / name))
    height, width = picture.shape[:2]
    assert width > 1500
    # Where the images are shown, nothing but the crimson band and its white letters is red.
    title_px = 100
    red = picture[title_px:, : int(column * width), 2]
    assert (red > 100).mean() > 0.002


def test_contact_sheet_shows_the_images_themselves(demo, images):
    sheet = cv2.imread(str(demo[0] / 'contact_sheet.png'))
    found = []
    for index in range(3):
        image = cv2.imread(str(images / f'{index}.png'))
        top_left = image[:40, :60]  # the watermark does not reach there in the first row
        scales = (
            cv2.matchTemplate(
                cv2.resize(sheet, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA),
                top_left,
                cv2.TM_CCOEFF_NORMED,
            ).max()
            for scale in np.arange(2.8, 3.3, 0.05)
        )
        found.append(max(scales))
    assert max(found) > 0.95


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['no/such/folder'], 'is neither a folder nor a file'),
        (['{empty}'], 'has no images'),
        (['{text}'], 'OpenCV cannot open it as a video'),
        (['{images}', '--out', '{strange}'], "holds 'thesis.tex', which no earlier demo left"),
        (['{images}', '--out', '{text}/demo'], 'cannot write'),
    ],
    ids=['missing', 'empty', 'no image', 'folder of something else', 'not writable'],
)
def test_wrong_input_or_output_is_told_in_one_sentence(
    arguments, sentence, images, tmp_path, capfd
):
    places = {name: tmp_path / name for name in ('empty', 'text', 'strange')}
    places['empty'].mkdir()
    places['text'].write_text('no video')
    places['strange'].mkdir()
    (places['strange'] / 'thesis.tex').write_text('years of work')
    given = [part.format(images=images, **places) for part in arguments]
    assert main(['demo', '--weights', 'random', *given]) == 1
    said = capfd.readouterr().err.strip()
    assert said.startswith('s2r demo: ')
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert (places['strange'] / 'thesis.tex').exists()


def test_a_calibration_undistorts(images, tmp_path):
    calibration = tmp_path / 'calibration.yaml'
    calibration.write_text(
        yaml.safe_dump(
            {
                'image_width': WIDTH,
                'image_height': HEIGHT,
                'distortion_model': 'plumb_bob',
                'camera_matrix': {'rows': 3, 'cols': 3, 'data': [120, 0, 80, 0, 120, 48, 0, 0, 1]},
                'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.4, 0, 0, 0, 0]},
            }
        )
    )
    result = s2r(
        'demo',
        images,
        '--out',
        tmp_path / 'demo',
        '--weights',
        'random',
        '--frames',
        2,
        '--calibration',
        calibration,
    )
    assert result.returncode == 0, result.stderr
    points = len(PlyData.read(tmp_path / 'demo' / 'cloud.ply')['vertex'])
    assert 0.5 * HEIGHT * WIDTH < points < HEIGHT * WIDTH  # the lens did not see the border


def test_weights_that_are_not_there_are_told_by_the_node(images, tmp_path):
    result = s2r('demo', images, '--out', tmp_path / 'demo', '--weights', tmp_path / 'none.pth')
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert 'depth_node: cannot configure: no weights at' in last
    assert 'none.pth' in last
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_early_is_quoted(images, tmp_path):
    calibration = tmp_path / 'calibration.yaml'
    calibration.write_text('image_width: many')
    result = s2r(
        'demo',
        images,
        '--out',
        tmp_path / 'demo',
        '--weights',
        'random',
        '--calibration',
        calibration,
    )
    assert result.returncode == 1
    assert 's2r demo: camera_player ended early with exit code 1:' in result.stderr
    assert 'calibration.yaml' in result.stderr.split('ended early')[1]
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize('number', ['0', '-3', 'nan', 'many'])
def test_a_rate_that_is_no_positive_number_is_refused(number, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['demo', '--rate', number])
    assert stopped.value.code == 2
    assert 'invalid positive float value' in capsys.readouterr().err


def test_help_lists_the_verbs_and_the_verb_tells_more(capsys):
    for arguments, text in (['--help'], 'demo'), (['demo', '--help'], 'contact_sheet.png'):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
        assert text in capsys.readouterr().out
