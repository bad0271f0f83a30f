"""From an image to its depth, without ROS: preprocess, predict, smooth, scale, limit, project."""

from dataclasses import replace
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.camera_model import CameraError, CameraModel
from s2r_depth_ros.depth.ground import GroundPlane, GroundReading
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import (
    by_contact,
    CameraImage,
    CameraState,
    corrects_by_contact,
    DepthPipeline,
    DepthResult,
    limit_depth,
    load_predictor,
    postprocess,
    preprocess,
    project,
    ScaleReference,
)
from s2r_depth_ros.depth.scale_source import ScaleSource
from s2r_depth_ros.network import DepthMaps, Judgement
from s2r_depth_ros.weights.info import WeightsInfo

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
K = np.array([[5.0, 0.0, 2.5], [0.0, 5.0, 1.5], [0.0, 0.0, 1.0]])
INFO = WeightsInfo(80.0, 100.0, 96, 96)


def camera(width=6, height=4, d=(), k=K):
    return CameraModel.from_calibration(width, height, k, d, np.eye(3), np.zeros((3, 4)))


def image(**changes):
    fields = {'rgb': RGB, 'camera': camera(), 'stamp_ns': 7 * 10**9, 'frame_id': 'optical'}
    return CameraImage(**{**fields, **changes})


def predicted(depth_m, **changes):
    """What the network might say of an image."""
    depth_m = np.asarray(depth_m, np.float32)
    if depth_m.ndim == 0:
        depth_m = np.full((4, 6), depth_m)
    return DepthResult(
        preprocess(image(**changes), CameraState(), Parameters()), depth_m, far_m=76.0
    )


