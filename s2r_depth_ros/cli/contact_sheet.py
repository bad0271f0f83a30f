"""Draw a sheet of frames: image, structure map, attention map, coloured depth with a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TYPE_CHECKING

import numpy as np

from ..depth.colors import color_depth

if TYPE_CHECKING:  # Matplotlib takes most of a second to import: only drawing functions import it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN = 18.0
_TITLE_LENGTH = 120
_COLUMNS = ('image', 'structure map', 'attention map', 'depth')
_NICE_STEPS = (1.0, 2.0, 3.0, 5.0, 7.0)


class Maps(Protocol):
    """A frame of the sheet; all four arrays have the same height and width."""

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    @property
    def structure(self) -> np.ndarray:
        """(H, W) uint8, 0 to 255."""

    @property
    def attention(self) -> np.ndarray:
        """(H, W) uint8, 0 to 255."""

    @property
    def depth_m(self) -> np.ndarray:
        """(H, W) float32 metres; NaN or infinite where there is no depth."""


def contact_sheet(
    frames: Sequence[Maps], title: str, range_m: tuple[float, float] | None = None
) -> Figure:
    """
    Draw a row for each frame; all depths share one colour scale.

    :param frames: at least one.
    :param title: above the sheet.
    :param range_m: depth of the reddest and the bluest colour; None fits the range to the depths.
    :returns: a figure to save.
    """
    from matplotlib.figure import Figure

    near_m, far_m = range_m or depth_limits(frame.depth_m for frame in frames)
    row_in = [_WIDTH_IN * 0.225 * frame.rgb.shape[0] / frame.rgb.shape[1] for frame in frames]
    height_in = sum(row_in) + 0.08 * len(frames) + 1.15
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=120, facecolor='white')
    grid = figure.add_gridspec(
        len(frames),
        5,
        width_ratios=[1, 1, 1, 1, 0.035],
        height_ratios=row_in,
        wspace=0.03,
        hspace=0.04,
        left=0.012,
        right=0.955,
        top=1 - 0.85 / height_in,
        bottom=0.3 / height_in,
    )
    figure.text(
        0.012,
        1 - 0.38 / height_in,
        title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 3] + '...',
        fontsize=15,
        weight='bold',
        parse_math=False,
    )  # the title may hold file names
    for row, frame in enumerate(frames):
        axes = [figure.add_subplot(grid[row, column]) for column in range(4)]
        axes[0].imshow(frame.rgb)
        axes[1].imshow(frame.structure, cmap='gray', vmin=0, vmax=255)
        axes[2].imshow(frame.attention, cmap='inferno', vmin=0, vmax=255)
        axes[3].imshow(color_depth(frame.depth_m, near_m, far_m)[..., ::-1])
        for axis, name in zip(axes, _COLUMNS):
            axis.set_axis_off()
            if row == 0:
                axis.set_title(name, fontsize=13, pad=6)
    _draw_scale(figure.add_subplot(grid[:, 4]), near_m, far_m)
    figure.text(
        0.955,
        0.1 / height_in,
        'dark grey: far (sky)   black: no depth',
        fontsize=10,
        ha='right',
        color='0.35',
    )
    return figure


def depth_limits(depths_m) -> tuple[float, float]:
    """
    Return round numbers for the near and far ends of a colour scale that fits these depths.

    :param depths_m: arrays of metres; values that are not finite do not count.
    :returns: metres, such that 98 % of the depths lie between them; 1 and 10 if there are none.
    """
    finite = np.concatenate([depth[np.isfinite(depth) & (depth > 0)] for depth in depths_m])
    if not finite.size:
        return 1.0, 10.0
    near_m, far_m = np.percentile(finite, (1, 99))
    nice = sorted(step * 10.0**power for power in range(-3, 5) for step in _NICE_STEPS)
    below = [value for value in nice if value <= near_m] or nice[:1]
    above = [value for value in nice if value >= far_m and value > below[-1]] or nice[-1:]
    return below[-1], above[0]


def watermark(figure: Figure, text: str) -> None:
    """Write ``text`` large across the figure, to mark that the picture is no result."""
    width_in, _ = figure.get_size_inches()
    figure.text(
        0.5,
        0.5,
        text,
        fontsize=60 * width_in / len(text),
        rotation=10,
        ha='center',
        va='center',
        weight='bold',
        color='white',
        alpha=0.8,
        zorder=10,
        bbox={'facecolor': 'crimson', 'alpha': 0.4, 'edgecolor': 'none'},
    )


def _draw_scale(axis: Axes, near_m: float, far_m: float) -> None:
    levels_m = np.geomspace(near_m, far_m, 256, dtype=np.float32)
    axis.imshow(
        color_depth(levels_m[:, None], near_m, far_m)[..., ::-1],
        aspect='auto',
        origin='lower',
        extent=(0, 1, np.log(near_m), np.log(far_m)),
    )
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    inside = [tick for tick in ticks if near_m <= tick <= far_m]
    inside += [end for end in (near_m, far_m) if end not in inside]
    axis.set_yticks(np.log(inside), [f'{tick:g} m' for tick in inside], fontsize=11)
    axis.yaxis.tick_right()
    axis.set_xticks([])
