"""One network for tests: the architecture at a small size, which runs in milliseconds."""

from pathlib import Path

import torch

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, S2RDepthNet

TINY = Architecture(width=1 / 32, channel_multiple=2, light_decoders=True)


def tiny_network(seed: int) -> S2RDepthNet:
    """Return a network whose random weights depend on ``seed`` only."""
    torch.manual_seed(seed)
    return S2RDepthNet(TINY)


def write_tiny_weights(
    folder: Path, seed: int = 3, info: weights.WeightsInfo | None = None
) -> Path:
    """
    Write the weights of a tiny network, and return their file.

    :param folder: in which ``tiny.safetensors`` is written.
    :param seed: of the weights.
    :param info: of the file; by default 80 m, 100 px, 96 x 96.
    """
    path = folder / 'tiny.safetensors'
    weights.save(path, tiny_network(seed), info or weights.WeightsInfo(80.0, 100.0, 96, 96))
    return path
