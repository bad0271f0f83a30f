"""Measure only the network: its parts, the machine's matrix product, and its plain form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import json
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from s2r_depth_ros.depth.predictor import DepthPredictor
from s2r_depth_ros.engine import Settings
from s2r_depth_ros.engine.fusion import optimize_for_inference
from s2r_depth_ros.engine.onnx_engine import OnnxEngine
from s2r_depth_ros.engine.onnx_model import network_model
from s2r_depth_ros.engine.torch_engine import TorchEngine
from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_ros.weights.info import PUBLISHED, RANDOM

from .timing import Measurement, timed

_MATRIX = 2048
_PARTS = {
    'Es, structure encoder': 'structure_encoder',
    'Ds, structure decoder': 'structure_decoder',
    'DSA, attention': 'attention',
    'DP, depth': 'depth',
}


@torch.inference_mode()
def matrix_gflops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Return the rate of products of large matrices on this machine in GFLOP/s."""
    a = torch.rand(_MATRIX, _MATRIX, device=device, dtype=dtype)
    (times_ms,) = timed([lambda: torch.mm(a, a)], 1.0, device)
    return 2 * _MATRIX**3 / float(np.median(times_ms)) / 1e6


@torch.inference_mode()
def network_rows(
    predictor: DepthPredictor, image_size_px: tuple[int, int], seconds: float
) -> list[Measurement]:
    """
    Measure each part of the network as the predictor runs it, and the whole.

    :param predictor: of S2R-DepthNet.
    :param image_size_px: (height, width) of the image, which decides the network's size.
    :param seconds: for each measurement.
    """
    height, width = predictor.letterbox(image_size_px).input_size_px
    section = f'network, {width} x {height}, {predictor.engine.name}, {predictor.engine.precision}'
    engine: Any = predictor.engine
    torch.set_num_threads(engine.threads)
    device, dtype = torch.device(engine.device), getattr(torch, engine.precision)
    rate = matrix_gflops(device, dtype)
    image = torch.rand(1, 3, height, width).mul_(2).sub_(1)
    parts = {'whole': 'whole'}
    if isinstance(engine, TorchEngine):
        network, architecture = engine.network, engine.network.architecture
        image = image.to(device, memory_format=torch.channels_last)
        if device.type == 'cuda':
            image = image.to(dtype)
        with engine.reduced_precision():
            maps = network(image, return_maps=True)
            inputs = (image, maps.structure_code, image, maps.depth_specific_structure)
            functions = [
                partial(getattr(network, part), given)
                for part, given in zip(_PARTS.values(), inputs)
            ]
            times = timed([*functions, partial(network, image)], seconds, device)
        parts = _PARTS | parts
    else:
        architecture = Architecture(**json.loads(engine.metadata['architecture']))
        times = timed([partial(engine.infer, image.numpy())], seconds)
    gflop = part_gflop(architecture, (height, width))
    rows = []
    for (name, part), times_ms in zip(parts.items(), times):
        done = gflop[part] / float(np.median(times_ms)) * 1e3
        share = {'GFLOP/s': done, 'of the matrix product (%)': 100 * done / rate}
        rows.append(Measurement.of(section, name, times_ms, GFLOP=gflop[part], **share))
    picture = np.zeros((*image_size_px, 3), np.uint8)
    (times_ms,) = timed([partial(predictor.predict, [picture])], seconds)
    rows.append(Measurement.of(section, 'image to depth, copies included', times_ms))
    rows.append(
        Measurement(section, f'matrix product, {_MATRIX} x {_MATRIX}', values={'GFLOP/s': rate})
    )
    return rows


@torch.inference_mode()
def form_rows(
    preset: str, device: torch.device, size_px: tuple[int, int], threads: int, seconds: float
) -> list[Measurement]:
    """
    Measure the engines for a preset in turn, in float32: torch in both forms, and ONNX Runtime.

    :param preset: its name; the weights are random, because values do not change the cost.
    :param device: where to run.
    :param size_px: (height, width) of the network's input.
    :param threads: CPU threads.
    :param seconds: for all together; at least five runs of each.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    plain = S2RDepthNet(Architecture.preset(preset)).eval()
    fast = optimize_for_inference(plain, device)
    plain = plain.to(device)
    image = torch.rand(1, 3, *size_px, device=device).mul_(2).sub_(1)
    ways: dict[str, Callable[[], Any]] = {
        'torch, training form': partial(plain, image),
        'torch, inference form': partial(fast, image),
    }
    if device.type == 'cpu':
        ways['ONNX Runtime'] = partial(
            OnnxEngine(
                network_model(plain, PUBLISHED).SerializeToString(),
                preset,
                Settings('cpu', threads=threads),
            ).infer,
            image.numpy(),
        )
    depths = [
        np.asarray(way()[0] if name == 'ONNX Runtime' else way().cpu())
        for name, way in ways.items()
    ]
    times = timed(list(ways.values()), seconds, device)
    section = f'{preset} network, {size_px[1]} x {size_px[0]}, alternating'
    return [
        Measurement.of(
            section,
            name,
            times_ms,
            **(
                {}
                if times_ms is times[0]
                else {
                    'times as fast': float(np.median(times[0]) / np.median(times_ms)),
                    'largest difference': float(np.abs(depth - depths[0]).max()),
                }
            ),
        )
        for name, times_ms, depth in zip(ways, times, depths)
    ]


def part_gflop(architecture: Architecture, size_px: tuple[int, int]) -> dict[str, float]:
    """Return the GFLOP (two for each multiply-add) of each part and of the ``whole``."""
    with torch.device('meta'):
        network = S2RDepthNet(architecture).eval()
        image = torch.empty(1, 3, *size_px)
        code, structure = torch.empty(0), torch.empty(1, 1, *size_px)
        gflop = {}
        for part, given in zip(_PARTS.values(), (image, code, image, structure)):
            counter = FlopCounterMode(display=False)
            with counter:
                result = getattr(network, part)(code if part == 'structure_decoder' else given)
            code = result if part == 'structure_encoder' else code
            gflop[part] = counter.get_total_flops() / 1e9
    return {**gflop, 'whole': sum(gflop.values())}


def growth_rows(seconds: float, threads: int, device: str) -> list[Measurement]:
    """
    Measure the growth of the time of one run with pixels and with cameras.

    :param seconds: for each measurement.
    :param threads: CPU threads, 0 for as many as there are cores.
    :param device: where to run.
    """
    rows = []
    for height, width in ((96, 320), (128, 416), (192, 640), (256, 848), (384, 1280)):
        predictor = DepthPredictor(
            RANDOM, device, network_size_px=(height, width), threads=threads
        )
        image = np.zeros((height, width, 3), np.uint8)
        gflop = part_gflop(Architecture.preset('compact'), (height, width))['whole']
        for cameras in (1, 2, 4):
            (times_ms,) = timed([partial(predictor.predict, [image] * cameras)], seconds)
            rows.append(
                Measurement.of(
                    'growth',
                    f'{cameras} x {width} x {height}',
                    times_ms,
                    pixels=height * width,
                    cameras=cameras,
                    GFLOP=gflop * cameras,
                    **{'ms per camera': float(np.median(times_ms)) / cameras},
                )
            )
    return rows
