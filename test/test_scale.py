"""The scale from the ground and from a reference: by hand, and on scenes with a spoilt one."""

import math

import numpy as np
import pytest

from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.scale import (
    cone_reference,
    NoScaleError,
    Scale,
    scale_from_ground,
    scale_from_reference,
    SmoothedScale,
)
from s2r_scenes import camera as cameras
from s2r_scenes.driving import driving_scene
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.indoor import indoor_scene
from s2r_scenes.meshes import box, Material, merge, quads
from s2r_scenes.scene import Scene
from s2r_scenes.textures import Library, make_library

WIDTH_PX, HEIGHT_PX = 160, 120
INTRINSICS = cameras.pinhole(math.radians(70), WIDTH_PX, HEIGHT_PX)
GREY = Material(0)
PLAIN = Library(np.full((1, 256, 256, 4), 255, np.uint8), {'plain': [0]})


def floor(half_m=50.0, height_m=0.0):
    """A level square."""
    return quads(
        np.array(
            [
                [
                    (half_m, half_m, height_m),
                    (half_m, -half_m, height_m),
                    (-half_m, -half_m, height_m),
                    (-half_m, half_m, height_m),
                ]
            ]
        ),
        GREY,
    )


def seen_by(meshes, height_m, pitch_deg=0.0, roll_deg=0.0):
    """Return the exact depth of meshes for a camera that looks along x, pitched downwards."""
    camera = cameras.look(
        (0, 0, height_m),
        0,
        -math.radians(pitch_deg),
        math.radians(roll_deg),
        INTRINSICS,
        WIDTH_PX,
        HEIGHT_PX,
    )
    renderer = EmbreeRenderer(1)
    renderer.load(Scene(merge(meshes), merge([]), PLAIN, [camera], {}))
    return renderer.depth(camera)


def test_a_height_beyond_every_factor_has_no_scale():
    depth_m = np.repeat(8 / (np.arange(2, 12)[:, None] - 1.5), 8, axis=1)
    intrinsics = np.array([[4.0, 0, 3.5], [0, 4.0, -0.5], [0, 0, 1]])
    for height_m in (1e-9, 1e9):
        with pytest.raises(NoScaleError):
            scale_from_ground(depth_m, intrinsics, GroundPlane(height_m))


def test_the_ground_by_hand():
    # A camera at 2 m with a focal length of 4 pixels: row v sees the ground at 2 * 4 / (v - 1.5).
    intrinsics = np.array([[4.0, 0, 3.5], [0, 4.0, 1.5], [0, 0, 1]])
    depth_m = np.repeat(8 / (np.arange(2, 12)[:, None] - 1.5), 8, axis=1)
    depth_m = np.vstack((np.full((2, 8), np.inf), depth_m))
    scale = scale_from_ground(depth_m, intrinsics, GroundPlane(3.0))
    assert scale.factor == pytest.approx(1.5, rel=1e-5)
    assert scale.confidence == pytest.approx(1.0)


@pytest.mark.parametrize('spoilt_by', [0.4, 1.0, 3.0])
@pytest.mark.parametrize(
    ('height_m', 'pitch_deg', 'roll_deg'), [(0.3, 0, 0), (1.65, 0, 2), (1.2, 30, -4), (8.0, 60, 0)]
)
def test_a_spoilt_scale_is_mended_by_the_ground_between_boxes(
    spoilt_by, height_m, pitch_deg, roll_deg
):
    sizes_m = height_m * np.array([[1, 1, 1.5], [2, 2, 0.5], [1, 1, 2]])
    places_m = height_m * np.array([[5, 1.5, 0.75], [6, -2.5, 0.25], [9, 0, 1]])
    boxes = [box(size, GREY, place) for size, place in zip(sizes_m, places_m)]
    truth_m = seen_by([floor(100 * height_m), *boxes], height_m, pitch_deg, roll_deg)
    noise = np.random.default_rng(0).normal(1, 0.03, truth_m.shape)
    # The pitch is known to some degrees only.
    scale = scale_from_ground(
        truth_m * spoilt_by * noise, INTRINSICS, GroundPlane(height_m, math.radians(pitch_deg + 5))
    )
    assert scale.factor * spoilt_by == pytest.approx(1, abs=0.05)
    assert scale.confidence > 0.4


