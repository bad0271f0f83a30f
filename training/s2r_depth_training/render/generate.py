"""The verb render-scenes: many scenes, each alone and reproducible, over all cores."""
from __future__ import annotations

from collections.abc import Sequence
import functools
from pathlib import Path
from typing import Literal, NamedTuple
import zlib

import numpy as np

from s2r_depth_training.render import sensor, write
from s2r_depth_training.render.cases import CASES, failure_case
from s2r_depth_training.render.driving import driving_scene
from s2r_depth_training.render.indoor import indoor_scene
from s2r_depth_training.render.jobs import run_jobs
from s2r_depth_training.render.light import VARIATIONS
from s2r_depth_training.render.scene import Renderer, Scene
from s2r_depth_training.render.surroundings import SETTINGS
from s2r_depth_training.render.textures import make_library, SCENES_PER_LIBRARY

Kind = Literal['driving', 'indoor', 'failure-cases']
Backend = Literal['auto', 'gl', 'embree']


class Job(NamedTuple):
    """Everything that decides what the pictures look like."""

    kind: str
    frames_per_scene: int
    width_px: int
    height_px: int
    seed: int
    variations: tuple[str, ...]
    variation_per_scene: str
    backend: str
    supersample: int
    surroundings: tuple[str, ...] = ()


def render_scenes(out: Path, kind: Kind = 'driving', scenes: int = 1000, frames_per_scene: int = 4,
                  width_px: int = 640, height_px: int = 192, seed: int = 0,
                  workers: int | None = None, variations: Sequence[str] = VARIATIONS,
                  variation_per_scene: Literal['all', 'one'] = 'all', backend: Backend = 'auto',
                  supersample: int = 2, surroundings: Sequence[str] = ()) -> None:
    """
    Render procedural scenes with exact metric depth, in the layout of vKITTI 1.3.1.

    The same settings give the same files, whatever the number of workers. A run that was cut off
    goes on where it stopped; a larger number of scenes extends a folder.

    :param out: folder to write; new, or begun with the same settings.
    :param kind: driving (streets), indoor (rooms), or failure-cases (the named test set of
        docs/rendering.md).
    :param scenes: number of worlds, at most 9999; failure-cases has a fixed list instead.
    :param frames_per_scene: pictures of each world from nearby places.
    :param width_px: width of the pictures.
    :param height_px: height of the pictures.
    :param seed: of everything random.
    :param workers: processes; all cores by default.
    :param variations: styles of light and weather: clone, fog, morning, overcast, rain, sunset;
        failure-cases has its own.
    :param variation_per_scene: all renders each scene in every variation, one in a single drawn
        one (more different scenes for the same time: for training).
    :param backend: gl (OpenGL through EGL), embree (ray casting, pip alone), or auto: gl where it
        works.
    :param supersample: colour samples per pixel along each axis; depth is always that of the pixel
        centre.
    :param surroundings: streets of these kinds alone, as likely one as the other: residential,
        city, avenue, highway, alley, rural, queue, plaza, lorries, woods, underpass, carpark,
        yard. By default the first eight, each with its share.
    :raises ValueError: settings that make no sense, or a folder begun with other ones.
    """
    for name, value, least in (('scenes', scenes, 1), ('frames_per_scene', frames_per_scene, 1),
                               ('width_px', width_px, 16), ('height_px', height_px, 16),
                               ('supersample', supersample, 1), ('seed', seed, 0)):
        if value < least:
            raise ValueError(f'{name} must be at least {least}, not {value}')
    if scenes > 9999:
        raise ValueError(f'scenes must be at most 9999 (worlds have four digits), not {scenes}; '
                         'render more into another folder with another seed')
    unknown = sorted(set(variations) - set(VARIATIONS))
    if unknown or not variations:
        raise ValueError(f'variations must be some of {", ".join(VARIATIONS)}, '
                         f'not {", ".join(unknown) or "none"}')
    strange = sorted(set(surroundings) - set(SETTINGS))
    if strange or (surroundings and kind != 'driving'):
        raise ValueError(
            f'surroundings must be some of {", ".join(SETTINGS)}, not {", ".join(strange)}'
            if strange else f'surroundings are of kind driving, not of {kind}')
    job = Job(kind, frames_per_scene, width_px, height_px, seed, tuple(variations),
              variation_per_scene, _resolve(backend), supersample, tuple(surroundings))
    out = Path(out)
    write.claim_folder(out, _note(job))
    worlds = list(CASES) if kind == 'failure-cases' else [f'{n:04d}' for n in range(1, scenes + 1)]
    run_jobs(functools.partial(render_world, out, job), worlds,
             lambda world: write.intrinsics_path(out, world).exists(), workers,
             unit='scene', desc=f'{kind} ({job.backend})')


