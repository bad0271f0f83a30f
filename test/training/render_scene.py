"""A hand-made scene with known depths, and the two renderers, for the tests of rendering."""

from needed import skip_without
import numpy as np

from s2r_scenes import camera as cameras
from s2r_scenes import gl
from s2r_scenes.embree import EmbreeRenderer
from s2r_scenes.light import Light
from s2r_scenes.meshes import box, Material, merge, quads
from s2r_scenes.scene import Scene
from s2r_scenes.textures import Library

WIDTH_PX, HEIGHT_PX = 64, 48
WHITE, HOLED = 0, 1


def painted_library():
    """Layer 0 is white; layer 1 is white with its right half a hole."""
    images = np.full((2, 256, 256, 4), 255, np.uint8)
    images[HOLED, :, 128:, 3] = 0
    return Library(images, {'plain': [WHITE]})


def wall_at(x, material):
    """Make a wall of 40 m x 40 m across the view at x."""
    return quads(
        np.array([[(x, 20, 20), (x, -20, 20), (x, -20, -20), (x, 20, -20)]]), material, fit=True
    )


def hand_made_scene(solid, cutout=()):
    """Look along x from the origin with a focal length of 32 pixels (90 degrees)."""
    intrinsics = cameras.pinhole(np.pi / 2, WIDTH_PX, HEIGHT_PX)
    view = cameras.look((0, 0, 0), 0, 0, 0, intrinsics, WIDTH_PX, HEIGHT_PX)
    return Scene(merge(solid), merge(cutout), painted_library(), [view], {})


def daylight(**changes):
    """Make a sky of equal brightness all round and no sun."""
    grey = np.ones(3)
    settings = {
        'key': np.array([0, 0, 1.0]),
        'key_colour': np.zeros(3),
        'zenith': grey,
        'horizon': grey,
        'ground': grey,
    }
    return Light(**{**settings, **changes})


def make_renderer(backend, width_px=WIDTH_PX, height_px=HEIGHT_PX, supersample=1):
    """Make either renderer, or skip where OpenGL is missing."""
    if backend == 'embree':
        return EmbreeRenderer(supersample)
    try:
        gl.open_context().release()
    except Exception:
        skip_without('OpenGL through EGL', 'libegl1 libegl-mesa0 libgl1-mesa-dri')
    return gl.GlRenderer(width_px, height_px, supersample)


def box_ahead():
    """Make a cube of 1 m whose near face is 4 m ahead, and a wall at 10 m."""
    return [box((1, 1, 1), Material(WHITE), (4.5, 0, 0)), wall_at(10.0, Material(WHITE))]
