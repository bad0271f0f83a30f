"""The reader of folders with a manifest."""

import json

import cv2
import numpy as np
import pytest

from s2r_depth_training.data.readers.manifest import Manifest
from s2r_depth_training.data.sample import CorruptSampleError, DataError

ENTRY = {
    'name': 'a',
    'rgb': 'a.png',
    'depth': 'a_depth.png',
    'depth_scale': 256,
    'K': [100.0, 110.0, 3.5, 1.5],
    'licence': 'ignored',
}


def write(root, *entries, depth=((0, 256, 512, 640),) * 2):
    """Write a manifest whose entries share one 4 x 2 image, blue but for its first pixel."""
    image = np.full((2, 4, 3), (255, 0, 0), np.uint8)
    image[0, 0] = (0, 0, 200)
    cv2.imwrite(str(root / 'a.png'), image)
    cv2.imwrite(str(root / 'a_depth.png'), np.array(depth, np.uint16))
    (root / 'manifest.json').write_text(json.dumps(entries))
    return root


def test_a_frame_is_read_in_rgb_and_metres(tmp_path):
    reader = Manifest(write(tmp_path, ENTRY))
    assert len(reader) == 1
    image, depth_m, intrinsics, name = reader[0]
    assert image.shape == (2, 4, 3)
    assert image[0, 0].tolist() == [200, 0, 0]
    np.testing.assert_array_equal(depth_m, [[np.nan, 1, 2, 2.5]] * 2)
    assert depth_m.dtype == intrinsics.dtype == np.float32
    assert intrinsics.tolist() == [[100, 0, 3.5], [0, 110, 1.5], [0, 0, 1]]
    assert name == str(tmp_path / 'a.png')


def test_an_unknown_camera_has_no_intrinsics(tmp_path):
    assert np.isnan(Manifest(write(tmp_path, {**ENTRY, 'K': None}))[0].intrinsics).all()


def test_smaller_depth_is_enlarged_where_the_manifest_says_so(tmp_path):
    small = {**ENTRY, 'depth_size': [2, 1]}
    depth_m = Manifest(write(tmp_path, small, depth=[[256, 512]]))[0].depth_m
    np.testing.assert_array_equal(depth_m, [[1, 1, 2, 2]] * 2)


def test_depth_of_another_size_is_named(tmp_path):
    reader = Manifest(write(tmp_path, ENTRY, depth=[[256, 512]]))
    with pytest.raises(CorruptSampleError, match=r'a\.png has 4 x 2 pixels .* depth has 2 x 1'):
        reader[0]


def test_a_file_that_is_missing_is_named(tmp_path):
    write(tmp_path, ENTRY, {**ENTRY, 'rgb': 'b.png'})
    with pytest.raises(DataError, match=r'no file .*b\.png'):
        Manifest(tmp_path)


def test_a_folder_without_manifest_is_refused_with_the_layout(tmp_path):
    with pytest.raises(DataError, match=r'no file .*manifest\.json; expected a list of .*"rgb"'):
        Manifest(tmp_path)


@pytest.mark.parametrize('text', ['', '{', '{}', '[]', '[1]', '[null]', '[' * 100000])
def test_a_manifest_that_is_no_list_of_frames_is_refused(tmp_path, text):
    (tmp_path / 'manifest.json').write_text(text)
    with pytest.raises(DataError, match=r'manifest\.json .*expected a list of'):
        Manifest(tmp_path)


@pytest.mark.parametrize(
    'wrong',
    [
        {'rgb': None},
        {'depth': 3},
        {'depth_scale': 0},
        {'depth_scale': '256'},
        {'depth_scale': True},
        {'depth_scale': 1e-320},
        {'depth_scale': 10**400},
        {'K': [1, 2, 3]},
        {'K': [0, 1, 1, 1]},
        {'K': [1e39, 1, 1, 1]},
        {'K': [10**400, 1, 1, 1]},
        {'depth_size': 2},
    ],
)
def test_an_entry_that_is_wrong_is_counted_out(tmp_path, wrong):
    write(tmp_path, ENTRY, {**ENTRY, **wrong})
    with pytest.raises(DataError, match=r'entry 1 of .*manifest\.json is not as expected'):
        Manifest(tmp_path)
