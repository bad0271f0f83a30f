"""Both renderers: exact depth, the same depth, and light that behaves."""

import numpy as np
import pytest
from render_scene import (
    box_ahead,
    daylight,
    hand_made_scene,
    HEIGHT_PX,
    HOLED,
    make_renderer,
    wall_at,
    WHITE,
    WIDTH_PX,
)

from s2r_scenes.driving import driving_scene
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.gl import open_context
from s2r_scenes.indoor import indoor_scene
from s2r_scenes.meshes import box, Material
from s2r_scenes.textures import make_library

BACKENDS = ['gl', 'embree']


@pytest.mark.parametrize('backend', BACKENDS)
def test_depth_is_z_at_the_pixel_centre_not_the_length_of_the_ray(backend):
    scene = hand_made_scene(box_ahead())
    renderer = make_renderer(backend)
    renderer.load(scene)
    depth_m = renderer.depth(scene.cameras[0])
    assert depth_m.shape == (HEIGHT_PX, WIDTH_PX)
    assert depth_m.dtype == np.float32
    # The near face spans 0.5 m / 4 m * 32 px = 4 px either side of the middle, (31.5, 23.5).
    expected = np.full((HEIGHT_PX, WIDTH_PX), 10.0)
    expected[20:28, 28:36] = 4.0
    np.testing.assert_allclose(depth_m, expected, rtol=1e-5)


@pytest.mark.parametrize('backend', BACKENDS)
def test_nothing_hit_is_infinitely_far(backend):
    scene = hand_made_scene([box((1, 1, 1), Material(WHITE), (4.5, 0, 0))])
    renderer = make_renderer(backend)
    renderer.load(scene)
    depth_m = renderer.depth(scene.cameras[0])
    assert np.isinf(depth_m[0, 0])
    assert np.count_nonzero(np.isfinite(depth_m)) == 64


def test_a_miss_of_embree_is_infinite_and_its_distances_are_in_lengths_of_the_direction():
    scene = hand_made_scene([wall_at(10.0, Material(WHITE))])
    renderer = make_renderer('embree')
    renderer.load(scene)
    camera = scene.cameras[0]
    ahead = np.array([[1, 0, 0], [2, 0, 0], [0.5, 0, 0], [-1, 0, 0]], np.float32)
    origins = np.broadcast_to(np.float32(camera.position), ahead.shape)
    # The library itself calls a miss 1e37, which is finite.
    raw = renderer._embree.run(np.ascontiguousarray(origins), ahead, output=True)
    assert raw['primID'][3] == -1
    assert np.isfinite(raw['tfar'][3])
    distance, _, _ = renderer._cast(origins, ahead)
    lengths = np.linalg.norm(ahead, axis=1)
    np.testing.assert_allclose((distance * lengths)[:3], distance[0], rtol=1e-5)
    np.testing.assert_allclose(distance[1:3], distance[0] / lengths[1:3], rtol=1e-5)
    assert np.isinf(distance[3])


@pytest.mark.parametrize('backend', BACKENDS)
def test_depth_is_not_mixed_across_edges_when_supersampling(backend):
    scene = hand_made_scene(box_ahead())
    renderer = make_renderer(backend, supersample=2)
    renderer.load(scene)
    renderer.picture(scene.cameras[0], daylight())
    depth_m = renderer.depth(scene.cameras[0])
    assert set(np.round(np.unique(depth_m), 4)) == {np.float32(4), np.float32(10)}


@pytest.mark.parametrize('backend', BACKENDS)
def test_one_looks_through_the_holes_of_a_texture(backend):
    scene = hand_made_scene([wall_at(10.0, Material(WHITE))], [wall_at(5.0, Material(HOLED))])
    renderer = make_renderer(backend)
    renderer.load(scene)
    depth_m = renderer.depth(scene.cameras[0])
    np.testing.assert_allclose(depth_m[:, :31], 5.0, rtol=1e-5)
    np.testing.assert_allclose(depth_m[:, 33:], 10.0, rtol=1e-5)


@pytest.mark.parametrize('backend', BACKENDS)
def test_the_sun_lights_what_faces_it_and_not_what_lies_in_shadow(backend):
    floor = box((20, 20, 1), Material(WHITE), (10, 0, -2.5))
    roof = box((3, 3, 0.2), Material(WHITE), (6, 0, 3))
    sunny = daylight(
        key_colour=np.full(3, 4.0), zenith=np.zeros(3), horizon=np.zeros(3), ground=np.zeros(3)
    )
    scene = hand_made_scene([floor, roof])
    renderer = make_renderer(backend)
    renderer.load(scene)
    picture = renderer.picture(scene.cameras[0], sunny)
    row = (
        HEIGHT_PX // 2 + 10
    )  # meets the floor (2 m below) at 2 * 32 / 10.5 = 6.1 m, below the roof
    assert picture[row, WIDTH_PX // 2].max() < 0.1
    np.testing.assert_allclose(picture[row, 2], 4.0, rtol=0.05)  # 5.9 m to the left: full sun


@pytest.mark.parametrize('backend', BACKENDS)
def test_fog_brings_far_things_towards_the_colour_of_the_horizon(backend):
    scene = hand_made_scene([wall_at(10.0, Material(WHITE, (0, 0, 0)))])
    renderer = make_renderer(backend)
    renderer.load(scene)
    picture = renderer.picture(scene.cameras[0], daylight(fog_per_m=0.1))
    # A black wall 10 m away keeps exp(-1) of its blackness.
    np.testing.assert_allclose(picture[HEIGHT_PX // 2, WIDTH_PX // 2], 1 - np.exp(-1), rtol=0.01)


def test_a_context_that_was_opened_and_closed_meanwhile_changes_nothing():
    scene = hand_made_scene(box_ahead())
    renderer = make_renderer('gl')

    def drawn():
        open_context().release()
        renderer.load(scene)
        open_context().release()
        depth_m = renderer.depth(scene.cameras[0])
        open_context().release()
        return depth_m, renderer.picture(scene.cameras[0], daylight())

    first, again = drawn(), drawn()
    assert set(np.unique(first[0])) == {np.float32(4), np.float32(10)}
    assert 0.5 < first[1].mean() < 2
    for before, after in zip(first, again):
        np.testing.assert_array_equal(after, before)


def test_few_views_of_rooms_are_filled_by_what_is_right_before_the_camera():
    library, renderer = make_library(0, 0), EmbreeRenderer(1)
    middle_m = []
    for number in range(40):
        scene = indoor_scene(np.random.default_rng([7, number]), library, 2, 40, 30)
        renderer.load(scene)
        middle_m += [np.median(renderer.depth(camera)) for camera in scene.cameras]
    assert np.mean(np.array(middle_m) < 1.0) < 0.1
    assert 1.5 < np.median(middle_m) < 3.5  # and rooms are no halls


def test_no_view_of_a_room_leads_out_of_the_house():
    library, renderer = make_library(0, 0), EmbreeRenderer(1)
    for number in range(60):
        scene = indoor_scene(np.random.default_rng([8, number]), library, 2, 40, 30)
        renderer.load(scene)
        for camera in scene.cameras:
            assert np.isfinite(renderer.depth(camera)).all(), f'scene {number}'


@pytest.mark.parametrize('build', [driving_scene, indoor_scene])
def test_both_backends_see_the_same_depth(build):
    width_px, height_px = 160, 64
    scene = build(np.random.default_rng([3, 3]), make_library(0, 0), 1, width_px, height_px)
    # Without foliage: OpenGL averages the alpha of far leaves, rays read it at a point.
    scene = scene._replace(cutout=scene.cutout._replace(faces=scene.cutout.faces[:0]))
    depths = []
    for backend in BACKENDS:
        renderer = make_renderer(backend, width_px, height_px)
        renderer.load(scene)
        depths.append(renderer.depth(scene.cameras[0]))
    gl, embree = (np.minimum(depth_m, 655.35) for depth_m in depths)
    differs = np.abs(gl - embree) > np.maximum(0.01, 1e-4 * embree)
    assert differs.mean() < 0.005  # single pixels on edges
