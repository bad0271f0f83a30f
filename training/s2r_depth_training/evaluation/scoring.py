"""Every method on every frame: the figures of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from s2r_depth_ros.jobs.pools import Pool
from s2r_depth_ros.jobs.run import in_order
from s2r_depth_ros.jobs.worker import JobsError

from ..data.sample import DataError, SampleReader
from .boundaries import boundary_errors
from .frames import Geometry, SkippedFrames
from .methods import Method, methods_of, Networks, TRIVIAL_METHODS
from .metrics import depth_errors, errors_by_distance, median_ratio, style_change, tilted_to_truth
from .protocols import fit_to_truth, NotMeasurableError, Protocol


class MethodScores(NamedTuple):
    """The figures of one method: by frame, and the style change by geometry with variants."""

    frames: list[dict[str, Any]]
    style_changes: list[float]


class GeometryScores(NamedTuple):
    """The figures of one geometry by method, and why frames of it could not be scored."""

    methods: dict[str, MethodScores]
    skipped: list[str]


@dataclass(frozen=True)
class Scorer:
    """
    Runs every method on the frames of a geometry.

    :param reader: the data set.
    :param geometries: what to measure.
    :param methods: at least one, by name.
    :param protocol: how.
    :param root: the data set's folder, from which frames are named.
    """

    reader: SampleReader
    geometries: Sequence[Geometry]
    methods: Mapping[str, Method]
    protocol: Protocol
    root: Path

    @cached_property
    def _profiles(self) -> np.ndarray:
        return np.stack([geometry.row_profile for geometry in self.geometries])

    def __call__(self, number: int) -> GeometryScores:
        """
        Score a geometry; a frame on which a method fails is scored for none.

        :param number: the number of the geometry.
        """
        scores = {name: MethodScores([], []) for name in self.methods}
        skipped: list[str] = []
        others = np.delete(self._profiles, number, axis=0)
        variants: list[dict[str, np.ndarray]] = []
        for index in self.geometries[number].indices:
            sample = self.reader[index]
            try:
                depths_m = {
                    name: fit_to_truth(
                        predict(sample, others), sample.depth_m.shape, self.protocol
                    )
                    for name, predict in self.methods.items()
                }
            except NotMeasurableError as error:
                skipped.append(f'{sample.name}: {error}')
                continue
            variants.append(depths_m)
            for name, depth_m in depths_m.items():
                scores[name].frames.append(
                    {
                        'index': index,
                        'name': os.path.relpath(sample.name, self.root),
                        **score_frame(depth_m, sample.depth_m, self.protocol),
                    }
                )
        if len(variants) > 1:
            mask = self.protocol.valid_mask(sample.depth_m)
            for name in self.methods:
                scores[name].style_changes.append(
                    style_change([variant[name] for variant in variants], mask)
                )
        return GeometryScores(scores, skipped)


def load_scorer(
    networks: Networks,
    reader: SampleReader,
    geometries: Sequence[Geometry],
    protocol: Protocol,
    root: Path,
) -> Scorer:
    """Make the scorer of a worker, which loads the networks itself; see :class:`Scorer`."""
    _, methods = methods_of(networks)
    if len(geometries) > 1:
        methods |= TRIVIAL_METHODS
    return Scorer(reader, geometries, methods, protocol, root)


def score(
    make: Callable[[], Scorer],
    methods: Sequence[str],
    count: int,
    skipped: SkippedFrames,
    pool: Pool | None = None,
) -> dict[str, MethodScores]:
    """
    Run every method on every frame.

    :param make: makes the scorer, in each worker of the pool.
    :param methods: the names of its methods.
    :param count: the number of its geometries.
    :param skipped: takes the frames on which a method fails.
    :param pool: the workers; None for this process.
    :returns: by the methods' names, in the order of the geometries, whatever the pool; all hold
        the same frames, at least one.
    :raises DataError: too many frames were skipped, or all.
    :raises JobsError: no worker can work, or a geometry ended several of them.
    """
    scores = {name: MethodScores([], []) for name in methods}
    with closing(_scored(make, count, pool)) as results:
        for result in tqdm(results, total=count, desc='predicting', unit='frame', disable=None):
            for reason in result.skipped:
                skipped.add(reason)
            for name, part in result.methods.items():
                scores[name].frames.extend(part.frames)
                scores[name].style_changes.extend(part.style_changes)
    if not next(iter(scores.values())).frames:
        raise DataError(f'no frame could be scored; the last: {skipped.reasons[-1]}')
    return scores


def _scored(
    make: Callable[[], Scorer], count: int, pool: Pool | None
) -> Generator[GeometryScores, None, None]:
    """Yield the scores of all geometries; of one that ended its workers, why it has none."""
    if pool is None:
        yield from map(make(), range(count))
        return
    with closing(in_order(make, range(count), pool)) as results:
        for result in results:
            if result.trace:
                raise JobsError(f'geometry {result.name}: {result.fault}\n{result.trace}')
            yield result.value or GeometryScores({}, [f'geometry {result.name}: {result.fault}'])


def score_frame(depth_m: np.ndarray, truth_m: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """
    Compare one prediction with the truth.

    :param depth_m: (H, W) float32, as `fit_to_truth` returns it.
    :param truth_m: (H, W) float32.
    :param protocol: tells what counts.
    :returns: the frame's figures as results.json holds them.
    """
    mask = protocol.valid_mask(truth_m)
    predicted, true = depth_m[mask].astype(np.float64), truth_m[mask].astype(np.float64)
    ratio = median_ratio(predicted, true)
    treated = {'median_scaled': predicted * ratio, 'unscaled': predicted}
    boundary = boundary_errors(depth_m, truth_m, protocol)
    tilted = tilted_to_truth(depth_m, truth_m, mask)
    return {
        'median_ratio': ratio,
        'tilted_abs_rel': depth_errors(tilted, true).abs_rel,
        **{kind: depth_errors(depths, true)._asdict() for kind, depths in treated.items()},
        'by_distance': {
            kind: [
                errors and errors._asdict()
                for errors in errors_by_distance(depths, true, protocol.bin_edges_m)
            ]
            for kind, depths in treated.items()
        },
        'boundary': boundary and boundary._asdict(),
    }
