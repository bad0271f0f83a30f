"""The steps of an evaluation: score the frames, print the tables, write the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from s2r_depth_ros.atomic_files import atomic_file
from s2r_depth_ros.jobs.pools import Pool, pool_of

from ..data import open_dataset
from ..data.sample import SampleReader
from . import report, REPORT_FILE, RESULTS_FILE
from .clean import clean_table
from .frames import Geometry, read_geometries, SkippedFrames
from .methods import Method, Networks, TRIVIAL_METHODS
from .obstacles import cells_table
from .panels import FramePanels
from .protocols import Protocol
from .scoring import load_scorer, MethodScores, score, Scorer
from .summary import difference, summary


class DataSet(NamedTuple):
    """Where the frames are: the kind of the data set, its folder, and options of its reader."""

    kind: str
    root: Path
    options: dict[str, Any]

    def open(self) -> SampleReader:
        """Return the reader; exceptions as of :func:`open_dataset`."""
        return open_dataset(self.kind, self.root, **self.options)


class Scored(NamedTuple):
    """The figures of each method, and the frames that they are of."""

    geometries: list[Geometry]
    methods: dict[str, MethodScores]

    @property
    def indices(self) -> list[int]:
        """The frames for which the network has figures."""
        return [frame['index'] for frame in self.methods['network'].frames]

    @property
    def all_indices(self) -> list[int]:
        """The frames with true depth."""
        return [index for geometry in self.geometries for index in geometry.indices]


def prepare(out: Path, overwrite: bool) -> None:
    """
    Make the folder, and check that results can be written, before anything is computed.

    :raises FileExistsError: if there are results, and ``overwrite`` is False.
    :raises OSError: if the folder cannot be written to.
    """
    present = [name for name in (RESULTS_FILE, REPORT_FILE) if (out / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f'{out / present[0]} is there already: give another folder, or --overwrite=true'
        )
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f'the folder {out} cannot be written to')


@contextmanager
def pool_for(workers: int | None, cluster: str | None) -> Iterator[Pool | None]:
    """
    Open the pool of :func:`~.evaluate.evaluate`, and close it.

    :param workers: number of processes; None for those of the cluster.
    :param cluster: address of a Ray cluster; None for this machine.
    :returns: the pool; None if this process scores the frames.
    """
    if workers is None and cluster is None:
        yield None
        return
    with closing(pool_of(workers, cluster)) as pool:
        yield pool


def score_frames(
    data: DataSet,
    reader: SampleReader,
    networks: Networks,
    methods: Mapping[str, Method],
    protocol: Protocol,
    limit: int | None,
    skipped: SkippedFrames,
    pool: Pool | None,
) -> Scored:
    """
    Run the networks and the trivial predictors on frames.

    :param data: the frames, which workers open.
    :param reader: the same, for this process.
    :param networks: the networks, which workers load.
    :param methods: the same, for this process.
    :param protocol: tells what counts.
    :param limit: maximum number of geometries.
    :param skipped: takes the frames that cannot be scored.
    :param pool: the workers; None for this process.
    :raises DataError: if no frame can be scored, or too many cannot.
    """
    geometries = read_geometries(reader, limit, protocol, skipped)
    every = {**methods, **(TRIVIAL_METHODS if len(geometries) > 1 else {})}
    make: Callable[[], Scorer]
    if pool is None:
        make = partial(Scorer, reader, geometries, every, protocol, data.root)
    else:
        make = partial(
            load_scorer, networks.elsewhere(), data.open(), geometries, protocol, data.root
        )
    return Scored(geometries, score(make, list(every), len(geometries), skipped, pool))


def method_rows(
    methods: Mapping[str, MethodScores], scene_of: Callable[[str], str]
) -> list[dict[str, Any]]:
    """
    Return the figures of each method, and what the network has less.

    :param methods: the scores by name, those of the network among them.
    :param scene_of: gives the scene of a frame's name.
    """
    network = methods['network'].frames
    return [
        {
            **summary(name, scores, scene_of),
            'network_less_this': None if name == 'network' else difference(network, scores.frames),
        }
        for name, scores in methods.items()
    ]


def print_tables(results: dict[str, Any]) -> None:
    """Print the content of results.json as tables, with the frames that do not count."""
    print(report.table(results))
    if 'clean' in results:
        print(clean_table(results['clean']))
    for reason in results['skipped']:
        print(f'not scored: {reason}')
    if 'obstacles' in results:
        print(f'\n{cells_table(results["obstacles"])}')
        for reason in results['obstacles']['skipped']:
            print(f'not counted: {reason}')


def write(out: Path, results: dict[str, Any], panels: Sequence[FramePanels]) -> None:
    """
    Write both files of the results.

    :param out: the folder.
    :param results: the content of results.json.
    :param panels: the pictures of report.html.
    :raises OSError: if a file cannot be written.
    """
    try:
        with atomic_file(out / RESULTS_FILE) as figures, atomic_file(out / REPORT_FILE) as page:
            figures.write_text(json.dumps(results, indent=1, allow_nan=False), encoding='utf-8')
            report.write_page(page, results, panels)
    except OSError as error:
        error.filename = str(out)  # which a full disk does not name
        raise
    print(f'\nwrote {out / RESULTS_FILE} and {out / REPORT_FILE}')
