"""The network alone: by part, against the machine's own matrix product, and in its plain form."""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ... import weights
from ...network import Architecture, inference_form, S2RDepthNet
from ...predictor import DepthPredictor
from .timing import Row, timed

_MATRIX = 2048
_PARTS = {
    'Es, structure encoder': 'structure_encoder', 'Ds, structure decoder': 'structure_decoder',
    'DSA, attention': 'attention', 'DP, depth': 'depth'}


@torch.inference_mode()
def matrix_gflops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Return the rate in GFLOP/s at which this machine multiplies large matrices."""
    a = torch.rand(_MATRIX, _MATRIX, device=device, dtype=dtype)
    times_ms, = timed([lambda: torch.mm(a, a)], 1.0, device)
    return 2 * _MATRIX**3 / float(np.median(times_ms)) / 1e6


@torch.inference_mode()
def network_rows(
    predictor: DepthPredictor, image_size_px: tuple[int, int], seconds: float,
) -> list[Row]:
    """
    Measure each part of the network as the predictor runs it, and the whole.

    :param predictor: of S2R-DepthNet.
    :param image_size_px: (height, width) of the image, which decides the network's size.
    :param seconds: for each measurement.
    """
    height, width = predictor.fit(image_size_px).input_size_px
    section = f'network, {width} x {height}, {predictor.precision}'
    network: Any = predictor.network
    gflop = part_gflop(network.architecture, (height, width))
    torch.set_num_threads(predictor.threads)
    rate = matrix_gflops(predictor.device, predictor.dtype)
    image = torch.rand(1, 3, height, width, device=predictor.device).mul_(2).sub_(1)
    image = image.contiguous(memory_format=torch.channels_last)
    if predictor.device.type == 'cuda':
        image = image.to(predictor.dtype)
    with predictor.reduced_precision():
        maps = network(image, return_maps=True)
        inputs = (image, maps.structure_code, image, maps.depth_specific_structure)
        functions = [
            partial(getattr(network, part), given) for part, given in zip(_PARTS.values(), inputs)]
        times = timed([*functions, partial(network, image)], seconds, predictor.device)
    rows = []
    for name, part, times_ms in zip((*_PARTS, 'whole'), (*_PARTS.values(), 'whole'), times):
        done = gflop[part] / float(np.median(times_ms)) * 1e3
        share = {'GFLOP/s': done, 'of the matrix product (%)': 100 * done / rate}
        rows.append(Row.of(section, name, times_ms, GFLOP=gflop[part], **share))
    picture = np.zeros((*image_size_px, 3), np.uint8)
    times_ms, = timed([partial(predictor.predict, [picture])], seconds)
    rows.append(Row.of(section, 'image to depth, copies included', times_ms))
    rows.append(Row(section, f'matrix product, {_MATRIX} x {_MATRIX}', values={'GFLOP/s': rate}))
    return rows


@torch.inference_mode()
def form_rows(
    name: str, device: torch.device, size_px: tuple[int, int], threads: int, seconds: float,
) -> list[Row]:
    """
    Measure the training form and the inference form of a preset in turn, in float32.

    :param name: of the preset; the weights are random, which costs the same.
    :param device: where to run.
    :param size_px: (height, width) of the network's input.
    :param threads: CPU threads.
    :param seconds: for both together; at least five runs of each.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    plain = S2RDepthNet(Architecture.preset(name)).eval()
    fast = inference_form(plain, device)
    plain = plain.to(device)
    image = torch.rand(1, 3, *size_px, device=device).mul_(2).sub_(1)
    difference = float((plain(image) - fast(image)).abs().max())
    section = f'{name} network, {size_px[1]} x {size_px[0]}, alternating'
    plain_ms, fast_ms = timed([partial(plain, image), partial(fast, image)], seconds, device)
    return [
        Row.of(section, 'training form', plain_ms),
        Row.of(section, 'inference form', fast_ms, **{
            'times as fast': float(np.median(plain_ms) / np.median(fast_ms)),
            'largest difference': difference})]


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


def growth_rows(seconds: float, threads: int, device: str) -> list[Row]:
    """
    Measure how the time of one run grows with pixels and with cameras.

    :param seconds: for each measurement.
    :param threads: CPU threads, 0 for PyTorch's choice.
    :param device: where to run.
    """
    rows = []
    for height, width in ((96, 320), (128, 416), (192, 640), (256, 848), (384, 1280)):
        predictor = DepthPredictor(
            weights.RANDOM, device, network_size_px=(height, width), threads=threads)
        image = np.zeros((height, width, 3), np.uint8)
        gflop = part_gflop(Architecture.preset('compact'), (height, width))['whole']
        for cameras in (1, 2, 4):
            times_ms, = timed([partial(predictor.predict, [image] * cameras)], seconds)
            rows.append(Row.of(
                'growth', f'{cameras} x {width} x {height}', times_ms,
                pixels=height * width, cameras=cameras, GFLOP=gflop * cameras,
                **{'ms per camera': float(np.median(times_ms)) / cameras}))
    return rows
