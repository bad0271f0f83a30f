"""`s2r depth`: write the depth of images, videos, a webcam or a bag to files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice, product
import os
from pathlib import Path
import shutil
import sys
import time
from typing import NamedTuple

import cv2
from tqdm import tqdm

from ..atomic_files import sole_owner
from ..depth.camera_model import CameraError
from ..depth.parameters import Parameters
from ..depth.pipeline import CameraImage, CameraState, DepthPipeline, preprocess
from ..sources.bags.bag import Bag
from ..sources.bags.files import BagError, encoding_of
from ..sources.bags.paths import is_bag, is_recorded_folder, STORAGES
from ..sources.frames import (
    FrameError,
    FrameSource,
    IMAGE_SUFFIXES,
    IntrinsicsOverride,
    VIDEO_SUFFIXES,
)
from ..sources.manifest import MANIFEST
from . import fleet, ToolError
from .depth_files import DepthFiles
from .offline import (
    Faults,
    HOW_TO_KNOW_THE_LENS,
    lens_of,
    load_pipeline,
    parameters_of,
    recorded_images,
    with_lens,
)
from .options import DEPTH_FILES, DepthOptions

_DEFAULT_RATE_HZ = 10.0
_LEAST_OFF_S = 0.5  # a video whose images are off by less is not reported


class Shot(NamedTuple):
    """An input image after preprocessing, with its name and the state of its camera."""

    name: str
    image: CameraImage
    state: CameraState


class Source(NamedTuple):
    """
    The images of one INPUT.

    ``total`` is the expected number of images, 0 if unknown. ``rate_hz`` is the number of images
    per second. ``is_film`` is true if the images follow each other in time, and ``is_live`` if
    they have no end.
    """

    total: int
    rate_hz: float
    is_film: bool
    is_live: bool
    shots: Iterator[Shot]


def run(arguments: DepthOptions) -> int:
    """Write the depth of all images and return the exit code."""
    _silence_opencv()
    if fleet.is_wanted(arguments):
        _check_colors(arguments)
        make = partial(DepthWorker, fleet.settled(arguments))
        return fleet.run('depth', arguments, make, _INPUTS)
    parameters = parameters_of(arguments, rectify=not arguments.rectified)
    lens, faults = lens_of(arguments), Faults('depth')
    inputs, out = [Path(word) for word in arguments.inputs], Path(arguments.out).expanduser()
    _check(arguments, inputs, out)
    written = _write(
        arguments, parameters, lens, inputs, out, lambda: load_pipeline(parameters), faults
    )
    print(
        f'{_counted(written.done, "image")} in {written.seconds:.1f} s, '
        f'{written.done / written.seconds:.1f} a second: {written.files}'
    )
    if faults.count:
        print(
            f's2r depth: {_counted(faults.count, "fault")}: not all inputs could be used',
            file=sys.stderr,
        )
    if written.is_stopped and not written.is_live:
        print(
            f's2r depth: stopped after {written.done} of {written.total} images', file=sys.stderr
        )
        return 130
    return 1 if faults.count else 0


class _Written(NamedTuple):
    """The result of a run: the number of written images, the time, the files, and how it ended."""

    done: int
    total: int  # expected images, 0 if unknown
    seconds: float
    files: str  # their places, for the user
    is_stopped: bool
    is_live: bool


def _write(
    arguments: DepthOptions,
    parameters: Parameters,
    lens: IntrinsicsOverride,
    inputs: Sequence[Path],
    out: Path,
    load: Callable[[], DepthPipeline],
    faults: Faults,
    is_quiet: bool = False,
) -> _Written:
    """
    Write the depth of all images of some inputs into one folder.

    :param arguments: the options of the command, without inputs and folder.
    :param parameters: the parameters of the node from these options.
    :param lens: the intrinsics from these options.
    :param inputs: the inputs.
    :param out: the folder.
    :param load: returns the pipeline; called only after all inputs are found to be usable.
    :param faults: counts and reports faults of single images.
    :param is_quiet: whether to show no progress bar, and to raise after Ctrl-C.
    :raises ToolError: if an input cannot be used, or an image cannot be written, or there is none.
    """
    sources = [
        _bag(path, arguments.image, lens, parameters, faults)
        if is_bag(path)
        else _frames(path, lens, parameters, faults)
        for path in inputs
    ]
    total = _expected_count(sources, arguments.frames)
    kinds = arguments.save or _default_files(sources)
    _check_places(inputs, [out / DEPTH_FILES[kind] for kind in kinds])
    pipeline = load()
    files = DepthFiles(
        out,
        kinds,
        ', '.join(path.name for path in inputs),
        arguments.color_range,
        parameters.point_stride,
        sources[0].rate_hz,
        total,
    )
    shots = islice(chain.from_iterable(source.shots for source in sources), arguments.frames)
    begun_s = time.monotonic()
    is_stopped = False
    pace = _Pace(sources[0].rate_hz)
    try:
        with files:
            for shot in tqdm(shots, total=total or None, unit='image', disable=is_quiet):
                if shot.image.camera is None:
                    _report_unknown_lens(shot, kinds, faults)
                faults.of_image(shot.name, shot.image.rgb)
                result = pipeline.run(shot.image, shot.state, with_maps=files.wants_maps)
                if result.scale_fault:
                    faults.note(f'{shot.name}: {result.scale_fault}')
                files.write(shot.name, result)
                pace.add(shot)
    except KeyboardInterrupt:
        if is_quiet:
            raise
        is_stopped = True
    except ToolError as error:
        where = f' in {out}' if files.done else ''
        raise ToolError(f'{error} ({files.done} images are done{where})') from error
    seconds = time.monotonic() - begun_s
    if 'mp4' in kinds and pace.off_s > _LEAST_OFF_S:
        faults.note(
            f'{out / DEPTH_FILES["mp4"]} has a constant rate of {sources[0].rate_hz:.4g} images '
            f'per second: images are up to {pace.off_s:.1f} s away from their own times'
        )
    if not files.done and not is_stopped:
        raise ToolError('there is no image that can be used')
    shown = ', '.join(str(out / DEPTH_FILES[kind]) for kind in kinds)
    is_live = any(source.is_live for source in sources)
    return _Written(files.done, total, seconds, shown, is_stopped, is_live)


class _Pace:
    """
    Compares the times of images in a video of constant rate with their own.

    :param rate_hz: the rate of the video.
    """

    def __init__(self, rate_hz: float) -> None:
        self.off_s = 0.0
        """The largest difference in seconds, from the first image of an input on."""
        self._spacing_s = 1 / rate_hz
        self._state: CameraState | None = None
        self._first_ns, self._images = 0, 0

    def add(self, shot: Shot) -> None:
        """Add the next image of the video."""
        stamp_ns = shot.image.stamp_ns
        if shot.state is not self._state:
            self._state, self._first_ns, self._images = shot.state, stamp_ns, 0
        if stamp_ns != self._first_ns:  # else the times are unknown, or it is the first image
            own_s = (stamp_ns - self._first_ns) * 1e-9
            self.off_s = max(self.off_s, abs(own_s - self._images * self._spacing_s))
        self._images += 1


def _expected_count(sources: Sequence[Source], most: int | None) -> int:
    """Return the expected number of images; 0 if unknown."""
    is_known = all(source.total and not source.is_live for source in sources)
    total = sum(source.total for source in sources) if is_known else 0
    return min(most, total or most) if most else total


def _default_files(sources: Sequence[Source]) -> Sequence[str]:
    """Return the kinds of files that are written without ``--save``."""
    is_film = all(source.is_film for source in sources)
    return 'png', 'mp4' if is_film else 'color', 'sheet'


class DepthWorker(fleet.Worker):
    """
    Writes the depth of one input after the other.

    :param options: the options of the command.
    :raises ToolError: if the options, the weights or the device are unusable.
    """

    def __init__(self, options: DepthOptions) -> None:
        _silence_opencv()
        self._options = options
        self._lens = lens_of(options)
        self._parameters = parameters_of(options, rectify=not options.rectified)
        self._pipeline = load_pipeline(self._parameters)
        self._pipeline.predictor.engine.use_threads()

    def work(self, source: Path, identity: str, out: Path, faults: Faults) -> str:
        """Write the files of one input."""
        written = out.with_name(f'{out.name}.partial')
        written.mkdir(exist_ok=True)
        with sole_owner(written):
            for left in written.iterdir():  # remains of an interrupted run
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            options = self._options
            if not is_bag(source):
                options = replace(options, image=[])
            try:
                done = _write(
                    options,
                    self._parameters,
                    self._lens,
                    [source],
                    written / 'new',
                    lambda: self._pipeline,
                    faults,
                    is_quiet=True,
                )
                _move(written / 'new', out)
            finally:
                shutil.rmtree(written)
        return f'{_counted(done.done, "image")}'


def _move(folder: Path, out: Path) -> None:
    """Move a folder to its place, or its files into an existing folder there."""
    if not out.exists() or out.is_dir() and not any(out.iterdir()):
        folder.rename(out)
        return
    for file in sorted(folder.rglob('*')):
        if file.is_file():
            target = out / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _is_input(folder: Path) -> bool:
    """Return whether a folder is a bag, or contains images."""
    return (
        is_recorded_folder(folder)
        or (folder / MANIFEST).is_file()
        or any(file.suffix.lower() in IMAGE_SUFFIXES for file in folder.iterdir())
    )


_INPUTS = fleet.Kinds(_is_input, (*STORAGES, *IMAGE_SUFFIXES, *VIDEO_SUFFIXES))


def _counted(count: int, noun: str) -> str:
    return f'{count} {noun}' if count == 1 else f'{count} {noun}s'


def _silence_opencv() -> None:
    """Silence OpenCV, because this tool reports the same errors in one sentence."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    if hasattr(cv2.utils, 'logging'):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    else:  # OpenCV 4.6 of Ubuntu 24.04
        cv2.setLogLevel(0)  # type: ignore[attr-defined]


