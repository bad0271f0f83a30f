"""
The steps from an image to its depth and points, without ROS.

:func:`preprocess`, :meth:`DepthPipeline.predict`, :func:`postprocess` (smooth, scale, limit) and
:func:`project` follow each other; :meth:`DepthPipeline.run` calls the first three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
import math
from typing import NamedTuple

import numpy as np

from ..engine import depth_range
from ..weights.info import PUBLISHED
from .camera_model import CameraError, CameraModel, Rectifier
from .confidence import confidence, confidence_of_error, mirrored
from .edge_filter import smeared
from .geometry import back_project, subsample
from .ground import GroundPlane, GroundReading, HeldGround
from .ground_contact import contact_correction
from .parameters import Parameters
from .predictor import DepthPredictor
from .scale import NoScaleError, Scale, scale_from_ground, scale_from_reference, SmoothedScale
from .scale_source import CAMERA_HEIGHT, FIXED, REFERENCE, ScaleSource, select, TF
from .temporal_smoothing import TemporalSmoother

_DOUBTFUL_CONFIDENCE = 0.2
# A factor from the ground outside of these means a wrong height. The network takes a camera 10 cm
# above the ground for one as high as those in training, so the lower limit is farther from 1.
_PLAUSIBLE_FACTORS = 1 / 18, 7.0
# Tolerance of the camera angles when depth is limited to the ground. With TF, slopes and braking
# change the angles; with camera_pitch, the mounting does, too.
_MARGINS_RAD = {TF: math.radians(2), CAMERA_HEIGHT: math.radians(4)}


@dataclass(frozen=True)
class CameraImage:
    """
    One image of a camera.

    :param rgb: (H, W, 3) uint8.
    :param camera: the calibration, None if there is none. After :func:`preprocess`, it is that of
        the rectified image.
    :param stamp_ns: time of the image in nanoseconds; 0 if unknown.
    :param frame_id: the optical frame.
    :param valid_mask: (H, W) bool, False where the rectified image has no pixel of the raw image;
        None if all are valid.
    :param no_cloud_reason: the reason for a missing cloud; empty if there is a cloud.
    """

    rgb: np.ndarray
    camera: CameraModel | None = None
    stamp_ns: int = 0
    frame_id: str = ''
    valid_mask: np.ndarray | None = None
    no_cloud_reason: str = ''

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def intrinsics(self) -> np.ndarray | None:
        """3x3 intrinsics in pixels, None if there is no calibration."""
        return None if self.camera is None else self.camera.k

    @property
    def stamp_s(self) -> float | None:
        """Time of the image, seconds; None if unknown."""
        return self.stamp_ns * 1e-9 or None


@dataclass(frozen=True)
class DepthResult:
    """
    The depth of one image, from :meth:`DepthPipeline.predict` or :func:`postprocess`.

    :param image: the image, after :func:`preprocess`.
    :param depth_m: (H, W) float32 metres. After :func:`postprocess`, it is scaled, and invalid
        pixels are NaN, -inf (too near) or +inf (far).
    :param far_m: the depth from which a prediction means far, before scaling.
    :param structure: (H, W) float32 structure map in [0, 1]; None if not requested.
    :param attention: (H, W) float32 attention map in [0, 1]; None if not requested.
    :param scale: the factor by which the depth was multiplied.
    :param scale_source: the source of the factor: tf, camera_height, reference or fixed.
    :param scale_fault: the reason why factor or ground are doubtful, or why limits leave no depth;
        empty if there is none.
    :param ground: the ground plane in true metres, None if it is unknown.
    :param confidence: (H, W) float32 confidence in the depth, 0 to 1; None if not requested.
    :param ground_probability: (H, W) float32 probability that the pixel shows the ground; None if
        not requested, or if the network has no judge.
    :param log_error: (H, W) float32, logarithm of the expected error of ln(depth); None in the
        same cases.
    """

    image: CameraImage
    depth_m: np.ndarray
    far_m: float
    structure: np.ndarray | None = None
    attention: np.ndarray | None = None
    scale: Scale = Scale(1.0, math.nan)
    scale_source: str = FIXED
    scale_fault: str = ''
    ground: GroundPlane | None = None
    confidence: np.ndarray | None = None
    ground_probability: np.ndarray | None = None
    log_error: np.ndarray | None = None

    def is_ground(self, least_probability: float) -> np.ndarray | None:
        """
        Return the pixels that show the ground.

        :param least_probability: the probability from which a pixel counts as ground; with 1, no
            pixel does.
        :returns: (H, W) bool; None if no pixel is ground, or the probability is unknown.
        """
        if self.ground_probability is None or least_probability >= 1:
            return None
        return self.ground_probability >= np.float32(least_probability)


class ScaleReference(NamedTuple):
    """
    True distances of an image, or the reason why there are none.

    ``depth_m`` is (h, w) float metres along the optical axis, with the field of view of the image,
    in any resolution; NaN where unknown.
    """

    depth_m: np.ndarray | None = None
    fault: str = 'no scale reference'


NO_REFERENCE = ScaleReference()
NO_TF = GroundReading()


class GroundLimit(NamedTuple):
    """The depth (H, W) of the ground in an image, with the inputs of its computation."""

    source: ScaleSource
    intrinsics: np.ndarray
    depth_m: np.ndarray


@dataclass
class CameraState:
    """What is kept of one camera from image to image."""

    rectifier: Rectifier | None = None
    smoother: TemporalSmoother = field(default_factory=TemporalSmoother)
    scale: SmoothedScale | None = None
    ground: HeldGround = field(default_factory=HeldGround)
    ground_limit: GroundLimit | None = None
    has_reference: bool = False


@dataclass(frozen=True)
class DepthPipeline:
    """
    Computes depth from images, with one network and one set of parameters.

    :param predictor: runs the network.
    :param parameters: the parameters of the node. Those of topics and network have no effect here.
    """

    predictor: DepthPredictor
    parameters: Parameters

    def run(
        self,
        image: CameraImage,
        state: CameraState,
        reference: ScaleReference = NO_REFERENCE,
        with_maps: bool = False,
        with_confidence: bool = False,
        from_tf: GroundReading = NO_TF,
        with_ground: bool = False,
    ) -> DepthResult:
        """
        Return the depth of an image.

        :param image: the image, before or after :func:`preprocess`.
        :param state: the state of its camera, which is updated.
        :param reference: true distances, for ``scale_source`` reference.
        :param with_maps: whether to return structure and attention, too.
        :param with_confidence: as for :meth:`predict`.
        :param from_tf: the ground plane from TF.
        :param with_ground: as for :meth:`predict`.
        :raises CameraError: if the calibration is for another size, or cannot be used.
        """
        prepared = preprocess(image, state, self.parameters)
        with_ground = with_ground or corrects_by_contact(self.parameters, state, from_tf)
        (result,) = self.predict([prepared], with_maps, with_confidence, with_ground)
        return postprocess(result, state, self.parameters, reference, from_tf)

    def predict(
        self,
        images: Sequence[CameraImage],
        with_maps: bool = False,
        with_confidence: bool = False,
        with_ground: bool = False,
    ) -> list[DepthResult]:
        """
        Run the network on images; images of equal size are one batch.

        :param images: the images, after :func:`preprocess`.
        :param with_maps: whether to return structure and attention, too.
        :param with_confidence: whether to return the confidence; ``min_confidence`` also requests
            it. Without a judge, the network runs again, on the mirrored images.
        :param with_ground: whether to return the probability of ground, if the network has a
            judge; see :func:`corrects_by_contact`.
        :returns: the depth of each image, not yet scaled and limited.
        """
        pixels = [image.rgb for image in images]
        intrinsics = [
            image.intrinsics if self.parameters.focal_correction else None for image in images
        ]
        far_m = [
            self.predictor.far_m(image.size_px, matrix)
            for image, matrix in zip(images, intrinsics)
        ]
        with_confidence = with_confidence or self.parameters.min_confidence > 0
        predictions = self.predictor.run(
            pixels,
            intrinsics,
            with_maps,
            judged=with_confidence or with_ground,
            sharp_edges=self.parameters.sharp_edges,
        )
        results = [
            DepthResult(
                image,
                prediction.depth_m,
                far,
                prediction.structure,
                prediction.attention,
                ground_probability=prediction.ground if with_ground else None,
                log_error=prediction.log_error if with_ground else None,
            )
            for image, prediction, far in zip(images, predictions, far_m)
        ]
        if not with_confidence:
            return results
        if self.predictor.has_judge:
            return [
                replace(result, confidence=confidence_of_error(prediction.log_error))
                for result, prediction in zip(results, predictions)
                if prediction.log_error is not None
            ]
        others = self.predictor.run(
            [mirrored(rgb) for rgb in pixels], intrinsics, sharp_edges=self.parameters.sharp_edges
        )
        return [
            replace(result, confidence=confidence(result.depth_m, other.depth_m))
            for result, other in zip(results, others)
        ]


def load_predictor(
    parameters: Parameters, log: Callable[[str], None] | None = None
) -> DepthPredictor:
    """
    Return the predictor that the parameters describe.

    :param log: as for :class:`DepthPredictor`, as are the exceptions.
    """
    return DepthPredictor.from_weights(
        parameters.weights or None,
        parameters.device,
        parameters.precision,
        parameters.network_size_px,
        replace(PUBLISHED, max_depth_m=parameters.published_max_depth),
        parameters.threads,
        parameters.cuda_graphs,
        parameters.engine,
        log,
    )


def preprocess(image: CameraImage, state: CameraState, parameters: Parameters) -> CameraImage:
    """
    Check the calibration of an image, and rectify the image if ``rectify`` is true.

    :param image: the image. An image that this function returned stays the same.
    :param state: the state of its camera. It keeps the rectification maps of the calibration.
    :param parameters: ``rectify``; if it is false, the image counts as rectified.
    :raises CameraError: if the calibration is for another size, or cannot be used.
    """
    camera = image.camera
    if camera is None:
        return replace(
            image, no_cloud_reason=image.no_cloud_reason or 'no camera_info: depth without cloud'
        )
    if not camera.is_calibrated:
        return replace(
            image,
            camera=None,
            no_cloud_reason='the camera is not calibrated (K[0] is 0): depth without cloud',
        )
    if image.size_px != (camera.height_px, camera.width_px):
        height_px, width_px = image.size_px
        raise CameraError(
            f'camera_info is for {camera.width_px} x {camera.height_px} pixels, the image has '
            f'{width_px} x {height_px}'
        )
    if not parameters.rectify or camera.is_rectified:
        return replace(image, camera=camera.rectified())
    if state.rectifier is None or state.rectifier.model != camera:
        state.rectifier = Rectifier(camera)
    return replace(
        image,
        rgb=state.rectifier.rectify(image.rgb),
        camera=camera.rectified(),
        valid_mask=state.rectifier.valid_mask,
    )


def postprocess(
    result: DepthResult,
    state: CameraState,
    parameters: Parameters,
    reference: ScaleReference = NO_REFERENCE,
    from_tf: GroundReading = NO_TF,
) -> DepthResult:
    """
    Smooth the depth over time, scale it, correct it by the ground, limit it and filter it.

    :param result: the result of :meth:`DepthPipeline.predict`.
    :param state: the state of its camera, which is updated.
    :param parameters: ``temporal_smoothing``, ``ground_contact``, those of the scale, and those of
        :func:`limit_depth` and :func:`filter_depth`.
    :param reference: true distances, for ``scale_source`` reference and auto.
    :param from_tf: the ground plane from TF, or the reason why it is unknown.
    """
    image = result.image
    if parameters.temporal_smoothing:
        smoothed_m = state.smoother.update(
            result.depth_m, image.rgb, parameters.temporal_smoothing, image.stamp_s
        )
        result = replace(result, depth_m=smoothed_m)
    else:
        state.smoother = TemporalSmoother()
    state.has_reference |= reference.depth_m is not None
    source = select(parameters, state.ground.update(from_tf), state.has_reference)
    scale, fault = _scale_of(result, source, state, parameters, reference)
    ground_m = _remembered_ground_m(image, source, state)
    # With a doubtful scale, a table could be mistaken for the ground.
    uses_contact = parameters.ground_contact and not fault
    corrected = by_contact(result, scale.factor, source) if uses_contact else result
    limited_m = limit_depth(corrected, scale.factor, parameters, ground_m)
    filter_depth(limited_m, result, parameters)
    limit_faults = _limit_faults(result, scale.factor, parameters)
    return replace(
        result,
        depth_m=limited_m,
        scale=scale,
        scale_source=source.name,
        scale_fault='; '.join(filter(None, (source.fault, fault, *limit_faults))),
        ground=source.ground,
    )


def _scale_of(
    result: DepthResult,
    source: ScaleSource,
    state: CameraState,
    parameters: Parameters,
    reference: ScaleReference,
) -> tuple[Scale, str]:
    """Return the scale of an image, and the reason why it is doubtful; empty if it is not."""
    if source.name == FIXED:
        return Scale(parameters.depth_scale, math.nan), ''
    measurement, fault = None, ''
    try:
        measurement = measure_scale(result, source, reference)
    except NoScaleError as error:
        fault = str(error)
    state.scale = state.scale or SmoothedScale(parameters.depth_scale)
    scale = state.scale.update(measurement, result.image.stamp_s, parameters.scale_smoothing)
    if fault and scale.confidence < _DOUBTFUL_CONFIDENCE:
        return scale, f'the scale stays at {scale.factor:.3g}: {fault}'
    return scale, _height_fault(scale.factor, source)


def _height_fault(factor: float, source: ScaleSource) -> str:
    """Return how the ground in the image contradicts its known height; empty if it does not."""
    least, most = _PLAUSIBLE_FACTORS
    if source.name not in _MARGINS_RAD or source.ground is None or least < factor < most:
        return ''
    height_m = source.ground.height_m
    origin = 'camera_height is' if source.name == CAMERA_HEIGHT else 'TF says'
    return (
        f'the camera seems to be {height_m / factor:.2g} m above the ground, but {origin} '
        f'{height_m:.3g} m: check that it is right, and in metres'
    )


def _limit_faults(result: DepthResult, scale: float, parameters: Parameters) -> Iterator[str]:
    """Yield the reasons why limits leave no depth."""
    far_m = result.far_m * scale
    if far_m <= parameters.min_depth:
        yield (
            f'min_depth is {parameters.min_depth:g} m, but the network only reaches '
            f'{far_m:.3g} m: reduce min_depth, or correct the scale'
        )
    if parameters.min_confidence and result.confidence is not None:
        most = float(result.confidence.max(initial=0))
        if most < parameters.min_confidence:
            yield (
                f'min_confidence is {parameters.min_confidence:g}, but the confidence only '
                f'reaches {most:.2f}: reduce min_confidence'
            )


def measure_scale(
    result: DepthResult, source: ScaleSource, reference: ScaleReference = NO_REFERENCE
) -> Scale:
    """
    Measure the scale of one image.

    :param result: the result of :meth:`DepthPipeline.predict`. Far pixels, and pixels that
        rectification left empty, are not used.
    :param source: a source other than fixed, with the ground plane that it needs.
    :param reference: true distances, for the source reference.
    :raises NoScaleError: if the scale cannot be measured.
    """
    image = result.image
    measured_m = np.where(result.depth_m < result.far_m, result.depth_m, np.float32(np.nan))
    if image.valid_mask is not None:
        measured_m[~image.valid_mask] = np.nan
    if source.name == REFERENCE:
        if reference.depth_m is None:
            raise NoScaleError(reference.fault)
        return scale_from_reference(measured_m, reference.depth_m)
    if source.ground is None:
        raise NoScaleError('the ground plane is unknown')
    if image.intrinsics is None:
        raise NoScaleError('without calibration the ground cannot be found')
    return scale_from_ground(measured_m, image.intrinsics, source.ground)


def corrects_by_contact(
    parameters: Parameters, state: CameraState, from_tf: GroundReading = NO_TF
) -> bool:
    """
    Return whether the next image of a camera needs the judge for ``ground_contact``.

    :param parameters: ``ground_contact``, and those of :func:`select`.
    :param state: the state of the camera.
    :param from_tf: as for :func:`postprocess`.
    """
    reading = from_tf if from_tf.plane else GroundReading(state.ground.plane)
    source = select(parameters, reading)
    return parameters.ground_contact and source.name in _MARGINS_RAD and source.ground is not None


def by_contact(result: DepthResult, scale: float, source: ScaleSource) -> DepthResult:
    """
    Return the predicted depth, with things moved to where they stand on the ground.

    Without a ground plane as the source of the scale, or without a judge, nothing changes.

    :param result: the result of :meth:`DepthPipeline.predict`.
    :param scale: the factor from its depth to metres.
    :param source: the source of the scale.
    """
    image, angle_error_rad = result.image, _MARGINS_RAD.get(source.name)
    if (
        angle_error_rad is None
        or source.ground is None
        or image.intrinsics is None
        or result.ground_probability is None
        or result.log_error is None
    ):
        return result
    probability = result.ground_probability
    if image.valid_mask is not None:  # the black border of a rectified image
        probability = np.where(image.valid_mask, probability, np.float32(0))
    # Scaling the height is faster than scaling the depth.
    ground = source.ground._replace(height_m=source.ground.height_m / scale)
    corrected = contact_correction(
        result.depth_m, probability, result.log_error, ground, image.intrinsics, angle_error_rad
    )
    corrected *= result.depth_m
    is_far = result.depth_m >= result.far_m  # sky does not stand on the ground
    np.copyto(corrected, result.depth_m, where=is_far)
    return replace(result, depth_m=corrected)


def limit_depth(
    result: DepthResult, scale: float, parameters: Parameters, ground_m: np.ndarray | None = None
) -> np.ndarray:
    """
    Return the predicted depth, scaled, with the marks of REP 117 for invalid pixels.

    :param result: the result of :meth:`DepthPipeline.predict`, which is not changed.
    :param scale: the factor on every depth.
    :param parameters: ``min_depth`` and ``max_depth``.
    :param ground_m: (H, W) depth of the ground, which limits the depth; None if it is unknown.
    :returns: (H, W) float32 metres; NaN, -inf (too near) and +inf (far) where invalid.
    """
    depth_m = result.depth_m if scale == 1 else result.depth_m * np.float32(scale)
    if ground_m is not None:
        depth_m = np.minimum(depth_m, ground_m)
    limited_m = depth_range.mark_out_of_range(
        depth_m, parameters.min_depth, min(parameters.max_depth, result.far_m * scale)
    )
    if result.image.valid_mask is not None:
        limited_m[~result.image.valid_mask] = np.nan
    return limited_m


def filter_depth(limited_m: np.ndarray, result: DepthResult, parameters: Parameters) -> None:
    """
    Set depth to NaN where it is smeared between two surfaces, or its confidence is too low.

    :param limited_m: (H, W) float32 metres of :func:`limit_depth`, changed in place.
    :param result: the result from which the depth was computed.
    :param parameters: ``edge_filter`` and ``min_confidence``.
    """
    if parameters.edge_filter:
        is_smeared = smeared(result.depth_m, result.image.rgb, parameters.edge_filter)
        limited_m[is_smeared] = np.nan
    if parameters.min_confidence and result.confidence is not None:
        limited_m[result.confidence < parameters.min_confidence] = np.nan


def ground_depth_m(image: CameraImage, source: ScaleSource) -> np.ndarray | None:
    """
    Return the depth of the ground, or None if the ground is not the source of the scale.

    :param image: the image, after :func:`preprocess`.
    :param source: the source of its scale.
    :returns: (H, W) float32 metres, +inf above the horizon and a little below it.
    """
    margin_rad = _MARGINS_RAD.get(source.name)
    if margin_rad is None or source.ground is None or image.intrinsics is None:
        return None
    return source.ground.depth_m(image.size_px, image.intrinsics, margin_rad)


def _remembered_ground_m(
    image: CameraImage, source: ScaleSource, state: CameraState
) -> np.ndarray | None:
    """Return :func:`ground_depth_m`; reuse that of the previous image if nothing has moved."""
    known, intrinsics = state.ground_limit, image.intrinsics
    if (
        known is not None
        and intrinsics is not None
        and known.source[:2] == source[:2]
        and known.depth_m.shape == image.size_px
        and np.array_equal(known.intrinsics, intrinsics)
    ):
        return known.depth_m
    depth_m = ground_depth_m(image, source)
    if depth_m is not None and intrinsics is not None:
        state.ground_limit = GroundLimit(source, intrinsics, depth_m)
    return depth_m


def project(result: DepthResult, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the points of a depth image, and their colours.

    :param result: the result of :func:`postprocess`, for a calibrated camera.
    :param stride: step in pixels between points, along both axes.
    :returns: (h, w, 3) float32 metres in the optical frame, NaN where depth is invalid; and
        (h, w, 3) uint8 RGB.
    :raises CameraError: if the camera is not calibrated.
    """
    if result.image.intrinsics is None:
        raise CameraError('a cloud needs the intrinsics of the camera')
    depth_m, intrinsics = subsample(result.depth_m, result.image.intrinsics, stride)
    return back_project(depth_m, intrinsics), result.image.rgb[::stride, ::stride]
