"""Draw the failure cases by the networks of an ablation; docs/dev/ablation.md has the call."""

from pathlib import Path
import sys

import cv2
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_training.data import open_dataset
from s2r_depth_training.data.sample import Sample
from s2r_depth_training.evaluation.metrics import median_ratio
from s2r_depth_training.evaluation.protocols import fit_to_truth, PROTOCOLS
from s2r_depth_training.stages import rgb_baseline

TARGET = Path(__file__).parents[1] / 'images' / 'ablation_cases.jpg'
PANEL_PX = (224, 68)
CAPTION_PX = 18
NEAREST_M = 2.0
PROTOCOL = PROTOCOLS['kitti']


def main(cases: Path, seed_dir: Path | None) -> None:
    """
    Write docs/images/ablation_cases.jpg: image, true depth, and depth by each network.

    :param cases: what ``s2r_train render-scenes --kind failure-cases`` wrote.
    :param seed_dir: the runs of one seed, as ``s2r_train ablation`` leaves them. None draws the
        last column alone anew, that of the bundled weights.
    """
    samples = _first_frames(cases)
    if seed_dir is None:
        others = cv2.imread(str(TARGET))[:, : -PANEL_PX[0]]
    else:
        methods = {
            '(a) from RGB': rgb_baseline.load_predictor(seed_dir / 'rgb_baseline' / 'result.pt'),
            '(b) STE, DP': DepthPredictor(seed_dir / 'ste_decoder' / 'weights.safetensors'),
            '(c) STE, DSA, DP': DepthPredictor(seed_dir / 'weights.safetensors'),
        }
        others = np.hstack(
            [
                _column('image', [sample.image[..., ::-1] for sample in samples]),
                _column('true depth', [_colored(sample.depth_m) for sample in samples]),
                *(_depth_column(*method, samples) for method in methods.items()),
            ]
        )
        rows = np.split(others[CAPTION_PX:], len(samples))
        for row, sample in zip(rows, samples):
            _write(row, '/'.join(Path(sample.name).parent.parts[-2:]), (255, 255, 255))
    bundled = _depth_column('bundled', DepthPredictor('outdoor'), samples)
    cv2.imwrite(str(TARGET), np.hstack([others, bundled]), [cv2.IMWRITE_JPEG_QUALITY, 82])


def _first_frames(cases: Path) -> list[Sample]:
    """Return the first frame of each case."""
    reader = open_dataset('vkitti', cases)
    first = {}
    for sample in (reader[index] for index in range(len(reader))):
        first.setdefault(Path(sample.name).parent, sample)
    return list(first.values())


def _depth_column(caption: str, predictor: DepthPredictor, samples: list[Sample]) -> np.ndarray:
    return _column(caption, [_colored(_scaled(predictor, sample)) for sample in samples])


def _column(caption: str, panels: list[np.ndarray]) -> np.ndarray:
    """Return pictures of any size, (H, W, 3) BGR, below each other and a caption."""
    strip = np.full((CAPTION_PX, PANEL_PX[0], 3), 255, np.uint8)
    _write(strip, caption, (0, 0, 0))
    return np.vstack(
        [strip, *(cv2.resize(panel, PANEL_PX, interpolation=cv2.INTER_AREA) for panel in panels)]
    )


def _colored(depth_m: np.ndarray) -> np.ndarray:
    return color_depth(depth_m, NEAREST_M, PROTOCOL.max_depth_m)


def _scaled(predictor: DepthPredictor, sample: Sample) -> np.ndarray:
    """Return the predicted depth, (H, W) metres, scaled by the medians as when it is measured."""
    (depth_m,) = predictor.predict([sample.image], [sample.intrinsics])
    depth_m = fit_to_truth(depth_m, sample.depth_m.shape, PROTOCOL)
    counted = PROTOCOL.counted(sample.depth_m)
    return depth_m * median_ratio(depth_m[counted], sample.depth_m[counted])


def _write(picture: np.ndarray, text: str, bgr: tuple[int, int, int]) -> None:
    """Write a line at the bottom of a picture, in place."""
    at = 4, picture.shape[0] - 5
    opposite = tuple(255 - value for value in bgr)
    for colour, width_px in ((opposite, 3), (bgr, 1)):
        cv2.putText(
            picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width_px, cv2.LINE_AA
        )


if __name__ == '__main__':
    if len(sys.argv) not in (2, 3):
        sys.exit('usage: python docs/scripts/ablation_pictures.py FAILURE_CASES [ABLATION/seed_1]')
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
