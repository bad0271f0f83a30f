"""SUNCG in the pre-processed form of T2Net and S2R-DepthNet."""

from os import PathLike
from pathlib import Path

import numpy as np

from ..sample import camera_matrix, checked_sample, DataError, Sample
from . import files

LAYOUT = (
    'the pre-processed SUNCG: trainA_SYN10/trainA_SYN10/NAME (RGB) and '
    'trainC_SYN10/trainC_SYN10/NAME.png (8-bit depth)'
)
RANGE_M = 8.0

_FAR = 255
# The renderer's pinhole camera, that of the NYU Kinect, as published with SUNCG's tools for
# 640 x 480 pixels; the pre-processed images carry no calibration of their own.
_FOCAL_AT_640_PX = 518.8579


class Suncg:
    """
    SUNCG images with depth, indoor.

    Depth is an 8-bit PNG, 255 for 8 m, the top of the method's indoor range; what is at the top is
    that far or farther, so it is read as far.

    :param root: the folder that holds ``trainA_SYN10`` and ``trainC_SYN10``.
    :param list_file: the published ``suncg_train.txt``, a line ``RGB_NAME,DEPTH_NAME`` each; None
        uses every image, and the depth with the same stem.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike, list_file: str | PathLike | None = None):
        # The archives unpack into a folder of their own name, so that it stands there twice.
        rgb, depth = (
            files.require_folder(Path(root) / name / name, LAYOUT)
            for name in ('trainA_SYN10', 'trainC_SYN10')
        )
        if list_file is None:
            pairs = [(file, depth / f'{file.stem}.png') for file in files.image_files(rgb)]
        else:
            pairs = [
                (rgb / image, depth / depth_name)
                for image, depth_name in (
                    _split(line, list_file) for line in files.read_lines(list_file, LAYOUT)
                )
            ]
        files.require_any(pairs, rgb, LAYOUT)
        for pair in pairs:
            for file in pair:
                files.require_file(file, LAYOUT)
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        image_file, depth_file = self._pairs[index]
        image = files.read_rgb(image_file)
        depth_m = files.read_depth(depth_file, RANGE_M / 255, np.uint8, far=_FAR)
        height, width = image.shape[:2]
        focal_px = _FOCAL_AT_640_PX * width / 640
        intrinsics = camera_matrix(focal_px, focal_px, (width - 1) / 2, (height - 1) / 2)
        return checked_sample(image, depth_m, intrinsics, str(image_file))


def _split(line: str, list_file: str | PathLike) -> tuple[str, str]:
    words = [word.strip() for word in line.split(',')]
    if len(words) != 2:
        raise DataError(f'{list_file}: expected "RGB_NAME,DEPTH_NAME" a line, got "{line}"')
    return words[0], words[1]
