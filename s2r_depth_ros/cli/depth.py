"""
Write the depth of images, videos, a webcam or a bag to files; needs no ROS.

What --save can name, and where it lies in the folder --out (NAME is that of the image):

  png    depth_mm/NAME.png  16 bits, millimetres; 0 where there is no depth
  npy    depth_m/NAME.npy   float32, metres; -inf is too near, inf too far, nan not seen
  color  color/NAME.png     red is near, blue far, on a logarithmic scale, the same for all images
                            (--color-range, 1 to 80 m); grey is too far
  mp4    color.mp4          the same as a video
  ply    cloud/NAME.ply     points in metres; x right, y down, z forward
  sheet  contact_sheet.png  image, structure map, attention map and depth of a few images, in the
                            same colours, with their scale

Metres need the focal length: --calibration, --focal-px or --hfov-deg, a manifest.json beside the
images, or the camera_info of a bag. Without it the depth is right up to a factor.

Examples:
  s2r depth street.jpg --focal-px 720
  s2r depth ~/pictures --calibration camera.yaml --save png ply sheet --out my-depth
  s2r depth drive.mp4 --hfov-deg 80
  s2r depth webcam --frames 100
  s2r depth my_bag --save npy
"""
from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from itertools import chain, islice
import os
from pathlib import Path
import sys
import time
from typing import NamedTuple

import cv2
from tqdm import tqdm

from ..bag_files import BagError
from ..bag_paths import is_bag
from ..bags import Bag
from ..camera import CameraError
from ..frames import FrameError, FrameSource, Lens
from ..message_types import Header
from ..parameters import Parameters
from ..pipeline import CameraInput, View
from . import number_in, ToolError
from .depth_files import DepthFiles, PLACES
from .offline import (
    add_lens,
    add_parameters,
    DEPTH_PARAMETERS,
    Faults,
    HOW_TO_KNOW_THE_LENS,
    lens_of,
    NETWORK_PARAMETERS,
    OfflineDepth,
    parameters_of,
    recorded_views,
)

_DEFAULT_RATE_HZ = 10.0


class Shot(NamedTuple):
    """An image to work on: its name, the camera that its scale is smoothed with, and the image."""

    name: str
    camera: str
    view: View


class Source(NamedTuple):
    """
    What one INPUT holds.

    ``total`` is how many images there should be, 0 if nobody knows; ``rate_hz`` how many a second;
    ``is_film`` whether they follow each other in time; ``is_live`` whether they go on for ever.
    """

    total: int
    rate_hz: float
    is_film: bool
    is_live: bool
    shots: Iterator[Shot]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='INPUT',
        help='images, folders of images, videos, ROS 2 bags, or webcam (webcam:1 for the second)')
    parser.add_argument(
        '--out', type=Path, default=Path('depth'), metavar='FOLDER',
        help='where the files go (default: %(default)s)')
    parser.add_argument(
        '--save', nargs='+', choices=PLACES, metavar='KIND',
        help='what to write: png, npy, color, mp4, ply, sheet '
        '(default: png color sheet; of a video or webcam png mp4 sheet)')
    parser.add_argument(
        '--force', action='store_true', help='write over files that are there already')
    parser.add_argument(
        '--frames', type=number_in(int, 1, 10**9), metavar='N', help='stop after so many images')
    parser.add_argument(
        '--color-range', type=number_in(float, 0.001, 10_000), nargs=2, default=(1.0, 80.0),
        metavar=('NEAR', 'FAR'),
        help='metres of the reddest and of the bluest colour, of color, mp4 and sheet alike; '
        '0.5 10 suits a room (default: 1 80)')
    add_lens(parser).add_argument(
        '--rectified', action='store_true', help='the images are undistorted already')
    parser.add_argument_group('bags').add_argument(
        '--image', nargs='+', default=[], metavar='TOPIC',
        help='topics of the images (default: all cameras)')
    add_parameters(parser, (*NETWORK_PARAMETERS, *DEPTH_PARAMETERS))


