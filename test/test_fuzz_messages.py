"""
Hostile messages through the callbacks of a live node: each is counted, none does harm.

The node runs in this process, on real topics with real subscribers; only the way from a publisher
to the callback is left out, since 100,000 messages are to pass (``make fuzz``).
"""

from array import array
from collections import Counter
from io import BytesIO
import struct
import time
import zlib

import cv2
from fuzzing import at_most, budget
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from PIL import Image as PillowImage
import pytest
import rclpy
from rclpy.context import Context
from rclpy.parameter import Parameter
from ros_graph import next_domain_id
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from tiny_network import write_tiny_weights

from s2r_depth_ros.depth.camera_model import CameraError
from s2r_depth_ros.node.depth_node import DepthNode
from s2r_depth_ros.ros.messages import (
    camera_info_to_model,
    compressed_to_rgb,
    image_to_rgb,
    MessageError,
)
from s2r_depth_ros.ros.outputs import COPIES, OUTPUTS

MAX_PIXELS = 200_000
# The largest picture allowed takes some 60 bytes a pixel until its cloud is out, 12 MB; and
# malloc reserves 64 MB for each new thread.
MOST_BYTES = 96 * 2**20
GOOD_EVERY = 5  # how often a good frame follows, which must be served
PATIENCE_S = 60.0
WIDTH, HEIGHT = 32, 24

UINT32 = st.one_of(
    st.sampled_from([0, 1, 2, 3, 15, 16, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1]),
    st.integers(0, 64),
    st.integers(0, 2**32 - 1),
)
FLOAT = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 5e-324, -5e-324, 1e308, float('nan'), float('inf')]),
    st.floats(0.01, 1e4),
    st.floats(),
)
ENCODINGS = {  # bytes a pixel, where rows of pixels are all there is
    'rgb8': 3,
    'bgr8': 3,
    'rgba8': 4,
    'bgra8': 4,
    'mono8': 1,
    '8UC1': 1,
    '8UC3': 3,
    '8UC4': 4,
    'mono16': 2,
    'yuv422': 2,
    'uyvy': 2,
    'yuv422_yuy2': 2,
    'yuyv': 2,
    'bayer_rggb8': 1,
    'bayer_bggr8': 1,
    'bayer_gbrg8': 1,
    'bayer_grbg8': 1,
    'nv12': 1,
    'nv21': 1,
    'nv24': 1,
    '32FC1': 4,
    '16UC1': 2,
    'bayer_rggb16': 2,
}
TEXT = st.one_of(st.sampled_from(['', 'x' * 100_000, '\n', '%s{}', 'RGB8']), st.text())
SIDES = st.sampled_from([1, 2, 3, 7, 15, 16, 17, 31, 64, 97])


@st.composite
def images(draw):
    """An image that is right, but for up to three fields."""
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    width, height = draw(
        st.sampled_from(
            [
                (WIDTH, HEIGHT),
                (WIDTH, HEIGHT),
                (1, 1),
                (MAX_PIXELS, 1),
                (1, MAX_PIXELS),
                (2, MAX_PIXELS // 2),
                (None, None),
            ]
        )
    )
    if width is None:
        width, height = draw(SIDES), draw(SIDES)
    step = width * ENCODINGS[encoding] + draw(st.sampled_from([0, 0, 1, 5]))
    rows = (
        height * 3 // (2 if encoding in ('nv12', 'nv21') else 1)
        if encoding.startswith('nv')
        else height
    )
    fields = {
        'width': width,
        'height': height,
        'step': step,
        'encoding': encoding,
        'is_bigendian': draw(st.integers(0, 255)),
        'data': array('B', bytes([draw(st.integers(0, 255))]) * (step * rows)),
    }
    for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)):
        if name in ('width', 'height', 'step'):
            fields[name] = draw(UINT32)
        elif name == 'encoding':
            fields[name] = draw(st.one_of(st.sampled_from(sorted(ENCODINGS)), TEXT))
        elif name == 'data':
            fields[name] = array('B', draw(st.one_of(st.just(b''), st.binary(max_size=200))))
    message = Image(**{**fields, 'data': array('B')})
    message.data = fields['data']
    return message


