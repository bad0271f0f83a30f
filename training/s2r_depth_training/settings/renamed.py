"""Settings under their earlier names, which work for one release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, field, fields, is_dataclass, MISSING
from functools import cache
import logging
import re
from typing import Any

_LOG = logging.getLogger(__name__)


def earlier_name_of(name: str) -> Any:
    """
    Return the dataclass field of a setting's earlier name: None unless a config still uses it.

    :param name: the name of the setting now, a field of the same dataclass.
    """
    return field(default=None, metadata={'renamed_to': name})


def new_name(setting: Field) -> str | None:
    """Return the name that replaces an earlier name; None for every other field."""
    return setting.metadata.get('renamed_to')


def new_names(settings: Any, prefix: str = '') -> dict[str, str]:
    """
    Return the new dotted name of each earlier one.

    :param settings: a dataclass, which may hold others.
    :param prefix: the common prefix of all names.
    """
    names: dict[str, str] = {}
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        if is_dataclass(value):
            names |= new_names(value, f'{prefix}{setting.name}.')
        elif name := new_name(setting):
            names[f'{prefix}{setting.name}'] = f'{prefix}{name}'
    return names


def rename_options(arguments: Sequence[str], settings: Any) -> list[str]:
    """
    Return the words of a command line with the new names of its options, and warn of earlier ones.

    So an option under an earlier name still replaces the value that a config has under the new.

    :param arguments: such as ``--dsa.nearness 16`` or ``--dsa.nearness=16``.
    :param settings: the dataclass whose settings the options set.
    """
    names = new_names(settings)
    words = []
    for word in arguments:
        option = re.match(r'--([\w.-]+)', word)
        name = option[1].replace('-', '_') if option else ''
        if option and name in names:
            _warn(name, names[name])
            word = f'--{names[name]}{word[option.end() :]}'
        words.append(word)
    return words


def move_renamed(settings: Any) -> None:
    """
    Move each value that was given under an earlier name, and warn once.

    :param settings: a dataclass, frozen or not; call this in its ``__post_init__``.
    :raises ValueError: if the setting has a value under both names.
    """
    defaults = {setting.name: _default(setting) for setting in fields(settings)}
    for setting in fields(settings):
        name, value = new_name(setting), getattr(settings, setting.name)
        if name is None or value is None:
            continue
        if getattr(settings, name) not in (defaults[name], value):
            raise ValueError(f'{setting.name} is the earlier name of {name}: give only {name}')
        object.__setattr__(settings, name, value)
        object.__setattr__(settings, setting.name, None)
        section = type(settings).__name__.removesuffix('Settings')
        _warn(f'{section}.{setting.name}', name)


def _default(setting: Field) -> Any:
    factory = setting.default_factory
    return setting.default if factory is MISSING else factory()


@cache
def _warn(name: str, replacement: str) -> None:
    _LOG.warning(
        'the setting %s is now called %s: rename it, the next release refuses it',
        name,
        replacement,
    )
