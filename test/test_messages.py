"""Messages from and to arrays: each encoding worked out by hand, and every kind of bad message."""

from array import array
from io import BytesIO
import struct
import sys
import tracemalloc
import zlib

import cv2
from hypothesis import given, settings, strategies
from needed import ROS
import numpy as np
from PIL import Image as PillowImage
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from s2r_depth_ros.depth.camera_model import CameraError, CameraModel
from s2r_depth_ros.ros import compat as ros_compat
from s2r_depth_ros.ros.messages import (
    camera_info_to_model,
    camera_model_to_info,
    compressed_to_rgb,
    depth_to_image,
    image_to_rgb,
    MessageError,
    pixels_to_image,
    points_to_cloud,
)

# (Y, U, V) of ITU-R BT.601 in video range, and the colours that they stand for
BLACK, WHITE = (16, 128, 128), (235, 128, 128)
RED, GREEN, BLUE = (81, 90, 240), (145, 54, 34), (41, 240, 110)
RGB_OF = {
    BLACK: (0, 0, 0),
    WHITE: (255, 255, 255),
    RED: (255, 0, 0),
    GREEN: (0, 255, 0),
    BLUE: (0, 0, 255),
}


def header():
    result = Header(frame_id='camera_optical')
    result.stamp.sec, result.stamp.nanosec = 12, 34
    return result


def image(encoding, width, rows, is_bigendian=False, padding=0):
    """Make a message of rows of bytes."""
    padded = [bytes(row) + b'\xee' * padding for row in rows]
    return Image(
        header=header(),
        width=width,
        height=len(rows),
        encoding=encoding,
        step=len(padded[0]),
        is_bigendian=is_bigendian,
        data=b''.join(padded),
    )


@pytest.fixture(params=['cv_bridge', 'rosbags.image'])
def converter(request, monkeypatch):
    """Run a test with each library that reads rare encodings."""
    pytest.importorskip(request.param, reason=ROS.format(request.param))
    if request.param == 'rosbags.image':
        monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    ros_compat._image_converter.cache_clear()
    yield request.param
    ros_compat._image_converter.cache_clear()


@pytest.mark.parametrize('padding', [0, 1, 5])
@pytest.mark.parametrize(
    ('encoding', 'pixel'),
    [
        ('rgb8', (10, 20, 30)),
        ('bgr8', (30, 20, 10)),
        ('rgba8', (10, 20, 30, 99)),
        ('bgra8', (30, 20, 10, 99)),
        ('8UC3', (30, 20, 10)),
        ('8UC4', (30, 20, 10, 99)),
    ],
)
def test_color_encodings(encoding, pixel, padding):
    black = (0,) * len(pixel)
    rgb = image_to_rgb(
        image(encoding, 3, [(*pixel, *black, *black), (*black, *black, *pixel)], padding=padding)
    )
    expected = np.zeros((2, 3, 3))
    expected[0, 0] = expected[1, 2] = (10, 20, 30)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_becomes_three_equal_channels(encoding, padding):
    rgb = image_to_rgb(image(encoding, 3, [(1, 2, 3), (4, 5, 6)], padding=padding))
    np.testing.assert_array_equal(rgb, np.dstack([[[1, 2, 3], [4, 5, 6]]] * 3))


