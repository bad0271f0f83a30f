"""``s2r_train VERB``: trains, renders, evaluates, exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from importlib import import_module
import logging
import os
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from s2r_depth_ros.environment import disable_telemetry
from s2r_depth_ros.whole_numbers import leading_zero_fault

if TYPE_CHECKING:
    from s2r_depth_ros.command_line import CommandParser

# verb: (module, function, summary). A module is imported only when its verb runs.
STAGES = {
    'ste-encoder': ('.stages.ste_encoder', 'train', 'stage 1: structure encoder'),
    'ste-decoder': ('.stages.ste_decoder', 'train', 'stage 2: structure decoder'),
    'attention': ('.stages.attention', 'train', 'before stage 3: pre-training of the attention'),
    'dsa': ('.stages.dsa', 'train', 'stage 3: attention and depth; writes the weights'),
    'judge': ('.stages.judge', 'train', 'after stage 3: expected error and ground'),
    'rgb-baseline': ('.stages.rgb_baseline', 'train', 'baseline: depth directly from RGB'),
    'fine-tune': ('.stages.fine_tune', 'train', 'train further on labelled real images'),
    'all': ('.stages', 'train_all', 'all stages and the judge, without those already complete'),
    'ablation': (
        '.evaluation.ablation',
        'ablation',
        'measure the effect of structure and attention',
    ),
    'demo': ('.demo', 'demo', 'render, train and evaluate at a small size'),
}
TOOLS = {
    'render-scenes': ('s2r_scenes', 'render_scenes', 'make synthetic images with exact depth'),
    'render-styles': ('s2r_scenes', 'render_styles', 'make style images for stage 1'),
    'restyle': (
        '.evaluation.restyle',
        'restyle',
        'redraw a test set in styles that no training uses',
    ),
    'evaluate': ('.evaluation.evaluate', 'evaluate', 'measure errors; write tables and a report'),
    'bench': ('.bench', 'bench', 'measure the speed of renderer, loader and stages'),
    'export-onnx': ('.export_onnx', 'export_onnx', 'write the network for ONNX Runtime'),
    'completion': ('.completion', 'completion', 'print the completion script of a shell'),
}
VERBS = {**STAGES, **TOOLS}


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one verb.

    :param arguments: the command line after ``s2r_train``; None means that of the process.
    :returns: the exit code: 0, 1 if the work failed, 2 if the command line or the configuration is
        wrong, 130 after Ctrl-C.
    """
    disable_telemetry()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verb = arguments.pop(0) if arguments else None
    if verb in (None, '-h', '--help'):
        print(_overview())
        return 0 if verb else 2
    if verb not in VERBS:
        print(f's2r_train: error: there is no verb {verb!r}\n\n{_overview()}', file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format='s2r_train: %(message)s')
    try:
        function, settings = parse(verb, arguments)
        logging.getLogger('lightning_fabric').setLevel(logging.WARNING)  # which sets it on import
        function(**settings)
    except SystemExit as leaving:  # jsonargparse has said what is wrong, or shown the help
        return int(leaving.code or 0)
    except KeyboardInterrupt:
        print('\ns2r_train: stopped; --resume continues a training', file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        module = (error.name or '').partition('.')[0]
        if not module or module.startswith('s2r_'):  # a bug
            raise
        print(
            f's2r_train {verb}: error: {module} is not installed: run pip install '
            "'.[train]' in the folder of this package",
            file=sys.stderr,
        )
        return 1
    except _expected_errors(verb) as error:
        print(f's2r_train {verb}: error: {error}', file=sys.stderr)
        return 1
    return 0


def parse(verb: str, arguments: list[str]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """
    Return the function of a verb, and its arguments.

    :param verb: one of :data:`VERBS`.
    :param arguments: the command line after the verb.
    :raises SystemExit: with status 2 if an argument or the config is wrong, after a message on
        standard error; with 0 after ``--help``.
    """
    parser, function = parser_of(verb)
    if verb in TOOLS:
        return function, _values(parser, arguments)

    from .config import Config
    from .settings.renamed import rename_options

    values = _values(parser, rename_options(arguments, Config(Path())))
    try:
        config = Config(**{field.name: values.pop(field.name) for field in fields(Config)})
    except ValueError as error:  # a setting out of its range
        parser.error(str(error))
    del values['config']
    return function, {**values, 'config': config}


def parser_of(verb: str) -> tuple[CommandParser, Callable[..., Any]]:
    """
    Return the parser of a verb, and its function.

    :param verb: one of :data:`VERBS`.
    """
    from s2r_depth_ros.command_line import CommandParser

    summary = VERBS[verb][2]
    function = _function_of(verb)
    setting = 'SHELL' if verb == 'completion' else '[--SETTING VALUE ...]'
    parser = CommandParser(
        prog=f's2r_train {verb}',
        description=f'{summary[0].upper()}{summary[1:]}.',
        usage=f's2r_train {verb} {setting}',
    )
    if verb in TOOLS:
        parser.add_function_arguments(function, as_positional=verb == 'completion')
        parser.spell_with_dashes()
        return parser, function

    from .config import Config

    parser.add_argument(
        '--config',
        action='config',
        help='YAML file with the settings below; options after it override it',
    )
    parser.add_argument(
        '--resume', action='store_true', help='continue this run where it was interrupted'
    )
    if not isinstance(function, partial):
        parser.add_function_arguments(function, as_group=False, skip={'config', 'resume'})
    parser.add_class_arguments(Config)
    parser.spell_with_dashes()
    return parser, function


def _function_of(verb: str) -> Callable[..., Any]:
    """Return the function of a verb; that of a stage imports PyTorch only when it is called."""
    module, name, _ = VERBS[verb]
    if module.startswith('.stages.'):
        return partial(_call, module, name)
    return getattr(import_module(module, __package__), name)


def _call(module: str, name: str, **settings: Any) -> object:
    """Train one stage, and print where its result is."""
    result = getattr(import_module(module, __package__), name)(**settings)
    if os.environ.get('RANK', '0') == '0':  # as torchrun numbers them
        print(f'wrote {result.parent}')
    return result


def _values(parser: CommandParser, arguments: list[str]) -> dict[str, Any]:
    """Return the parsed arguments with every settings dataclass made."""
    parsed = parser.parse_args(arguments)
    parser.check_nulls(parsed)
    for name, text in _options(arguments):
        file = Path(text)
        is_config = file.suffix in ('.yaml', '.yml') and file.is_file()
        if not is_config and isinstance(parsed.get(name), (str, Path)):
            continue  # a name may be of digits
        if fault := leading_zero_fault(file.read_text('utf-8') if is_config else text):
            option = '--' + name.replace('_', '-')
            parser.error(f'{text if is_config else option} is not clear: {fault}')
    try:
        return parser.instantiate(parsed).as_dict()
    except ValueError as error:  # a setting out of its range
        parser.error(str(error))


def _options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option: ``--name=value`` or ``--name value``."""
    for word, following in zip(arguments, [*arguments[1:], '']):
        if word.startswith('--'):
            name, sign, value = word.removeprefix('--').partition('=')
            yield name.replace('-', '_'), value if sign else following


def _expected_errors(verb: str) -> tuple[type[Exception], ...]:
    """Return the errors with a message for the user; others are bugs and show a traceback."""
    from s2r_depth_ros.jobs.worker import JobsError
    from s2r_depth_ros.weights.files import WeightsError
    from s2r_scenes.write import FolderError

    from .data import DataError
    from .errors import TrainingError

    # Tools check their arguments themselves. The settings of stages are checked before they run.
    bad_argument = (ValueError,) if verb in TOOLS else ()
    expected = TrainingError, DataError, FolderError, JobsError, WeightsError, OSError
    return (*expected, *bad_argument)


def _overview() -> str:
    lines = ['usage: s2r_train VERB [options]', '', 'Trains S2R-DepthNet on synthetic images.', '']
    for title, verbs in (('training', STAGES), ('tools', TOOLS)):
        lines.append(f'{title}:')
        lines += [f'  {verb:<15}{summary}' for verb, (_, _, summary) in verbs.items()]
        lines.append('')
    return '\n'.join([*lines, 's2r_train VERB --help shows the settings of a verb.'])
