"""`s2r depth`: what it reads, what it writes, what it refuses; also where ROS is not installed."""

import errno
from io import BytesIO
from pathlib import Path
import re
import resource
import shutil
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
from plyfile import PlyData
import pytest
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore, Stores
from test_frames import jpegs, write_matroska
import yaml

import s2r_depth_ros
from s2r_depth_ros.cli import main, VERBS
from s2r_depth_ros.cli.contact_sheet import contact_sheet
from s2r_depth_ros.cli.depth_files import DepthFiles
from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_ros.depth.pipeline import CameraImage, DepthPipeline, DepthResult
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.ros.message_types import Header, serialize_message
from s2r_depth_ros.ros.messages import pixels_to_image
from s2r_depth_ros.sources.frames import FrameSource

FRAMES = Path(s2r_depth_ros.__file__).parent / 'demo_frames'
STREET = FRAMES / 'street_0.jpg'

# Runs the command line where no module of ROS can be imported.
WITHOUT_ROS = """
import importlib.abc
import sys

HIDDEN = {'rclpy', 'rpyutils', 'cv_bridge', 'sensor_msgs_py', 'ament_index_python'}


class NoRos(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top in HIDDEN or top.endswith(('_msgs', '_interfaces')) or top.startswith('rosidl'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)


sys.meta_path.insert(0, NoRos())
from s2r_depth_ros.cli import main
import s2r_depth_ros.cli.offline
sys.exit(main(sys.argv[1:]))
"""


