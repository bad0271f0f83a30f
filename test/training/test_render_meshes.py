"""The shapes that scenes are built from."""

import numpy as np
import pytest

from s2r_scenes import meshes
from s2r_scenes.meshes import Material, NORMAL, POSITION, UV

PLAIN = Material(0, size_m=2.0)


def test_a_box_has_its_size_and_normals_that_point_outwards():
    mesh = meshes.box((2, 4, 6), PLAIN, (10, 0, 0))
    assert len(mesh.faces) == 12
    np.testing.assert_allclose(mesh.vertices[:, POSITION].min(0), [9, -2, -3])
    np.testing.assert_allclose(mesh.vertices[:, POSITION].max(0), [11, 2, 3])
    outwards = mesh.vertices[:, POSITION] - [10, 0, 0]
    assert ((outwards * mesh.vertices[:, NORMAL]).sum(1) > 0).all()


def test_textures_repeat_by_the_metre_or_fit_the_rectangle():
    corners = np.array([[(0, 4, 3), (0, 0, 3), (0, 0, 0), (0, 4, 0)]])  # 4 m wide, 3 m high
    np.testing.assert_allclose(meshes.quads(corners, PLAIN).vertices[2, UV], [2.0, 1.5])
    np.testing.assert_allclose(meshes.quads(corners, PLAIN, fit=True).vertices[2, UV], [1, 1])


def test_place_scales_then_turns_then_moves():
    mesh = meshes.box((2, 0, 0), PLAIN)
    placed = meshes.place(mesh, (5, 0, 0), np.pi / 2, scale=3.0)
    ahead = np.flatnonzero(mesh.vertices[:, 0] > 0)
    np.testing.assert_allclose(
        placed.vertices[ahead, POSITION], np.tile([5, 3, 0], (len(ahead), 1)), atol=1e-6
    )


def test_merge_keeps_every_face_on_its_own_vertices():
    one, other = meshes.box((1, 1, 1), PLAIN), meshes.box((1, 1, 1), PLAIN, (5, 0, 0))
    both = meshes.merge([one, other])
    np.testing.assert_array_equal(both.vertices[both.faces[12:]], other.vertices[other.faces])


def test_merging_nothing_gives_an_empty_mesh():
    assert meshes.merge([]).faces.shape == (0, 3)


def test_a_tube_is_round_with_normals_across_its_axis():
    mesh = meshes.tube(np.array([(0, 0, 0), (0, 0, 5)]), 2.0, PLAIN, sides=24)
    np.testing.assert_allclose(np.hypot(*mesh.vertices[:, :2].T), 2.0, rtol=1e-5)
    radial = mesh.vertices[:, POSITION] * [0.5, 0.5, 0]
    along = np.abs((radial * mesh.vertices[:, NORMAL]).sum(1))
    np.testing.assert_allclose(along, 1.0, atol=1e-3)


def test_a_cap_shows_the_texture_upright():
    ring = np.array([(0, 1, 0), (0, -1, 0), (0, -1, 2), (0, 1, 2)])  # seen from -x, +y is left
    mesh = meshes.cap(ring, PLAIN, (-1, 0, 0))
    np.testing.assert_allclose(mesh.vertices[:4, UV], [(0, 1), (1, 1), (1, 0), (0, 0)])


@pytest.mark.parametrize('exponent', [2.0, 4.0])
def test_a_superellipse_meets_its_equation(exponent):
    points = np.abs(meshes.superellipse(16, exponent))
    np.testing.assert_allclose((points**exponent).sum(1), 1.0, rtol=1e-9)


def test_cross_is_the_vector_product():
    np.testing.assert_allclose(meshes.cross([1, 0, 0], [0, 1, 0]), [0, 0, 1])
    a, b = np.random.default_rng(0).standard_normal((2, 5, 3))
    np.testing.assert_allclose(meshes.cross(a, b), np.cross(a, b), rtol=1e-4, atol=1e-6)


def test_transform_keeps_normals_upright_on_leaning_surfaces():
    lean = np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1.0]])
    before = meshes.box((2, 4, 6), PLAIN)
    mesh = meshes.transform(before, lean)
    np.testing.assert_allclose(mesh.vertices[:, POSITION], before.vertices[:, POSITION] @ lean.T)
    corners = mesh.vertices[mesh.faces]
    across = corners[:, 1, POSITION] - corners[:, 0, POSITION]
    along = corners[:, 2, POSITION] - corners[:, 0, POSITION]
    normal = corners[:, 0, NORMAL]
    np.testing.assert_allclose((across * normal).sum(1), 0, atol=1e-5)
    np.testing.assert_allclose((along * normal).sum(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, rtol=1e-5)
    assert ((mesh.vertices[:, POSITION] * mesh.vertices[:, NORMAL]).sum(1) > 0).all()


def test_topple_turns_a_thing_and_sets_it_on_the_ground():
    on_its_side = meshes.topple(meshes.box((1, 2, 4), PLAIN, (7, 7, 7)), np.pi / 2, 0.0)
    size_m = np.ptp(on_its_side.vertices[:, POSITION], axis=0)
    np.testing.assert_allclose(size_m, [1, 4, 2], atol=1e-5)
    assert on_its_side.vertices[:, POSITION][:, 2].min() == pytest.approx(0, abs=1e-5)