@pytest.mark.parametrize('padding', [0, 1])
@pytest.mark.parametrize(('is_bigendian', 'order'), [(False, '<'), (True, '>')])
def test_sixteen_bit_grey_in_both_byte_orders(is_bigendian, order, padding):
    row = struct.pack(f'{order}4H', 0, 257 * 3, 0x8000, 0xFFFF)
    rgb = image_to_rgb(image('mono16', 4, [row], is_bigendian, padding))
    # 0x8000 / 257 = 127.5 and a little
    np.testing.assert_array_equal(rgb, np.dstack([[[0, 3, 128, 255]]] * 3))


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('name', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_packed_yuv(name, padding, converter):
    def pair(color):
        y, u, v = color
        return (y, u, y, v) if name in ('yuyv', 'yuv422_yuy2') else (u, y, v, y)

    colors = [[RED, GREEN], [BLUE, WHITE]]
    rows = [sum((pair(color) for color in row), ()) for row in colors]
    rgb = image_to_rgb(image(name, 4, rows, padding=padding))
    assert_colors(rgb, np.repeat([[RGB_OF[color] for color in row] for row in colors], 2, axis=1))


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('name', ['nv12', 'nv21'])
def test_yuv_with_a_chroma_plane_of_half_size(name, padding):
    colors = [RED, BLUE, BLACK]
    luma = [y for y, _, _ in colors for _ in range(2)]
    chroma = [value for _, u, v in colors for value in ((u, v) if name == 'nv12' else (v, u))]
    msg = image(name, 6, [luma, luma, chroma], padding=padding)
    msg.height = 2
    rgb = image_to_rgb(msg)
    assert_colors(rgb, [[RGB_OF[color] for color in colors for _ in range(2)]] * 2)


@pytest.mark.parametrize('padding', [0, 3])
def test_yuv_with_a_chroma_plane_of_full_size(padding):
    colors = [[RED, GREEN, BLUE], [WHITE, BLACK, RED]]
    luma = b''.join(bytes(y for y, _, _ in row) + b'\xee' * padding for row in colors)
    chroma = b''.join(
        bytes(value for _, u, v in row for value in (u, v)) + b'\xee' * 2 * padding
        for row in colors
    )
    msg = Image(width=3, height=2, encoding='nv24', step=3 + padding, data=luma + chroma)
    assert_colors(image_to_rgb(msg), [[RGB_OF[color] for color in row] for row in colors])


def assert_colors(rgb, expected):
    """Compare to 8-bit colours; the published coefficients round these to within 2."""
    assert rgb.shape == np.shape(expected)
    assert np.abs(rgb.astype(int) - expected).max() <= 2


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns(pattern, padding, converter):
    values = [{'r': 200, 'g': 100, 'b': 50}[color] for color in pattern]
    msg = image(f'bayer_{pattern}8', 8, [values[:2] * 4, values[2:] * 4] * 3, padding=padding)
    rgb = image_to_rgb(msg)
    np.testing.assert_array_equal(rgb, np.broadcast_to((200, 100, 50), (6, 8, 3)))


def test_eight_bit_images_do_not_care_for_the_byte_order_flag(converter):
    rows = [(10, 20, 30, 40)] * 4
    for encoding, width in (('mono8', 4), ('bayer_rggb8', 4), ('yuv422', 2)):
        np.testing.assert_array_equal(
            image_to_rgb(image(encoding, width, rows, is_bigendian=True)),
            image_to_rgb(image(encoding, width, rows)),
        )


def test_unpadded_rgb8_is_not_copied():
    msg = image('rgb8', 2, [(1, 2, 3, 4, 5, 6)])
    assert np.shares_memory(image_to_rgb(msg), np.frombuffer(msg.data, np.uint8))


def broken(encoding='rgb8', **changes):
    msg = image(encoding, 4, [range(12), range(12)])
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize(
    ('msg', 'cause', 'text'),
    [
        (broken(width=0), 'zero_size', '0 x 2'),
        (broken(height=0), 'zero_size', '4 x 0'),
        (
            broken(width=2**31 - 1, height=2**31 - 1, step=2**32 - 1, data=b''),
            'too_large',
            '2147483647',
        ),
        (broken(encoding='32FC1'), 'unknown_encoding', "'32FC1'.*rgb8"),
        (broken(encoding=''), 'unknown_encoding', "''"),
        (broken(step=0), 'bad_step', '12 bytes.*0'),
        (broken(step=11, data=b'\0' * 22), 'bad_step', '12 bytes.*11'),
        (broken(data=b'\0' * 23), 'data_too_short', '24 bytes, got 23'),
        (broken(data=b''), 'data_too_short', 'got 0'),
        (broken(data=b'\0' * 25), 'data_too_long', '24 bytes, got 25'),
        (broken(step=2**32 - 1), 'data_too_short', 'got 24'),
        (image('mono16', 4, [range(7)]), 'bad_step', '8 bytes'),
        (image('yuv422', 3, [range(6)]), 'odd_size', '3 x 1'),
        (image('nv21', 2, [range(2)] * 3), 'odd_size', '2 x 3'),
        (image('nv24', 2, [range(2)] * 2), 'data_too_short', '12 bytes, got 4'),
    ],
)
def test_bad_images_name_the_cause(msg, cause, text):
    with pytest.raises(MessageError, match=text) as error:
        image_to_rgb(msg)
    assert error.value.cause == cause


def test_huge_sizes_within_the_limit_allocate_nothing_without_data():
    msg = broken(width=2**31 - 1, height=2**31 - 1, step=2**32 - 1, data=b'')
    tracemalloc.start()
    try:
        for encoding in ('rgb8', 'mono16', 'yuv422', 'bayer_rggb8', 'nv24'):
            msg.encoding = encoding
            with pytest.raises(MessageError):
                image_to_rgb(msg, max_pixels=2**64)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_limit_is_inclusive():
    assert image_to_rgb(broken(), max_pixels=8).shape == (2, 4, 3)
    with pytest.raises(MessageError):
        image_to_rgb(broken(), max_pixels=7)


@settings(max_examples=300, deadline=None)
@given(
    width=strategies.integers(0, 9),
    height=strategies.integers(0, 5),
    step=strategies.integers(0, 40),
    size=strategies.integers(0, 200),
    encoding=strategies.sampled_from(
        [
            'rgb8',
            'bgr8',
            'rgba8',
            'mono8',
            'mono16',
            'yuv422',
            'yuyv',
            'bayer_grbg8',
            'nv12',
            'nv21',
            'nv24',
            '8UC4',
            'jpeg',
        ]
    ),
    is_exact=strategies.booleans(),
)
def test_any_message_gives_an_image_of_its_size_or_a_cause(
    width, height, step, size, encoding, is_exact
):
    msg = Image(
        width=width,
        height=height,
        step=step,
        encoding=encoding,
        data=bytes(step * height if is_exact else size),
    )
    try:
        rgb = image_to_rgb(msg)
    except MessageError:
        return
    assert rgb.shape == (height, width, 3)


SCENE = cv2.resize(
    np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8),
    (160, 120),
    interpolation=cv2.INTER_CUBIC,
)


