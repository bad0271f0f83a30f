"""Run `s2r bag` and `s2r depth` on many inputs: find them, process them, report the results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
import io
import json
import os
from pathlib import Path, PurePosixPath
import sys
import time
from typing import Any, NamedTuple, TYPE_CHECKING, TypeVar

from tqdm import tqdm

from ..jobs import places
from ..weights.info import BUNDLED
from . import ToolError
from .offline import Faults
from .options import BagOptions, DepthOptions

if TYPE_CHECKING:
    from ..jobs.run import Result

REPORT = 'report.json'
_FROM_STDIN = '-'
_Options = TypeVar('_Options', BagOptions, DepthOptions)


class Kinds(NamedTuple):
    """What counts as one input in a searched folder: some folders, and some suffixes of files."""

    is_folder: Callable[[Path], bool]
    suffixes: Collection[str]


class Task(NamedTuple):
    """An input and its output, each by path or URL, and whether an existing output is replaced."""

    source: str
    out: str
    is_forced: bool


class Done(NamedTuple):
    """The result of an input: a text, the number of faults, and notes on the faults."""

    text: str
    faults: int
    notes: list[str]
    is_skipped: bool = False


class Worker(ABC):
    """Processes one input after the other."""

    def __call__(self, task: Task) -> Done:
        """
        Process an input; skip it if its output is complete.

        :raises ToolError: if the input cannot be used, or the output cannot be written.
        :raises OSError: for the same reasons.
        """
        if not task.is_forced and places.is_done(task.out):
            return _skipped(task)
        notes: list[str] = []
        faults = Faults('', notes.append)
        with places.local_copy(task.source) as source:
            identity = task.source if places.is_url(task.source) else ''
            if places.is_url(task.out):
                with places.folder_for(task.out) as out:
                    text = self.work(source, identity, out, faults)
            else:
                Path(task.out).parent.mkdir(parents=True, exist_ok=True)
                text = self.work(source, identity, Path(task.out), faults)
        return Done(text, faults.count, notes)

    @abstractmethod
    def work(self, source: Path, identity: str, out: Path, faults: Faults) -> str:
        """
        Read an input, and write a folder completely or not at all.

        :param source: the input, or a local copy of it.
        :param identity: the URL of the input if ``source`` is a copy, else empty.
        :param out: the folder.
        :param faults: counts and reports faults of single images.
        :returns: a text for the user about what was written.
        """


def is_wanted(options: BagOptions | DepthOptions) -> bool:
    """Return whether each input is a task of its own, because of the options or the inputs."""
    return (
        options.workers is not None
        or options.cluster is not None
        or options.gpus_per_worker > 0
        or places.is_url(options.out)
        or any(
            word == _FROM_STDIN or places.is_url(word) or places.is_pattern(word)
            for word in options.inputs
        )
    )


def settled(options: _Options) -> _Options:
    """
    Return options that have the same effect in every worker: no relative paths, no ``auto``.

    The number of threads affects the last bits of a depth. So it is one unless the user sets it.

    :raises ToolError: if the options contradict each other.
    """
    parameters = dict(options.parameters)
    parameters['threads'] = parameters['threads'] or 1
    device = parameters['device']
    if device == 'auto':
        parameters['device'] = 'cuda' if options.gpus_per_worker else 'cpu'
    elif (device != 'cpu') != bool(options.gpus_per_worker):
        raise ToolError(
            f'--device {device} does not go with --gpus-per-worker {options.gpus_per_worker:g}: '
            'leave out --device'
        )
    weights = parameters['weights']
    if weights and weights not in BUNDLED and Path(weights).exists():
        parameters['weights'] = str(Path(weights).absolute())
    calibration = options.calibration and options.calibration.expanduser().absolute()
    return replace(options, parameters=parameters, calibration=calibration)


def run(
    verb: str, options: BagOptions | DepthOptions, make: Callable[[], Worker], kinds: Kinds
) -> int:
    """
    Process all inputs, and report each result in a line and in OUT/report.json.

    :param verb: the verb of ``s2r``.
    :param options: the options of the command.
    :param make: called in each worker process; returns what processes inputs.
    :param kinds: what to look for in folders.
    :returns: the exit code: 1 if an input failed or has faults, 130 after Ctrl-C.
    :raises ToolError: if there are no inputs, or all workers fail to load.
    """
    from ..jobs.worker import JobsError  # a command with one input does not need it

    out = options.out
    if not places.is_url(out):
        out = os.path.abspath(os.path.expanduser(out))
    _allow_any_file_name()
    try:
        tasks = {
            name: Task(source, places.joined(out, name), options.force)
            for name, source in _find(options.inputs, out, kinds).items()
        }
        entries = [
            _entry(name, task, _skipped(task))
            for name, task in tasks.items()
            if not (options.force or places.is_url(out)) and places.is_done(task.out)
        ]
    except OSError as error:
        raise ToolError(str(error)) from error
    begun_s, is_stopped, fault = time.monotonic(), False, ''
    try:
        _process(tasks, entries, make, options)
    except JobsError as error:
        if not any(entry['tries'] for entry in entries):
            raise ToolError(str(error)) from error
        fault = str(error)
    except KeyboardInterrupt:
        is_stopped = True
    _report(verb, out, tasks, entries, time.monotonic() - begun_s)
    if fault:
        raise ToolError(fault)
    if is_stopped:
        print(f's2r {verb}: stopped; the same command continues', file=sys.stderr)
        return 130
    return 1 if any(entry['state'] == 'failed' or entry['faults'] for entry in entries) else 0


def _process(
    tasks: dict[str, Task],
    entries: list[dict[str, Any]],
    make: Callable[[], Worker],
    options: BagOptions | DepthOptions,
) -> None:
    """
    Run the tasks that have no entry yet, and append an entry for each that ends.

    :raises JobsError: if all workers fail to load.
    """
    from ..jobs.pools import Here, Pool, pool_of
    from ..jobs.run import run_tasks

    ended = {entry['name'] for entry in entries}
    missing = {name: task for name, task in tasks.items() if name not in ended}
    pool: Pool = Here()  # a single input needs no process of its own
    if len(missing) > 1 or options.cluster is not None or options.gpus_per_worker:
        pool = pool_of(
            options.workers,
            options.cluster,
            max(1, options.parameters['threads']),
            options.gpus_per_worker,
            len(missing),
        )
    with (
        closing(pool),
        tqdm(total=len(tasks), initial=len(entries), unit='input', smoothing=0.05) as bar,
        closing(run_tasks(make, missing, pool, (ToolError, OSError))) as results,
    ):
        for entry in entries:
            _print(entry)
        for result in results:
            entry = _entry(result.name, tasks[result.name], result.value or result.fault, result)
            entries.append(entry)
            _print(entry)
            if result.trace:
                tqdm.write(result.trace, file=sys.stderr)
            bar.update()


def _report(
    verb: str, out: str, tasks: dict[str, Task], entries: list[dict[str, Any]], seconds: float
) -> None:
    """
    Write OUT/report.json in the order of the tasks, and print the counts.

    :raises ToolError: if the file cannot be written.
    """
    numbers = {name: number for number, name in enumerate(tasks)}
    counts = Counter(entry['state'] for entry in entries)
    report = {
        'verb': verb,
        'seconds': round(seconds, 3),
        'counts': {state: counts[state] for state in ('done', 'skipped', 'failed')},
        'inputs': sorted(entries, key=lambda entry: numbers[entry['name']]),
    }
    place = places.joined(out, REPORT)
    try:
        places.write_text(place, json.dumps(report, indent=1) + '\n')
    except OSError as error:
        raise ToolError(f'cannot write {place}: {error}') from error
    print(
        f'{len(entries)} of {len(tasks)} inputs in {seconds:.1f} s: {counts["done"]} done, '
        f'{counts["skipped"]} skipped, {counts["failed"]} failed; {place}'
    )


def _allow_any_file_name() -> None:
    """Read and print file names that are invalid in the encoding of the terminal."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='surrogateescape')