def _frames(
    path: Path, lens: IntrinsicsOverride, parameters: Parameters, faults: Faults
) -> Source:
    """
    Return the images of a folder, an image, a video or a webcam.

    :raises ToolError: if there is nothing to read.
    """
    try:
        source = FrameSource(path, faults)
    except FrameError as error:
        raise ToolError(str(error)) from error
    rate_hz = source.rate_hz or _DEFAULT_RATE_HZ

    def shots() -> Iterator[Shot]:
        state = CameraState()
        for number, frame in enumerate(source):
            stamp_s = number / rate_hz if frame.stamp_s is None else frame.stamp_s
            image = CameraImage(frame.rgb, stamp_ns=int(stamp_s * 1e9))
            try:
                image = preprocess(with_lens(image, lens, frame), state, parameters)
            except CameraError as error:
                faults(f'{frame.name}: {error}')
                continue
            yield Shot(frame.name, image, state)

    return Source(len(source), rate_hz, source.is_film, source.is_live, shots())


def _bag(
    path: Path, topics: list[str], lens: IntrinsicsOverride, parameters: Parameters, faults: Faults
) -> Source:
    """
    Return the images of a bag.

    :raises ToolError: if there is nothing to read.
    """
    try:
        bag = Bag(path, faults, topics)
    except BagError as error:
        raise ToolError(str(error)) from error
    faults.of_bag(bag)
    for other in bag.foreign_cameras if not topics else ():
        faults.lost(
            f'{path} has images on {other.topic} that are left out: {other.msgtype} in '
            f'{encoding_of(other) or "no encoding"} cannot be read, expected cdr'
        )
    several = len(bag.cameras) > 1

    def shots() -> Iterator[Shot]:
        try:
            for source, image, state in recorded_images(
                bag, bag.images(), parameters, lens, faults
            ):
                name = _seconds(image.stamp_ns)
                prefix = source.camera.namespace.strip('/').replace('/', '_')
                yield Shot(f'{prefix}-{name}' if several else name, image, state)
            faults.of_bag(bag)
        finally:
            bag.close()

    return Source(bag.image_count, bag.rate_hz or _DEFAULT_RATE_HZ, not several, False, shots())