def compressed(extension, bgr=SCENE, kind=None):
    _, encoded = cv2.imencode(extension, bgr)
    return CompressedImage(format=kind or extension[1:], data=encoded.tobytes())


def test_png_is_read_exactly():
    np.testing.assert_array_equal(compressed_to_rgb(compressed('.png')), SCENE[..., ::-1])


def test_jpeg_is_read_as_rgb():
    rgb = compressed_to_rgb(compressed('.jpg', kind='rgb8; jpeg compressed bgr8'))
    assert np.abs(rgb.astype(int) - SCENE[..., ::-1]).mean() < 4


@pytest.mark.parametrize(
    ('pattern', 'colors'),
    [
        ('rggb', [[0, 1], [1, 2]]),
        ('bggr', [[2, 1], [1, 0]]),
        ('gbrg', [[1, 2], [0, 1]]),
        ('grbg', [[1, 0], [2, 1]]),
    ],
)
@pytest.mark.parametrize(
    ('kind', 'depth'),
    [
        ('8; jpeg compressed ', np.uint8),
        ('; jpeg compressed', np.uint8),
        ('8; png compressed ', np.uint8),
        ('16; png compressed ', np.uint16),
    ],
)
def test_a_compressed_mosaic_is_demosaiced(pattern, colors, kind, depth):
    rgb = np.array([200, 100, 50])
    mosaic = np.tile(rgb[np.array(colors)], (12, 16)).astype(depth)
    if depth == np.uint16:
        mosaic *= 257
    extension = '.jpg' if 'jpeg' in kind else '.png'
    msg = compressed(extension, mosaic, f'bayer_{pattern}{kind}')
    inside = compressed_to_rgb(msg)[4:-4, 4:-4].reshape(-1, 3)
    assert np.abs(inside.mean(axis=0) - rgb).max() < 4
    # What was demosaiced before it was compressed has its colours.
    msg = compressed('.png', SCENE, f'bayer_{pattern}8; jpeg compressed bgr8')
    np.testing.assert_array_equal(compressed_to_rgb(msg), SCENE[..., ::-1])


