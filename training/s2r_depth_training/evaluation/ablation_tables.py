"""The tables of an ablation, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

VARIANTS = {
    'a': 'depth straight from RGB',
    'a+': 'a, trained for as long as c',
    'b': 'STE + DP',
    'b+': 'b, trained for as long as c',
    'c': 'STE + DSA + DP',
    'd': 'c without stage 1',
}
FIGURES = {
    'Abs Rel': lambda method: method['mean']['median_scaled']['abs_rel'],
    'delta < 1.25': lambda method: method['mean']['median_scaled']['delta_1'],
    'Abs Rel, unscaled': lambda method: method['mean']['unscaled']['abs_rel'],
    'style change': lambda method: method['style_change'],
}


def figures_of(method: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the figures of a table, by name, of one method in results.json."""
    return {name: figure(method) for name, figure in FIGURES.items()}


def tables(tests: Mapping[str, Mapping[str, Sequence[Mapping[str, float | None]]]]) -> str:
    """
    Return one Markdown table per test set: mean ± standard deviation over the seeds.

    :param tests: by test set and variant, one mapping of figures per seed; None if not measured.
    """
    lines = []
    for test, variants in tests.items():
        figures = [
            figure
            for figure in FIGURES
            if all(seed[figure] is not None for seeds in variants.values() for seed in seeds)
        ]
        lines += [
            f'**{test}**',
            '',
            f'| | {" | ".join(figures)} |',
            '|---' * (len(figures) + 1) + '|',
        ]
        for variant, seeds in variants.items():
            cells = [mean_and_deviation([seed[figure] for seed in seeds]) for figure in figures]
            lines.append(f'| ({variant}) {VARIANTS[variant]} | {" | ".join(cells)} |')
        lines.append('')
    return '\n'.join(lines)


def scene_tables(scenes: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> str:
    """
    Return one Markdown table per test set: the median-scaled Abs Rel of each scene and variant.

    :param scenes: by test set and variant, Abs Rel by scene for each seed.
    """
    lines = []
    for test, variants in scenes.items():
        lines += [
            f'**{test}, Abs Rel by scene**',
            '',
            f'| | ({") | (".join(variants)}) |',
            '|---' * (len(variants) + 1) + '|',
        ]
        first, *_ = variants.values()
        for scene in first[0]:
            cells = [
                mean_and_deviation([seed[scene] for seed in seeds]) for seeds in variants.values()
            ]
            lines.append(f'| {scene} | {" | ".join(cells)} |')
        lines.append('')
    return '\n'.join(lines)


def mean_and_deviation(values: Sequence[float | None]) -> str:
    """Return the mean and, of two or more values, the sample deviation."""
    numbers = np.array(values, float)
    spread = f' ± {numbers.std(ddof=1):.3f}' if len(numbers) > 1 else ''
    return f'{numbers.mean():.3f}{spread}'


def short_name(scene: str) -> str:
    """Return the part of a scene's name that differs within its data set: world and variation."""
    return '/'.join(PurePath(scene).parts[-2:])
