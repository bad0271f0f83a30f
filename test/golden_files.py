"""
Golden files: results of an earlier version, which a change of form must not change.

``pytest --write-golden test/test_golden_*.py test/training/test_golden_*.py`` writes them anew, or
those of the tests that are named. Do so only where results change on purpose, and say in the
commit which results and why.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / 'golden'


class Golden:
    """
    One part of a golden file, compared with what the test computes, or replaced by it.

    Use it as a context manager; leaving it fails with all differences at once, one of which is
    a stored value that the test no longer computes.

    :param file: name in ``test/golden``; ``.npz``, or ``.json`` for a few numbers.
    :param part: of the file, the first word of its keys.
    :param is_written: replace the part and skip the test, rather than compare.
    """

    def __init__(self, file: str, part: str, is_written: bool) -> None:
        self._path, self._part, self._is_written = FOLDER / file, part, is_written
        self._stored = _read(self._path) if self._path.exists() or not is_written else {}
        self._values: dict[str, np.ndarray] = {}
        self._faults: list[str] = []

    def __enter__(self) -> Golden:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:
            return
        if self._is_written:
            others = {key: value for key, value in self._stored.items() if not self._owns(key)}
            _write(self._path, {**others, **self._values})
            pytest.skip(f'{self._path.name} is written: a knowing change; the commit says why')
        self._faults += [
            f'{key}: is stored and no longer computed'
            for key in self._stored
            if self._owns(key) and key not in self._values
        ]
        if self._faults:
            pytest.fail(f'differs from {self._path.name}:\n' + '\n'.join(self._faults), False)

    def numbers(
        self,
        key: str,
        values: np.typing.ArrayLike,
        *,
        rtol: float = 0.0,
        atol: float = 0.0,
        outliers: float = 0.0,
    ) -> None:
        """
        Compare numbers; what is not finite must be the same.

        :param key: of these numbers in the part.
        :param values: of any shape; shape and dtype must be the stored ones.
        :param rtol: allowed difference, relative to the stored number.
        :param atol: allowed difference, in addition.
        :param outliers: share of the numbers that may differ more.
        """
        array = np.asarray(values)
        stored = self._take(key, array)
        if stored is None:
            return
        if stored.shape != array.shape or stored.dtype.kind != array.dtype.kind:
            self._faults.append(
                f'{key}: {array.dtype.kind}{array.shape} in place of '
                f'{stored.dtype.kind}{stored.shape}'
            )
            return
        now, before = array.astype(float), stored.astype(float)
        is_same = np.isclose(now, before, rtol, atol, equal_nan=True)
        if not is_same.size or np.mean(~is_same) <= outliers:
            return
        first = tuple(np.argwhere(~is_same)[0].tolist())
        self._faults.append(
            f'{key}: {np.mean(~is_same):.2%} differ, {outliers:.2%} may; the first at {first}: '
            f'{now[first]} in place of {before[first]}'
        )

    def fact(self, key: str, value: object) -> None:
        """Compare something exactly: text, numbers, lists and dictionaries of these."""
        text = np.asarray(json.dumps(value, sort_keys=True))
        stored = self._take(key, text)
        if stored is not None and stored != text:
            self._faults.append(f'{key}: {text} in place of {stored}')

    def _owns(self, key: str) -> bool:
        return key.startswith(f'{self._part}/')

    def _take(self, key: str, value: np.ndarray) -> np.ndarray | None:
        """Keep the value of a key and return the stored one, None if there is none to compare."""
        full = f'{self._part}/{key}'
        assert full not in self._values, f'{full} is compared twice'
        self._values[full] = value
        if not self._is_written and full not in self._stored:
            self._faults.append(f'{full}: is new')
        return None if self._is_written else self._stored.get(full)


def samples(image: np.ndarray, rows: int = 24, columns: int = 80) -> np.ndarray:
    """
    Return pixels from the middles of equal blocks.

    :param image: (H, W) or (H, W, C).
    :param rows: number of blocks from top to bottom.
    :param columns: number of blocks from left to right.
    :returns: (rows, columns) or (rows, columns, C) of the same dtype.
    """
    height, width = image.shape[:2]
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    return image[y[:, None], x]


def block_means(image: np.ndarray, rows: int = 12, columns: int = 20) -> np.ndarray:
    """
    Return the means of blocks, which every pixel has a share in.

    :param image: (H, W) or (H, W, C); at least so many pixels as blocks along each axis.
    :param rows: number of blocks from top to bottom.
    :param columns: number of blocks from left to right.
    :returns: (rows, columns) or (rows, columns, C) float32.
    """
    return np.asarray(
        [
            [block.mean(axis=(0, 1)) for block in np.array_split(band, columns, axis=1)]
            for band in np.array_split(image.astype(float), rows)
        ],
        np.float32,
    )


def nearness(depth_m: np.ndarray) -> np.ndarray:
    """Return 1 / depth, whose means make sense: 0 where far, too near or not known."""
    is_finite = np.isfinite(depth_m) & (depth_m > 0)
    return np.where(is_finite, 1 / np.where(is_finite, depth_m, 1), 0)


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == '.json':
        return {key: np.asarray(value) for key, value in json.loads(path.read_text()).items()}
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def _write(path: Path, values: dict[str, np.ndarray]) -> None:
    ordered = dict(sorted(values.items()))
    path.parent.mkdir(exist_ok=True)
    if path.suffix == '.json':
        lines = [
            f'{json.dumps(key)}: {json.dumps(_rounded(value))}' for key, value in ordered.items()
        ]
        path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    else:
        np.savez_compressed(path, **ordered)  # type: ignore[arg-type]


def _rounded(values: np.ndarray) -> object:
    """Return numbers as JSON takes them, with the six digits that float32 has."""
    if values.dtype.kind != 'f':
        return values.tolist()
    return np.vectorize(lambda value: float(f'{value:.6g}'), otypes=[float])(values).tolist()
