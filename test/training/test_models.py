"""Models of others: read as they are meant, refused in one sentence, drawn by both backends."""

import json
import logging
import os
from pathlib import Path
import zipfile

from model_files import (
    box_visual,
    dae,
    mesh_visual,
    mtl,
    obj,
    png,
    RED,
    sofa,
    write_furniture,
    write_model,
    write_world,
)
from needed import SHARED, skip_without
import numpy as np
import pytest
from render_scene import daylight, make_renderer
from test_render_scenes import digests, TINY

from s2r_scenes import generate, render_scenes
from s2r_scenes.cast import Cast
from s2r_scenes.models import collection, gather, ModelError
from s2r_scenes.models.files import FolderStore, read_xml, ZipStore
from s2r_scenes.models.gazebo import Gazebo
from s2r_scenes.models.mesh_files import load_mesh
from s2r_scenes.models.shape import lightened, MISSING, PLAIN
from s2r_scenes.models.sweet_home import load_piece, read_catalogue
from s2r_scenes.textures import make_library
from s2r_scenes.world import world_scene, worlds_with_floor

ASSETS = Path(__file__).resolve().parents[3] / 'shared/assets'


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('HOME', str(tmp_path))
    for name in collection._PATH_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for cached in (collection._sources, collection.gather, collection.kept):
        cached.cache_clear()


