"""
The networks of stage 1, which turn images of one domain into images of another.

Two domains, ``synthetic`` and ``painted``, share one structure encoder. The style of an image is
encoded in a few numbers, which cannot contain structure. So the shared code must contain the
structure, from which both domains are reconstructed. Later stages use only the structure encoder.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from s2r_depth_ros.network import Architecture, StructureEncoder


class StyleEncoder(nn.Module):
    """
    An image (B, 3, H, W) in [-1, 1] -> its style code (B, ``style_size``).

    No normalisation: it would remove the style. The mean over the image removes the structure.
    """

    def __init__(self, architecture: Architecture, style_size: int):
        super().__init__()
        c64, c128, c256 = (architecture.channels(c) for c in (64, 128, 256))
        self.layers = nn.Sequential(
            _conv(3, c64, 7),
            nn.ReLU(),
            _conv(c64, c128, 4, stride=2),
            nn.ReLU(),
            _conv(c128, c256, 4, stride=2),
            nn.ReLU(),
            _conv(c256, c256, 4, stride=2),
            nn.ReLU(),
            _conv(c256, c256, 4, stride=2),
            nn.ReLU(),
        )
        self.code = nn.Linear(c256, style_size)

    def forward(self, image: Tensor) -> Tensor:
        """Return the style code; shapes as in the class."""
        return self.code(self.layers(image).mean(dim=(2, 3)))


class Generator(nn.Module):
    """
    A structure code (B, C, H/4, W/4) and a style code -> an image (B, 3, H, W) in [-1, 1].

    The style sets mean and standard deviation of every feature (adaptive instance normalisation;
    Huang and Belongie, 2017). Only the structure code determines the position of objects.
    """

    def __init__(self, architecture: Architecture, style_size: int, blocks: int = 4):
        super().__init__()
        c64, c128, c256 = (architecture.channels(c) for c in (64, 128, 256))
        self.blocks = nn.ModuleList(_StyledBlock(c256) for _ in range(blocks))
        self.style_to_moments = nn.Sequential(
            nn.Linear(style_size, c256),
            nn.ReLU(),
            nn.Linear(c256, c256),
            nn.ReLU(),
            nn.Linear(c256, blocks * 4 * c256),
        )
        self.draw = nn.Sequential(
            nn.Upsample(scale_factor=2),
            _conv(c256, c128, 5),
            nn.GroupNorm(1, c128),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            _conv(c128, c64, 5),
            nn.GroupNorm(1, c64),
            nn.ReLU(),
            _conv(c64, 3, 7),
            nn.Tanh(),
        )

    def forward(self, structure_code: Tensor, style_code: Tensor) -> Tensor:
        """Return the image; shapes as in the class."""
        moments = self.style_to_moments(style_code).chunk(len(self.blocks), dim=1)
        x = structure_code
        for block, block_moments in zip(self.blocks, moments):
            x = block(x, block_moments)
        return self.draw(x)


class Discriminator(nn.Module):
    """
    An image (B, 3, H, W) -> judgements (B, 1, h, w), near 1 for real, at several scales.

    Each scale sees the image at half the size of the one before.
    """

    def __init__(self, architecture: Architecture, scales: int):
        super().__init__()
        c64, c128, c256, c512 = (architecture.channels(c) for c in (64, 128, 256, 512))
        self.scales = nn.ModuleList(
            nn.Sequential(
                _conv(3, c64, 4, stride=2),
                nn.LeakyReLU(0.2),
                _conv(c64, c128, 4, stride=2),
                nn.LeakyReLU(0.2),
                _conv(c128, c256, 4, stride=2),
                nn.LeakyReLU(0.2),
                _conv(c256, c512, 4, stride=2),
                nn.LeakyReLU(0.2),
                nn.Conv2d(c512, 1, 1),
            )
            for _ in range(scales)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return one map of judgements per scale, fine to coarse."""
        judgements = []
        for scale in self.scales:
            judgements.append(scale(image))
            image = F.avg_pool2d(image, 2)
        return tuple(judgements)


