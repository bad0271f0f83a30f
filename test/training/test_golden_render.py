"""A street and a room, ray-cast on the CPU from a fixed seed, are those of the golden file."""

import cv2
from golden_files import block_means, samples
import numpy as np
import pytest

from s2r_depth_training.cli import main

FRAME = '0001/clone/00000.png'


@pytest.mark.parametrize('kind', ['driving', 'indoor'])
def test_a_rendered_scene_is_the_golden_one(tmp_path, golden, kind):
    assert (
        main(
            [
                'render-scenes',
                '--out',
                str(tmp_path),
                '--kind',
                kind,
                '--scenes',
                '1',
                '--frames_per_scene',
                '1',
                '--variations',
                '[clone]',
                '--width_px',
                '320',
                '--height_px',
                '96',
                '--supersample',
                '1',
                '--seed',
                '7',
                '--workers',
                '1',
                '--backend',
                'embree',
            ]
        )
        == 0
    )
    rgb = cv2.imread(str(tmp_path / 'vkitti_1.3.1_rgb' / FRAME))
    depth_cm = cv2.imread(str(tmp_path / 'vkitti_1.3.1_depthgt' / FRAME), cv2.IMREAD_UNCHANGED)
    camera = np.loadtxt(tmp_path / 'vkitti_1.3.1_intrinsicsgt' / '0001.txt', skiprows=1)
    with golden('scenes.npz', kind) as part:
        part.fact('dtypes', [str(rgb.dtype), str(depth_cm.dtype)])
        part.numbers('camera', camera, rtol=1e-4)
        # A ray along an edge may hit on one CPU and miss on another; the rest is exact.
        part.numbers('depth', samples(depth_cm, 12, 40), rtol=1e-3, atol=1.0, outliers=0.01)
        part.numbers('nearness', block_means(100 / depth_cm), rtol=1e-2, outliers=0.02)
        part.numbers('color', block_means(rgb), atol=1.0, outliers=0.02)
