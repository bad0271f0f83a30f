"""The methods that are compared: networks, and predictors that see no image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import (
    by_contact,
    CameraImage,
    DepthPipeline,
    ground_depth_m,
    measure_scale,
    NO_TF,
    ScaleReference,
)
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.depth.scale import NoScaleError
from s2r_depth_ros.depth.scale_source import select
from s2r_depth_ros.weights.files import load_with_info
from s2r_depth_ros.weights.info import BUNDLED

from ..data.sample import Sample
from ..stages import rgb_baseline
from .attention_override import Attention, with_attention
from .protocols import NotMeasurableError, Protocol

REFERENCE_SHARE = 0.005  # of the true depths: one in two hundred

# A method takes a frame, and the row profiles of all other geometries.
Method = Callable[[Sample, np.ndarray], np.ndarray]


def load_predictor(
    weights: str, device: str, attention: Attention = 'own', threads: int = 0
) -> DepthPredictor:
    """
    Return the predictor of weights, or of the RGB baseline.

    :param weights: as :func:`~.evaluate.evaluate` takes them.
    :param device: as for ``DepthPredictor``.
    :param attention: own, or another map in its place.
    :param threads: as for ``DepthPredictor``.
    :raises WeightsError: if the weights cannot be used.
    :raises TrainingError: if a result.pt is missing, damaged, or not of the RGB baseline.
    :raises ValueError: if the baseline, which has no attention, is to have another.
    """
    if Path(weights).suffix == '.pt':
        if attention != 'own':
            raise ValueError(f'attention must be own for {weights}, which has none')
        return rgb_baseline.load_predictor(Path(weights), device, threads)
    if attention == 'own':
        return DepthPredictor(weights, device, threads=threads)
    network, info = load_with_info(weights)
    return DepthPredictor(with_attention(network, attention), info, device, threads=threads)


class Networks(NamedTuple):
    """The networks to measure, and how, as :func:`~.evaluate.evaluate` takes them."""

    weights: str
    weights_baseline: str | None
    device: str
    attention: Attention
    scale_source: str
    camera_height_m: float
    threads: int = 0

    def elsewhere(self) -> Networks:
        """
        Return the same for workers, wherever they run.

        The number of threads decides the last bits of a depth. So it is one.
        """
        baseline = self.weights_baseline and _absolute(self.weights_baseline)
        return self._replace(weights=_absolute(self.weights), weights_baseline=baseline, threads=1)


def _absolute(weights: str) -> str:
    """Return the path of a file or folder from the root, or the name of bundled weights."""
    is_path = weights not in BUNDLED and Path(weights).exists()
    return str(Path(weights).absolute()) if is_path else weights


def methods_of(networks: Networks) -> tuple[DepthPredictor, dict[str, Method]]:
    """
    Load the networks.

    :returns: the predictor of the weights, and the method of each network by its name.
    :raises WeightsError: as :func:`load_predictor` does, and so are the others.
    """
    threads, scale = networks.threads, (networks.scale_source, networks.camera_height_m)
    predictor = load_predictor(networks.weights, networks.device, networks.attention, threads)
    methods = {'network': network_method(predictor, *scale)}
    if networks.weights_baseline is not None:
        other = load_predictor(networks.weights_baseline, networks.device, threads=threads)
        methods['baseline'] = network_method(other, *scale)
    if threads:  # of a worker, whose process does nothing else
        predictor.engine.use_threads()
    return predictor, methods


def network_method(predictor: DepthPredictor, scale_source: str, camera_height_m: float) -> Method:
    """
    Return the method that runs a network and scales its depth.

    :param predictor: runs the network.
    :param scale_source: fixed, ground_plane, or reference.
    :param camera_height_m: the height of the optical centre above the ground, for ground_plane.
    """
    parameters = Parameters(scale_source=scale_source, camera_height=camera_height_m)
    pipeline, source = DepthPipeline(predictor, parameters), select(parameters, NO_TF)

    def predict(sample: Sample, _others: np.ndarray) -> np.ndarray:
        (result,) = pipeline.predict(
            [camera_image(sample)], with_ground=scale_source == 'ground_plane'
        )
        if scale_source == 'fixed':
            return result.depth_m
        chosen = np.random.default_rng(0).random(sample.depth_m.shape) < REFERENCE_SHARE
        reference = ScaleReference(np.where(chosen, sample.depth_m, np.nan))
        depth_m = result.depth_m
        try:
            factor = measure_scale(result, source, reference).factor
            depth_m = factor * by_contact(result, factor, source).depth_m
        except NoScaleError as reason:
            print(f'{sample.name}: scale 1: {reason}')
        ground_m = ground_depth_m(result.image, source)
        return depth_m if ground_m is None else np.minimum(depth_m, ground_m)

    return predict


def camera_image(sample: Sample) -> CameraImage:
    """
    Return the image of a frame, with its calibration if the data set has one.

    :raises NotMeasurableError: the calibration cannot be that of the image.
    """
    intrinsics, camera = intrinsics_of(sample), None
    if intrinsics is not None:
        height_px, width_px = sample.image.shape[:2]
        try:
            camera = CameraModel.from_intrinsics(width_px, height_px, intrinsics)
        except ValueError as error:
            raise NotMeasurableError(str(error)) from error
    return CameraImage(sample.image, camera)


def intrinsics_of(sample: Sample) -> np.ndarray | None:
    """Return the camera matrix, 3 x 3; None where the data set does not have it."""
    return sample.intrinsics if np.isfinite(sample.intrinsics).all() else None


def _by_row(sample: Sample, others: np.ndarray) -> np.ndarray:
    return depth_by_row(others, sample.depth_m.shape)


def _constant(sample: Sample, others: np.ndarray) -> np.ndarray:
    return np.full(sample.depth_m.shape, np.nanmedian(others), np.float32)


TRIVIAL_METHODS: dict[str, Method] = {'depth by row': _by_row, 'one constant': _constant}


def row_profile(truth_m: np.ndarray, protocol: Protocol, rows: int = 200) -> np.ndarray:
    """
    Return an image's median true depth by height in the image.

    :param truth_m: (H, W) float.
    :param protocol: tells the pixels that count.
    :param rows: equal bands that the image is cut into, top to bottom.
    :returns: (rows,) float64, NaN for a band in which nothing counts.
    :raises NotMeasurableError: nothing counts anywhere.
    """
    mask = protocol.valid_mask(truth_m)
    band = np.arange(truth_m.shape[0]) * rows // truth_m.shape[0]
    profile = np.full(rows, np.nan)
    for index in np.unique(band[mask.any(axis=1)]):
        inside = band == index
        profile[index] = np.median(truth_m[inside][mask[inside]])
    return profile


def depth_by_row(profiles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """
    Predict depth from nothing but the row: what a network must beat to have seen anything.

    :param profiles: (N, rows) of other images (`row_profile`), at least one value finite.
    :param shape: the image's (H, W).
    :returns: (H, W) float32: the median over images, linear between band centres.
    """
    height, width = shape
    rows = profiles.shape[1]
    bands = np.flatnonzero(~np.isnan(profiles).all(axis=0))
    median = np.nanmedian(profiles[:, bands], axis=0)
    position = (np.arange(height) + 0.5) * rows / height - 0.5
    column = np.interp(position, bands, median).astype(np.float32)
    return np.repeat(column[:, None], width, axis=1)
