"""Measure the steps around the network: conversions and clouds, each beside the naive way."""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import partial
import math
import time
from typing import Any

import cv2
import numpy as np
import torch

from s2r_depth_ros.depth.camera_model import CameraModel
from s2r_depth_ros.depth.image_health import ImageHealth
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.pipeline import CameraState, DepthPipeline, postprocess, preprocess
from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.network import DepthMaps
from s2r_depth_ros.ros.compat import convert_to_rgb
from s2r_depth_ros.ros.inputs import camera_image
from s2r_depth_ros.ros.message_types import Header, Image, PointCloud2, PointField
from s2r_depth_ros.ros.messages import (
    camera_model_to_info,
    depth_to_image,
    image_to_rgb,
    pixels_to_image,
)
from s2r_depth_ros.ros.outputs import COMPRESSED_DEPTH, DEPTH, INFO, output_messages, POINTS
from s2r_depth_ros.weights.info import PUBLISHED

from .timing import Measurement, timed

try:
    from sensor_msgs_py.point_cloud2 import create_cloud
except ImportError:  # ROS comes as wheels
    from pointcloud2 import create_cloud

NETWORK_SIZE_PX = (304, 400)


class NoNetwork(torch.nn.Module):
    """
    Costs nothing, so that only the work before and after the network remains.

    :param depth: (1, 1, H, W) in [-1, 1] of size NETWORK_SIZE_PX, which it answers.
    """

    def __init__(self, depth: torch.Tensor) -> None:
        super().__init__()
        self.depth = depth

    def forward(self, image: torch.Tensor, return_maps: bool) -> DepthMaps:
        """Answer all maps with the depth."""
        return DepthMaps(*(self.depth,) * 8)


def around_rows(image_size_px: tuple[int, int], seconds: float) -> list[Measurement]:
    """
    Measure all steps of one image outside of the network and of the middleware.

    The times are those of one core. The input is bgr8. The outputs are depth, camera_info and
    cloud, as in the node.

    :param image_size_px: (height, width) of the image.
    :param seconds: for each measurement.
    """
    height, width = image_size_px
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    section = f'around the network, {width} x {height}, one core'
    rgb = picture(height, width)
    k = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
    image = pixels_to_image(rgb, 'bgr8', Header())
    info = camera_model_to_info(CameraModel.from_intrinsics(width, height, k), Header())
    parameters = Parameters(sharp_edges=False)  # counted with the network: see `clean`
    ramp = torch.linspace(-0.9, 0.5, math.prod(NETWORK_SIZE_PX)).view(1, 1, *NETWORK_SIZE_PX)
    predictor: Any = DepthPredictor(NoNetwork(ramp), PUBLISHED, 'cpu', threads=1)
    predictor.network_size_px = NETWORK_SIZE_PX
    health = ImageHealth()
    pipeline, state = DepthPipeline(predictor, parameters), CameraState()
    filtered = DepthPipeline(predictor, replace(parameters, edge_filter=1.0))
    prepared = preprocess(
        camera_image(image, info, parameters.max_image_pixels), state, parameters
    )
    (prediction,) = pipeline.predict([prepared])
    result = postprocess(prediction, state, parameters)

    def ours(pipeline: DepthPipeline = pipeline) -> None:
        received = camera_image(image, info, parameters.max_image_pixels)
        health.update(received.rgb, received.stamp_ns, parameters.frozen_after)
        output_messages(pipeline.run(received, state), (DEPTH, INFO, POINTS), parameters)

    def naive() -> None:
        pixels = convert_to_rgb(image)
        metres = naive_prediction(predictor.engine.network, pixels)
        metres = np.where(metres > 76, np.inf, np.where(metres < 0.1, -np.inf, metres))
        naive_depth_message(metres)
        naive_cloud(metres, k, pixels)

    rows = []
    for name, fast, slow in (
        ('message to array', partial(image_to_rgb, image), partial(convert_to_rgb, image)),
        (
            'before and after the network',
            partial(pipeline.predict, [prepared]),
            partial(naive_prediction, predictor.engine.network, prepared.rgb),
        ),
        ('faults of the image', partial(health.update, prepared.rgb, 0, 1.0), None),
        ('limits', partial(postprocess, prediction, state, parameters), None),
        (
            'array to message',
            partial(depth_to_image, result.depth_m, Header()),
            partial(naive_depth_message, result.depth_m),
        ),
        (
            'cloud',
            partial(output_messages, result, (POINTS,), parameters),
            partial(naive_cloud, result.depth_m, k, prepared.rgb),
        ),
        ('all of it', ours, naive),
        (
            'compressed depth, on top',
            partial(output_messages, result, (COMPRESSED_DEPTH,), parameters),
            None,
        ),
    ):
        times = timed([fast, slow] if slow else [fast], seconds, clock=time.thread_time)
        medians_ms = [float(np.median(times_ms)) for times_ms in times]
        rows.append(
            Measurement.of(
                section,
                name,
                times[0],
                **(
                    {
                        'naive way (ms)': medians_ms[1],
                        'times as fast': medians_ms[1] / medians_ms[0],
                    }
                    if slow
                    else {}
                ),
            )
        )
    filtered_ms, plain_ms = timed([partial(ours, filtered), ours], seconds, clock=time.thread_time)
    ratio = float(np.median(filtered_ms) / np.median(plain_ms))
    rows.append(
        Measurement.of(
            section, '... with the edge filter', filtered_ms, **{'times as long': ratio}
        )
    )
    return rows


def naive_prediction(network: torch.nn.Module, rgb: np.ndarray) -> np.ndarray:
    """Predict as tutorials do: convert to float, then resize; return metres at image size."""
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    tensor = (tensor - 0.5) / 0.5
    tensor = torch.nn.functional.interpolate(
        tensor, NETWORK_SIZE_PX, mode='bilinear', antialias=True, align_corners=False
    )
    depth = torch.nn.functional.interpolate(
        network(tensor, True).depth, rgb.shape[:2], mode='bilinear', align_corners=False
    )
    return ((depth + 1) / 2 * 80.0)[0, 0].numpy()


def naive_depth_message(depth_m: np.ndarray) -> Image:
    """Make a depth message as cv_bridge does."""
    pixels = depth_m.astype(np.float32)
    message = Image(
        height=pixels.shape[0], width=pixels.shape[1], encoding='32FC1', step=4 * pixels.shape[1]
    )
    message.data = array('B', pixels.tobytes())
    return message


def naive_cloud(depth_m: np.ndarray, k: np.ndarray, rgb: np.ndarray) -> PointCloud2:
    """Make a cloud with ``meshgrid`` and ``create_cloud``."""
    u, v = np.meshgrid(np.arange(depth_m.shape[1]), np.arange(depth_m.shape[0]))
    z = np.where(np.isfinite(depth_m), depth_m, np.nan)
    packed = (
        (rgb[..., 0].astype(np.uint32) << 16) | (rgb[..., 1].astype(np.uint32) << 8) | rgb[..., 2]
    )
    points = np.stack(
        ((u - k[0, 2]) * z / k[0, 0], (v - k[1, 2]) * z / k[1, 1], z, packed.view(np.float32)),
        axis=-1,
    ).astype(np.float32)
    return create_cloud(
        Header(),
        [
            PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
            for index, name in enumerate(('x', 'y', 'z', 'rgb'))
        ],
        points.reshape(-1, 4),
    )


def picture(height: int, width: int) -> np.ndarray:
    """Return smooth random colours, (H, W, 3) uint8."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
