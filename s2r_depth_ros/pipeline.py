"""From messages to what the network wants, and from its depth to messages; no node needed."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np

from . import depth_range, messages
from .camera import CameraError, CameraModel, Rectifier
from .colors import color_depth
from .geometry import back_project, subsample
from .message_types import (
    CameraInfo,
    CompressedImage,
    Float32MultiArray,
    Header,
    Image,
    PointCloud2,
    Range,
)
from .messages import MessageError
from .outputs import ATTENTION, COLOR, DEPTH, INFO, POINTS, SCALE, STRUCTURE
from .parameters import Parameters
from .predictor import PredictedMaps
from .scale import (
    cone_reference,
    NoScaleError,
    Scale,
    scale_from_ground,
    scale_from_reference,
    SmoothedScale,
)
from .steadiness import SteadyDepth

NEAREST_COLOR_M = 0.1
_DOUBTFUL_CONFIDENCE = 0.2


@dataclass(frozen=True)
class View:
    """
    One camera image, ready for the network.

    :param header: stamp and frame_id of the image.
    :param rgb: (H, W, 3) uint8.
    :param model: the camera of exactly this image, rectified; None if there is no calibration.
    :param seen: (H, W) bool, False where rectification found no pixel; None if all were found.
    :param no_cloud_reason: why there is no cloud, empty if there is one.
    """

    header: Header
    rgb: np.ndarray
    model: CameraModel | None
    seen: np.ndarray | None
    no_cloud_reason: str

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def intrinsics(self) -> np.ndarray | None:
        """3x3 intrinsics in pixels, None if there is no calibration."""
        return None if self.model is None else self.model.k


class CameraInput:
    """Makes views of one camera's messages; keeps the rectification maps between images."""

    def __init__(self) -> None:
        self._rectifier: Rectifier | None = None

    def view(
        self, image: Image | CompressedImage, info: CameraInfo | None, parameters: Parameters,
    ) -> View:
        """
        Return the image with its calibration, rectified if asked for.

        :param image: in any encoding of :mod:`messages`.
        :param info: the newest camera_info, None if there is none yet.
        :param parameters: ``rectify`` and ``max_image_pixels``.
        :raises MessageError: if the image can not be read, with the cause.
        :raises CameraError: if the calibration can not be true, or is of another size.
        """
        if isinstance(image, CompressedImage):
            rgb = messages.compressed_to_rgb(image, parameters.max_image_pixels)
        else:
            rgb = messages.image_to_rgb(image, parameters.max_image_pixels)
        model = None if info is None else messages.camera_info_to_model(info)
        return self.rectified(image.header, rgb, model, parameters)

    def rectified(
        self, header: Header, rgb: np.ndarray, model: CameraModel | None, parameters: Parameters,
    ) -> View:
        """
        Return the image with its calibration, rectified if asked for.

        :param header: of the image.
        :param rgb: (H, W, 3) uint8.
        :param model: the camera, None if nothing is known of it.
        :param parameters: ``rectify``.
        :raises CameraError: if the calibration is of another size, or cannot be used.
        """
        if model is None:
            return View(header, rgb, None, None, 'no camera_info: depth without cloud')
        if not model.is_calibrated:
            return View(
                header, rgb, None, None,
                'the camera is not calibrated (K[0] is 0): depth without cloud')
        if rgb.shape[:2] != (model.height_px, model.width_px):
            raise CameraError(
                f'camera_info is for {model.width_px} x {model.height_px} pixels, the image has '
                f'{rgb.shape[1]} x {rgb.shape[0]}')
        if not parameters.rectify or model.is_rectified:
            return View(header, rgb, model.rectified(), None, '')
        if self._rectifier is None or self._rectifier.model != model:
            self._rectifier = Rectifier(model)
        return View(
            header, self._rectifier.rectify(rgb), model.rectified(), self._rectifier.seen, '')


class FinishedDepth(NamedTuple):
    """
    Depth as it is published.

    ``depth_m`` is that of :func:`limit_depth`, ``scale`` the factor that it was multiplied with,
    ``scale_fault`` why that factor is not to be trusted, empty if it is.
    """

    depth_m: np.ndarray
    scale: Scale
    scale_fault: str


