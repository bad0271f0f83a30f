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
    Measure the errors of weights, and of trivial predictors, on frames with true depth.

    The function prints a table. It writes OUT/results.json with all figures, also of each frame
    and scene, and OUT/report.html with pictures. docs/reference/evaluation.md explains the
    figures.

    :param weights: a safetensors file, a folder with the four published .pth files, 'outdoor' or
        'indoor' for the bundled ones, or the result.pt of the RGB baseline.
    :param dataset: name of the reader, as in docs/reference/datasets.md, such as kitti_raw or
        manifest.
    :param root: folder of the data set.
    :param out: folder for the results; it is created if it is missing.
    :param protocol: kitti: up to 80 m in the Garg crop; kitti-50m: up to 50 m; nyu: up to 8 m in
        the whole image.
    :param weights_baseline: other weights to measure on the same frames; the same kinds of files.
    :param dataset_options: options of the reader, such as {split_file: FILE} for kitti_raw.
    :param limit: number of frames to measure, evenly chosen. In a data set with style variants, it
        is the number of scenes, each in all variants.
    :param pictures: number of frames to show in the report, evenly chosen from the best to the
        worst.
    :param max_skipped: fail if more frames than this are corrupt, have no true depth in the range,
        or get a prediction that is not finite. All results name the skipped frames.
    :param device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
    :param scale_source: source of the scale, measured in each frame alone: fixed (no measurement),
        ground_plane (the height of the camera), or reference (a random 0.5 % of the true depths).
        If the scale cannot be measured, it is 1.
    :param camera_height_m: height of the optical centre above the ground, for ground_plane. The
        camera is assumed to be level; a pitch of up to 8 degrees is tolerated.
    :param attention: own, or a map that replaces the attention: even or mirrored. If the error
        does not change, the network ignores the attention.
    :param scene_pattern: a regular expression. Frames with the same match in their file names are
        one scene; a frame without a match is a scene of its own. By default, each folder is a
        scene.
    :param edge_filter: strength of the node's edge filter. Above 0, the result also has the points
        that float between surfaces, before and after the filter, and the error by confidence.
    :param obstacles: count the cells of a grid ahead that are correctly found as obstacles, and
        the free cells that are wrongly marked, with and without the filters of the node. Filters
        that need a judge are omitted for weights without one.
    :param overwrite: replace the results in OUT.
    :param workers: number of processes, with one thread each. The results do not depend on it. By
        default, this process uses all its threads.
    :param cluster: address (HOST:PORT) of a Ray cluster, or auto for the cluster of this machine.
    :returns: the content of results.json.
    :raises DataError: the data set is not as expected, or too many frames were skipped.
    :raises WeightsError: the weights cannot be used.
    :raises TrainingError: a result.pt is missing, damaged, or not of the RGB baseline.
    :raises FileExistsError: OUT already has results.
    :raises OSError: OUT cannot be written.
    :raises ValueError: a number is out of its range.
    :raises JobsError: all workers failed.
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
