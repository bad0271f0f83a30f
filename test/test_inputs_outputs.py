"""From messages to an image of a camera, and from its depth to messages, without a node."""

import array
from dataclasses import replace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, Range

from s2r_depth_ros.depth.ground import GroundPlane
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraImage, CameraState, DepthResult, preprocess
from s2r_depth_ros.depth.scale import Scale
from s2r_depth_ros.ros import messages
from s2r_depth_ros.ros.inputs import camera_image, scale_reference
from s2r_depth_ros.ros.outputs import (
    compression_fault,
    CONFIDENCE,
    COPIES,
    DEPTH,
    frame_fault,
    GROUND,
    GROUND_OUTPUTS,
    header_of,
    INFO,
    info_message,
    needs_confidence,
    needs_ground,
    OBSTACLES,
    output_messages,
    OUTPUTS,
    POINTS,
    RECT_COLOR,
    SCALE,
    SCAN,
    STRUCTURE,
)

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
MAX_PIXELS = 100


def image():
    message = Image(
        height=4, width=6, encoding='rgb8', step=18, data=array.array('B', RGB.tobytes())
    )
    message.header.stamp.sec = 7
    message.header.stamp.nanosec = 5
    message.header.frame_id = 'optical'
    return message


def info():
    return CameraInfo(
        height=4,
        width=6,
        k=[5.0, 0.0, 2.5, 0.0, 5.0, 1.5, 0.0, 0.0, 1.0],
        distortion_model='plumb_bob',
    )


def result(camera_info, **maps):
    prepared = preprocess(
        camera_image(image(), camera_info, MAX_PIXELS), CameraState(), Parameters()
    )
    depth_m = np.full((4, 6), 10.0, np.float32)
    return DepthResult(prepared, depth_m, 76.0, scale=Scale(1.5, 0.75), **maps)


def test_an_image_has_the_pixels_stamp_frame_and_calibration_of_its_messages():
    read = camera_image(image(), info(), MAX_PIXELS)
    assert np.array_equal(read.rgb, RGB)
    assert (read.stamp_ns, read.frame_id) == (7_000_000_005, 'optical')
    assert read.intrinsics.tolist() == [[5.0, 0.0, 2.5], [0.0, 5.0, 1.5], [0.0, 0.0, 1.0]]
    assert camera_image(image(), None, MAX_PIXELS).camera is None


@pytest.mark.parametrize('stamp', [(0, 0), (7, 5), (2**31 - 1, 999_999_999), (-1, 900_000_000)])
def test_the_header_of_what_leaves_is_that_of_what_came(stamp):
    message = image()
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    assert header_of(camera_image(message, None, MAX_PIXELS)) == message.header


def test_outputs_are_those_wanted_that_can_be():
    half = np.full((4, 6), 0.5, np.float32)
    maps = {'structure': half, 'attention': half, 'confidence': half, 'ground_probability': half}
    with_maps = result(info(), **maps)
    found = output_messages(with_maps, {*OUTPUTS, *COPIES, SCALE}, Parameters(point_stride=2))
    assert found.pop(SCALE).data.tolist() == [1.5, 0.75]
    assert set(found) == {*OUTPUTS, *COPIES}
    assert all(message.header == image().header for message in found.values())
    assert (found[POINTS].height, found[POINTS].width) == (2, 3)
    assert set(found[STRUCTURE].data) == set(found[CONFIDENCE].data) == {128}
    assert set(output_messages(with_maps, {DEPTH}, Parameters())) == {DEPTH}
    assert set(output_messages(result(info()), {DEPTH, STRUCTURE}, Parameters())) == {DEPTH}


def test_obstacles_and_scan_come_alone_and_with_the_ground_only():
    with_ground = result(info(), ground=GroundPlane(0.5))
    assert set(output_messages(with_ground, {*OUTPUTS, *GROUND_OUTPUTS}, Parameters())) >= {
        POINTS,
        OBSTACLES,
        SCAN,
    }
    for output in GROUND_OUTPUTS:
        assert set(output_messages(with_ground, {output}, Parameters())) == {output}
        for lacking in (result(info()), result(None, ground=GroundPlane(0.5))):
            assert not output_messages(lacking, {output}, Parameters())


def test_no_ray_is_free_while_the_scale_is_doubtful():
    empty = result(info(), ground=GroundPlane(0.5))
    empty = replace(empty, depth_m=np.full_like(empty.depth_m, np.inf))
    scan = output_messages(empty, {SCAN}, Parameters())[SCAN]
    assert np.isposinf(scan.ranges).any()
    doubtful = replace(empty, scale_fault='the scale stays at 1: no level ground')
    unknown = output_messages(doubtful, {SCAN}, Parameters())[SCAN]
    assert np.array_equal(np.isnan(unknown.ranges), ~np.isneginf(scan.ranges))


def test_the_range_of_a_scan_is_no_contradiction_where_the_network_does_not_reach_it():
    beyond = Parameters(min_depth=500.0, max_depth=1000.0)
    scan = output_messages(result(info(), ground=GroundPlane(0.5)), {SCAN}, beyond)[SCAN]
    assert scan.range_min == scan.range_max == 500.0
    assert not np.isfinite(scan.ranges).any()


