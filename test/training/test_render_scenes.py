"""The verb render-scenes: layout on disk, repeatability, going on, refusals."""

import functools
import hashlib
import json
import resource
import signal

import cv2
import numpy as np
import pytest

from s2r_depth_ros.jobs.run import run_jobs
from s2r_depth_ros.jobs.worker import JobsError
from s2r_scenes import cases, driving, gl, render_scenes, write
from s2r_scenes.course import Course, draw_course
from s2r_scenes.meshes import merge, POSITION
from s2r_scenes.roadside import Roadside
from s2r_scenes.site import Site
from s2r_scenes.surroundings import SETTINGS
from s2r_scenes.textures import make_library

TINY = {
    'width_px': 48,
    'height_px': 32,
    'frames_per_scene': 2,
    'backend': 'embree',
    'supersample': 1,
    'workers': 1,
}


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp('rendered')
    render_scenes(root, scenes=2, variations=['clone', 'rain'], **TINY)
    return root


def test_the_layout_is_that_of_vkitti(rendered):
    names = sorted(
        str(path.relative_to(rendered)) for path in rendered.rglob('*') if path.is_file()
    )
    expected = ['render.json'] + [f'vkitti_1.3.1_intrinsicsgt/{w}.txt' for w in ('0001', '0002')]
    expected += [
        f'vkitti_1.3.1_{kind}/{world}/{variation}/0000{frame}.png'
        for kind in ('rgb', 'depthgt')
        for world in ('0001', '0002')
        for variation in ('clone', 'rain')
        for frame in (0, 1)
    ]
    assert names == sorted(expected)
    rgb = cv2.imread(str(rendered / 'vkitti_1.3.1_rgb/0001/clone/00000.png'), cv2.IMREAD_UNCHANGED)
    depth = cv2.imread(
        str(rendered / 'vkitti_1.3.1_depthgt/0001/clone/00000.png'), cv2.IMREAD_UNCHANGED
    )
    assert (rgb.shape, rgb.dtype) == ((32, 48, 3), np.uint8)
    assert (depth.shape, depth.dtype) == ((32, 48), np.uint16)
    assert (depth == 65535).any() or depth.max() > 1000


def test_variations_change_the_picture_and_not_the_depth(rendered):
    files = digests(rendered)
    for world in ('0001', '0002'):
        clone, rain = (f'vkitti_1.3.1_{{}}/{world}/{name}/00001.png' for name in ('clone', 'rain'))
        assert files[clone.format('depthgt')] == files[rain.format('depthgt')]
        assert files[clone.format('rgb')] != files[rain.format('rgb')]


def test_intrinsics_have_a_header_and_a_line_per_frame(rendered):
    lines = (rendered / 'vkitti_1.3.1_intrinsicsgt/0001.txt').read_text().splitlines()
    assert lines[0] == 'frame K[0,0] K[1,1] K[0,2] K[1,2]'
    assert [line.split()[0] for line in lines[1:]] == ['0', '1']
    assert all(len(line.split()) == 5 for line in lines[1:])


def test_the_number_of_workers_does_not_show_in_the_files(rendered, tmp_path):
    render_scenes(tmp_path, scenes=2, variations=['clone', 'rain'], **{**TINY, 'workers': 2})
    assert digests(tmp_path) == digests(rendered)


def test_an_interrupted_run_goes_on_and_leaves_finished_scenes_alone(rendered, tmp_path):
    render_scenes(tmp_path, scenes=1, variations=['clone', 'rain'], **TINY)
    first = tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00000.png'
    stamp = first.stat().st_mtime_ns
    render_scenes(tmp_path, scenes=2, variations=['clone', 'rain'], **TINY)
    assert first.stat().st_mtime_ns == stamp
    assert digests(tmp_path) == digests(rendered)


def test_a_folder_begun_with_another_seed_is_refused(rendered):
    before = digests(rendered)
    with pytest.raises(ValueError, match='seed 0 instead of 7'):
        render_scenes(rendered, scenes=2, variations=['clone', 'rain'], seed=7, **TINY)
    assert digests(rendered) == before


