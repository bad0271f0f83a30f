"""Images of folders and videos, in order, with what a manifest says of them."""

import json
import struct

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.sources.frames import Frame, FrameError, FrameSource, IntrinsicsOverride


def write_image(path, value=0, width_px=32, height_px=24):
    cv2.imwrite(str(path), np.full((height_px, width_px, 3), (value, 100, 200), np.uint8))


def names(source):
    return [frame.name for frame in source]


def no_skips(reason):
    raise AssertionError(reason)


def test_folder_is_played_in_natural_order_whatever_the_suffix(tmp_path):
    for name in ('10.png', '2.JPG', '1.bmp', 'b.webp', 'a.jpeg'):
        write_image(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('no image')
    source = FrameSource(tmp_path, no_skips)
    assert len(source) == 5
    assert names(source) == ['1', '2', '10', 'a', 'b']
    assert names(source) == ['1', '2', '10', 'a', 'b']  # from the start again


def test_frames_are_rgb_without_intrinsics(tmp_path):
    write_image(tmp_path / 'a.png', 50)
    (frame,) = FrameSource(tmp_path / 'a.png', no_skips)
    assert frame.intrinsics is None
    np.testing.assert_array_equal(frame.rgb, np.broadcast_to((200, 100, 50), (24, 32, 3)))


def test_manifest_says_which_files_are_images_and_their_intrinsics(tmp_path):
    for name in ('b.png', 'b_depth.png', 'a.png', 'a_depth.png', 'other.png'):
        write_image(tmp_path / name)
    (tmp_path / 'manifest.json').write_text(
        json.dumps(
            [
                {'name': 'b', 'rgb': 'b.png', 'depth': 'b_depth.png', 'K': [20, 21, 15.5, 11.5]},
                {'name': 'a', 'rgb': 'a.png', 'depth': 'a_depth.png'},
            ]
        )
    )
    first, second = FrameSource(tmp_path, no_skips)
    assert (first.name, second.name) == ('b', 'a')
    np.testing.assert_array_equal(first.intrinsics, [[20, 0, 15.5], [0, 21, 11.5], [0, 0, 1]])
    assert second.intrinsics is None


def test_names_with_digits_of_other_scripts_are_played(tmp_path):
    for name in ('5\u00b27.png', '1\u06632.png', '1a2.png'):
        write_image(tmp_path / name)
    assert len(names(FrameSource(tmp_path, no_skips))) == 3


def test_unreadable_images_are_named_and_left_out(tmp_path):
    write_image(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_bytes(b'no image')
    (tmp_path / 'c.png').touch()
    (tmp_path / 'd.png').mkdir()
    write_image(tmp_path / 'e.png')
    skipped = []
    assert names(FrameSource(tmp_path, skipped.append)) == ['a', 'e']
    assert len(skipped) == 3
    for name, text in zip(('b.png', 'c.png', 'd.png'), skipped):
        assert name in text


def write_video(file, values):
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for value in values:
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    return file


def write_matroska(
    file,
    times_ms,
    images,
    width_px,
    height_px,
    codec=b'V_MJPEG',
    shown_width_px=None,
    duration_ms=None,
):
    """Write JPEGs with their times, which OpenCV's writer cannot say."""

    def element(identity, content):
        return bytes.fromhex(identity) + (len(content) | 1 << 56).to_bytes(8, 'big') + content

    def number(identity, value):
        return element(identity, value.to_bytes(4, 'big'))

    header = element('1A45DFA3', element('4282', b'matroska') + number('4287', 4))
    info = element(
        '1549A966',
        number('2AD7B1', 1_000_000)
        + element('4489', struct.pack('>d', duration_ms or times_ms[-1] + 33)),
    )
    shown = (
        b''
        if shown_width_px is None
        else (number('54B0', shown_width_px) + number('54BA', height_px))
    )
    size = element('E0', number('B0', width_px) + number('BA', height_px) + shown)
    track = element(
        '1654AE6B',
        element(
            'AE',
            (number('D7', 1) + number('73C5', 1) + number('83', 1) + element('86', codec) + size),
        ),
    )
    clusters = b''.join(
        element('1F43B675', number('E7', time_ms) + element('A3', b'\x81\0\0\x80' + image))
        for time_ms, image in zip(times_ms, images)
    )
    file.write_bytes(header + element('18538067', info + track + clusters))


@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.webp'])
def test_a_file_of_several_images_says_that_one_is_used(suffix, tmp_path):
    images = [np.full((48, 64, 3), value, np.uint8) for value in (0, 100, 200)]
    file = tmp_path / f'a{suffix}'
    if suffix == '.tiff':
        assert cv2.imwritemulti(str(file), images)
    else:
        if not hasattr(cv2, 'imwriteanimation'):  # OpenCV before 4.11
            pytest.skip('no animation can be written')
        animation = cv2.Animation()
        animation.frames, animation.durations = images, np.full(3, 100, np.int32)
        assert cv2.imwriteanimation(str(file), animation)
    skipped = []
    assert names(FrameSource(tmp_path, skipped.append)) == ['a']
    (fault,) = skipped
    assert f'a{suffix} contains 3 images, of which only the first is used' in fault


def test_an_image_that_is_stored_turned_is_upright_and_has_no_intrinsics_of_a_manifest(tmp_path):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24] = 255
    jpeg = cv2.imencode('.jpg', pixels)[1].tobytes()
    for turn in (1, 3, 6):
        exif = b'Exif\0\0II*\0\x08\0\0\0' + struct.pack('<HHHIHHI', 1, 0x112, 3, 1, turn, 0, 0)
        (tmp_path / f'{turn}.jpg').write_bytes(
            jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + jpeg[2:]
        )
    frames = list(FrameSource(tmp_path, no_skips))
    assert [frame.rgb.shape for frame in frames] == [(48, 64, 3), (48, 64, 3), (64, 48, 3)]
    assert [frame.rgb[0, 0, 0] > 128 for frame in frames] == [True, False, False]
    entries = [{'rgb': f'{turn}.jpg', 'K': [60, 60, 20, 30]} for turn in (1, 3, 6)]
    (tmp_path / 'manifest.json').write_text(json.dumps(entries))
    skipped = []
    assert names(FrameSource(tmp_path, skipped.append)) == ['1']
    assert ['"K" of manifest.json is ambiguous' in each for each in skipped] == [True, True]


def test_images_of_other_forms_in_a_folder_are_said_and_grey_ones_are_read(tmp_path):
    write_image(tmp_path / 'a.jpg')
    cv2.imwrite(str(tmp_path / 'b.pgm'), np.zeros((24, 32), np.uint8))
    for name in ('a.CR2', '._a.jpg', 'c.HEIC', 'd.gif'):  # a raw form, and what macOS adds
        (tmp_path / name).touch()
    skipped = []
    assert names(FrameSource(tmp_path, skipped.append)) == ['a', 'b']
    (fault,) = skipped
    assert 'has 2 images in formats that are not supported, such as c.HEIC: convert them' in fault


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_a_truncated_image_is_named_by_any_opencv(suffix, tmp_path, monkeypatch):
    file = tmp_path / f'a{suffix}'
    write_image(file)
    file.write_bytes(file.read_bytes()[:-20])
    # OpenCV 4.6 decodes what there is.
    monkeypatch.setattr(cv2, 'imdecode', lambda data, flags: np.zeros((48, 64, 3), np.uint8))
    skipped = []
    assert not names(FrameSource(file, skipped.append))
    assert skipped[0] == f'{file} is cut off: its end is missing'
    file.write_bytes(b'')
    assert not names(FrameSource(file, skipped.append))
    assert skipped[1] == f'{file} is empty'


def test_video_is_played_frame_by_frame(tmp_path):
    source = FrameSource(write_video(tmp_path / 'film.avi', (0, 100, 200)), no_skips)
    assert len(source) == 3
    assert source.rate_hz == 10
    for _ in range(2):
        frames = list(source)
        assert [frame.name for frame in frames] == ['000000', '000001', '000002']
        np.testing.assert_allclose([frame.rgb.mean() for frame in frames], [0, 100, 200], atol=3)


def test_a_video_that_ends_early_is_played_so_far_and_named(tmp_path):
    file = write_video(tmp_path / 'film.avi', range(100))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    skipped = []
    assert 30 < len(names(FrameSource(file, skipped.append))) < 70
    (fault,) = skipped
    assert 'film.avi is broken' in fault
    assert 'of the 100 images' in fault


def test_a_whole_film_of_variable_rate_is_not_called_broken_and_has_its_times(tmp_path):
    # Images of 64 x 48, at 30 a second, then one a second, as a film of a screen.
    times_ms = [*range(0, 990, 33), *range(1000, 10_000, 1000)]
    images = [
        cv2.imencode('.jpg', np.full((48, 64, 3), 10 * number % 255, np.uint8))[1].tobytes()
        for number in range(len(times_ms))
    ]
    write_matroska(tmp_path / 'screen.mkv', times_ms, images, 64, 48)
    frames = list(FrameSource(tmp_path / 'screen.mkv', no_skips))
    assert [frame.stamp_s for frame in frames] == pytest.approx(
        [time_ms / 1000 for time_ms in times_ms], abs=0.002
    )


def jpegs(number, width_px=64, height_px=48):
    return [
        cv2.imencode('.jpg', np.full((height_px, width_px, 3), 10 * each % 255, np.uint8))[
            1
        ].tobytes()
        for each in range(number)
    ]


def test_a_film_whose_first_image_comes_late_is_not_called_broken(tmp_path):
    file = tmp_path / 'late.mkv'
    write_matroska(file, range(7000, 9000, 100), jpegs(20), 64, 48)
    source = FrameSource(file, no_skips)
    assert len(names(source)) == 20
    assert len(source) == pytest.approx(20, abs=1)
    # But one that was cut short is.
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    skipped = []
    assert len(names(FrameSource(file, skipped.append))) < 12
    assert 'late.mkv is broken' in skipped[0]


def test_sound_that_is_longer_than_the_images_does_not_make_a_film_broken(tmp_path):
    file = tmp_path / 'sound.mkv'
    write_matroska(file, range(0, 3000, 100), jpegs(30), 64, 48, duration_ms=6000)
    assert len(names(FrameSource(file, no_skips))) == 30
    whole = file.read_bytes()
    # What was reserved and never written is as lost as what was cut off.
    for damaged in (
        whole[: len(whole) // 2],
        whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
    ):
        file.write_bytes(damaged)
        skipped = []
        assert len(names(FrameSource(file, skipped.append))) < 20
        assert 'sound.mkv is broken' in skipped[0]


def write_mp4(file, images):
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for number in range(images):
        writer.write(np.full((48, 64, 3), 4 * number % 256, np.uint8))
    writer.release()
    return file


def test_a_film_that_was_trimmed_without_encoding_is_not_called_broken(tmp_path):
    # Its edit list hides the images before the time of the cut; the header counts them, too.
    file = write_mp4(tmp_path / 'trimmed.mp4', 60)
    data = bytearray(file.read_bytes())
    place = data.index(b'elst') + 12
    duration, media_time = struct.unpack_from('>Ii', data, place)
    (ticks,) = struct.unpack_from('>I', data, data.index(b'mdhd') + 16)
    struct.pack_into('>Ii', data, place, duration // 2, media_time + ticks * 3)
    file.write_bytes(data)
    assert len(names(FrameSource(file, no_skips))) == 30


def test_images_after_those_that_cannot_be_decoded_are_read(tmp_path):
    whole = [*jpegs(60), *[b'no image'] * 4, *jpegs(60)]
    for name, images, lost in (
        ('hole.mkv', whole, 4),
        ('begin.mkv', whole[60:], 4),
        ('long.mkv', [*whole[:1], *[b'no image'] * 150, *whole[64:]], 150),
    ):
        file = tmp_path / name
        write_matroska(file, range(0, 100 * len(images), 100), images, 64, 48)
        skipped = []
        frames = list(FrameSource(file, skipped.append))
        assert len(frames) == len(images) - lost
        assert frames[-1].stamp_s - frames[0].stamp_s == pytest.approx(
            (len(images) - 1) / 10 if images[0] != b'no image' else 5.9
        )
        assert skipped == [f'{file} is damaged: {lost} of its images cannot be decoded']


def write_other(file, codec, images=30):
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(images):
        writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    return bytearray(file.read_bytes())


@pytest.mark.parametrize('suffix', ['flv', 'wmv'])
def test_a_time_in_the_header_that_counts_more_than_the_images_does_not_make_a_film_broken(
    suffix, tmp_path
):
    # Sound that goes on after the images, or a first image that is not at 0 s.
    file = tmp_path / f'film.{suffix}'
    data = write_other(file, 'FLV1' if suffix == 'flv' else 'WMV2')
    if suffix == 'flv':
        struct.pack_into('>d', data, data.index(b'duration') + 9, 9.0)
    else:  # the play time of the file properties, in 100 ns
        properties = bytes.fromhex('A1DCAB8C47A9CF118EE400C00C205365')
        struct.pack_into('<Q', data, data.index(properties) + 64, 120_000_000)
    file.write_bytes(data)
    source = FrameSource(file, no_skips)
    assert len(source) > 80
    assert len(names(source)) == 30
    # But one that was cut short is.
    file.write_bytes(data[: len(data) * 2 // 3])
    skipped = []
    assert len(names(FrameSource(file, skipped.append))) < 25
    assert 'is broken' in skipped[-1]


def test_a_number_of_images_that_only_holds_a_place_is_none(tmp_path):
    # A film that was written into a pipe: its header could not be corrected at the end.
    file = write_video(tmp_path / 'pipe.avi', range(20))
    data = bytearray(file.read_bytes())
    struct.pack_into('<I', data, data.index(b'avih') + 24, 2**30)
    struct.pack_into('<I', data, data.index(b'strh') + 40, 2**30)
    file.write_bytes(data)
    source = FrameSource(file, no_skips)
    assert len(source) == 0
    assert source.rate_hz == 10
    assert len(names(source)) == 20


class OldCapture:
    """
    A mock of OpenCV 4.6, which cannot be installed here.

    A Matroska's rate is that of its clock, and the time of the last images is 0.
    """

    last = 3

    def __init__(self, path, capture=cv2.VideoCapture):
        self._video = capture(path)
        self._total, self._read = 0, 0
        while capture is not None and self._video.grab():
            self._total += 1
        self._video = capture(path)

    def __getattr__(self, name):
        return getattr(self._video, name)

    def read(self):
        self._read += 1
        return self._video.read()

    def get(self, which):
        value = self._video.get(which)
        if which == cv2.CAP_PROP_FPS:
            return 1000.0
        if which == cv2.CAP_PROP_FRAME_COUNT:
            return value / self._video.get(cv2.CAP_PROP_FPS) * 1000
        if which == cv2.CAP_PROP_POS_MSEC and self._read > self._total - self.last:
            return 0.0
        return value


def test_a_rate_of_1000_hz_is_that_of_a_clock(tmp_path, monkeypatch):
    times_ms = [*range(0, 2000, 50), *range(2000, 10_000, 1000)]
    write_matroska(tmp_path / 'screen.mkv', times_ms, jpegs(len(times_ms)), 64, 48)
    monkeypatch.setattr(cv2, 'VideoCapture', OldCapture)
    source = FrameSource(tmp_path / 'screen.mkv', no_skips)
    stamps_s = [frame.stamp_s for frame in source]
    assert source.rate_hz == pytest.approx(20, rel=0.01)
    assert len(source) < 250
    assert stamps_s[:-3] == pytest.approx([each / 1000 for each in times_ms[:-3]], abs=0.002)
    assert (np.diff(stamps_s) > 0).all()


def test_wild_times_are_those_of_the_rate(tmp_path, monkeypatch):
    class WildCapture(OldCapture):
        # Of OpenCV 4.6, where a stream has no times.
        def get(self, which):
            value = self._video.get(which)
            return -7.7e18 + value if which == cv2.CAP_PROP_POS_MSEC else value

    monkeypatch.setattr(cv2, 'VideoCapture', WildCapture)
    source = FrameSource(write_video(tmp_path / 'film.avi', (0, 100, 200)), no_skips)
    assert [frame.stamp_s for frame in source] == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize('name', ['a:b.avi', 'file:x.avi', 'concat:a|b.avi', 'film%03d.avi'])
def test_a_name_with_a_colon_or_a_percent_sign_is_a_name(tmp_path, monkeypatch, name):
    write_video(tmp_path / name, (0, 100))
    assert len(names(FrameSource(tmp_path / name, no_skips))) == 2
    monkeypatch.chdir(tmp_path)
    assert len(names(FrameSource(name, no_skips))) == 2


def test_a_codec_without_a_decoder_is_named(tmp_path):
    # A sequence header without an image is more than any decoder can show.
    units = [bytes.fromhex('0a0a00000002aff79b5f2008')] * 5
    write_matroska(tmp_path / 'film.mkv', range(0, 500, 100), units, 64, 48, b'V_AV1')
    skipped = []
    assert not names(FrameSource(tmp_path / 'film.mkv', skipped.append))
    (fault,) = skipped
    assert 'cannot decode AV1' in fault
    assert 'film.mkv' in fault
    assert 'broken' not in fault


def test_pixels_of_a_film_that_are_not_square_are_made_square(tmp_path):
    file = tmp_path / 'wide.mkv'
    write_matroska(file, range(0, 500, 100), jpegs(5), 64, 48, shown_width_px=96)
    frame = next(iter(FrameSource(file, no_skips)))
    assert frame.rgb.shape == (48, 96, 3)
    assert frame.pixel_aspect == 1.5
    # The calibration of the pixels as they are stored is of this film, and so is that of a player.
    k = np.array([[60.0, 0, 31.5], [0, 90, 23.5], [0, 0, 1]])
    for lens in (
        IntrinsicsOverride(CameraModel.from_intrinsics(64, 48, k)),
        IntrinsicsOverride(CameraModel.from_intrinsics(96, 48, k * [[1.5], [1], [1]])),
    ):
        assert not lens.shape_fault(frame)
        assert lens.camera_of(frame).k[[0, 1], [0, 1]].tolist() == [90, 90]


def test_a_webcam_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(FrameError, match='no webcam 63'):
        FrameSource('webcam:63', no_skips)


def test_the_lens_is_that_of_the_calibration_else_the_focal_length_else_the_frames_own():
    own = np.array([[20.0, 0, 15.5], [0, 20, 11.5], [0, 0, 1]])
    frame = Frame('a', np.zeros((24, 32, 3), np.uint8), own)
    bare = frame._replace(intrinsics=None)
    calibration = CameraModel.from_intrinsics(64, 48, np.diag((100.0, 100, 1)))
    assert IntrinsicsOverride(calibration, 40, 90).camera_of(frame).k[0, 0] == 50  # half the size
    assert IntrinsicsOverride(None, 40, 90).camera_of(frame).k.tolist() == [
        [40, 0, 15.5],
        [0, 40, 11.5],
        [0, 0, 1],
    ]
    assert IntrinsicsOverride(None, 0, 90).camera_of(frame).k[0, 0] == 20
    assert IntrinsicsOverride(None, 0, 90).camera_of(bare).k[0, 0] == pytest.approx(
        16
    )  # half the width
    assert IntrinsicsOverride().camera_of(bare) is None
    assert not IntrinsicsOverride(calibration).shape_fault(frame)
    wide = Frame('b', np.zeros((24, 64, 3), np.uint8), None)
    assert '64 x 48 pixels, images of 64 x 24' in IntrinsicsOverride(calibration).shape_fault(wide)


def test_nothing_to_play_is_an_error_that_names_the_path(tmp_path):
    with pytest.raises(FrameError, match='nowhere'):
        FrameSource(tmp_path / 'nowhere', no_skips)
    with pytest.raises(FrameError, match='has no images.*png'):
        FrameSource(tmp_path, no_skips)
    (tmp_path / 'film.mp4').write_bytes(b'no video')
    with pytest.raises(FrameError, match='has no images.*videos one by one, such as .*film.mp4'):
        FrameSource(tmp_path, no_skips)
    (tmp_path / 'a.HEIC').write_bytes(b'an image')
    with pytest.raises(FrameError, match='a.HEIC is an image in a format that is not supported'):
        FrameSource(tmp_path / 'a.HEIC', no_skips)
    with pytest.raises(FrameError, match='film.mp4'):
        FrameSource(tmp_path / 'film.mp4', no_skips)


@pytest.mark.parametrize(
    'manifest',
    [
        'not json',
        '{}}',
        '3',
        '["a.png"]',
        '[{"name": "a"}]',
        '[{"rgb": 5}]',
        '[{"rgb": "a.png", "K": [1, 2, 3]}]',
        '[{"rgb": "a.png", "K": "abcd"}]',
        '[{"rgb": "a.png", "K": [1%s, 1, 1, 1]}]' % ('0' * 400),
        '[' * 100000,
        '{"images": []}',
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path, manifest):
    write_image(tmp_path / 'a.png')
    (tmp_path / 'manifest.json').write_text(manifest)
    with pytest.raises(FrameError, match='manifest.json must be a list'):
        FrameSource(tmp_path, no_skips)
