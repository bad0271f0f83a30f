"""
The verbs of `s2r`: tools that run the network.

Each verb is a module of this package with ``run(options) -> int``. A dataclass of :mod:`options`
defines its options and its help. Each module is imported only when its verb runs. So help and
errors of the command line do not wait for its libraries.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
import importlib
import sys

from ..environment import set_up_process
from ..ros.process import fault_of_ros, is_of_ros

VERBS = {
    'depth': 'write the depth of images, videos, a webcam or a bag to files',
    'bag': 'copy a ROS 2 bag and add the depth of its cameras',
    'demo': 'play images as a camera to the depth node; save pictures, cloud and figures',
    'view': 'show a camera and its depth live in a browser, and in Foxglove',
    'bench': 'measure the time of the network on this machine',
    'weights': 'print a hash of the content of weights files',
    'doctor': 'show versions, active transports, and how many images arrive',
    'completion': 'print the completion script of a shell',
}
_TOOL_PACKAGES = ('jsonargparse', 'matplotlib', 'mcap', 'plyfile', 'rosbags', 'shtab', 'tqdm')


class ToolError(Exception):
    """An error that the user can fix; its text is one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a verb.

    :param arguments: the command line after ``s2r``; None means that of the process.
    :returns: the exit code: 0, 1 after a reported error, 2 without a verb, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog='s2r',
        description='Tools of s2r_depth_ros that run the depth network.',
        epilog='verbs:\n'
        + '\n'.join(f'  {verb:10} {text}' for verb, text in VERBS.items())
        + '\n\n`s2r VERB --help` explains each verb.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('verb', choices=VERBS, metavar='VERB', help='one of the verbs below')
    parser.add_argument(
        'rest', nargs=argparse.REMAINDER, metavar='...', help='arguments of the verb'
    )
    set_up_process()
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        parser.print_help(sys.stderr)
        return 2
    command = parser.parse_args(words)
    verb = command.verb
    return exit_code_of(f's2r {verb}', lambda: _run(verb, command.rest))


def exit_code_of(prog: str, work: Callable[[], int]) -> int:
    """
    Call ``work``, and report an error of the user or the file system in one sentence.

    :param prog: the name of the program in the report.
    :param work: returns an exit code.
    :returns: that code, 1 after a reported error, or 130 after Ctrl-C.
    """
    try:
        return work()
    except (ToolError, OSError) as error:
        print(f'{prog}: {error}', file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if is_of_ros(error.name):
            print(
                f'{prog} needs ROS 2, which is not installed here, or its setup.bash '
                'is not sourced',
                file=sys.stderr,
            )
            return 1
        if error.name not in _TOOL_PACKAGES:
            raise
        print(
            f'{prog} needs {error.name}, which is not installed: '
            f'pip install {" ".join(_TOOL_PACKAGES)}',
            file=sys.stderr,
        )
        return 1
    except RuntimeError as error:
        if not (fault := fault_of_ros(error)):
            raise
        print(f'{prog}: {fault}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'{prog}: stopped', file=sys.stderr)
        return 130


def _run(verb: str, words: list[str]) -> int:
    from .options import OPTIONS
    from .parsing import parser_of, read

    options = read(parser_of(f's2r {verb}', OPTIONS[verb]), OPTIONS[verb], words)
    return importlib.import_module(f'.{verb}', __name__).run(options)
