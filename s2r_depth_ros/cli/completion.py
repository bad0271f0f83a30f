"""`s2r completion`: print a script that lets a shell complete the arguments of `s2r`."""

from __future__ import annotations

from ..command_line import completion_script
from . import VERBS
from .options import CompletionOptions, OPTIONS
from .parsing import parser_of


def run(options: CompletionOptions) -> int:
    """Print the script and return the exit code."""
    parsers = {verb: parser_of(f's2r {verb}', of_verb) for verb, of_verb in OPTIONS.items()}
    print(completion_script('s2r', parsers, VERBS, options.shell))
    return 0