class CameraDepth:
    """
    Makes of each prediction for one camera its depth; keeps what lasts from image to image.

    :param parameters: ``depth_scale``, to begin with.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._scale = SmoothedScale(parameters.depth_scale)
        self._steady = SteadyDepth()

    def finish(
        self, depth_m: np.ndarray, view: View, far_m: float, reference: Image | Range | None,
        parameters: Parameters,
    ) -> FinishedDepth:
        """
        Return the predicted depth, steadied if asked for, scaled and limited.

        :param depth_m: (H, W) float32 metres from the predictor.
        :param view: of the same image.
        :param far_m: from here on a prediction means far, before scaling.
        :param reference: true distances for ``scale_source`` reference, None if there are none.
        :param parameters: ``steadiness``, those of the scale, and those of :func:`limit_depth`.
        """
        stamp = view.header.stamp
        stamp_s = (stamp.sec + stamp.nanosec * 1e-9) or None
        if parameters.steadiness:
            depth_m = self._steady.update(depth_m, view.rgb, parameters.steadiness, stamp_s)
        else:
            self._steady = SteadyDepth()
        fault = ''
        if parameters.scale_source == 'fixed':
            scale = Scale(parameters.depth_scale, float('nan'))
        else:
            measured = None
            try:
                measured = _measure_scale(depth_m, view, far_m, reference, parameters)
            except (NoScaleError, MessageError) as error:
                fault = str(error)
            scale = self._scale.update(measured, stamp_s, parameters.scale_smoothing)
        is_doubtful = scale.confidence < _DOUBTFUL_CONFIDENCE
        return FinishedDepth(
            limit_depth(depth_m, view, far_m, scale.factor, parameters), scale,
            f'the scale stays at {scale.factor:.3g}: {fault}' if fault and is_doubtful else '')


def _measure_scale(
    depth_m: np.ndarray, view: View, far_m: float, reference: Image | Range | None,
    parameters: Parameters,
) -> Scale:
    """Return what this image alone says; raise NoScaleError or MessageError if nothing."""
    measured_m = np.where(depth_m < far_m, depth_m, np.float32(np.nan))
    if view.seen is not None:
        measured_m[~view.seen] = np.nan
    if parameters.scale_source == 'ground_plane':
        if view.intrinsics is None:
            raise NoScaleError('without calibration the ground cannot be found')
        return scale_from_ground(
            measured_m, view.intrinsics, parameters.camera_height,
            math.radians(parameters.camera_pitch))
    if reference is None:
        raise NoScaleError('no scale reference within 0.2 s of the image')
    if isinstance(reference, Image):
        reference_m = messages.image_to_depth_m(reference, parameters.max_image_pixels)
        return scale_from_reference(measured_m, reference_m)
    if view.intrinsics is None:
        raise NoScaleError('without calibration the pixels of a range cannot be found')
    return scale_from_reference(measured_m, cone_reference(
        view.size_px, view.intrinsics, messages.range_m(reference), reference.field_of_view))


def limit_depth(
    depth_m: np.ndarray, view: View, far_m: float, scale: float, parameters: Parameters,
) -> np.ndarray:
    """
    Return the predicted depth, scaled, with REP 117's marks for what is no measurement.

    :param depth_m: (H, W) float32 metres from the predictor.
    :param view: where rectification found no pixel, depth becomes NaN.
    :param far_m: from here on a prediction means far, before scaling.
    :param scale: factor on every depth.
    :param parameters: ``min_depth`` and ``max_depth``.
    :returns: (H, W) float32 metres; NaN, -inf (too near) and +inf (far) where invalid.
    """
    limited = depth_range.mark_out_of_range(
        depth_m if scale == 1 else depth_m * np.float32(scale), parameters.min_depth,
        min(parameters.max_depth, far_m * scale))
    if view.seen is not None:
        limited[~view.seen] = np.nan
    return limited


def output_messages(
    view: View, finished: FinishedDepth, maps: PredictedMaps | None, wanted: Iterable[str],
    parameters: Parameters,
) -> dict[str, Image | CameraInfo | PointCloud2 | Float32MultiArray]:
    """
    Return the message of each wanted output that this view has.

    :param view: gives the header, the colours and the intrinsics.
    :param finished: the depth of this view.
    :param maps: structure and attention, None if neither is wanted.
    :param wanted: names from ``outputs.OUTPUTS``, and ``SCALE``.
    :param parameters: ``depth_encoding``, ``max_depth`` and ``point_stride``.
    """
    header, depth_m = view.header, finished.depth_m
    found: dict[str, Image | CameraInfo | PointCloud2 | Float32MultiArray] = {}
    if DEPTH in wanted:
        found[DEPTH] = messages.depth_to_image(depth_m, header, parameters.depth_encoding)
    if view.model is not None and INFO in wanted:
        found[INFO] = messages.camera_model_to_info(view.model, header)
    if view.model is not None and POINTS in wanted:
        depth, intrinsics = subsample(depth_m, view.model.k, parameters.point_stride)
        rgb, _ = subsample(view.rgb, view.model.k, parameters.point_stride)
        found[POINTS] = messages.points_to_cloud(back_project(depth, intrinsics), rgb, header)
    if COLOR in wanted:
        near_m = max(parameters.min_depth, NEAREST_COLOR_M)
        colored = color_depth(depth_m, near_m, max(parameters.max_depth, 2 * near_m))
        found[COLOR] = messages.pixels_to_image(colored, 'bgr8', header)
    if SCALE in wanted:
        found[SCALE] = messages.scale_to_message(finished.scale)
    if maps is not None:
        for output, values in ((STRUCTURE, maps.structure), (ATTENTION, maps.attention)):
            if output in wanted:
                found[output] = messages.pixels_to_image(
                    (values * 255).round().astype(np.uint8), 'mono8', header)
    return found