class Even(torch.nn.Module):
    """Stands for the network: halfway up its range everywhere, 40 m at the training's lens."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, batch, return_maps):
        self.batches.append(len(batch))
        even = torch.zeros(len(batch), 1, *batch.shape[2:])
        quarter, half = even + 0.25, even + 0.5
        maps = {'depth': even, 'structure': quarter, 'attention': half}
        return DepthMaps(*(maps.get(name, even) for name in DepthMaps._fields))


@pytest.fixture
def pipeline():
    predictor = DepthPredictor(Even(), INFO, 'cpu', threads=1)
    predictor.engine.network = Even()  # the predictor runs a copy
    return DepthPipeline(predictor, Parameters())


class Judging(torch.nn.Module):
    """Stands for a network with a judge: error 0.48 and ground on the left, 0.16 and none else."""

    judge = torch.nn.Identity()

    def __init__(self):
        super().__init__()
        self.judged = []

    def forward(self, batch, return_maps, judged=False):
        self.judged.append(judged)
        even = torch.zeros(len(batch), 1, *batch.shape[2:])
        maps = DepthMaps(*(even,) * 8)
        if not judged:
            return maps
        log_error, ground = torch.full_like(even, math.log(0.16)), even.clone()
        log_error[..., : even.shape[3] // 2], ground[..., : even.shape[3] // 2] = math.log(0.48), 1
        return maps._replace(judgement=Judgement(log_error, ground))


@pytest.mark.parametrize(
    ('parameters', 'asked', 'has_confidence', 'has_ground'),
    [
        (Parameters(), {}, False, False),
        (Parameters(), {'with_ground': True}, False, True),
        (Parameters(), {'with_confidence': True}, True, False),
        (Parameters(min_confidence=0.4), {}, True, False),
    ],
)
def test_a_judge_runs_once_and_only_for_what_is_asked(
    parameters, asked, has_confidence, has_ground
):
    predictor = DepthPredictor(Judging(), INFO, 'cpu', threads=1)
    network = predictor.engine.network = Judging()  # the predictor runs a copy
    prepared = preprocess(image(), CameraState(), parameters)
    (result,) = DepthPipeline(predictor, parameters).predict([prepared], **asked)
    assert network.judged == [has_confidence or has_ground]
    assert (result.confidence is not None) == has_confidence
    assert (result.ground_probability is not None) == has_ground
    if has_confidence:
        assert result.confidence[:, 0] == pytest.approx(1 / 4)
        assert result.confidence[:, -1] == pytest.approx(1 / 2)
    if has_ground:
        assert result.is_ground(0.5)[:, 0].all()
        assert not result.is_ground(0.5)[:, -1].any()
        assert result.is_ground(1.0) is None
    limited_m = postprocess(result, CameraState(), parameters).depth_m
    assert np.isnan(limited_m[:, 0]).all() == (parameters.min_confidence > 0)


def test_the_judge_runs_for_the_contact_once_a_ground_plane_is_known():
    plane = GroundPlane(1.0)
    held = CameraState()
    held.ground.update(GroundReading(plane))
    for expected, parameters, state, from_tf in (
        (False, Parameters(), CameraState(), GroundReading()),
        (True, Parameters(), CameraState(), GroundReading(plane)),
        (True, Parameters(), held, GroundReading()),
        (True, Parameters(camera_height=1.0), CameraState(), GroundReading()),
        (False, Parameters(camera_height=1.0, ground_contact=False), held, GroundReading(plane)),
        (False, Parameters(scale_source='fixed'), held, GroundReading(plane)),
        (False, Parameters(depth_scale=2.0), held, GroundReading(plane)),  # so it is fixed
    ):
        assert corrects_by_contact(parameters, state, from_tf) == expected
        predictor = DepthPredictor(Judging(), INFO, 'cpu', threads=1)
        network = predictor.engine.network = Judging()
        DepthPipeline(predictor, parameters).run(image(), state, from_tf=from_tf)
        assert network.judged == [expected]


def test_depth_is_corrected_by_the_ground_only_where_all_is_known():
    # The network sees 40 m everywhere; the left half shows ground, which is up to 20 m away.
    seen = predicted(40.0)
    ground = np.zeros((4, 6), np.float32)
    ground[:, :3] = 1.0
    judged = replace(seen, ground_probability=ground, log_error=np.zeros((4, 6), np.float32))
    known = ScaleSource('tf', GroundPlane(1.0, math.radians(20)))
    moved_m = by_contact(judged, 1.0, known).depth_m
    assert (moved_m[:, 0] < 30).all()
    assert moved_m[:, -1] == pytest.approx(40.0)
    half = replace(judged, depth_m=judged.depth_m / 2)
    assert 2 * by_contact(half, 2.0, known).depth_m == pytest.approx(moved_m)
    for result, source in (
        (seen, known),
        (judged, ScaleSource('fixed')),
        (judged, ScaleSource('tf', None)),
        (replace(judged, image=replace(judged.image, camera=None)), known),
    ):
        assert by_contact(result, 1.0, source) is result
    border = replace(judged.image, valid_mask=np.zeros((4, 6), bool))
    beyond = by_contact(replace(judged, image=border), 1.0, known)
    assert np.array_equal(beyond.depth_m, judged.depth_m)
    far = replace(judged, depth_m=np.full((4, 6), 76.0, np.float32))
    assert np.array_equal(by_contact(far, 1.0, known).depth_m, far.depth_m)


def test_an_image_stays_itself_and_gets_its_intrinsics():
    prepared = preprocess(image(), CameraState(), Parameters())
    assert np.array_equal(prepared.rgb, RGB)
    assert (prepared.stamp_ns, prepared.frame_id) == (7 * 10**9, 'optical')
    assert prepared.size_px == (4, 6)
    assert prepared.intrinsics.tolist() == K.tolist()
    assert prepared.valid_mask is None
    assert prepared.no_cloud_reason == ''


@pytest.mark.parametrize(
    ('model', 'reason'), [(None, 'no camera_info'), (camera(k=np.zeros((3, 3))), 'not calibrated')]
)
def test_without_calibration_there_is_an_image_and_a_reason(model, reason):
    prepared = preprocess(image(camera=model), CameraState(), Parameters())
    assert prepared.intrinsics is None
    assert reason in prepared.no_cloud_reason


def test_a_calibration_for_another_size_is_refused_with_both_sizes():
    with pytest.raises(CameraError, match='12 x 4 pixels, the image has 6 x 4'):
        preprocess(image(camera=camera(width=12)), CameraState(), Parameters())


def test_rectification_maps_are_kept_until_the_calibration_changes():
    state, parameters = CameraState(), Parameters(rectify=True)
    preprocess(image(camera=camera(d=[0.1, 0, 0, 0, 0])), state, parameters)
    first = state.rectifier
    prepared = preprocess(image(camera=camera(d=[0.1, 0, 0, 0, 0])), state, parameters)
    assert state.rectifier is first
    assert prepared.valid_mask is not None
    assert not prepared.camera.d.any()
    preprocess(image(camera=camera(d=[0.2, 0, 0, 0, 0])), state, parameters)
    assert state.rectifier is not first


@pytest.mark.parametrize('model', [None, camera(), camera(d=[0.1, 0.0, 0.0, 0.0, 0.0])])
def test_a_prepared_image_stays_as_it_is(model):
    state, parameters = CameraState(), Parameters(rectify=True)
    once = preprocess(image(camera=model), state, parameters)
    twice = preprocess(once, state, parameters)
    assert twice.rgb is once.rgb
    assert twice.valid_mask is once.valid_mask
    assert twice.camera == once.camera
    assert twice.no_cloud_reason == once.no_cloud_reason


def test_limits_by_hand():
    result = DepthResult(
        image(valid_mask=np.array([[True] * 5 + [False]])),
        np.array([[0.04, 1.0, 20.0, 39.0, 41.0, 5.0]], np.float32),
        far_m=40.0,
    )
    # Doubled: 0.08 is too near, 78 is beyond max_depth, 82 is beyond far (40 * 2), one is masked.
    limited_m = limit_depth(result, 2.0, Parameters())
    assert limited_m[0, :5].tolist() == [-np.inf, 2.0, 40.0, np.inf, np.inf]
    assert np.isnan(limited_m[0, 5])
    assert limited_m.dtype == np.float32
    assert result.depth_m[0, 1] == 1.0


@pytest.mark.parametrize('values', [{'min_depth': 50.0}, {'depth_scale': 0.001}])
def test_a_network_that_does_not_reach_the_least_depth_is_said(values):
    result = replace(predicted(5.0), far_m=20.0)
    limited = postprocess(result, CameraState(), Parameters(**values))
    assert not np.isfinite(limited.depth_m).any()
    assert limited.scale_fault == (
        f'min_depth is {values.get("min_depth", 0.1):g} m, but the network only reaches '
        f'{20 * values.get("depth_scale", 1):.3g} m: reduce min_depth, or correct the scale'
    )
    assert not postprocess(result, CameraState(), Parameters()).scale_fault


def test_a_confidence_that_no_pixel_reaches_is_said():
    seen = predicted(5.0)
    half = replace(seen, confidence=np.full_like(seen.depth_m, 0.5))
    empty = postprocess(half, CameraState(), Parameters(min_confidence=0.9))
    assert np.isnan(empty.depth_m).all()
    assert empty.scale_fault == (
        'min_confidence is 0.9, but the confidence only reaches 0.50: reduce min_confidence'
    )
    assert not postprocess(half, CameraState(), Parameters(min_confidence=0.5)).scale_fault


def test_far_holds_where_it_is_nearer_than_max_depth():
    result = DepthResult(image(), np.array([[7.0, 7.7]], np.float32), far_m=7.6)
    assert limit_depth(result, 1.0, Parameters()).tolist() == [[7.0, np.inf]]


def test_a_fixed_scale_is_that_of_the_parameter():
    result = postprocess(predicted(10.0), CameraState(), Parameters(depth_scale=1.5))
    assert (result.depth_m == 15.0).all()
    assert result.scale.factor == 1.5
    assert np.isnan(result.scale.confidence)
    assert not result.scale_fault


@pytest.mark.parametrize(
    ('parameters', 'model', 'fault'),
    [
        (
            Parameters(scale_source='ground_plane', camera_height=1.0),
            camera(),
            'below the horizon',
        ),
        (Parameters(scale_source='ground_plane', camera_height=1.0), None, 'without calibration'),
        (Parameters(scale_source='reference'), camera(), 'no scale reference'),
    ],
)
def test_a_scale_that_cannot_be_measured_is_held_and_says_why(parameters, model, fault):
    wall = predicted(1.0, camera=model)
    result = postprocess(wall, CameraState(), parameters)
    assert (result.depth_m == wall.depth_m).all()
    assert result.scale == (1.0, 0.0)
    assert 'the scale stays at 1: ' in result.scale_fault
    assert fault in result.scale_fault


@pytest.mark.parametrize(
    ('height_m', 'fault'),
    [
        (0.1, ''),
        (0.15, ''),  # a small robot, which the network takes for a car
        (1.5, ''),
        (8.0, ''),
        (15.0, 'seems to be 1.5 m above the ground, but camera_height is 15 m'),
        (28.0, 'seems to be 1.5 m above the ground, but camera_height is 28 m'),
        (150.0, 'fits a camera height of 150 m: check that it is right, and in metres'),
    ],
)
@pytest.mark.parametrize('source', ['ground_plane', 'auto'])
def test_a_height_that_the_ground_contradicts_is_said(height_m, fault, source):
    width_px, height_px = 120, 90
    k = np.array([[100.0, 0, 59.5], [0, 100.0, 29.5], [0, 0, 1]])
    seen_m = GroundPlane(1.5).depth_m((height_px, width_px), k, 0.0)
    rgb = np.zeros((height_px, width_px, 3), np.uint8)
    result = predicted(np.minimum(seen_m, 80.0), rgb=rgb, camera=camera(width_px, height_px, k=k))
    parameters = Parameters(scale_source=source, camera_height=height_m)
    said = postprocess(result, CameraState(), parameters).scale_fault
    assert fault in said
    assert bool(said) == bool(fault)


def test_why_there_is_no_reference_is_said():
    result = postprocess(
        predicted(10.0),
        CameraState(),
        Parameters(scale_source='reference'),
        ScaleReference(fault='the lidar sleeps'),
    )
    assert result.scale_fault == 'the scale stays at 1: the lidar sleeps'


def test_where_depth_means_far_or_no_pixel_is_valid_it_has_no_part_in_the_scale():
    valid_mask = np.ones((8, 12), bool)
    valid_mask[:, :4] = False
    depth_m = np.full((8, 12), 10.0, np.float32)
    depth_m[:, :4], depth_m[:, 4:7] = 1.0, 79.0  # masked, and sky
    result = postprocess(
        DepthResult(
            CameraImage(np.zeros((8, 12, 3), np.uint8), valid_mask=valid_mask), depth_m, 76.0
        ),
        CameraState(),
        Parameters(scale_source='reference'),
        ScaleReference(np.full((8, 12), 12.0, np.float32)),
    )
    assert result.scale.factor == pytest.approx(1.2)
    assert result.scale.confidence == 1.0


def test_nothing_lies_beyond_the_ground_that_gives_the_scale():
    high = GroundPlane(2.0)
    tf, k = GroundReading(high), camera().k
    result = predicted(60.0)
    for parameters, reading, margin_deg in (
        (Parameters(), tf, 2),
        (Parameters(camera_height=2.0), GroundReading(), 4),
    ):
        found = postprocess(result, CameraState(), parameters, from_tf=reading)
        assert found.ground == high
        ground_m = high.depth_m((4, 6), k, math.radians(margin_deg))
        assert np.isfinite(ground_m[2:]).all()
        assert found.depth_m == pytest.approx(np.minimum(60.0, ground_m))
    fixed = postprocess(result, CameraState(), Parameters(scale_source='fixed'), from_tf=tf)
    assert fixed.ground == high
    assert (fixed.depth_m == 60.0).all()


def test_the_depth_of_the_ground_follows_a_camera_that_moves():
    state = CameraState()
    for pitch_rad in (0.0, 0.1, 0.1, 0.2):
        ground = GroundPlane(2.0, pitch_rad)
        result = postprocess(predicted(60.0), state, Parameters(), from_tf=GroundReading(ground))
        ground_m = ground.depth_m((4, 6), camera().k, math.radians(2))
        assert result.depth_m == pytest.approx(np.minimum(60.0, ground_m))


def test_a_reference_that_has_come_counts_from_then_on():
    state, reference = CameraState(), ScaleReference(np.full((8, 12), 12.0, np.float32))
    image = CameraImage(np.zeros((8, 12, 3), np.uint8))
    result = DepthResult(image, np.full((8, 12), 10.0, np.float32), 76.0)
    before = postprocess(result, state, Parameters())
    assert (before.scale_source, before.scale.factor, before.scale_fault) == ('fixed', 1, '')
    found = postprocess(result, state, Parameters(), reference)
    assert (found.scale_source, found.scale.factor) == ('reference', pytest.approx(1.2))
    held = postprocess(result, state, Parameters(scale_smoothing=0.0))
    assert (held.scale_source, held.scale.factor) == ('reference', pytest.approx(1.2))
    assert 'no scale reference' in held.scale_fault


def test_depth_is_smoothed_over_time_if_asked_for():
    for parameters, expected_m in (
        (Parameters(), 16.0),
        (Parameters(temporal_smoothing=0.5), 8.0),
    ):
        state = CameraState()
        postprocess(predicted(4.0), state, parameters)
        assert np.allclose(postprocess(predicted(16.0), state, parameters).depth_m, expected_m)


def test_what_was_before_smoothing_was_off_or_long_ago_is_forgotten():
    state, smooth = CameraState(), Parameters(temporal_smoothing=0.5)

    def depth_m(predicted_m, stamp_s, parameters=smooth):
        result = predicted(predicted_m, stamp_ns=stamp_s * 10**9)
        return float(postprocess(result, state, parameters).depth_m[0, 0])

    assert depth_m(4.0, 7) == pytest.approx(4.0)
    assert depth_m(16.0, 8) == pytest.approx(8.0)
    assert depth_m(16.0, 600) == pytest.approx(16.0)
    assert depth_m(9.0, 601, Parameters()) == pytest.approx(9.0)
    assert depth_m(4.0, 602) == pytest.approx(4.0)


def test_the_points_are_the_back_projection_with_a_stride():
    result = predicted(10.0)
    points_m, rgb = project(result, stride=2)
    assert points_m.shape == rgb.shape == (2, 3, 3)
    # Pixel (2, 4): ((4 - 2.5) 10 / 5, (2 - 1.5) 10 / 5, 10)
    assert points_m[1, 2].tolist() == [3.0, 1.0, 10.0]
    assert rgb[1, 2].tolist() == RGB[2, 4].tolist()
    with pytest.raises(CameraError, match='needs the intrinsics'):
        project(predicted(10.0, camera=None))


def test_an_image_runs_through_the_pipeline_by_hand(pipeline):
    k = np.array([[50.0, 0, 24], [0, 50.0, 24], [0, 0, 1]])
    street = CameraImage(np.zeros((48, 48, 3), np.uint8), camera(48, 48, k=k))
    result = pipeline.run(street, CameraState(), with_maps=True)
    # 40 m at a focal length of 100 px; this one, enlarged twice to the network's input, has 100.
    assert np.allclose(result.depth_m, 40.0)
    assert result.far_m == pytest.approx(0.95 * 80.0)
    assert np.allclose(result.structure, 0.25)
    assert np.allclose(result.attention, 0.5)
    assert result.scale.factor == 1.0

    doubled = replace(pipeline, parameters=Parameters(depth_scale=1.5, max_depth=50.0))
    result = doubled.run(street, CameraState())
    assert np.isposinf(result.depth_m).all()
    assert result.structure is result.attention is None

    # Twice the focal length is twice as far; without intrinsics the training's counts.
    longer = replace(street, camera=camera(48, 48, k=k * [[1.5], [1.5], [1]]))
    assert np.allclose(pipeline.run(longer, CameraState()).depth_m, 60.0)
    assert np.allclose(pipeline.run(replace(street, camera=None), CameraState()).depth_m, 40.0)
    blind = replace(pipeline, parameters=Parameters(focal_correction=False))
    assert np.allclose(blind.run(longer, CameraState()).depth_m, 40.0)


def test_images_of_several_cameras_are_one_run_of_the_network(pipeline):
    images = [CameraImage(np.zeros((48, 48, 3), np.uint8), stamp_ns=n) for n in range(3)]
    for with_maps in (False, True):
        results = pipeline.predict(images, with_maps)
        assert [result.image.stamp_ns for result in results] == [0, 1, 2]
    assert pipeline.predictor.engine.network.batches == [3, 3]


def test_each_camera_has_its_own_state(pipeline):
    measuring = replace(pipeline, parameters=Parameters(scale_source='reference'))
    street = CameraImage(np.zeros((48, 48, 3), np.uint8), stamp_ns=10**9)
    left, right = CameraState(), CameraState()
    reference = ScaleReference(np.full((48, 48), 20.0, np.float32))
    assert measuring.run(street, left, reference).scale == pytest.approx((0.5, 1.0))
    assert measuring.run(street, right).scale == (1.0, 0.0)
    assert measuring.run(street, left).scale.factor == pytest.approx(0.5)


def test_parameters_choose_the_network():
    predictor = load_predictor(
        Parameters(weights='indoor', device='cpu', network_height=96, network_width=128)
    )
    assert predictor.info.max_depth_m < 80
    assert predictor.network_size_px == (96, 128)
    with pytest.raises(ValueError, match='nowhere'):
        load_predictor(Parameters(weights='nowhere.safetensors'))


def test_the_pipeline_runs_where_ros_cannot_be_imported():
    code = (
        'import sys\n'
        'for name in ("rclpy", "sensor_msgs", "std_msgs", "diagnostic_msgs", "rosbags"):\n'
        '    sys.modules[name] = None\n'
        'import numpy as np\n'
        'from s2r_depth_ros.depth import pipeline as p\n'
        'parameters = p.Parameters(device="cpu", depth_scale=2.0)\n'
        'pipeline = p.DepthPipeline(p.load_predictor(parameters), parameters)\n'
        'image = p.CameraImage(np.zeros((50, 60, 3), np.uint8))\n'
        'print(pipeline.run(image, p.CameraState()).depth_m.shape, "torch" in sys.modules)\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '(50, 60) False', done.stderr


def test_the_network_sees_the_mirrored_images_only_for_the_confidence(pipeline):
    network = pipeline.predictor.engine.network
    (plain,) = pipeline.predict([image()])
    assert plain.confidence is None
    assert network.batches == [1]
    (trusted,) = pipeline.predict([image()], with_confidence=True)
    assert network.batches == [1, 1, 1]
    assert trusted.confidence == pytest.approx(1.0)
    asking = replace(pipeline, parameters=Parameters(min_confidence=0.5))
    assert asking.run(image(), CameraState()).confidence is not None


def test_pixels_of_less_than_the_least_confidence_are_invalid():
    result = replace(predicted(10.0), confidence=np.full((4, 6), 0.5, np.float32))
    result.confidence[0, 0] = 0.25
    kept_m = postprocess(result, CameraState(), Parameters(min_confidence=0.5)).depth_m
    assert np.isnan(kept_m[0, 0])
    assert np.isnan(kept_m).sum() == 1
    assert np.isfinite(postprocess(result, CameraState(), Parameters()).depth_m).all()


def test_the_edge_filter_makes_smeared_depth_invalid_and_no_other():
    depth_m = np.repeat(np.linspace(2, 6, 40, dtype=np.float32)[None], 30, axis=0)
    depth_m[:, :18], depth_m[:, 22:] = 2.0, 6.0
    rgb = np.zeros((30, 40, 3), np.uint8)
    rgb[:, 20:] = 200
    result = DepthResult(image(rgb=rgb), depth_m, far_m=76.0)
    filtered_m = postprocess(result, CameraState(), Parameters(edge_filter=1.0)).depth_m
    assert np.isnan(filtered_m[:, 19:21]).all()
    assert np.isfinite(filtered_m[:, :12]).all()
    assert np.isfinite(filtered_m[:, 28:]).all()
    assert np.isfinite(postprocess(result, CameraState(), Parameters()).depth_m).all()
    assert np.isfinite(result.depth_m).all()
