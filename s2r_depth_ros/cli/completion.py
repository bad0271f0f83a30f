"""
Print what a shell needs to complete the arguments of `s2r`.

Examples:
  s2r completion bash > ~/.local/share/bash-completion/completions/s2r
  s2r completion zsh > ~/.zfunc/_s2r                  (with ~/.zfunc in fpath)
"""
from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import shtab

from . import VERBS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument('shell', choices=shtab.SUPPORTED_SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Print the script and return the exit code."""
    print(shtab.complete(whole_parser(), arguments.shell))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Return a parser of all verbs that can be imported here; `s2r` itself loads one alone."""
    parser = argparse.ArgumentParser('s2r')
    verbs = parser.add_subparsers()
    for verb, text in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=text)
        try:
            importlib.import_module(f'.{verb}', __package__).add_arguments(verb_parser)
        except ModuleNotFoundError:  # the demo where ROS is not installed
            continue
        for action in verb_parser._actions:
            if action.choices:  # without the empty list, which is how argparse allows no word
                action.choices = [each for each in action.choices if isinstance(each, str)]
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser
