"""The filter against flicker: by hand, and with the network on a rendered street with traffic."""

import math

import cv2
import numpy as np
import pytest

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.temporal_smoothing import TemporalSmoother
from s2r_scenes.driving import driving_scene
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.meshes import merge, place
from s2r_scenes.props import car
from s2r_scenes.sensor import expose
from s2r_scenes.textures import make_library

GREY = np.full((32, 48, 3), 100, np.uint8)


def even(depth_m, shape=GREY.shape[:2]):
    return np.full(shape, depth_m, np.float32)


def test_where_nothing_changes_the_logarithm_is_averaged():
    smoother = TemporalSmoother()
    assert np.allclose(smoother.update(even(4.0), GREY, 0.75), 4.0)
    # 4 ** 0.75 * 64 ** 0.25 = 2 ** 1.5 * 2 ** 1.5
    assert np.allclose(smoother.update(even(64.0), GREY, 0.75), 8.0)


def test_where_the_image_changes_the_new_depth_counts_alone():
    smoother = TemporalSmoother()
    smoother.update(even(4.0), GREY, 0.75)
    image = GREY.copy()
    image[8:16, 8:16] += 20
    depth_m = smoother.update(even(64.0), image, 0.75)
    assert np.allclose(depth_m[8:16, 8:16], 64.0)
    assert np.allclose(depth_m[:, 40:], 8.0)


def test_noise_is_no_change_and_a_slow_dusk_is_followed():
    smoother, random = TemporalSmoother(), np.random.default_rng(0)
    for brightness in range(100, 60, -1):
        image = np.clip(random.normal(brightness, 4, GREY.shape), 0, 255).astype(np.uint8)
        first_m = 4.0 if brightness == 100 else 64.0
        depth_m = smoother.update(even(first_m), image, 0.5)
        if brightness == 99:
            assert np.allclose(depth_m, 16.0)
    assert np.allclose(depth_m, 64.0, rtol=1e-3)


@pytest.mark.parametrize('stamp_s', [12.5, 9.0], ids=['after a gap', 'after a step back'])
def test_another_time_begins_anew(stamp_s):
    smoother = TemporalSmoother()
    smoother.update(even(4.0), GREY, 0.9, 10.0)
    assert np.allclose(smoother.update(even(9.0), GREY, 0.9, stamp_s), 9.0)


def test_another_size_begins_anew():
    smoother = TemporalSmoother()
    smoother.update(even(4.0), GREY, 0.9)
    assert np.allclose(smoother.update(even(9.0, (16, 48)), GREY[:16], 0.9), 9.0)


@pytest.mark.parametrize('size_px', [(1, 1), (5, 3), (17, 9)])
def test_images_of_any_size_can_be_steadied(size_px):
    smoother = TemporalSmoother()
    for _ in range(2):
        depth_m = smoother.update(even(3.0, size_px), np.zeros((*size_px, 3), np.uint8), 0.5)
    assert depth_m.shape == size_px
    assert np.allclose(depth_m, 3.0)


def street_with_traffic(frames, width_px=416, height_px=128):
    """Yield image and true depth of a street on which a car crosses before a camera that rests."""
    random = np.random.default_rng([3, 0])
    library = make_library(3, 0)
    scene = driving_scene(random, library, 1, width_px, height_px, 'residential')
    (camera,) = scene.cameras
    light, response = scene.looks['clone']
    crossing = car(random, library)
    renderer = EmbreeRenderer(1)
    ahead = camera.position * (1, 1, 0) + 12 * camera.forward * (1, 1, 0)
    left = np.array([-camera.forward[1], camera.forward[0], 0])
    yaw_rad = math.atan2(left[1], left[0])
    for sideways_m in np.linspace(-2, 6, frames):
        there = place(crossing, ahead + sideways_m * left, yaw_rad)
        renderer.load(scene._replace(solid=merge([scene.solid, there])))
        depth_m = renderer.depth(camera)
        picture = renderer.picture(camera, light)
        yield expose(picture, np.isinf(depth_m), response, random), depth_m


def flicker(depths_m, is_still):
    """Return the mean change of depth from frame to frame, relative, where nothing moves."""
    changes = [
        np.abs(np.log(after / before))[still].mean()
        for before, after, still in zip(depths_m, depths_m[1:], is_still)
    ]
    return float(np.mean(changes))


def test_flicker_of_the_network_on_still_parts_is_halved_and_traffic_leaves_no_ghost():
    images, truths_m = zip(*street_with_traffic(8))
    predictor = DepthPredictor(device='cpu')
    raw_m = [predictor.predict([image])[0] for image in images]
    smoother = TemporalSmoother()
    smoothed_m = [smoother.update(*each, 0.8) for each in zip(raw_m, images)]
    # Beside a car its depth bleeds into what stands still: some pixels about it are left out.
    moved = [
        cv2.dilate((before != after).astype(np.uint8), np.ones((25, 25))) > 0
        for before, after in zip(truths_m, truths_m[1:])
    ]
    is_still = [~each for each in moved]
    assert min(each.mean() for each in is_still) > 0.3
    assert flicker(smoothed_m, is_still) < 0.5 * flicker(raw_m, is_still)
    for number, (before, after) in enumerate(zip(truths_m, truths_m[1:]), start=1):
        came = after < before - 1  # where the car is and was not
        assert came.any()
        new = np.abs(np.log(smoothed_m[number] / raw_m[number]))[came]
        assert np.median(new) < 0.01
