"""Draw rendered scenes above their depth: see docs/reference/rendering.md for the calls."""

from pathlib import Path
import sys

import cv2
import numpy as np

from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_training.data import open_dataset

IMAGES = Path(__file__).parents[1] / 'images'
WIDTH_PX, COUNT = 1200, 18
COLUMNS_AND_RANGE_M = {
    'rendered_driving': (3, (2.0, 80.0)),
    'rendered_kinds': (3, (2.0, 80.0)),
    'rendered_indoor': (6, (0.4, 8.0)),
}


def main(scenes: Path, name: str) -> None:
    """
    Write docs/images/NAME.jpg: rows of images, and below each row its depth.

    :param scenes: what ``s2r_train render-scenes`` wrote; the first frame of each scene is shown.
    :param name: one of ``COLUMNS_AND_RANGE_M``.
    """
    columns, range_m = COLUMNS_AND_RANGE_M[name]
    reader = open_dataset('vkitti', scenes)
    samples = (reader[index] for index in range(len(reader)))
    first = {Path(sample.name).parent: sample for sample in reversed([*samples])}
    chosen = [first[scene] for scene in sorted(first)[:COUNT]]
    height, width = chosen[0].depth_m.shape
    size_px = WIDTH_PX // columns, round(WIDTH_PX / columns * height / width)
    rows = []
    for start in range(0, len(chosen) - columns + 1, columns):
        row = chosen[start : start + columns]
        pictures = (
            [sample.image[..., ::-1] for sample in row],
            [color_depth(sample.depth_m, *range_m) for sample in row],
        )
        rows += [
            np.hstack([cv2.resize(one, size_px, interpolation=cv2.INTER_AREA) for one in line])
            for line in pictures
        ]
    cv2.imwrite(str(IMAGES / f'{name}.jpg'), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == '__main__':
    if len(sys.argv) != 3 or sys.argv[2] not in COLUMNS_AND_RANGE_M:
        names = '|'.join(COLUMNS_AND_RANGE_M)
        sys.exit(f'usage: python docs/scripts/rendered_pictures.py SCENES {names}')
    main(Path(sys.argv[1]), sys.argv[2])