def test_the_floor_wins_against_a_table_over_it():
    table = box((2, 3, 0.05), GREY, (2.4, 0, 0.7))
    truth_m = seen_by([floor(), table], 1.5, 35)
    assert scale_from_ground(
        truth_m, INTRINSICS, GroundPlane(1.5, math.radians(35))
    ).factor == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('spoilt_by', [0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    'meshes',
    [
        [box((1, 60, 60), GREY, (2.0, 0, 0)), floor()],  # a wall, 1.5 m away
        [box((6, 8, 3), GREY, (6, 0, 0)), floor()],
    ],
    ids=['wall', 'lorry'],
)
def test_without_ground_there_is_no_scale_or_one_nearer_to_the_truth(meshes, spoilt_by):
    try:
        scale = scale_from_ground(seen_by(meshes, 1.5) * spoilt_by, INTRINSICS, GroundPlane(1.5))
    except NoScaleError as error:
        assert 'no level ground below the horizon' in str(error)  # noqa: PT017
        return
    assert spoilt_by >= 1  # what is too near is never below the ground
    assert scale.confidence < 0.25
    assert 0.95 <= scale.factor * spoilt_by <= 1.05 * spoilt_by


@pytest.mark.parametrize(
    ('meshes', 'wrong_pitch_deg'),
    [
        ([box((1, 60, 60), GREY, (8.5, 0, 0)), floor()], 20),
        ([box((6, 8, 3), GREY, (12, 0, 0)), floor()], 40),
    ],
    ids=['wall', 'lorry'],
)
def test_what_stands_is_no_ground_for_a_camera_with_a_wrong_pitch(meshes, wrong_pitch_deg):
    ground = GroundPlane(1.5, math.radians(wrong_pitch_deg))
    with pytest.raises(NoScaleError, match='no level ground below the horizon'):
        scale_from_ground(seen_by(meshes, 1.5), INTRINSICS, ground)


@pytest.mark.parametrize('pitch_deg', [0, -60])
def test_without_depth_below_the_horizon_there_is_no_scale(pitch_deg):
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), np.nan if pitch_deg == 0 else 2.0)
    with pytest.raises(NoScaleError, match='hardly any valid depth below the horizon'):
        scale_from_ground(depth_m, INTRINSICS, GroundPlane(1.5, math.radians(pitch_deg)))


def test_a_camera_on_its_side_finds_the_ground():
    truth_m = seen_by([floor()], 0.8, 10, 90)
    ground = GroundPlane(0.8, math.radians(10), math.radians(90))
    scale = scale_from_ground(truth_m * 0.7, INTRINSICS, ground)
    assert scale.factor * 0.7 == pytest.approx(1, abs=0.02)


def test_a_network_that_takes_every_camera_for_a_high_one_is_mended_near_the_floor():
    sofa = box((0.8, 2, 0.8), GREY, (2.5, 0, 0.4))
    truth_m = seen_by([floor(), sofa], 0.15)
    scale = scale_from_ground(truth_m * 10, INTRINSICS, GroundPlane(0.15))
    assert scale.factor * 10 == pytest.approx(1, abs=0.05)


def rendered(kind, number):
    """Return depth, intrinsics, camera height and pitch of a scene of the training."""
    rng = np.random.default_rng([7, number])
    build = indoor_scene if kind == 'indoor' else driving_scene
    scene = build(rng, make_library(0, 0), 1, 240, 180 if kind == 'indoor' else 96)
    (camera,) = scene.cameras
    renderer = EmbreeRenderer(1)
    renderer.load(scene)
    return (
        renderer.depth(camera),
        camera.intrinsics,
        camera.position[2],
        -math.asin(camera.forward[2]),
    )


def test_spoilt_scales_of_rendered_streets_are_mended():
    off = []
    for number in range(6):
        depth_m, intrinsics, height_m, pitch_rad = rendered('driving', number)
        scale = scale_from_ground(depth_m * 0.6, intrinsics, GroundPlane(height_m, pitch_rad))
        off.append(abs(scale.factor * 0.6 - 1))
    assert np.median(off) < 0.05


def test_a_reference_by_hand():
    depth_m = np.full((8, 10), 5.0, np.float32)
    depth_m[:2] = np.nan
    reference_m = np.full((4, 5), np.nan, np.float32)
    assert scale_fault(depth_m, reference_m) == 0
    reference_m[:] = 6.0
    assert scale_fault(depth_m, reference_m) == 15
    # Of 32 x 40 pixels 640 are looked at; a quarter of them has another depth.
    depth_m = np.full((32, 40), 5.0)
    depth_m[:8] = 50.0
    reference_m = np.full((16, 40), 6.0)
    scale = scale_from_reference(depth_m, reference_m)
    assert scale == (pytest.approx(1.2), 0.75)


