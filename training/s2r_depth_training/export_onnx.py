"""``s2r_train export-onnx``: the network for ONNX Runtime, TensorRT and their like."""
from __future__ import annotations

from dataclasses import asdict
import json
import logging
import os
from pathlib import Path
import warnings

import torch
from torch import nn, Tensor

from s2r_depth_ros import weights as weight_files
from s2r_depth_ros.depth_range import to_metres
from s2r_depth_ros.network import SIZE_MULTIPLE, SMALLEST_SIZE

from .errors import TrainingError

OPSET = 18
CHECKED_BATCH_SIZES = (1, 3)


class DepthInMetres(nn.Module):
    """The network with its range applied: image (B, 3, H, W) in [-1, 1] -> metres (B, 1, H, W)."""

    def __init__(self, network: nn.Module, max_depth_m: float):
        super().__init__()
        self.network = network
        self.max_depth_m = max_depth_m

    def forward(self, image: Tensor) -> Tensor:
        """Return the depth in metres for a camera of the training focal length."""
        return to_metres(self.network(image), self.max_depth_m)


def export_onnx(
    weights: str,
    out: Path,
    height_px: int | None = None,
    width_px: int | None = None,
    tolerance_m: float = 0.01,
) -> float:
    """
    Write the network as one ONNX file and compare what it computes with PyTorch.

    The input ``image`` is (B, 3, H, W) float32 RGB in [-1, 1], any B; the output ``depth_m`` is
    (B, 1, H, W) float32 metres. They hold for the training focal length, which is in the file's
    metadata: multiply by your focal length (at this size) over that one.

    :param weights: a safetensors file, a folder with the published .pth files, or the name of
        bundled weights: outdoor, indoor.
    :param out: the file to write; an existing one is replaced once the new one is proven.
    :param height_px: height of the input, a multiple of 16; the training height if not given.
    :param width_px: width of the input, a multiple of 16; the training width if not given.
    :param tolerance_m: largest difference from PyTorch that passes.
    :returns: the largest absolute difference found, in metres.
    :raises TrainingError: if the size does not fit, the file cannot be written, or the outputs
        differ by more than the tolerance.
    :raises WeightsError: if the weights cannot be read.
    """
    network, info = weight_files.load_with_info(weights)
    height_px, width_px = height_px or info.training_height_px, width_px or info.training_width_px
    if any(side % SIZE_MULTIPLE or side < SMALLEST_SIZE for side in (height_px, width_px)):
        raise TrainingError(
            f'height and width must be multiples of {SIZE_MULTIPLE} and at least '
            f'{SMALLEST_SIZE}, got {height_px} x {width_px}')
    model = DepthInMetres(network, info.max_depth_m).eval()
    part = out.with_name(f'.{out.stem}.part.onnx')
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write(part, model, (height_px, width_px), asdict(info))
        difference_m = _largest_difference(part, model, (height_px, width_px))
        if not difference_m <= tolerance_m:
            raise TrainingError(
                f'the exported network differs from PyTorch by {difference_m:.3g} m, more than '
                f'tolerance_m = {tolerance_m:g}; {out} was not written')
        os.replace(part, out)
    except OSError as error:
        raise TrainingError(f'could not write {out} ({error}): choose another place') from error
    finally:
        part.unlink(missing_ok=True)
    print(f'{out}: {height_px} x {width_px}, any batch size, opset {OPSET}; differs from PyTorch '
          f'by at most {difference_m:.2g} m of {info.max_depth_m:g} m')
    return difference_m


def _write(path: Path, model: nn.Module, size_px: tuple[int, int], info: dict) -> None:
    image = torch.zeros(2, 3, *size_px)
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)  # it asks for torchvision
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about the exporter's own inner workings
        program = torch.onnx.export(
            model, (image,), input_names=['image'], output_names=['depth_m'], opset_version=OPSET,
            dynamic_shapes={'image': {0: torch.export.Dim('batch')}}, dynamo=True, verbose=False)
    if program is None:
        raise TrainingError('PyTorch made no ONNX program of the network')
    program.model.metadata_props.update(
        {name: value if isinstance(value, str) else json.dumps(value)
         for name, value in info.items()})
    program.save(path, external_data=False)


def _largest_difference(path: Path, model: nn.Module, size_px: tuple[int, int]) -> float:
    """Return by how many metres the file's output differs from the model's, on noise."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    generator = torch.Generator().manual_seed(0)
    largest_m = 0.0
    for batch_size in CHECKED_BATCH_SIZES:
        image = torch.rand(batch_size, 3, *size_px, generator=generator) * 2 - 1
        found = torch.from_numpy(session.run(['depth_m'], {'image': image.numpy()})[0])
        with torch.inference_mode():
            largest_m = max(largest_m, float((found - model(image)).abs().max()))
    return largest_m
