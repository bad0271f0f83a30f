"""Redraws a rendered test set in styles that no training has seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from s2r_scenes import write


def _grey(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _opposite_hues(rgb: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 90) % 180  # OpenCV's hue has 180 steps
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _few_tones(rgb: np.ndarray) -> np.ndarray:
    return (rgb // 64 * 85).astype(np.uint8)


def _painted(rgb: np.ndarray) -> np.ndarray:
    return cv2.stylization(rgb, sigma_s=30, sigma_r=0.45)


def _sketched(rgb: np.ndarray) -> np.ndarray:
    return cv2.pencilSketch(rgb, sigma_s=30, sigma_r=0.07, shade_factor=0.05)[1]


#: Name of each style, and the function that redraws an (H, W, 3) uint8 RGB image in it.
LOOKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'rendered': lambda rgb: rgb,
    'grey': _grey,
    'negative': lambda rgb: 255 - rgb,
    'opposite-hues': _opposite_hues,
    'few-tones': _few_tones,
    'painted': _painted,
    'sketched': _sketched,
}


def restyle(root: Path, out: Path, variation: str = 'clone') -> None:
    """
    Redraw rendered scenes in other styles, with the same depth, for the style change of evaluate.

    :param root: output of render-scenes, or another data set in the layout of vKITTI 1.3.1.
    :param out: output folder, in the same layout; the styles are its variations.
    :param variation: variation of the scenes to redraw.
    :raises DataError: if the data set is not as expected.
    :raises FileExistsError: OUT already exists.
    """
    from ..data.readers.vkitti import VKitti  # the help needs no PyTorch, which takes seconds

    reader = VKitti(root, variations=[variation])
    if out.exists():
        raise FileExistsError(f'{out} is there already: give a folder that is not')
    matrices: dict[str, list[np.ndarray]] = defaultdict(list)
    for index, frame in enumerate(tqdm(reader.frames, unit='frame', disable=None)):
        sample, number = reader[index], len(matrices[frame.world])
        matrices[frame.world].append(sample.intrinsics)
        write.write_intrinsics(out, frame.world, matrices[frame.world])  # never images without
        for look, repaint in LOOKS.items():
            write.write_image(out, frame.world, look, number, repaint(sample.image))
        write.write_depth(out, frame.world, list(LOOKS), number, sample.depth_m)
