"""Shell completion of `s2r_train`."""

from __future__ import annotations

from typing import Literal

from s2r_depth_ros.command_line import completion_script

from .cli import parser_of, VERBS


def completion(shell: Literal['bash', 'zsh', 'tcsh']) -> None:
    """
    Print the completion script of a shell.

    :param shell: bash (save the output as ~/.local/share/bash-completion/completions/s2r_train),
        zsh or tcsh.
    """
    parsers = {verb: parser_of(verb)[0] for verb in VERBS}
    summaries = {verb: summary for verb, (_, _, summary) in VERBS.items()}
    print(completion_script('s2r_train', parsers, summaries, shell))
