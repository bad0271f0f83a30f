"""
Measure the judge: `python docs/scripts/judge_table.py RENDERED REAL`.

Draws docs/images/judge.jpg: rendered image, depth, confidence and ground. Writes
docs/dev/judge.csv: the mean error of ln(depth) and the one that the judge expects, and how well
its ground overlaps the ground in the true depth. RENDERED has the test sets of
docs/how-to/render_scenes.md, REAL the real frames.
"""

from __future__ import annotations

from collections.abc import Iterable
import csv
from pathlib import Path
import sys

import cv2
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_ros.depth.confidence import confidence_of_error
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_training.data import Manifest, Sample, VKitti
from s2r_depth_training.evaluation.obstacles import fitted_ground
from s2r_depth_training.evaluation.protocols import NotMeasurableError

DOCS = Path(__file__).parents[1]
TARGET, PICTURE = DOCS / 'dev' / 'judge.csv', DOCS / 'images' / 'judge.jpg'
DRAWN = {'test_any': (16, 'outdoor'), 'test_any_rooms': (2, 'indoor')}  # frame, and weights
GREEN = np.array((0, 170, 0))
RENDERED = {
    'test_streets': 'rendered streets',
    'test_any': 'rendered streets, any camera',
    'test_rooms': 'rendered rooms',
    'test_any_rooms': 'rendered rooms, any camera',
}
REAL = {
    'outdoor': 'real outdoor frames',
    'robots_outdoor': 'real outdoor frames of robots',
    'indoor': 'real indoor frames',
    'robots_indoor': 'real indoor frames of robots',
}
NEAREST_M, FARTHEST_M = 0.2, {'outdoor': 80.0, 'indoor': 10.0}
# A point is on the ground within this height, more far away.
TOLERANCE_M, TOLERANCE_SHARE = 0.03, 0.005


def measure(frames: Iterable[Sample], predictor: DepthPredictor, farthest_m: float) -> list[float]:
    """Return the number of frames, true and expected error, frames with ground, and overlap."""
    errors, grounds, shared, either = [], 0, 0, 0
    for frame in frames:
        known = None if np.isnan(frame.intrinsics).any() else frame.intrinsics
        (found,) = predictor.run([frame.image], [known], judged=True)
        true_m = frame.depth_m
        counts = (true_m > NEAREST_M) & (true_m < farthest_m)
        counts &= found.depth_m < predictor.far_m(true_m.shape, known)
        ratio = np.log(found.depth_m[counts] / true_m[counts])
        expected = np.exp(found.log_error[counts])
        errors.append((np.abs(ratio - np.median(ratio)).mean(), expected.mean()))
        try:
            if known is None:
                continue
            plane = fitted_ground(true_m, known)
        except NotMeasurableError:
            continue
        height_m = plane.height_of(back_project(np.where(counts, true_m, np.nan), known))
        is_ground = np.abs(height_m) < TOLERANCE_M + TOLERANCE_SHARE * true_m
        judged = (found.ground > 0.5) & counts
        grounds += 1
        shared += int((is_ground & judged).sum())
        either += int((is_ground | judged).sum())
    return [len(errors), *np.mean(errors, axis=0).tolist(), grounds, shared / either]


def row_of(frame: Sample, predictor: DepthPredictor) -> np.ndarray:
    """Return image, depth, confidence and ground side by side, BGR, 200 pixels high."""
    (found,) = predictor.run([frame.image], [frame.intrinsics], judged=True)
    assert found.log_error is not None
    assert found.ground is not None
    bgr = frame.image[..., ::-1]
    near_m, far_m = np.quantile(found.depth_m, (0.02, 0.95))
    grey = np.round(255 * confidence_of_error(found.log_error)).astype(np.uint8)
    is_ground = (found.ground > 0.5)[..., None]
    tiles = (
        bgr,
        color_depth(found.depth_m, float(near_m), float(1.3 * far_m)),
        cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
        np.where(is_ground, 0.5 * bgr + 0.5 * GREEN, bgr).astype(np.uint8),
    )
    size_px = round(200 * bgr.shape[1] / bgr.shape[0]), 200
    return np.hstack([cv2.resize(tile, size_px) for tile in tiles])


def draw(rendered: Path) -> None:
    """Write the picture: a street above a room, of the same width."""
    rows = [
        row_of(VKitti(rendered / name)[number], DepthPredictor(weights, device='cpu'))
        for name, (number, weights) in DRAWN.items()
    ]
    width = rows[0].shape[1]
    rows = [cv2.resize(row, (width, round(row.shape[0] * width / row.shape[1]))) for row in rows]
    cv2.imwrite(str(PICTURE), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    """Write picture and table."""
    rendered, real = map(Path, sys.argv[1:])
    draw(rendered)
    places = {title: VKitti(rendered / name) for name, title in RENDERED.items()}
    places |= {title: Manifest(real / name) for name, title in REAL.items()}
    with TARGET.open('w', encoding='utf-8', newline='') as opened:
        table = csv.writer(opened, lineterminator='\n')
        table.writerow(('set', 'frames', 'error', 'expected', 'frames_with_ground', 'ground_iou'))
        for title, frames in places.items():
            weights = 'outdoor' if 'street' in title or 'outdoor' in title else 'indoor'
            predictor = DepthPredictor(weights, device='cpu')
            count, error, expected, grounds, iou = measure(frames, predictor, FARTHEST_M[weights])
            row = (count, f'{error:.3f}', f'{expected:.3f}', grounds, f'{iou:.3f}')
            table.writerow((title, *row))
            print(title, *row)


if __name__ == '__main__':
    main()