def mesh_of(root, name, data, **files):
    for path, content in {name: data, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    notes = []
    return load_mesh(FolderStore(root), name, '', notes), notes


def test_an_obj_brings_its_colour_or_its_texture(tmp_path):
    green, notes = mesh_of(tmp_path / 'a', 'box.obj', obj((1, 2, 3)), **{'box.mtl': mtl()})
    np.testing.assert_allclose(green.size_m, (1, 2, 3))
    assert green.finish[0, 4] == PLAIN
    np.testing.assert_allclose(green.finish[0, :3], (0, 1, 0), atol=0.01)
    red, notes = mesh_of(
        tmp_path / 'b', 'box.obj', obj(), **{'box.mtl': mtl('skin.PNG'), 'skin.png': png()}
    )
    assert notes == []
    np.testing.assert_array_equal(red.pictures[0][0, 0], (*RED, 255))


def test_a_large_texture_is_reduced_to_512_pixels(tmp_path):
    shape, _ = mesh_of(
        tmp_path, 'box.obj', obj(), **{'box.mtl': mtl('a.png'), 'a.png': png(size=2048)}
    )
    assert shape.pictures[0].shape == (512, 512, 4)


@pytest.mark.parametrize(
    ('up_axis', 'size_m'),
    [('Z_UP', (0.5, 1.0, 2.0)), ('Y_UP', (0.5, 2.0, 1.0)), ('X_UP', (1.0, 2.0, 0.5))],
)
def test_a_collada_files_unit_and_up_axis_are_applied(tmp_path, up_axis, size_m):
    shape, _ = mesh_of(tmp_path, 'box.dae', dae((50, 100, 200), up_axis, '0.01'))
    np.testing.assert_allclose(shape.size_m, size_m, rtol=1e-5)


def test_a_gazebo_models_textures_units_and_up_axis_are_applied_and_the_missing_named(
    tmp_path, caplog
):
    """The row on Gazebo of the table of surprises: trimesh drops all three without a word."""
    bare, notes = mesh_of(
        tmp_path / 'bare',
        'meshes/box.dae',
        dae((100, 200, 300), 'Y_UP', '0.01', '../materials/textures/Skin.png'),
        **{'materials/textures/skin.png': png()},
    )
    np.testing.assert_allclose(bare.size_m, (1, 3, 2), rtol=1e-5)
    np.testing.assert_array_equal(bare.pictures[0][0, 0], (*RED, 255))
    assert notes == []
    # In a model of Gazebo, unit and texture count; Gazebo takes z for up whatever the file says.
    root = tmp_path / 'library'
    files = {
        'meshes/box.dae': dae((100, 200, 300), 'Y_UP', '0.01', '../materials/textures/Skin.png'),
        'materials/textures/skin.png': png(),
    }
    write_model(root, 'chair', mesh_visual('model://chair/meshes/box.dae'), files)
    lost = {'meshes/box.dae': dae((1, 1, 1), texture='../materials/textures/lost.png')}
    write_model(root, 'stool', mesh_visual('model://stool/meshes/box.dae'), lost)
    gazebo = Gazebo([FolderStore(root)], 1000)
    chair = gazebo.load_model('chair', notes)
    np.testing.assert_allclose(chair.size_m, (1, 2, 3), rtol=1e-5)
    np.testing.assert_array_equal(chair.pictures[0][0, 0], (*RED, 255))
    with caplog.at_level(logging.WARNING):
        gather((str(root),), quiet=False)
    named = [record.getMessage() for record in caplog.records if 'lost.png' in record.getMessage()]
    assert len(named) == 1
    assert gazebo.load_model('stool', []).finish[0, 4] == MISSING


def test_poses_scales_includes_and_states_of_sdf_nest(tmp_path):
    write_model(
        tmp_path,
        'box',
        mesh_visual('model://box/box.dae', '2 1 1', '<pose>1 0 0 0 0 0</pose>'),
        {'box.dae': dae((1, 1, 1))},
        pose='0 0 5 0 0 0',
    )
    write_model(
        tmp_path,
        'pair',
        '',
        inside='<include><uri>model://box</uri><pose>0 0 1 0 0 0</pose></include>',
        pose='0 10 0 0 0 1.5707963267948966',
    )
    gazebo = Gazebo([FolderStore(tmp_path)], 1000)
    alone = gazebo.load_world(*_world(tmp_path, '<include><uri>model://box</uri></include>'), [])
    np.testing.assert_allclose(alone.vertices[:, :3].min(0), (1, 0, 5), atol=1e-5)
    np.testing.assert_allclose(alone.vertices[:, :3].max(0), (3, 1, 6), atol=1e-5)
    pair = '<model name="m"><pose>0 0 2 0 0 0</pose><include><uri>model://pair</uri></include></model>'
    both = gazebo.load_world(*_world(tmp_path, pair), [])
    # Turned by a quarter about z: x becomes y; 10 along y; 2 + 1 up.
    np.testing.assert_allclose(both.vertices[:, :3].min(0), (-1, 11, 3), atol=1e-5)
    np.testing.assert_allclose(both.vertices[:, :3].max(0), (0, 13, 4), atol=1e-5)
    state = '<state><model name="m"><pose>100 0 0 0 0 0</pose></model></state>'
    moved = gazebo.load_world(*_world(tmp_path, pair + state), [])
    np.testing.assert_allclose(moved.vertices[:, :3].min(0), (99, 11, 1), atol=1e-4)


def _world(root, content):
    path = write_world(root, content)
    return FolderStore(root), path.relative_to(root).as_posix()


def test_furniture_has_the_size_of_its_catalogue_and_stands_on_the_floor(tmp_path):
    files = {'lib/sofa/sofa.obj': obj((3, 7, 11), 'sofa.mtl'), 'lib/sofa/sofa.mtl': mtl()}
    turned = sofa(name='Turned', tags='Couch', modelRotation='0 0 1 0 1 0 -1 0 0')
    path = write_furniture(
        tmp_path / 'a.sh3f', [sofa(name='Caf\\u00e9', tags='Couch'), turned], files
    )
    store, faults = ZipStore(path), []
    pieces = read_catalogue(store, faults)
    assert [piece.name for piece in pieces] == ['lib#Café', 'lib#Turned']
    for piece in pieces:
        shape = load_piece(store, piece, [])
        np.testing.assert_allclose(shape.size_m, (0.8, 2.0, 0.9), rtol=1e-5)
        np.testing.assert_allclose(shape.vertices[:, :3].min(0), (-0.4, -1.0, 0), atol=1e-5)
    things = gather((str(path),)).things
    assert {role: len(of) for role, of in things.items()} == {'sofa': 2}


def test_a_heavy_surface_and_foliage_get_light_and_keep_their_extent():
    from s2r_scenes.meshes import cards, cushion, Material
    from s2r_scenes.models.gazebo import _as_shape

    ball = _as_shape(cushion((2, 2, 2), Material(0), exponent=2.0, sides=128))
    light = lightened(ball, 800)
    assert len(light.faces) < 1300 < 10_000 < len(ball.faces)
    np.testing.assert_allclose(light.size_m, (2, 2, 2), atol=0.05)
    rng = np.random.default_rng(0)
    spots, normals = rng.uniform(-2, 2, (3000, 3)), np.tile([0, 0, 1.0], (3000, 1))
    leaves = _as_shape(cards(spots, np.full(3000, 0.1), normals, rng, Material(0)))
    fewer = lightened(leaves, 1500)
    assert 1200 < len(fewer.faces) < 1800
    area = [
        np.linalg.norm(
            np.cross(
                *(s.vertices[s.faces][:, i, :3] - s.vertices[s.faces][:, 0, :3] for i in (1, 2))
            ),
            axis=1,
        ).sum()
        for s in (leaves, fewer)
    ]
    assert area[1] == pytest.approx(area[0], rel=0.15)


def test_a_missing_library_is_told_with_what_to_give(tmp_path):
    with pytest.raises(ModelError, match=r'no library of models at .*lost.*\.sh3f file'):
        gather((str(tmp_path / 'lost'),))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ModelError, match='no model was found in'):
        gather((str(tmp_path / 'empty'),))


