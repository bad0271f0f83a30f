"""`s2r_train evaluate`: measure weights on frames with true depth."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path, PurePath
import re
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from s2r_depth_ros.predictor import DepthPredictor
from s2r_depth_ros.scale import NoScaleError, scale_from_ground, scale_from_reference
from s2r_depth_ros.weights import load_with_info

from . import report
from .data import open_dataset
from .data.sample import CorruptSampleError, DataError, Sample, SampleReader
from .data.vkitti import VKitti, VKitti2
from .metrics import (
    boundary_errors,
    depth_by_row,
    depth_errors,
    errors_by_distance,
    fit_to_truth,
    median_ratio,
    NotMeasurableError,
    Protocol,
    PROTOCOLS,
    row_profile,
    style_change,
    tilted_to_truth,
)
from .other_attention import Attention, with_attention
from .stages import rgb_baseline

RESULTS_FILE = 'results.json'
REPORT_FILE = 'report.html'

REFERENCE_SHARE = 0.005  # of the true depths: one in two hundred

# A method sees a frame, and the row profiles of all other geometries.
Method = Callable[[Sample, np.ndarray], np.ndarray]


class Geometry(NamedTuple):
    """Frames of one geometry: its style variants, or a single frame; and its rows' depth."""

    indices: list[int]
    row_profile: np.ndarray


class MethodScores(NamedTuple):
    """What one method achieved: by frame, and the style change by geometry with variants."""

    frames: list[dict[str, Any]]
    style_changes: list[float]


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
    attention: Attention = 'own',
    scene_pattern: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """
    Measure weights on frames with true depth, beside what trivial predictors reach.

    Prints a table; writes OUT/results.json (all figures, also per frame and per scene) and
    OUT/report.html (one page with pictures). docs/evaluation.md explains each figure.

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
        frame alone: nothing; the camera's height; or a random 0.5 % of the true depths. Where the
        scale cannot be told, it is 1.
    :param camera_height_m: of the optical centre above the ground, for ground_plane.
    :param attention: even or mirrored put another map in the place of the weights' own attention,
        which shows what it is worth to them.
    :param scene_pattern: a regular expression; frames in whose file names it finds the same are
        one scene, and each in which it finds nothing is one by itself. By default a scene is the
        folder that a frame lies in.
    :param overwrite: replace the results in OUT.
    :returns: what results.json holds.
    :raises DataError: the data set is not as expected, or too many frames were skipped.
    :raises WeightsError: the weights cannot be used.
    :raises TrainingError: a result.pt is missing, damaged, or not of the RGB baseline.
    :raises FileExistsError: OUT has results already.
    :raises OSError: OUT cannot be written.
    :raises ValueError: a number is below what makes sense.
    """
    for name, value, least in (
            ('limit', limit, 1), ('pictures', pictures, 0), ('max_skipped', max_skipped, 0)):
        if value is not None and value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}')
    if scale_source == 'ground_plane' and not (camera_height_m and camera_height_m > 0):
        raise ValueError('scale_source ground_plane needs camera_height_m, the metres of the '
                         'camera above the ground')
    scene_of = scenes_by(scene_pattern)
    rules = PROTOCOLS[protocol]
    predictor = _load_predictor(weights, device, attention)
    methods: dict[str, Method] = {
        'network': _network(predictor, scale_source, camera_height_m or 0.0)}
    if weights_baseline is not None:
        methods['baseline'] = _network(
            _load_predictor(weights_baseline, device), scale_source, camera_height_m or 0.0)
    reader = open_dataset(dataset, root, **(dataset_options or {}))
    _prepare(out, overwrite)
    skipped = Skipped(max_skipped)
    geometries = read_geometries(reader, limit, rules, skipped)
    if len(geometries) > 1:
        methods |= TRIVIAL_METHODS

    scores = score(reader, geometries, methods, rules, skipped, root)
    results = {
        'title': (f'{protocol} protocol, {len(scores["network"].frames)} frames of '
                  f'{root.resolve().name}'),
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
            {**summary(name, scores[name], scene_of),
             'network_less_this': None if name == 'network' else difference(
                 scores['network'].frames, scores[name].frames)} for name in methods],
    }
    print(report.table(results))
    for reason in skipped.reasons:
        print(f'not scored: {reason}')
    (out / RESULTS_FILE).write_text(
        json.dumps(results, indent=1, allow_nan=False), encoding='utf-8')
    panels = draw_best_to_worst(
        reader, predictor, methods['network'], scores['network'].frames, pictures, rules)
    report.write_page(out / REPORT_FILE, results, panels)
    print(f'\nwrote {out / RESULTS_FILE} and {out / REPORT_FILE}')
    return results


