"""Names, errors and metadata of weights, for use before the tensors are read."""

from __future__ import annotations

from dataclasses import dataclass, field
import hashlib
from importlib import resources
import json
import os
from pathlib import Path
import reprlib

FORMAT = 's2r_depth_ros/1'
RANDOM = 'random'
BUNDLED = {'outdoor': 'compact-outdoor', 'indoor': 'compact-indoor'}  # files without suffix
LEAST, MOST = 1e-6, 1e6  # of metres and of pixels; float32 holds what is computed with them
MOST_CONTRAST = 40.0  # of the limit of the equalization; above it, hardly anything is limited
LARGEST_TRAINING_SIDE_PX = 2048  # limits the default size of the network's input, too


class WeightsError(ValueError):
    """A weight file is missing, damaged, or of another network; the message names it."""


@dataclass(frozen=True)
class WeightsInfo:
    """
    Range, focal length and size of the training, which the tensors do not contain.

    :param max_depth_m: metres at the top of the depth range.
    :param training_focal_px: focal length of the training images, at the training size.
    :param training_height_px: height of the training images.
    :param training_width_px: width of the training images.
    :param provenance: origin of the weights in words: data, seed, command, licence.
    :param contrast_limit: limit of the equalization of the images
        (:func:`s2r_depth_ros.engine.contrast.equalize`); 0 for none.
    """

    max_depth_m: float
    training_focal_px: float
    training_height_px: int
    training_width_px: int
    provenance: dict[str, str] = field(default_factory=dict)
    contrast_limit: float = 0.0

    def __post_init__(self):
        for name in (
            'max_depth_m',
            'training_focal_px',
            'training_height_px',
            'training_width_px',
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f'{name} must be a number, got {reprlib.repr(value)}')
            if not LEAST <= value <= MOST:
                raise ValueError(
                    f'{name} must be from {LEAST:g} to {MOST:g}, got {reprlib.repr(value)}'
                )
        for name in ('training_height_px', 'training_width_px'):
            value = getattr(self, name)
            if value not in range(1, LARGEST_TRAINING_SIDE_PX + 1):
                raise ValueError(
                    f'{name} must be a whole number up to {LARGEST_TRAINING_SIDE_PX}, got '
                    f'{value!r}'
                )
        limit = self.contrast_limit
        if isinstance(limit, bool) or not isinstance(limit, (int, float)):
            raise ValueError(f'contrast_limit must be a number, got {reprlib.repr(limit)}')
        if not 0 <= limit <= MOST_CONTRAST:
            raise ValueError(
                f'contrast_limit must be from 0 to {MOST_CONTRAST:g}, got {reprlib.repr(limit)}'
            )
        if not isinstance(self.provenance, dict):
            raise ValueError(f'provenance must be a mapping, got {reprlib.repr(self.provenance)}')


# Published outdoor checkpoints: trained on vKITTI, 725 px at a width of 1242, resized to 640.
PUBLISHED = WeightsInfo(
    max_depth_m=80.0,
    training_focal_px=725.0 * 640 / 1242,
    training_height_px=192,
    training_width_px=640,
    provenance={'source': 'S2R-DepthNet reference checkpoints'},
)


def source_of(weights: str | os.PathLike | None, suffix: str = '.safetensors') -> Path:
    """
    Return the file or folder that holds the weights.

    :param weights: None or a name of :data:`BUNDLED`, or a path.
    :param suffix: suffix of bundled files, ``.safetensors`` or ``.onnx``.
    :raises WeightsError: if the path does not exist, or is only one of four published files.
    """
    if weights is None or str(weights) in BUNDLED:
        return _bundled(str(weights or 'outdoor'), suffix)
    source = Path(weights)
    if not source.is_dir() and not source.is_file():
        raise WeightsError(
            f'no weights at {source}: give a .safetensors or .onnx file, a folder with the four '
            f'published .pth files, or one of {", ".join([*BUNDLED, RANDOM])}'
        )
    if source.suffix == '.pth' and source.is_file():
        raise WeightsError(
            f'{source} is one of four published files: give the folder that holds all four'
        )
    return source


def content_hash(weights: str | os.PathLike | None) -> str:
    """
    Return the SHA-256 of the tensors and metadata of a safetensors file.

    Files of the same content may differ, since their metadata have any order. The hash covers
    tensors and metadata sorted by name, with dtype and shape.

    :param weights: None or a name of :data:`BUNDLED`, or a safetensors file.
    :returns: 64 hexadecimal digits.
    :raises WeightsError: if the file is missing or damaged.
    """
    import safetensors  # not at the top, since bundled ONNX models run without it

    source = source_of(weights)
    if source.is_dir():
        raise WeightsError(f'{source} is a folder: give a .safetensors file')
    try:
        with safetensors.safe_open(source, framework='numpy') as file:
            metadata = file.metadata() or {}
        tensors = safetensors.deserialize(source.read_bytes())
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f'{source} is not a whole safetensors file: {error}') from error
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        digest.update(json.dumps([name, tensor['dtype'], tensor['shape']]).encode())
        digest.update(tensor['data'])
    return digest.hexdigest()


def _bundled(name: str, suffix: str) -> Path:
    file = BUNDLED[name] + suffix
    with resources.as_file(resources.files(__package__) / 'models' / file) as path:
        if not path.is_file():
            raise WeightsError(
                f'this version bundles no trained {name} weights ({path.name}); give a file, or '
                f'{RANDOM!r} to run an untrained network'
            )
        return path
