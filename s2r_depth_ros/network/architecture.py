"""The settings from which the network is built, and the two named presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
import math
import reprlib
from typing import Any

SIZE_MULTIPLE = 16  # height and width of the input, in pixels
SMALLEST_SIZE = 96
MOST_JUDGE_CHANNELS = 256


@dataclass(frozen=True)
class Architecture:
    """
    Sizes of the one architecture of S2R-DepthNet.

    :param width: factor on every channel count of the published network; more than 0, up to 1.
    :param channel_multiple: channel counts are rounded up to a multiple of this number, the width
        of a vector unit.
    :param light_decoders: use :class:`LightUpProjection` in the structure decoder and the
        attention network. Up-projections are 60 % of the published network's operations.
    :param faint_skips: multiply the skips of the depth net by 0.01 to 0.1, as published. Without
        this factor, Adam learns the details in fewer steps.
    :param judge_channels: channels of the :class:`~s2r_depth_ros.network.judge.Judge`; 0, as
        published, for none.
    :raises ValueError: if a setting is out of its range.
    """

    width: float = 1.0
    channel_multiple: int = 1
    light_decoders: bool = False
    faint_skips: bool = True
    judge_channels: int = 0

    def __post_init__(self):
        for name, kinds, words in (
            ('width', (int, float), 'a number'),
            ('channel_multiple', (int,), 'a whole number'),
            ('light_decoders', (bool,), 'true or false'),
            ('faint_skips', (bool,), 'true or false'),
            ('judge_channels', (int,), 'a whole number'),
        ):
            value = getattr(self, name)
            if type(value) not in kinds:
                raise ValueError(f'{name} must be {words}, got {reprlib.repr(value)}')
        if not 0.0 < self.width <= 1.0:
            raise ValueError(
                f'width must be above 0 and at most 1, got {reprlib.repr(self.width)}'
            )
        if self.channel_multiple < 1:
            raise ValueError(
                f'channel_multiple must be 1 or more, got {reprlib.repr(self.channel_multiple)}'
            )
        if not 0 <= self.judge_channels <= MOST_JUDGE_CHANNELS:
            raise ValueError(
                f'judge_channels must be from 0 to {MOST_JUDGE_CHANNELS}, got '
                f'{reprlib.repr(self.judge_channels)}'
            )

    @classmethod
    def preset(cls, name: str) -> Architecture:
        """
        Return the settings called ``name``.

        :param name: ``'paper'`` (exactly as published) or ``'compact'`` (for CPUs, small GPUs).
        :raises ValueError: if there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f'unknown architecture {name!r}; known: {", ".join(PRESETS)}')
        return PRESETS[name]

    def channels(self, published: int) -> int:
        """Return the channel count in place of ``published`` channels of the paper."""
        return math.ceil(published * self.width / self.channel_multiple) * self.channel_multiple

    def without_judge(self) -> Architecture:
        """Return the same network without a judge."""
        return replace(self, judge_channels=0)

    def as_dict(self) -> dict[str, Any]:
        """
        Return the settings as plain values, the inverse of ``Architecture(**settings)``.

        Without a judge, they are those of the versions that had none, which read them, too.
        """
        settings = asdict(self)
        if not self.judge_channels:
            del settings['judge_channels']
        return settings


PRESETS = {
    'paper': Architecture(),
    'compact': Architecture(
        width=1 / 8, channel_multiple=4, light_decoders=True, faint_skips=False
    ),
}
