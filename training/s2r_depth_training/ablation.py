"""``s2r_train ablation``: what structure and attention are worth, over several seeds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
import json
from pathlib import Path
from typing import Any, Literal, TYPE_CHECKING

import numpy as np

from .checkpoints import write_json
from .errors import TrainingError
from .evaluate import evaluate, RESULTS_FILE
from .stages import dsa, rgb_baseline, ste_decoder, ste_encoder

if TYPE_CHECKING:
    from .config import Config

VARIANTS = {
    'a': 'depth straight from RGB', 'b': 'STE + DP', 'c': 'STE + DSA + DP',
    'd': 'c without stage 1'}
FIGURES = {
    'Abs Rel': lambda method: method['mean']['median_scaled']['abs_rel'],
    'delta < 1.25': lambda method: method['mean']['median_scaled']['delta_1'],
    'Abs Rel, unscaled': lambda method: method['mean']['unscaled']['abs_rel'],
    'style change': lambda method: method['style_change'],
}


@dataclass(frozen=True)
class TestSet:
    """
    Frames to measure every variant on, as ``s2r_train evaluate`` takes them.

    :param dataset: kind of data set.
    :param root: its folder.
    :param protocol: what counts.
    :param options: further options of that reader.
    """

    __test__ = False  # or pytest takes it for a test

    dataset: str
    root: Path
    protocol: Literal['kitti', 'kitti-50m', 'nyu'] = 'kitti'
    options: dict[str, Any] = field(default_factory=dict)


def ablation(
    config: Config, tests: dict[str, TestSet], seeds: Sequence[int] = (1, 2, 3),
    resume: bool = False,
) -> Path:
    """
    Train four variants of the method with each seed, alike in data, schedule and size; measure.

    What is done already is not done again, so an interrupted run goes on, and several processes
    may each take some of the seeds; a last call with all of them writes the tables.

    :param config: of the runs, which go to ``run_dir/seed_N``; its own seed is not used.
    :param tests: by name, what to measure on.
    :param seeds: one run of each variant for each.
    :param resume: go on with the stage that was interrupted.
    :returns: the page with the tables, ``run_dir/ablation.md``; ``ablation.json`` is beside it.
    :raises TrainingError: if a stage cannot start or go on, or there is nothing to do.
    :raises DataError: if a test set is not as expected.
    """
    if not seeds or not tests:
        raise TrainingError('an ablation needs at least one seed and one test set')
    found: dict[str, dict[str, list[dict[str, float | None]]]] = {
        test: {variant: [] for variant in VARIANTS} for test in tests}
    for seed in seeds:
        run_dir = config.run_dir / f'seed_{seed}'
        trained = train_variants(replace(config, seed=seed, run_dir=run_dir), resume)
        for test, frames in tests.items():
            for variant, weights in trained.items():
                method = measured(weights, frames, run_dir / 'evaluation' / test / variant)
                found[test][variant].append(
                    {figure: get(method) for figure, get in FIGURES.items()})
    write_json(config.run_dir / 'ablation.json', {'seeds': list(seeds), 'tests': found})
    page = config.run_dir / 'ablation.md'
    page.write_text(tables(found), encoding='utf-8')
    print(page.read_text('utf-8'))
    return page


def train_variants(config: Config, resume: bool) -> dict[str, Path]:
    """
    Train what is not trained yet and return the weights of each variant.

    :param config: of one seed.
    :param resume: go on with the stage that was interrupted.
    """
    without_stage_1 = replace(
        config, run_dir=config.run_dir / 'without_stage_1',
        ste_decoder=replace(config.ste_decoder, train_encoder=True))
    for stage, its_config in (
            (rgb_baseline, config), (ste_encoder, config), (ste_decoder, config), (dsa, config),
            (ste_decoder, without_stage_1), (dsa, without_stage_1)):
        if not its_config.result_of(stage.NAME).exists():
            stage.train(its_config, resume)
    return {
        'a': config.result_of(rgb_baseline.NAME),
        'b': config.result_of(ste_decoder.NAME).with_name('weights.safetensors'),
        'c': config.weights_file,
        'd': without_stage_1.weights_file}


def measured(weights: Path, frames: TestSet, out: Path) -> dict[str, Any]:
    """Return the figures of one network on one test set, from an earlier call if it was alike."""
    file, key = out / RESULTS_FILE, out / 'measured.json'
    asked = {'weights_time_ns': weights.stat().st_mtime_ns, **asdict(frames),
             'root': str(frames.root)}
    if file.exists() and key.exists() and json.loads(key.read_text('utf-8')) == asked:
        results = json.loads(file.read_text('utf-8'))
    else:
        results = evaluate(
            str(weights), frames.dataset, frames.root, out, frames.protocol,
            dataset_options=frames.options, pictures=4, overwrite=True)
        write_json(key, asked)
    return results['methods'][0]


def tables(found: Mapping[str, Mapping[str, Sequence[Mapping[str, float | None]]]]) -> str:
    """
    Return one Markdown table per test set: mean ± standard deviation over the seeds.

    :param found: by test set and variant, one mapping of figures per seed; None if not measured.
    """
    lines = []
    for test, variants in found.items():
        figures = [
            figure for figure in FIGURES
            if all(seed[figure] is not None for seeds in variants.values() for seed in seeds)]
        lines += [
            f'**{test}**', '', f'| | {" | ".join(figures)} |', '|---' * (len(figures) + 1) + '|']
        for variant, seeds in variants.items():
            cells = []
            for figure in figures:
                values = np.array([seed[figure] for seed in seeds], float)
                spread = f' ± {values.std(ddof=1):.3f}' if len(seeds) > 1 else ''
                cells.append(f'{values.mean():.3f}{spread}')
            lines.append(f'| ({variant}) {VARIANTS[variant]} | {" | ".join(cells)} |')
        lines.append('')
    return '\n'.join(lines)
