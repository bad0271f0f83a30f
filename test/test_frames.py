"""Images of folders and videos, in order, with what a manifest says of them."""
import json

import cv2
import numpy as np
import pytest

from s2r_depth_ros.camera import CameraModel
from s2r_depth_ros.frames import Frame, FrameError, FrameSource, Lens


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
    frame, = FrameSource(tmp_path / 'a.png', no_skips)
    assert frame.intrinsics is None
    np.testing.assert_array_equal(frame.rgb, np.broadcast_to((200, 100, 50), (24, 32, 3)))


def test_manifest_says_which_files_are_images_and_their_intrinsics(tmp_path):
    for name in ('b.png', 'b_depth.png', 'a.png', 'a_depth.png', 'other.png'):
        write_image(tmp_path / name)
    (tmp_path / 'manifest.json').write_text(json.dumps([
        {'name': 'b', 'rgb': 'b.png', 'depth': 'b_depth.png', 'K': [20, 21, 15.5, 11.5]},
        {'name': 'a', 'rgb': 'a.png', 'depth': 'a_depth.png'}]))
    first, second = FrameSource(tmp_path, no_skips)
    assert (first.name, second.name) == ('b', 'a')
    np.testing.assert_array_equal(
        first.intrinsics, [[20, 0, 15.5], [0, 21, 11.5], [0, 0, 1]])
    assert second.intrinsics is None


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
    file.write_bytes(file.read_bytes()[:file.stat().st_size // 2])
    skipped = []
    assert 30 < len(names(FrameSource(file, skipped.append))) < 70
    fault, = skipped
    assert 'film.avi is broken' in fault
    assert 'of the 100 images' in fault


def test_a_webcam_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(FrameError, match='no webcam 63'):
        FrameSource('webcam:63', no_skips)


def test_the_lens_is_that_of_the_calibration_else_the_focal_length_else_the_frames_own():
    own = np.array([[20.0, 0, 15.5], [0, 20, 11.5], [0, 0, 1]])
    frame = Frame('a', np.zeros((24, 32, 3), np.uint8), own)
    bare = frame._replace(intrinsics=None)
    calibration = CameraModel.from_intrinsics(64, 48, np.diag((100.0, 100, 1)))
    assert Lens(calibration, 40, 90).camera_of(frame).k[0, 0] == 50  # half the size
    assert Lens(None, 40, 90).camera_of(frame).k.tolist() == [[40, 0, 15.5], [0, 40, 11.5],
                                                              [0, 0, 1]]
    assert Lens(None, 0, 90).camera_of(frame).k[0, 0] == 20
    assert Lens(None, 0, 90).camera_of(bare).k[0, 0] == pytest.approx(16)  # half the width
    assert Lens().camera_of(bare) is None
    assert not Lens(calibration).shape_fault(frame)
    wide = Frame('b', np.zeros((24, 64, 3), np.uint8), None)
    assert '64 x 48 pixels, images of 64 x 24' in Lens(calibration).shape_fault(wide)


def test_nothing_to_play_is_an_error_that_names_the_path(tmp_path):
    with pytest.raises(FrameError, match='nowhere'):
        FrameSource(tmp_path / 'nowhere', no_skips)
    with pytest.raises(FrameError, match='has no images.*png'):
        FrameSource(tmp_path, no_skips)
    (tmp_path / 'film.mp4').write_bytes(b'no video')
    with pytest.raises(FrameError, match='film.mp4'):
        FrameSource(tmp_path / 'film.mp4', no_skips)


@pytest.mark.parametrize('manifest', [
    'not json', '{}}', '3', '["a.png"]', '[{"name": "a"}]', '[{"rgb": 5}]',
    '[{"rgb": "a.png", "K": [1, 2, 3]}]', '[{"rgb": "a.png", "K": "abcd"}]', '{"images": []}'])
def test_a_wrong_manifest_is_refused(tmp_path, manifest):
    write_image(tmp_path / 'a.png')
    (tmp_path / 'manifest.json').write_text(manifest)
    with pytest.raises(FrameError, match='manifest.json must be a list'):
        FrameSource(tmp_path, no_skips)