def _prepare(out: Path, overwrite: bool) -> None:
    """Make the folder, and see that results can go there, before anything is computed."""
    present = [name for name in (RESULTS_FILE, REPORT_FILE) if (out / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f'{out / present[0]} is there already: give another folder, or --overwrite=true')
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f'the folder {out} cannot be written to')


class Skipped:
    """
    Why frames could not be scored; each reason names its file.

    :param most: raise at one more than this.
    """

    def __init__(self, most: int):
        self.most = most
        self.reasons: list[str] = []

    def add(self, reason: str) -> None:
        """
        Note a frame.

        :raises DataError: too many were skipped.
        """
        self.reasons.append(reason)
        if len(self.reasons) > self.most:
            raise DataError(
                f'{len(self.reasons)} frames could not be scored, more than the {self.most} '
                f'allowed (max_skipped); the last: {reason}')


def _load_predictor(
    weights: str, device: str, attention: Attention = 'own',
) -> DepthPredictor:
    if Path(weights).suffix == '.pt':
        if attention != 'own':
            raise ValueError(f'attention must be own for {weights}, which has none')
        return rgb_baseline.load_predictor(Path(weights), device)
    if attention == 'own':
        return DepthPredictor(weights, device)
    network, info = load_with_info(weights)
    return DepthPredictor.of(with_attention(network, attention), info, device)


def _network(predictor: DepthPredictor, scale_source: str, camera_height_m: float) -> Method:
    def predict(sample: Sample, _others: np.ndarray) -> np.ndarray:
        intrinsics = _known(sample.intrinsics)
        depth_m, = predictor.predict([sample.image], [intrinsics])
        far_m = predictor.far_m(depth_m.shape, intrinsics)
        measured_m = np.where(depth_m < far_m, depth_m, np.nan)
        try:
            if scale_source == 'ground_plane' and intrinsics is not None:
                return depth_m * scale_from_ground(measured_m, intrinsics, camera_height_m).factor
            if scale_source == 'reference':
                chosen = np.random.default_rng(0).random(sample.depth_m.shape) < REFERENCE_SHARE
                reference_m = np.where(chosen, sample.depth_m, np.nan)
                return depth_m * scale_from_reference(measured_m, reference_m).factor
        except NoScaleError as reason:
            print(f'{sample.name}: scale 1: {reason}')
        return depth_m

    return predict


def _known(intrinsics: np.ndarray) -> np.ndarray | None:
    """Return None where the data set does not know the camera."""
    return intrinsics if np.isfinite(intrinsics).all() else None


def _by_row(sample: Sample, others: np.ndarray) -> np.ndarray:
    return depth_by_row(others, sample.depth_m.shape)


def _constant(sample: Sample, others: np.ndarray) -> np.ndarray:
    return np.full(sample.depth_m.shape, np.nanmedian(others), np.float32)


TRIVIAL_METHODS: dict[str, Method] = {'depth by row': _by_row, 'one constant': _constant}


def read_geometries(
    reader: SampleReader, limit: int | None, protocol: Protocol, skipped: Skipped,
) -> list[Geometry]:
    """
    Read all true depths once: which frames can be scored, and what trivial predictors may know.

    :param reader: the data set.
    :param limit: most geometries, evenly chosen; None: all.
    :param protocol: what counts.
    :param skipped: takes the frames that cannot be scored.
    :returns: one entry per geometry, in the data set's order.
    :raises DataError: none can be scored, or too many cannot.
    """
    variants = group_by_geometry(reader)
    if limit is not None and limit < len(variants):
        chosen = np.linspace(0, len(variants) - 1, limit).round().astype(int)
        variants = [variants[number] for number in chosen]
    geometries = []
    for indices in tqdm(variants, desc='reading true depth', unit='frame', disable=None):
        usable = []
        for index in indices:
            try:
                sample = reader[index]
                profile = row_profile(sample.depth_m, protocol)
                usable.append(index)
            except CorruptSampleError as error:
                skipped.add(str(error))
            except NotMeasurableError as error:
                skipped.add(f'{sample.name}: {error}')
        if usable:
            geometries.append(Geometry(usable, profile))
    if not geometries:
        raise DataError(f'no frame can be scored; the last: {skipped.reasons[-1]}')
    return geometries


