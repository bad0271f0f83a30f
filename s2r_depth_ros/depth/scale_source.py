"""Select the source of the scale, and the ground plane, of one image."""

from __future__ import annotations

import math
from typing import NamedTuple

from .ground import GroundPlane, GroundReading
from .parameters import Parameters, PROBED_BASE_FRAME

TF = 'tf'
CAMERA_HEIGHT = 'camera_height'
REFERENCE = 'reference'
FIXED = 'fixed'

# Two ground planes agree up to this ratio of their heights, and this angle between them.
_AGREEING_RATIO = 1.2
_AGREEING_RAD = math.radians(8)


class ScaleSource(NamedTuple):
    """
    The source of the scale of an image.

    ``name`` is tf, camera_height, reference or fixed. ``ground`` is the ground plane, also if the
    scale is not measured with it; None if it is unknown. ``fault`` is a message about the plane
    for the user, or empty.
    """

    name: str
    ground: GroundPlane | None = None
    fault: str = ''


def select(
    parameters: Parameters, from_tf: GroundReading, has_reference: bool = False
) -> ScaleSource:
    """
    Select the source of the scale, and the ground plane.

    :param parameters: ``scale_source``, ``depth_scale``, ``base_frame`` and the camera's mounting.
    :param from_tf: the ground plane from TF, held if it was known before.
    :param has_reference: whether any scale reference has arrived so far.
    """
    given = None
    if parameters.camera_height > 0:
        given = GroundPlane(parameters.camera_height, math.radians(parameters.camera_pitch))
    name = _source_name(parameters, from_tf.plane, given, has_reference)
    return ScaleSource(name, from_tf.plane or given, _fault(parameters, name, from_tf, given))


def _source_name(
    parameters: Parameters,
    from_tf: GroundPlane | None,
    given: GroundPlane | None,
    has_reference: bool,
) -> str:
    """Return the source that ``scale_source`` stands for, given what is known."""
    ground_source = CAMERA_HEIGHT if given and not from_tf else TF
    if parameters.scale_source == 'ground_plane':
        return ground_source
    if parameters.scale_source != 'auto':
        return parameters.scale_source
    if parameters.depth_scale != 1:  # the user has measured it
        return FIXED
    if from_tf or given:
        return ground_source
    return REFERENCE if has_reference else FIXED


def _fault(
    parameters: Parameters, name: str, from_tf: GroundReading, given: GroundPlane | None
) -> str:
    """Return a message about the ground plane for the user, or an empty text."""
    # The default base_frame may be missing, unless TF is the source of the scale, or the frame was
    # found. Obstacles and scan use its plane with any source.
    is_needed = parameters.base_frame != PROBED_BASE_FRAME or name == TF or from_tf.plane
    if from_tf.fault and is_needed and parameters.base_frame:
        if from_tf.plane:
            return f'the ground plane is held: {from_tf.fault}'
        return from_tf.fault
    if from_tf.plane and given:
        ratio = given.height_m / from_tf.plane.height_m
        if not 1 / _AGREEING_RATIO < ratio < _AGREEING_RATIO:
            return (
                f'camera_height is {given.height_m:.3g} m, but TF from '
                f'{parameters.base_frame} says {from_tf.plane.height_m:.3g} m, which is '
                "used; correct one, or set base_frame to ''"
            )
        if given.angle_rad(from_tf.plane) > _AGREEING_RAD:
            return (
                f'camera_pitch is {parameters.camera_pitch:.3g} degrees, but TF from '
                f'{parameters.base_frame} says {from_tf.plane}, which is used; correct '
                'one'
            )
    return ''
