"""From messages to views and from depth to messages, without a node."""
import array

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from s2r_depth_ros import messages
from s2r_depth_ros.camera import CameraError
from s2r_depth_ros.outputs import DEPTH, INFO, OUTPUTS, POINTS, SCALE, STRUCTURE
from s2r_depth_ros.parameters import Parameters
from s2r_depth_ros.pipeline import (
    CameraDepth,
    CameraInput,
    FinishedDepth,
    limit_depth,
    output_messages,
    View,
)
from s2r_depth_ros.predictor import PredictedMaps
from s2r_depth_ros.scale import Scale

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
FINISHED = FinishedDepth(np.full((4, 6), 10.0, np.float32), Scale(1.5, 0.75), '')


def image():
    message = Image(
        height=4, width=6, encoding='rgb8', step=18, data=array.array('B', RGB.tobytes()))
    message.header.stamp.sec = 7
    message.header.frame_id = 'optical'
    return message


def info(**changes):
    message = CameraInfo(
        height=4, width=6, k=[5.0, 0.0, 2.5, 0.0, 5.0, 1.5, 0.0, 0.0, 1.0],
        distortion_model='plumb_bob')
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_a_view_has_the_pixels_the_header_and_the_intrinsics():
    view = CameraInput().view(image(), info(), Parameters())
    assert np.array_equal(view.rgb, RGB)
    assert view.header == image().header
    assert view.size_px == (4, 6)
    assert view.intrinsics.tolist() == [[5.0, 0.0, 2.5], [0.0, 5.0, 1.5], [0.0, 0.0, 1.0]]
    assert view.seen is None
    assert view.no_cloud_reason == ''


@pytest.mark.parametrize(('camera_info', 'reason'), [
    (None, 'no camera_info'), (info(k=[0.0] * 9), 'not calibrated')])
def test_without_calibration_there_is_a_view_and_a_reason(camera_info, reason):
    view = CameraInput().view(image(), camera_info, Parameters())
    assert view.intrinsics is None
    assert reason in view.no_cloud_reason


def test_a_calibration_for_another_size_is_refused_with_both_sizes():
    with pytest.raises(CameraError, match='12 x 4 pixels, the image has 6 x 4'):
        CameraInput().view(image(), info(width=12), Parameters())


def test_rectification_maps_are_kept_until_the_calibration_changes():
    camera, parameters = CameraInput(), Parameters(rectify=True)
    camera.view(image(), info(d=[0.1, 0.0, 0.0, 0.0, 0.0]), parameters)
    first = camera._rectifier
    view = camera.view(image(), info(d=[0.1, 0.0, 0.0, 0.0, 0.0]), parameters)
    assert camera._rectifier is first
    assert view.seen is not None
    assert not view.model.d.any()
    camera.view(image(), info(d=[0.2, 0.0, 0.0, 0.0, 0.0]), parameters)
    assert camera._rectifier is not first


def test_limits_by_hand():
    view = View(image().header, RGB, None, np.array([[True] * 5 + [False]]), '')
    depth_m = np.array([[0.04, 1.0, 20.0, 39.0, 41.0, 5.0]], np.float32)
    # Doubled: 0.08 is too near, 78 is beyond max_depth, 82 is beyond far (40 * 2), one was unseen.
    limited = limit_depth(depth_m, view, 40.0, 2.0, Parameters())
    assert limited[0, :5].tolist() == [-np.inf, 2.0, 40.0, np.inf, np.inf]
    assert np.isnan(limited[0, 5])
    assert limited.dtype == np.float32
    assert depth_m[0, 1] == 1.0


def test_far_holds_where_it_is_nearer_than_max_depth():
    view = View(image().header, RGB, None, None, '')
    limited = limit_depth(np.array([[7.0, 7.7]], np.float32), view, 7.6, 1.0, Parameters())
    assert limited.tolist() == [[7.0, np.inf]]


def test_outputs_are_those_wanted_that_can_be():
    view = CameraInput().view(image(), info(), Parameters())
    half = np.full((4, 6), 0.5, np.float32)
    maps = PredictedMaps(FINISHED.depth_m, half, half)
    found = output_messages(view, FINISHED, maps, {*OUTPUTS, SCALE}, Parameters(point_stride=2))
    assert found.pop(SCALE).data.tolist() == [1.5, 0.75]
    assert set(found) == set(OUTPUTS)
    assert all(message.header == view.header for message in found.values())
    assert (found[POINTS].height, found[POINTS].width) == (2, 3)
    assert set(found[STRUCTURE].data) == {128}
    assert set(output_messages(view, FINISHED, None, {DEPTH}, Parameters())) == {DEPTH}


