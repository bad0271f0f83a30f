"""The subcommand render-scenes: renders many independent, reproducible scenes on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import functools
import logging
from pathlib import Path
import platform
from typing import get_args, Literal, NamedTuple
import zlib

import numpy as np

from s2r_depth_ros.jobs.run import run_jobs

from . import sensor, write
from .cases import CASES, failure_case
from .cast import Cast
from .driving import driving_scene
from .indoor import indoor_scene
from .light import VARIATIONS
from .models import available, gather
from .scene import Renderer, Scene
from .surroundings import SETTINGS
from .textures import make_library, SCENES_PER_LIBRARY
from .viewpoints import Cameras
from .world import world_scene, worlds_with_floor

Kind = Literal['driving', 'indoor', 'world', 'failure-cases']
Backend = Literal['auto', 'gl', 'embree']
LARGEST_SIDE_PX, MOST_SAMPLES = 8192, 16  # more would fill the memory
_LOG = logging.getLogger(__name__)


class Job(NamedTuple):
    """All settings that determine the pictures."""

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
    models: tuple[str, ...] = ()
    models_digest: str = ''
    cameras: Cameras = 'ordinary'


class Frame(NamedTuple):
    """
    One rendered picture with its depth.

    ``variation`` and ``number`` name it within its world. ``image`` is (H, W, 3) uint8 RGB,
    ``depth_m`` (H, W) float32 metres, +inf for the sky, ``intrinsics`` (3, 3) in pixels.
    """

    variation: str
    number: int
    image: np.ndarray
    depth_m: np.ndarray
    intrinsics: np.ndarray


def render_scenes(
    out: Path,
    kind: Kind = 'driving',
    scenes: int = 1000,
    frames_per_scene: int = 4,
    width_px: int = 640,
    height_px: int = 192,
    seed: int = 0,
    workers: int | None = None,
    variations: Sequence[str] = VARIATIONS,
    variation_per_scene: Literal['all', 'one'] = 'all',
    backend: Backend = 'auto',
    supersample: int = 2,
    surroundings: Sequence[str] = (),
    models: str | Sequence[str] | None = None,
    cameras: Cameras = 'ordinary',
    cluster: str | None = None,
) -> None:
    """
    Render procedural scenes with exact metric depth, in the layout of vKITTI 1.3.1.

    The same settings give the same files, with any number of workers and machines. The same
    command continues an interrupted run. A larger number of scenes extends a folder.

    :param out: output folder; new, or begun with the same settings. All machines must have access
        to it.
    :param kind: driving (streets), indoor (rooms), world (complete worlds of the libraries in
        ``models``), or failure-cases (the named test set of docs/reference/rendering.md).
    :param scenes: number of scenes, at most 9999; failure-cases has a fixed list instead.
    :param frames_per_scene: pictures of each scene, from places near each other.
    :param width_px: width of the pictures.
    :param height_px: height of the pictures.
    :param seed: seed of all random numbers.
    :param workers: processes; all cores by default.
    :param variations: styles of light and weather: clone, fog, morning, overcast, rain, sunset;
        failure-cases has its own.
    :param variation_per_scene: all renders each scene in every variation; one renders it in one
        random variation, which gives more different scenes in the same time, for training.
    :param backend: gl (OpenGL through EGL), embree (ray casting; needs only pip packages), or
        auto: gl if it works.
    :param supersample: colour samples per pixel along each axis; depth is always measured at the
        pixel centre.
    :param surroundings: render only these kinds of streets, with equal probability: residential,
        city, avenue, highway, alley, rural, queue, plaza, lorries, woods, underpass, carpark,
        yard, park, track. By default, the first eight, each with its own probability.
    :param models: libraries of models of real objects, which replace most procedural objects:
        .sh3f files, folders of Gazebo models and worlds, auto for libraries in their usual places,
        or none. Without this option, no models are used, and a message lists what auto would use.
    :param cameras: ordinary (vehicle and hand-held cameras), or any. With any, about half of the
        frames are from other cameras: near the floor to 3 m high, with fields of view of 35 to 120
        degrees, in all directions, in more kinds of streets and rooms. failure-cases has its own.
    :param cluster: HOST:PORT of a Ray cluster to render on, or auto for the cluster of this
        machine.
    :raises ValueError: if settings are invalid, or the folder was begun with other settings.
    :raises JobsError: if some scenes could not be rendered; the others are complete.
    """
    _check_range('scenes', scenes, 1)
    _check_range('frames_per_scene', frames_per_scene, 1)
    _check_range('width_px', width_px, 16, LARGEST_SIDE_PX)
    _check_range('height_px', height_px, 16, LARGEST_SIDE_PX)
    _check_range('supersample', supersample, 1, MOST_SAMPLES)
    _check_range('seed', seed, 0)
    _check_range('workers', 1 if workers is None else workers, 1)
    if scenes > 9999:
        raise ValueError(
            f'scenes must be at most 9999 (worlds have four digits), not {scenes}; '
            'render more into another folder with another seed'
        )
    if cameras not in get_args(Cameras):
        raise ValueError(f'cameras must be ordinary or any, not {cameras!r}')
    _check_styles(kind, variations, surroundings)
    names = _names(models)
    if kind == 'failure-cases':
        names = ()
    digest = gather(names, workers, quiet=False).digest if names else ''
    if kind == 'world':
        check_worlds(names)
    job = Job(
        kind,
        frames_per_scene,
        width_px,
        height_px,
        seed,
        tuple(variations),
        variation_per_scene,
        resolve_backend(backend),
        supersample,
        tuple(surroundings),
        names,
        digest,
        'ordinary' if kind == 'failure-cases' else cameras,
    )
    out = Path(out)
    write.claim_folder(out, _note(job), 'render.json', 'vkitti_*')
    worlds = list(CASES) if kind == 'failure-cases' else [f'{n:04d}' for n in range(1, scenes + 1)]
    run_jobs(
        functools.partial(render_world, out.absolute(), job),
        worlds,
        lambda world: write.intrinsics_path(out, world).exists(),
        workers,
        unit='scene',
        desc=f'{kind} ({job.backend})',
        cluster=cluster,
    )


def _check_range(name: str, value: int, least: int, most: int | None = None) -> None:
    if value < least:
        raise ValueError(f'{name} must be at least {least}, not {value}')
    if most is not None and value > most:
        raise ValueError(f'{name} must be at most {most}, not {value}')


def _check_styles(kind: Kind, variations: Sequence[str], surroundings: Sequence[str]) -> None:
    unknown = sorted(set(variations) - set(VARIATIONS))
    if unknown or not variations:
        raise ValueError(
            f'variations must be some of {", ".join(VARIATIONS)}, '
            f'not {", ".join(unknown) or "none"}'
        )
    strange = sorted(set(surroundings) - set(SETTINGS))
    if strange:
        raise ValueError(
            f'surroundings must be some of {", ".join(SETTINGS)}, not {", ".join(strange)}'
        )
    if surroundings and kind != 'driving':
        raise ValueError(f'surroundings are of kind driving, not of {kind}')


def _note(job: Job) -> dict[str, object]:
    """Return what is noted in a folder; without what is not used, as folders of before have it."""
    note = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in job._asdict().items()
    }
    before = {'surroundings': [], 'models_digest': '', 'cameras': 'ordinary'}
    del note['models']  # paths differ from machine to machine, the digest does not
    return {name: value for name, value in note.items() if value != before.get(name, '')}


def check_worlds(names: tuple[str, ...]) -> None:
    """
    Name the worlds that cannot be used.

    :raises ValueError: there is none that can.
    """
    worlds, faults = worlds_with_floor(gather(names)) if names else ([], [])
    if not worlds:
        because = f' ({faults[0]})' if faults else ''
        raise ValueError(
            'kind world needs models with a complete world that has a floor: give folders of '
            f'Gazebo worlds{because}'
        )
    for fault in faults:
        _LOG.warning('%s', fault)


def _names(models: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the libraries to use; by default none, and say which ones there are."""
    if models is None:
        places = available()
        if places:
            print(f'no models are used; --models auto would use {", ".join(map(str, places))}')
        return ()
    names = (models,) if isinstance(models, str) else tuple(models)
    return tuple(
        str(Path(name).absolute()) if Path(name).exists() else name  # for other machines
        for name in names
        if name != 'none'
    )


