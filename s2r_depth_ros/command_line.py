"""
The command line syntax of `s2r` and `s2r_train`: options and error messages.

Options have dashes; the underscores of a config file are accepted, too. This module needs
jsonargparse, which the nodes do not need.
"""

from __future__ import annotations

from collections.abc import Mapping
import re
import sys
from typing import Any, ClassVar, get_args, NoReturn

from jsonargparse import ArgumentParser, Namespace

_CLASS = re.compile(r"<class\s+'(?:\w+\.)*(\w+)'>")
# What jsonargparse says of a value of the wrong type, and its names of types for people.
_WRONG_TYPE = re.compile(r'Parser key "([^"]+)": Expected a (.+?)\. Got value: (.*)')
_NO_TYPE_FITS = re.compile(
    r'Parser key "([^"]+)": Does not validate against any of the Union subtypes '
    r'Subtypes: \[(.+?)\] Errors: .* Given value: (.*)'
)
# The same of settings that may be null, whose own check has said what is wrong.
_CHECK_FAILED = re.compile(
    r'Does not validate against any of the Union subtypes .*? Errors: - (?!Expected a )(.+?) - '
    r'Expected a .*'
)
_LONGEST = 1000  # characters of an error message
_TYPES = {
    'int': 'a whole number',
    'float': 'a number',
    'bool': 'true or false',
    'str': 'a text',
    'NoneType': 'null',
    'dict': 'a mapping such as "{name: value}"',
    'list': 'a list such as "[1, 2]"',
    'Sequence': 'a list such as "[a, b]"',
    'Path': 'a path',
    'tuple': 'a list such as "[1, 2]"',
}


