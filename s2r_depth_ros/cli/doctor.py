"""`s2r doctor`: show versions, the transports of ROS, and the number of images that arrive."""

from __future__ import annotations

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

from . import ToolError
from .node_process import own_domain_id
from .options import DoctorOptions

# Import names and the names of their distributions.
MODULES = {
    's2r_depth_ros': 's2r_depth_ros',
    'numpy': 'numpy',
    'cv2': 'opencv-python-headless',
    'torch': 'torch',
    'onnxruntime': 'onnxruntime',
    'openvino': 'openvino',
    'safetensors': 'safetensors',
    'cv_bridge': 'cv_bridge',
    'rosbags': 'rosbags',
    'foxglove': 'foxglove-sdk',
    'rclpy': 'rclpy',
}
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
BUILTIN = 'FASTDDS_BUILTIN_TRANSPORTS'
RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
VARIABLES = (
    'ROS_DISTRO',
    'RMW_IMPLEMENTATION',
    'ROS_DOMAIN_ID',
    RANGE,
    'ROS_LOCALHOST_ONLY',
    BUILTIN,
    *PROFILES,
)
SIZES_PX = {'VGA': (480, 640), 'Full HD': (1080, 1920)}
RATE_HZ = 30.0

_LIBRARY = re.compile(r'\S*/lib(?:fastrtps|fastdds)[-\w]*\.so\S*')
_ROS_SIDE = re.compile(r'\S*/librmw_fastrtps_shared_cpp[-\w]*\.so\S*')
_PATIENCE_S = 60.0


class FastDds(NamedTuple):
    """
    The Fast DDS library that ROS loads.

    ``version`` comes from its file name. ``variables`` are those of ``PROFILES`` and ``BUILTIN``
    that its code contains. Those in the code of the ROS middleware layer follow: that of Kilted
    also accepts the older variable.
    """

    version: str
    variables: tuple[str, ...]


def run(options: DoctorOptions) -> int:
    """Print the findings and return the exit code."""
    for name, text in versions().items():
        print(f'{name}: {text}')
    try:
        import rclpy
    except ImportError as error:
        print(
            'ROS 2: not installed here, or its setup.bash is not sourced; without it there are '
            f'no transports to look at ({error})'
        )
        return 0
    # With ROS from wheels, no setup file is sourced: the environment is the ROS prefix.
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
        for name, size_px in SIZES_PX.items() if options.images else ():
            arrived = count_arriving(context, size_px, options.images)
            print(
                f'{name}, best effort, {RATE_HZ:g} Hz: {arrived} of {options.images} images '
                f'arrived, {1 - arrived / options.images:.0%} lost',
                flush=True,
            )
    finally:
        rclpy.shutdown(context=context)
    return 0


def versions() -> dict[str, str]:
    """Return the versions of the system and of the libraries, by name."""
    texts = {'system': platform.platform(), 'Python': platform.python_version()}
    for name, distribution in MODULES.items():
        try:
            module = importlib.import_module(name)
            texts[name] = str(getattr(module, '__version__', '')) or version(distribution)
        except PackageNotFoundError:
            texts[name] = 'installed'
        except ImportError:
            texts[name] = 'not installed'
    return texts


def loaded_fast_dds() -> FastDds | None:
    """Return the Fast DDS of this process; None for other middleware or systems than Linux."""
    try:
        maps = Path('/proc/self/maps').read_text()
        paths = [
            Path(match[0]) for pattern in (_LIBRARY, _ROS_SIDE) if (match := pattern.search(maps))
        ]
        code = [path.read_bytes() for path in paths]
    except OSError:
        return None
    if not _LIBRARY.search(maps):
        return None
    stem = paths[0].name.partition('.so')[0]
    names = [paths[0].name, *(path.name for path in paths[0].parent.glob(f'{stem}.so.*'))]
    return FastDds(
        max(names, key=len).partition('.so.')[2] or 'of unknown version',
        tuple(name for part in code for name in (*PROFILES, BUILTIN) if name.encode() in part),
    )


def transport_lines(environment: Mapping[str, str], fast_dds: FastDds | None) -> Iterator[str]:
    """
    Yield a line for each variable without effect, and for the transports in force.

    :param environment: the variables of the process.
    :param fast_dds: the loaded library; None if other middleware carries the messages.
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
        not environment.get(RANGE) and environment.get('ROS_LOCALHOST_ONLY') == '1'
    )
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
        yield (
            'transports: UDPv4, SHM of 512 KiB (the default), which loses large best-effort '
            'images; see docs/how-to/trouble.md'
        )


def profile_transports(path: Path) -> list[str]:
    """
    Return the transports that the default participant of a Fast DDS profile uses.

    :param path: the XML file.
    :raises OSError: if the file is unreadable.
    :raises xml.etree.ElementTree.ParseError: if the file is not XML.
    """
    # The file belongs to the user, and Fast DDS reads it, too.
    root = ElementTree.fromstring(path.read_text(encoding='utf-8'))  # noqa: S314
    for element in root.iter():  # in any namespace
        element.tag = element.tag.rpartition('}')[2]
    descriptors = {
        descriptor.findtext('transport_id', '').strip(): descriptor
        for descriptor in root.iter('transport_descriptor')
    }
    used = chain.from_iterable(
        participant.iterfind('rtps/userTransports/transport_id')
        for participant in root.iter('participant')
        if participant.get('is_default_profile') == 'true'
    )
    transports = []
    for identity in used:
        descriptor = descriptors.get((identity.text or '').strip())
        if descriptor is not None:
            size = descriptor.findtext('segment_size', '').strip()
            kind = descriptor.findtext('type', 'a transport without type').strip()
            transports.append(f'{kind} of {int(size) // 1024} KiB' if size.isdecimal() else kind)
    return transports


def count_arriving(context, size_px: tuple[int, int], images: int) -> int:
    """
    Return the number of best-effort images that arrive here from another process.

    :param context: the context of rclpy, initialised.
    :param size_px: (height, width) of the bgr8 images.
    :param images: the number of published images.
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
        Image,
        topic,
        arrived.append,
        QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT),
        raw=True,
    )
    publisher = subprocess.Popen(
        [
            sys.executable,
            '-m',
            's2r_depth_ros.cli.image_burst',
            topic,
            *map(str, size_px),
            str(images),
            str(RATE_HZ),
        ],
        env={**os.environ, 'ROS_DOMAIN_ID': str(own_domain_id())},
        stderr=subprocess.PIPE,
        text=True,
    )
    end_s = time.monotonic() + _PATIENCE_S + images / RATE_HZ
    try:
        while publisher.poll() is None and time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.05)
        for _ in range(10):  # arrived but unprocessed messages
            executor.spin_once(timeout_sec=0.02)
        if publisher.poll() != 0:
            publisher.kill()
            raise ToolError(
                f'the process that publishes images failed: {publisher.communicate()[1].strip()}'
            )
    finally:
        publisher.kill()
        publisher.communicate()
        executor.shutdown()
        node.destroy_node()
    return len(arrived)
