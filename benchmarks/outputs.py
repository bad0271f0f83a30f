"""Measure all outputs of an image without the network: what obstacles and scan add."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
import time
from typing import Any

import cv2
import numpy as np
import torch

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraState, DepthPipeline
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.ros.inputs import camera_image
from s2r_depth_ros.ros.message_types import Header
from s2r_depth_ros.ros.messages import camera_model_to_info, pixels_to_image
from s2r_depth_ros.ros.outputs import DEPTH, INFO, OBSTACLES, output_messages, POINTS, SCAN
from s2r_depth_ros.weights.info import PUBLISHED

from .around import NETWORK_SIZE_PX, NoNetwork, picture
from .timing import Measurement, timed

TODAY = DEPTH, INFO, POINTS
CAMERA_HEIGHT_M, WALL_M, FOCAL_OF_WIDTH = 0.5, 15.0, 0.9


def output_rows(image_size_px: tuple[int, int], seconds: float) -> list[Measurement]:
    """
    Measure one image outside of the network and of the middleware, on one core.

    The camera is above a floor, 15 m before a wall: two fifths of the points are obstacles.

    :param image_size_px: (height, width) of the image.
    :param seconds: for all measurements.
    """
    height, width = image_size_px
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    focal_px = FOCAL_OF_WIDTH * width
    k = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])
    image = pixels_to_image(picture(height, width), 'bgr8', Header())
    info = camera_model_to_info(CameraModel.from_intrinsics(width, height, k), Header())
    plain = Parameters(
        camera_height=CAMERA_HEIGHT_M,
        focal_correction=False,
        scale_source='fixed',
        sharp_edges=False,
    )
    filtered = replace(plain, edge_filter=1.0)
    predictor: Any = DepthPredictor(NoNetwork(_room(height, width)), PUBLISHED, 'cpu', threads=1)
    predictor.network_size_px = NETWORK_SIZE_PX

    def run(outputs: tuple[str, ...], parameters: Parameters) -> None:
        received = camera_image(image, info, parameters.max_image_pixels)
        result = DepthPipeline(predictor, parameters).run(received, CameraState())
        output_messages(result, outputs, parameters)

    cases = {
        'depth, camera_info, cloud': partial(run, TODAY, plain),
        'and scan': partial(run, (*TODAY, SCAN), plain),
        'and obstacles': partial(run, (*TODAY, OBSTACLES), plain),
        'and obstacles, one per 5 cm': partial(
            run, (*TODAY, OBSTACLES), replace(plain, voxel_size=0.05)
        ),
        'all, with the edge filter': partial(run, (*TODAY, SCAN, OBSTACLES), filtered),
        'the same, and sharp edges': partial(
            run, (*TODAY, SCAN, OBSTACLES), replace(filtered, sharp_edges=True)
        ),
    }
    times = timed(list(cases.values()), seconds, clock=time.thread_time)
    today_ms = float(np.median(times[0]))
    section = f'outputs, {width} x {height}, one core'
    return [
        Measurement.of(
            section, name, times_ms, **{'times the first': float(np.median(times_ms)) / today_ms}
        )
        for name, times_ms in zip(cases, times)
    ]


def _room(image_height: int, image_width: int) -> torch.Tensor:
    """Return the answer of the network for a floor and a wall."""
    rows, columns = NETWORK_SIZE_PX
    focal = FOCAL_OF_WIDTH * image_width * rows / image_height
    below = np.maximum(np.arange(rows) + 0.5 - rows / 2, 1e-6)
    depth_m = np.minimum(CAMERA_HEIGHT_M * focal / below, WALL_M)
    answer = torch.from_numpy(2 * depth_m / PUBLISHED.max_depth_m - 1).float()
    return answer[None, None, :, None].expand(1, 1, rows, columns).contiguous()
