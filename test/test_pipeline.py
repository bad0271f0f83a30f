"""From messages to views and from depth to messages, without a node."""
import array

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from s2r_depth_ros.camera import CameraError
from s2r_depth_ros.camera_topics import DEPTH, INFO, OUTPUTS, POINTS, STRUCTURE
from s2r_depth_ros.parameters import Parameters
from s2r_depth_ros.pipeline import CameraInput, limit_depth, output_messages, View
from s2r_depth_ros.predictor import PredictedMaps

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


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
    limited = limit_depth(depth_m, view, 40.0, Parameters(depth_scale=2.0))
    assert limited[0, :5].tolist() == [-np.inf, 2.0, 40.0, np.inf, np.inf]
    assert np.isnan(limited[0, 5])
    assert limited.dtype == np.float32
    assert depth_m[0, 1] == 1.0


def test_far_holds_where_it_is_nearer_than_max_depth():
    view = View(image().header, RGB, None, None, '')
    limited = limit_depth(np.array([[7.0, 7.7]], np.float32), view, 7.6, Parameters())
    assert limited.tolist() == [[7.0, np.inf]]


def test_outputs_are_those_wanted_that_can_be():
    view = CameraInput().view(image(), info(), Parameters())
    depth_m = np.full((4, 6), 10.0, np.float32)
    half = np.full((4, 6), 0.5, np.float32)
    maps = PredictedMaps(depth_m, half, half)
    found = output_messages(view, depth_m, maps, OUTPUTS, Parameters(point_stride=2))
    assert set(found) == set(OUTPUTS)
    assert all(message.header == view.header for message in found.values())
    assert (found[POINTS].height, found[POINTS].width) == (2, 3)
    assert set(found[STRUCTURE].data) == {128}
    assert set(output_messages(view, depth_m, None, {DEPTH}, Parameters())) == {DEPTH}


def test_without_calibration_there_is_neither_cloud_nor_camera_info():
    view = CameraInput().view(image(), None, Parameters())
    depth_m = np.full((4, 6), 10.0, np.float32)
    wanted = {DEPTH, INFO, POINTS}
    assert set(output_messages(view, depth_m, None, wanted, Parameters())) == {DEPTH}
