"""
Convert a dataclass to a command line and back.

A field is an option, the docstring is the page of help, and a base class is a group of options.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import field, fields, MISSING
import inspect
import re
import sys
from typing import Any, get_args, get_type_hints

from ..command_line import CommandParser
from ..depth.parameters import old_name_warning, Parameters, RENAMED
from ..whole_numbers import leading_zero_fault

# Values that a tool accepts for a parameter, where the node accepts more.
_OF_TOOLS = {
    'scale_source': {
        'choices': ('auto', 'fixed', 'ground_plane'),
        'description': 'Source of the scale, a factor on every depth. fixed uses depth_scale. '
        'ground_plane compares camera_height with the ground in the image. auto uses depth_scale '
        'if it is not 1, else ground_plane if camera_height is given, else fixed.',
    }
}
_PORTS = (0, 65535)


def number_in(kind: type, least: float, greatest: float) -> Callable[[Any], Any]:
    """Return a function that reads a number of this type, ``int`` or ``float``, for a parser."""

    def number(text: Any) -> Any:
        value = whole_number(text) if kind is int else kind(text)
        if not least <= value <= greatest:
            raise argparse.ArgumentTypeError(f'{text} is not in {least:g} to {greatest:g}')
        return value

    number.__name__ = kind.__name__
    return number


def whole_number(text: Any) -> int:
    """Read an integer for a parser; refuse a leading zero."""
    if fault := leading_zero_fault(str(text)):
        raise argparse.ArgumentTypeError(fault)
    return int(text)


def port_number(text: Any) -> int:
    """Read a port number for a parser."""
    number = whole_number(text)
    if not _PORTS[0] <= number <= _PORTS[1]:
        raise argparse.ArgumentTypeError(f'{number} is no port: they go from 0 to 65535')
    return number


def positive_float(text: Any) -> float:
    """Read a finite number above 0 for a parser."""
    number = float(text)
    if not 0 < number < float('inf'):
        raise ValueError
    return number


def positive_int(text: Any) -> int:
    """Read an integer above 0 for a parser."""
    number = whole_number(text)
    if number < 1:
        raise ValueError
    return number


positive_float.__name__, positive_int.__name__ = 'positive float', 'positive int'


def size_px(text: Any) -> tuple[int, int]:
    """Read WIDTHxHEIGHT for a parser, and return (height, width)."""
    if isinstance(text, tuple):
        return text
    width, height = (whole_number(side) for side in text.split('x'))
    if min(width, height) < 1:
        raise ValueError
    return height, width


size_px.__name__ = 'WIDTHxHEIGHT'


def option(default: Any = MISSING, **about: Any) -> Any:
    """
    Return a dataclass field that is an option.

    :param default: the default of the option; an option without a default is required.
    :param about: optional properties: ``metavar``; ``choices``; ``limits``, the least and the
        greatest number; ``kind``, a function that reads its text; ``shown``, the text of the
        default in the help; ``is_positional``.
    """
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: default.copy(), metadata=about)
    return field(default=default, metadata=about)


def node_parameters(*names: str) -> Any:
    """Return a dataclass field that holds parameters of the node; each parameter is an option."""
    defaults = Parameters()
    return field(
        default_factory=lambda: {name: getattr(defaults, name) for name in names},
        metadata={'parameters': names},
    )


def parser_of(prog: str, options: type) -> CommandParser:
    """
    Return the parser of a verb.

    :param prog: the command, such as ``s2r depth``.
    :param options: the dataclass of the verb.
    """
    page, _ = _read_docstring(options)
    parser = CommandParser(
        prog=prog,
        description=page,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        print_config=None,
    )
    for owner in options.__mro__[:-1]:
        _add_fields(parser, options, owner)
    for item in fields(options):
        if names := item.metadata.get('parameters'):
            about = 'the same as in config/depth_node.yaml'
            if note := _read_docstring(options)[1].get(item.name):
                about = f'{note.rstrip(".")}; {about}'
            _add_parameters(parser.add_argument_group('parameters of the node', about), names)
    parser.spell_with_dashes()
    return parser


def read(parser: CommandParser, options: type, words: list[str]) -> Any:
    """
    Return the options that a command line gives.

    :param parser: a parser from :func:`parser_of`.
    :param options: the dataclass of the verb.
    :param words: the arguments after the verb.
    :raises SystemExit: with 2 after a reported error of the words; with 0 after ``--help``.
    """
    if '' in words:  # or Path makes it the folder that one is in
        parser.error('a word is empty: is a variable of the shell not set?')
    values = vars(parser.parse_args(words))
    given = set(vars(parser.parse_args(words, defaults=False)))
    arguments: dict[str, Any] = {}
    for item in fields(options):
        names = item.metadata.get('parameters')
        arguments[item.name] = _parameters(values, given, names) if names else values[item.name]
        if item.metadata.get('choices') and isinstance(values.get(item.name), list):
            arguments[item.name] = list(dict.fromkeys(values[item.name]))  # each one once
    return options(**arguments)


def _parameters(values: dict[str, Any], given: set[str], names: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters of the node by their current names; warn of each old name in use."""
    parameters = {name: values[name] for name in names}
    for old, new in RENAMED.items():
        if values.get(old) is None:
            continue
        is_new_given = new in given
        warning = old_name_warning(_option(old), _option(new), is_new_given)
        print(f's2r: {warning}', file=sys.stderr)
        if not is_new_given:
            parameters[new] = values[old]
    return parameters


