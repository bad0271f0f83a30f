"""What a shell needs to complete the arguments of `s2r_train`."""
from __future__ import annotations

from typing import Literal

from jsonargparse import ArgumentParser

from .cli import parser_of, VERBS


def completion(shell: Literal['bash', 'zsh', 'tcsh']) -> None:
    """
    Print the script of all verbs.

    :param shell: that is to complete: bash (save what is printed as
        ~/.local/share/bash-completion/completions/s2r_train), zsh or tcsh.
    """
    whole = ArgumentParser(prog='s2r_train')
    verbs = whole.add_subcommands()
    for verb, (_, _, summary) in VERBS.items():
        verbs.add_subcommand(verb, parser_of(verb)[0], help=summary)
    print(whole.get_completion_script(f'shtab-{shell}'))