def test_a_picture_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)  # stands for the end of a disk
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*/00003\.png'"):
            write.write_image(
                tmp_path,
                '0001',
                'fog',
                3,
                np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not [path for path in tmp_path.rglob('*') if path.is_file()]


def test_a_data_set_of_another_origin_is_kept(tmp_path):
    file = tmp_path / 'vkitti_1.3.1_rgb/0001/rain/00000.png'
    file.parent.mkdir(parents=True)
    file.write_bytes(b'of Virtual KITTI')
    with pytest.raises(write.FolderError, match=r'holds vkitti_1\.3\.1_rgb of another origin'):
        render_scenes(tmp_path, scenes=1, variations=['rain'], **TINY)
    assert list(digests(tmp_path)) == ['vkitti_1.3.1_rgb/0001/rain/00000.png']


@pytest.mark.parametrize('content', ['', '[{', '[1]'])
def test_a_folder_whose_settings_are_damaged_is_named_and_kept(tmp_path, content):
    (tmp_path / 'render.json').write_text(content)
    with pytest.raises(ValueError, match=r'render\.json .*: give another folder'):
        render_scenes(tmp_path, scenes=1, **TINY)
    assert (tmp_path / 'render.json').read_text() == content


def test_one_variation_per_scene_writes_one_folder(tmp_path):
    render_scenes(tmp_path, kind='indoor', scenes=1, variation_per_scene='one', **TINY)
    assert len(list((tmp_path / 'vkitti_1.3.1_rgb/0001').iterdir())) == 1
    assert json.loads((tmp_path / 'render.json').read_text())['kind'] == 'indoor'


def test_streets_of_named_surroundings_differ_from_the_usual_mix(tmp_path):
    usual, lorries = tmp_path / 'usual', tmp_path / 'lorries'
    one = {**TINY, 'scenes': 1, 'variations': ['clone']}
    render_scenes(usual, **one)
    render_scenes(lorries, surroundings=['lorries'], **one)
    assert 'surroundings' not in json.loads((usual / 'render.json').read_text())  # as before
    assert json.loads((lorries / 'render.json').read_text())['surroundings'] == ['lorries']
    assert digests(usual).keys() == digests(lorries).keys()
    depth = 'vkitti_1.3.1_depthgt/0001/clone/00000.png'
    assert digests(usual)[depth] != digests(lorries)[depth]
    with pytest.raises(ValueError, match='surroundings'):
        render_scenes(lorries, surroundings=['plaza'], **one)


def test_most_vehicles_among_lorries_are_taller_than_cars():
    rng = np.random.default_rng(5)
    site = Site(rng, make_library(0, 0), draw_course(rng, 1.0))
    setting = SETTINGS['lorries']
    tall = [np.ptp(site.vehicle(setting).vertices[:, 2]) > 2.2 for _ in range(60)]
    usually_tall = [np.ptp(site.vehicle().vertices[:, 2]) > 2.2 for _ in range(60)]
    assert np.mean(tall) > 0.6
    assert np.mean(usually_tall) < 0.4


def site_on_a_straight_road(seed):
    rng = np.random.default_rng(seed)
    return Site(rng, make_library(0, 0), Course(np.zeros(641), np.zeros(641)))


@pytest.mark.parametrize('seed', range(4))
def test_a_tunnel_or_deck_leaves_the_road_free_and_covers_it(seed):
    site = site_on_a_straight_road(seed)
    driving._cover(site, half=4.0, last_spot=0.0)
    vertices = merge(site.solid).vertices[:, POSITION]
    over_the_road = vertices[np.abs(vertices[:, 1]) < 4.0]
    assert over_the_road[:, 2].min() > 4.0
    assert np.abs(vertices[:, 1]).min() < 4.0 < np.abs(vertices[:, 1]).max()


@pytest.mark.parametrize('name', ['carpark', 'yard'])
@pytest.mark.parametrize('side', [-1, 1])
def test_vehicles_in_bays_stand_across_the_road_and_off_it(name, side):
    site = site_on_a_straight_road(3)
    setting = SETTINGS[name]
    Roadside(site, setting, side, half=4.0, junction=30.0).park_in_bays(near=4.0)
    assert len(site.solid) > 10
    for mesh in site.solid:
        extent = np.ptp(mesh.vertices[:, POSITION], axis=0)
        assert extent[1] > extent[0]
        assert (side * mesh.vertices[:, POSITION][:, 1]).min() > 4.0
        assert abs(mesh.vertices[:, POSITION][:, 0].mean() - 30) > 6


@pytest.mark.parametrize('name', ['park', 'track'])
def test_paths_have_no_paint_and_hardly_any_vehicles(name, monkeypatch):
    laid = []
    monkeypatch.setattr(driving, '_road', lambda *_: laid.append('road'))
    monkeypatch.setattr(driving, '_traffic', lambda *_: laid.append('traffic'))
    for seed in range(20):
        driving.driving_scene(np.random.default_rng(seed), make_library(0, 0), 1, 48, 32, name)
    assert 'road' not in laid
    assert len(laid) < 8


def test_woods_show_less_sky_than_country_roads(tmp_path):
    sky = {}
    for name in ('woods', 'rural'):
        render_scenes(
            tmp_path / name,
            scenes=6,
            surroundings=[name],
            variations=['clone'],
            **{**TINY, 'frames_per_scene': 1},
        )
        depths = [
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            for path in (tmp_path / name).rglob('*depthgt/*/clone/*.png')
        ]
        assert len(depths) == 6
        sky[name] = np.mean(np.stack(depths) == 65535)
    assert sky['woods'] < 0.7 * sky['rural']


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'scenes': 0}, 'scenes must be at least 1'),
        ({'variations': ['clone', 'snow']}, 'not snow'),
        ({'variations': []}, 'not none'),
        ({'width_px': 3}, 'width_px must be at least 16'),
        ({'height_px': 10**6}, 'height_px must be at most 8192'),
        ({'supersample': 1000}, 'supersample must be at most 16'),
        ({'workers': 0}, 'workers must be at least 1'),
        ({'workers': -1}, 'workers must be at least 1'),
        ({'surroundings': ['queue', 'beach']}, 'surroundings must be some of .*, not beach'),
        ({'surroundings': ['queue'], 'kind': 'indoor'}, 'kind driving, not of indoor'),
    ],
)
def test_senseless_settings_are_named_and_nothing_is_written(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        render_scenes(tmp_path / 'new', **{**TINY, **wrong})
    assert not (tmp_path / 'new').exists()


def test_depth_is_written_in_whole_centimetres():
    depth_m = np.array([[0.004, 1.234, 655.34, 655.36, np.inf]], np.float32)
    assert write.encode_depth(depth_m).tolist() == [[0, 123, 65534, 65535, 65535]]


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('wall-plain', 'wall-pictures'),
        ('road-plain', 'road-markings'),
        ('road-plain', 'road-shadows'),
    ],
)
def test_paired_cases_have_the_same_geometry_and_another_look(one, other):
    scenes = [cases.failure_case(name, 0, make_library(0, 0), 1, 64, 48) for name in (one, other)]
    for part in ('solid', 'cutout'):
        first, second = (getattr(scene, part) for scene in scenes)
        np.testing.assert_array_equal(first.vertices[:, POSITION], second.vertices[:, POSITION])
        np.testing.assert_array_equal(first.faces, second.faces)
    looks = [scene.looks['clone'][0].key_colour.max() for scene in scenes]
    assert looks[0] != looks[1] or (scenes[0].solid.vertices != scenes[1].solid.vertices).any()


