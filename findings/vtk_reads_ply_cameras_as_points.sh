#!/bin/bash
# VTK, OpenCV and pyntcloud read the bytes of another element as points, if it comes before the
# vertices of a PLY file.
# Guess (2026-11-30, before the first run): an element "camera" before "vertex", as the format
#   allows, is skipped, and all readers give the same points.
# Seen: these three start with the first byte after the header, whatever the header says. The
#   points are shifted by the size of the camera, and nonsense if that is not a multiple of 12
#   bytes. Nothing warns. trimesh, pymeshlab and point-cloud-utils are right.
# Matters: scans with their camera, and files that list a range grid first, are displaced point by
#   point; colours and normals go to other points. VTK skips only what it knows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 vtk==9.7.2 opencv-python-headless==5.0.0.93 pyntcloud==0.3.1 plyfile==1.1.5 \
    trimesh==5.2.0 pymeshlab==2025.7.post1 point-cloud-utils==0.34.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
from importlib.metadata import version

import cv2
import numpy as np
import plyfile
import point_cloud_utils
import pymeshlab
import pyntcloud
import trimesh
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOPLY import vtkPLYReader

print('opencv', cv2.__version__, *(f'{name} {version(name)}' for name in (
    'vtk', 'pyntcloud', 'trimesh', 'pymeshlab', 'point-cloud-utils')))
points = np.random.default_rng(0).uniform(1, 2, (1000, 3)).astype('f4')
axes = [('x', 'f4'), ('y', 'f4'), ('z', 'f4')]
vertex = plyfile.PlyElement.describe(points.view(axes)[:, 0], 'vertex')
face = plyfile.PlyElement.describe(  # VTK asks for this element
    np.array([], [('vertex_indices', 'i4', (3,))]), 'face')


def read_vtk(name):
    reader = vtkPLYReader()
    reader.SetFileName(name)
    reader.Update()
    return vtk_to_numpy(reader.GetOutput().GetPoints().GetData())


def read_meshlab(name):
    meshes = pymeshlab.MeshSet()
    meshes.load_new_mesh(name)
    return meshes.current_mesh().vertex_matrix()


readers = {'vtk': read_vtk, 'OpenCV': lambda name: cv2.loadPointCloud(name)[0].reshape(-1, 3),
           'pyntcloud': lambda name: pyntcloud.PyntCloud.from_file(name).xyz,
           'trimesh': lambda name: np.asarray(trimesh.load(name, process=False).vertices),
           'pymeshlab': read_meshlab, 'point-cloud-utils': point_cloud_utils.load_mesh_v}
for fields in ([], ['view_px', 'view_py', 'view_pz'], ['focal', 'viewportx']):
    camera = np.array([tuple(range(70, 70 + len(fields)))], [(name, 'f4') for name in fields])
    before = [plyfile.PlyElement.describe(camera, 'camera')] if fields else []
    plyfile.PlyData([*before, vertex, face]).write('scan.ply')
    for name, reader in readers.items():
        found = reader('scan.ply')
        right = np.isclose(found, points, atol=1e-6).all(1).sum()
        print(f'camera {fields}, {name}: {right} of 1000 points right, the first is', found[0])
        assert right == (0 if fields and name in ('vtk', 'OpenCV', 'pyntcloud') else 1000)
        if len(fields) == 3 and not right:
            assert np.array_equal(found[0], [70, 71, 72])
            assert np.array_equal(found[1:], points[:-1])
END
