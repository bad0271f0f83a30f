"""The node's parameters as options of a command, and the node's work without the node."""
from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
import sys
from typing import Any

from tqdm import tqdm

from ..bags import Bag, BagImage
from ..camera import CameraError, read_calibration
from ..frames import Frame, Lens
from ..messages import MessageError
from ..parameters import Parameters
from ..pipeline import CameraDepth, CameraInput, FinishedDepth, View
from ..predictor import DepthPredictor, PredictedMaps
from ..weights_info import PUBLISHED
from . import number_in, ToolError

NETWORK_PARAMETERS = (
    'weights', 'published_max_depth', 'engine', 'device', 'precision', 'threads', 'network_height',
    'network_width', 'focal_correction')
DEPTH_PARAMETERS = (
    'min_depth', 'max_depth', 'depth_scale', 'camera_height', 'camera_pitch', 'scale_smoothing',
    'steadiness', 'point_stride')
# True distances from other sensors are for the node alone.
_SCALE_SOURCES = ('fixed', 'ground_plane')
_TOLD_FAULTS = 5

HOW_TO_KNOW_THE_LENS = 'give --calibration, --focal-px or --hfov-deg'


def add_parameters(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """
    Add an option for each parameter, with the node's name, default, limits and description.

    :param parser: of the command; ``--scale-source`` is added if ``depth_scale`` is.
    :param names: of fields of ``Parameters``.
    """
    about = {item.name: item for item in fields(Parameters)}
    defaults = Parameters()
    group = parser.add_argument_group(
        'parameters of the node', 'as in config/depth_node.yaml')
    for name in names:
        default, metadata = getattr(defaults, name), about[name].metadata
        kind: dict[str, Any] = (
            {'action': argparse.BooleanOptionalAction} if isinstance(default, bool) else
            {'choices': metadata['choices']} if metadata['choices'] else
            {'type': number_in(type(default), *metadata['limits']), 'metavar': 'N'}
            if metadata['limits'] else {'metavar': name.upper()})
        group.add_argument(
            _option(name), default=default, **kind,
            help=metadata['description'].replace('%', '%%') + ' (default: %(default)s)')
        if name == 'depth_scale':
            group.add_argument(
                '--scale-source', choices=_SCALE_SOURCES, default=defaults.scale_source,
                help='What tells the factor on every depth: depth_scale, or the camera_height '
                'above the ground that is seen (default: %(default)s)')


def parameters_of(arguments: argparse.Namespace, **others: Any) -> Parameters:
    """
    Return the node's parameters as the command line says.

    :param arguments: with options of :func:`add_parameters`.
    :param others: parameters that are not options.
    :raises ToolError: if they contradict each other.
    """
    given = {item.name: getattr(arguments, item.name) for item in fields(Parameters)
             if hasattr(arguments, item.name)}
    try:
        return Parameters(**{**given, **others})
    except ValueError as error:
        raise ToolError(str(error)) from error


def add_lens(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """
    Add the options that say what is known of the lens.

    :param parser: of the command.
    :returns: their group.
    """
    group = parser.add_argument_group(
        'lens', 'of all cameras; the first that is given counts, and what comes with the images '
        '(camera_info, manifest.json) counts before --hfov-deg')
    group.add_argument(
        '--calibration', type=Path, metavar='YAML',
        help='in the form of camera_info_manager; images are undistorted with it')
    group.add_argument(
        '--focal-px', type=number_in(float, 0, 1e6), default=0.0, metavar='F',
        help='focal length in pixels of the image')
    group.add_argument(
        '--hfov-deg', type=number_in(float, 0, 179), default=0.0, metavar='DEGREES',
        help='horizontal field of view')
    return group


def lens_of(arguments: argparse.Namespace) -> Lens:
    """
    Return what the command line says of the lens.

    :param arguments: with the options of :func:`add_lens`.
    :raises ToolError: if the calibration can not be used.
    """
    try:
        calibration = read_calibration(arguments.calibration) if arguments.calibration else None
    except CameraError as error:
        raise ToolError(str(error)) from error
    return Lens(calibration, arguments.focal_px, arguments.hfov_deg)


class Faults:
    """
    Counts what goes wrong with single images, and tells of the first few.

    :param verb: of ``s2r``, which says so.
    """

    def __init__(self, verb: str) -> None:
        self.count = 0
        self._of_images = 0
        self._verb = verb
        self._told: set[str] = set()

    def __call__(self, text: str) -> None:
        """Count a fault of a single image, and say it if it is new and one of the first few."""
        self.count += 1
        if self._of_images < _TOLD_FAULTS and text not in self._told:
            self._of_images += 1
            self.note(text)

    def of_bag(self, bag: Bag) -> None:
        """Count and say what is lost of a bag, as far as that is known, and what is unusual."""
        for note in bag.notes:
            self.note(note)
        for loss in bag.losses:
            self.lost(loss)

    def lost(self, text: str) -> None:
        """Count and say, once, what is lost of the whole."""
        self.count += text not in self._told
        self.note(text)

    def note(self, text: str) -> None:
        """Say what is no fault, once."""
        if text not in self._told:
            self._told.add(text)
            tqdm.write(f's2r {self._verb}: {text}', file=sys.stderr)


class OfflineDepth:
    """
    Does for recorded images what the node does for those of a camera, one after the other.

    :param parameters: of the node.
    :raises ToolError: if the weights or the device can not be used.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._cameras: dict[str, CameraDepth] = {}
        try:
            self._predictor = DepthPredictor(
                parameters.weights or None, parameters.device, parameters.precision,
                parameters.network_size_px,
                replace(PUBLISHED, max_depth_m=parameters.published_max_depth),
                parameters.threads, engine=parameters.engine)
        except ValueError as error:  # WeightsError too
            raise ToolError(str(error)) from error

    def finish(
        self, camera: str, view: View, with_maps: bool,
    ) -> tuple[FinishedDepth, PredictedMaps | None]:
        """
        Return the depth of an image, and if asked for the maps that it was made from.

        :param camera: the scale is smoothed over the images of one camera.
        :param view: from :class:`~s2r_depth_ros.pipeline.CameraInput`.
        :param with_maps: whether structure and attention are wanted.
        """
        matrix = view.intrinsics if self._parameters.focal_correction else None
        maps = None
        if with_maps:
            maps, = self._predictor.predict_maps([view.rgb], [matrix])
            depth_m = maps.depth_m
        else:
            depth_m, = self._predictor.predict([view.rgb], [matrix])
        if camera not in self._cameras:
            self._cameras[camera] = CameraDepth(self._parameters)
        finished = self._cameras[camera].finish(
            depth_m, view, self._predictor.far_m(view.size_px, matrix), None, self._parameters)
        return finished, maps


def recorded_views(
    bag: Bag, images: Iterable[BagImage], parameters: Parameters, lens: Lens,
    on_fault: Callable[[str], None],
) -> Iterator[tuple[BagImage, View]]:
    """
    Make views of the images of a bag; those of topics that are called rectified stay as they are.

    :param bag: the bag.
    :param images: of the bag.
    :param parameters: ``rectify`` and ``max_image_pixels``.
    :param lens: its calibration or focal length counts before the camera_info of the bag, its
        field of view where there is none.
    :param on_fault: called with a sentence for each image that cannot be used; it is left out.
    """
    inputs = {camera: CameraInput() for camera in bag.cameras}
    as_it_is = replace(parameters, rectify=False)
    for recorded in images:
        camera = recorded.camera
        info = None if lens.calibration or lens.focal_px else recorded.info
        options = as_it_is if camera.is_rectified else parameters
        try:
            view = inputs[camera].view(recorded.image, info, options)
            if view.model is None:
                frame = Frame('', view.rgb, None)
                if lens.shape_fault(frame):
                    raise CameraError(lens.shape_fault(frame))
                view = inputs[camera].rectified(
                    view.header, view.rgb, lens.camera_of(frame), options)
        except (MessageError, CameraError) as error:
            on_fault(f'{camera.image_topic}, image {recorded.number}: {error}')
            continue
        yield recorded, view


def _option(name: str) -> str:
    return '--' + name.replace('_', '-')