def scale_fault(depth_m, reference_m):
    """Return how many pixels are shared, of too few."""
    with pytest.raises(NoScaleError) as told:
        scale_from_reference(depth_m, reference_m)
    return int(str(told.value).split('share ')[1].split()[0])


def test_a_sparse_reference_with_gross_errors_mends_a_rendered_street():
    depth_m, *_ = rendered('driving', 0)
    rng = np.random.default_rng(1)
    reference_m = np.where(rng.random(depth_m.shape) < 0.02, depth_m, np.nan)
    wrong = rng.random(depth_m.shape) < 0.1
    reference_m[wrong] *= rng.uniform(0.1, 10, wrong.sum())
    scale = scale_from_reference(depth_m * 2.5, reference_m)
    assert scale.factor * 2.5 == pytest.approx(1, abs=0.05)
    assert scale.confidence > 0.8


def test_a_range_finder_is_a_disc_about_the_optical_axis():
    # A cone of 2 atan(0.25) has a radius of 100 * 0.25 pixels.
    intrinsics = np.array([[100.0, 0, 40], [0, 100.0, 30], [0, 0, 1]])
    reference_m = cone_reference((60, 80), intrinsics, 7.0, 2 * math.atan(0.25))
    assert np.isfinite(reference_m).sum() == pytest.approx(math.pi * 25**2, rel=0.05)
    assert reference_m[30, 40] == reference_m[30, 64] == 7.0
    assert np.isnan(reference_m[30, 70])
    assert np.isfinite(cone_reference((60, 80), intrinsics, 7.0, 0.0)).sum() >= 20


def test_smoothing_by_hand():
    scale = SmoothedScale(first=1.5)
    assert scale.update(None, 0.0, 2.0) == (pytest.approx(1.5), 0.0)
    # The first measurement counts whole: what came before was no measurement.
    found = scale.update(Scale(2.0, 0.8), 2.0, 2.0)
    assert found.factor == pytest.approx(2.0)
    kept = math.exp(-1)
    assert found.confidence == pytest.approx(0.8 / (1 + kept))
    # Geometric mean with weights 0.8 / e and 0.4.
    found = scale.update(Scale(1.0, 0.4), 4.0, 2.0)
    assert found.factor == pytest.approx(2 ** (0.8 * kept / (0.8 * kept + 0.4)))


def test_the_scale_is_held_while_nothing_is_measured_and_its_confidence_falls():
    scale = SmoothedScale(first=1.0)
    first = scale.update(Scale(2.0, 0.9), 0.0, 2.0)
    held = [scale.update(None, stamp_s, 2.0) for stamp_s in range(1, 3000, 100)]
    assert {round(each.factor, 9) for each in held} == {2.0}
    confidences = [first.confidence, *(each.confidence for each in held[:4])]
    assert confidences == sorted(confidences, reverse=True)
    assert held[-1].confidence < 1e-6
    assert scale.update(Scale(3.0, 0.5), 3000.0, 2.0).factor == pytest.approx(3.0)


def test_images_without_a_stamp_are_a_tenth_of_a_second_apart():
    unstamped, stamped = SmoothedScale(first=1.0), SmoothedScale(first=1.0)
    for number in range(1, 30):
        measured = Scale(2.0 if number < 15 else 3.0, 0.9)
        found = unstamped.update(measured, None, 0.5)
        assert found == pytest.approx(stamped.update(measured, number / 10, 0.5))
    assert found.factor == pytest.approx(3.0, rel=0.03)


def test_without_smoothing_the_newest_counts_alone_and_a_clock_may_go_back():
    scale = SmoothedScale(first=1.0)
    scale.update(Scale(2.0, 0.9), 10.0, 0.0)
    assert scale.update(Scale(4.0, 0.1), 10.1, 0.0) == (pytest.approx(4.0), pytest.approx(0.1))
    smooth = SmoothedScale(first=1.0)
    smooth.update(Scale(2.0, 0.5), 10.0, 2.0)
    assert smooth.update(Scale(2.0, 0.5), 3.0, 2.0).factor == pytest.approx(2.0)