def test_auto_without_libraries_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(collection, 'FURNITURE', tmp_path / 'none')
    with pytest.raises(ModelError, match='apt-get install sweethome3d-furniture'):
        gather(('auto',))


def furniture_with(tmp_path, good, broken):
    files = {'lib/sofa/sofa.obj': obj(), 'lib/sofa/box.mtl': mtl(), 'lib/bad.obj': b'v 1 2\nf x y'}
    pieces = [sofa(name=f'Sofa {n}') for n in range(good)]
    pieces += [sofa('/lib/bad.obj', f'Bad {n}') for n in range(broken)]
    return str(write_furniture(tmp_path / 'a.sh3f', pieces, files))


def test_a_broken_mesh_is_named_left_out_and_counted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        things = gather((furniture_with(tmp_path, 19, 1),), quiet=False).things
    assert len(things['sofa']) == 19
    assert len([r for r in caplog.records if 'Bad 0' in r.getMessage()]) == 1


def test_too_many_broken_meshes_fail_with_their_number(tmp_path):
    with pytest.raises(ModelError, match=r'4 of 20 models are broken.*Bad 0'):
        gather((furniture_with(tmp_path, 16, 4),))


def test_a_library_without_a_model_that_works_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r'1 of 1 models are broken.*Bad 0'):
        gather((furniture_with(tmp_path, 0, 1),))


CHAIR = box_visual('0.5 0.5 0.9')


@pytest.mark.parametrize('target', ['lost.png', 'link.png'])
def test_a_link_to_nothing_or_to_itself_costs_no_model(tmp_path, target):
    (write_model(tmp_path, 'chair', CHAIR) / 'link.png').symlink_to(target)
    assert len(gather((str(tmp_path),)).things['chair']) == 1


def test_a_file_whose_name_is_of_another_encoding_costs_no_model(tmp_path):
    folder = write_model(tmp_path, 'chair', CHAIR)
    Path(os.fsdecode(os.fsencode(folder) + b'/\xe9.png')).write_bytes(b'')
    assert len(gather((str(tmp_path),)).things['chair']) == 1


def test_a_mesh_of_triangles_without_area_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'a\.obj has no triangle with three different points'):
        mesh_of(tmp_path, 'a.obj', b'v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n')


def test_a_box_that_is_larger_than_any_place_is_named(tmp_path, caplog):
    write_model(tmp_path, 'chair', CHAIR)
    write_model(tmp_path, 'box', box_visual('1e9 1 1'))
    gather((str(tmp_path),), quiet=False)
    assert 'box has points farther than 5000 m' in caplog.text


def test_models_in_another_unit_than_metres_are_said(tmp_path, caplog):
    write_model(tmp_path, 'stool', box_visual('500 500 900'))
    with pytest.raises(ModelError, match=r'suits a scene: model://stool has 500 x 500 x 900 m'):
        gather((str(tmp_path),))
    collection.gather.cache_clear()
    write_model(tmp_path, 'chair', CHAIR)
    collection._sources.cache_clear()
    gather((str(tmp_path),), quiet=False)
    assert '1 of 2 models suit no place in a scene' in caplog.text


def test_gazebo_models_beside_furniture_are_read_too(tmp_path):
    write_model(tmp_path, 'chair', CHAIR)
    furniture_with(tmp_path, 1, 0)
    assert gather((str(tmp_path),)).things.keys() == {'chair', 'sofa'}


def test_a_catalogue_with_damaged_escapes_and_numbers_keeps_its_other_pieces(tmp_path):
    path = write_furniture(
        tmp_path / 'a.sh3f', [sofa(), sofa(name='A\\u00'), sofa(name='B\\')], {}
    )
    with zipfile.ZipFile(path) as opened:
        text = opened.read('PluginFurnitureCatalog.properties').decode()
    with zipfile.ZipFile(path, 'w') as changed:
        changed.writestr('PluginFurnitureCatalog.properties', f'{text}\nid#{"9" * 5000}=x\n')
    assert len(read_catalogue(ZipStore(path), [])) == 3


