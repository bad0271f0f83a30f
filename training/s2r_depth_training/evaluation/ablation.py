"""``s2r_train ablation``: the effect of structure and attention, over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
import json
from pathlib import Path
from typing import Any, Literal, TYPE_CHECKING

from ..errors import TrainingError
from . import RESULTS_FILE
from .ablation_tables import figures_of, scene_tables, short_name, tables, VARIANTS
from .evaluate import evaluate

if TYPE_CHECKING:
    from ..config import Config


@dataclass(frozen=True)
class TestSet:
    """
    Frames on which every variant is measured, as for ``s2r_train evaluate``.

    :param dataset: name of the reader.
    :param root: folder of the data set.
    :param protocol: protocol of the evaluation.
    :param options: options of the reader.
    :param by_scene: also list each scene, for a few scenes with a meaning.
    """

    __test__ = False  # or pytest takes it for a test

    dataset: str
    root: Path
    protocol: Literal['kitti', 'kitti-50m', 'nyu'] = 'kitti'
    options: dict[str, Any] = field(default_factory=dict)
    by_scene: bool = False


def ablation(
    config: Config,
    tests: dict[str, TestSet],
    seeds: Sequence[int] = (1, 2, 3),
    new_depth_net: bool = False,
    resume: bool = False,
) -> Path:
    """
    Train and measure variants of the method with equal data, schedule and size.

    Complete parts are skipped. So an interrupted run can continue, and several processes can each
    train some of the seeds. A last call with all seeds then writes the tables.

    :param config: settings of the runs, which are written to ``run_dir/seed_N``. Its seed is not
        used.
    :param tests: test sets by name.
    :param seeds: seeds; each variant is trained once for each seed.
    :param new_depth_net: start stage 3 with a new depth network, as published, instead of that of
        stage 2.
    :param resume: continue the stage that was interrupted.
    :returns: the page with the tables, ``run_dir/ablation.md``; ``ablation.json`` is beside it.
    :raises TrainingError: if a stage cannot start or continue, or there is nothing to do.
    :raises DataError: if a test set is not as expected.
    """
    # The help of the command line needs none of these, and PyTorch takes seconds.
    from ..data import open_dataset
    from ..engine.checkpoints import write_json
    from .variants import train_variants

    if not seeds or not tests:
        raise TrainingError('an ablation needs at least one seed and one test set')
    if len(set(seeds)) < len(seeds):
        raise TrainingError(f'seeds must differ from each other, got {list(seeds)}')
    try:
        configs = [
            replace(config, seed=seed, run_dir=config.run_dir / f'seed_{seed}') for seed in seeds
        ]
    except ValueError as error:
        raise TrainingError(f'seeds: {error}') from error
    for frames in tests.values():  # report errors of the test sets before hours of training
        open_dataset(frames.dataset, frames.root, **frames.options)
    figures: dict[str, dict[str, list[dict[str, float | None]]]] = {
        test: {variant: [] for variant in VARIANTS} for test in tests
    }
    scenes: dict[str, dict[str, list[dict[str, float]]]] = {
        test: {variant: [] for variant in VARIANTS}
        for test, frames in tests.items()
        if frames.by_scene
    }
    for run in configs:
        trained = train_variants(run, new_depth_net, resume)
        for test, frames in tests.items():
            for variant, weights in trained.items():
                out = run.run_dir / 'evaluation' / test / variant
                method = evaluate_once(weights, frames, out)
                figures[test][variant].append(figures_of(method))
                if frames.by_scene:
                    scenes[test][variant].append(
                        {
                            short_name(scene): mean['median_scaled']['abs_rel']
                            for scene, mean in method['scenes'].items()
                        }
                    )
    write_json(
        config.run_dir / 'ablation.json',
        {'seeds': list(seeds), 'tests': figures, 'scenes': scenes},
    )
    page = config.run_dir / 'ablation.md'
    page.write_text('\n'.join((tables(figures), scene_tables(scenes))), encoding='utf-8')
    print(page.read_text('utf-8'))
    return page


def evaluate_once(weights: Path, frames: TestSet, out: Path) -> dict[str, Any]:
    """Return the figures of one network on one test set, from an earlier call if it was alike."""
    from ..engine.checkpoints import write_json

    file, key_file = out / RESULTS_FILE, out / 'measured.json'
    key = {
        'weights_time_ns': weights.stat().st_mtime_ns,
        **asdict(frames),
        'root': str(frames.root),
    }
    is_done = file.exists() and key_file.exists()
    if is_done and json.loads(key_file.read_text('utf-8')) == key:
        results = json.loads(file.read_text('utf-8'))
    else:
        results = evaluate(
            str(weights),
            frames.dataset,
            frames.root,
            out,
            frames.protocol,
            dataset_options=frames.options,
            pictures=4,
            overwrite=True,
        )
        write_json(key_file, key)
    return results['methods'][0]