def run(arguments: argparse.Namespace) -> int:
    """Write the depth of all images and return the exit code."""
    _silence_opencv()
    parameters = parameters_of(arguments, rectify=not arguments.rectified)
    lens, faults = lens_of(arguments), Faults('depth')
    _check(arguments)
    sources = [
        _bag(path, arguments.image, lens, parameters, faults) if is_bag(path) else
        _frames(path, lens, parameters, faults) for path in arguments.inputs]
    is_live = any(source.is_live for source in sources)
    is_known = not is_live and all(source.total for source in sources)
    total = sum(source.total for source in sources) if is_known else 0
    if arguments.frames:
        total = min(arguments.frames, total or arguments.frames)
    kinds = arguments.save or (
        'png', 'mp4' if all(source.is_film for source in sources) else 'color', 'sheet')
    network = OfflineDepth(parameters)
    files = DepthFiles(
        arguments.out, kinds, ', '.join(path.name for path in arguments.inputs),
        arguments.color_range, parameters.point_stride, sources[0].rate_hz, total)
    shots = islice(chain.from_iterable(source.shots for source in sources), arguments.frames)
    begun_s = time.monotonic()
    is_stopped = False
    try:
        with files:
            for shot in tqdm(shots, total=total or None, unit='image'):
                if shot.view.model is None:
                    _tell_of_unknown_lens(shot, kinds, faults)
                finished, maps = network.finish(shot.camera, shot.view, files.wants_maps)
                if finished.scale_fault:
                    faults.note(f'{shot.name}: {finished.scale_fault}')
                files.write(shot.name, shot.view, finished.depth_m, maps)
    except KeyboardInterrupt:
        is_stopped = True
    except ToolError as error:
        where = f' in {arguments.out}' if files.done else ''
        raise ToolError(f'{error} ({files.done} images are done{where})') from error
    seconds = time.monotonic() - begun_s
    if not files.done and not is_stopped:
        raise ToolError('there is no image that can be used')
    print(f'{files.done} images in {seconds:.1f} s, {files.done / seconds:.1f} a second: '
          + ', '.join(str(arguments.out / PLACES[kind]) for kind in kinds))
    if faults.count:
        print(f's2r depth: not all could be used, {faults.count} faults', file=sys.stderr)
    if is_stopped and not is_live:
        print(f's2r depth: stopped after {files.done} of {total} images', file=sys.stderr)
        return 130
    return 1 if faults.count else 0


def _silence_opencv() -> None:
    """Keep OpenCV from printing what is said here in one sentence."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    if hasattr(cv2.utils, 'logging'):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    else:  # OpenCV 4.6, that of Ubuntu 24.04
        cv2.setLogLevel(0)  # type: ignore[attr-defined]


def _frames(path: Path, lens: Lens, parameters: Parameters, faults: Faults) -> Source:
    """:raises ToolError: if there is nothing to read."""
    try:
        source = FrameSource(path, faults)
    except FrameError as error:
        raise ToolError(str(error)) from error
    rate_hz = source.rate_hz or _DEFAULT_RATE_HZ

    def shots() -> Iterator[Shot]:
        camera = CameraInput()
        for number, frame in enumerate(source):
            header = Header()
            stamp_s = number / rate_hz if frame.stamp_s is None else frame.stamp_s
            header.stamp.sec, header.stamp.nanosec = divmod(int(stamp_s * 1e9), 10**9)
            try:
                if lens.shape_fault(frame):
                    raise CameraError(lens.shape_fault(frame))
                view = camera.rectified(header, frame.rgb, lens.camera_of(frame), parameters)
            except CameraError as error:
                faults(f'{frame.name}: {error}')
                continue
            yield Shot(frame.name, str(path), view)

    return Source(len(source), rate_hz, source.is_film, source.is_live, shots())


def _bag(
    path: Path, topics: list[str], lens: Lens, parameters: Parameters, faults: Faults,
) -> Source:
    """:raises ToolError: if there is nothing to read."""
    try:
        bag = Bag(path, faults, topics)
    except BagError as error:
        raise ToolError(str(error)) from error
    faults.of_bag(bag)
    several = len(bag.cameras) > 1

    def shots() -> Iterator[Shot]:
        try:
            for recorded, view in recorded_views(
                    bag, bag.images(), parameters, lens, faults):
                stamp, namespace = view.header.stamp, recorded.camera.namespace
                name = _seconds(stamp.sec * 10**9 + stamp.nanosec)
                prefix = namespace.strip('/').replace('/', '_')
                yield Shot(f'{prefix}-{name}' if several else name, namespace, view)
            faults.of_bag(bag)
        finally:
            bag.close()

    return Source(bag.image_count, bag.rate_hz or _DEFAULT_RATE_HZ, not several, False, shots())


def _seconds(stamp_ns: int) -> str:
    """Return a stamp as text: -1 s and 9e8 ns of a message are -0.100000000."""
    whole, rest = divmod(abs(stamp_ns), 10**9)
    return f'{"-" if stamp_ns < 0 else ""}{whole}.{rest:09d}'


def _check(arguments: argparse.Namespace) -> None:
    """:raises ToolError: if something might be written over, or the colours have no range."""
    out, force, (near_m, far_m) = arguments.out, arguments.force, arguments.color_range
    if not near_m < far_m:
        raise ToolError(f'--color-range is NEAR and FAR, got {near_m:g} and {far_m:g} m')
    if out.is_dir() and not force and any(out.iterdir()):
        raise ToolError(f'{out} is not empty: give another --out, or --force to write over it')


def _tell_of_unknown_lens(shot: Shot, kinds: Collection[str], faults: Faults) -> None:
    if 'ply' in kinds:
        raise ToolError(
            f'a cloud needs the focal length, and that of {shot.name} is not known: '
            + HOW_TO_KNOW_THE_LENS)
    faults.note(
        'the focal length is not known, the depth is right up to a factor: '
        f'{HOW_TO_KNOW_THE_LENS}')
