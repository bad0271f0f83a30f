"""Procedural textures."""

import numpy as np
import pytest

from s2r_scenes import textures

CUTOUTS = {'leaves', 'sign', 'fence', 'skyline'}


@pytest.fixture(scope='module')
def library():
    return textures.make_library(0, 0)


def test_the_same_numbers_paint_the_same_pictures(library):
    again = textures.make_library.__wrapped__(0, 0)
    np.testing.assert_array_equal(library.images, again.images)
    other = textures.make_library.__wrapped__(0, 1)
    assert (library.images != other.images).mean() > 0.5


def test_only_cutouts_have_holes(library):
    holed = {
        kind
        for kind, layers in library.kinds.items()
        if (library.images[layers][..., 3] < 128).any()
    }
    assert holed == CUTOUTS


def test_every_layer_belongs_to_one_kind(library):
    layers = sorted(layer for of_kind in library.kinds.values() for layer in of_kind)
    assert layers == list(range(len(library.images)))
    assert library.kinds['plain'] == [textures.PLAIN]


def test_noise_is_centred_and_tiles_without_a_seam():
    noise = textures.fractal(np.random.default_rng(0), 1.5)
    assert abs(noise.mean() - 0.5) < 0.02
    inner = np.abs(np.diff(noise, axis=1)).mean()
    seam = np.abs(noise[:, 0] - noise[:, -1]).mean()
    assert seam < 1.5 * inner