def resolve_backend(backend: Backend) -> str:
    """Turn 'auto' into the backend that works here, and check that a wanted one does."""
    if backend == 'embree':
        return backend
    try:
        from .gl import open_context

        open_context().release()
    except Exception as error:  # moderngl's own type for a missing EGL or driver
        if backend == 'auto':
            return 'embree'
        raise ValueError(
            f'backend gl needs OpenGL through EGL, which failed here ({error}): install libegl1, '
            'libegl-mesa0 and libgl1-mesa-dri, or use backend embree'
        ) from error
    return 'gl'


@functools.lru_cache(maxsize=1)
def _renderer(backend: str, width_px: int, height_px: int, supersample: int) -> Renderer:
    """Make the process's renderer; a GL context is expensive, so it is kept."""
    if backend == 'gl':
        from .gl import GlRenderer

        return GlRenderer(width_px, height_px, supersample)
    from .embree import EmbreeRenderer

    return EmbreeRenderer(supersample)


def build_world(job: Job, world: str) -> tuple[Scene, list[str]]:
    """
    Build a world's scene and draw the variations in which it is shown.

    :param world: a number ('0001') or the name of a failure case.
    """
    if job.kind == 'failure-cases':
        scene = failure_case(
            world,
            job.seed,
            make_library(job.seed, 0),
            job.frames_per_scene,
            job.width_px,
            job.height_px,
        )
        return scene, list(CASES[world])
    number = int(world)
    rng = np.random.default_rng([job.seed, number])
    library = make_library(job.seed, number // SCENES_PER_LIBRARY)
    variations = list(job.variations)
    if job.variation_per_scene == 'one':
        variations = [str(rng.choice(variations))]
    views = job.frames_per_scene, job.width_px, job.height_px
    collection = gather(job.models) if job.models else None
    if collection is not None and collection.digest != job.models_digest:
        raise ValueError(
            f'the models {", ".join(job.models)} on {platform.node()} differ from those on the '
            'machine of the command: copy these'
        )
    if job.kind == 'world' and collection is not None:
        worlds, _ = worlds_with_floor(collection)
        _, key = worlds[rng.integers(len(worlds))]
        return world_scene(rng, library, key, *views, distribution=job.cameras), variations
    cast = None if collection is None else Cast(collection, library)
    if job.kind == 'indoor':
        return indoor_scene(rng, library, *views, cast=cast, distribution=job.cameras), variations
    surroundings = job.surroundings or (tuple(SETTINGS) if job.cameras == 'any' else ())
    setting_name = str(rng.choice(surroundings)) if surroundings else None
    scene = driving_scene(rng, library, *views, setting_name, cast=cast, cameras=job.cameras)
    return scene, variations


def render_frames(job: Job, world: str) -> Iterator[Frame]:
    """
    Render one world in memory: all frames of a variation, then those of the next.

    :param job: the settings, with a backend that works here.
    :param world: a number ('0001') or the name of a failure case.
    """
    scene, variations = build_world(job, world)
    renderer = _renderer(job.backend, job.width_px, job.height_px, job.supersample)
    renderer.load(scene)
    depths = [renderer.depth(camera) for camera in scene.cameras]
    for variation in variations:  # outside the loop over frames: one shadow map serves them all
        light, response = scene.looks[variation]
        rng = np.random.default_rng([job.seed, zlib.crc32(f'{world}/{variation}'.encode())])
        for number, (camera, depth_m) in enumerate(zip(scene.cameras, depths)):
            radiance = renderer.picture(camera, light)
            picture = sensor.expose(radiance, np.isinf(depth_m), response, rng)
            yield Frame(variation, number, picture, depth_m, camera.intrinsics)


def render_world(out: Path, job: Job, world: str) -> None:
    """Render one world and write its files, the intrinsics last."""
    matrices: dict[int, np.ndarray] = {}
    for variation, number, image, depth_m, intrinsics in render_frames(job, world):
        write.write_depth(out, world, [variation], number, depth_m)
        write.write_image(out, world, variation, number, image)
        matrices[number] = intrinsics
    write.write_intrinsics(out, world, list(matrices.values()))