def test_a_scale_of_zero_is_named_with_its_model(tmp_path):
    write_model(tmp_path, 'flat', mesh_visual('model://flat/a.dae', '1 0 1'), {'a.dae': dae()})
    with pytest.raises(ModelError, match=r'flat: a scale of zero \(1 0 1\)'):
        Gazebo([FolderStore(tmp_path)], 100).load_model('flat', [])


@pytest.mark.parametrize('keys', [{'width': '0'}, {'height': 'tall'}, {'modelRotation': '0 0'}])
def test_a_senseless_line_of_a_catalogue_is_named(tmp_path, keys):
    path = write_furniture(tmp_path / 'a.sh3f', [sofa(**keys)], {})
    faults = []
    assert read_catalogue(ZipStore(path), faults) == []
    assert len(faults) == 1
    assert 'lib#Sofa' in faults[0]


def test_a_world_without_floor_is_one_sentence(tmp_path):
    write_world(tmp_path, f'<model name="m"><link>{box_visual("0.1 9 9")}</link></model>')
    with pytest.raises(ValueError, match='the world has no floor|no room'):
        render_scenes(tmp_path / 'out', kind='world', models=[str(tmp_path / 'worlds')], **TINY)
    assert not (tmp_path / 'out').exists()


ENTITIES = b"""<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">
<!ENTITY f SYSTEM "file:///etc/passwd">]><sdf><model name="&b;">&f;</model></sdf>"""


@pytest.mark.parametrize('recover', [False, True])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_entities_in_xml_are_refused(recover, encoding):
    with pytest.raises(ModelError, match='is refused: it declares a DTD'):
        read_xml(ENTITIES.decode().encode(encoding), 'model.sdf', recover)


@pytest.mark.parametrize('name', ['../evil.obj', '/evil.obj', 'a/../../evil.obj', 'C:\\evil.obj'])
def test_a_zip_whose_members_lead_out_of_it_is_refused(tmp_path, name):
    path = write_furniture(tmp_path / 'a.sh3f', [sofa()], {name: b'x'})
    with pytest.raises(ModelError, match='is refused: its member .* leads out of the archive'):
        gather((str(path),))


def test_a_zip_that_swells_is_refused(tmp_path):
    path = write_furniture(tmp_path / 'a.sh3f', [sofa()], {'bomb.obj': b'0' * 20_000_000})
    with pytest.raises(ModelError, match="is refused: 'bomb.obj' would expand"):
        gather((str(path),))
    (tmp_path / 'b.sh3f').write_bytes(b'no zip')
    with pytest.raises(ModelError, match='is not a library of furniture'):
        gather((str(tmp_path / 'b.sh3f'),))


@pytest.mark.parametrize('kind', ['absolute', 'upwards', 'link'])
def test_a_texture_outside_of_the_library_is_never_read(tmp_path, kind):
    secret = tmp_path / 'secret.png'
    secret.write_bytes(png())
    root = tmp_path / 'library'
    root.mkdir()
    if kind == 'link':
        (root / 'secret.png').symlink_to(secret)
    reference = {'absolute': str(secret), 'upwards': '../secret.png', 'link': 'secret.png'}[kind]
    shape, notes = mesh_of(root, 'box.obj', obj(), **{'box.mtl': mtl(reference)})
    assert len(shape.pictures) == 0
    assert len(notes) == 1
    assert 'secret.png' in notes[0]


@pytest.mark.parametrize('uri', ['file:///etc/box.dae', '../../../box.dae', '/etc/box.dae'])
def test_a_mesh_outside_of_the_library_is_refused(tmp_path, uri):
    (tmp_path / 'box.dae').write_bytes(dae())
    write_model(tmp_path / 'library', 'far', mesh_visual(uri))
    with pytest.raises(ModelError, match='leads out of the libraries'):
        Gazebo([FolderStore(tmp_path / 'library')], 100).load_model('far', [])


def test_a_model_that_includes_itself_ends_in_a_sentence(tmp_path):
    write_model(tmp_path, 'loop', '', inside='<include><uri>model://loop</uri></include>')
    with pytest.raises(ModelError, match='includes itself'):
        Gazebo([FolderStore(tmp_path)], 100).load_model('loop', [])


