"""The frames to score: which of them can be, and which show the same geometry."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..data.readers.vkitti import VKitti, VKitti2
from ..data.sample import CorruptSampleError, DataError, SampleReader
from .methods import row_profile
from .protocols import NotMeasurableError, Protocol


class Geometry(NamedTuple):
    """Frames of one geometry: its style variants, or a single frame; and its rows' depth."""

    indices: list[int]
    row_profile: np.ndarray


class SkippedFrames:
    """
    Why frames could not be scored; each reason names its file.

    :param most: raise at one more than this.
    """

    def __init__(self, most: int):
        self.most = most
        self.reasons: list[str] = []

    def add(self, reason: str) -> None:
        """
        Note a frame.

        :raises DataError: too many were skipped.
        """
        self.reasons.append(reason)
        if len(self.reasons) > self.most:
            raise DataError(
                f'{len(self.reasons)} frames could not be scored, more than the {self.most} '
                f'allowed (max_skipped); the last: {reason}'
            )


def read_geometries(
    reader: SampleReader, limit: int | None, protocol: Protocol, skipped: SkippedFrames
) -> list[Geometry]:
    """
    Read all true depths once: which frames can be scored, and the profiles of their rows.

    :param reader: the data set.
    :param limit: most geometries, evenly chosen; None: all.
    :param protocol: what counts.
    :param skipped: takes the frames that cannot be scored.
    :returns: one entry per geometry, in the data set's order.
    :raises DataError: none can be scored, or too many cannot.
    """
    variants = group_by_geometry(reader)
    if limit is not None and limit < len(variants):
        chosen = np.linspace(0, len(variants) - 1, limit).round().astype(int)
        variants = [variants[number] for number in chosen]
    geometries = []
    for indices in tqdm(variants, desc='reading true depth', unit='frame', disable=None):
        usable = []
        for index in indices:
            try:
                sample = reader[index]
                profile = row_profile(sample.depth_m, protocol)
                usable.append(index)
            except CorruptSampleError as error:
                skipped.add(str(error))
            except NotMeasurableError as error:
                skipped.add(f'{sample.name}: {error}')
        if usable:
            geometries.append(Geometry(usable, profile))
    if not geometries:
        raise DataError(f'no frame can be scored; the last: {skipped.reasons[-1]}')
    return geometries


def group_by_geometry(reader: SampleReader) -> list[list[int]]:
    """
    Group the frames that differ in style only.

    :param reader: the data set.
    :returns: the indices of each geometry: style variants of vKITTI's layouts, else single frames.
    """
    if not isinstance(reader, VKitti | VKitti2):
        return [[index] for index in range(len(reader))]
    groups = defaultdict(list)
    for index, frame in enumerate(reader.frames):
        groups[frame.world, frame.camera, frame.number].append(index)
    return list(groups.values())
