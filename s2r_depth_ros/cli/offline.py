"""Turn options into the node's parameters, and do the node's work without the node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
import sys
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ..depth.camera_model import CameraError, read_calibration
from ..depth.image_health import image_fault
from ..depth.parameters import Parameters
from ..depth.pipeline import CameraImage, CameraState, DepthPipeline, load_predictor, preprocess
from ..ros.inputs import camera_image
from ..ros.messages import MessageError
from ..sources.bags.bag import Bag, BagImage
from ..sources.frames import Frame, IntrinsicsOverride
from . import ToolError
from .options import BagOptions, DepthOptions, LensOptions

_SHOWN_FAULTS = 5

HOW_TO_KNOW_THE_LENS = 'give --calibration, --focal-px or --hfov-deg'


def parameters_of(options: DepthOptions | BagOptions, **others: Any) -> Parameters:
    """
    Return the node's parameters from the command line; the tools do not read TF.

    :param options: the options of the command.
    :param others: parameters that are not options.
    :raises ToolError: if the parameters contradict each other.
    """
    given = options.parameters
    if not given['camera_height']:
        if given['scale_source'] == 'ground_plane':
            raise ToolError(
                '--scale-source ground_plane needs --camera-height, the metres of the camera '
                'above the ground'
            )
        if given['camera_pitch']:
            raise ToolError(
                f'--camera-pitch {given["camera_pitch"]:g} has no effect without '
                '--camera-height: give both or neither'
            )
    try:
        return Parameters(**{'base_frame': '', **given, **others})
    except ValueError as error:
        raise ToolError(str(error)) from error


def lens_of(options: LensOptions) -> IntrinsicsOverride:
    """
    Return the intrinsics that the command line gives.

    :param options: the options of the command.
    :raises ToolError: if the calibration is unusable.
    """
    try:
        calibration = read_calibration(options.calibration) if options.calibration else None
    except CameraError as error:
        raise ToolError(str(error)) from error
    return IntrinsicsOverride(calibration, options.focal_px, options.hfov_deg)


class Faults:
    """
    Counts the faults of single images, and reports the first few.

    :param verb: the verb of ``s2r`` that the reports name.
    :param tell: takes the reports; by default they go to the standard error.
    """

    def __init__(self, verb: str, tell: Callable[[str], None] | None = None) -> None:
        self.count = 0
        self._of_images = 0
        self._tell = tell or (lambda text: tqdm.write(f's2r {verb}: {text}', file=sys.stderr))
        self._shown: set[str] = set()

    def __call__(self, text: str) -> None:
        """Count a fault of a single image, and report it if it is new and among the first few."""
        self.count += 1
        if self._of_images < _SHOWN_FAULTS and text not in self._shown:
            self._of_images += 1
            self.note(text)

    def of_bag(self, bag: Bag) -> None:
        """Count and report the known losses of a bag, and report its peculiarities."""
        for note in bag.notes:
            self.note(note)
        for loss in bag.losses:
            self.lost(loss)

    def lost(self, text: str) -> None:
        """Count and report, once, a loss that concerns the whole input."""
        self.count += text not in self._shown
        self.note(text)

    def of_image(self, name: str, rgb: np.ndarray) -> None:
        """Report the first image of each kind that shows no depth, such as a dark one."""
        fault = image_fault(rgb)
        if fault and fault not in self._shown:
            self._shown.add(fault)
            self._tell(f'{name}: {fault}')

    def note(self, text: str) -> None:
        """Report, once, a text that is no fault."""
        if text not in self._shown:
            self._shown.add(text)
            self._tell(text)


def load_pipeline(parameters: Parameters) -> DepthPipeline:
    """
    Return the pipeline that processes recorded images as the node processes camera images.

    :raises ToolError: if the weights or the device are unusable.
    """
    try:
        return DepthPipeline(load_predictor(parameters), parameters)
    except ValueError as error:  # WeightsError too
        raise ToolError(str(error)) from error


def remembers(parameters: Parameters) -> bool:
    """Return whether the depth of an image depends on the images before."""
    return parameters.temporal_smoothing > 0 or parameters.scale_source != 'fixed'


class RecordedImage(NamedTuple):
    """
    An image of a bag, ready for the network.

    ``source`` is its entry in the bag, ``image`` is the preprocessed image, and ``state`` is the
    state of its camera.
    """

    source: BagImage
    image: CameraImage
    state: CameraState


def recorded_images(
    bag: Bag,
    images: Iterable[BagImage],
    parameters: Parameters,
    lens: IntrinsicsOverride,
    on_fault: Callable[[str], None],
) -> Iterator[RecordedImage]:
    """
    Preprocess the images of a bag; images of rectified topics stay unchanged.

    :param bag: the bag.
    :param images: the images of the bag.
    :param parameters: ``rectify`` and ``max_image_pixels``.
    :param lens: its calibration or focal length takes precedence over the camera_info of the bag.
        Its field of view counts only without camera_info.
    :param on_fault: called with a sentence for each unusable image, which is skipped.
    """
    states = {camera: CameraState() for camera in bag.cameras}
    as_it_is = replace(parameters, rectify=False)
    for source in images:
        camera = source.camera
        info = None if lens.calibration or lens.focal_px else source.info
        try:
            image = camera_image(source.image, info, parameters.max_image_pixels)
            if image.camera is None or not image.camera.is_calibrated:
                image = with_lens(image, lens, Frame('', image.rgb, None))
            options = as_it_is if camera.is_rectified else parameters
            image = preprocess(image, states[camera], options)
        except (MessageError, CameraError) as error:
            on_fault(f'{camera.image_topic}, image {source.number}: {error}')
            continue
        yield RecordedImage(source, image, states[camera])


def with_lens(image: CameraImage, lens: IntrinsicsOverride, frame: Frame) -> CameraImage:
    """
    Return an image with the calibration from the command line or from the frame.

    :param frame: the frame with the same pixels.
    :raises CameraError: if the calibration does not fit this image.
    """
    if fault := lens.shape_fault(frame):
        raise CameraError(fault)
    return replace(image, camera=lens.camera_of(frame))
