"""
Show the versions on this machine, the transports of ROS, and how many images arrive.

It prints versions, the variables that decide the transport, variables without effect, and the
transports in force. Then a second process publishes best-effort VGA and Full HD images, as a
camera driver does, and this one counts them. They use a ROS domain of their own and the variables
as set. Without ROS it prints the versions only.

Examples:
  s2r doctor
  FASTRTPS_DEFAULT_PROFILES_FILE=profile.xml s2r doctor
"""
from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
import importlib
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
import os
from pathlib import Path
import platform
import re
import subprocess
import sys
import time
from typing import NamedTuple
import xml.etree.ElementTree as ElementTree

from . import number_in, ToolError
from .node_process import own_domain_id

# What is imported, and the name of what is installed.
MODULES = {
    'numpy': 'numpy', 'cv2': 'opencv-python-headless', 'torch': 'torch',
    'onnxruntime': 'onnxruntime', 'openvino': 'openvino', 'safetensors': 'safetensors',
    'cv_bridge': 'cv_bridge', 'rosbags': 'rosbags', 'foxglove': 'foxglove-sdk',
    'rclpy': 'rclpy'}
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
BUILTIN = 'FASTDDS_BUILTIN_TRANSPORTS'
RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
VARIABLES = (
    'ROS_DISTRO', 'RMW_IMPLEMENTATION', 'ROS_DOMAIN_ID', RANGE, 'ROS_LOCALHOST_ONLY', BUILTIN,
    *PROFILES)
SIZES_PX = {'VGA': (480, 640), 'Full HD': (1080, 1920)}
RATE_HZ = 30.0

_LIBRARY = re.compile(r'\S*/lib(?:fastrtps|fastdds)[-\w]*\.so\S*')
_ROS_SIDE = re.compile(r'\S*/librmw_fastrtps_shared_cpp[-\w]*\.so\S*')
_PATIENCE_S = 60.0


class FastDds(NamedTuple):
    """
    The Fast DDS that ROS has loaded.

    ``version`` is from the name of its file; ``variables`` are those, of ``PROFILES`` and
    ``BUILTIN``, that its code names, and after them those that ROS's part of it names: Kilted's
    takes the older variable, too.
    """

    version: str
    variables: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        '--images', type=number_in(int, 0, 10000), default=50, metavar='N',
        help='images of each size, 30 a second; 0 measures nothing (default: %(default)s)')


def run(arguments: argparse.Namespace) -> int:
    """Print what was found and return the exit code."""
    for name, each in versions().items():
        print(f'{name}: {each}')
    try:
        import rclpy
    except ImportError as error:
        print('ROS 2: not installed here, or its setup.bash is not sourced; without it there are '
              f'no transports to look at ({error})')
        return 0
    # Where ROS comes as wheels, nothing has been sourced: the environment is its prefix.
    os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)
    for variable in VARIABLES:
        print(f'{variable}: {os.environ.get(variable, "not set")}')
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain_id())
    try:
        print(f'middleware: {rclpy.get_rmw_implementation_identifier()}')
        for line in transport_lines(os.environ, loaded_fast_dds()):
            print(line)
        sys.stdout.flush()
        for name, size_px in SIZES_PX.items() if arguments.images else ():
            arrived = count_arriving(context, size_px, arguments.images)
            print(f'{name}, best effort, {RATE_HZ:g} Hz: {arrived} of {arguments.images} images '
                  f'arrived, {1 - arrived / arguments.images:.0%} lost', flush=True)
    finally:
        rclpy.shutdown(context=context)
    return 0


def versions() -> dict[str, str]:
    """Return the versions of what this package runs on, by name."""
    found = {'system': platform.platform(), 'Python': platform.python_version()}
    for name, distribution in MODULES.items():
        try:
            module = importlib.import_module(name)
            found[name] = str(getattr(module, '__version__', '')) or version(distribution)
        except PackageNotFoundError:
            found[name] = 'installed'
        except ImportError:
            found[name] = 'not installed'
    return found


def loaded_fast_dds() -> FastDds | None:
    """Return the Fast DDS of this process; None for another middleware, or not on Linux."""
    try:
        maps = Path('/proc/self/maps').read_text()
        paths = [Path(found[0]) for each in (_LIBRARY, _ROS_SIDE) if (found := each.search(maps))]
        code = [path.read_bytes() for path in paths]
    except OSError:
        return None
    if not _LIBRARY.search(maps):
        return None
    stem = paths[0].name.partition('.so')[0]
    names = [paths[0].name, *(each.name for each in paths[0].parent.glob(f'{stem}.so.*'))]
    return FastDds(
        max(names, key=len).partition('.so.')[2] or 'of unknown version',
        tuple(name for part in code for name in (*PROFILES, BUILTIN) if name.encode() in part))


