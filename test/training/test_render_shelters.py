"""Things over and right before a camera: their shapes, and where they stand."""

import numpy as np
import pytest

from s2r_scenes import shelters
from s2r_scenes.driving import driving_scene
from s2r_scenes.meshes import POSITION
from s2r_scenes.textures import make_library
from s2r_scenes.viewpoints import Probe

MAKERS = [shelters.roof, shelters.parasol, shelters.portal, shelters.board, shelters.logs]
UP, DOWN = np.array([(0.0, 0.0, 1.0)]), np.array([(0.0, 0.0, -1.0)])


@pytest.fixture(scope='module')
def library():
    return make_library(0, 0)


@pytest.mark.parametrize('maker', MAKERS)
@pytest.mark.parametrize('seed', range(8))
def test_each_stands_on_the_ground_and_is_as_large_as_a_person_or_a_house(maker, seed, library):
    mesh = maker(np.random.default_rng(seed), library)
    points = mesh.vertices[:, POSITION]
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.max() < len(mesh.vertices)
    assert -0.7 < points[:, 2].min() <= 0.0
    assert 1.0 < points[:, 2].max() < 9.0
    assert np.abs(points[:, :2]).max() < 9.0


@pytest.mark.parametrize('maker', [shelters.roof, shelters.parasol])
@pytest.mark.parametrize('seed', range(8))
def test_a_camera_fits_below_a_roof(maker, seed, library):
    mesh = maker(np.random.default_rng(seed), library)
    eye = np.array((0.6, 0.5, 0.5))
    above_m = float(Probe([mesh]).reach(eye, UP[0]))
    assert 0.7 < above_m < 6.0


def test_the_same_seed_makes_the_same_thing(library):
    one, other = (shelters.shelter(np.random.default_rng(5), library) for _ in range(2))
    np.testing.assert_array_equal(one.vertices, other.vertices)


def test_only_scenes_of_any_camera_have_them(library, monkeypatch):
    made = []
    for name in ('shelter', 'board'):
        maker = getattr(shelters, name)
        monkeypatch.setattr(
            shelters, name, lambda rng, library, maker=maker: made.append(1) or maker(rng, library)
        )
    for cameras in ('ordinary', 'any'):
        made.clear()
        for seed in range(3):
            driving_scene(np.random.default_rng(seed), library, 2, 64, 32, cameras=cameras)
        assert bool(made) == (cameras == 'any')
