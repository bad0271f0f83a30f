"""
Print a hash of the content of weights, which does not depend on the order in the file.

The hash is a SHA-256 over tensors and metadata, sorted by name. Two files with the same weights
may differ in bytes, since safetensors writes metadata in any order.

Examples:
  s2r weights                                   the bundled ones
  s2r weights runs/street/weights.safetensors   a file
"""
from __future__ import annotations

import argparse

from ..weights_info import BUNDLED, content_hash, WeightsError
from . import ToolError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        'files', nargs='*', metavar='FILE',
        help=f'safetensors files, or {" or ".join(BUNDLED)} (default: both of these)')


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each file, and return the exit code."""
    for file in arguments.files or BUNDLED:
        try:
            print(content_hash(file), file, sep='  ')
        except WeightsError as error:
            raise ToolError(str(error)) from error
    return 0