def transport_lines(
    environment: Mapping[str, str], fast_dds: FastDds | None,
) -> Iterator[str]:
    """
    Yield a line for each variable without effect, and for the transports in force.

    :param environment: the variables of the process.
    :param fast_dds: as it is installed; None if it is not what carries the messages.
    """
    if fast_dds is None:
        yield 'transports: not of Fast DDS, so its variables and profiles have no effect'
        return
    yield f'Fast DDS: {fast_dds.version}'
    readable = [*dict.fromkeys(name for name in fast_dds.variables if name in PROFILES)]
    for name in (*PROFILES, BUILTIN):
        if environment.get(name) and name not in fast_dds.variables:
            instead = f', which reads {" and ".join(readable)}' if name in PROFILES else ''
            yield f'no effect: {name} is ignored by Fast DDS {fast_dds.version}{instead}'
    profile = next((environment[name] for name in readable if environment.get(name)), '')
    from_profile: list[str] = []
    if profile:
        try:
            from_profile = profile_transports(Path(profile))
        except (OSError, ElementTree.ParseError) as error:
            yield f'no effect: the profile {profile} cannot be read: {error}'
    is_local = environment.get(RANGE, '').upper() == 'LOCALHOST' or (
        not environment.get(RANGE) and environment.get('ROS_LOCALHOST_ONLY') == '1')
    builtin = environment.get(BUILTIN) if BUILTIN in fast_dds.variables else None
    if builtin and is_local:
        yield f'no effect: {BUILTIN} does nothing beside {RANGE}=LOCALHOST'
        builtin = None
    elif builtin and from_profile:
        yield f'no effect: {BUILTIN} does nothing beside the transports of a profile'
    if from_profile:
        yield f'transports: {", ".join(from_profile)} ({profile})'
    elif builtin:
        yield f'transports: {builtin} ({BUILTIN})'
    else:
        yield ('transports: UDPv4, SHM of 512 KiB (the default), which loses large best-effort '
               'images; see docs/trouble.md')


def profile_transports(path: Path) -> list[str]:
    """
    Return the transports that the default participant of a Fast DDS profile uses.

    :param path: the XML file.
    :raises OSError: if it cannot be read.
    :raises xml.etree.ElementTree.ParseError: if it is no XML.
    """
    # The user's own file, which Fast DDS reads, too.
    root = ElementTree.fromstring(path.read_text(encoding='utf-8'))  # noqa: S314
    for element in root.iter():  # whatever the namespace
        element.tag = element.tag.rpartition('}')[2]
    descriptors = {each.findtext('transport_id', '').strip(): each
                   for each in root.iter('transport_descriptor')}
    used = chain.from_iterable(
        participant.iterfind('rtps/userTransports/transport_id')
        for participant in root.iter('participant')
        if participant.get('is_default_profile') == 'true')
    found = []
    for each in used:
        descriptor = descriptors.get((each.text or '').strip())
        if descriptor is not None:
            size = descriptor.findtext('segment_size', '').strip()
            kind = descriptor.findtext('type', 'a transport without type').strip()
            found.append(f'{kind} of {int(size) // 1024} KiB' if size.isdecimal() else kind)
    return found


def count_arriving(context, size_px: tuple[int, int], images: int) -> int:
    """
    Return how many best-effort images of another process arrive here.

    :param context: of rclpy, initialised.
    :param size_px: (height, width) of the bgr8 images.
    :param images: how many are published.
    :raises ToolError: if the other process fails.
    """
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    arrived: list[bytes] = []
    node = rclpy.create_node('s2r_doctor', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    topic = f's2r_doctor/image_{size_px[0]}'
    node.create_subscription(
        Image, topic, arrived.append,
        QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT), raw=True)
    publisher = subprocess.Popen(
        [sys.executable, '-m', 's2r_depth_ros.cli.image_burst', topic, *map(str, size_px),
         str(images), str(RATE_HZ)],
        env={**os.environ, 'ROS_DOMAIN_ID': str(own_domain_id())}, stderr=subprocess.PIPE,
        text=True)
    end_s = time.monotonic() + _PATIENCE_S + images / RATE_HZ
    try:
        while publisher.poll() is None and time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.05)
        for _ in range(10):  # what has arrived and was not yet looked at
            executor.spin_once(timeout_sec=0.02)
        if publisher.poll() != 0:
            publisher.kill()
            raise ToolError(
                f'the process that publishes images failed: {publisher.communicate()[1].strip()}')
    finally:
        publisher.kill()
        publisher.communicate()
        executor.shutdown()
        node.destroy_node()
    return len(arrived)
