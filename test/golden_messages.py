"""Compares what is published for a camera with a golden file, reduced to a few kilobytes."""

from array import array

from golden_files import block_means, Golden, nearness, samples
import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Float32MultiArray

from s2r_depth_ros.ros.compat import read_points

# Another CPU adds up in another order, which is 1e-5 of a depth in the network; beside an edge,
# or where a scale was measured in a histogram, it grows. Of a pixel at the limit of the range the
# depth may be far on one and finite on the other.
DEPTH_RTOL = 1e-3
OUTLIERS = 0.005
SHADES = 2  # by which a colour of a rounded map or of another JPEG decoder may differ


def compare_message(golden: Golden, key: str, message: object) -> None:
    """
    Compare a message of one of the outputs, but for its stamp.

    :param golden: part that has or takes it.
    :param key: of this message.
    :param message: an Image, CameraInfo, PointCloud2 or Float32MultiArray.
    """
    compare = {
        Image: _compare_image,
        CameraInfo: _compare_info,
        PointCloud2: _compare_cloud,
        Float32MultiArray: _compare_scale,
    }[type(message)]
    golden.fact(f'{key}/fields', _fields(message))
    compare(golden, key, message)


def compare_depth(golden: Golden, key: str, depth_m: np.ndarray) -> None:
    """
    Compare a depth map: samples, and means that every pixel has a share in.

    :param golden: part that has or takes it.
    :param key: of this map.
    :param depth_m: (H, W) metres as float32, or millimetres as uint16.
    """
    is_whole = depth_m.dtype.kind == 'u'
    golden.numbers(
        f'{key}/samples', samples(depth_m), rtol=DEPTH_RTOL, atol=2.0 * is_whole, outliers=OUTLIERS
    )
    golden.numbers(
        f'{key}/nearness',
        block_means(nearness(depth_m)),
        rtol=DEPTH_RTOL,
        atol=1e-5,
        outliers=0.02,
    )


def compare_shades(golden: Golden, key: str, pixels: np.ndarray) -> None:
    """
    Compare an image of 8 bits a channel.

    :param golden: part that has or takes it.
    :param key: of this image.
    :param pixels: (H, W) or (H, W, C) uint8.
    """
    golden.numbers(f'{key}/samples', samples(pixels), atol=SHADES, outliers=OUTLIERS)
    golden.numbers(f'{key}/means', block_means(pixels), atol=0.5, outliers=0.02)


def _compare_image(golden: Golden, key: str, message: Image) -> None:
    channels, dtype = {
        '32FC1': (1, '<f4'),
        '16UC1': (1, '<u2'),
        'mono8': (1, 'u1'),
        'bgr8': (3, 'u1'),
    }[message.encoding]
    pixels = np.frombuffer(message.data, dtype).reshape(message.height, message.width, channels)
    if message.encoding in ('32FC1', '16UC1'):
        compare_depth(golden, key, pixels[..., 0])
    else:
        compare_shades(golden, key, pixels)


def _compare_info(golden: Golden, key: str, message: CameraInfo) -> None:
    for name in 'dkrp':
        golden.numbers(f'{key}/{name}', getattr(message, name), rtol=1e-9, atol=1e-9)


def _compare_cloud(golden: Golden, key: str, message: PointCloud2) -> None:
    points = read_points(message, ['x', 'y', 'z', 'rgb']).reshape(message.height, message.width)
    for name in 'xyz':
        golden.numbers(
            f'{key}/{name}',
            samples(points[name], 12, 40),
            rtol=DEPTH_RTOL,
            atol=1e-4,
            outliers=OUTLIERS,
        )
    golden.numbers(
        f'{key}/nearness',
        block_means(nearness(points['z'])),
        rtol=DEPTH_RTOL,
        atol=1e-5,
        outliers=0.02,
    )
    packed = np.ascontiguousarray(points['rgb']).view(np.uint32)
    bytes_ = np.stack([packed >> shift & 255 for shift in (24, 16, 8, 0)], axis=-1)
    golden.numbers(
        f'{key}/rgb', samples(bytes_.astype(np.uint8), 12, 40), atol=SHADES, outliers=OUTLIERS
    )


def _compare_scale(golden: Golden, key: str, message: Float32MultiArray) -> None:
    golden.numbers(f'{key}/data', message.data, rtol=DEPTH_RTOL)


def _fields(message: object) -> object:
    """Return what is exact of a message: all but its stamp and its floats and pixels."""
    if isinstance(message, (list, tuple)):
        return [_fields(each) for each in message]
    if not hasattr(message, 'get_fields_and_field_types'):
        return message
    return {
        name: _fields(value)
        for name in message.get_fields_and_field_types()
        for value in [getattr(message, name)]
        if name != 'stamp' and not isinstance(value, (array, np.ndarray))
    }
