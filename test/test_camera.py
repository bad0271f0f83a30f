"""Intrinsics and rectification, against hand-worked numbers and OpenCV."""

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.camera_model import (
    CameraError,
    CameraModel,
    is_rectified_topic,
    read_calibration,
    Rectifier,
)

K = np.array([[100.0, 0.0, 50.0], [0.0, 80.0, 30.0], [0.0, 0.0, 1.0]])
P = np.array([[90.0, 0.0, 48.0, -9.0], [0.0, 90.0, 28.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
PLUMB_BOB = (-0.3, 0.1, 0.001, -0.002, 0.05)


def calibrated(width_px=100, height_px=60, k=K, d=(), r=None, p=P, name='plumb_bob', **kwargs):
    r = np.eye(3) if r is None else r
    return CameraModel.from_calibration(width_px, height_px, k, d, r, p, name, **kwargs)


def picture(width_px, height_px, channels=3):
    noise = np.random.default_rng(0).integers(0, 256, (height_px, width_px, channels), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def test_region_and_binning_worked_out_by_hand():
    model = calibrated(roi=(10, 4, 80, 48), binning=(2, 4))
    assert (model.width_px, model.height_px) == (40, 12)
    # offset first: centres (40, 26) and (38, 24); then x by 1/2 and y by 1/4
    np.testing.assert_array_equal(model.k, [[50, 0, 20], [0, 20, 6.5], [0, 0, 1]])
    np.testing.assert_array_equal(model.p, [[45, 0, 19, -4.5], [0, 22.5, 6, 0], [0, 0, 1, 0]])


def test_binning_of_zero_or_one_changes_nothing():
    assert calibrated(binning=(0, 0)) == calibrated(binning=(1, 1)) == calibrated()


def test_odd_sizes_are_binned_to_whole_pixels():
    model = calibrated(width_px=101, height_px=59, binning=(2, 2))
    assert (model.width_px, model.height_px) == (50, 29)


def test_resize_keeps_the_edges_of_the_image():
    model = calibrated().resized(200, 30)
    # the left edge is u = -0.5 before and after; so is the right one at width - 0.5
    np.testing.assert_allclose(model.k, [[200, 0, 100.5], [0, 40, 14.75], [0, 0, 1]])
    np.testing.assert_allclose(model.p, [[180, 0, 96.5, -18], [0, 45, 13.75, 0], [0, 0, 1, 0]])


def test_resize_and_back_is_the_same_camera():
    model = calibrated().resized(64, 48).resized(100, 60)
    np.testing.assert_allclose(model.k, K, atol=1e-12)
    np.testing.assert_allclose(model.p, P, atol=1e-12)


def test_resized_camera_agrees_with_a_resized_image():
    # a ramp over the columns shows where each pixel centre came from
    ramp = np.tile(np.arange(100, dtype=np.float32), (60, 1))
    halved = cv2.resize(ramp, (50, 30), interpolation=cv2.INTER_AREA)
    model = calibrated().resized(50, 30)
    rays = (ramp[0] - K[0, 2]) / K[0, 0]
    rays_of_halved = (np.arange(50) - model.k[0, 2]) / model.k[0, 0]
    np.testing.assert_allclose(rays_of_halved, np.interp(halved[0], ramp[0], rays), atol=1e-6)


def test_crop_subtracts_the_offset():
    model = calibrated().cropped(8, 3, 20, 10)
    assert (model.width_px, model.height_px) == (20, 10)
    np.testing.assert_array_equal(model.k[:2, 2], [42, 27])
    np.testing.assert_array_equal(model.p[:2, 2], [40, 25])


def test_rectified_model_is_the_projection_matrix():
    model = calibrated(d=PLUMB_BOB)
    assert not model.is_rectified
    rectified = model.rectified()
    np.testing.assert_array_equal(rectified.k, P[:, :3])
    np.testing.assert_array_equal(rectified.p, P)
    np.testing.assert_array_equal(rectified.r, np.eye(3))
    assert not rectified.d.any()
    assert rectified.is_rectified


def test_without_a_projection_matrix_k_holds():
    model = calibrated(p=np.zeros(12))
    np.testing.assert_array_equal(model.rectified_intrinsics, K)
    assert model.is_rectified


def test_pinhole_camera_from_its_matrix():
    model = CameraModel.from_intrinsics(100, 60, K)
    assert model.is_calibrated
    assert model.is_rectified
    np.testing.assert_array_equal(model.rectified_intrinsics, K)


def test_k_of_zero_means_uncalibrated_whatever_else_is_there():
    model = CameraModel.from_calibration(
        0, 0, np.zeros(9), (), np.zeros(9), np.full(12, np.nan), ''
    )
    assert not model.is_calibrated
    with pytest.raises(CameraError, match='uncalibrated'):
        Rectifier(model)


def changed(matrix, index, value):
    matrix = matrix.copy()
    matrix[index] = value
    return matrix


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        ({'k': changed(K, (0, 0), np.nan)}, 'K .*not finite'),
        ({'k': changed(K, (0, 2), np.inf)}, 'K .*not finite'),
        ({'k': changed(K, (0, 0), -100)}, 'focal .*-100'),
        ({'k': changed(K, (1, 1), 0)}, 'focal .*fy 0'),
        ({'k': changed(K, (2, 2), 0)}, 'last row of K'),
        ({'p': changed(P, (0, 3), np.nan)}, 'P .*not finite'),
        ({'p': changed(P, (1, 1), -1)}, 'P .*fy -1'),
        ({'p': changed(P, (0, 0), 0)}, 'P .*fx 0'),
        ({'d': (np.nan,) * 5}, 'D .*not finite'),
        ({'r': np.full(9, np.inf)}, 'R .*not finite'),
        ({'k': np.ones(8)}, '9 values, not 8'),
        ({'width_px': 0}, '0 x 60'),
        ({'height_px': 2**31 - 1}, '2147483647'),
        ({'roi': (90, 0, 20, 10)}, 'not inside'),
        ({'roi': (5, 5, 0, 10)}, 'not inside'),
        ({'roi': (0, 0, 2**32 - 1, 2**32 - 1)}, 'not inside'),
        ({'binning': (101, 1)}, 'leaves nothing'),
    ],
)
def test_impossible_calibrations_are_refused_with_the_reason(arguments, reason):
    with pytest.raises(CameraError, match=reason):
        calibrated(**arguments)


@pytest.mark.parametrize(
    ('name', 'd'),
    [
        ('plumb_bob', PLUMB_BOB),
        ('plumb_bob', PLUMB_BOB[:4]),
        ('rational_polynomial', (*PLUMB_BOB, 0.1, -0.05, 0.01)),
    ],
)
def test_rectification_agrees_with_cv2_undistort(name, d):
    image = picture(100, 60)
    model = calibrated(d=d, p=np.hstack((K, np.zeros((3, 1)))), name=name)
    expected = cv2.undistort(image, K, np.array(d))
    difference = cv2.absdiff(Rectifier(model).rectify(image), expected)
    assert difference.max() <= 2  # the maps are rounded to 1/32 pixel in another place
    assert difference.mean() < 0.01
    assert cv2.absdiff(image, expected).mean() > 1  # there was something to do


def test_fisheye_rectification_agrees_with_opencv():
    image = picture(100, 60)
    d = np.array([0.1, -0.02, 0.003, 0.001])
    model = calibrated(d=d, p=P, name='equidistant')
    expected = cv2.fisheye.undistortImage(image, K, d, Knew=P[:, :3])
    difference = cv2.absdiff(Rectifier(model).rectify(image), expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.01


def test_a_fifth_coefficient_of_zero_changes_nothing_of_a_fisheye():
    image, d = picture(100, 60), (0.1, -0.02, 0.003, 0.001)
    np.testing.assert_array_equal(
        *(
            Rectifier(calibrated(d=coefficients, name='equidistant')).rectify(image)
            for coefficients in (d, (*d, 0.0))
        )
    )


def test_a_fisheye_with_zeros_is_an_ideal_fisheye_not_a_pinhole():
    model = calibrated(d=(0.0,) * 4, p=P, name='equidistant')
    assert not model.is_rectified
    image = np.zeros((60, 100), np.uint8)
    angle = 0.3
    image[30, round(50 + K[0, 0] * angle)] = 255  # r = f theta
    row, column = np.unravel_index(Rectifier(model).rectify(image).argmax(), image.shape)
    assert row == round(P[1, 2])
    assert column == round(P[0, 2] + P[0, 0] * np.tan(angle))
    # Without a coefficient nothing is said of a lens; of another one zeros say that it is ideal.
    for name, d in (('equidistant', ()), ('plumb_bob', (0.0,) * 5)):
        assert calibrated(d=d, p=np.zeros(12), name=name).is_rectified


def test_rotation_moves_the_picture_by_focal_length_times_angle():
    angle = 0.1
    r, _ = cv2.Rodrigues(np.array([0.0, angle, 0.0]))
    image = np.zeros((60, 100), np.uint8)
    image[30, 50] = 255  # the principal point, straight ahead in the raw camera
    model = calibrated(r=r, p=np.hstack((K, np.zeros((3, 1)))))
    row, column = np.unravel_index(Rectifier(model).rectify(image).argmax(), image.shape)
    # straight ahead becomes the direction (sin, 0, cos): u = 50 + 100 tan(0.1) = 60.03
    assert (row, column) == (30, 60)


def test_rectification_of_a_binned_region_is_that_part_of_the_whole():
    image = picture(100, 60)
    whole = Rectifier(calibrated(d=PLUMB_BOB)).rectify(image)
    part = Rectifier(calibrated(d=PLUMB_BOB, roi=(20, 10, 60, 40))).rectify(image[10:50, 20:80])
    inside = (slice(8, -8), slice(8, -8))
    difference = cv2.absdiff(part[inside], np.ascontiguousarray(whole[10:50, 20:80][inside]))
    assert difference.max() <= 2


def test_where_the_camera_saw_nothing_is_known():
    barrel = Rectifier(calibrated(p=P * [[0.5], [0.5], [1]]))  # half the focal length: wider view
    bright = barrel.rectify(np.full((60, 100), 200, np.uint8))
    assert 0 < barrel.valid_mask.sum() < barrel.valid_mask.size
    assert (bright[barrel.valid_mask] == 200).all()
    assert (
        bright[cv2.dilate(barrel.valid_mask.astype(np.uint8), np.ones((5, 5))) == 0] == 0
    ).all()


def test_what_a_distortion_maps_into_the_image_a_second_time_was_not_seen():
    d = np.array([-0.41, 0.18, 0.0, 0.0, -0.04])
    k = np.array([[420.0, 0, 319.5], [0, 420, 239.5], [0, 0, 1]])
    p, _ = cv2.getOptimalNewCameraMatrix(k, d, (640, 480), 1)  # shows all of the raw image
    model = CameraModel.from_calibration(640, 480, k, d, np.eye(3), np.c_[p, np.zeros(3)])
    v, u = np.indices((480, 640), np.float64).reshape(2, -1)
    rays = np.stack(((u - p[0, 2]) / p[0, 0], (v - p[1, 2]) / p[1, 1], np.ones_like(u)), axis=1)
    here, outwards = (
        cv2.projectPoints(rays * (share, share, 1), np.zeros(3), np.zeros(3), k, d)[0][:, 0]
        for share in (1, 1.001)
    )
    center = k[:2, 2]
    seen = (
        (np.linalg.norm(outwards - center, axis=1) > np.linalg.norm(here - center, axis=1))
        & (here >= 0).all(axis=1)
        & (here <= (639, 479)).all(axis=1)
    ).reshape(480, 640)
    rectifier = Rectifier(model)
    assert (rectifier.valid_mask == seen).mean() > 0.999
    assert not rectifier.rectify(np.full((480, 640), 200, np.uint8))[0, 0]
    # Where the distortion does not turn back, OpenCV's maps alone say what was seen.
    inside = ((here >= 0) & (here <= (639, 479))).all(axis=1).reshape(480, 640)
    assert (inside & ~seen).mean() > 0.04


def test_what_is_behind_the_camera_was_not_seen():
    with pytest.raises(CameraError, match='leaves nothing'):
        Rectifier(calibrated(r=cv2.Rodrigues(np.array([0.0, 2.5, 0.0]))[0], p=np.zeros(12)))


@pytest.mark.parametrize('r', [2 * np.eye(3), np.diag((-1.0, 1, 1))], ids=['longer', 'mirrored'])
def test_a_rectification_that_is_no_rotation_is_refused(r):
    with pytest.raises(CameraError, match='R of the calibration must be a rotation'):
        Rectifier(calibrated(r=r, p=np.zeros(12)))


def test_no_coefficients_is_no_distortion_whatever_the_model():
    image = picture(100, 60)
    model = calibrated(d=(), p=np.zeros(12), name='')
    np.testing.assert_array_equal(Rectifier(model).rectify(image), image)


def test_unknown_distortion_is_refused_by_name():
    with pytest.raises(CameraError, match="'double_sphere'.*plumb_bob"):
        Rectifier(calibrated(d=(0.1, 0.2), name='double_sphere'))
    with pytest.raises(CameraError, match='4 coefficients, not 5'):
        Rectifier(calibrated(d=PLUMB_BOB, name='equidistant'))
    with pytest.raises(CameraError, match='not zero, and the distortion model is'):
        Rectifier(calibrated(d=PLUMB_BOB, name=''))
    with pytest.raises(CameraError, match='coefficients, not 3'):
        Rectifier(calibrated(d=(0.1, 0.2, 0.3)))


def test_image_of_another_size_is_refused():
    with pytest.raises(CameraError, match='100 x 60 .*50 x 60'):
        Rectifier(calibrated(d=PLUMB_BOB)).rectify(picture(50, 60))


@pytest.mark.parametrize(
    ('change', 'fault'),
    [({'d': [1e300] * 5}, 'leaves nothing'), ({'r': [1.0] + [0.0] * 8}, 'leaves nothing')],
)
def test_a_calibration_that_rectifies_to_nothing_is_refused(change, fault):
    k = [100.0, 0.0, 80.0, 0.0, 100.0, 60.0, 0.0, 0.0, 1.0]
    values = {'d': [0.1, 0.0, 0.0, 0.0, 0.0], 'r': np.eye(3), 'p': [0.0] * 12, **change}
    model = CameraModel.from_calibration(160, 120, k, **values)
    with pytest.raises(CameraError, match=fault):
        Rectifier(model)


@pytest.mark.parametrize(('fx', 'cx'), [(1e-300, 80.0), (1e300, 80.0), (100.0, 1e300)])
def test_absurd_but_finite_intrinsics_are_refused(fx, cx):
    with pytest.raises(CameraError, match='calibration'):
        CameraModel.from_intrinsics(160, 120, np.array([[fx, 0, cx], [0, 100.0, 60.0], [0, 0, 1]]))


@pytest.mark.parametrize('fx', [0.78, 4.0], ids=['share of the width', 'millimetres'])
@pytest.mark.parametrize('matrix', ['k', 'p'])
def test_a_focal_length_in_another_unit_than_pixels_is_refused(matrix, fx):
    k = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    values = {'k': k, 'p': np.hstack((k, np.zeros((3, 1))))}
    values[matrix] = values[matrix].copy()
    values[matrix][0, 0] = fx
    reason = f'above 6.4 px .*, {matrix.upper()} .*has fx {fx:g} and fy 500; give pixels'
    with pytest.raises(CameraError, match=reason):
        CameraModel.from_calibration(640, 480, values['k'], (), np.eye(3), values['p'])


def calibration_file(folder, *lines, d=None):
    """Write a calibration as ROS does, with these lines and coefficients."""
    file = folder / 'camera.yaml'
    coefficients = (
        ()
        if d is None
        else (f'distortion_coefficients: {{rows: 1, cols: {len(d)}, data: {list(d)}}}',)
    )
    file.write_text(
        '\n'.join(
            (
                'image_width: 100',
                'image_height: 60',
                f'camera_matrix: {{rows: 3, cols: 3, data: {K.ravel().tolist()}}}',
                *lines,
                *coefficients,
            )
        )
    )
    return file


FISHEYE = (0.1, -0.02, 0.003, 0.001)
RATIONAL = (*PLUMB_BOB, 0.1, -0.05, 0.01)


@pytest.mark.parametrize(
    ('lines', 'd', 'name', 'coefficients'),
    [
        (('camera_model: fisheye',), FISHEYE, 'equidistant', FISHEYE),
        (('camera_model: fisheye',), (*FISHEYE, 0.0), 'equidistant', FISHEYE),
        (('distortion_model: fisheye',), FISHEYE, 'equidistant', FISHEYE),
        (('distortion_model: kannala-brandt',), FISHEYE, 'equidistant', FISHEYE),
        (('distortion_model: KannalaBrandt8',), FISHEYE, 'equidistant', FISHEYE),
        (('distortion_model: equidistant',), (*FISHEYE, 0.0), 'equidistant', FISHEYE),
        (
            ('camera_model: pinhole', 'distortion_model: equidistant'),
            FISHEYE,
            'equidistant',
            FISHEYE,
        ),
        (('camera_model: pinhole',), FISHEYE, 'plumb_bob', FISHEYE),
        (('camera_model: plumb_bob',), PLUMB_BOB, 'plumb_bob', PLUMB_BOB),
        (('distortion_model: radtan',), FISHEYE, 'plumb_bob', FISHEYE),
        ((), PLUMB_BOB, 'plumb_bob', PLUMB_BOB),
        (('distortion_model: plumb_bob',), RATIONAL, 'rational_polynomial', RATIONAL),
        (
            ('distortion_model: rational_polynomial',),
            (*RATIONAL, *[0.01] * 6),
            'rational_polynomial',
            (*RATIONAL, *[0.01] * 6),
        ),
        (('distortion_model: none',), (0.0,) * 5, 'plumb_bob', (0.0,) * 5),
        (('camera_model: fisheye',), (0.0,) * 4, 'equidistant', (0.0,) * 4),
        (('distortion_model: equidistant',), (0.0,) * 5, 'equidistant', (0.0,) * 4),
    ],
)
def test_a_calibration_names_its_lens_in_any_words(tmp_path, lines, d, name, coefficients):
    model = read_calibration(calibration_file(tmp_path, *lines, d=d))
    assert (model.distortion_model, tuple(model.d)) == (name, coefficients)
    Rectifier(model)


@pytest.mark.parametrize(
    ('lines', 'd', 'reason'),
    [
        ((), FISHEYE, 'may be those of plumb_bob or of equidistant'),
        (('camera_model: fisheye', 'distortion_model: plumb_bob'), PLUMB_BOB, 'contradict'),
        (('camera_model: plumb_bob', 'distortion_model: equidistant'), FISHEYE, 'contradict'),
        (('camera_model: omni', 'distortion_model: radtan'), FISHEYE, "'omni' is not known"),
        (('camera_model: fisheye',), (), 'has 4 distortion coefficients, and there are none'),
        (('camera_model: fisheye',), PLUMB_BOB, "'fisheye' has 4 coefficients, not 5"),
        (('distortion_model: equidistant',), (*FISHEYE, 0.1), 'only zeros may follow'),
        (('distortion_model: equidistant',), FISHEYE[:3], '4 coefficients, not 3'),
        (('distortion_model: none',), PLUMB_BOB, "not zero, and the distortion model is 'none'"),
        (
            ('distortion_model: double_sphere',),
            (0.0,) * 4,
            "'double_sphere' is not known.*plumb_bob.*rational_polynomial.*equidistant",
        ),
        (('distortion_model: thin_prism',), (0.1,) * 12, "'thin_prism' is not known.*plumb_bob"),
    ],
)
def test_a_lens_that_would_have_to_be_guessed_is_refused(tmp_path, lines, d, reason):
    with pytest.raises(CameraError, match=f'camera.yaml is wrong: .*{reason}'):
        read_calibration(calibration_file(tmp_path, *lines, d=d))


def test_a_width_of_yes_is_no_number_of_pixels(tmp_path):
    with pytest.raises(CameraError, match='image_width must be a whole number of pixels'):
        read_calibration(calibration_file(tmp_path, 'image_width: yes'))


@pytest.mark.parametrize(
    'lines',
    [
        ('distortion_model: plumb_bob',),
        ('dist_coeffs: !!opencv-matrix {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}',),
        ('distortion_coefficents: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}',),
    ],
    ids=['none', "of a user's program", 'misspelt'],
)
def test_a_lens_whose_coefficients_are_not_found_is_no_pinhole(tmp_path, lines):
    reason = f'distortion_coefficients, which is missing; there is {lines[0].partition(":")[0]}; '
    with pytest.raises(CameraError, match=reason):
        read_calibration(calibration_file(tmp_path, *lines))
    assert read_calibration(calibration_file(tmp_path, 'distortion_model: none')).is_rectified
    assert read_calibration(calibration_file(tmp_path, *lines[:1], d=PLUMB_BOB)).d.size == 5


def test_a_matrix_may_be_a_list_of_rows(tmp_path):
    file = calibration_file(tmp_path)
    file.write_text(file.read_text().replace(str(K.ravel().tolist()), str(K.tolist())))
    np.testing.assert_array_equal(read_calibration(file).k, K)


def test_a_calibration_that_nests_without_end_is_one_sentence(tmp_path):
    (tmp_path / 'a.yaml').write_text('{' * 3000)
    with pytest.raises(CameraError, match=r'cannot read the calibration .*a\.yaml'):
        read_calibration(tmp_path / 'a.yaml')


def test_a_calibration_that_is_no_yaml_is_one_sentence(tmp_path):
    file = tmp_path / 'ost.txt'
    file.write_text('# oST version 5.0 parameters\n\n[image]\n\nwidth\n640\n')
    with pytest.raises(CameraError, match='not YAML.* in line 5; .*use ost.yaml') as error:
        read_calibration(file)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ('flag', 'd', 'name'),
    [
        ('fisheye_model: 1', FISHEYE, 'equidistant'),
        ('fisheye_model: 0', FISHEYE, 'plumb_bob'),
        ('flags: 0', PLUMB_BOB, 'plumb_bob'),
    ],
)
def test_a_calibration_of_opencv_is_read(tmp_path, flag, d, name):
    file = tmp_path / 'camera.yml'
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    storage.write('image_width', 100)
    storage.write('image_height', 60)
    key, value = flag.split(': ')
    storage.write(key, int(value))
    storage.write('camera_matrix', K)
    storage.write('distortion_coefficients', np.array(d).reshape(-1, 1))
    storage.release()
    assert file.read_text().startswith(('%YAML:1.0', '%YAML 1.2'))  # OpenCV 4, OpenCV 5
    model = read_calibration(file)
    np.testing.assert_array_equal(model.k, K)
    assert (model.distortion_model, tuple(model.d)) == (name, d)


KALIBR = """{camera}:
  camera_model: {lens}
  distortion_coeffs: [0.1, -0.02, 0.003, 0.001]
  distortion_model: {name}
  intrinsics: [100.0, 80.0, 50.0, 30.0]
  resolution: [100, 60]
  rostopic: /{camera}/image_raw
"""


@pytest.mark.parametrize(
    ('name', 'ros_name'), [('equidistant', 'equidistant'), ('radtan', 'plumb_bob')]
)
def test_a_calibration_of_kalibr_is_read(tmp_path, name, ros_name):
    file = tmp_path / 'camchain.yaml'
    file.write_text(KALIBR.format(camera='cam1', lens='pinhole', name=name))
    model = read_calibration(file)
    np.testing.assert_array_equal(model.k, K)
    assert (model.width_px, model.height_px) == (100, 60)
    assert (model.distortion_model, tuple(model.d)) == (ros_name, FISHEYE)
    file.write_text(file.read_text().replace('distortion_coeffs', 'distortion_coefs'))
    with pytest.raises(CameraError, match='cam1 must have .* and distortion_coeffs, got'):
        read_calibration(file)
    file.write_text(KALIBR.format(camera='cam0', lens='omni', name=name))
    with pytest.raises(CameraError, match="must be pinhole, not 'omni'"):
        read_calibration(file)
    file.write_text(
        ''.join(
            KALIBR.format(camera=camera, lens='pinhole', name=name) for camera in ('cam0', 'cam1')
        )
    )
    with pytest.raises(CameraError, match='has cam0, cam1; copy'):
        read_calibration(file)


@pytest.mark.parametrize(
    ('last', 'is_rectified'),
    [
        ('image_rect', True),
        ('image_rect_color', True),
        ('image_rect_raw', True),
        ('image_rectified', True),
        ('image_raw', False),
        ('image_corrected', False),
        ('rectangle', False),
        ('direct', False),
        ('image_unrectified', False),
    ],
)
def test_a_topic_is_rectified_by_a_word_of_its_last_part(last, is_rectified):
    assert is_rectified_topic(f'/rect/{last}') is is_rectified


def test_rectification_is_the_same_in_opencv_4_and_5():
    # OpenCV 4 rounds the coordinates of float maps to 1/32 pixel and OpenCV 5 does not. Ours are
    # fixed-point maps of 1/32 pixel, which both take as they are.
    k = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])
    model = CameraModel.from_calibration(64, 48, k, (-0.3, 0.1, 0, 0), np.eye(3), np.zeros((3, 4)))
    rectifier = Rectifier(model)
    u, v = np.meshgrid(np.arange(64, dtype=np.float32), np.arange(48, dtype=np.float32))
    map_u, map_v = cv2.initUndistortRectifyMap(
        k, model.d, None, model.p[:, :3], (64, 48), cv2.CV_32FC1
    )
    for ramp, coordinates in ((u, map_u), (v, map_v)):
        rectified = rectifier.rectify(ramp)
        inside = rectifier.valid_mask
        np.testing.assert_allclose((rectified * 32)[inside] % 1, 0, atol=1e-3)
        assert np.abs(rectified - coordinates)[inside].max() <= 1 / 64 + 1e-4
