"""Draw the growth of the time of one run."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from .timing import Measurement


def draw_growth(rows: list[Measurement], path: Path) -> None:
    """
    Draw milliseconds over pixels, with a line for each number of cameras.

    :param rows: of :func:`network.growth_rows`.
    :param path: of the picture; its suffix decides the file format.
    """
    figure = Figure(figsize=(6.4, 3.6), layout='constrained')
    axes = figure.subplots()
    for cameras in sorted({row.values['cameras'] for row in rows}):
        own = [row for row in rows if row.values['cameras'] == cameras]
        axes.plot(
            [row.values['pixels'] / 1e3 for row in own],
            [row.median_ms or 0.0 for row in own],
            marker='o',
            label=f'{cameras} camera{"s" if cameras > 1 else ""}',
        )
    axes.set(
        xlabel='pixels of the network input (thousands)',
        ylabel='median of one batch (ms)',
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)
