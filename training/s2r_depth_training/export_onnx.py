"""``s2r_train export-onnx``: export the network for ONNX Runtime and TensorRT."""

from __future__ import annotations

from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper
import torch
from torch import nn

from s2r_depth_ros import weights as weight_files
from s2r_depth_ros.atomic_files import atomic_file
from s2r_depth_ros.engine import IS_JUDGED, JUDGED
from s2r_depth_ros.engine.depth_range import to_metres
from s2r_depth_ros.engine.onnx_model import network_model, OPSET
from s2r_depth_ros.environment import disable_telemetry
from s2r_depth_ros.network import S2RDepthNet, SIZE_MULTIPLE, SMALLEST_SIZE
from s2r_depth_ros.weights.info import LARGEST_TRAINING_SIDE_PX

from .errors import TrainingError

CHECKED_BATCH_SIZES = (1, 3)
_JUDGE_TOLERANCE = 0.01  # of a logarithm, and of a probability


def export_onnx(
    weights: str,
    out: Path,
    height_px: int | None = None,
    width_px: int | None = None,
    tolerance_m: float = 0.01,
) -> float:
    """
    Write the network as one ONNX file, and compare its output with that of PyTorch.

    The input ``image`` is (B, 3, H, W) float32 RGB in [-1, 1], for any B; H and W are multiples of
    16; the output ``depth_m`` is (B, 1, H, W) float32 metres. They are valid for the training
    focal length, which is in the metadata of the file. Multiply them by your focal length (at this
    size) over the training focal length. The node can run the file, too. It uses the outputs
    ``depth`` in [-1, 1], ``structure`` and ``attention``.

    :param weights: a safetensors file, a folder with the published .pth files, or the name of
        bundled weights: outdoor, indoor.
    :param out: the file to write; an existing file is replaced after the new one has passed the
        comparison.
    :param height_px: height for the comparison; the default is the training height.
    :param width_px: width for the comparison; the default is the training width.
    :param tolerance_m: largest difference from PyTorch that passes.
    :returns: the largest absolute difference found, in metres.
    :raises TrainingError: if the size does not fit the network, the file cannot be written, or the
        outputs differ by more than the tolerance.
    :raises WeightsError: if the weights cannot be read.
    """
    network, info = weight_files.load_with_info(weights)
    if out.exists() and Path(weights).exists() and out.samefile(weights):
        raise TrainingError(f'{out} is the weights themselves: give another place for the model')
    height_px = info.training_height_px if height_px is None else height_px
    width_px = info.training_width_px if width_px is None else width_px
    if any(
        side % SIZE_MULTIPLE or not SMALLEST_SIZE <= side <= LARGEST_TRAINING_SIDE_PX
        for side in (height_px, width_px)
    ):
        raise TrainingError(
            f'height and width must be multiples of {SIZE_MULTIPLE} and at least '
            f'{SMALLEST_SIZE}, at most {LARGEST_TRAINING_SIDE_PX}, got {height_px} x {width_px}'
        )
    model = network_model(network, info, in_metres=True)
    helper.set_model_props(
        model,
        {
            **{prop.key: prop.value for prop in model.metadata_props},
            **{
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in asdict(info).items()
            },
        },
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as part:
            part.write_bytes(model.SerializeToString())
            difference_m = _largest_difference(
                part, network, info.max_depth_m, (height_px, width_px)
            )
            if network.judge is not None:
                _check_judge(part, network, (height_px, width_px), out)
            if not difference_m <= tolerance_m:
                raise TrainingError(
                    f'the exported network differs from PyTorch by {difference_m:.3g} m, more '
                    f'than tolerance_m = {tolerance_m:g}; {out} was not written'
                )
    except OSError as error:
        raise TrainingError(f'could not write {out} ({error}): choose another place') from error
    print(
        f'{out}: any size and batch size, opset {OPSET}; differs from PyTorch by at most '
        f'{difference_m:.2g} m of {info.max_depth_m:g} m'
    )
    return difference_m


def _largest_difference(
    path: Path, network: nn.Module, max_depth_m: float, size_px: tuple[int, int]
) -> float:
    """Return by how many metres the file's output differs from the model's, on noise."""
    session = _session(path)
    generator = torch.Generator().manual_seed(0)
    differences_m = []
    for batch_size in CHECKED_BATCH_SIZES:
        image = torch.rand(batch_size, 3, *size_px, generator=generator) * 2 - 1
        exported_m = torch.from_numpy(session.run(['depth_m'], {'image': image.numpy()})[0])
        with torch.inference_mode():
            expected = to_metres(network(image), max_depth_m)
        differences_m.append((exported_m - expected).abs().max())
    return float(torch.stack(differences_m).max())  # NaN if one is


def _check_judge(path: Path, network: S2RDepthNet, size_px: tuple[int, int], out: Path) -> None:
    """Raise TrainingError if the file judges otherwise than the network, on noise."""
    image = torch.rand(1, 3, *size_px, generator=torch.Generator().manual_seed(0)) * 2 - 1
    feed = {'image': image.numpy(), IS_JUDGED: np.array(True)}
    with torch.inference_mode():
        expected = network(image, return_maps=True, judged=True).judgement
    assert expected is not None
    for name, values in zip(JUDGED, _session(path).run(JUDGED, feed)):
        difference = float((torch.from_numpy(values) - getattr(expected, name)).abs().max())
        if not difference <= _JUDGE_TOLERANCE:
            raise TrainingError(
                f'{name} of the exported judge differs from PyTorch by {difference:.3g}, more '
                f'than {_JUDGE_TOLERANCE:g}; {out} was not written'
            )


def _session(path: Path) -> Any:
    """Return a session without the warning that the input for the judge is optional."""
    disable_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
