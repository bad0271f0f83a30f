"""Every encoding in this package and in other readers: docs/reference/encodings.md."""

from array import array
import importlib.util
from pathlib import Path
import re
import sys
import types

import cv2
import numpy as np
import pytest

from s2r_depth_ros.ros import compat as ros_compat
from s2r_depth_ros.ros.message_types import CompressedImage
from s2r_depth_ros.ros.messages import compressed_to_rgb, image_to_rgb, MessageError

DOCS = Path(__file__).parents[1] / 'docs'
FORMS_OF_DEPTH = (
    '16UC1; png compressed ',
    '16UC1; compressedDepth png',
    '32FC1; compressedDepth png',
    '16UC1; compressedDepth rvl',
    '16SC1; png compressed ',
    '32SC1; png compressed ',
    '64FC1; tiff compressed ',
)


@pytest.fixture(scope='module')
def encodings():
    spec = importlib.util.spec_from_file_location(
        'encodings_page', DOCS / 'scripts' / 'encodings.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_encoding_is_right_or_refused_in_a_sentence_with_padded_rows_too(encodings):
    head, *rows = encodings.table()
    column = head.index('this package')
    answers = {row[0]: row[column] for row in rows}
    assert set(answers.values()) == {'right', 'refused: unknown_encoding'}
    page = (DOCS / 'reference' / 'encodings.md').read_text()
    assert answers == {
        encoding: answer
        for names, answer in re.findall(r'^\| (`.*?`) \| ([^|]*?) \|', page, re.M)
        for encoding in names.split(', ')
    }


@pytest.mark.parametrize('form', FORMS_OF_DEPTH)
def test_compressed_depth_is_refused_and_not_read_as_a_picture_of_eight_bits(form):
    data = cv2.imencode('.png', np.full((4, 4), 2500, np.uint16))[1]
    message = CompressedImage(format=form)
    message.data = array('B', data.tobytes())
    with pytest.raises(MessageError, match='compressed depth image, not a camera image'):
        compressed_to_rgb(message)


@pytest.mark.parametrize(
    'encoding', ['nv12', 'nv21', 'nv24', 'yuyv', 'uyvy', 'yuv422', 'yuv422_yuy2']
)
def test_yuv_is_read_alike_with_and_without_cv_bridge(encodings, encoding, monkeypatch):
    pixels, _ = encodings.raw_images()[encoding]
    message = encodings.message(encoding, pixels, 3)
    without = image_to_rgb(message)

    class Refusing:
        def imgmsg_to_cv2(self, message, encoding):
            raise RuntimeError(f'Unrecognized image encoding [{message.encoding}]')

    old = types.SimpleNamespace(CvBridge=Refusing, CvBridgeError=RuntimeError)
    monkeypatch.setitem(sys.modules, 'cv_bridge', old)
    ros_compat._image_converter.cache_clear()
    try:
        np.testing.assert_array_equal(image_to_rgb(message), without)
    finally:
        ros_compat._image_converter.cache_clear()
