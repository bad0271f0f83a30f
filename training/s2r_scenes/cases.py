"""Cases that the method should solve, as a small named test set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import camera as cameras
from . import light, props
from .driving import driving_scene
from .meshes import box, Material, merge, quads
from .scene import Scene
from .textures import Library

#: Name of each case, and the variations in which it is shown. Cases that share a prefix show the
#: same place: their depth is equal, or (focal) their poses are.
CASES: dict[str, tuple[str, ...]] = {
    'white-truck': ('clone',),
    'wall-plain': ('clone',),
    'wall-pictures': ('clone',),
    'road-plain': ('clone',),
    'road-markings': ('clone',),
    'road-shadows': ('clone',),
    'street': light.VARIATIONS,
    'focal-short': ('clone',),
    'focal-long': ('clone',),
}


def failure_case(
    name: str, seed: int, library: Library, frames: int, width_px: int, height_px: int
) -> Scene:
    """
    Build one case.

    :param name: a key of ``CASES``.
    :param frames: number of cameras.
    """
    group = name.split('-')[0]
    rng = np.random.default_rng(
        [seed, list(CASES).index(next(n for n in CASES if n.startswith(group)))]
    )
    size = frames, width_px, height_px
    if group == 'white':
        scene = driving_scene(
            rng, library, *size, 'rural', ahead=props.truck(rng, library, plain_white=True)
        )
        return _in_light(scene, *_bright(glaring=True))
    if group == 'wall':
        return _gallery(rng, library, *size, pictures=name == 'wall-pictures')
    if group == 'road':
        scene = driving_scene(
            rng,
            library,
            *size,
            'avenue',
            markings='shown' if name == 'road-markings' else 'hidden',
        )
        return _in_light(scene, *_bright(sunny=name == 'road-shadows'))
    scene = driving_scene(rng, library, *size, 'residential')
    if group == 'focal':
        hfov = {'focal-short': 1.75, 'focal-long': 0.75}[name]
        intrinsics = cameras.pinhole(hfov, width_px, height_px)
        return scene._replace(
            cameras=[view._replace(intrinsics=intrinsics) for view in scene.cameras]
        )
    return scene


def _bright(sunny: bool = False, glaring: bool = False) -> tuple[light.Light, light.Sensor]:
    """Make daylight with or without a sun, always the same; a glaring sky burns out."""
    rng = np.random.default_rng(0)
    day, response = light.outdoor('overcast', rng, 0)
    sky = np.ones(3) * (2.5 if glaring else 1.2)
    day = replace(
        day,
        horizon=sky,
        zenith=sky,
        cloud_cover=0.0,
        fog_per_m=0.0,
        key=np.array([0.3, 0.7, 0.65]),
        key_colour=np.ones(3) * (4.0 if sunny else 0.0),
    )
    return day, replace(response, brightness=0.2, contrast=1.2)


def _in_light(scene: Scene, day: light.Light, response: light.Sensor) -> Scene:
    return scene._replace(looks={'clone': (day, response)})


def _gallery(
    rng: np.random.Generator,
    library: Library,
    frames: int,
    width_px: int,
    height_px: int,
    pictures: bool,
) -> Scene:
    """Build a room whose far wall carries pictures, or nothing at the very same depth."""
    wall = Material(library.pick(rng, 'wallpaper'), (0.9, 0.9, 0.88), 3.0)
    floor = Material(library.pick(rng, 'parquet'), size_m=1.5)
    half, height = 3.0, 2.7
    parts = []
    wide, tall = 1.0, height / 3
    for column in range(6):
        for row in range(3):
            y, z = half - wide * column, height - tall * row
            material = Material(library.pick(rng, 'poster'))
            shows = pictures and rng.random() < 0.7
            parts.append(
                quads(
                    np.array(
                        [
                            [
                                (half, y, z),
                                (half, y - wide, z),
                                (half, y - wide, z - tall),
                                (half, y, z - tall),
                            ]
                        ]
                    ),
                    material if shows else wall,
                    fit=shows,
                )
            )
    for side in (-1, 1):
        parts.append(box((2 * half, 0.1, height), wall, (0, side * half, height / 2)))
    parts += [
        box((0.1, 2 * half, height), wall, (-half, 0, height / 2)),
        box((2 * half, 2 * half, 0.1), floor, (0, 0, -0.05)),
        box((2 * half, 2 * half, 0.1), wall, (0, 0, height + 0.05)),
        box((0.8, 1.6, 0.75), Material(library.pick(rng, 'wood')), (1.4, 0.8, 0.375)),
    ]
    intrinsics = cameras.pinhole(1.6, width_px, height_px)
    views = [
        cameras.look(
            (-1.0 + 0.2 * frame, 0.3 * frame - 0.5, 1.5),
            -0.1 + 0.05 * frame,
            -0.08,
            0.0,
            intrinsics,
            width_px,
            height_px,
        )
        for frame in range(frames)
    ]
    look = light.indoor('clone', np.random.default_rng(0), [np.array([0.0, 0.0, height - 0.4])])
    return Scene(merge(parts), merge([]), library, views, {'clone': look}, ceiling_m=height - 0.3)
