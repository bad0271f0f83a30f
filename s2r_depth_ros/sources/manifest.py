"""Read `manifest.json`, which describes the images of a folder."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
import reprlib
from typing import Any, NamedTuple

import numpy as np

MANIFEST = 'manifest.json'
_MOST = 1e38


class ManifestError(ValueError):
    """
    A manifest is invalid.

    :param file: the manifest.
    :param reason: the fault.
    :param number: the number of the invalid entry; None if the fault concerns the whole file.
    """

    def __init__(self, file: Path, reason: str, number: int | None = None) -> None:
        place = '' if number is None else f'entry {number}: '
        super().__init__(
            f'{file} must be a list of objects with "rgb" (a file name) and optionally '
            f'"K" ([fx, fy, cx, cy]): {place}{reason}'
        )
        self.place = str(file) if number is None else f'entry {number} of {file}'
        self.reason = reason


class ManifestEntry(NamedTuple):
    """
    One image of a folder.

    ``rgb`` is the image file. ``intrinsics`` is the (3, 3) float64 camera matrix in pixels, or
    None if the manifest has none. ``fields`` holds all fields of the entry; only these two are
    validated.
    """

    rgb: Path
    intrinsics: np.ndarray | None
    fields: Mapping[str, Any]


def read_manifest(file: Path) -> list[ManifestEntry]:
    """
    Return the entries of a manifest, in its order.

    :param file: the JSON file; its file names are relative to its folder.
    :raises ManifestError: if the file is unreadable, or is not a manifest.
    """
    try:
        entries = json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(file, str(error)) from error
    if not isinstance(entries, list):
        raise ManifestError(file, 'it is no list')
    return [_entry(file, number, fields) for number, fields in enumerate(entries)]


def is_numbers(value: Any, count: int) -> bool:
    """Return whether a value of a JSON file is a list of ``count`` numbers that float32 holds."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(number, int | float) and abs(number) < _MOST for number in value)
        and not any(isinstance(number, bool) for number in value)
    )


def _entry(file: Path, number: int, fields: Any) -> ManifestEntry:
    if not isinstance(fields, dict) or not isinstance(fields.get('rgb'), str):
        raise ManifestError(file, f'{reprlib.repr(fields)} names no "rgb"', number)
    matrix, numbers = None, fields.get('K')
    if numbers is not None:
        if not is_numbers(numbers, 4):
            raise ManifestError(file, f'"K" is {reprlib.repr(numbers)}', number)
        fx, fy, cx, cy = numbers
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], float)
    return ManifestEntry(file.parent / fields['rgb'], matrix, fields)
