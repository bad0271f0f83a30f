"""Draw the failure cases as an ablation's networks see them: see docs/results.md for the call."""
from pathlib import Path
import sys

import cv2
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.colors import color_depth
from s2r_depth_training.data import open_dataset
from s2r_depth_training.data.sample import Sample
from s2r_depth_training.metrics import fit_to_truth, median_ratio, Protocol, PROTOCOLS
from s2r_depth_training.stages import rgb_baseline

TARGET = Path(__file__).parent / 'images' / 'ablation_cases.jpg'
PANEL_PX = (224, 68)
CAPTION_PX = 18
NEAREST_M = 2.0


def main(seed_dir: Path, cases: Path) -> None:
    """
    Write docs/images/ablation_cases.jpg: image, true depth, and depth by each network.

    :param seed_dir: the runs of one seed, as ``s2r_train ablation`` leaves them.
    :param cases: what ``s2r_train render-scenes --kind failure-cases`` wrote.
    """
    methods = {
        '(a) from RGB': rgb_baseline.load_predictor(seed_dir / 'rgb_baseline' / 'result.pt'),
        '(b) STE, DP': DepthPredictor(seed_dir / 'ste_decoder' / 'weights.safetensors'),
        '(c) STE, DSA, DP': DepthPredictor(seed_dir / 'weights.safetensors'),
        'bundled': DepthPredictor('outdoor')}
    protocol = PROTOCOLS['kitti']
    rows = [_captions(['image', 'true depth', *methods])]
    shown = set()
    reader = open_dataset('vkitti', cases)
    for sample in (reader[index] for index in range(len(reader))):
        scene = Path(sample.name).parent
        if scene in shown:
            continue
        shown.add(scene)
        depths_m = [
            _scaled(predictor, sample, protocol) for predictor in methods.values()]
        panels = [sample.image[..., ::-1]] + [
            color_depth(depth_m, NEAREST_M, protocol.max_depth_m)
            for depth_m in (sample.depth_m, *depths_m)]
        rows.append(np.hstack([
            cv2.resize(panel, PANEL_PX, interpolation=cv2.INTER_AREA) for panel in panels]))
        _write(rows[-1], '/'.join(scene.parts[-2:]), 4, (255, 255, 255))
    cv2.imwrite(str(TARGET), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


def _scaled(predictor: DepthPredictor, sample: Sample, protocol: Protocol) -> np.ndarray:
    """Return the predicted depth, (H, W) metres, scaled by the medians as when it is measured."""
    depth_m, = predictor.predict([sample.image], [sample.intrinsics])
    depth_m = fit_to_truth(depth_m, sample.depth_m.shape, protocol)
    counted = protocol.counted(sample.depth_m)
    return depth_m * median_ratio(depth_m[counted], sample.depth_m[counted])


def _captions(texts: list[str]) -> np.ndarray:
    strip = np.full((CAPTION_PX, PANEL_PX[0] * len(texts), 3), 255, np.uint8)
    for number, text in enumerate(texts):
        _write(strip, text, number * PANEL_PX[0] + 4, (0, 0, 0))
    return strip


def _write(picture: np.ndarray, text: str, x_px: int, bgr: tuple[int, int, int]) -> None:
    """Write a line at the bottom of a picture, in place."""
    at = x_px, picture.shape[0] - 5
    opposite = tuple(255 - value for value in bgr)
    for colour, width_px in ((opposite, 3), (bgr, 1)):
        cv2.putText(
            picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width_px, cv2.LINE_AA)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit('usage: python docs/ablation_pictures.py ABLATION/seed_1 FAILURE_CASES')
    main(Path(sys.argv[1]), Path(sys.argv[2]))
