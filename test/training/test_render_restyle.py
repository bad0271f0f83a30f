"""Restyling: other looks, the same depth, in a layout that evaluate compares."""

import numpy as np
import pytest
from tiny_run import FRAMES, write_data

from s2r_depth_training.cli import main
from s2r_depth_training.data import DataError
from s2r_depth_training.data.readers.vkitti import VKitti
from s2r_depth_training.evaluation.frames import group_by_geometry
from s2r_depth_training.evaluation.restyle import LOOKS, restyle
from s2r_scenes import write


@pytest.fixture(scope='module')
def restyled(tmp_path_factory):
    root = tmp_path_factory.mktemp('restyle')
    write_data(root)
    assert main(['restyle', '--root', str(root / 'scenes'), '--out', str(root / 'looks')]) == 0
    return root


def test_each_geometry_is_there_in_all_looks(restyled):
    reader = VKitti(restyled / 'looks')
    groups = group_by_geometry(reader)
    assert len(groups) == FRAMES
    for group in groups:
        assert {reader.frames[index].variation for index in group} == set(LOOKS)
        depths_m = [reader[index].depth_m for index in group]
        assert all(np.array_equal(depth_m, depths_m[0]) for depth_m in depths_m)


def test_looks_differ_and_the_first_is_the_image_itself(restyled):
    image = VKitti(restyled / 'scenes')[0].image
    looks = {name: repaint(image) for name, repaint in LOOKS.items()}
    assert np.array_equal(looks.pop('rendered'), image)
    for name, look in looks.items():
        assert (look.shape, look.dtype) == (image.shape, np.uint8)
        assert np.abs(look.astype(int) - image).mean() > 2, name
    assert np.array_equal(looks['grey'][..., 0], looks['grey'][..., 2])
    assert np.array_equal(looks['negative'], 255 - image)


def test_depth_and_camera_are_kept(restyled):
    before, after = VKitti(restyled / 'scenes'), VKitti(restyled / 'looks', variations=['grey'])
    for index in range(FRAMES):
        np.testing.assert_array_equal(after[index].depth_m, before[index].depth_m)
        np.testing.assert_allclose(  # written with four decimals
            after[index].intrinsics, before[index].intrinsics, atol=1e-4
        )


def test_what_was_written_until_it_was_stopped_has_its_cameras(restyled, tmp_path, monkeypatch):
    calls = []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(write, 'write_depth', stop)
    with pytest.raises(KeyboardInterrupt):
        restyle(restyled / 'scenes', tmp_path / 'looks')
    world = VKitti(restyled / 'scenes').frames[0].world
    lines = (tmp_path / f'looks/vkitti_1.3.1_intrinsicsgt/{world}.txt').read_text().splitlines()
    assert [line.split()[0] for line in lines] == ['frame', '0', '1']


def test_what_is_there_is_not_written_over(restyled, capsys):
    call = ['restyle', '--root', str(restyled / 'scenes'), '--out', str(restyled / 'looks')]
    assert main(call) == 1
    assert 'looks is there already: give a folder that is not' in capsys.readouterr().err


def test_an_unknown_variation_is_named(restyled):
    with pytest.raises(DataError, match='fog'):
        restyle(restyled / 'scenes', restyled / 'other', 'fog')
    assert not (restyled / 'other').exists()