def test_grey_and_sixteen_bit_files_become_eight_bit_rgb():
    grey = np.array([[0, 257, 0xFFFF]], np.uint16)
    np.testing.assert_array_equal(
        compressed_to_rgb(compressed('.png', grey)), np.dstack([[[0, 1, 255]]] * 3)
    )
    assert compressed_to_rgb(compressed('.jpg', SCENE[..., 0])).shape == (120, 160, 3)


def test_an_exif_orientation_does_not_turn_the_image():
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    buffer = BytesIO()
    PillowImage.fromarray(SCENE).save(buffer, 'JPEG', exif=exif)
    assert compressed_to_rgb(CompressedImage(data=buffer.getvalue())).shape == (120, 160, 3)


def test_bytes_after_the_end_are_harmless():
    for extension in ('.jpg', '.png'):
        msg = compressed(extension)
        msg.data.extend(bytes(64))
        assert compressed_to_rgb(msg).shape == (120, 160, 3)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_truncated_files_are_refused_wherever_they_end(extension):
    data = bytes(compressed(extension).data)
    for size in range(0, len(data) - 1, 97):
        with pytest.raises(MessageError) as error:
            compressed_to_rgb(CompressedImage(data=data[:size]))
        assert error.value.cause in ('truncated', 'undecodable')


def test_a_truncated_jpeg_with_a_whole_thumbnail_is_refused():
    thumbnail = bytes(compressed('.jpg', SCENE[:16, :16]).data)
    data = bytes(compressed('.jpg').data)
    segment = b'\xff\xe1' + struct.pack('>H', len(thumbnail) + 2) + thumbnail
    whole = data[:2] + segment + data[2:]
    assert compressed_to_rgb(CompressedImage(data=whole)).shape == (120, 160, 3)
    with pytest.raises(MessageError) as error:
        compressed_to_rgb(CompressedImage(data=whole[:-200]))
    assert error.value.cause == 'truncated'


def png_claiming(width, height):
    """Make a tiny PNG whose header claims a size."""

    def chunk(name, body):
        return (
            struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
        )

    size_and_type = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', size_and_type)
        + chunk(b'IDAT', zlib.compress(bytes(1000)))
        + chunk(b'IEND', b'')
    )


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('side', [8_000, 10_000, 30_000, 2**31 - 1])
def test_decompression_bombs_are_refused_by_their_header(side):
    with pytest.raises(MessageError) as error:
        compressed_to_rgb(CompressedImage(data=png_claiming(side, side)))
    assert error.value.cause == 'too_large'


def test_a_jpeg_whose_scans_would_take_minutes_is_refused():
    options = cv2.IMWRITE_JPEG_PROGRESSIVE, 1
    data = cv2.imencode('.jpg', SCENE, options)[1].tobytes()
    assert compressed_to_rgb(CompressedImage(data=data)).shape == SCENE.shape
    last_scan = data[data.rfind(b'\xff\xda') : -2]
    with pytest.raises(MessageError, match='scans, the limit is 100') as error:
        compressed_to_rgb(CompressedImage(data=data[:-2] + last_scan * 200 + data[-2:]))
    assert error.value.cause == 'too_large'


def test_a_png_with_too_little_inside_is_refused():
    with pytest.raises(MessageError) as error:
        compressed_to_rgb(CompressedImage(data=png_claiming(200, 100)))
    assert error.value.cause == 'undecodable'


