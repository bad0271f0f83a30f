r"""
Show a camera's image, depth, structure and attention live in a browser, and in Foxglove.

It subscribes to what depth_node publishes, and serves to this machine alone:

  a page        http://127.0.0.1:8080: the four pictures of one moment, rate and latency
  a web socket  ws://127.0.0.1:8765: the pictures and the cloud for Foxglove or Lichtblick
                (open connection, Foxglove WebSocket), with the layout file that it names

With INPUT it starts a camera that plays images and a depth_node, in a ROS domain of their own, and
ends them with itself. Ctrl-C ends it.

Examples:
  s2r view                                           a depth_node that runs, camera "camera"
  s2r view --camera front --image /front/image_raw   another camera
  s2r view ~/pictures                                no robot: a folder of images or a video
  ssh -t -L 8080:localhost:8080 -L 8765:localhost:8765 robot \
      'source ~/ws/install/setup.bash && ros2 run s2r_depth_ros s2r view'   from another machine
"""
from __future__ import annotations

import argparse
from contextlib import ExitStack
import os
from pathlib import Path
import sys
import tempfile

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.impl.implementation_singleton import rclpy_implementation

from ...engine import ENGINES
from ...session import Session
from ...weights_info import BUNDLED, RANDOM
from .. import number_in, ToolError, whole_number
from ..node_process import check_input, NodeProcess, own_domain_id, ros_environment
from .live import LiveView
from .web import is_loopback, WebPage

LAYOUT = Path(__file__).with_name('foxglove_layout.json')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        'input', nargs='?', metavar='INPUT', type=Path,
        help='folder of images, an image or a video to play; without it a running node is shown')
    parser.add_argument(
        '--camera', default='camera', metavar='NAME',
        help='namespace of the depth topics (default: %(default)s)')
    parser.add_argument(
        '--image', metavar='TOPIC',
        help='of the camera, .../compressed for compressed images (default: CAMERA/image_raw)')
    parser.add_argument(
        '--port', type=_port, default=8080,
        help='of the page; 0 for any that is free (default: %(default)s)')
    parser.add_argument(
        '--foxglove-port', type=_port, default=8765, metavar='PORT',
        help='of the web socket (default: %(default)s)')
    parser.add_argument('--no-foxglove', action='store_true', help='serve the page alone')
    parser.add_argument(
        '--host', default='127.0.0.1',
        help='address to listen on; 0.0.0.0 lets everyone look who reaches this machine '
        '(default: %(default)s)')
    parser.add_argument(
        '--weights', default='outdoor', help='with INPUT: as for the node (default: %(default)s)')
    parser.add_argument(
        '--engine', choices=ENGINES, default='auto',
        help='with INPUT: as for the node (default: %(default)s)')
    parser.add_argument(
        '--rate', type=number_in(float, 0.01, 1000), default=5.0, metavar='HZ',
        help='with INPUT: images a second (default: %(default)g)')
    parser.add_argument(
        '--hfov-deg', type=number_in(float, 1, 179), default=60.0, metavar='DEGREES',
        help='with INPUT: horizontal field of view, where no manifest.json beside the images says '
        'more (default: %(default)g)')


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop, and return the exit code."""
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
                node, arguments.camera, arguments.image or f'{arguments.camera}/image_raw',
                foxglove.send if foxglove else None)
        except (rclpy_implementation.RCLError, NameValidationException) as error:
            raise ToolError(f'--camera or --image makes no topic: {error}') from error
        page = stack.enter_context(WebPage(live, arguments.host, arguments.port))
        print(f'page      {page.url}')
        if foxglove:
            print(f'Foxglove  {foxglove.url}   layout: {LAYOUT}')
        if not is_loopback(arguments.host):
            print('everyone who reaches this machine can look')
        sys.stdout.flush()
        processes = _play(arguments, scratch, stack) if arguments.input else []

        def has_ended() -> bool:
            for process in processes:
                process.check()
            return False

        session.spin(node, has_ended)
    return 0


def _foxglove(arguments: argparse.Namespace):
    """Return the server for Foxglove; None if it is not wanted, or its library not there."""
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
    arguments: argparse.Namespace, scratch: Path, stack: ExitStack,
) -> list[NodeProcess]:
    """Start a node, and a camera that plays the input."""
    camera, chosen = arguments.camera, arguments.weights
    if chosen not in (RANDOM, *BUNDLED):
        file = Path(chosen).expanduser().resolve()
        if not file.exists():
            raise ToolError(f'no weights at {chosen}')
        chosen = str(file)
    path = str(arguments.input.expanduser().resolve())
    return [stack.enter_context(process) for process in (
        NodeProcess(
            'depth_node', {'cameras': [camera], 'weights': chosen, 'engine': arguments.engine},
            ['-r', f'{camera}/image:={camera}/image_raw'], os.environ, scratch),
        NodeProcess(
            'camera_player',
            {'path': path, 'rate_hz': arguments.rate, 'hfov_deg': arguments.hfov_deg},
            ['-r', f'__ns:=/{camera}'], os.environ, scratch))]


def _port(text: str) -> int:
    port = whole_number(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f'{port} is no port: they go from 0 to 65535')
    return port
