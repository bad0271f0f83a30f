"""`s2r_train evaluate`: measure weights on frames with true depth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict
from functools import partial
import json
import math
import os
from pathlib import Path
from typing import Any, Literal

RESULTS_FILE = 'results.json'
REPORT_FILE = 'report.html'


def evaluate(
    weights: str,
    dataset: str,
    root: Path,
    out: Path,
    protocol: Literal['kitti', 'kitti-50m', 'nyu'] = 'kitti',
    weights_baseline: str | None = None,
    dataset_options: dict[str, Any] | None = None,
    limit: int | None = None,
    pictures: int = 8,
    max_skipped: int = 10,
    device: str = 'auto',
    scale_source: Literal['fixed', 'ground_plane', 'reference'] = 'fixed',
    camera_height_m: float | None = None,
    attention: Literal['own', 'even', 'mirrored'] = 'own',
    scene_pattern: str | None = None,
    edge_filter: float = 0.0,
    obstacles: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    cluster: str | None = None,
) -> dict[str, Any]:
    """
    Measure weights on frames with true depth, beside what trivial predictors reach.

    Prints a table; writes OUT/results.json (all figures, also per frame and per scene) and
    OUT/report.html (one page with pictures). docs/reference/evaluation.md explains each figure.

    :param weights: a safetensors file, a folder with the four published .pth files, 'outdoor' or
        'indoor' for the bundled ones, or the result.pt of the RGB baseline.
    :param dataset: kind of data set: one of the names that the stages take, or 'manifest'.
    :param root: its folder.
    :param out: folder for the results, made where it is missing.
    :param protocol: kitti: up to 80 m in the Garg crop; kitti-50m: up to 50 m; nyu: up to 8 m in
        the whole image.
    :param weights_baseline: other weights to measure on the same frames, of the same kinds.
    :param dataset_options: of the reader, such as {split_file: FILE} of kitti_raw.
    :param limit: measure this many frames, evenly chosen; of a data set with style variants so
        many geometries, each in all of its variants.
    :param pictures: frames to show on the page, evenly from the best to the worst.
    :param max_skipped: stop when more frames than this are corrupt, hold no depth that counts, or
        get a prediction that is not finite. What is skipped is named in all results.
    :param device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
    :param scale_source: what tells the scale of the network's depth, as for the node, from each
        frame only: nothing; the camera's height; or a random 0.5 % of the true depths. Where the
        scale cannot be measured, it is 1.
    :param camera_height_m: of the optical centre above the ground, for ground_plane.
    :param attention: even or mirrored put another map in the place of the weights' own attention,
        which shows what it is worth to them.
    :param scene_pattern: a regular expression; frames in whose file names it finds the same are
        one scene, and each in which it finds nothing is one by itself. By default a scene is the
        folder that a frame lies in.
    :param edge_filter: strength of the node's filter; above 0, measure the points in the air
        before and after it, and how well the confidence finds the errors.
    :param obstacles: count the cells of a grid before the camera that are found as obstacles, and
        the free ones that are wrongly marked, without and with the filters of the node.
    :param overwrite: replace the results in OUT.
    :param workers: processes of one thread each that score frames; the results do not depend on
        their number. By default this process scores them with all of its threads.
    :param cluster: HOST:PORT of a Ray cluster to score on, or auto for the one of this machine.
    :returns: the content of results.json.
    :raises DataError: the data set is not as expected, or too many frames were skipped.
    :raises WeightsError: the weights cannot be used.
    :raises TrainingError: a result.pt is missing, damaged, or not of the RGB baseline.
    :raises FileExistsError: OUT has results already.
    :raises OSError: OUT cannot be written.
    :raises ValueError: a number is out of the range that makes sense.
    :raises JobsError: no worker can work.
    """
    # The help of the command line needs none of these, and PyTorch takes seconds.
    from s2r_depth_ros.atomic_files import atomic_file
    from s2r_depth_ros.jobs.pools import pool_of

    from ..data import open_dataset
    from . import report
    from .clean import clean_table, measure_clean
    from .frames import read_geometries, SkippedFrames
    from .methods import methods_of, Networks, TRIVIAL_METHODS
    from .obstacles import cells_table, score_obstacles
    from .panels import draw_best_to_worst
    from .protocols import PROTOCOLS
    from .scoring import load_scorer, score, Scorer
    from .summary import difference, scenes_by, summary

    for name, value, least, most in (
        ('limit', limit, 1, math.inf),
        ('pictures', pictures, 0, math.inf),
        ('max_skipped', max_skipped, 0, math.inf),
        ('edge_filter', edge_filter, 0, 100),  # as of the node
        ('camera_height_m', camera_height_m, 0, 1000),
        ('workers', workers, 1, math.inf),
    ):
        if value is not None and not least <= value <= most:
            limit_broken = f'at least {least}' if value < least else f'at most {most}'
            raise ValueError(f'{name} must be {limit_broken}, got {value}')
    if scale_source == 'ground_plane' and not (camera_height_m and camera_height_m > 0):
        raise ValueError(
            'scale_source ground_plane needs camera_height_m, the metres of the '
            'camera above the ground'
        )
    scene_of = scenes_by(scene_pattern)
    rules = PROTOCOLS[protocol]
    networks = Networks(
        str(weights),
        weights_baseline and str(weights_baseline),
        device,
        attention,
        scale_source,
        camera_height_m or 0.0,
    )
    predictor, methods = methods_of(networks)
    reader = open_dataset(dataset, root, **(dataset_options or {}))
    is_here = workers is None and cluster is None
    pool = None if is_here else pool_of(workers, cluster)
    with nullcontext() if pool is None else closing(pool):
        _prepare(out, overwrite)
        skipped = SkippedFrames(max_skipped)
        geometries = read_geometries(reader, limit, rules, skipped)
        if len(geometries) > 1:
            methods |= TRIVIAL_METHODS
        make: Callable[[], Scorer] = partial(Scorer, reader, geometries, methods, rules, root)
        if pool is not None:
            place = root if cluster is None else root.absolute()
            there = open_dataset(dataset, place, **(dataset_options or {}))
            make = partial(load_scorer, networks.elsewhere(), there, geometries, rules, place)
        scores = score(make, list(methods), len(geometries), skipped, pool)
    results = {
        'title': (
            f'{protocol} protocol, {len(scores["network"].frames)} frames of {root.resolve().name}'
        ),
        'dataset': dataset,
        'dataset_options': dataset_options,
        'root': str(root),
        'weights': str(weights),
        'weights_baseline': weights_baseline and str(weights_baseline),
        'scale_source': scale_source,
        'camera_height_m': camera_height_m,
        'attention': attention,
        'scene_pattern': scene_pattern,
        'protocol': asdict(rules),
        'skipped': skipped.reasons,
        'methods': [
            {
                **summary(name, scores[name], scene_of),
                'network_less_this': None
                if name == 'network'
                else difference(scores['network'].frames, scores[name].frames),
            }
            for name in methods
        ],
    }
    if edge_filter:
        indices = [frame['index'] for frame in scores['network'].frames]
        clean = measure_clean(reader, indices, predictor, rules, edge_filter)
        results['clean'] = clean
    cells = None
    if obstacles:
        indices = [index for geometry in geometries for index in geometry.indices]
        cells = results['obstacles'] = score_obstacles(reader, indices, predictor)
    print(report.table(results))
    if edge_filter:
        print(clean_table(clean))
    for reason in skipped.reasons:
        print(f'not scored: {reason}')
    if cells is not None:
        print(f'\n{cells_table(cells)}')
        for reason in cells['skipped']:
            print(f'not counted: {reason}')
    panels = draw_best_to_worst(
        reader, predictor, methods['network'], scores['network'].frames, pictures, rules
    )
    try:
        with atomic_file(out / RESULTS_FILE) as figures, atomic_file(out / REPORT_FILE) as page:
            figures.write_text(json.dumps(results, indent=1, allow_nan=False), encoding='utf-8')
            report.write_page(page, results, panels)
    except OSError as error:
        error.filename = str(out)  # which a full disk does not name
        raise
    print(f'\nwrote {out / RESULTS_FILE} and {out / REPORT_FILE}')
    return results


def _prepare(out: Path, overwrite: bool) -> None:
    """Make the folder, and see that results can go there, before anything is computed."""
    present = [name for name in (RESULTS_FILE, REPORT_FILE) if (out / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f'{out / present[0]} is there already: give another folder, or --overwrite=true'
        )
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f'the folder {out} cannot be written to')
