"""`s2r_train evaluate`: measure weights on frames with true depth."""

from __future__ import annotations

from dataclasses import asdict
import math
from pathlib import Path
from typing import Any, Literal


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
    :param camera_height_m: of the optical centre above the ground, for ground_plane. The camera
        counts as level; a pitch of up to 8 degrees is tolerated.
    :param attention: even or mirrored put another map in the place of the weights' own attention,
        which shows what it is worth to them.
    :param scene_pattern: a regular expression; frames in whose file names it finds the same are
        one scene, and each in which it finds nothing is one by itself. By default a scene is the
        folder that a frame lies in.
    :param edge_filter: strength of the node's filter; above 0, measure the points in the air
        before and after it, and how well the confidence finds the errors.
    :param obstacles: count the cells of a grid before the camera that are found as obstacles, and
        the free ones that are wrongly marked, without and with the filters of the node. Those that
        need a judge are left out for weights without one.
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
    _check_numbers(
        limit=(limit, 1, math.inf),
        pictures=(pictures, 0, math.inf),
        max_skipped=(max_skipped, 0, math.inf),
        edge_filter=(edge_filter, 0, 100),  # as of the node
        camera_height_m=(camera_height_m, 0, 1000),
        workers=(workers, 1, math.inf),
    )
    if scale_source == 'ground_plane' and not (camera_height_m and camera_height_m > 0):
        raise ValueError(
            'scale_source ground_plane needs camera_height_m, the metres of the '
            'camera above the ground'
        )
    if camera_height_m and scale_source != 'ground_plane':
        raise ValueError(
            f'camera_height_m {camera_height_m:g} has no effect with scale_source '
            f'{scale_source}: choose ground_plane, or leave the height out'
        )
    # The help of the command line needs none of these, and PyTorch takes seconds.
    from .clean import measure_clean
    from .frames import SkippedFrames
    from .measure import DataSet, method_rows, pool_for, prepare, print_tables, score_frames, write
    from .methods import methods_of, Networks
    from .obstacles import score_obstacles
    from .panels import draw_best_to_worst
    from .protocols import PROTOCOLS
    from .summary import scenes_by

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
    place = root if cluster is None else root.absolute()
    data = DataSet(dataset, place, dataset_options or {})
    reader = data.open()
    skipped = SkippedFrames(max_skipped)
    with pool_for(workers, cluster) as pool:
        prepare(out, overwrite)
        scored = score_frames(data, reader, networks, methods, rules, limit, skipped, pool)
    frames = scored.methods['network'].frames
    results: dict[str, Any] = {
        'title': f'{protocol} protocol, {len(frames)} frames of {root.resolve().name}',
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
        'methods': method_rows(scored.methods, scene_of),
    }
    if edge_filter:
        results['clean'] = measure_clean(reader, scored.indices, predictor, rules, edge_filter)
    if obstacles:
        results['obstacles'] = score_obstacles(reader, scored.all_indices, predictor)
    print_tables(results)
    shown = draw_best_to_worst(reader, predictor, methods['network'], frames, pictures, rules)
    write(out, results, shown)
    return results


def _check_numbers(**numbers: tuple[float | None, float, float]) -> None:
    """Check numbers, each with its least and greatest value; None is right."""
    for name, (value, least, most) in numbers.items():
        if value is not None and not least <= value <= most:
            limit_broken = f'at least {least}' if value < least else f'at most {most}'
            raise ValueError(f'{name} must be {limit_broken}, got {value}')