class Discriminators(nn.Module):
    """One discriminator per domain."""

    def __init__(self, architecture: Architecture, scales: int):
        super().__init__()
        self.synthetic = Discriminator(architecture, scales)
        self.painted = Discriminator(architecture, scales)
        self.apply(_initialise)

    def forward(self, synthetic: Tensor, painted: Tensor) -> tuple[Tensor, ...]:
        """Return the judgements of both, at every scale, of (B, 3, H, W) images."""
        return (*self.synthetic(synthetic), *self.painted(painted))


class Translated(NamedTuple):
    """
    Output of :class:`Translator` for a batch of each domain; the first is of synthetic images.

    ``redrawn`` are images from their own two codes, ``restyled`` from their structure code and a
    random style of the other domain; ``structure`` and ``style`` are codes, ``..._again`` the
    codes of the restyled images.
    """

    redrawn: tuple[Tensor, Tensor]
    restyled: tuple[Tensor, Tensor]
    structure: tuple[Tensor, Tensor]
    structure_again: tuple[Tensor, Tensor]
    style_again: tuple[Tensor, Tensor]


class Translator(nn.Module):
    """
    Both domains' encoders and generators around one shared structure encoder.

    :param architecture: sizes of all parts.
    :param style_size: numbers in a style code.
    """

    def __init__(self, architecture: Architecture, style_size: int):
        super().__init__()
        self.structure_encoder = StructureEncoder(architecture)
        self.synthetic_style = StyleEncoder(architecture, style_size)
        self.painted_style = StyleEncoder(architecture, style_size)
        self.synthetic_generator = Generator(architecture, style_size)
        self.painted_generator = Generator(architecture, style_size)
        self.apply(_initialise)

    def forward(
        self, synthetic: Tensor, painted: Tensor, synthetic_style: Tensor, painted_style: Tensor
    ) -> Translated:
        """
        Reconstruct each image, and redraw it in a random style of the other domain.

        :param synthetic: (B, 3, H, W) in [-1, 1].
        :param painted: (B, 3, H, W) in [-1, 1].
        :param synthetic_style: (B, style_size) random style for the painted images.
        :param painted_style: (B, style_size) random style for the synthetic images.
        """
        code_s, code_p = self._structures(synthetic, painted)
        redrawn_s = self.synthetic_generator(code_s, self.synthetic_style(synthetic))
        redrawn_p = self.painted_generator(code_p, self.painted_style(painted))
        restyled_s = self.painted_generator(code_s, painted_style)
        restyled_p = self.synthetic_generator(code_p, synthetic_style)
        return Translated(
            redrawn=(redrawn_s, redrawn_p),
            restyled=(restyled_s, restyled_p),
            structure=(code_s, code_p),
            structure_again=self._structures(restyled_s, restyled_p),
            style_again=(self.painted_style(restyled_s), self.synthetic_style(restyled_p)),
        )

    def swapped(self, synthetic: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
        """Return the synthetic images in the painted ones' style, and the other way round."""
        code_s, code_p = self._structures(synthetic, painted)
        return (
            self.painted_generator(code_s, self.painted_style(painted)),
            self.synthetic_generator(code_p, self.synthetic_style(synthetic)),
        )

    def _structures(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.structure_encoder(torch.cat([first, second]))
        return codes[: len(first)], codes[len(first) :]


class _StyledBlock(nn.Module):
    """Residual block whose two instance norms take their mean and spread from the style."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = _conv(channels, channels, 3)
        self.conv2 = _conv(channels, channels, 3)

    def forward(self, x: Tensor, moments: Tensor) -> Tensor:
        spread1, mean1, spread2, mean2 = moments[:, :, None, None].chunk(4, dim=1)
        y = F.relu(_styled(self.conv1(x), spread1, mean1))
        return x + _styled(self.conv2(y), spread2, mean2)


def _styled(x: Tensor, spread: Tensor, mean: Tensor) -> Tensor:
    return F.instance_norm(x) * (1 + spread) + mean


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        channels_in,
        channels_out,
        kernel,
        stride,
        padding=(kernel - 1) // 2,
        padding_mode='reflect',
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