def below(folder: Path, kinds: Kinds, excluded: str = '') -> Iterator[Path]:
    """
    Yield the inputs in a folder and its subfolders.

    :param folder: the folder, which is not an input itself.
    :param kinds: what counts as an input.
    :param excluded: a folder that is not searched.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith('.') or path.name.endswith('.partial') or str(path) == excluded:
            continue
        if path.is_dir():
            if path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
                continue  # the link leads back to a folder above
            if kinds.is_folder(path):
                yield path
            else:
                yield from below(path, kinds, excluded)
        elif suffix_of(path.name) in kinds.suffixes:
            yield path


def _find(words: Sequence[str], out: str, kinds: Kinds) -> dict[str, str]:
    """
    Return the inputs by the names of their outputs.

    :raises ToolError: if there are none, or two have the same name.
    :raises OSError: if a folder or a URL cannot be searched.
    """
    found: dict[str, str] = {}
    for name, source in _named(words, out, kinds):
        if places.real(found.setdefault(name, source)) != places.real(source):
            raise _same_output(found[name], source, places.joined(out, name))
    if not found:
        raise ToolError(f'there is no input in {", ".join(words)}')
    outputs = {places.real(places.joined(out, name)): name for name in found}
    for source in found.values():
        real = places.real(source)
        for place in (real, *real.parents):
            if place in outputs:
                raise ToolError(
                    f'the output {places.joined(out, outputs[place])} would replace {source}: '
                    'give another OUT'
                )
    return _without_parts(found, out)


def _without_parts(found: dict[str, str], out: str) -> dict[str, str]:
    """
    Return inputs without those that are parts of others, such as the files of a bag.

    :raises ToolError: if an output would be inside the output of an unrelated input.
    """
    kept = {}
    for name, source in found.items():
        wholes = [
            found[str(above)] for above in PurePosixPath(name).parents if str(above) in found
        ]
        for whole in wholes:
            if not places.real(source).is_relative_to(places.real(whole)):
                raise _same_output(whole, source, places.joined(out, name))
        if not wholes:
            kept[name] = source
    return kept


def _same_output(one: str, other: str, place: str) -> ToolError:
    return ToolError(
        f'{one} and {other} would both be {place}: give a folder or a quoted pattern that '
        'contains both, or another OUT for each'
    )


def _named(words: Sequence[str], out: str, kinds: Kinds) -> Iterator[tuple[str, str]]:
    """Yield the name of the output, and the place, of each input of the command line."""
    real_out = places.real(out)
    for word in words:
        if word == _FROM_STDIN:
            lines = [line.strip() for line in sys.stdin]
            yield from _named([line for line in lines if line and line != _FROM_STDIN], out, kinds)
        elif places.is_pattern(word):
            root, matches = places.matches(word)
            is_within = places.real(root).is_relative_to(real_out)
            for match in matches:  # without the outputs of an earlier run
                if is_within or not places.real(match).is_relative_to(real_out):
                    yield from _inputs(match, root, out, kinds)
            if not matches:  # its task fails and reports it
                yield from _inputs(word, None, out, kinds)
        elif len(words) == 1 or places.real(word) != real_out:  # a shell's * also matches OUT
            yield from _inputs(word, None, out, kinds)


def _inputs(place: str, root: str | None, out: str, kinds: Kinds) -> Iterator[tuple[str, str]]:
    """Yield name and place of an input, or of all in a folder; names are relative to ``root``."""
    if places.is_url(place):
        place = place.rstrip('/')
        within = place.removeprefix(f'{root}/')
        yield _name_of(PurePosixPath(within if root else PurePosixPath(place).name), kinds), place
        return
    path = Path(os.path.abspath(Path(place).expanduser()))
    is_searched = path.is_dir() and not kinds.is_folder(path)
    parts = list(below(path, kinds, out)) if is_searched else []
    if root:
        top = Path(os.path.abspath(root))
    else:
        top = path if parts else path.parent
    for part in parts or [path]:
        yield _name_of(PurePosixPath(part.relative_to(top)), kinds), str(part)


def suffix_of(name: str) -> str:
    """Return the suffix of a file in lower case; for a compressed file, that of its content."""
    return PurePosixPath(name.lower().removesuffix('.zstd').removesuffix('.zst')).suffix


def _name_of(path: PurePosixPath, kinds: Kinds) -> str:
    """Return the name of an output: that of the input, without the suffix of a file."""
    suffix = suffix_of(path.name)
    if suffix in kinds.suffixes:
        path = path.with_name(path.name[: path.name.lower().rindex(suffix)])
    return str(path)


def _skipped(task: Task) -> Done:
    return Done('already exists; --force overwrites it', 0, [], is_skipped=True)


def _entry(name: str, task: Task, end: Done | str, result: Result | None = None) -> dict[str, Any]:
    """Return the entry of an input in the report; ``end`` is a sentence if it failed."""
    if isinstance(end, str):
        done, state = Done(end, 0, []), 'failed'
    else:
        done, state = end, 'skipped' if end.is_skipped else 'done'
    return {
        'name': name,
        'input': task.source,
        'output': task.out,
        'state': state,
        'text': done.text,
        'faults': done.faults,
        'notes': done.notes,
        'tries': result.tries if result else 0,
        'seconds': round(result.seconds, 3) if result else 0.0,
        'host': result.host if result else '',
    }


def _print(entry: dict[str, Any]) -> None:
    """Print the result of an input above the progress bar."""
    faults = f' ({entry["faults"]} faults: {entry["notes"][0]})' if entry['faults'] else ''
    tqdm.write(f'{entry["state"]:8} {entry["name"]}: {entry["text"]}{faults}')
