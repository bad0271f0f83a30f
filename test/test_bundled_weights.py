"""The bundled weights on the frames of the demo: what they give must stay depth of a street."""

import json
import re

import cv2
import numpy as np
import pytest

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.cli.demo import DEMO_FRAMES

FRAMES = json.loads((DEMO_FRAMES / 'manifest.json').read_text())[:4]


@pytest.fixture(scope='module')
def depths_m():
    predictor = DepthPredictor('outdoor', device='cpu')
    images = [cv2.imread(str(DEMO_FRAMES / frame['rgb']))[..., ::-1] for frame in FRAMES]
    intrinsics = []
    for frame in FRAMES:
        fx, fy, cx, cy = frame['K']
        intrinsics.append(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
    return predictor.predict(images, intrinsics)


@pytest.mark.parametrize('index', range(len(FRAMES)))
def test_the_road_recedes(depths_m, index):
    depth_m = depths_m[index]
    fy, cy = FRAMES[index]['K'][1], FRAMES[index]['K'][3]
    height = len(depth_m)
    near_m, far_m = (
        np.median(depth_m[int(height * top) : int(height * bottom)])
        for top, bottom in ((0.95, 1.0), (0.65, 0.7))
    )
    assert near_m < far_m
    # A camera 1.1 to 2.4 m above a road sees it at height * focal length / rows below the horizon.
    rows = 0.975 * height - cy
    assert 0.5 * 1.1 * fy / rows < near_m < 2.0 * 2.4 * fy / rows


@pytest.mark.parametrize('name', ['outdoor', 'indoor'])
def test_what_they_say_of_themselves_names_no_folder_of_a_machine(name):
    _, info = weights.load_with_info(name)
    assert info.provenance['command'].startswith('s2r_train ')
    assert not re.findall(r'(?<![\w.\]])/\w+/\S+', ' '.join(info.provenance.values()))
