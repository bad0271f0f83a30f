"""
Draw the picture and print the table of temporal_smoothing.md.

Run it as `python docs/scripts/temporal_smoothing_pictures.py`.
"""

from pathlib import Path
import sys

import cv2
from matplotlib.figure import Figure
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'test'))  # which has the street on which a car crosses

from test_temporal_smoothing import flicker, street_with_traffic  # noqa: E402

from s2r_depth_ros import DepthPredictor  # noqa: E402
from s2r_depth_ros.depth.colors import color_depth  # noqa: E402
from s2r_depth_ros.depth.temporal_smoothing import TemporalSmoother  # noqa: E402

FRAMES, SHOWN = 20, 10
TABLE = (0.0, 0.5, 0.8, 0.9)
DRAWN = (0.0, 0.8)
BRIGHTEST = 0.15


def main() -> None:
    """Write docs/images/temporal_smoothing.jpg and print the change of depth by weight."""
    images, truths_m = zip(*street_with_traffic(FRAMES))
    predictor = DepthPredictor(device='cpu')
    raw_m = [predictor.predict([image])[0] for image in images]
    smoothed_m = {each: _smoothed(raw_m, images, each) for each in TABLE}

    moved = [before != after for before, after in zip(truths_m, truths_m[1:])]
    # Beside a car its depth bleeds into what stands still: some pixels about it are left out.
    is_still = [cv2.dilate(each.astype(np.uint8), np.ones((25, 25))) == 0 for each in moved]
    for weight, depths_m in smoothed_m.items():
        print(f'temporal_smoothing {weight:g}: change {flicker(depths_m, is_still):.2%}')

    figure = Figure((12.6, 4.13), layout='constrained')
    axes = figure.subplots(2, 1 + len(DRAWN))
    _show(
        axes[0, 0],
        images[SHOWN],
        f'image {SHOWN + 1} of {FRAMES}: the camera rests, a car crosses',
    )
    _show(
        axes[1, 0], moved[SHOWN - 1], f'where true depth changed since image {SHOWN}', cmap='gray'
    )
    for column, weight in enumerate(DRAWN, start=1):
        before_m, after_m = smoothed_m[weight][SHOWN - 1 : SHOWN + 1]
        _show(
            axes[0, column],
            color_depth(after_m, 2, 80)[..., ::-1],
            f'depth, temporal_smoothing {weight:g}',
        )
        _show(
            axes[1, column],
            np.abs(np.log(after_m / before_m)),
            f'its change since image {SHOWN} (black 0, yellow {BRIGHTEST:.0%})',
            cmap='inferno',
            vmin=0,
            vmax=BRIGHTEST,
        )
    figure.savefig(
        ROOT / 'docs/images/temporal_smoothing.jpg', dpi=100, pil_kwargs={'quality': 85}
    )


def _smoothed(raw_m, images, weight):
    smoother = TemporalSmoother()
    return [smoother.update(*each, weight) for each in zip(raw_m, images)]


def _show(axis, picture, title, **options) -> None:
    axis.imshow(picture, **options)
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


if __name__ == '__main__':
    main()
