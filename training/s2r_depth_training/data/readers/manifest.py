"""A folder of colour and depth pictures that a `manifest.json` lists: small mixed test sets."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
import reprlib
from typing import Any

import cv2
import numpy as np

from s2r_depth_ros.sources.manifest import (
    is_numbers,
    MANIFEST,
    ManifestEntry,
    ManifestError,
    read_manifest,
)

from ..sample import checked_sample, DataError, Sample
from .files import metres_from_integers, read_png, read_rgb, require_file

LAYOUT = (
    'a list of {"rgb": FILE, "depth": FILE (uint16 PNG, 0 not measured), "depth_scale": '
    'integers per metre, "K": [fx, fy, cx, cy] in pixels or null} and, where depth has fewer '
    'pixels than the image, "depth_size": [width, height]'
)

_LEAST = 1e-6


class Manifest:
    """
    The frames that `ROOT/manifest.json` lists; what else it says of them is ignored.

    Depth of fewer pixels, where the manifest says so, is enlarged to the image's size by taking
    the nearest. `intrinsics` is all NaN where the manifest has none.

    :param root: folder with the manifest and the files it names.
    :raises DataError: the manifest or a file it names is missing, or an entry is not as expected.
    """

    def __init__(self, root: str | PathLike):
        root = Path(root)
        self._entries = _read_entries(require_file(root / MANIFEST, LAYOUT))
        self._depth_files = [root / entry.fields['depth'] for entry in self._entries]
        for entry, depth_file in zip(self._entries, self._depth_files):
            require_file(entry.rgb, LAYOUT)
            require_file(depth_file, LAYOUT)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entries[index]
        image, raw = read_rgb(entry.rgb), read_png(self._depth_files[index])
        height, width = image.shape[:2]
        if raw.shape[::-1] == tuple(entry.fields.get('depth_size') or ()):
            raw = cv2.resize(raw, (width, height), interpolation=cv2.INTER_NEAREST)
        intrinsics = (
            np.full((3, 3), np.nan, np.float32)
            if entry.intrinsics is None
            else entry.intrinsics.astype(np.float32)
        )
        depth_m = metres_from_integers(raw, 1 / entry.fields['depth_scale'])
        return checked_sample(image, depth_m, intrinsics, str(entry.rgb))


def _read_entries(file: Path) -> list[ManifestEntry]:
    """Return the entries after checking all that is used of them."""
    try:
        entries = read_manifest(file)
        if not entries:
            raise ManifestError(file, 'it lists no frames')
        for number, entry in enumerate(entries):
            if fault := _fault(entry.fields):
                raise ManifestError(file, fault, number)
    except ManifestError as error:
        raise DataError(
            f'{error.place} is not as expected, {error.reason}; expected {LAYOUT}'
        ) from error
    return entries


def _fault(fields: Mapping[str, Any]) -> str:
    """Return what is wrong with an entry for training and evaluation, empty if nothing is."""
    if not isinstance(fields.get('depth'), str):
        return 'it names no "depth"'
    if 'K' not in fields:
        return 'it has no "K"'
    scale, camera, size_px = (fields.get(name) for name in ('depth_scale', 'K', 'depth_size'))
    if not _are_positive([scale], 1):
        return f'"depth_scale" is {reprlib.repr(scale)}'
    if camera is not None and not _are_positive(camera, 4):
        return f'"K" is {reprlib.repr(camera)}'
    if size_px is not None and not _are_positive(size_px, 2):
        return f'"depth_size" is {reprlib.repr(size_px)}'
    return ''


def _are_positive(value: Any, count: int) -> bool:
    return is_numbers(value, count) and min(value) > _LEAST