def group_by_geometry(reader: SampleReader) -> list[list[int]]:
    """
    Find the frames that differ in style alone.

    :param reader: the data set.
    :returns: the indices of each geometry: style variants of vKITTI's layouts, else single frames.
    """
    if not isinstance(reader, VKitti | VKitti2):
        return [[index] for index in range(len(reader))]
    groups = defaultdict(list)
    for index, frame in enumerate(reader.frames):
        groups[frame.world, frame.camera, frame.number].append(index)
    return list(groups.values())


def score(
    reader: SampleReader,
    geometries: Sequence[Geometry],
    methods: Mapping[str, Method],
    protocol: Protocol,
    skipped: Skipped,
    root: Path,
) -> dict[str, MethodScores]:
    """
    Run every method on every frame.

    :param reader: the data set.
    :param geometries: what to measure.
    :param methods: at least one, by name.
    :param protocol: how.
    :param skipped: takes the frames on which a method fails; no method is scored on them.
    :param root: the data set's folder, from which frames are named.
    :returns: by the methods' names; all hold the same frames, at least one.
    :raises DataError: too many frames were skipped, or all.
    """
    scores = {name: MethodScores([], []) for name in methods}
    profiles = np.stack([geometry.row_profile for geometry in geometries])
    for number, geometry in enumerate(
            tqdm(geometries, desc='predicting', unit='frame', disable=None)):
        others = np.delete(profiles, number, axis=0)
        variants: list[dict[str, np.ndarray]] = []
        for index in geometry.indices:
            sample = reader[index]
            try:
                depths_m = {
                    name: fit_to_truth(predict(sample, others), sample.depth_m.shape, protocol)
                    for name, predict in methods.items()}
            except NotMeasurableError as error:
                skipped.add(f'{sample.name}: {error}')
                continue
            variants.append(depths_m)
            for name, depth_m in depths_m.items():
                scores[name].frames.append({
                    'index': index, 'name': os.path.relpath(sample.name, root),
                    **score_frame(depth_m, sample.depth_m, protocol)})
        if len(variants) > 1:
            counted = protocol.counted(sample.depth_m)
            for name in methods:
                scores[name].style_changes.append(
                    style_change([variant[name] for variant in variants], counted))
    if not next(iter(scores.values())).frames:
        raise DataError(f'no frame could be scored; the last: {skipped.reasons[-1]}')
    return scores


def score_frame(depth_m: np.ndarray, truth_m: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """
    Compare one prediction with the truth.

    :param depth_m: (H, W) float32, as `fit_to_truth` returns it.
    :param truth_m: (H, W) float32.
    :param protocol: tells what counts.
    :returns: the frame's figures as results.json holds them.
    """
    counted = protocol.counted(truth_m)
    predicted, true = depth_m[counted].astype(np.float64), truth_m[counted].astype(np.float64)
    ratio = median_ratio(predicted, true)
    treated = {'median_scaled': predicted * ratio, 'unscaled': predicted}
    boundary = boundary_errors(depth_m, truth_m, protocol)
    tilted = tilted_to_truth(depth_m, truth_m, counted)
    return {
        'median_ratio': ratio,
        'tilted_abs_rel': depth_errors(tilted, true).abs_rel,
        **{kind: depth_errors(depths, true)._asdict() for kind, depths in treated.items()},
        'by_distance': {
            kind: [errors and errors._asdict()
                   for errors in errors_by_distance(depths, true, protocol.bin_edges_m)]
            for kind, depths in treated.items()},
        'boundary': boundary and boundary._asdict(),
    }


def scenes_by(pattern: str | None) -> Callable[[str], str]:
    """
    Return what tells the scene of a frame from the frame's name.

    :param pattern: as `evaluate` takes it.
    :raises ValueError: it is not a regular expression.
    """
    if pattern is None:
        return lambda name: str(PurePath(name).parent)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f'scene_pattern must be a regular expression, got {pattern!r}: {error}') from error

    def scene(name: str) -> str:
        found = compiled.search(name)
        return found[0] if found and found[0] else name

    return scene


