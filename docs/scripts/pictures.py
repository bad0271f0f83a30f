"""Draw the pictures of method.md, offline.md and results.md: `python docs/scripts/pictures.py`."""

from pathlib import Path
import tempfile

import cv2
from matplotlib import colormaps
import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.cli import main as s2r
from s2r_depth_ros.cli.cloud_view import cloud_picture
from s2r_depth_ros.depth.colors import color_depth
from s2r_depth_ros.depth.geometry import back_project
from s2r_depth_ros.engine.depth_range import mark_out_of_range
from s2r_depth_ros.sources.frames import Frame, FrameSource

FRAMES = Path(__file__).parents[2] / 's2r_depth_ros' / 'demo_frames'
IMAGES = Path(__file__).parents[1] / 'images'


def main() -> None:
    """Write docs/images/files.jpg, sharp_edges.jpg and method_*.jpg."""
    _contact_sheet()
    frames = list(FrameSource(FRAMES, print))
    predictor = DepthPredictor()
    _save('sharp_edges', np.concatenate([_compared(predictor, frames[i]) for i in (0, 2)]))
    frame = frames[2]
    (maps,) = predictor.predict_maps([frame.rgb], [frame.intrinsics])
    far_m = predictor.far_m(frame.rgb.shape[:2], frame.intrinsics)
    depth_m = mark_out_of_range(maps.depth_m, 0.1, far_m)
    pictures = {
        'image': frame.rgb,
        'structure': _painted(maps.structure, 'gray'),
        'attention': _painted(maps.attention, 'inferno'),
        'depth_specific': _painted(maps.attention * maps.structure, 'gray'),
        'depth': color_depth(depth_m, 2, 80)[..., ::-1],
    }
    for name, rgb in pictures.items():
        _save(f'method_{name}', rgb)
    cloud_picture(back_project(depth_m, frame.intrinsics), frame.rgb).savefig(
        IMAGES / 'method_cloud.jpg', dpi=50, pil_kwargs={'quality': 85}
    )


def _contact_sheet() -> None:
    with tempfile.TemporaryDirectory() as folder:
        s2r(['depth', str(FRAMES), '--frames', '3', '--save', 'sheet', '--out', folder])
        sheet = cv2.imread(f'{folder}/contact_sheet.png')
    scale = 0.6
    sheet = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(IMAGES / 'files.jpg'), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _compared(predictor: DepthPredictor, frame: Frame) -> np.ndarray:
    """Return an image, the depth of the network, and that with sharp edges, in one row."""
    far_m = predictor.far_m(frame.rgb.shape[:2], frame.intrinsics)
    depths = []
    for sharp_edges in (False, True):
        (prediction,) = predictor.run([frame.rgb], [frame.intrinsics], sharp_edges=sharp_edges)
        depth_m = mark_out_of_range(prediction.depth_m, 0.1, far_m)
        depths.append(color_depth(depth_m, 2, 80)[..., ::-1])
    return np.concatenate([frame.rgb, *depths], axis=1)


def _save(name: str, rgb: np.ndarray) -> None:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    cv2.imwrite(str(IMAGES / f'{name}.jpg'), bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _painted(values: np.ndarray, palette: str) -> np.ndarray:
    return (colormaps[palette](values)[..., :3] * 255).astype(np.uint8)


if __name__ == '__main__':
    main()
