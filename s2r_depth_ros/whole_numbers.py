"""
Refuse integers with a leading zero, which YAML reads as octal and people as decimal.

``010`` is 8 in a YAML file and in ROS's ``-p``, and 10 for Python. ``08`` is a string or a float.
Their meaning is not certain, so all are refused.
"""
import re

_LEADING_ZERO = re.compile(r'[-+]?0[0-9_]*[0-9]')


def has_leading_zero(text: str) -> bool:
    """Return whether a text is an integer of several digits that begins with a zero."""
    return _LEADING_ZERO.fullmatch(text.strip()) is not None


def leading_zero_fault(text: str) -> str:
    """
    Return the first integer with a leading zero of a YAML text, and what to do about it.

    :param text: a YAML file, or a value of a command line.
    :returns: a sentence; empty if there is none, or if the text is no YAML.
    """
    import yaml  # here, since every verb's help comes past this file

    try:
        for event in yaml.parse(text):
            if isinstance(event, yaml.ScalarEvent) and event.style is None and has_leading_zero(
                    event.value):
                line = event.start_mark.line + 1 if event.start_mark else 1
                return (f'{event.value} in line {line} begins with a zero, '
                        'which is octal in some places and decimal in others: leave the zero out, '
                        'or put quotes around a name')
    except yaml.YAMLError:
        pass
    return ''
