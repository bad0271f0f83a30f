"""`s2r view`: show a camera and its depth live in a browser and in Foxglove."""

from __future__ import annotations

from contextlib import ExitStack
import os
from pathlib import Path
import sys
import tempfile

import rclpy
from rclpy.exceptions import NameValidationException

from ...ros.rcl_errors import RCLError
from ...ros.session import Session
from ...weights.info import BUNDLED, RANDOM
from .. import ToolError
from ..node_process import check_input, NodeProcess, own_domain_id, ros_environment
from ..options import ViewOptions
from .live import LiveView
from .web import is_loopback, WebPage

LAYOUT = Path(__file__).with_name('foxglove_layout.json')


def run(arguments: ViewOptions) -> int:
    """Serve until a signal stops it, and return the exit code."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='s2r-view-')))
        if arguments.input:
            check_input(arguments.input)
            os.environ.update(ros_environment(own_domain_id(), scratch))
        session = stack.enter_context(Session([]))
        node = rclpy.create_node('s2r_view')
        stack.callback(node.destroy_node)
        foxglove = _foxglove(arguments)
        if foxglove:
            stack.enter_context(foxglove)
        try:
            live = LiveView(
                node,
                arguments.camera,
                arguments.image or f'{arguments.camera}/image_raw',
                foxglove.send if foxglove else None,
            )
        except (RCLError, NameValidationException) as error:
            raise ToolError(f'--camera or --image makes no topic: {error}') from error
        page = stack.enter_context(WebPage(live, arguments.host, arguments.port))
        print(f'page      {page.url}')
        if foxglove:
            print(f'Foxglove  {foxglove.url}   layout: {LAYOUT}')
        if not is_loopback(arguments.host):
            print('everyone who reaches this machine can look')
        sys.stdout.flush()
        processes = _play(arguments.input, arguments, scratch, stack) if arguments.input else []

        def has_ended() -> bool:
            for process in processes:
                process.check()
            return False

        session.spin(node, has_ended)
    return 0


def _foxglove(arguments: ViewOptions):
    """Return the server for Foxglove; None if it is disabled or its library is missing."""
    if arguments.no_foxglove:
        return None
    try:
        from .foxglove_server import FoxgloveServer
    except ModuleNotFoundError as error:
        if error.name != 'foxglove':
            raise
        print('without Foxglove, whose library is not installed: pip install foxglove-sdk')
        return None
    return FoxgloveServer(arguments.host, arguments.foxglove_port)


def _play(
    source: Path, arguments: ViewOptions, scratch: Path, stack: ExitStack
) -> list[NodeProcess]:
    """Start a node and a camera player for the input."""
    camera, weights = arguments.camera, arguments.parameters['weights']
    if weights not in (RANDOM, *BUNDLED):
        file = Path(weights).expanduser().resolve()
        if not file.exists():
            raise ToolError(f'no weights at {weights}')
        weights = str(file)
    return [
        stack.enter_context(process)
        for process in (
            NodeProcess(
                'depth_node',
                {
                    'cameras': [camera],
                    'frozen_after': 0.0,
                    **arguments.parameters,
                    'weights': weights,
                },
                ['-r', f'{camera}/image:={camera}/image_raw'],
                os.environ,
                scratch,
            ),
            NodeProcess(
                'camera_player',
                {
                    'path': str(source.expanduser().resolve()),
                    'rate_hz': arguments.rate,
                    'hfov_deg': arguments.hfov_deg,
                },
                ['-r', f'__ns:=/{camera}'],
                os.environ,
                scratch,
            ),
        )
    ]