def test_without_calibration_there_is_neither_cloud_nor_camera_info():
    view = CameraInput().view(image(), None, Parameters())
    wanted = {DEPTH, INFO, POINTS}
    assert set(output_messages(view, FINISHED, None, wanted, Parameters())) == {DEPTH}


def test_a_fixed_scale_is_that_of_the_parameter():
    view = CameraInput().view(image(), info(), Parameters())
    parameters = Parameters(depth_scale=1.5)
    finished = CameraDepth(parameters).finish(
        np.full((4, 6), 10.0, np.float32), view, 76.0, None, parameters)
    assert (finished.depth_m == 15.0).all()
    assert finished.scale.factor == 1.5
    assert np.isnan(finished.scale.confidence)
    assert not finished.scale_fault


@pytest.mark.parametrize(('parameters', 'camera_info', 'fault'), [
    (Parameters(scale_source='ground_plane', camera_height=1.0), info(), 'no level ground'),
    (Parameters(scale_source='ground_plane', camera_height=1.0), None, 'without calibration'),
    (Parameters(scale_source='reference'), info(), 'no scale reference within 0.2 s')])
def test_a_scale_that_cannot_be_measured_is_held_and_says_why(parameters, camera_info, fault):
    view = CameraInput().view(image(), camera_info, parameters)
    wall_m = np.full((4, 6), 10.0, np.float32)
    finished = CameraDepth(parameters).finish(wall_m, view, 76.0, None, parameters)
    assert (finished.depth_m == wall_m).all()
    assert finished.scale == (1.0, 0.0)
    assert 'the scale stays at 1: ' in finished.scale_fault
    assert fault in finished.scale_fault


def test_a_reference_of_an_unknown_encoding_is_named():
    parameters = Parameters(scale_source='reference')
    view = CameraInput().view(image(), info(), parameters)
    finished = CameraDepth(parameters).finish(
        np.full((4, 6), 10.0, np.float32), view, 76.0, image(), parameters)
    assert "not 'rgb8'" in finished.scale_fault


def test_where_depth_means_far_or_nothing_was_seen_it_has_no_part_in_the_scale():
    parameters = Parameters(scale_source='reference')
    seen = np.ones((8, 12), bool)
    seen[:, :4] = False
    depth_m = np.full((8, 12), 10.0, np.float32)
    depth_m[:, :4], depth_m[:, 4:7] = 1.0, 79.0  # unseen, and sky
    view = View(image().header, np.zeros((8, 12, 3), np.uint8), None, seen, '')
    reference = messages.depth_to_image(np.full((8, 12), 12.0, np.float32), view.header)
    finished = CameraDepth(parameters).finish(depth_m, view, 76.0, reference, parameters)
    assert finished.scale.factor == pytest.approx(1.2)
    assert finished.scale.confidence == 1.0


def test_depth_is_steadied_if_asked_for():
    view = CameraInput().view(image(), info(), Parameters())
    for parameters, expected_m in (Parameters(), 16.0), (Parameters(steadiness=0.5), 8.0):
        camera = CameraDepth(parameters)
        camera.finish(np.full((4, 6), 4.0, np.float32), view, 76.0, None, parameters)
        finished = camera.finish(np.full((4, 6), 16.0, np.float32), view, 76.0, None, parameters)
        assert np.allclose(finished.depth_m, expected_m)


def test_what_was_before_steadying_was_off_or_long_ago_is_forgotten():
    steadied, as_it_is = Parameters(steadiness=0.5), Parameters()
    camera = CameraDepth(steadied)

    def depth_m(predicted_m, stamp_s, parameters=steadied):
        message = image()
        message.header.stamp.sec = stamp_s
        view = CameraInput().view(message, info(), parameters)
        finished = camera.finish(
            np.full((4, 6), predicted_m, np.float32), view, 76.0, None, parameters)
        return float(finished.depth_m[0, 0])

    assert depth_m(4.0, 7) == pytest.approx(4.0)
    assert depth_m(16.0, 8) == pytest.approx(8.0)
    assert depth_m(16.0, 600) == pytest.approx(16.0)
    assert depth_m(9.0, 601, as_it_is) == pytest.approx(9.0)
    assert depth_m(4.0, 602) == pytest.approx(4.0)