@pytest.mark.parametrize(
    ('data', 'kind', 'cause'),
    [
        (b'', 'jpeg', 'undecodable'),
        (b'not an image', 'jpeg', 'undecodable'),
        (b'\xff\xd8\xff', 'jpeg', 'undecodable'),
        (bytes(compressed('.bmp').data), 'bmp', 'undecodable'),
        (bytes(compressed('.png').data), '16UC1; compressedDepth png', 'unknown_encoding'),
        (bytes(compressed('.png').data), '16UC1; png compressed ', 'unknown_encoding'),
        (bytes(compressed('.jpg').data), '32FC1; jpeg compressed ', 'unknown_encoding'),
        (
            bytes(compressed('.jpg', SCENE[..., 0]).data),
            'bayer_rgbg8; jpeg compressed ',
            'unknown_encoding',
        ),
    ],
)
def test_bad_compressed_images_name_the_cause(data, kind, cause):
    with pytest.raises(MessageError) as error:
        compressed_to_rgb(CompressedImage(format=kind, data=data))
    assert error.value.cause == cause


@settings(max_examples=200, deadline=None)
@given(
    extension=strategies.sampled_from(['.jpg', '.png']),
    place=strategies.floats(0, 1),
    value=strategies.integers(0, 255),
)
def test_a_damaged_byte_gives_an_image_or_a_cause(extension, place, value):
    msg = compressed(extension, SCENE[:24, :32])
    msg.data[int(place * (len(msg.data) - 1))] = value
    try:
        rgb = compressed_to_rgb(msg)
    except MessageError:
        return
    assert rgb.ndim == 3


def test_depth_in_metres_keeps_nan_and_infinities():
    depth_m = np.array([[1.5, np.nan, 3.0], [np.inf, -np.inf, 80.0]], np.float32)
    msg = depth_to_image(depth_m, header())
    assert (msg.encoding, msg.width, msg.height, msg.step) == ('32FC1', 3, 2, 12)
    assert not msg.is_bigendian
    assert msg.header == header()
    np.testing.assert_array_equal(np.frombuffer(msg.data, '<f4').reshape(2, 3), depth_m)


def test_depth_in_millimetres_worked_out_by_hand():
    depth_m = np.array(
        [[1.2345, 0.0006, 65.535, 0.0004, 65.536], [np.nan, np.inf, -np.inf, -1.0, 0.0]],
        np.float32,
    )
    msg = depth_to_image(depth_m, header(), '16UC1')
    assert (msg.encoding, msg.step) == ('16UC1', 10)
    millimetres = np.frombuffer(msg.data, '<u2').reshape(2, 5)
    assert millimetres[0, 0] in (1234, 1235)  # a half, which float32 does not hold exactly
    np.testing.assert_array_equal(millimetres[0, 1:], [1, 65535, 0, 0])
    np.testing.assert_array_equal(millimetres[1], 0)


def test_another_depth_encoding_is_refused():
    with pytest.raises(ValueError, match="'64FC1'"):
        depth_to_image(np.ones((1, 1), np.float32), header(), '64FC1')


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8'])
def test_colour_images_out_and_in_again(encoding):
    msg = pixels_to_image(SCENE[::2], encoding, header())  # a view of every other row
    assert (msg.width, msg.height, msg.step) == (160, 60, 480)
    rgb = image_to_rgb(msg)
    np.testing.assert_array_equal(rgb if encoding == 'rgb8' else rgb[..., ::-1], SCENE[::2])


def test_grey_images_out_and_in_again():
    msg = pixels_to_image(SCENE[..., 0], 'mono8', header())
    np.testing.assert_array_equal(image_to_rgb(msg)[..., 0], SCENE[..., 0])


@pytest.mark.parametrize(
    ('pixels', 'encoding'),
    [
        (SCENE, 'mono8'),
        (SCENE[..., 0], 'rgb8'),
        (SCENE[..., :2], 'rgb8'),
        (SCENE.astype(float), 'rgb8'),
        (SCENE, 'hsv8'),
    ],
)
def test_arrays_that_are_not_of_the_encoding_are_refused(pixels, encoding):
    with pytest.raises(ValueError, match=f"no '{encoding}' image"):
        pixels_to_image(pixels, encoding, header())