class CommandParser(ArgumentParser):
    """
    The parser of one subcommand (verb).

    :param settings: the settings of ``jsonargparse.ArgumentParser``.
    """

    # jsonargparse makes, and keeps, parsers without a name for sections that may be null.
    _command: ClassVar[str] = ''

    def __init__(self, **settings: Any) -> None:
        # An option may be cut short as long as it is clear which one is meant.
        super().__init__(**{'print_config': '--print-config', 'allow_abbrev': True, **settings})
        self._configs: list[str] = []

    def spell_with_dashes(self) -> None:
        """Give all options that were added so far dashes in place of their underscores."""
        for action in self._actions:
            action.option_strings = [_dashed(option) for option in action.option_strings]
        actions = {option: action for action in self._actions for option in action.option_strings}
        self._option_string_actions.clear()
        self._option_string_actions.update(actions)

    def _parse_optional(self, arg_string: str):
        if arg_string.startswith('--'):
            name, sign, value = arg_string.partition('=')
            arg_string = self._spelled(name) + sign + value
        return super()._parse_optional(arg_string)

    def _spelled(self, name: str) -> str:
        """Return an option as it was added; a key of a mapping behind it is a name of Python."""
        parts = name.split('.')
        for count in range(len(parts), 0, -1):
            option = _dashed('.'.join(parts[:count]))
            if option in self._option_string_actions:
                return '.'.join([option, *(key.replace('-', '_') for key in parts[count:])])
        return _dashed(name)

    def parse_args(self, *args: Any, **settings: Any) -> Any:
        """Return the parsed command line; a config that is not text is also an error."""
        CommandParser._command = self.prog
        words = sys.argv[1:] if not args or args[0] is None else args[0]
        parts = [part for word in words for part in re.split(r'(?<=^--config)=', word)]
        self._configs = [file for option, file in zip(parts, parts[1:]) if option == '--config']
        try:
            return super().parse_args(*args, **settings)
        except UnicodeDecodeError as error:
            self.error(f'a config must be a YAML file in UTF-8, and one is no text: {error}')
        except RecursionError:
            self.error(f'{self._source()} holds itself or nests without end: write it flat')

    def format_help(self, *formatter: Any) -> str:
        """Return the help, with the plain names of types."""
        return _CLASS.sub(r'\1', super().format_help(*formatter))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the fault of the command line in one sentence, and exit with 2."""
        sentence = self._plain(' '.join(message.split()))
        if len(sentence) > _LONGEST:
            sentence = f'{sentence[:_LONGEST]} ...'
        command = self._command or self.prog
        self.exit(2, f'{command}: error: {sentence} (`{command} --help` lists the options)\n')

    def _plain(self, message: str) -> str:
        """Return a message of jsonargparse without the names of classes and Python types."""
        start, required, names = message.partition('arguments are required: ')
        if required:
            return start + required + ', '.join(map(self._shown, names.split(', ')))
        if 'NestedArg' in message and (nested := re.search(r'Parser key "([^"]+)"', message)):
            option = self._shown(nested[1])
            return f'{option} has no parts: write {option} VALUE'
        if wrong := _WRONG_TYPE.fullmatch(message) or _NO_TYPE_FITS.fullmatch(message):
            key, types, value = wrong.groups()
            return f'{self._shown(key)} must be {_described(types)}, got {value}'
        if failed := _CHECK_FAILED.search(message):
            return failed[1]
        if message.startswith('Unexpected config'):
            return f'{self._source()} must hold settings, a `name: value` each'
        # The YAML parser is not told the name of the file.
        of_config = message.startswith('Problems parsing config')
        source = self._source() if of_config else 'this value'
        message = message.replace('"<unicode string>"', source)
        return re.sub(r'Parser key "([^"]+)"', lambda match: self._shown(match[1]), message)

    def check_nulls(self, values: Any) -> None:
        """
        Exit with 2 if a config leaves a section or a setting without the value that it needs.

        :param values: what :meth:`parse_args` returned; it lets a null of a file pass.
        """
        kinds = {action.dest: getattr(action, '_typehint', None) for action in self._actions}
        for section in dict.fromkeys(key.rpartition('.')[0] for key in kinds if '.' in key):
            value = values.get(section, {})
            if kinds.get(section) is None and not isinstance(value, (dict, Namespace)):
                self.error(
                    f'{self._shown(section)} must hold settings, a `name: value` each, '
                    f'or be left out, got {"null" if value is None else value}'
                )
        for key, kind in kinds.items():
            if kind is None or key not in values or values[key] is not None:
                continue
            if kind is not Any and type(None) not in get_args(kind):
                self.error(f'{self._shown(key)} must have a value or be left out, got null')

    def _source(self) -> str:
        return ' or '.join(self._configs) or 'this value'

    def _shown(self, key: str) -> str:
        """Return an argument as its user writes it."""
        for action in self._actions:
            if action.dest == key and not action.option_strings:
                shown = str(action.metavar or key)
                return key if shown.startswith('{') else shown  # its choices, in help only
        return f'--{_dashed(key)}'


def completion_script(
    prog: str, parsers: Mapping[str, ArgumentParser], summaries: Mapping[str, str], shell: str
) -> str:
    """
    Return the completion script of a command for a shell; needs shtab.

    :param prog: name of the command.
    :param parsers: the parsers of its verbs.
    :param summaries: the summaries of its verbs, a line each.
    :param shell: bash, zsh or tcsh.
    """
    whole = ArgumentParser(prog=prog)
    verbs = whole.add_subcommands()
    for verb, parser in parsers.items():
        verbs.add_subcommand(verb, parser, help=summaries[verb])
    return whole.get_completion_script(f'shtab-{shell}')


def _dashed(option: str) -> str:
    return option.replace('_', '-')


def _described(types: str) -> str:
    """Return jsonargparse's description of types in words."""
    if choices := re.fullmatch(r'typing\.Literal\[(.*)\]', types):
        return 'one of ' + choices[1].replace("'", '')
    names = _CLASS.sub(r'\1', types)
    parts = re.split(r', (?![^\[]*\])', names)
    return ' or '.join(_TYPES.get(part.partition('[')[0], part) for part in parts)
