"""
Reject integers with a leading zero: YAML reads them as octal, people as decimal.

``010`` is 8 in a YAML file and in ROS's ``-p``, and 10 in Python. ``08`` is a string or a float.
All are rejected because their meaning is ambiguous.
"""

import re

_LEADING_ZERO = re.compile(r'[-+]?0[0-9_]*[0-9]')


def has_leading_zero(text: str) -> bool:
    """Return whether a text is an integer of several digits that begins with a zero."""
    return _LEADING_ZERO.fullmatch(text.strip()) is not None


def leading_zero_fault(text: str) -> str:
    """
    Return a sentence about the first integer with a leading zero in a YAML text, and its remedy.

    :param text: the content of a YAML file, or a value of a command line.
    :returns: a sentence; empty if there is no such integer, or if the text is not YAML.
    """
    import yaml  # here, because the help of every verb imports this module

    try:
        for event in yaml.parse(text):
            if (
                isinstance(event, yaml.ScalarEvent)
                and event.style is None
                and has_leading_zero(event.value)
            ):
                line = event.start_mark.line + 1 if event.start_mark else 1
                place = f' in line {line}' if '\n' in text.strip() else ''
                return (
                    f'{event.value}{place} begins with a zero, '
                    'which is octal in some places and decimal in others: leave the zero out, '
                    'or put quotes around a name'
                )
    except yaml.YAMLError:
        pass
    return ''
