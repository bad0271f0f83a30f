"""What is to be known of weights before any is read: names, faults, and what they are for."""
from __future__ import annotations

from dataclasses import dataclass, field
import hashlib
from importlib import resources
import json
import os
from pathlib import Path

FORMAT = 's2r_depth_ros/1'
RANDOM = 'random'
BUNDLED = {'outdoor': 'compact-outdoor', 'indoor': 'compact-indoor'}  # files without suffix
LARGEST_TRAINING_SIDE_PX = 2048  # the network's input is about as large by default


class WeightsError(ValueError):
    """A weight file is missing, damaged, or of another network; the message names it."""


@dataclass(frozen=True)
class WeightsInfo:
    """
    What a network was trained for, which its tensors do not say.

    :param max_depth_m: metres at the top of the depth range.
    :param training_focal_px: focal length of the training images, at the training size.
    :param training_height_px: height of the training images.
    :param training_width_px: width of the training images.
    :param provenance: where the weights come from, in words (data, seed, command, licence).
    """

    max_depth_m: float
    training_focal_px: float
    training_height_px: int
    training_width_px: int
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name in ('max_depth_m', 'training_focal_px', 'training_height_px',
                     'training_width_px'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f'{name} must be a number, got {value!r}')
            if not 0 < value < float('inf'):
                raise ValueError(f'{name} must be positive and finite, got {value!r}')
        for name in ('training_height_px', 'training_width_px'):
            value = getattr(self, name)
            if value not in range(1, LARGEST_TRAINING_SIDE_PX + 1):
                raise ValueError(
                    f'{name} must be a whole number up to {LARGEST_TRAINING_SIDE_PX}, got '
                    f'{value!r}')
        if not isinstance(self.provenance, dict):
            raise ValueError(f'provenance must be a mapping, got {self.provenance!r}')


# The published outdoor checkpoints saw vKITTI: 725 px at a width of 1242, resized to 640.
PUBLISHED = WeightsInfo(
    max_depth_m=80.0, training_focal_px=725.0 * 640 / 1242, training_height_px=192,
    training_width_px=640, provenance={'source': 'S2R-DepthNet reference checkpoints'})


def source_of(weights: str | os.PathLike | None, suffix: str = '.safetensors') -> Path:
    """
    Return the file or folder that holds the weights.

    :param weights: None or a name of :data:`BUNDLED`, or a path.
    :param suffix: of bundled files, which come in two forms.
    :raises WeightsError: if there is nothing, or one published file where there should be four.
    """
    if weights is None or str(weights) in BUNDLED:
        return _bundled(str(weights or 'outdoor'), suffix)
    source = Path(weights)
    if not source.is_dir() and not source.is_file():
        raise WeightsError(
            f'no weights at {source}: give a .safetensors or .onnx file, a folder with the four '
            f'published .pth files, or one of {", ".join([*BUNDLED, RANDOM])}')
    if source.suffix == '.pth' and source.is_file():
        raise WeightsError(
            f'{source} is one of four published files: give the folder that holds all four')
    return source


def content_hash(weights: str | os.PathLike | None) -> str:
    """
    Return the SHA-256 of the tensors and metadata of a safetensors file.

    Files of the same content may differ: their metadata come in any order. Here tensors and
    metadata are taken by name, in order, with dtype and shape.

    :param weights: None or a name of :data:`BUNDLED`, or a safetensors file.
    :returns: 64 hexadecimal digits.
    :raises WeightsError: if there is no such file, or it is damaged.
    """
    import safetensors  # which the node does without where its weights are an ONNX model

    source = source_of(weights)
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
                f'{RANDOM!r} to run an untrained network')
        return path
