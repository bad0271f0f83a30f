"""
The verbs of `s2r`: tools that run the network.

Each verb is a module of this package with ``add_arguments(parser)`` and ``run(arguments) -> int``;
its docstring is the first part of its help. A module is imported when its verb is called, so that
the help of one does not wait for the libraries of another.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
import importlib
import sys
from typing import Any

from ..whole_numbers import leading_zero_fault

VERBS = {
    'depth': 'write the depth of images, videos, a webcam or a bag to files',
    'bag': 'copy a ROS 2 bag and add the depth of its cameras',
    'demo': 'play images to the depth node as a camera would; leave pictures, cloud and figures',
    'view': 'show a camera and its depth live in a browser, and in Foxglove',
    'bench': 'measure what the network and all around it cost on this machine',
    'weights': 'print a hash of weights that does not depend on how the file was written',
    'doctor': 'print versions, transports in force, and how many images get through',
    'completion': 'print what a shell needs to complete these arguments',
}
_TOOL_PACKAGES = ('matplotlib', 'mcap', 'plyfile', 'rosbags', 'shtab', 'tqdm')


class ToolError(Exception):
    """What the user can mend, in one sentence."""


def number_in(kind: type, least: float, greatest: float) -> Callable[[str], Any]:
    """Return a reader of a number of this type, ``int`` or ``float``, for argparse."""
    def number(text: str):
        value = whole_number(text) if kind is int else kind(text)
        if not least <= value <= greatest:
            raise argparse.ArgumentTypeError(f'{text} is not in {least:g} to {greatest:g}')
        return value
    number.__name__ = kind.__name__
    return number


def whole_number(text: str) -> int:
    """Read an integer for argparse; a leading zero is refused."""
    if fault := leading_zero_fault(text):
        raise argparse.ArgumentTypeError(fault)
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a verb.

    :param arguments: the command line after ``s2r``; None takes that of the process.
    :returns: the exit code: 0, 1 for an error that was told in one sentence, 2 without a verb, 130
        for Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog='s2r', description='Tools of s2r_depth_ros that run the depth network.',
        epilog='verbs:\n' + '\n'.join(f'  {verb:10} {text}' for verb, text in VERBS.items())
        + '\n\n`s2r VERB --help` tells more of each.',
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('verb', choices=VERBS, metavar='VERB', help='one of the verbs below')
    parser.add_argument(
        'rest', nargs=argparse.REMAINDER, metavar='...', help='arguments of the verb')
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        parser.print_help(sys.stderr)
        return 2
    chosen = parser.parse_args(words)
    try:
        module = importlib.import_module(f'.{chosen.verb}', __name__)
        verb_parser = argparse.ArgumentParser(
            prog=f's2r {chosen.verb}', description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(verb_parser)
        return module.run(verb_parser.parse_args(chosen.rest))
    except ToolError as error:
        print(f's2r {chosen.verb}: {error}', file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name == 'rclpy' or (error.name or '').endswith('_msgs'):
            print(f's2r {chosen.verb} needs ROS 2, which is not installed here, or its setup.bash '
                  'is not sourced', file=sys.stderr)
            return 1
        if error.name not in _TOOL_PACKAGES:
            raise
        print(f's2r {chosen.verb} needs {error.name}, which is not installed: '
              f'pip install {" ".join(_TOOL_PACKAGES)}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f's2r {chosen.verb}: stopped', file=sys.stderr)
        return 130
