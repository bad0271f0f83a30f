"""Measure the edge filter beside Open3D's outlier removal, and the confidence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
import time
from typing import Any

import cv2
import numpy as np

import s2r_depth_ros
from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.confidence import confidence, mirrored
from s2r_depth_ros.depth.edge_filter import smeared
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import (
    CameraImage,
    CameraState,
    DepthPipeline,
    postprocess,
    project,
)
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.depth.sharpening import sharpened

from .timing import Measurement, timed

_FRAME = Path(s2r_depth_ros.__file__).parent / 'demo_frames' / 'street_0.jpg'
# Of Open3D's tutorial.
_NEIGHBOURS, _DEVIATIONS = 20, 2.0


def clean_rows(image_size_px: tuple[int, int], seconds: float) -> list[Measurement]:
    """
    Measure edges, filter and confidence on the depth of a rendered street, in processor time.

    :param image_size_px: (height, width), to which the street is resized.
    :param seconds: for each measurement.
    """
    height, width = image_size_px
    cv2.setNumThreads(1)
    section = f'clean cloud, {width} x {height}, one core'
    street = np.asarray(cv2.imread(str(_FRAME)))
    rgb = cv2.cvtColor(cv2.resize(street, (width, height)), cv2.COLOR_BGR2RGB)
    k = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
    image = CameraImage(rgb, CameraModel.from_intrinsics(width, height, k))
    parameters = Parameters()
    predictor = DepthPredictor(device='cpu', threads=1)
    pipeline = DepthPipeline(predictor, parameters)
    (prediction,) = pipeline.predict([image])
    (other_m,) = predictor.predict([mirrored(rgb)], [k])
    network_size_px = predictor.letterbox(image_size_px).inner_size_px
    functions: list[Callable[[], Any]] = [
        partial(sharpened, prediction.depth_m, rgb, network_size_px),
        partial(smeared, prediction.depth_m, rgb, 1.0),
        partial(confidence, prediction.depth_m, other_m),
        partial(pipeline.predict, [image]),
        partial(pipeline.predict, [image], with_confidence=True),
    ]
    sharp_ms, filter_ms, confidence_ms, depth_ms, both_ms = timed(
        functions, seconds, clock=time.process_time
    )
    points_m, _ = project(postprocess(prediction, CameraState(), parameters))
    outliers_ms = _open3d_ms(points_m, seconds)
    return [
        Measurement.of(
            section,
            'sharp edges',
            sharp_ms,
            **{'of the depth (%)': float(100 * np.median(sharp_ms) / np.median(depth_ms))},
        ),
        Measurement.of(
            section,
            'edge filter',
            filter_ms,
            **(
                {"Open3D's outlier removal": 'not installed: pip install open3d'}
                if outliers_ms is None
                else {
                    "Open3D's outlier removal (ms)": float(np.median(outliers_ms)),
                    'times as fast': float(np.median(outliers_ms) / np.median(filter_ms)),
                }
            ),
        ),
        Measurement.of(
            section, 'confidence by the mirrored image, less the network', confidence_ms
        ),
        Measurement.of(section, 'depth', depth_ms),
        Measurement.of(
            section,
            f'depth and confidence {"by the judge" if predictor.has_judge else "in two runs"}',
            both_ms,
            **{'times the depth alone': float(np.median(both_ms) / np.median(depth_ms))},
        ),
    ]


def _open3d_ms(points_m: np.ndarray, seconds: float) -> np.ndarray | None:
    """Return times of the statistical outlier removal, (N,) milliseconds; None without Open3D."""
    try:
        import open3d
    except ImportError:
        return None
    finite_m = points_m[np.isfinite(points_m).all(axis=-1)].astype(np.float64)
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(finite_m))
    remove = partial(cloud.remove_statistical_outlier, _NEIGHBOURS, _DEVIATIONS)
    (times_ms,) = timed([remove], seconds, clock=time.process_time)
    return times_ms
