"""Every ROS parameter of the depth node: description, range, default, and who may change it."""
from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
import difflib
import re
import textwrap
from typing import Any, TYPE_CHECKING

from .engine import ENGINES, PRECISIONS
from .message_types import filled
from .messages import MAX_PIXELS

if TYPE_CHECKING:  # ROS is imported where it is used: the tools take these parameters without it
    from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
    from rclpy.node import Node
    from rclpy.parameter import Parameter

_CAMERA_NAME = r'[A-Za-z_]\w*(/[A-Za-z_]\w*)*'


def descriptor(
    default: Any, description: str, limits: tuple[float, float] | None = None,
    read_only: bool = True,
) -> ParameterDescriptor:
    """
    Return what ROS tools show of a parameter, and hold its value to.

    :param default: of the parameter; says whether the range is one of floats or of integers.
    :param description: for people.
    :param limits: the least and the greatest value, None for any.
    :param read_only: whether it stays as it was at start.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    made = filled(ParameterDescriptor, description=description, read_only=read_only)
    if limits and isinstance(default, float):
        made.floating_point_range = [
            filled(FloatingPointRange, from_value=limits[0], to_value=limits[1], step=0.0)]
    elif limits:
        made.integer_range = [filled(
            IntegerRange, from_value=int(limits[0]), to_value=int(limits[1]), step=1)]
    return made


def _parameter(default: Any, description: str, *, limits=None, choices=(), run_time=False) -> Any:
    """Return a dataclass field that knows what its parameter is for and which values it takes."""
    if choices:
        description += f' One of {", ".join(choices)}.'
    metadata = {
        'description': description, 'limits': limits, 'choices': choices, 'run_time': run_time}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """
    The node's parameters; a field's name, default and type are the parameter's.

    :raises ValueError: if values contradict each other; the message says which and why.
    """

    cameras: list[str] = _parameter(
        ['camera'], 'Names of the cameras; each is the namespace of its topics.')
    weights: str = _parameter(
        'outdoor', "Bundled weights ('outdoor' or 'indoor'), a .safetensors or .onnx file, a "
        "folder with the four published .pth files, or 'random' for an untrained network.")
    published_max_depth: float = _parameter(
        80.0, 'Metres at the top of the depth range of published .pth files, which do not say '
        'it: 80 outdoor, 8 indoor. Other weights carry their range.', limits=(0.1, 10000.0))
    engine: str = _parameter(
        'auto', 'What runs the network; auto takes onnxruntime on a CPU, and on a GPU where it '
        'offers TensorRT, else torch.', choices=ENGINES)
    device: str = _parameter(
        'auto', 'Where the network runs: auto (a GPU if there is one), cpu, cuda or cuda:N.')
    precision: str = _parameter(
        'float32', 'Number format of the network; float16 needs a GPU, bfloat16 torch.',
        choices=PRECISIONS)
    threads: int = _parameter(
        0, 'CPU threads of the network; 0 for as many as there are cores.', limits=(0, 1024))
    cuda_graphs: bool = _parameter(
        False, 'With torch on a GPU, record the network as a CUDA graph and replay it for each '
        'image.')
    input_transport: str = _parameter(
        'raw', 'Whether <camera>/image is an Image or a CompressedImage (JPEG or PNG).',
        choices=('raw', 'compressed'))
    rectify: bool = _parameter(
        False, 'Undistort the image with K and D of camera_info before use; for raw images of '
        'lenses that bend straight lines. Without it the image is taken as rectified.')
    network_height: int = _parameter(
        0, 'Height of the network input in pixels, a multiple of 16; 0 (with network_width 0) '
        "takes the training size's area in the shape of the image.", limits=(0, 8192))
    network_width: int = _parameter(
        0, 'Width of the network input in pixels, a multiple of 16; see network_height.',
        limits=(0, 8192))
    max_image_pixels: int = _parameter(
        MAX_PIXELS, 'Larger images are dropped before anything is allocated for them.',
        limits=(1, 2**31 - 1))
    min_depth: float = _parameter(
        0.1, 'Metres; what is nearer becomes -inf (0 in 16UC1).', limits=(0.0, 10000.0),
        run_time=True)
    max_depth: float = _parameter(
        76.0, 'Metres; what is farther becomes +inf (0 in 16UC1), and so does the uppermost 5 % '
        'of the range of the network, which means sky.', limits=(0.0, 10000.0), run_time=True)
    depth_encoding: str = _parameter(
        '32FC1', 'Pixel format of depth/image: metres as 32FC1 or millimetres as 16UC1.',
        choices=('32FC1', '16UC1'))
    scale_source: str = _parameter(
        'fixed', 'What tells the factor on every depth: depth_scale alone (fixed), the '
        'camera_height above the ground that is seen (ground_plane), or true distances from '
        '<camera>/scale_reference/image or <camera>/scale_reference/range (reference).',
        choices=('fixed', 'ground_plane', 'reference'))
    depth_scale: float = _parameter(
        1.0, 'Factor on every depth, to calibrate the scale of a camera; with another '
        'scale_source than fixed the one to begin with.',
        limits=(0.001, 1000.0), run_time=True)
    camera_height: float = _parameter(
        0.0, 'Metres of the optical centre above the ground, of all cameras; for scale_source '
        'ground_plane.', limits=(0.0, 1000.0), run_time=True)
    camera_pitch: float = _parameter(
        0.0, 'Degrees by which the optical axis points below the horizon; for scale_source '
        'ground_plane, which allows for 8 degrees more or less.', limits=(-45.0, 90.0),
        run_time=True)
    scale_smoothing: float = _parameter(
        2.0, 'Seconds over which a measured scale is averaged; 0 takes each as it comes.',
        limits=(0.0, 3600.0), run_time=True)
    steadiness: float = _parameter(
        0.0, 'Weight of the depth before where the image has not changed, against flicker; 0 for '
        'none.', limits=(0.0, 0.99), run_time=True)
    focal_correction: bool = _parameter(
        True, "Scale depth with the camera's focal length over the training focal length.")
    publish_points: bool = _parameter(True, 'Whether there is a topic depth/points.')
    point_stride: int = _parameter(
        1, 'Every how many pixels, along both axes, the cloud has a point.', limits=(1, 64),
        run_time=True)
    max_rate: float = _parameter(
        0.0, 'Batches a second at most, to leave time for others; 0 for no limit.',
        limits=(0.0, 1000.0), run_time=True)
    stale_after: float = _parameter(
        2.0, 'Seconds without an image after which a camera is reported STALE.',
        limits=(0.1, 3600.0), run_time=True)
    autostart: bool = _parameter(
        True, 'Configure and activate at start, without a lifecycle manager.')

    def __post_init__(self):
        for item in fields(self):
            value, choices = getattr(self, item.name), item.metadata['choices']
            if choices and value not in choices:
                raise ValueError(
                    f'{item.name} must be one of {", ".join(choices)}, got {value!r}')
        if not self.min_depth < self.max_depth:
            raise ValueError(
                f'min_depth ({self.min_depth} m) must be below max_depth ({self.max_depth} m)')
        if self.scale_source == 'ground_plane' and self.camera_height == 0:
            raise ValueError(
                'scale_source ground_plane needs camera_height, in metres above the ground')
        if (self.network_height == 0) != (self.network_width == 0):
            raise ValueError(
                'network_height and network_width must both be given, or both be 0, got '
                f'{self.network_height} x {self.network_width}')
        if not self.cameras:
            raise ValueError('cameras must name at least one camera')
        for camera in self.cameras:
            if not re.fullmatch(_CAMERA_NAME, camera) or camera == 'network':
                raise ValueError(
                    f'cameras: {camera!r} cannot be the namespace of topics; use letters, digits '
                    "and _, with / between words, and not 'network', which /diagnostics has")
        if len(set(self.cameras)) != len(self.cameras):
            raise ValueError(f'cameras must have different names, got {self.cameras}')

    @property
    def network_size_px(self) -> tuple[int, int] | None:
        """(height, width) of the network's input, None to choose by the image."""
        if self.network_height == 0:
            return None
        return self.network_height, self.network_width


