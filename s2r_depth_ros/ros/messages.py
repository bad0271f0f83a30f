"""
Convert between ``sensor_msgs`` and arrays; only this module knows the pixel layouts of messages.

A message that cannot be read raises :class:`MessageError`. Its ``cause`` is one stable word. The
node uses it as the name of a counter:

================== ==========================================================================
zero_size          width or height is zero
too_large          more pixels than the limit, detected before any decoding or allocation; or a
                   JPEG with hundreds of scans, each of which covers the whole image
unknown_encoding   the encoding is not one of colours or grey values
bad_step           the row step is smaller than a row of pixels
data_too_short     fewer bytes than step times rows
data_too_long      more bytes than step times rows
odd_size           an odd width or height where pairs of pixels share colour
truncated          a JPEG or PNG without its end
undecodable        not a JPEG or PNG, damaged, or rejected by the conversion library
================== ==========================================================================
"""

from __future__ import annotations

from array import array
from io import BytesIO
import re
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image as PillowImage

from ..depth.camera_model import CameraModel
from ..depth.parameters import MAX_PIXELS
from ..encoded_images import is_complete, JPEG_SCAN, PNG_SIGNATURE
from .compat import ConversionError, convert_to_rgb
from .message_types import (
    CameraInfo,
    CompressedImage,
    filled,
    Float32MultiArray,
    Header,
    Image,
    LaserScan,
    MultiArrayDimension,
    MultiArrayLayout,
    PointCloud2,
    PointField,
    Range,
)

if TYPE_CHECKING:  # it imports torch, which camera_player does not need
    from ..depth.scale import Scale
    from ..depth.scan import Scan

# Channels, and OpenCV's conversion to RGB. No standard defines the order of 8UC3 and 8UC4: they
# are read in OpenCV's order, BGR.
_PLAIN = {
    'rgb8': (3, None),
    'bgr8': (3, cv2.COLOR_BGR2RGB),
    'rgba8': (4, cv2.COLOR_RGBA2RGB),
    'bgra8': (4, cv2.COLOR_BGRA2RGB),
    'mono8': (1, cv2.COLOR_GRAY2RGB),
    '8UC1': (1, cv2.COLOR_GRAY2RGB),
    '8UC3': (3, cv2.COLOR_BGR2RGB),
    '8UC4': (4, cv2.COLOR_BGRA2RGB),
}
# The encodings that every version of the conversion library supports.
_CONVERTED = ('bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8')
# cv_bridge rejects most names of YUV 4:2:2 and 4:2:0, so these encodings bypass it.
_YUV422 = {
    'yuv422': cv2.COLOR_YUV2RGB_UYVY,
    'uyvy': cv2.COLOR_YUV2RGB_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
    'yuyv': cv2.COLOR_YUV2RGB_YUY2,
}
_MOSAIC = re.compile(r'(bayer_[a-z]{4})(8|16)?')
# A plane of Y, then one of interleaved chroma at half the resolution.
_YUV420 = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}

# One channel of any type but bytes is a measurement, such as depth.
_MEASUREMENTS = re.compile(r'(16[US]|32[SF]|64F)C1')

# Y, U, V to R, G, B and a constant: ITU-R BT.601, video range, as in OpenCV's YUV conversions.
_BT601_VIDEO = np.array(
    [
        [1.164, 0.0, 1.596, -1.164 * 16 - 1.596 * 128],
        [1.164, -0.391, -0.813, -1.164 * 16 + (0.391 + 0.813) * 128],
        [1.164, 2.018, 0.0, -1.164 * 16 - 2.018 * 128],
    ],
    np.float32,
)

# Progressive files have about ten scans. A scan covers the whole image in as few as thirty bytes:
# thousands of scans keep the decoder busy for minutes.
_MOST_JPEG_SCANS = 100

_METRES_TO_MM = 1000.0


class MessageError(ValueError):
    """
    A message that cannot be read.

    :param cause: one of the words in the table of this module.
    :param text: a sentence with the values.
    """

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause = cause


