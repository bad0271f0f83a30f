"""Rendered data on disk, in the layout of vKITTI 1.3.1 and with the intrinsics beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np

DEPTH_UNITS_PER_M = 100.0
SKY = 65535


class FolderError(ValueError):
    """A folder holds data of other settings; the message is one sentence."""


def encode_depth(depth_m: np.ndarray) -> np.ndarray:
    """
    Turn metres into vKITTI's uint16 centimetres; sky and all beyond 655.34 m becomes 65535.

    :param depth_m: (H, W) float32, +inf for the sky.
    """
    centimetres = np.rint(np.minimum(depth_m * DEPTH_UNITS_PER_M, SKY))
    return centimetres.astype(np.uint16)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = str(path)  # which a full disk does not name
        raise


def _png(picture: np.ndarray) -> bytes:
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    return cv2.imencode('.png', bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def write_image(root: Path, world: str, variation: str, frame: int, image: np.ndarray) -> None:
    """Write one (H, W, 3) uint8 RGB picture."""
    write_atomically(
        root / 'vkitti_1.3.1_rgb' / world / variation / f'{frame:05d}.png', _png(image)
    )


def write_depth(
    root: Path, world: str, variations: list[str], frame: int, depth_m: np.ndarray
) -> None:
    """Write one depth picture; variations share it, so the file is encoded once."""
    data = _png(encode_depth(depth_m))
    for variation in variations:
        write_atomically(
            root / 'vkitti_1.3.1_depthgt' / world / variation / f'{frame:05d}.png', data
        )


def intrinsics_path(root: Path, world: str) -> Path:
    """Say where a world's intrinsics are; written last, they mark the world as complete."""
    return root / 'vkitti_1.3.1_intrinsicsgt' / f'{world}.txt'


def write_intrinsics(root: Path, world: str, matrices: list[np.ndarray]) -> None:
    """Write one (3, 3) matrix per frame."""
    lines = ['frame K[0,0] K[1,1] K[0,2] K[1,2]']
    lines += [
        f'{frame} {k[0, 0]:.4f} {k[1, 1]:.4f} {k[0, 2]:.4f} {k[1, 2]:.4f}'
        for frame, k in enumerate(matrices)
    ]
    write_atomically(intrinsics_path(root, world), ('\n'.join(lines) + '\n').encode())


def claim_folder(root: Path, settings: dict[str, object], name: str, data: str) -> None:
    """
    Note the settings of a folder, or check that it was begun with the same ones.

    :param settings: that determine its data.
    :param name: the name of the note.
    :param data: pattern of the paths that will be written.
    :raises FolderError: the folder holds data that was made with other settings or is of
        another origin, or its note is damaged.
    """
    path = root / name
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding='utf-8'))
        except (ValueError, RecursionError) as error:
            raise FolderError(f'{path} is damaged ({error}): give another folder') from error
        if not isinstance(before, dict):
            raise FolderError(f'{path} holds no settings: give another folder')
        other = [
            f'{key} {before.get(key)!r} instead of {settings.get(key)!r}'
            for key in sorted(before.keys() | settings.keys())
            if before.get(key) != settings.get(key)
        ]
        if other:
            raise FolderError(
                f'{root} holds data made with {", ".join(other)}: '
                'use the same settings to continue, or another folder'
            )
    elif other_data := next(root.glob(data), None):
        raise FolderError(f'{root} holds {other_data.name} of another origin: give another folder')
    else:
        write_atomically(path, (json.dumps(settings, indent=2) + '\n').encode())