def _read_docstring(options: type) -> tuple[str, dict[str, str]]:
    """Return the help page of a dataclass, and the description of each field."""
    page, *params = re.split(r'^:param ', inspect.cleandoc(options.__doc__ or ''), flags=re.M)
    return page.strip(), {
        name: ' '.join(text.split())
        for name, _, text in (param.partition(': ') for param in params)
    }


def _add_fields(parser: CommandParser, options: type, owner: type) -> None:
    """Add the options that the class itself declares; use its group if it names one."""
    page, about = _read_docstring(owner)
    hints = get_type_hints(options)
    group: Any = parser
    if title := vars(owner).get('GROUP'):
        group = parser.add_argument_group(title, page)
    for item in fields(options):
        if item.name not in owner.__annotations__ or 'parameters' in item.metadata:
            continue
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        group.add_argument(
            item.name if item.metadata.get('is_positional') else _option(item.name),
            **_kind(hints[item.name], default, **item.metadata),
            help=_help(about[item.name].rstrip('.'), default, item.metadata.get('shown')),
        )


def _kind(
    hint: Any,
    default: Any,
    metavar: str | tuple[str, ...] | None = None,
    choices: tuple[str, ...] = (),
    limits: tuple[float, float] | None = None,
    kind: Callable[[Any], Any] | None = None,
    is_positional: bool = False,
    shown: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of the parser for an option of this type."""
    if hint is bool:
        return {'action': 'store_true'}
    inner_types = [part for part in get_args(hint) if part is not type(None)]
    value_type = inner_types[0] if inner_types else hint
    argument: dict[str, Any] = {}
    if choices:
        argument['choices'] = choices
    elif limits:
        argument['type'] = number_in(value_type, *limits)
    else:
        argument['type'] = kind or value_type
    if metavar:
        argument['metavar'] = metavar
    is_list = getattr(hint, '__origin__', None) is list
    if is_list:
        argument['nargs'] = '*' if is_positional and default is not MISSING else '+'
    elif isinstance(metavar, tuple):
        argument['nargs'] = len(metavar)
        default = list(default)
    elif is_positional and default is not MISSING:
        argument['nargs'] = '?'
    if default is not MISSING:
        argument['default'] = default
    elif not is_positional:
        argument['required'] = True
    return argument


def _add_parameters(group: Any, names: tuple[str, ...]) -> None:
    """
    Add an option for each parameter, with the node's name, default, limits and description.

    :param group: an argument group of the parser.
    :param names: names of fields of ``Parameters``.
    """
    about = {item.name: item.metadata for item in fields(Parameters)}
    defaults = Parameters()
    for name in names:
        default, metadata = getattr(defaults, name), {**about[name], **_OF_TOOLS.get(name, {})}
        kind: dict[str, Any] = (
            {'action': argparse.BooleanOptionalAction}
            if isinstance(default, bool)
            else {'choices': metadata['choices']}
            if metadata['choices']
            else {'type': number_in(type(default), *metadata['limits']), 'metavar': 'N'}
            if metadata['limits']
            else {'type': str, 'metavar': name.upper()}
        )
        group.add_argument(
            _option(name), default=default, **kind, help=_help(metadata['description'], default)
        )
        for old in (old for old, new in RENAMED.items() if new == name):
            group.add_argument(_option(old), **kind, help=argparse.SUPPRESS)


def _help(text: str, default: Any, shown: str | None = None) -> str:
    """Return the help of an option, with its default if it has one; a flag shows none."""
    text = text.replace('%', '%%')
    if shown is None:
        shown = (
            ''
            if default is MISSING or default is None or default is False
            else ' '.join(default)
            if isinstance(default, list)
            else f'{default:g}'
            if isinstance(default, float)
            else str(default)
        )
    return f'{text} (default: {shown})' if shown else text


def _option(name: str) -> str:
    return '--' + name.replace('_', '-')