def image_to_rgb(msg: Image, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """
    Read an image message.

    Plain 8-bit encodings are read in place. 'rgb8' without padding is not copied: the result
    shares the memory of the message. 'mono16' is scaled by 1 / 257, which maps its whole range to
    8 bits. 'nv24' and the other YUV encodings are BT.601, video range.

    :param msg: rgb8, bgr8, rgba8, bgra8, mono8, mono16, 8UC1, 8UC3, 8UC4, yuv422 (uyvy),
        yuv422_yuy2 (yuyv), nv12, nv21, nv24 or an 8-bit Bayer pattern; rows may be padded.
    :param max_pixels: the maximum of width times height.
    :returns: (H, W, 3) uint8 RGB.
    :raises MessageError: with the cause.
    """
    width, height, encoding = msg.width, msg.height, msg.encoding
    _check_size(width, height, max_pixels)
    if encoding in _PLAIN:
        channels, conversion = _PLAIN[encoding]
        pixels = _rows(msg, width * channels, height).reshape(height, width, channels)
        if conversion is None:
            return np.ascontiguousarray(pixels)
        return cv2.cvtColor(pixels, conversion)
    if encoding == 'mono16':
        rows = _rows(msg, width * 2, height)
        values = rows.view('>u2' if msg.is_bigendian else '<u2').astype(np.uint16)
        return cv2.cvtColor(cv2.convertScaleAbs(values, alpha=1 / 257), cv2.COLOR_GRAY2RGB)
    if encoding in _YUV422:
        _check_even(msg, width)
        pixels = _rows(msg, width * 2, height).reshape(height, width, 2)
        return cv2.cvtColor(pixels, _YUV422[encoding])
    if encoding in _CONVERTED:
        rows = _rows(msg, width, height)
        try:
            return convert_to_rgb(_image(rows, width, encoding, msg.header))
        except ConversionError as error:
            raise MessageError('undecodable', f"'{encoding}' image: {error}") from error
    if encoding in _YUV420:
        _check_even(msg, width, height)
        planes = _rows(msg, width, height * 3 // 2)
        return cv2.cvtColor(np.ascontiguousarray(planes), _YUV420[encoding])
    if encoding == 'nv24':
        return _nv24_to_rgb(msg)
    raise MessageError(
        'unknown_encoding',
        f'images with the encoding {encoding!r} cannot be read as colours; '
        f'known are {", ".join((*_PLAIN, "mono16", *_CONVERTED, *_YUV422, *_YUV420, "nv24"))}',
    )


def compressed_to_rgb(msg: CompressedImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """
    Decode a JPEG or PNG message.

    The size is read from the header before decoding. An EXIF orientation is ignored, so the pixels
    match the camera's intrinsics. The end marker is checked first. Damage in the middle of a JPEG
    stays undetected.

    :param msg: the content of ``data`` decides, not ``format``, with two exceptions. Depth is
        rejected. A grey image of a Bayer encoding is read as its mosaic.
    :param max_pixels: the maximum of width times height.
    :returns: (H, W, 3) uint8 RGB; 16-bit PNGs are scaled to 8 bits.
    :raises MessageError: with the cause.
    """
    # The compressed transport plugin puts the encoding first: '16UC1; png compressed '.
    encoding = msg.format.partition(';')[0].strip()
    if 'compressedDepth' in msg.format or _MEASUREMENTS.fullmatch(encoding):
        raise MessageError(
            'unknown_encoding', f'{msg.format!r} is a compressed depth image, not a camera image'
        )
    data = bytes(msg.data)
    width, height = _encoded_size(data)
    _check_size(width, height, max_pixels)
    if not is_complete(data):
        raise MessageError(
            'truncated', f'the compressed image of {len(data)} bytes ends before its end marker'
        )
    if not data.startswith(PNG_SIGNATURE) and data.count(JPEG_SCAN) > _MOST_JPEG_SCANS:
        raise MessageError(
            'too_large',
            f'the JPEG has {data.count(JPEG_SCAN)} scans, the limit is {_MOST_JPEG_SCANS}',
        )
    mosaic = _MOSAIC.fullmatch(encoding.lower())
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR if mosaic else cv2.IMREAD_COLOR
    encoded = np.frombuffer(data, np.uint8)
    try:
        pixels = cv2.imdecode(encoded, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise MessageError('undecodable', f'the compressed image is damaged: {error}') from error
    if pixels is None or pixels.shape[:2] != (height, width):
        raise MessageError('undecodable', f'the compressed image of {len(data)} bytes is damaged')
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if mosaic and pixels.ndim == 2:
        return image_to_rgb(_image(pixels, width, f'{mosaic[1]}8', msg.header), max_pixels)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def depth_to_mm(depth_m: np.ndarray) -> np.ndarray:
    """
    Return whole millimetres, as depth cameras do.

    :param depth_m: (H, W) float metres.
    :returns: (H, W) uint16; 0 where the depth is not finite or not in 1 to 65535 mm.
    """
    depth_mm = np.rint(depth_m * np.float32(_METRES_TO_MM))
    is_valid = (depth_mm >= 1) & (depth_mm <= np.iinfo(np.uint16).max)
    return np.where(is_valid, depth_mm, 0).astype(np.uint16)


def depth_to_image(depth_m: np.ndarray, header: Header, encoding: str = '32FC1') -> Image:
    """
    Create a depth image message (REP 118).

    :param depth_m: (H, W) float metres.
    :param header: stamp and frame_id of the camera image.
    :param encoding: '32FC1' keeps the metres, NaN and infinities; '16UC1' holds whole millimetres
        from :func:`depth_to_mm`.
    :returns: the message.
    :raises ValueError: for another encoding.
    """
    if encoding == '32FC1':
        pixels = depth_m.astype(np.float32, copy=False)
    elif encoding == '16UC1':
        pixels = depth_to_mm(depth_m)
    else:
        raise ValueError(f"depth images are '32FC1' or '16UC1', not '{encoding}'")
    return _image(pixels, depth_m.shape[1], encoding, header)


def image_to_depth_m(msg: Image, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """
    Read a depth image message (REP 118); the inverse of :func:`depth_to_image`.

    :param msg: '32FC1' metres or '16UC1' millimetres; rows may be padded.
    :param max_pixels: the maximum of width times height.
    :returns: (H, W) float32 metres, NaN where there is no measurement.
    :raises MessageError: with the cause.
    """
    _check_size(msg.width, msg.height, max_pixels)
    if msg.encoding not in ('32FC1', '16UC1'):
        raise MessageError(
            'unknown_encoding', f"depth images are '32FC1' or '16UC1', not '{msg.encoding}'"
        )
    order = '>' if msg.is_bigendian else '<'
    if msg.encoding == '32FC1':
        depth_m = _rows(msg, msg.width * 4, msg.height).view(f'{order}f4').astype(np.float32)
    else:
        depth_mm = _rows(msg, msg.width * 2, msg.height).view(f'{order}u2')
        depth_m = depth_mm.astype(np.float32) / np.float32(_METRES_TO_MM)
    depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
    return depth_m


def range_m(msg: Range) -> float:
    """Return the metres of a range message, NaN if it has no measurement by REP 117."""
    is_measured = msg.min_range <= msg.range <= msg.max_range and 0 < msg.range < float('inf')
    return msg.range if is_measured else float('nan')


def scale_to_message(scale: Scale) -> Float32MultiArray:
    """Create a message of a scale; its data are factor and confidence."""
    dimension = filled(MultiArrayDimension, label='scale, confidence', size=2, stride=2)
    return filled(
        Float32MultiArray, layout=filled(MultiArrayLayout, dim=[dimension]), data=array('f', scale)
    )


def pixels_to_image(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """
    Create an 8-bit image message without a change of the channels.

    :param pixels: (H, W, 3) uint8 for 'rgb8' and 'bgr8', (H, W) uint8 for 'mono8'.
    :param encoding: 'rgb8', 'bgr8' or 'mono8'.
    :param header: stamp and frame_id.
    :returns: the message.
    :raises ValueError: if shape, dtype and encoding do not match.
    """
    dimensions = {'rgb8': 3, 'bgr8': 3, 'mono8': 2}
    if (
        pixels.dtype != np.uint8
        or pixels.ndim != dimensions.get(encoding)
        or pixels.shape[2:] not in ((), (3,))
    ):
        raise ValueError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is no '{encoding}' image"
        )
    return _image(pixels, pixels.shape[1], encoding, header)


def points_to_cloud(
    points: np.ndarray, rgb: np.ndarray, header: Header, confidence: np.ndarray | None = None
) -> PointCloud2:
    """
    Create an organised cloud: one point per pixel, with the packed colour of PCL and rviz.

    :param points: (H, W, 3) float32 metres in the optical frame, NaN where invalid.
    :param rgb: (H, W, 3) uint8 RGB.
    :param header: stamp and optical frame_id.
    :param confidence: (H, W) float32, a further field; None for a cloud without.
    :returns: fields x, y, z, rgb and confidence if given (float32 each), little endian, not dense.
    :raises ValueError: if points, colours and confidence differ in size.
    """
    if points.shape != rgb.shape or points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(
            f'points and colours are both (H, W, 3), got {points.shape} and {rgb.shape}'
        )
    height, width = points.shape[:2]
    if confidence is not None and confidence.shape != (height, width):
        raise ValueError(f'the confidence is {(height, width)}, got {confidence.shape}')
    # A packed colour is the bytes b, g, r, 0 read as a float. OpenCV's 255 in the last byte makes
    # it NaN, and readers that skip NaN then skip every point.
    packed = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA).view(np.uint32)
    packed &= 0x00FFFFFF
    planes = [
        *np.moveaxis(points.astype(np.float32, copy=False), -1, 0),
        packed.view(np.float32)[..., 0],
    ]
    names = ['x', 'y', 'z', 'rgb']
    if confidence is not None:
        planes.append(confidence)
        names.append('confidence')
    point_bytes = 4 * len(names)
    msg = filled(
        PointCloud2,
        header=header,
        height=height,
        width=width,
        fields=_point_fields(*names),
        is_bigendian=False,
        point_step=point_bytes,
        row_step=point_bytes * width,
        is_dense=False,
    )
    msg.data.append(0)
    values = msg.data
    values *= height * width * point_bytes  # in place: to set the field is to copy it
    cv2.merge(planes, np.frombuffer(values, np.float32).reshape(height, width, len(names)))
    return msg


def obstacles_to_cloud(points_m: np.ndarray, header: Header) -> PointCloud2:
    """
    Create a cloud in no order.

    :param points_m: (N, 3) float32 metres, all finite.
    :param header: stamp and frame_id.
    :returns: fields x, y, z (float32 each), 12 bytes a point, little endian, dense.
    """
    msg = filled(
        PointCloud2,
        header=header,
        height=1,
        width=len(points_m),
        fields=_point_fields('x', 'y', 'z'),
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points_m),
        is_dense=True,
    )
    if len(points_m):  # a memoryview of nothing cannot be cast
        _append(msg.data, points_m.astype(np.float32, copy=False))
    return msg


def scan_to_message(scan: Scan, header: Header) -> LaserScan:
    """Create a laser scan whose rays all have one time, that of the header."""
    return filled(
        LaserScan,
        header=header,
        angle_min=scan.angle_min_rad,
        angle_max=scan.angle_min_rad + (len(scan.ranges_m) - 1) * scan.angle_step_rad,
        angle_increment=scan.angle_step_rad,
        range_min=scan.range_min_m,
        range_max=scan.range_max_m,
        ranges=array('f', scan.ranges_m.tolist()),
    )


def camera_info_to_model(msg: CameraInfo) -> CameraModel:
    """
    Read the intrinsics of the image that belongs to this message.

    :param msg: the calibration. Its region of interest and binning are applied.
    :returns: the model of exactly that image; not calibrated if ``K[0]`` is 0.
    :raises s2r_depth_ros.depth.camera_model.CameraError: if the calibration is invalid.
    """
    roi = msg.roi
    return CameraModel.from_calibration(
        msg.width,
        msg.height,
        msg.k,
        np.array(msg.d),
        msg.r,
        msg.p,
        msg.distortion_model,
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        binning=(msg.binning_x, msg.binning_y),
    )


def camera_model_to_info(model: CameraModel, header: Header) -> CameraInfo:
    """
    Create a camera_info message; the inverse of :func:`camera_info_to_model`.

    :param model: the camera model, with size and region already applied.
    :param header: stamp and frame_id of the image.
    :returns: a message without binning and region of interest.
    """
    return filled(
        CameraInfo,
        header=header,
        width=model.width_px,
        height=model.height_px,
        distortion_model=model.distortion_model,
        d=array('d', model.d.tolist()),
        k=model.k.flatten(),
        r=model.r.flatten(),
        p=model.p.flatten(),
    )


def _point_fields(*names: str) -> list[PointField]:
    return [
        filled(PointField, name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(names)
    ]


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width == 0 or height == 0:
        raise MessageError('zero_size', f'the image has {width} x {height} pixels')
    if width * height > max_pixels:
        raise MessageError(
            'too_large',
            f'the image has {width} x {height} pixels, the limit is {max_pixels} in all',
        )


def _check_even(msg: Image, *sides: int) -> None:
    if any(side % 2 for side in sides):
        raise MessageError(
            'odd_size', f"'{msg.encoding}' images have even sides, not {msg.width} x {msg.height}"
        )


def _rows(msg: Image, row_bytes: int, row_count: int) -> np.ndarray:
    """Return a (row_count, row_bytes) uint8 view of the data without row padding."""
    if msg.step < row_bytes:
        raise MessageError(
            'bad_step',
            f"a row of {msg.width} '{msg.encoding}' pixels takes {row_bytes} bytes, "
            f'the step is {msg.step}',
        )
    expected = msg.step * row_count
    if len(msg.data) != expected:
        cause = 'data_too_short' if len(msg.data) < expected else 'data_too_long'
        raise MessageError(
            cause,
            f"an '{msg.encoding}' image of {msg.width} x {msg.height} pixels with step "
            f'{msg.step} has {expected} bytes, got {len(msg.data)}',
        )
    return np.frombuffer(msg.data, np.uint8).reshape(row_count, msg.step)[:, :row_bytes]


def _nv24_to_rgb(msg: Image) -> np.ndarray:
    """Read a plane of Y, then one of interleaved U and V with rows of two steps."""
    planes = _rows(msg, msg.width, msg.height * 3)
    luma = planes[: msg.height]
    chroma_rows = np.frombuffer(msg.data, np.uint8)[msg.step * msg.height :]
    chroma = chroma_rows.reshape(msg.height, 2 * msg.step)[:, : 2 * msg.width]
    yuv = np.dstack((luma, chroma.reshape(msg.height, msg.width, 2)))
    return cv2.transform(yuv, _BT601_VIDEO)


def _encoded_size(data: bytes) -> tuple[int, int]:
    try:
        with PillowImage.open(BytesIO(data), formats=('JPEG', 'PNG')) as header:
            return header.size
    except PillowImage.DecompressionBombError as error:
        raise MessageError('too_large', f'the compressed image is too large: {error}') from error
    except (OSError, ValueError, SyntaxError) as error:
        raise MessageError(
            'undecodable', f'the {len(data)} bytes are no JPEG or PNG image'
        ) from error


def _append(data: Any, values: np.ndarray) -> None:
    """Append bytes to the field of a message, an array.array: to set the field is to copy it."""
    contiguous: Any = np.ascontiguousarray(values)
    data.frombytes(memoryview(contiguous).cast('B'))


def _image(pixels: np.ndarray, width: int, encoding: str, header: Header) -> Image:
    """Create a message of whole rows."""
    msg = filled(
        Image,
        header=header,
        height=pixels.shape[0],
        width=width,
        encoding=encoding,
        is_bigendian=False,
        step=pixels[0].nbytes,
    )
    _append(msg.data, pixels)
    return msg