def _seconds(stamp_ns: int) -> str:
    """Return a stamp in seconds as text: -100,000,000 ns gives -0.100000000."""
    whole, rest = divmod(abs(stamp_ns), 10**9)
    return f'{"-" if stamp_ns < 0 else ""}{whole}.{rest:09d}'


def _check(arguments: DepthOptions, inputs: Sequence[Path], out: Path) -> None:
    """
    Check the options against each other.

    :raises ToolError: if --image names topics of no bag, a file would be overwritten, or the
        colour range is empty.
    """
    if arguments.image and not any(map(is_bag, inputs)):
        raise ToolError('--image names topics of a bag, and no INPUT is a bag: leave it out')
    _check_colors(arguments)
    if out.is_dir() and not arguments.force and any(out.iterdir()):
        raise ToolError(f'{out} is not empty: give another --out, or --force to overwrite it')


def _check_places(inputs: Sequence[Path], places: Sequence[Path]) -> None:
    """:raises ToolError: if an input is where files would be written."""
    for path, place in product(inputs, places):
        real = path.expanduser().resolve()
        if place.resolve() in (real, *real.parents):
            raise ToolError(f'{path} is where {place} would be written: give another --out')


def _check_colors(arguments: DepthOptions) -> None:
    """:raises ToolError: if the colour range is empty."""
    near_m, far_m = arguments.color_range
    if not near_m < far_m:
        raise ToolError(f'--color-range is NEAR and FAR, got {near_m:g} and {far_m:g} m')


def _report_unknown_lens(shot: Shot, kinds: Collection[str], faults: Faults) -> None:
    """:raises ToolError: if a cloud is to be written, which needs the lens."""
    if 'ply' in kinds:
        raise ToolError(
            f'a cloud needs the focal length, and that of {shot.name} is not known: '
            + HOW_TO_KNOW_THE_LENS
        )
    faults.note(
        'the focal length is not known, the depth is wrong by an unknown factor: '
        + HOW_TO_KNOW_THE_LENS
    )
