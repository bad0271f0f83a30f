"""Messages to publish for a camera, by topic name in the camera's namespace."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

import numpy as np

from ..depth.colors import color_depth
from ..depth.ground import GroundPlane
from ..depth.obstacles import obstacle_points
from ..depth.parameters import Parameters
from ..depth.pipeline import CameraImage, DepthResult, project
from ..depth.scan import Scan, scan_from_depth
from . import messages
from .compressed import bgr_to_jpeg, depth_to_compressed, LONGEST_SIDE_PX
from .message_types import (
    CameraInfo,
    CompressedImage,
    filled,
    Float32MultiArray,
    Header,
    Image,
    LaserScan,
    PointCloud2,
)

DEPTH = 'depth/image'
INFO = 'depth/camera_info'
POINTS = 'depth/points'
COLOR = 'depth/image_color'
STRUCTURE = 'depth/structure'
ATTENTION = 'depth/attention'
CONFIDENCE = 'depth/confidence'
GROUND = 'depth/ground'
SCALE = 'depth/scale'
OBSTACLES = 'depth/obstacles'
SCAN = 'depth/scan'
RECT_COLOR = 'depth/image_rect_color'
COMPRESSED_DEPTH = f'{DEPTH}/compressedDepth'
COMPRESSED_COLOR = f'{COLOR}/compressed'

# Outputs that are computed from an image and have its header. SCALE describes them.
OUTPUTS = {
    DEPTH: Image,
    INFO: CameraInfo,
    POINTS: PointCloud2,
    COLOR: Image,
    STRUCTURE: Image,
    ATTENTION: Image,
    CONFIDENCE: Image,
    GROUND: Image,
}
# Copies in other forms, which only the node publishes.
COPIES = {RECT_COLOR: Image, COMPRESSED_DEPTH: CompressedImage, COMPRESSED_COLOR: CompressedImage}
# Outputs that need the ground plane, too. SCAN has a frame of its own.
GROUND_OUTPUTS = {OBSTACLES: PointCloud2, SCAN: LaserScan}
MAPS = frozenset({STRUCTURE, ATTENTION})
NEEDS_JUDGE = frozenset({GROUND})  # of the weights
WITHOUT_NETWORK = frozenset({INFO, RECT_COLOR})
NEEDS_CALIBRATION = WITHOUT_NETWORK | {POINTS, *GROUND_OUTPUTS}

NO_JUDGE = 'depth/ground needs weights with a judge, such as the bundled ones'
NEAREST_COLOR_M = 0.1

OutputMessage: TypeAlias = (
    Image | CameraInfo | CompressedImage | PointCloud2 | Float32MultiArray | LaserScan
)


def needs_confidence(outputs: Collection[str], parameters: Parameters) -> bool:
    """Return whether these outputs need the confidence, which can cost a run of the network."""
    return CONFIDENCE in outputs or (POINTS in outputs and parameters.points_confidence)


def needs_ground(outputs: Collection[str], parameters: Parameters) -> bool:
    """Return whether these outputs need the probability of ground."""
    return GROUND in outputs or (
        parameters.ground_probability < 1 and not GROUND_OUTPUTS.keys().isdisjoint(outputs)
    )


def header_of(image: CameraImage) -> Header:
    """Return the header that all messages of an image share."""
    header = filled(Header, frame_id=image.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(image.stamp_ns, 10**9)
    return header


def info_message(image: CameraImage) -> CameraInfo | None:
    """Return the camera_info of exactly this image, None if the image has no calibration."""
    if image.camera is None:
        return None
    return messages.camera_model_to_info(image.camera, header_of(image))


def scan_header_of(image: CameraImage, parameters: Parameters) -> Header:
    """Return the header of a scan: the stamp of the image, in a level frame."""
    header = header_of(image)
    header.frame_id = parameters.scan_frame or f'{image.frame_id}_level'
    return header


def ground_fault(result: DepthResult, outputs: Collection[str]) -> str:
    """Return why some of the outputs that tell of the ground are missing; empty if none is."""
    faults = []
    if GROUND in outputs and result.ground_probability is None:
        faults.append(NO_JUDGE)
    if not GROUND_OUTPUTS.keys().isdisjoint(outputs):
        if result.image.camera is None:
            faults.append('obstacles and scan need a calibration')
        elif result.ground is None:
            faults.append(
                'obstacles and scan need the ground: TF from base_frame, or camera_height'
            )
    return '; '.join(faults)


def image_messages(image: CameraImage, outputs: Iterable[str]) -> dict[str, OutputMessage]:
    """
    Return one message for each of the outputs that need no network.

    :param image: after preprocessing; without a calibration there is no message.
    :param outputs: names, of which those in :data:`WITHOUT_NETWORK` count.
    """
    by_output: dict[str, OutputMessage] = {}
    if INFO in outputs and (info := info_message(image)) is not None:
        by_output[INFO] = info
    if RECT_COLOR in outputs and image.camera is not None:
        by_output[RECT_COLOR] = messages.pixels_to_image(image.rgb, 'rgb8', header_of(image))
    return by_output


def compression_fault(image: CameraImage, outputs: Iterable[str]) -> str:
    """Return why compressed outputs are missing; empty if none is missing."""
    if max(image.size_px) <= LONGEST_SIDE_PX or not {COMPRESSED_DEPTH, COMPRESSED_COLOR} & {
        *outputs
    }:
        return ''
    return f'no compressed output: the image has a side of over {LONGEST_SIDE_PX} pixels'


def frame_fault(image: CameraImage, outputs: Collection[str], parameters: Parameters) -> str:
    """Return why the points of an image have no valid frame; empty if they have one."""
    if SCAN in outputs and image.frame_id and image.frame_id == parameters.scan_frame:
        return (
            f'scan_frame is {image.frame_id}, the frame of the images, in which the scan would be '
            'upright: name a level frame, or leave it empty'
        )
    if image.frame_id or {POINTS, *GROUND_OUTPUTS}.isdisjoint(outputs):
        return ''
    return (
        'the images have no frame_id, so nobody can place the cloud: set it in the camera driver'
    )


def output_messages(
    result: DepthResult, outputs: Collection[str], parameters: Parameters
) -> dict[str, OutputMessage]:
    """
    Return one message for each output that the result contains.

    :param result: the result after postprocessing.
    :param outputs: names from :data:`OUTPUTS`, :data:`COPIES` and :data:`GROUND_OUTPUTS`, and
        :data:`SCALE`.
    :param parameters: ``depth_encoding``, ``point_stride``, ``points_confidence``, ``min_depth``,
        ``max_depth`` and those of obstacles and scan.
    """
    image, depth_m, header = result.image, result.depth_m, header_of(result.image)
    if compression_fault(image, outputs):
        outputs = {*outputs} - {COMPRESSED_DEPTH, COMPRESSED_COLOR}
    by_output = image_messages(image, outputs)
    if DEPTH in outputs:
        by_output[DEPTH] = messages.depth_to_image(depth_m, header, parameters.depth_encoding)
    if COMPRESSED_DEPTH in outputs:
        by_output[COMPRESSED_DEPTH] = depth_to_compressed(
            depth_m, header, parameters.depth_encoding
        )
    is_ground = result.is_ground(parameters.ground_probability)
    if SCAN in outputs and image.intrinsics is not None and result.ground is not None:
        scan = _scan(result, image.intrinsics, result.ground, is_ground, parameters)
        by_output[SCAN] = messages.scan_to_message(scan, scan_header_of(image, parameters))
    if image.camera is not None and not {POINTS, OBSTACLES}.isdisjoint(outputs):
        points_m, rgb = project(result, parameters.point_stride)
        if POINTS in outputs:
            confidence = result.confidence if parameters.points_confidence else None
            by_output[POINTS] = messages.points_to_cloud(
                points_m, rgb, header, _strided(confidence, parameters)
            )
        if OBSTACLES in outputs and result.ground is not None:
            obstacles_m = obstacle_points(
                points_m,
                result.ground,
                parameters.min_height,
                parameters.max_height,
                parameters.voxel_size,
                _strided(is_ground, parameters),
            )
            by_output[OBSTACLES] = messages.obstacles_to_cloud(obstacles_m, header)
    if not {COLOR, COMPRESSED_COLOR}.isdisjoint(outputs):
        near_m = max(parameters.min_depth, NEAREST_COLOR_M)
        colored = color_depth(depth_m, near_m, max(parameters.max_depth, 2 * near_m))
        if COLOR in outputs:
            by_output[COLOR] = messages.pixels_to_image(colored, 'bgr8', header)
        if COMPRESSED_COLOR in outputs:
            by_output[COMPRESSED_COLOR] = bgr_to_jpeg(colored, header)
    if SCALE in outputs:
        by_output[SCALE] = messages.scale_to_message(result.scale)
    for output, values in (
        (STRUCTURE, result.structure),
        (ATTENTION, result.attention),
        (CONFIDENCE, result.confidence),
        (GROUND, result.ground_probability),
    ):
        if output in outputs and values is not None:
            grey = (values * 255).round().astype(np.uint8)
            if output in (CONFIDENCE, GROUND) and image.valid_mask is not None:
                grey[~image.valid_mask] = 0  # nothing is known of what rectification left black
            by_output[output] = messages.pixels_to_image(grey, 'mono8', header)
    return by_output


def _scan(
    result: DepthResult,
    intrinsics: np.ndarray,
    ground: GroundPlane,
    is_ground: np.ndarray | None,
    parameters: Parameters,
) -> Scan:
    far_m = min(parameters.max_depth, result.far_m * result.scale.factor)
    scan = scan_from_depth(
        result.depth_m,
        intrinsics,
        ground,
        (parameters.min_height, parameters.max_height),
        (parameters.min_depth, max(parameters.min_depth, far_m)),
        is_ground,
    )
    # If the ground is at a wrong height, all obstacles can be out of the band.
    return scan.without_free() if result.scale_fault else scan


def _strided(values: np.ndarray | None, parameters: Parameters) -> np.ndarray | None:
    """Return the values at the pixels that have a point."""
    stride = parameters.point_stride
    return None if values is None else values[::stride, ::stride]