def encoded(extension, height=HEIGHT, width=WIDTH, channels=3, dtype=np.uint8, options=()):
    pixels = np.random.default_rng(1).integers(
        0, np.iinfo(dtype).max, (height, width, channels), dtype
    )
    return cv2.imencode(extension, pixels, options)[1].tobytes()


def with_exif(depth):
    """A JPEG with a block of EXIF that points at itself."""
    buffer = BytesIO()
    PillowImage.new('RGB', (WIDTH, HEIGHT)).save(
        buffer, 'JPEG', exif=b'Exif\0\0II*\0\x08\0\0\0' + b'\x01\0\x69\x87\x04\0\x01\0\0\0' * depth
    )
    return buffer.getvalue()


def png_chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


PNG = encoded('.png')
FILES = [
    PNG,
    encoded('.jpg'),
    encoded('.png', channels=4),
    encoded('.png', channels=1),
    encoded('.png', dtype=np.uint16),
    encoded('.jpg', channels=1),
    with_exif(1),
    with_exif(50),
    encoded('.jpg', options=(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    encoded('.bmp'),
    PNG[:33] + png_chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(2**24))) + PNG[33:],
    PNG[:33] + png_chunk(b'iCCP', b'a\0\0' + zlib.compress(bytes(2**24))) + PNG[33:],
    PNG[:33] + png_chunk(b'acTL', struct.pack('>II', 2**31 - 1, 0)) + PNG[33:],
]