def test_cloud_is_organised_and_laid_out_as_pcl_expects():
    points = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    points[1, 2] = np.nan
    rgb = np.full((2, 3, 3), (0x11, 0x22, 0x33), np.uint8)
    cloud = points_to_cloud(points, rgb, header())
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (3, 2, 16, 48)
    assert not cloud.is_dense
    assert not cloud.is_bigendian
    assert cloud.header == header()
    assert [(field.name, field.offset, field.datatype, field.count) for field in cloud.fields] == [
        ('x', 0, 7, 1),
        ('y', 4, 7, 1),
        ('z', 8, 7, 1),
        ('rgb', 12, 7, 1),
    ]
    assert isinstance(cloud.data, array)
    # the point at row 0, column 1, byte by byte: 3.0, 4.0, 5.0, then blue, green, red, nothing
    assert bytes(cloud.data[16:32]) == struct.pack('<fff', 3, 4, 5) + b'\x33\x22\x11\x00'


def test_cloud_is_read_back_by_the_usual_library():
    points = np.random.default_rng(4).normal(size=(4, 5, 3)).astype(np.float32)
    points[0, 0] = np.nan
    rgb = np.random.default_rng(5).integers(0, 256, (4, 5, 3), np.uint8)
    cloud = points_to_cloud(points, rgb, header())
    read = ros_compat.read_points(cloud, ('x', 'y', 'z', 'rgb'))
    assert read.shape == (20,)
    np.testing.assert_array_equal(
        np.stack([read[name] for name in 'xyz'], -1), points.reshape(-1, 3)
    )
    packed = np.ascontiguousarray(read['rgb']).view(np.uint32)
    np.testing.assert_array_equal(
        np.stack((packed >> 16, packed >> 8 & 255, packed & 255), -1), rgb.reshape(-1, 3)
    )
    assert not np.isnan(read['rgb']).any()  # or readers that skip NaN would lose points


def test_cloud_from_a_strided_view():
    points = np.random.default_rng(6).normal(size=(6, 8, 3)).astype(np.float32)
    cloud = points_to_cloud(points[::2, ::2], SCENE[:6:2, :8:2], header())
    read = ros_compat.read_points(cloud, ('x',))
    np.testing.assert_array_equal(read['x'], points[::2, ::2, 0].ravel())


def test_points_and_colours_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(2, 3, 3\) and \(3, 2, 3\)'):
        points_to_cloud(np.zeros((2, 3, 3), np.float32), np.zeros((3, 2, 3), np.uint8), header())


def calibrated_info():
    return CameraInfo(
        width=100,
        height=60,
        distortion_model='plumb_bob',
        d=[-0.3, 0.1, 0.0, 0.0, 0.0],
        k=[100.0, 0.0, 50.0, 0.0, 80.0, 30.0, 0.0, 0.0, 1.0],
        r=np.eye(3).ravel(),
        p=[90.0, 0.0, 48.0, 0.0, 0.0, 90.0, 28.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def test_camera_info_with_region_and_binning_becomes_the_model_of_that_image():
    info = calibrated_info()
    info.binning_x, info.binning_y = 2, 4
    info.roi = RegionOfInterest(x_offset=10, y_offset=4, width=80, height=48)
    model = camera_info_to_model(info)
    assert (model.width_px, model.height_px) == (40, 12)
    np.testing.assert_array_equal(model.k, [[50, 0, 20], [0, 20, 6.5], [0, 0, 1]])
    np.testing.assert_array_equal(model.d, [-0.3, 0.1, 0, 0, 0])


def test_camera_info_out_and_in_again():
    model = camera_info_to_model(calibrated_info()).resized(50, 30)
    info = camera_model_to_info(model, header())
    assert info.header == header()
    assert (info.binning_x, info.roi.width) == (0, 0)
    assert camera_info_to_model(info) == model


def test_an_empty_camera_info_is_uncalibrated():
    assert not camera_info_to_model(CameraInfo()).is_calibrated


def test_a_camera_info_that_cannot_be_true_is_refused():
    info = calibrated_info()
    info.k[4] = np.nan
    with pytest.raises(CameraError, match='not finite'):
        camera_info_to_model(info)


def test_messages_own_their_camera_matrices():
    model = CameraModel.from_intrinsics(100, 60, np.diag((100.0, 80.0, 1.0)))
    info = camera_model_to_info(model, header())
    info.k[0] = 5
    assert model.k[0, 0] == 100