def house(root):
    """Write a world: a room of 6 m x 5 m with a textured box with holes in it."""
    files = {'a.dae': dae((1, 1, 1), texture='skin.png'), 'skin.png': png(alpha=0)}
    material = '<material><script><name>Leaves</name></script></material>'
    files['materials/scripts/a.material'] = (
        b'material Leaves\n{ technique { pass { alpha_rejection greater 128\n'
        b'texture_unit { texture skin.png } } } }'
    )
    write_model(root, 'bush', mesh_visual('model://bush/a.dae', extra=material), files)
    walls = ''.join(
        box_visual(size, pose)
        for size, pose in (
            ('6 5 0.1', '0 0 -0.05 0 0 0'),
            ('6 5 0.1', '0 0 2.75 0 0 0'),
            ('0.1 5 2.7', '3 0 1.35 0 0 0'),
            ('0.1 5 2.7', '-3 0 1.35 0 0 0'),
            ('6 0.1 2.7', '0 2.5 1.35 0 0 0'),
            ('6 0.1 2.7', '0 -2.5 1.35 0 0 0'),
        )
    )
    write_world(
        root,
        f'<model name="room"><link>{walls}</link></model>'
        '<include><uri>model://bush</uri><pose>-0.5 -0.5 0 0 0 0</pose></include>',
    )
    return str(root)


def test_cameras_of_a_world_stand_on_its_free_floor_or_where_they_are_told(tmp_path):
    worlds, faults = worlds_with_floor(gather((house(tmp_path),)))
    assert faults == []
    library, key = make_library(0, 0), worlds[0][1]
    scene = world_scene(np.random.default_rng(1), library, key, 30, 64, 48)
    for camera in scene.cameras:
        x, y, z = camera.position
        assert max(abs(x) - 3, abs(y) - 2.5) < -0.25
        assert max(abs(x), abs(y)) > 0.7  # not in the box
        assert 0.2 < z < 2.4
    given = scene.cameras[:1]
    told = world_scene(
        np.random.default_rng(1), library, key, 1, 64, 48, views=lambda *_: list(given)
    )
    assert told.cameras == given


def test_both_backends_draw_a_models_texture_with_its_holes_at_the_same_depth(tmp_path):
    worlds, _ = worlds_with_floor(gather((house(tmp_path),)))
    scene = world_scene(np.random.default_rng(1), make_library(0, 0), worlds[0][1], 8, 64, 48)
    assert len(scene.cutout.faces) == 12
    assert scene.pictures is not None
    embree, gl = make_renderer('embree'), make_renderer('gl')
    embree.load(scene)
    gl.load(scene)
    reddest = 0.0
    for camera in scene.cameras:
        ours, theirs = embree.depth(camera), gl.depth(camera)
        assert np.mean(np.isclose(ours, theirs, rtol=1e-4)) > 0.985
        for renderer in (embree, gl):
            picture = renderer.picture(camera, daylight())
            reddest = max(reddest, float((picture[..., 0] / (picture[..., 1] + 1e-3)).max()))
    assert reddest > 5


@pytest.mark.parametrize('kind', ['indoor', 'driving', 'world'])
def test_scenes_with_models_are_the_same_to_the_byte_with_a_cold_and_a_warm_cache(
    tmp_path, kind, monkeypatch
):
    root = tmp_path / 'library'
    house(root)
    for name in ('cafe_table', 'sofa', 'hatchback', 'oak_tree'):
        size = {'hatchback': (4, 1.7, 1.5), 'oak_tree': (3, 3, 6)}.get(name, (1.2, 0.9, 0.75))
        files = {'a.dae': dae(size, texture='skin.png'), 'skin.png': png()}
        write_model(root, name, mesh_visual(f'model://{name}/a.dae'), files)
    settings = {**TINY, 'kind': kind, 'scenes': 2, 'variations': ['clone'], 'models': str(root)}
    render_scenes(tmp_path / 'cold', **settings)
    for cached in (collection._sources, collection.gather, collection.kept):
        cached.cache_clear()
    render_scenes(tmp_path / 'warm', **settings)
    assert digests(tmp_path / 'cold') == digests(tmp_path / 'warm')
    note = json.loads((tmp_path / 'cold/render.json').read_text())
    assert len(note['models_digest']) == 64
    assert str(root) not in json.dumps(note)
    if kind != 'world':
        render_scenes(tmp_path / 'none', **{**settings, 'models': 'none'})
        plain = digests(tmp_path / 'none')
        assert plain != digests(tmp_path / 'cold')
        render_scenes(tmp_path / 'default', **{**settings, 'models': None})
        assert digests(tmp_path / 'default') == plain


