"""The verb render-styles."""

import cv2
import numpy as np
import pytest

from s2r_scenes import render_styles
from s2r_scenes.write import FolderError


def test_styles_are_flat_files_that_workers_do_not_change(tmp_path):
    render_styles(tmp_path / 'one', count=4, size_px=64, workers=1)
    render_styles(tmp_path / 'two', count=4, size_px=64, workers=2)
    names = [f'{number:05d}.jpg' for number in range(4)]
    assert sorted(path.name for path in (tmp_path / 'one').glob('*.jpg')) == names
    for name in names:
        assert (tmp_path / 'one' / name).read_bytes() == (tmp_path / 'two' / name).read_bytes()


def test_styles_differ_in_their_colours(tmp_path):
    render_styles(tmp_path, count=12, size_px=64, workers=1)
    means = [cv2.imread(str(path)).mean((0, 1)) for path in sorted(tmp_path.glob('*.jpg'))]
    assert np.std(means, axis=0).min() > 15


def test_a_folder_grows_without_painting_again(tmp_path):
    render_styles(tmp_path, count=2, size_px=64, workers=1)
    stamp = (tmp_path / '00000.jpg').stat().st_mtime_ns
    render_styles(tmp_path, count=3, size_px=64, workers=1)
    assert (tmp_path / '00000.jpg').stat().st_mtime_ns == stamp
    assert len(list(tmp_path.glob('*.jpg'))) == 3


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    render_styles(tmp_path, count=1, size_px=64, workers=1)
    with pytest.raises(ValueError, match='size_px 64 instead of 128'):
        render_styles(tmp_path, count=1, size_px=128, workers=1)


def test_a_folder_of_own_pictures_is_not_mixed_with_rendered_ones(tmp_path):
    (tmp_path / '103.jpg').write_bytes(b'a painting')
    with pytest.raises(FolderError, match=r'holds 103\.jpg of another origin'):
        render_styles(tmp_path, count=1, size_px=64, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ['103.jpg']


def test_a_senseless_count_is_refused(tmp_path):
    with pytest.raises(ValueError, match='count must be at least 1'):
        render_styles(tmp_path, count=0)