def test_the_focal_cases_share_their_poses():
    short, long = (
        cases.failure_case(name, 0, make_library(0, 0), 1, 64, 48).cameras[0]
        for name in ('focal-short', 'focal-long')
    )
    np.testing.assert_array_equal(short.position, long.position)
    np.testing.assert_array_equal(short.rotation, long.rotation)
    assert long.intrinsics[0, 0] > 2 * short.intrinsics[0, 0]


def test_a_missing_opengl_is_explained_and_auto_does_without(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError('libEGL.so.1 not loaded')

    monkeypatch.setattr(gl, 'open_context', fail)
    with pytest.raises(ValueError, match=r'libEGL.so.1 not loaded.*install libegl1.*embree'):
        render_scenes(tmp_path / 'gl', **{**TINY, 'backend': 'gl'})
    assert not (tmp_path / 'gl').exists()
    render_scenes(tmp_path / 'auto', scenes=1, variations=['clone'], **{**TINY, 'backend': 'auto'})
    assert json.loads((tmp_path / 'auto/render.json').read_text())['backend'] == 'embree'


def test_what_failed_once_is_not_begun_again_and_again(tmp_path):
    done = tmp_path / 'done'
    with pytest.raises(JobsError, match='1 of 3 failed, the others are complete: second: broken'):
        run_jobs(
            functools.partial(_fail_on_second, done),
            ['first', 'second', 'third'],
            lambda name: False,
            1,
            unit='job',
            desc='jobs',
        )
    assert done.read_text() == 'first third '


def _fail_on_second(done, name):
    if name == 'second':
        raise OSError('broken')
    with done.open('a') as file:
        file.write(f'{name} ')