def test_the_cloud_has_the_confidence_of_its_pixels_if_asked_for():
    trusted = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    asked = Parameters(point_stride=2, points_confidence=True)
    (cloud,) = output_messages(result(info(), confidence=trusted), {POINTS}, asked).values()
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb', 'confidence']
    assert (cloud.point_step, cloud.row_step) == (20, 60)
    values = np.frombuffer(cloud.data, np.float32).reshape(2, 3, 5)
    assert np.array_equal(values[..., 4], trusted[::2, ::2])
    without = output_messages(result(info(), confidence=trusted), {POINTS}, Parameters())[POINTS]
    assert without.point_step == 16
    assert not needs_confidence({DEPTH, POINTS}, Parameters())
    assert not needs_confidence({DEPTH}, asked)
    assert needs_confidence({POINTS}, asked)
    assert needs_confidence({CONFIDENCE}, Parameters())


def test_the_ground_is_asked_for_by_what_shows_or_leaves_it_out():
    off = Parameters(ground_probability=1.0)
    assert needs_ground({GROUND}, off)
    assert not needs_ground({DEPTH, POINTS}, Parameters())
    for output in GROUND_OUTPUTS:
        assert needs_ground({output}, Parameters())
        assert not needs_ground({output}, off)
    known = result(info(), ground_probability=np.full((4, 6), 0.2, np.float32))
    assert set(output_messages(known, {GROUND}, off)[GROUND].data) == {51}
    assert not output_messages(result(info()), {GROUND}, off)


def test_nothing_is_known_of_what_rectification_left_black():
    ones = np.ones((4, 6), np.float32)
    known = result(info(), confidence=ones, ground_probability=ones)
    known.depth_m[0] = np.nan
    seen = np.isfinite(known.depth_m)
    rectified = replace(known, image=replace(known.image, valid_mask=seen))
    for output in (CONFIDENCE, GROUND):
        (message,) = output_messages(rectified, {output}, Parameters()).values()
        assert np.array_equal(np.reshape(message.data, (4, 6)), np.where(seen, 255, 0))


def test_an_image_that_opencv_cannot_encode_lacks_the_compressed_copies_and_says_so():
    long = CameraImage(np.zeros((1, 65501, 3), np.uint8))
    wanted = {DEPTH, *COPIES}
    found = output_messages(
        DepthResult(long, np.ones((1, 65501), np.float32), 76.0), wanted, Parameters()
    )
    assert set(found) == {DEPTH}
    assert 'over 65500 pixels' in compression_fault(long, wanted)
    assert compression_fault(long, {DEPTH}) == ''
    assert compression_fault(CameraImage(RGB), wanted) == ''


def test_points_of_images_without_a_frame_are_said_to_have_no_place():
    for outputs, is_said in (({POINTS}, True), ({DEPTH, SCAN}, True), ({DEPTH, INFO}, False)):
        fault = frame_fault(CameraImage(RGB), outputs, Parameters())
        assert ('no frame_id' in fault) == is_said
        assert not frame_fault(CameraImage(RGB, frame_id='optical'), outputs, Parameters())


def test_a_scan_in_the_frame_of_the_images_is_said_to_be_upright():
    in_optical = CameraImage(RGB, frame_id='optical'), {SCAN}, Parameters(scan_frame='optical')
    assert frame_fault(*in_optical).startswith('scan_frame is optical, the frame of the images')
    assert not frame_fault(in_optical[0], {SCAN}, Parameters(scan_frame='mast'))
    assert not frame_fault(in_optical[0], {POINTS}, in_optical[2])


def test_without_calibration_there_is_neither_cloud_nor_rectified_image_nor_camera_info():
    uncalibrated = result(None)
    wanted = {DEPTH, INFO, POINTS, RECT_COLOR}
    assert set(output_messages(uncalibrated, wanted, Parameters())) == {DEPTH}
    assert info_message(uncalibrated.image) is None


def test_a_depth_image_is_a_reference_and_one_of_another_encoding_is_named():
    camera = CameraImage(RGB)
    depth_m = np.full((2, 3), 12.0, np.float32)
    depth_m[0, 0] = np.inf
    reference = scale_reference(
        messages.depth_to_image(depth_m, image().header), camera, MAX_PIXELS
    )
    assert np.isnan(reference.depth_m[0, 0])
    assert reference.depth_m[1, 1] == 12.0
    other = scale_reference(image(), camera, MAX_PIXELS)
    assert other.depth_m is None
    assert "not 'rgb8'" in other.fault


def test_a_range_is_a_reference_where_the_camera_is_calibrated():
    measured = Range(range=2.0, min_range=0.1, max_range=5.0, field_of_view=0.5)
    calibrated = camera_image(image(), info(), MAX_PIXELS)
    assert np.nanmax(scale_reference(measured, calibrated, MAX_PIXELS).depth_m) == 2.0
    measured.field_of_view = float('nan')
    fault = scale_reference(measured, calibrated, MAX_PIXELS).fault
    assert fault == 'the scale reference must have a field_of_view in radians, got nan'
    fault = scale_reference(measured, CameraImage(RGB), MAX_PIXELS).fault
    assert fault == 'without calibration the pixels of a range cannot be found'


def test_no_reference_is_said():
    fault = scale_reference(None, CameraImage(RGB), MAX_PIXELS).fault
    assert fault == 'no scale reference within 0.2 s of the image'