def _note(job: Job) -> dict[str, object]:
    """Return what is noted in a folder; without surroundings as folders of before have it."""
    note = {name: list(value) if isinstance(value, tuple) else value
            for name, value in job._asdict().items()}
    return note if job.surroundings else {
        name: value for name, value in note.items() if name != 'surroundings'}


def _resolve(backend: Backend) -> str:
    """Turn 'auto' into the backend that works here, and check that a wanted one does."""
    if backend == 'embree':
        return backend
    try:
        from s2r_depth_training.render.gl import open_context
        open_context().release()
    except Exception as error:  # moderngl's own type for a missing EGL or driver
        if backend == 'auto':
            return 'embree'
        raise ValueError(
            f'backend gl needs OpenGL through EGL, which failed here ({error}): install libegl1, '
            'libegl-mesa0 and libgl1-mesa-dri, or use backend embree') from error
    return 'gl'


@functools.lru_cache(maxsize=1)
def _renderer(backend: str, width_px: int, height_px: int, supersample: int) -> Renderer:
    """Make the process's renderer; a GL context is expensive, so it is kept."""
    if backend == 'gl':
        from s2r_depth_training.render.gl import GlRenderer
        return GlRenderer(width_px, height_px, supersample)
    from s2r_depth_training.render.embree import EmbreeRenderer
    return EmbreeRenderer(supersample)


def build_world(job: Job, world: str) -> tuple[Scene, list[str]]:
    """
    Build a world's scene and draw the variations in which it is shown.

    :param world: a number ('0001') or the name of a failure case.
    """
    if job.kind == 'failure-cases':
        scene = failure_case(world, job.seed, make_library(job.seed, 0), job.frames_per_scene,
                             job.width_px, job.height_px)
        return scene, list(CASES[world])
    number = int(world)
    rng = np.random.default_rng([job.seed, number])
    library = make_library(job.seed, number // SCENES_PER_LIBRARY)
    variations = list(job.variations)
    if job.variation_per_scene == 'one':
        variations = [str(rng.choice(variations))]
    views = job.frames_per_scene, job.width_px, job.height_px
    if job.kind == 'indoor':
        return indoor_scene(rng, library, *views), variations
    setting_name = str(rng.choice(job.surroundings)) if job.surroundings else None
    return driving_scene(rng, library, *views, setting_name), variations


def render_world(out: Path, job: Job, world: str) -> None:
    """Render one world and write its files, the intrinsics last."""
    scene, variations = build_world(job, world)
    renderer = _renderer(job.backend, job.width_px, job.height_px, job.supersample)
    renderer.load(scene)
    depths = [renderer.depth(camera) for camera in scene.cameras]
    for frame, depth_m in enumerate(depths):
        write.write_depth(out, world, variations, frame, depth_m)
    for variation in variations:  # outside the loop over frames: one shadow map serves them all
        light, response = scene.looks[variation]
        rng = np.random.default_rng([job.seed, zlib.crc32(f'{world}/{variation}'.encode())])
        for frame, (camera, depth_m) in enumerate(zip(scene.cameras, depths)):
            radiance = renderer.picture(camera, light)
            picture = sensor.expose(radiance, np.isinf(depth_m), response, rng)
            write.write_image(out, world, variation, frame, picture)
    write.write_intrinsics(out, world, [camera.intrinsics for camera in scene.cameras])