def run_without_ros(*arguments, **options):
    return subprocess.run(
        [sys.executable, '-c', WITHOUT_ROS, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture
def film(tmp_path):
    """Return a video of eight frames."""
    file = tmp_path / 'film.avi'
    bgr = cv2.imread(str(STREET))
    writer = cv2.VideoWriter(
        str(file), cv2.VideoWriter.fourcc(*'MJPG'), 5, (bgr.shape[1], bgr.shape[0])
    )
    for _ in range(8):
        writer.write(bgr)
    writer.release()
    return file


def test_every_kind_of_file_holds_the_predicted_depth_without_ros(tmp_path):
    done = run_without_ros(
        'depth',
        FRAMES,
        '--frames',
        2,
        '--save',
        'png',
        'npy',
        'color',
        'mp4',
        'ply',
        'sheet',
        '--max-depth',
        40,
        '--point-stride',
        2,
        '--out',
        tmp_path / 'out',
    )
    assert done.returncode == 0, done.stderr
    assert '2 images in' in done.stdout
    assert '2/2' in done.stderr  # the progress bar
    frame = next(iter(FrameSource(FRAMES, pytest.fail)))
    (expected_m,) = DepthPredictor().predict([frame.rgb], [frame.intrinsics])
    expected_m[expected_m > 40] = np.inf

    out = tmp_path / 'out'
    depth_m = np.load(out / 'depth_m/street_0.npy')
    assert depth_m.dtype == np.float32
    np.testing.assert_allclose(depth_m, expected_m, rtol=1e-3)
    depth_mm = cv2.imread(str(out / 'depth_mm/street_0.png'), cv2.IMREAD_UNCHANGED)
    assert depth_mm.dtype == np.uint16
    is_known = np.isfinite(depth_m)
    np.testing.assert_array_equal(depth_mm > 0, is_known)
    np.testing.assert_allclose(depth_mm[is_known], depth_m[is_known] * 1000, atol=0.51)

    vertices = PlyData.read(str(out / 'cloud/street_0.ply'))['vertex']
    assert len(vertices) == is_known[::2, ::2].sum()
    np.testing.assert_allclose(vertices['z'], depth_m[::2, ::2][is_known[::2, ::2]], rtol=1e-5)
    rows, columns = np.nonzero(is_known[::2, ::2])
    u = vertices['x'] / vertices['z'] * frame.intrinsics[0, 0] + frame.intrinsics[0, 2]
    np.testing.assert_allclose(u, 2 * columns, atol=0.01)
    np.testing.assert_array_equal(vertices['red'], frame.rgb[2 * rows, 2 * columns, 0])

    colored = cv2.imread(str(out / 'color/street_0.png'))
    assert colored.shape == frame.rgb.shape
    assert (colored[~is_known] == 64).all()
    assert len(list(FrameSource(out / 'color.mp4', pytest.fail))) == 2
    assert cv2.imread(str(out / 'contact_sheet.png')).shape[1] > 1000
    assert not [path for path in out.rglob('*') if path.name.startswith('.')]


def test_a_film_becomes_a_film_of_the_same_rate(tmp_path, film, capsys):
    assert main(['depth', str(film), '--hfov-deg', '70', '--out', str(tmp_path / 'out')]) == 0
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'color.mp4',
        'contact_sheet.png',
        'depth_mm',
    ]
    source = FrameSource(tmp_path / 'out/color.mp4', pytest.fail)
    assert (len(source), source.rate_hz) == (8, 5)


def test_a_film_of_variable_rate_is_told_how_far_its_images_move(tmp_path, film, capsys):
    out = tmp_path / 'out'
    # Six images of 64 x 48 at 10 a second, then one a second, as in a recording of a screen.
    screen = tmp_path / 'screen.mkv'
    times_ms = [*range(0, 600, 100), *range(1600, 5000, 1000)]
    write_matroska(screen, times_ms, jpegs(len(times_ms)), 64, 48)
    assert main(['depth', str(screen), '--save', 'mp4', '--out', str(out)]) == 0
    said = capsys.readouterr().err
    rate_hz = FrameSource(out / 'color.mp4', pytest.fail).rate_hz
    off_s = max(abs(time_ms / 1000 - number / rate_hz) for number, time_ms in enumerate(times_ms))
    assert off_s > 1
    assert f'images are up to {off_s:.1f} s away from their own times' in said
    # No word about pictures, which have their times in no film, or about a constant rate.
    for path, kind in ((screen, 'png'), (film, 'mp4'), (STREET, 'mp4')):
        out = tmp_path / path.stem
        assert main(['depth', str(path), '--save', kind, '--out', str(out)]) == 0
        assert 'own times' not in capsys.readouterr().err


def test_several_inputs_of_one_name_are_all_kept(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/street_0.jpg').write_bytes(STREET.read_bytes())
    out = tmp_path / 'out'
    assert (
        main(
            [
                'depth',
                str(STREET),
                str(tmp_path / 'a'),
                '--focal-px',
                '500',
                '--save',
                'png',
                '--out',
                str(out),
            ]
        )
        == 0
    )
    assert sorted(path.name for path in (out / 'depth_mm').iterdir()) == [
        'street_0-2.png',
        'street_0.png',
    ]


def test_the_focal_length_scales_the_depth_and_is_asked_for_where_it_is_needed(tmp_path, capsys):
    def depth_m(*options):
        out = tmp_path / '_'.join(('out', *options))
        assert (
            main(
                [
                    'depth',
                    str(STREET),
                    '--save',
                    'npy',
                    '--max-depth',
                    '10000',
                    '--out',
                    str(out),
                    *options,
                ]
            )
            == 0
        )
        return np.load(out / 'depth_m/street_0.npy')

    near, far = depth_m('--focal-px', '300'), depth_m('--focal-px', '600')
    is_finite = np.isfinite(near) & np.isfinite(far)
    np.testing.assert_allclose(far[is_finite] / near[is_finite], 2, rtol=1e-4)
    depth_m()
    assert 'wrong by an unknown factor: give --calibration' in capsys.readouterr().err
    assert main(['depth', str(STREET), '--save', 'ply', '--out', str(tmp_path / 'ply')]) == 1
    assert 'a cloud needs the focal length' in capsys.readouterr().err


def test_a_run_that_wrote_nothing_leaves_no_folder_of_its_own(tmp_path, capsys):
    mine = tmp_path / 'mine'
    mine.mkdir()
    for out in (tmp_path / 'a/b', mine):
        assert main(['depth', str(STREET), '--save', 'ply', 'png', '--out', str(out)]) == 1
        assert '(0 images are done)' in capsys.readouterr().err
    assert list(tmp_path.rglob('*')) == [mine]


def test_an_image_that_shows_nothing_is_said_once(tmp_path, capsys):
    images = tmp_path / 'images'
    images.mkdir()
    shutil.copyfile(STREET, images / 'a.jpg')
    for name in 'bc':
        cv2.imwrite(str(images / f'{name}.png'), np.zeros((128, 416, 3), np.uint8))
    command = ['depth', str(images), '--hfov-deg', '80', '--save', 'npy']
    assert main([*command, '--out', str(tmp_path / 'out')]) == 0
    written = capsys.readouterr().err
    assert re.findall(r's2r depth: (\w+): 99 % of the image are darker', written) == ['b']
    assert len(list((tmp_path / 'out').rglob('*.npy'))) == 3


def test_the_sheet_has_the_colours_of_the_images(tmp_path):
    # All that is nearer than the range has the reddest colour.
    reddest = color_depth(np.ones((1, 1), np.float32), 200, 300)[0, 0].astype(int)
    assert (
        main(
            [
                'depth',
                str(STREET),
                '--hfov-deg',
                '80',
                '--save',
                'color',
                'sheet',
                '--color-range',
                '200',
                '300',
                '--out',
                str(tmp_path / 'out'),
            ]
        )
        == 0
    )
    for file, share in (('color/street_0.png', 0.5), ('contact_sheet.png', 0.05)):
        bgr = cv2.imread(str(tmp_path / 'out' / file)).astype(int)
        assert (np.abs(bgr - reddest).max(axis=-1) < 4).mean() > share, file


def test_a_calibration_undistorts_unless_the_images_are_rectified(tmp_path, capsys):
    height_px, width_px = cv2.imread(str(STREET)).shape[:2]

    def matrix(rows, columns, data):
        return {'rows': rows, 'cols': columns, 'data': data}

    k = [200.0, 0.0, width_px / 2, 0.0, 200.0, height_px / 2, 0.0, 0.0, 1.0]
    content = {
        'image_width': width_px,
        'image_height': height_px,
        'camera_matrix': matrix(3, 3, k),
        'distortion_model': 'plumb_bob',
        'distortion_coefficients': matrix(1, 5, [0.3, 0.0, 0.0, 0.0, 0.0]),
    }
    file = tmp_path / 'camera.yaml'
    file.write_text(yaml.safe_dump(content))
    seen = {}
    for options in ((), ('--rectified',)):
        out = tmp_path / f'out{len(options)}'
        assert (
            main(
                [
                    'depth',
                    str(STREET),
                    '--calibration',
                    str(file),
                    '--save',
                    'npy',
                    '--out',
                    str(out),
                    *options,
                ]
            )
            == 0
        )
        seen[options] = ~np.isnan(np.load(out / 'depth_m/street_0.npy'))
    assert not seen[()].all()
    assert seen['--rectified',].all()

    content['image_width'] //= 2
    file.write_text(yaml.safe_dump(content))
    assert (
        main(['depth', str(STREET), '--calibration', str(file), '--out', str(tmp_path / 'wrong')])
        == 1
    )
    assert 'have another aspect ratio' in capsys.readouterr().err


def test_the_opencv_of_ubuntu_24_04_has_another_switch_for_its_messages(tmp_path, monkeypatch):
    # Version 4.6 is not installed here; of cv2 it lacks and has no more for this.
    monkeypatch.delattr(cv2.utils, 'logging', raising=False)
    levels = []
    monkeypatch.setattr(cv2, 'setLogLevel', levels.append, raising=False)
    assert (
        main(
            [
                'depth',
                str(STREET),
                '--hfov-deg',
                '80',
                '--weights',
                'random',
                '--save',
                'png',
                '--out',
                str(tmp_path / 'out'),
            ]
        )
        == 0
    )
    assert levels == [0]
    assert len(list((tmp_path / 'out').rglob('*.png'))) == 1


def test_a_title_of_file_names_is_no_formula_and_has_an_end():
    grey = np.zeros((8, 8), np.uint8)
    frame = SimpleNamespace(
        rgb=np.zeros((8, 8, 3), np.uint8),
        structure=grey,
        attention=grey,
        depth_m=np.ones((8, 8), np.float32),
    )
    for title in (r'x$\q$.jpg', ', '.join(f'{number}.jpg' for number in range(1000))):
        figure = contact_sheet([frame], title)
        figure.savefig(BytesIO())
        assert len(figure.texts[0].get_text()) <= 120


@pytest.mark.parametrize('rate_hz', [1e-9, 0.5, 29.97, 65.6789, 120.4321, 999.6])
def test_a_film_has_whatever_rate_a_bag_has(rate_hz, tmp_path):
    image = CameraImage(np.zeros((32, 32, 3), np.uint8))
    result = DepthResult(image, np.ones((32, 32), np.float32), far_m=76.0)
    with DepthFiles(tmp_path / 'out', ['mp4'], '', (1.0, 80.0), 1, rate_hz, 2) as files:
        for name in 'ab':
            files.write(name, result)
    video = cv2.VideoCapture(str(tmp_path / 'out/color.mp4'))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(max(0.1, rate_hz), rel=1e-3)


@pytest.mark.parametrize(
    ('width_px', 'height_px', 'expected_px'),
    [(1, 1, (2, 2)), (101, 77, (100, 76)), (16380, 20, (8190, 10)), (66000, 4, (8190, 2))],
)
def test_a_film_of_images_of_any_size_is_written(tmp_path, width_px, height_px, expected_px):
    image = CameraImage(np.zeros((height_px, width_px, 3), np.uint8))
    result = DepthResult(image, np.ones((height_px, width_px), np.float32), far_m=76.0)
    with DepthFiles(tmp_path / 'out', ['mp4'], '', (1.0, 80.0), 1, 10.0, 1) as files:
        files.write('a', result)
    video = cv2.VideoCapture(str(tmp_path / 'out/color.mp4'))
    sides = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
    assert tuple(map(video.get, sides)) == expected_px
    assert video.read()[0]


def test_a_film_of_images_of_two_shapes_distorts_none(tmp_path):
    with DepthFiles(tmp_path / 'out', ['mp4'], '', (1.0, 80.0), 1, 10.0, 2) as files:
        for height_px, width_px in ((64, 128), (128, 64)):
            image = CameraImage(np.zeros((height_px, width_px, 3), np.uint8))
            depth_m = np.ones((height_px, width_px), np.float32)
            files.write('a', DepthResult(image, depth_m, far_m=76.0))
    _, tall = FrameSource(tmp_path / 'out/color.mp4', pytest.fail)
    assert tall.rgb.shape == (64, 128, 3)
    shown = tall.rgb.max((0, 2)) > 60
    assert (shown.argmax(), shown.sum()) == (48, 32)


def test_a_folder_that_may_not_be_read_is_one_sentence(tmp_path, monkeypatch, capsys):
    def deny(path):
        raise PermissionError(errno.EACCES, 'Permission denied', str(path))

    monkeypatch.setattr(Path, 'iterdir', deny)
    assert main(['depth', str(tmp_path), '--out', str(tmp_path / 'out')]) == 1
    error = capsys.readouterr().err
    assert 'Permission denied' in error
    assert str(tmp_path) in error
    assert 'Traceback' not in error


def test_more_images_asked_for_than_there_are_leave_the_sheet_whole(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for number in range(6):
        shutil.copy(STREET, folder / f'{number}.jpg')
    heights_px = []
    for name, frames in (('all', []), ('more', ['--frames', '1000'])):
        out = tmp_path / name
        assert (
            main(
                [
                    'depth',
                    str(folder),
                    '--hfov-deg',
                    '80',
                    '--weights',
                    'random',
                    '--save',
                    'sheet',
                    '--out',
                    str(out),
                    *frames,
                ]
            )
            == 0
        )
        heights_px.append(cv2.imread(str(out / 'contact_sheet.png')).shape[0])
    assert heights_px[0] == heights_px[1]


def test_nothing_is_written_over_unasked(tmp_path, capsys):
    out = tmp_path / 'out'
    command = ['depth', str(STREET), '--save', 'png', '--out', str(out)]
    assert main(command) == 0
    file = out / 'depth_mm/street_0.png'
    file.write_bytes(b'mine')
    assert main(command) == 1
    assert 'is not empty: give another --out, or --force' in capsys.readouterr().err
    assert file.read_bytes() == b'mine'
    assert main([*command, '--force']) == 0
    assert file.read_bytes() != b'mine'


@pytest.mark.parametrize(
    ('name', 'kind'), [('color', 'color'), ('color/a.png', 'color'), ('color.mp4', 'mp4')]
)
def test_an_input_is_not_written_over_though_it_is_forced(name, kind, tmp_path, film, capsys):
    (tmp_path / 'color').mkdir()
    shutil.copy(STREET, tmp_path / 'color/a.png')
    shutil.copy(film, tmp_path / 'color.mp4')
    before = {path: path.read_bytes() for path in tmp_path.rglob('*.*')}
    command = ['depth', str(tmp_path / name), '--force', '--frames', '1', '--save', kind, '--out']
    assert main([*command, str(tmp_path)]) == 1
    assert 'would be written: give another --out' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob('*.*')} == before
    assert main([*command, str(tmp_path / 'out')]) == 0


def test_what_cannot_be_read_is_named_and_the_rest_is_done(tmp_path, film, capsys):
    folder = tmp_path / 'images'
    folder.mkdir()
    (folder / 'a.jpg').write_bytes(STREET.read_bytes())
    (folder / 'b.jpg').write_text('no image')
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    out = tmp_path / 'out'
    assert main(['depth', str(folder), str(film), '--save', 'png', '--out', str(out)]) == 1
    said = capsys.readouterr().err
    assert 'b.jpg is not an image' in said
    assert 'film.avi is broken' in said
    assert '2 faults: not all inputs could be used' in said
    assert {path.name for path in (out / 'depth_mm').iterdir()} >= {'a.png', '000000.png'}


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['nowhere'], 'nowhere is neither a folder nor a file'),
        ([__file__], 'is no image, and OpenCV cannot open it as a video'),
        (['webcam:63'], 'there is no webcam 63'),
        ([str(STREET), '--weights', 'nowhere'], 'no weights at nowhere'),
        ([str(STREET), '--calibration', 'nowhere'], 'cannot read the calibration nowhere'),
        ([str(STREET), '--min-depth', '9', '--max-depth', '8'], 'must be below max_depth'),
        ([str(STREET), '--color-range', '9', '3'], 'is NEAR and FAR, got 9 and 3 m'),
        ([str(STREET), '--out', f'{__file__}/out'], 'Not a directory'),
        ([str(STREET), '--image', '/a'], 'names topics of a bag, and no INPUT is a bag'),
        ([str(STREET), '--scale-source', 'ground_plane'], 'ground_plane needs --camera-height'),
        ([str(STREET), '--camera-pitch', '9'], '--camera-pitch 9 has no effect without'),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['depth', *arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('s2r depth: ')
    assert said in error


def test_a_full_disk_is_told_and_what_is_done_is_whole(tmp_path):
    def no_more_space():  # the limit on a file's size stands for the disk's
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    out = tmp_path / 'out'
    done = run_without_ros(
        'depth', FRAMES, '--save', 'png', 'npy', '--out', out, preexec_fn=no_more_space
    )
    assert done.returncode == 1
    assert 'street_0.npy: File too large (0 images are done)' in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr
    files = [path for path in out.rglob('*') if path.is_file()]
    assert files
    assert all(cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None for path in files)


def test_what_stops_it_is_told_with_what_is_done(tmp_path, capsys):
    out = tmp_path / 'out'
    (out / 'depth_mm/street_2.png').mkdir(parents=True)  # in the way of the third
    assert main(['depth', str(FRAMES), '--save', 'png', '--force', '--out', str(out)]) == 1
    said = capsys.readouterr().err
    told = re.search(rf'street_2.png: .* \((\d) images are done in {out}\)', said)
    assert told
    whole = [path for path in (out / 'depth_mm').iterdir() if path.is_file()]
    assert 2 <= int(told[1]) <= len(whole)


def test_a_webcam_is_read_until_it_is_told_to_stop(tmp_path, film, monkeypatch):
    # A mock: there is no camera here. The first webcam gives the film.
    capture = cv2.VideoCapture
    monkeypatch.setattr(
        cv2, 'VideoCapture', lambda which: capture(str(film) if which == 0 else which)
    )
    assert (
        main(['depth', 'webcam', '--frames', '2', '--save', 'png', '--out', str(tmp_path / 'out')])
        == 0
    )
    assert len(list((tmp_path / 'out/depth_mm').iterdir())) == 2


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch, capsys):
    run = DepthPipeline.run
    calls = []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(*arguments, **options)

    monkeypatch.setattr(DepthPipeline, 'run', interrupted)
    out = tmp_path / 'out'
    assert main(['depth', str(FRAMES), '--save', 'png', 'mp4', '--out', str(out)]) == 130
    assert 'stopped after 2 of 8 images' in capsys.readouterr().err
    assert sorted(path.name for path in (out / 'depth_mm').iterdir()) == [
        'street_0.png',
        'street_1.png',
    ]
    assert len(list(FrameSource(out / 'color.mp4', pytest.fail))) == 2


def test_without_a_verb_all_are_explained(capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(f'\n  {verb} ' in said for verb in VERBS)


def test_verbs_that_need_ros_say_so_where_it_is_missing():
    done = run_without_ros('demo')
    assert done.returncode == 1
    assert done.stderr.startswith('s2r demo needs ROS 2, which is not installed here')


@pytest.mark.parametrize(
    ('stamp_ns', 'name'),
    [
        (-100_000_000, '-0.100000000'),
        (-5 * 10**9, '-5.000000000'),
        ((2**31 - 1) * 10**9 + 7, '2147483647.000000007'),
    ],
)
def test_files_of_a_bag_have_their_stamp_for_a_name_before_0_too(tmp_path, stamp_ns, name):
    grey = np.full((48, 64, 3), 90, np.uint8)
    header = Header()
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(tmp_path / 'bag', version=9) as writer:
        connection = writer.add_connection(
            '/cam/image_raw', 'sensor_msgs/msg/Image', typestore=store
        )
        writer.write(connection, 10**9, serialize_message(pixels_to_image(grey, 'bgr8', header)))
    assert (
        main(
            [
                'depth',
                str(tmp_path / 'bag'),
                '--save',
                'npy',
                '--out',
                str(tmp_path / 'out'),
                '--network-height',
                '96',
                '--network-width',
                '96',
            ]
        )
        == 0
    )
    assert [file.name for file in (tmp_path / 'out/depth_m').iterdir()] == [f'{name}.npy']


def test_the_old_name_of_an_option_does_the_same_and_warns(tmp_path, capsys):
    folder = tmp_path / 'still'
    folder.mkdir()
    rgb, random = cv2.imread(str(STREET)), np.random.default_rng(0)
    for number in range(3):
        noisy = np.clip(rgb + random.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), noisy)
    runs = {
        'old': ['--steadiness', '0.5'],
        'new': ['--temporal-smoothing', '0.5'],
        'both': ['--steadiness', '0.9', '--temporal-smoothing', '0.5'],
        'without': [],
    }
    depths_m, errors = {}, {}
    for name, options in runs.items():
        out = tmp_path / name
        arguments = ['depth', str(folder), '--out', str(out), '--save', 'npy', '--hfov-deg', '60']
        assert (
            main([*arguments, '--network-height', '96', '--network-width', '192', *options]) == 0
        )
        depths_m[name] = [np.load(file) for file in sorted(out.rglob('*.npy'))]
        errors[name] = capsys.readouterr().err
    assert len(depths_m['without']) == 3
    assert not np.array_equal(depths_m['without'], depths_m['new'])
    np.testing.assert_array_equal(depths_m['old'], depths_m['new'])
    np.testing.assert_array_equal(depths_m['both'], depths_m['new'])
    assert '--steadiness is now called --temporal-smoothing: rename it' in errors['old']
    assert '--steadiness is ignored: --temporal-smoothing' in errors['both']
    assert 'steadiness' not in errors['new'] + errors['without']