def summary(
    method: str, scores: MethodScores, scene_of: Callable[[str], str],
) -> dict[str, Any]:
    """
    Average one method's figures over frames, over the frames of each scene, and over scenes.

    :param method: its name.
    :param scores: of at least one frame.
    :param scene_of: tells a frame's scene from its name.
    :returns: what results.json holds of a method.
    """
    scenes = defaultdict(list)
    for frame in scores.frames:
        scenes[scene_of(frame['name'])].append(frame)
    by_scene = {scene: average(frames) for scene, frames in scenes.items()}
    return {
        'name': method,
        'mean': average(scores.frames),
        'mean_over_scenes': {
            kind: mean([scene[kind] for scene in by_scene.values()]) for kind in report.KINDS},
        'style_change': float(np.mean(scores.style_changes)) if scores.style_changes else None,
        'scenes': by_scene,
        'frames': scores.frames,
    }


def average(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Average over images, each with the same weight, however many pixels count in it.

    :param frames: at least one, each with the figures of `score_frame`.
    :returns: the same figures; those that no frame has are None.
    """
    ratios = [frame['median_ratio'] for frame in frames]
    return {
        'frames': len(frames),
        'median_ratio': float(np.mean(ratios)),
        'median_ratio_deviation': float(np.std(ratios)),
        'tilted_abs_rel': float(np.mean([frame['tilted_abs_rel'] for frame in frames])),
        **{kind: mean([frame[kind] for frame in frames]) for kind in report.KINDS},
        'by_distance': {
            kind: [mean(bins) for bins in zip(*(frame['by_distance'][kind] for frame in frames))]
            for kind in report.KINDS},
        'boundary': mean([frame['boundary'] for frame in frames]),
    }


def mean(figures: Sequence[Mapping[str, float] | None]) -> dict[str, float] | None:
    """
    Average figures of the same names.

    :param figures: one mapping for each frame, None where it could not be measured.
    :returns: the mean of those measured; None where there is none.
    """
    measured = [each for each in figures if each is not None]
    if not measured:
        return None
    return {name: float(np.mean([each[name] for each in measured])) for name in measured[0]}


def difference(
    frames: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]],
) -> dict[str, dict[str, list[float]]] | None:
    """
    Compare two methods frame by frame: how hard a frame is, is then no matter of chance.

    :param frames: of one method.
    :param others: the same frames of the other one.
    :returns: by treatment and error the mean of first less second, and the standard error of
        that mean, which is too small where frames resemble each other; None of fewer than two.
    """
    if len(frames) < 2:
        return None
    return {
        kind: {
            name: [float(np.mean(less)), float(np.std(less, ddof=1) / np.sqrt(len(less)))]
            for name in frames[0][kind]
            for less in [[one[kind][name] - other[kind][name]
                          for one, other in zip(frames, others, strict=True)]]}
        for kind in report.KINDS}


def draw_best_to_worst(
    reader: SampleReader, predictor: DepthPredictor, measured: Method,
    frames: Sequence[Mapping[str, Any]], count: int, protocol: Protocol,
) -> list[report.FramePanels]:
    """
    Draw frames for the page, evenly chosen from the lowest to the highest Abs Rel.

    :param reader: the data set.
    :param predictor: run once more on each of them, for its maps.
    :param measured: gives the depth that was scored, with whatever scale it was given.
    :param frames: as scored.
    :param count: most frames to draw.
    :param protocol: for the colours' range.
    :returns: their pictures, the best first.
    """
    ranked = sorted(frames, key=lambda frame: frame['median_scaled']['abs_rel'])
    panels = []
    for place in np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int):
        frame = ranked[place]
        sample = reader[frame['index']]
        maps = predictor.predict_maps([sample.image], [_known(sample.intrinsics)])[0]
        maps = maps._replace(depth_m=measured(sample, np.empty((0, 0))))
        title = f'{frame["name"]}: Abs Rel {frame["median_scaled"]["abs_rel"]:.3f}'
        panels.append(report.draw_panels(title, sample, maps, frame['median_ratio'], protocol))
    return panels
