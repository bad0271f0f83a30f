"""Tiny models, written anew: OBJ with MTL and PNG, COLLADA, SDF, and a library of furniture."""

import zipfile

import cv2
import numpy as np

CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
TRIANGLES = [(a, b, c) for q in _QUADS for a, b, c in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))]
RED = (200, 10, 20)


def png(colour=RED, alpha=255, size=8):
    """Make a picture of one RGB colour, its right half as transparent as ``alpha`` says."""
    image = np.full((size, size, 4), 255, np.uint8)
    image[..., :3] = colour[::-1]
    image[:, size // 2 :, 3] = alpha
    return cv2.imencode('.png', image)[1].tobytes()


def obj(size=(1, 1, 1), mtl='box.mtl'):
    """Make a box from the origin to ``size`` with one material, ``skin``."""
    lines = [f'mtllib {mtl}'] + ['v {:g} {:g} {:g}'.format(*c) for c in CORNERS * size]
    lines += ['vt 0 0', 'vt 1 0', 'vt 1 1', 'usemtl skin']
    lines += ['f {}/1 {}/2 {}/3'.format(*(i + 1 for i in t)) for t in TRIANGLES]
    return '\n'.join(lines).encode()


def mtl(texture=None):
    """Make the material ``skin``, green where it has no texture."""
    return (f'newmtl skin\nKd 0 1 0\n{f"map_Kd {texture}" if texture else ""}\n').encode()


def dae(size=(1, 1, 1), up_axis='Z_UP', unit='1', texture=None):
    """Make a box as COLLADA."""
    points = ' '.join(f'{x:g}' for x in (CORNERS * size).ravel())
    index = ' '.join(f'{i} {n % 3}' for t in TRIANGLES for n, i in enumerate(t))
    surface = '<color>0 1 0 1</color>'
    images = params = ''
    if texture:
        images = (
            f'<library_images><image id="im"><init_from>{texture}</init_from></image>'
            '</library_images>'
        )
        params = (
            '<newparam sid="su"><surface type="2D"><init_from>im</init_from></surface></newparam>'
            '<newparam sid="sa"><sampler2D><source>su</source></sampler2D></newparam>'
        )
        surface = '<texture texture="sa" texcoord="uv"/>'
    return f"""<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit meter="{unit}"/><up_axis>{up_axis}</up_axis></asset>{images}
<library_effects><effect id="ef"><profile_COMMON>{params}<technique sid="t"><lambert><diffuse>
{surface}</diffuse></lambert></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="ma"><instance_effect url="#ef"/></material></library_materials>
<library_geometries><geometry id="g" name="g"><mesh>
<source id="p"><float_array id="pa" count="24">{points}</float_array><technique_common>
<accessor source="#pa" count="8" stride="3"><param name="X" type="float"/>
<param name="Y" type="float"/><param name="Z" type="float"/></accessor></technique_common></source>
<source id="u"><float_array id="ua" count="6">0 0 1 0 1 1</float_array><technique_common>
<accessor source="#ua" count="3" stride="2"><param name="S" type="float"/>
<param name="T" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="12" material="skin"><input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="TEXCOORD" source="#u" offset="1" set="0"/><p>{index}</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node id="n"><instance_geometry url="#g">
<bind_material><technique_common><instance_material symbol="skin" target="#ma">
<bind_vertex_input semantic="uv" input_semantic="TEXCOORD" input_set="0"/></instance_material>
</technique_common></bind_material></instance_geometry></node></visual_scene>
</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>""".encode()


def mesh_visual(uri, scale='1 1 1', extra=''):
    """Make a <visual> of a mesh."""
    return (
        f'<visual name="v"><geometry><mesh><uri>{uri}</uri><scale>{scale}</scale></mesh>'
        f'</geometry>{extra}</visual>'
    )


def box_visual(size, pose='0 0 0 0 0 0'):
    """Make a <visual> of a box."""
    return (
        f'<visual name="b"><pose>{pose}</pose><geometry><box><size>{size}</size></box>'
        '</geometry></visual>'
    )


def write_model(root, name, visuals, files=(), pose='0 0 0 0 0 0', inside=''):
    """Write models/NAME with its model.sdf, model.config and ``files`` (path, bytes)."""
    folder = root / 'models' / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'model.config').write_text(
        f'<model><name>{name}</name><sdf version="1.6">model.sdf</sdf></model>'
    )
    (folder / 'model.sdf').write_text(
        f'<sdf version="1.6"><model name="{name}"><pose>{pose}</pose>'
        f'<link name="l">{visuals}</link>{inside}</model></sdf>'
    )
    for path, data in dict(files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def write_world(root, content, name='place.world'):
    """Write worlds/NAME."""
    (root / 'worlds').mkdir(parents=True, exist_ok=True)
    path = root / 'worlds' / name
    path.write_text(f'<sdf version="1.6"><world name="default">{content}</world></sdf>')
    return path


def write_furniture(path, pieces, files):
    """
    Write a .sh3f library.

    :param pieces: dictionaries of the catalogue's keys.
    :param files: (path in the zip, bytes).
    """
    lines = [
        f'{key}#{number}={value}'
        for number, piece in enumerate(pieces, 1)
        for key, value in piece.items()
    ]
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('PluginFurnitureCatalog.properties', '\n'.join(lines))
        for name, data in dict(files).items():
            archive.writestr(name, data)
    return path


def sofa(model='/lib/sofa/sofa.obj', name='Sofa', **keys):
    """Make a line of a catalogue: 200 cm wide, 80 deep, 90 high."""
    line = {'id': f'lib#{name}', 'name': name, 'category': 'Living room', 'model': model}
    return {**line, 'width': '200', 'depth': '80', 'height': '90', **keys}
