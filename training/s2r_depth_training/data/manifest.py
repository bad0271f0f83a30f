"""A folder of colour and depth pictures that a `manifest.json` lists: small mixed test sets."""
from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

import cv2
import numpy as np

from .files import metres_from_integers, read_png, read_rgb, require_file
from .sample import camera_matrix, checked_sample, DataError, Sample

LAYOUT = (
    'a list of {"rgb": FILE, "depth": FILE (uint16 PNG, 0 not measured), "depth_scale": '
    'integers per metre, "K": [fx, fy, cx, cy] in pixels or null} and, where depth has fewer '
    'pixels than the image, "depth_size": [width, height]')


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
        self._entries = _read_manifest(require_file(root / 'manifest.json', LAYOUT))
        self._pairs = [
            [require_file(root / entry[kind], LAYOUT) for kind in ('rgb', 'depth')]
            for entry in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry, (image_file, depth_file) = self._entries[index], self._pairs[index]
        image, raw = read_rgb(image_file), read_png(depth_file)
        height, width = image.shape[:2]
        if raw.shape[::-1] == tuple(entry.get('depth_size') or ()):
            raw = cv2.resize(raw, (width, height), interpolation=cv2.INTER_NEAREST)
        intrinsics = (
            np.full((3, 3), np.nan, np.float32) if entry['K'] is None
            else camera_matrix(*entry['K']))
        return checked_sample(
            image, metres_from_integers(raw, 1 / entry['depth_scale']), intrinsics,
            str(image_file))


def _read_manifest(file: Path) -> list[dict]:
    """Return the entries after checking all that is used of them."""
    try:
        entries = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise DataError(f'{file} can not be parsed: {error}; expected {LAYOUT}') from error
    if not isinstance(entries, list) or not entries:
        raise DataError(f'{file} lists no frames; expected {LAYOUT}')
    for number, entry in enumerate(entries):
        if not _is_entry(entry):
            raise DataError(f'entry {number} of {file} is not as expected; expected {LAYOUT}')
    return entries


def _is_entry(entry: object) -> bool:
    """Tell whether an entry has what is read of it, in the types expected."""
    def numbers(value: object, count: int) -> bool:
        return (isinstance(value, list) and len(value) == count
                and all(isinstance(v, int | float) and v > 0 for v in value))

    return (
        isinstance(entry, dict)
        and isinstance(entry.get('rgb'), str) and isinstance(entry.get('depth'), str)
        and numbers([entry.get('depth_scale')], 1)
        and 'K' in entry and (entry['K'] is None or numbers(entry['K'], 4))
        and (entry.get('depth_size') is None or numbers(entry['depth_size'], 2)))