def declare(node: Node) -> dict[str, Any]:
    """Declare every parameter on ``node`` and return their values as given, unchecked."""
    defaults = Parameters()
    values = {}
    for item in fields(defaults):
        default, about = getattr(defaults, item.name), item.metadata
        values[item.name] = node.declare_parameter(item.name, default, descriptor(
            default, about['description'], about['limits'], read_only=not about['run_time'])).value
    warn_of_unknown(node, [*values])
    return values


def warn_of_unknown(node: Node, names: list[str]) -> None:
    """
    Log a warning for each parameter that is given to a node and that it does not have.

    :param names: of the parameters that it has, one of which may have been meant.
    """
    # Those of files and command line. Nothing public lists them, so a later rclpy may lack it.
    for name in getattr(node, '_parameter_overrides', {}):
        if node.has_parameter(name) or name.startswith('qos_overrides.'):  # declared by each topic
            continue
        near = difflib.get_close_matches(name, names, 1)
        node.get_logger().warning(
            f'{name} is no parameter of {node.get_name()} and is ignored'
            + (f'; is {near[0]} meant?' if near else '; --help lists them'))


def help_text() -> str:
    """Return a line for each parameter: name, default and description."""
    defaults = Parameters()
    return '\n'.join(
        f'  {item.name} ({getattr(defaults, item.name)})\n'
        + textwrap.fill(
            item.metadata['description'], 90, initial_indent=' ' * 6, subsequent_indent=' ' * 6)
        for item in fields(defaults))


def changed(
    current: Parameters, changes: list[Parameter],
) -> tuple[Parameters, SetParametersResult]:
    """
    Return the parameters after a change at run time, and whether it is accepted.

    :param current: the parameters in force, returned unchanged if the change is refused.
    :param changes: from the node's set-parameters callback; names of others are ignored.
    """
    from rcl_interfaces.msg import SetParametersResult

    own = {item.name for item in fields(Parameters)}
    values = {change.name: change.value for change in changes if change.name in own}
    try:
        return replace(current, **values), filled(SetParametersResult, successful=True)
    except ValueError as error:
        return current, filled(SetParametersResult, successful=False, reason=str(error))
