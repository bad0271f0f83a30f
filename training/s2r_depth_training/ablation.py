"""``s2r_train ablation``: what structure and attention are worth, over several seeds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
import json
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any, Literal, TYPE_CHECKING

import numpy as np

from .checkpoints import write_json
from .data import open_dataset
from .errors import TrainingError
from .evaluate import evaluate, RESULTS_FILE
from .stages import attention, dsa, needs_attention, rgb_baseline, ste_decoder, ste_encoder

if TYPE_CHECKING:
    from .config import Config

VARIANTS = {
    'a': 'depth straight from RGB', 'a+': 'a, trained for as long as c',
    'b': 'STE + DP', 'b+': 'b, trained for as long as c',
    'c': 'STE + DSA + DP', 'd': 'c without stage 1'}
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
    :param by_scene: also show each scene by itself: for a few scenes that stand for something.
    """

    __test__ = False  # or pytest takes it for a test

    dataset: str
    root: Path
    protocol: Literal['kitti', 'kitti-50m', 'nyu'] = 'kitti'
    options: dict[str, Any] = field(default_factory=dict)
    by_scene: bool = False


def ablation(
    config: Config, tests: dict[str, TestSet], seeds: Sequence[int] = (1, 2, 3),
    new_depth_net: bool = False, resume: bool = False,
) -> Path:
    """
    Train variants of the method with each seed, alike in data, schedule and size; measure.

    What is done already is not done again, so an interrupted run goes on, and several processes
    may each take some of the seeds; a last call with all of them writes the tables.

    :param config: of the runs, which go to ``run_dir/seed_N``; its own seed is not used.
    :param tests: by name, what to measure on.
    :param seeds: one run of each variant for each.
    :param new_depth_net: begin stage 3 with a new depth net, as published, in place of stage 2's.
    :param resume: go on with the stage that was interrupted.
    :returns: the page with the tables, ``run_dir/ablation.md``; ``ablation.json`` is beside it.
    :raises TrainingError: if a stage cannot start or go on, or there is nothing to do.
    :raises DataError: if a test set is not as expected.
    """
    if not seeds or not tests:
        raise TrainingError('an ablation needs at least one seed and one test set')
    for frames in tests.values():  # what is wrong with them is said before hours of training
        open_dataset(frames.dataset, frames.root, **frames.options)
    found: dict[str, dict[str, list[dict[str, float | None]]]] = {
        test: {variant: [] for variant in VARIANTS} for test in tests}
    scenes: dict[str, dict[str, list[dict[str, float]]]] = {
        test: {variant: [] for variant in VARIANTS}
        for test, frames in tests.items() if frames.by_scene}
    for seed in seeds:
        run_dir = config.run_dir / f'seed_{seed}'
        trained = train_variants(
            replace(config, seed=seed, run_dir=run_dir), new_depth_net, resume)
        for test, frames in tests.items():
            for variant, weights in trained.items():
                method = measured(weights, frames, run_dir / 'evaluation' / test / variant)
                found[test][variant].append(
                    {figure: get(method) for figure, get in FIGURES.items()})
                if frames.by_scene:
                    scenes[test][variant].append(
                        {short_name(scene): mean['median_scaled']['abs_rel']
                         for scene, mean in method['scenes'].items()})
    write_json(
        config.run_dir / 'ablation.json',
        {'seeds': list(seeds), 'tests': found, 'scenes': scenes})
    page = config.run_dir / 'ablation.md'
    page.write_text('\n'.join((tables(found), scene_tables(scenes))), encoding='utf-8')
    print(page.read_text('utf-8'))
    return page


def train_variants(config: Config, new_depth_net: bool, resume: bool) -> dict[str, Path]:
    """
    Train what is not trained yet and return the weights of each variant.

    :param config: of one seed.
    :param new_depth_net: begin stage 3 with a new depth net.
    :param resume: go on with the stage that was interrupted.
    """
    # (a), (a+)
    train_once(rgb_baseline, config, resume)
    more_rgb = replace(
        config, run_dir=config.run_dir / 'longer_baseline', rgb_baseline=replace(
            config.rgb_baseline, init_from=config.result_of(rgb_baseline.NAME),
            learning_rate=config.dsa.learning_rate, epochs=config.dsa.epochs,
            halve_every_epochs=config.dsa.halve_every_epochs))
    train_once(rgb_baseline, more_rgb, resume)

    # (b)
    train_once(ste_encoder, config, resume)
    train_once(ste_decoder, config, resume)
    after_stage_2 = config.result_of(ste_decoder.NAME).with_name('weights.safetensors')

    # (b+): stage 3 with an attention that is and stays 1
    longer = stage_3(
        config, config.run_dir / 'without_attention', new_depth_net, after_stage_2)
    longer = replace(longer, dsa=replace(longer.dsa, attention_rate=0.0))
    train_once(dsa, longer, resume)

    # (c)
    begun = config.dsa.init_attention_from
    if needs_attention(config):
        train_once(attention, config, resume)
        begun = config.result_of(attention.NAME)
    whole = stage_3(config, config.run_dir, new_depth_net, begun)
    train_once(dsa, whole, resume)

    # (d)
    scratch = replace(
        config, run_dir=config.run_dir / 'without_stage_1',
        ste_decoder=replace(config.ste_decoder, train_encoder=True))
    train_once(ste_decoder, scratch, resume)
    scratch = stage_3(scratch, scratch.run_dir, new_depth_net, begun)
    train_once(dsa, scratch, resume)
    return {
        'a': config.result_of(rgb_baseline.NAME), 'a+': more_rgb.result_of(rgb_baseline.NAME),
        'b': after_stage_2, 'b+': longer.weights_file, 'c': whole.weights_file,
        'd': scratch.weights_file}


def train_once(stage: ModuleType, config: Config, resume: bool) -> None:
    """Train a stage unless its result is there."""
    if not config.result_of(stage.NAME).exists():
        stage.train(config, resume)


def stage_3(
    config: Config, run_dir: Path, new_depth_net: bool, attention_from: Path | None,
) -> Config:
    """
    Return the settings of a stage 3 on the structure of ``config``'s stage 2.

    :param config: of the run that has a stage 2.
    :param run_dir: where stage 3 goes.
    :param new_depth_net: begin with a new depth net in place of stage 2's.
    :param attention_from: what to begin with in the attention; None for a random start.
    """
    after_stage_2 = config.result_of(ste_decoder.NAME)
    return replace(config, run_dir=run_dir, dsa=replace(
        config.dsa, structure=after_stage_2, init_attention_from=attention_from,
        init_depth_from=None if new_depth_net else after_stage_2))


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
            f'**{test}, Abs Rel by scene**', '', f'| | ({") | (".join(variants)}) |',
            '|---' * (len(variants) + 1) + '|']
        first, *_ = variants.values()
        for scene in first[0]:
            cells = [mean_and_deviation([seed[scene] for seed in seeds])
                     for seeds in variants.values()]
            lines.append(f'| {scene} | {" | ".join(cells)} |')
        lines.append('')
    return '\n'.join(lines)


def mean_and_deviation(values: Sequence[float | None]) -> str:
    """Return the mean and, of two or more values, the sample deviation."""
    numbers = np.array(values, float)
    spread = f' ± {numbers.std(ddof=1):.3f}' if len(numbers) > 1 else ''
    return f'{numbers.mean():.3f}{spread}'


def short_name(scene: str) -> str:
    """Return what tells a scene from the others of its data set: world and variation."""
    return '/'.join(PurePath(scene).parts[-2:])
