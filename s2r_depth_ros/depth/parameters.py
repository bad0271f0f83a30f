"""Every parameter of the depth node: description, range, default, and change at run time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
import math
import re
from typing import Any

from ..engine import ENGINES, PRECISIONS

MAX_PIXELS = 50_000_000
LEAST_VOXEL_M = 0.01
PROBED_BASE_FRAME = 'base_footprint'
"""The default of ``base_frame``, without a warning where it is missing (REP 120)."""
RENAMED = {'steadiness': 'temporal_smoothing'}
"""Old names of parameters and the new ones; version 0.3.0 no longer takes the old."""

_CAMERA_NAME = r'[A-Za-z_]\w*(/[A-Za-z_]\w*)*'


def _parameter(default: Any, description: str, *, limits=None, choices=(), run_time=False) -> Any:
    """Return a dataclass field with the description and the allowed values of its parameter."""
    if any(choice not in description for choice in choices):
        description += f' One of {", ".join(choices)}.'
    metadata = {
        'description': description,
        'limits': limits,
        'choices': choices,
        'run_time': run_time,
    }
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """
    The parameters of the node; each field has the name, default and type of a parameter.

    :raises ValueError: if values contradict each other; the message names them and the reason.
    """

    cameras: list[str] = _parameter(
        ['camera'],
        'Names of the cameras. Each is the namespace of its topics, such as <camera>/image.',
    )
    weights: str = _parameter(
        'outdoor',
        "Weights of the network: 'outdoor' or 'indoor' (bundled), a .safetensors or .onnx "
        "file, or a folder with the four published .pth files. 'random' is an untrained "
        'network, for tests.',
    )
    published_max_depth: float = _parameter(
        80.0,
        'Top of the depth range in metres. Only for published .pth files, which do not contain '
        'it: 80 outdoor, 8 indoor.',
        limits=(0.1, 10000.0),
    )
    engine: str = _parameter(
        'auto',
        'Library that runs the network. auto selects onnxruntime on a CPU. On a GPU, it '
        'selects onnxruntime if that has TensorRT, else torch.',
        choices=ENGINES,
    )
    device: str = _parameter(
        'auto', "Device of the network: 'auto' (a GPU if there is one), 'cpu', 'cuda' or 'cuda:N'."
    )
    precision: str = _parameter(
        'float32',
        'Number format of the network. float16 needs a GPU, bfloat16 needs torch.',
        choices=PRECISIONS,
    )
    threads: int = _parameter(
        0, 'CPU threads of the network. 0 means one per core.', limits=(0, 1024)
    )
    cuda_graphs: bool = _parameter(
        False,
        'With torch on a GPU, record the network as a CUDA graph and replay it for each image.',
    )
    network_height: int = _parameter(
        0,
        'Height of the network input in pixels, a multiple of 16, at least 96. If both '
        'network_height and network_width are 0, the input has the area of the training images '
        'and the aspect ratio of the camera image.',
        limits=(0, 8192),
    )
    network_width: int = _parameter(
        0,
        'Width of the network input in pixels, a multiple of 16, at least 96. Set both '
        'network_height and network_width, or leave both 0.',
        limits=(0, 8192),
    )
    input_transport: str = _parameter(
        'raw',
        'raw subscribes to <camera>/image, an Image. compressed subscribes to '
        '<camera>/image/compressed, a CompressedImage (JPEG or PNG).',
        choices=('raw', 'compressed'),
    )
    rectify: bool = _parameter(
        False,
        'Undistort the image with K and D of camera_info before use. Set true for raw images; '
        'false means that the image is already rectified. The launch files expect image_raw '
        'and set true, unless a file or an argument sets a value.',
    )
    max_image_pixels: int = _parameter(
        MAX_PIXELS,
        'Maximum number of pixels of an image. The node drops larger images before it '
        'allocates memory.',
        limits=(1, 2**31 - 1),
    )
    max_rate: float = _parameter(
        0.0,
        'Maximum number of batches per second, to leave time for other processes. 0 means no '
        'limit.',
        limits=(0.0, 1000.0),
        run_time=True,
    )
    stale_after: float = _parameter(
        2.0,
        'Seconds without an image after which the diagnostics report a camera as STALE.',
        limits=(0.1, 3600.0),
        run_time=True,
    )
    frozen_after: float = _parameter(
        1.0,
        'Seconds with the same pixels after which the diagnostics report a frozen camera. 0 '
        'disables this check, for still images and simulations without noise.',
        limits=(0.0, 3600.0),
        run_time=True,
    )
    min_depth: float = _parameter(
        0.1,
        'Minimum depth in metres. Nearer pixels become -inf (0 in 16UC1).',
        limits=(0.0, 10000.0),
        run_time=True,
    )
    max_depth: float = _parameter(
        76.0,
        'Maximum depth in metres. Farther pixels become +inf (0 in 16UC1). The top 5 % of the '
        'depth range of the network means sky and becomes +inf, too.',
        limits=(0.0, 10000.0),
        run_time=True,
    )
    scale_source: str = _parameter(
        'auto',
        "Source of the scale, a factor on every depth. 'fixed' uses depth_scale. "
        "'ground_plane' uses the height of the camera above the ground in the image: from "
        "base_frame in TF, else camera_height. 'reference' uses true distances from "
        "<camera>/scale_reference/image or <camera>/scale_reference/range. 'auto' uses "
        "depth_scale if it is not 1, else the first source with data: 'ground_plane', "
        "'reference', 'fixed'.",
        choices=('auto', 'fixed', 'ground_plane', 'reference'),
    )
    depth_scale: float = _parameter(
        1.0,
        'Factor on every depth, to calibrate the scale of a camera. With scale_source '
        "'ground_plane' or 'reference', it is the initial value.",
        limits=(0.001, 1000.0),
        run_time=True,
    )
    base_frame: str = _parameter(
        PROBED_BASE_FRAME,
        'Frame of the robot on the ground, z up. TF from it to the optical frame gives height, '
        'pitch and roll of each camera. The node warns if the frame is missing, unless it is '
        "the default. '' disables TF.",
    )
    camera_height: float = _parameter(
        0.0,
        'Height in metres of the optical centre above the ground, for all cameras without TF. '
        '0 means unknown.',
        limits=(0.0, 1000.0),
        run_time=True,
    )
    camera_pitch: float = _parameter(
        0.0,
        'Angle in degrees by which the optical axis points below the horizon; used with '
        'camera_height. An error of up to 8 degrees is tolerated.',
        limits=(-45.0, 90.0),
        run_time=True,
    )
    scale_smoothing: float = _parameter(
        2.0,
        'Seconds over which the measured scale is averaged. 0 uses each measurement directly.',
        limits=(0.0, 3600.0),
        run_time=True,
    )
    temporal_smoothing: float = _parameter(
        0.0,
        'Weight of the previous depth where the image has not changed, to reduce flicker. 0 is '
        'off; 0.8 removes three quarters of the flicker.',
        limits=(0.0, 0.99),
        run_time=True,
    )
    sharp_edges: bool = _parameter(
        True,
        'Make a step of each blurred outline in the depth of the network. false gives its depth '
        'unchanged.',
        run_time=True,
    )
    edge_filter: float = _parameter(
        0.0,
        'Strength of the filter for points that float between a near and a far surface. Pixels '
        'at edges of both depth and image become NaN. 0 is off, 1 is the calibrated strength.',
        limits=(0.0, 100.0),
        run_time=True,
    )
    min_confidence: float = _parameter(
        0.0,
        'Minimum confidence, 0 to 1, as on <camera>/depth/confidence. Pixels below it become '
        'NaN. 0 is off. Few pixels reach 0.9. With other values than 0, weights without a judge '
        'run the network twice; the bundled weights have a judge.',
        limits=(0.0, 1.0),
        run_time=True,
    )
    focal_correction: bool = _parameter(
        True,
        'Multiply depth by the focal length of the camera, divided by the focal length in '
        'training.',
    )
    depth_encoding: str = _parameter(
        '32FC1',
        'Pixel format of <camera>/depth/image: metres as 32FC1 or millimetres as 16UC1.',
        choices=('32FC1', '16UC1'),
    )
    publish_points: bool = _parameter(
        True, 'Publish the organised cloud on the topic <camera>/depth/points.'
    )
    point_stride: int = _parameter(
        1,
        'Step in pixels between points of the cloud, along both axes.',
        limits=(1, 64),
        run_time=True,
    )
    points_confidence: bool = _parameter(
        False,
        "Add the field 'confidence' to the cloud. Then weights without a judge run the network "
        'twice.',
        run_time=True,
    )
    min_height: float = _parameter(
        0.15,
        'Minimum height in metres above the ground of obstacles on <camera>/depth/obstacles '
        'and <camera>/depth/scan.',
        limits=(0.0, 1000.0),
        run_time=True,
    )
    max_height: float = _parameter(
        2.0,
        'Maximum height in metres above the ground of obstacles on <camera>/depth/obstacles '
        'and <camera>/depth/scan.',
        limits=(0.0, 1000.0),
        run_time=True,
    )
    ground_contact: bool = _parameter(
        True,
        'Move each thing to the distance where it stands on the ground, if the ground plane is '
        'the source of the scale. This needs weights with a judge, such as the bundled ones.',
        run_time=True,
    )
    ground_probability: float = _parameter(
        0.8,
        'Pixels that show the ground with at least this probability are no obstacles on '
        '<camera>/depth/obstacles and <camera>/depth/scan. With a lower value, less free space '
        'is marked, and more obstacles are missed. 1 is off. This needs weights with a judge, '
        'such as the bundled ones.',
        limits=(0.1, 1.0),  # 0, which is off elsewhere, would hide every obstacle
        run_time=True,
    )
    voxel_size: float = _parameter(
        0.0,
        'Edge length in metres of a voxel, at least 0.01. <camera>/depth/obstacles keeps one '
        'point per voxel. 0 keeps all points.',
        limits=(0.0, 10.0),
        run_time=True,
    )
    scan_frame: str = _parameter(
        '',
        'Frame of <camera>/depth/scan: level, with its origin at the optical centre, x in the '
        'direction of the camera, and z up. Empty means the frame_id of the image followed by '
        "'_level'.",
    )
    autostart: bool = _parameter(
        True, 'Configure and activate at start, without a lifecycle manager.'
    )

    def __post_init__(self):
        for item in fields(self):
            value, choices = getattr(self, item.name), item.metadata['choices']
            if choices and value not in choices:
                raise ValueError(f'{item.name} must be one of {", ".join(choices)}, got {value!r}')
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f'{item.name} must be a finite number, got {value}')
        if not self.min_depth < self.max_depth:
            raise ValueError(
                f'min_depth ({self.min_depth} m) must be below max_depth ({self.max_depth} m)'
            )
        if not self.min_height < self.max_height:
            raise ValueError(
                f'min_height ({self.min_height} m) must be below max_height ({self.max_height} m)'
            )
        if 0 < self.voxel_size < LEAST_VOXEL_M:
            raise ValueError(
                f'voxel_size must be 0 or at least {LEAST_VOXEL_M} m, got {self.voxel_size} m'
            )
        if self.scale_source == 'ground_plane' and not (self.camera_height or self.base_frame):
            raise ValueError(
                'scale_source ground_plane needs camera_height, in metres above the ground, or '
                'base_frame'
            )
        if (self.network_height == 0) != (self.network_width == 0):
            raise ValueError(
                'network_height and network_width must both be given, or both be 0, got '
                f'{self.network_height} x {self.network_width}'
            )
        if not self.cameras:
            raise ValueError('cameras must name at least one camera')
        for camera in self.cameras:
            if not re.fullmatch(_CAMERA_NAME, camera) or camera == 'network':
                raise ValueError(
                    f'cameras: {camera!r} cannot be the namespace of topics; use letters, digits '
                    "and _, with / between words, and not 'network', which /diagnostics has"
                )
        if len(set(self.cameras)) != len(self.cameras):
            raise ValueError(f'cameras must have different names, got {self.cameras}')

    @property
    def network_size_px(self) -> tuple[int, int] | None:
        """(height, width) of the network's input, None to choose by the image."""
        if self.network_height == 0:
            return None
        return self.network_height, self.network_width


def old_name_warning(old: str, new: str, is_new_given: bool = False) -> str:
    """
    Return the warning for a parameter that the user gives by its old name.

    :param old: old name, a key of ``RENAMED``.
    :param new: new name.
    :param is_new_given: whether the user gives both names; the new one then counts.
    """
    if is_new_given:
        return f'{old} is ignored: {new}, which is its new name, is given, too'
    return f'{old} is now called {new}: rename it, since version 0.3.0 refuses the old name'