def test_the_default_says_which_libraries_auto_would_use(tmp_path, monkeypatch, capsys):
    write_furniture(tmp_path / 'a.sh3f', [sofa()], {})
    monkeypatch.setattr(collection, 'FURNITURE', tmp_path)
    assert generate._names(None) == ()
    assert str(tmp_path) in capsys.readouterr().out
    assert generate._names('none') == ()
    assert capsys.readouterr().out == ''


def test_colours_of_one_model_differ_from_scene_to_scene(tmp_path):
    path = write_furniture(
        tmp_path / 'a.sh3f', [sofa()], {'lib/sofa/sofa.obj': obj(), 'lib/sofa/box.mtl': mtl()}
    )
    things, library = gather((str(path),)), make_library(0, 0)
    meshes = [
        Cast(things, library, share=1.0).draw(np.random.default_rng(seed), 'sofa')
        for seed in range(4)
    ]
    assert len({mesh.vertices[0, 8:11].tobytes() for mesh in meshes}) == 4


@pytest.mark.timeout(1800)
def test_every_piece_of_the_real_furniture_loads_at_its_catalogues_size():
    archives = sorted(collection.FURNITURE.glob('*.sh3f'))
    if not archives:
        skip_without('furniture of Sweet Home 3D', 'sweethome3d-furniture')
    count = 0
    for archive in archives:
        store, faults = ZipStore(archive), []
        pieces = read_catalogue(store, faults)
        assert faults == []
        for piece in pieces[::7]:
            shape = load_piece(store, piece, [])
            flat = np.array(piece.size_m) < 0.011  # sheets of paper have no thickness to stretch
            np.testing.assert_allclose(
                shape.size_m[~flat], np.array(piece.size_m)[~flat], rtol=1e-3
            )
            count += 1
    assert count > 100


@pytest.mark.timeout(1800)
def test_the_real_gazebo_worlds_have_room_for_cameras():
    if not ASSETS.is_dir():
        pytest.skip(SHARED)
    gazebo = Gazebo([FolderStore(ASSETS / 'aws-small-warehouse')], 20_000)
    store, name = next(w for w in gazebo.worlds if w[1].endswith('/small_warehouse.world'))
    notes = []
    shape = gazebo.load_world(store, name, notes)
    size = shape.size_m
    assert 13 < size[0] < 15
    assert 20 < size[1] < 22
    assert len(shape.pictures) > 10


@pytest.mark.parametrize('is_index_cut', [False, True])
def test_a_cut_off_cache_file_is_made_anew_beside_an_index(tmp_path, is_index_cut):
    path = write_furniture(
        tmp_path / 'a.sh3f', [sofa()], {'lib/sofa/sofa.obj': obj(), 'lib/sofa/box.mtl': mtl()}
    )
    key = gather((str(path),)).things['sofa'][0].key
    file = collection.keep.__globals__['_file'](key)
    file.write_bytes(file.read_bytes()[:100])
    for json_file in file.parent.parent.rglob('*.json'):
        json_file.write_text('[{' if is_index_cut else json_file.read_text())
    for cached in (collection._sources, collection.gather, collection.kept):
        cached.cache_clear()
    shape = gather((str(path),)).things['sofa'][0].shape()
    np.testing.assert_allclose(shape.size_m, (0.8, 2.0, 0.9), rtol=1e-5)


def test_a_cut_off_cache_file_is_made_anew(tmp_path):
    path = write_furniture(
        tmp_path / 'a.sh3f', [sofa()], {'lib/sofa/sofa.obj': obj(), 'lib/sofa/box.mtl': mtl()}
    )
    key = gather((str(path),)).things['sofa'][0].key
    file = collection.keep.__globals__['_file'](key)
    file.write_bytes(file.read_bytes()[:100])
    for json_file in file.parent.parent.rglob('*.json'):
        json_file.unlink()
    for cached in (collection._sources, collection.gather, collection.kept):
        cached.cache_clear()
    shape = gather((str(path),)).things['sofa'][0].shape()
    np.testing.assert_allclose(shape.size_m, (0.8, 2.0, 0.9), rtol=1e-5)
    assert zipfile.is_zipfile(file)