@st.composite
def compressed_images(draw):
    """A file that is right, but for some bytes, its end, or the size that it claims."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        sof = data.find(b'\xff\xc0')  # the JPEG's size, two bytes each; the PNG's, four
        place, size = (sof + 5, 4) if sof >= 0 else (16, 8)
        if len(data) >= place + size:
            data[place : place + size] = draw(
                st.one_of(
                    st.binary(min_size=size, max_size=size),
                    st.just(b'\x7f\xff' * (size // 2)),
                    st.just(b'\0' * size),
                )
            )
    if draw(st.integers(0, 3)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    if draw(st.integers(0, 9)) == 0:
        data = bytearray(draw(st.binary(max_size=300)))
    message = CompressedImage(format=draw(st.one_of(st.sampled_from(['jpeg', 'png']), TEXT)))
    message.data = array('B', data)
    return message


def good_info():
    return CameraInfo(
        width=WIDTH,
        height=HEIGHT,
        distortion_model='plumb_bob',
        d=[0.1, 0.0, 0.0, 0.0, 0.0],
        k=[30.0, 0.0, 16.0, 0.0, 30.0, 12.0, 0.0, 0.0, 1.0],
        r=np.eye(3).ravel(),
        p=[30.0, 0.0, 16.0, 0.0, 0.0, 30.0, 12.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


@st.composite
def infos(draw):
    """A calibration that is right, but for up to four values."""
    info = good_info()
    for name in draw(
        st.sets(
            st.sampled_from(
                [
                    'width',
                    'height',
                    'k',
                    'r',
                    'p',
                    'd',
                    'distortion_model',
                    'binning_x',
                    'binning_y',
                    'roi',
                ]
            ),
            max_size=4,
        )
    ):
        if name in ('k', 'r', 'p'):
            values = getattr(info, name)
            values[draw(st.integers(0, len(values) - 1))] = draw(FLOAT)
        elif name == 'd':
            info.d = draw(
                st.one_of(
                    st.lists(FLOAT, max_size=15), st.builds(lambda value: [value] * 100_000, FLOAT)
                )
            )
        elif name == 'distortion_model':
            info.distortion_model = draw(
                st.one_of(st.sampled_from(['equidistant', 'rational_polynomial']), TEXT)
            )
        elif name == 'roi':
            info.roi = RegionOfInterest(
                **{side: draw(UINT32) for side in ('x_offset', 'y_offset', 'width', 'height')}
            )
        else:
            setattr(info, name, draw(UINT32))
    return info


class Bench:
    """A node of one camera in this process, whose outputs all have a subscriber."""

    def __init__(self, weights_file, transport):
        context = Context()
        rclpy.init(context=context, domain_id=next_domain_id())
        values = {
            'weights': str(weights_file),
            'device': 'cpu',
            'threads': 1,
            'rectify': True,
            'max_image_pixels': MAX_PIXELS,
            'input_transport': transport,
        }
        self.node = DepthNode(
            context=context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        self.node.autostart()
        self._camera = self.node._cameras['camera']
        self._listener = rclpy.create_node('listener', context=context)
        outputs = {**OUTPUTS, **COPIES}
        for output, kind in outputs.items():
            self._listener.create_subscription(kind, f'camera/{output}', lambda message: None, 1)
        self._wait(lambda: len(self._camera.subscribed_outputs()) == len(outputs))
        self._context = context
        self._stamp_ns = 0

    def counts(self):
        counters = self._camera.counters
        return counters.received, counters.published, Counter(counters.dropped)

    def send(self, message, info=None):
        """
        Give messages to the node's callbacks, and return 'published' or the cause of the drop.

        :param message: gets the next stamp.
        :param info: arrives before it.
        """
        received, published, dropped = self.counts()
        self._stamp_ns += 1
        message.header.stamp.nanosec = self._stamp_ns
        if info is not None:
            info.header.stamp.nanosec = self._stamp_ns
            self._camera._subscriptions[1].callback(info)
        with at_most(MOST_BYTES):
            self._camera._subscriptions[0].callback(message)
            self._wait(
                lambda: self.counts()[1] + self.counts()[2].total() > published + dropped.total()
            )
        now_received, now_published, now_dropped = self.counts()
        assert now_received == received + 1
        if now_published > published:
            assert now_dropped == dropped
            return 'published'
        ((cause, count),) = (now_dropped - dropped).items()
        assert count == 1
        return cause

    def close(self):
        self.node.close()
        self.node.destroy_node()
        self._listener.destroy_node()
        rclpy.shutdown(context=self._context)

    def _wait(self, condition):
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, self.counts()
            time.sleep(0.0002)


@pytest.fixture(scope='module')
def weights_file(tmp_path_factory):
    return write_tiny_weights(tmp_path_factory.mktemp('weights'))


@pytest.fixture(scope='module', params=['raw', 'compressed'])
def bench(request, weights_file):
    bench = Bench(weights_file, request.param)
    bench.transport = request.param
    assert bench.send(good_frame(request.param), good_info()) == 'published'
    for sides in ((MAX_PIXELS, 1), (1, MAX_PIXELS)):  # the threads' pools are there now
        bench.send(good_frame('raw', *sides), CameraInfo())
    yield bench
    bench.close()


def good_frame(transport, width=WIDTH, height=HEIGHT):
    if transport == 'compressed':
        return CompressedImage(format='png', data=PNG)
    message = Image(width=width, height=height, encoding='rgb8', step=width * 3)
    message.data = array('B', bytes(width * height * 3))
    return message


def expected_cause(message, info):
    """What the functions below the node say of the same messages; None if nothing."""
    try:
        if isinstance(message, CompressedImage):
            rgb = compressed_to_rgb(message, MAX_PIXELS)
        else:
            rgb = image_to_rgb(message, MAX_PIXELS)
        model = camera_info_to_model(info)
    except MessageError as error:
        return error.cause
    except CameraError:
        return 'camera_info'
    if model.is_calibrated and (model.height_px, model.width_px) != rgb.shape[:2]:
        return 'camera_info'
    return None


served = Counter()


def check(bench, message, info):
    cause = expected_cause(message, info)
    outcome = bench.send(message, info)
    # Only rectification, which the node does, may find more that is wrong.
    assert outcome in ({cause} if cause else {'published', 'camera_info'})
    assert outcome == 'published' or len(bench._camera.counters.last_fault) < 2000
    served['all'] += 1
    if served['all'] % GOOD_EVERY == 0:
        assert bench.send(good_frame(bench.transport), good_info()) == 'published'


@given(data=st.data())
@budget(600)
def test_a_hostile_image_is_served_or_counted_under_its_cause(bench, data):
    message = data.draw(images() if bench.transport == 'raw' else compressed_images())
    check(bench, message, data.draw(st.sampled_from([good_info(), CameraInfo()])))


@given(info=infos())
@budget(300)
def test_a_hostile_camera_info_costs_its_image_at_most(bench, info):
    check(bench, good_frame(bench.transport), info)
