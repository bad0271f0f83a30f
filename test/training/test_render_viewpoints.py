"""Any camera: its kinds, where it stands, what it sees, and that ordinary scenes stay."""

import json

import numpy as np
import pytest

from s2r_scenes import camera as cameras
from s2r_scenes import generate, render_scenes, sensor, viewpoints
from s2r_scenes.light import Sensor
from s2r_scenes.meshes import box, Material, merge, quads

SIZE_PX = 64, 32


def build(kind, setting, world):
    job = generate.Job(kind, 3, *SIZE_PX, 11, ('clone',), 'one', 'embree', 1, cameras=setting)
    return generate.build_world(job, world)[0]


@pytest.fixture(scope='module', params=['driving', 'indoor'])
def scenes(request):
    return [build(request.param, 'any', f'{number:04d}') for number in range(1, 13)]


def test_no_camera_stands_in_or_right_before_a_thing(scenes):
    for scene in scenes:
        probe = viewpoints.Probe([scene.solid, scene.cutout])
        for view in scene.cameras:
            around = np.random.default_rng(0).normal(size=(200, 3))
            around /= np.linalg.norm(around, axis=1, keepdims=True)
            assert probe.reach(view.position, around).min() > 0.05
            assert probe.view_m(view).min() > 0.15


def test_cameras_keep_to_the_ranges_and_vary(scenes):
    views = [view for scene in scenes for view in scene.cameras]
    pitch_deg = np.degrees(np.arcsin([view.forward[2] for view in views]))
    fov_deg = np.degrees([2 * np.arctan(32 / view.intrinsics[0, 0]) for view in views])
    assert pitch_deg.min() > -61
    assert pitch_deg.max() < 26
    assert np.ptp(pitch_deg) > 20
    assert fov_deg.min() > 34
    assert fov_deg.max() < 121
    assert np.ptp(fov_deg) > 30
    assert {(view.width_px, view.height_px) for view in views} == {SIZE_PX}


def test_views_of_one_plane_are_rare(scenes):
    flat = []
    for scene in scenes:
        probe = viewpoints.Probe([scene.solid, scene.cutout])
        depths = [probe.view_m(view) for view in scene.cameras]
        flat += [viewpoints.variation(depth_m) < 0.1 for depth_m in depths]
    assert np.mean(flat) < 0.1


def test_a_plane_is_told_from_a_corner():
    room = [box((6, 6, 3), Material(0), (0, 0, 1.5))]
    probe = viewpoints.Probe(room)
    intrinsics = cameras.pinhole(np.radians(60), *SIZE_PX)
    for yaw_deg, pitch_deg, expected in ((0, 0, True), (15, 0, True), (45, 0, False)):
        view = cameras.look(
            (1, 0, 1.5), np.radians(yaw_deg), np.radians(pitch_deg), 0, intrinsics, *SIZE_PX
        )
        rays = viewpoints._coarse(view)
        assert viewpoints.is_one_plane(probe.view_m(view), rays) == expected


@pytest.fixture
def probe():
    """Return a plain with a box of 4 x 2 x 1.5 m in the middle."""
    ground = quads(
        np.array([[(-50, 50, 0), (50, 50, 0), (50, -50, 0), (-50, -50, 0)]]), Material(0)
    )
    return viewpoints.Probe([merge([ground, box((4, 2, 1.5), Material(0), (0, 0, 0.75))])])


@pytest.mark.parametrize('start_m', [3.0, 10.0])
def test_a_camera_goes_towards_the_thing_that_lies_ahead(probe, start_m):
    rng, eye = np.random.default_rng(0), np.array([start_m, 0, 0.7])
    ends = np.array([viewpoints._towards_a_thing(rng, probe, eye, np.pi) for _ in range(50)])
    nearest_m = min(0.6, start_m - 2)
    assert ends[:, 0].min() > 2 + nearest_m - 1e-4
    assert ends[:, 0].max() < min(6, start_m) + 1e-4
    assert np.ptp(ends[:, 0]) > 0.3
    np.testing.assert_allclose(ends[:, 1:], [[0, 0.7]] * 50, atol=1e-6)
    assert viewpoints._towards_a_thing(rng, probe, eye, 0) is None  # nothing lies there


def test_an_eye_in_a_box_is_not_free_and_one_beside_it_is(probe):
    assert not probe.is_free(np.array([0, 0, 0.7]), is_room=False)
    assert not probe.is_free(np.array([2.03, 0, 0.7]), is_room=False)  # 3 cm before it
    assert probe.is_free(np.array([3.0, 0, 0.7]), is_room=False)
    assert not probe.is_free(np.array([3.0, 0, -0.7]), is_room=False)  # below the ground


@pytest.mark.parametrize('kind', ['driving', 'indoor'])
def test_any_cameras_can_be_drawn_again(kind):
    first, second = (build(kind, 'any', '0002') for _ in range(2))
    for one, other in zip(first.cameras, second.cameras):
        np.testing.assert_array_equal(one.position, other.position)
        np.testing.assert_array_equal(one.rotation, other.rotation)


def test_a_lens_margin_darkens_the_corners_and_not_the_middle():
    light, sky = np.ones((32, 64, 3), np.float32), np.zeros((32, 64), bool)
    lens = Sensor(0.3, 1.0, np.ones(3), 0.0, 0.0, 0.0, margin=0.2)
    picture = sensor.expose(light, sky, lens, np.random.default_rng(0))
    assert picture[0, 0].max() == 0
    assert picture[16, 32].min() > 100


def test_folders_with_any_cameras_say_so_and_ordinary_ones_are_noted_as_before(tmp_path):
    options = {'scenes': 1, 'frames_per_scene': 1, 'width_px': 32, 'height_px': 16, 'workers': 1}
    options |= {'variations': ['clone'], 'backend': 'embree', 'supersample': 1, 'kind': 'indoor'}
    render_scenes(tmp_path / 'any', cameras='any', **options)
    render_scenes(tmp_path / 'ordinary', **options)
    assert json.loads((tmp_path / 'any/render.json').read_text())['cameras'] == 'any'
    assert 'cameras' not in json.loads((tmp_path / 'ordinary/render.json').read_text())
    with pytest.raises(ValueError, match="cameras must be ordinary or any, not 'wide'"):
        render_scenes(tmp_path / 'new', cameras='wide', **options)


def test_a_wider_picture_is_cropped_to_a_narrower_view():
    kind = viewpoints.KINDS['hand-held']
    rng = np.random.default_rng(0)
    narrow = [viewpoints.intrinsics_of(rng, kind, 300, 400)[0, 0] / 300 for _ in range(80)]
    wide = [viewpoints.intrinsics_of(rng, kind, 1320, 400)[0, 0] / 1320 for _ in range(80)]
    assert np.median(narrow) > 1.3 * np.median(wide)
