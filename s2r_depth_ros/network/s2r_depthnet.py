"""S2R-DepthNet: the method's figure as one module."""

from typing import Literal, NamedTuple, overload

import torch
from torch import nn
import torch.fx

from .architecture import Architecture, SIZE_MULTIPLE, SMALLEST_SIZE
from .attention import AttentionNet
from .depth import DepthNet
from .judge import Judge, Judgement
from .structure import StructureDecoder, StructureEncoder


class DepthMaps(NamedTuple):
    """
    Every map of the figure for a batch of B images of H x W.

    ``structure``, ``attention`` and their product ``depth_specific_structure`` are (B, 1, H, W)
    in [0, 1]; ``structure_code`` is (B, C, H/4, W/4); the depths are (B, 1, ...) in [-1, 1] at
    1/8, 1/4, 1/2 and 1/1 of the size. ``judgement`` is None unless asked for.
    """

    structure_code: torch.Tensor
    structure: torch.Tensor
    attention: torch.Tensor
    depth_specific_structure: torch.Tensor
    depth_8th: torch.Tensor
    depth_4th: torch.Tensor
    depth_half: torch.Tensor
    depth: torch.Tensor
    judgement: Judgement | None = None


class S2RDepthNet(nn.Module):
    """
    Structure (STE) times attention (DSA) to depth (DP); S2R-DepthNet, CVPR 2021, figure 2.

    :param architecture: sizes; :meth:`Architecture.preset` has the named ones.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.structure_encoder = StructureEncoder(architecture)
        self.structure_decoder = StructureDecoder(architecture)
        self.attention = AttentionNet(architecture)
        self.depth = DepthNet(architecture)
        self.judge = (
            Judge(self.depth.feature_channels, architecture.judge_channels)
            if architecture.judge_channels
            else None
        )

    @overload
    def forward(
        self, image: torch.Tensor, return_maps: Literal[False] = False
    ) -> torch.Tensor: ...

    @overload
    def forward(
        self, image: torch.Tensor, return_maps: Literal[True], judged: bool = False
    ) -> DepthMaps: ...

    @overload
    def forward(
        self, image: torch.Tensor, return_maps: bool, judged: bool = False
    ) -> 'torch.Tensor | DepthMaps': ...

    def forward(self, image, return_maps=False, judged=False):
        """
        Return the depth (B, 1, H, W) in [-1, 1], or every map of the figure.

        :param image: (B, 3, H, W) RGB in [-1, 1]; H and W multiples of 16, at least 96.
        :param return_maps: return :class:`DepthMaps` in place of the depth.
        :param judged: with the maps, also return the judgement if the network has a judge.
        :raises ValueError: if the image has another shape.
        """
        _check_image(image)
        structure_code = self.structure_encoder(image)
        structure = self.structure_decoder(structure_code)
        attention = self.attention(image)
        depth_specific_structure = attention * structure
        depths, features = self.depth.with_features(depth_specific_structure)
        if not return_maps:
            return depths[-1]
        judgement = None
        if judged and self.judge is not None:
            judgement = self.judge(features, image, depth_specific_structure, depths[-1])
        maps = DepthMaps(structure_code, structure, attention, depth_specific_structure, *depths)
        return maps._replace(judgement=judgement)


@torch.fx.wrap  # a trace cannot follow its conditions, and records it as one step
def _check_image(image: torch.Tensor) -> None:
    shape = tuple(image.shape)
    if len(shape) != 4 or shape[1] != 3:
        raise ValueError(f'expected an image of shape (B, 3, H, W), got {shape}')
    if any(side % SIZE_MULTIPLE or side < SMALLEST_SIZE for side in shape[2:]):
        raise ValueError(
            f'expected an image whose height and width are multiples of {SIZE_MULTIPLE} and at '
            f'least {SMALLEST_SIZE}, got {shape[2]} x {shape[3]}; pad or resize it'
        )
