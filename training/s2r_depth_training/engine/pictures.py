"""Maps of a batch side by side as one picture."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

ROWS = 4
GAP_PX = 2


def map_grid(maps: Mapping[str, Tensor]) -> np.ndarray:
    """
    Return one picture with a row per image and a column per map.

    :param maps: (B, 3, H, W) RGB in [-1, 1] or (B, 1, H, W) in [0, 1], on any device; smaller
        maps are enlarged to the size of the first. At most four images are shown.
    :returns: (rows, columns, 3) uint8 RGB, with white gaps.
    """
    first = next(iter(maps.values()))
    size = first.shape[-2:]
    columns = [_column(tensor.detach()[:ROWS].float().cpu(), size) for tensor in maps.values()]
    return np.concatenate(columns, axis=1)


def _column(tensor: Tensor, size: torch.Size) -> np.ndarray:
    unit = (tensor + 1) / 2 if tensor.shape[1] == 3 else tensor.expand(-1, 3, -1, -1)
    unit = F.interpolate(unit, size=size, mode='nearest')
    framed = F.pad(unit, (0, GAP_PX, 0, GAP_PX), value=1.0)
    levels = (framed.nan_to_num(0.0).clamp(0, 1) * 255).round().byte().numpy()
    return np.concatenate(list(levels.transpose(0, 2, 3, 1)), axis=0)
