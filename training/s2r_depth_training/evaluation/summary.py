"""Averages of the figures: over frames, over scenes, and of one method less another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
import re
from typing import Any

import numpy as np

from .scoring import MethodScores

# How predictions are treated, and the title of each treatment.
KINDS = {'median_scaled': 'median-scaled', 'unscaled': 'in metres, unscaled'}


def scenes_by(pattern: str | None) -> Callable[[str], str]:
    """
    Return the function from the name of a frame to the name of its scene.

    :param pattern: as :func:`~.evaluate.evaluate` takes it.
    :raises ValueError: it is not a regular expression.
    """
    if pattern is None:
        return lambda name: str(PurePath(name).parent)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f'scene_pattern must be a regular expression, got {pattern!r}: {error}'
        ) from error

    def scene(name: str) -> str:
        match = compiled.search(name)
        return match[0] if match and match[0] else name

    return scene


def summary(method: str, scores: MethodScores, scene_of: Callable[[str], str]) -> dict[str, Any]:
    """
    Average one method's figures over frames, over the frames of each scene, and over scenes.

    :param method: its name.
    :param scores: the scores of at least one frame.
    :param scene_of: tells a frame's scene from its name.
    :returns: what results.json holds of a method.
    """
    scenes = defaultdict(list)
    for frame in scores.frames:
        scenes[scene_of(frame['name'])].append(frame)
    by_scene = {scene: average(frames) for scene, frames in scenes.items()}
    return {
        'name': method,
        'mean': average(scores.frames),
        'mean_over_scenes': {
            kind: mean([scene[kind] for scene in by_scene.values()]) for kind in KINDS
        },
        'style_change': float(np.mean(scores.style_changes)) if scores.style_changes else None,
        'scenes': by_scene,
        'frames': scores.frames,
    }


def average(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Average over images, each with the same weight, however many pixels count in it.

    :param frames: at least one, each with the figures of `score_frame`.
    :returns: the same figures; those that no frame has are None.
    """
    ratios = [frame['median_ratio'] for frame in frames]
    return {
        'frames': len(frames),
        'median_ratio': float(np.mean(ratios)),
        'median_ratio_deviation': float(np.std(ratios)),
        'tilted_abs_rel': float(np.mean([frame['tilted_abs_rel'] for frame in frames])),
        **{kind: mean([frame[kind] for frame in frames]) for kind in KINDS},
        'by_distance': {
            kind: [mean(bins) for bins in zip(*(frame['by_distance'][kind] for frame in frames))]
            for kind in KINDS
        },
        'boundary': mean([frame['boundary'] for frame in frames]),
    }


def mean(figures: Sequence[Mapping[str, float] | None]) -> dict[str, float] | None:
    """
    Average figures of the same names.

    :param figures: one mapping for each frame, None where it could not be measured.
    :returns: the mean of those measured; None where there is none.
    """
    frames = [frame for frame in figures if frame is not None]
    if not frames:
        return None
    return {name: float(np.mean([frame[name] for frame in frames])) for name in frames[0]}


def difference(
    frames: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, list[float]]] | None:
    """
    Compare two methods frame by frame, so that the difficulty of the frames cancels out.

    :param frames: the frames of one method.
    :param others: the same frames of the other one.
    :returns: for each treatment and error, the mean of first minus second, and the standard error
        of that mean. It is too small for similar frames. None for fewer than two frames.
    """
    if len(frames) < 2:
        return None
    return {
        kind: {
            name: [float(np.mean(less)), float(np.std(less, ddof=1) / np.sqrt(len(less)))]
            for name in frames[0][kind]
            for less in [
                [
                    one[kind][name] - other[kind][name]
                    for one, other in zip(frames, others, strict=True)
                ]
            ]
        }
        for kind in KINDS
    }
