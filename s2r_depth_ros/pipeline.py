"""From messages to what the network wants, and from its depth to messages; no node needed."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from . import depth_range, messages
from .camera import CameraError, CameraModel, Rectifier
from .camera_topics import ATTENTION, COLOR, DEPTH, INFO, POINTS, STRUCTURE
from .colors import color_depth
from .geometry import back_project, subsample
from .parameters import Parameters
from .predictor import PredictedMaps

NEAREST_COLOR_M = 0.1


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
        if info is None:
            return View(image.header, rgb, None, None, 'no camera_info: depth without cloud')
        model = messages.camera_info_to_model(info)
        if not model.is_calibrated:
            return View(
                image.header, rgb, None, None,
                'the camera is not calibrated (K[0] is 0): depth without cloud')
        if rgb.shape[:2] != (model.height_px, model.width_px):
            raise CameraError(
                f'camera_info is for {model.width_px} x {model.height_px} pixels, the image has '
                f'{rgb.shape[1]} x {rgb.shape[0]}')
        if not parameters.rectify or model.is_rectified:
            return View(image.header, rgb, model.rectified(), None, '')
        if self._rectifier is None or self._rectifier.model != model:
            self._rectifier = Rectifier(model)
        return View(
            image.header, self._rectifier.rectify(rgb), model.rectified(), self._rectifier.seen,
            '')


def limit_depth(
    depth_m: np.ndarray, view: View, far_m: float, parameters: Parameters,
) -> np.ndarray:
    """
    Return the predicted depth, scaled, with REP 117's marks for what is no measurement.

    :param depth_m: (H, W) float32 metres from the predictor.
    :param view: where rectification found no pixel, depth becomes NaN.
    :param far_m: from here on a prediction means far, before scaling.
    :param parameters: ``depth_scale``, ``min_depth`` and ``max_depth``.
    :returns: (H, W) float32 metres; NaN, -inf (too near) and +inf (far) where invalid.
    """
    scale = parameters.depth_scale
    limited = depth_range.mark_out_of_range(
        depth_m * np.float32(scale), parameters.min_depth,
        min(parameters.max_depth, far_m * scale))
    if view.seen is not None:
        limited[~view.seen] = np.nan
    return limited


def output_messages(
    view: View, depth_m: np.ndarray, maps: PredictedMaps | None, wanted: Iterable[str],
    parameters: Parameters,
) -> dict[str, Image | CameraInfo | PointCloud2]:
    """
    Return the message of each wanted output that this view has.

    :param view: gives the header, the colours and the intrinsics.
    :param depth_m: (H, W) float32 metres from :func:`limit_depth`.
    :param maps: structure and attention, None if neither is wanted.
    :param wanted: names from ``camera_topics.OUTPUTS``.
    :param parameters: ``depth_encoding``, ``max_depth`` and ``point_stride``.
    """
    header = view.header
    found: dict[str, Image | CameraInfo | PointCloud2] = {}
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
    if maps is not None:
        for output, values in ((STRUCTURE, maps.structure), (ATTENTION, maps.attention)):
            if output in wanted:
                found[output] = messages.pixels_to_image(
                    (values * 255).round().astype(np.uint8), 'mono8', header)
    return found
