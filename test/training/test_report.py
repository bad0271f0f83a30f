"""What evaluation shows to people: the terminal's table and the page."""

import base64
import re

import cv2
import numpy as np
import pytest

from s2r_depth_ros.depth.predictor import PredictedMaps
from s2r_depth_training.data import Sample
from s2r_depth_training.evaluation.panels import draw_panels, FramePanels
from s2r_depth_training.evaluation.protocols import PROTOCOLS
from s2r_depth_training.evaluation.report import table, write_page

NYU = PROTOCOLS['nyu']


def results(**changes):
    def errors(first):
        return {name: first + place / 1000 for place, name in enumerate('abcdefg')}

    def method(name, first):
        mean = {
            'frames': 2,
            'median_scaled': errors(first),
            'unscaled': errors(first + 1),
            'median_ratio': 1.5,
            'median_ratio_deviation': 0.25,
            'boundary': None,
            'tilted_abs_rel': 0.07,
            'by_distance': {
                'median_scaled': [errors(first + 2), None],
                'unscaled': [errors(first + 3), None],
            },
        }
        return {
            'name': name,
            'mean': mean,
            'mean_over_scenes': mean,
            'style_change': None,
            'scenes': {'a': mean, 'b': mean},
            'frames': [],
            'network_less_this': None,
        }

    return {
        'title': 'nyu protocol, 2 frames',
        'weights': 'w',
        'dataset': 'd',
        'root': 'r',
        'protocol': {
            'min_depth_m': 1e-3,
            'max_depth_m': 8.0,
            'crop': None,
            'bin_edges_m': (0, 4, 8),
        },
        'skipped': [],
        'methods': [method('network', 0.1), method('one constant', 0.2)],
        **changes,
    }


def test_the_table_has_a_line_of_seven_errors_for_each_method_and_treatment():
    text = table(results())
    lines = [' '.join(line.split()) for line in text.splitlines()]
    assert 'network 0.100 0.101 0.102 0.103 0.104 0.105 0.106' in lines
    assert 'one constant 0.200 0.201 0.202 0.203 0.204 0.205 0.206' in lines
    assert 'network 1.100 1.101 1.102 1.103 1.104 1.105 1.106' in lines
    assert 'network 1.500 ± 0.250 0.070 - - -' in lines
    assert max(map(len, text.splitlines())) <= 120


def test_scenes_are_averaged_where_they_have_several_frames():
    assert '2 scenes' not in table(results())
    several = results()
    for method in several['methods']:
        method['frames'] = [{}] * 3
        method['mean_over_scenes'] = {
            kind: dict.fromkeys('abcdefg', 0.5) for kind in ('median_scaled', 'unscaled')
        }
    text = table(several)
    assert '2 scenes, median-scaled' in text
    assert text.count('one constant' + 20 * ' ' + 7 * '    0.500') == 2


def test_distance_bins_without_pixels_are_left_out():
    text = table(results())
    assert '0 to 4 m' in text
    assert '4 to 8 m' not in text


def test_boundary_and_style_are_shown_where_measured():
    measured = results()
    measured['methods'][0]['mean']['boundary'] = {'distance_px': 3.25, 'f_score': 0.5}
    measured['methods'][0]['style_change'] = 0.0625
    assert '3.25 px    0.500        0.0625' in table(measured)


def test_differences_are_shown_with_their_standard_error():
    compared = results()
    compared['methods'][1]['network_less_this'] = {
        'median_scaled': {'abs_rel': [-0.0125, 0.023], 'delta_1': [0.03, 0.07]},
        'unscaled': {'abs_rel': [-0.1, 0.043], 'delta_1': [0.25, 0.125]},
    }
    lines = [' '.join(line.split()) for line in table(compared).splitlines()]
    assert lines[-1] == ('one constant -0.013 ± 0.023 0.030 ± 0.070 -0.100 ± 0.043 0.250 ± 0.125')
    assert max(map(len, table(compared).splitlines())) <= 120


def sample_and_maps():
    """Return a scene at 4 m left and 2 m right, with a prediction of 4 m all over."""
    depth_m = np.full((96, 960), 2.0, np.float32)
    depth_m[:, :480] = 4
    depth_m[:48] = np.nan
    sample = Sample(
        np.full((96, 960, 3), (200, 100, 50), np.uint8), depth_m, np.eye(3, dtype=np.float32), 'x'
    )
    flat = np.full((96, 960), 0.5, np.float32)
    return sample, PredictedMaps(flat * 4, flat, 2 * flat)


def test_panels_show_input_maps_depth_truth_and_error():
    sample, maps = sample_and_maps()
    frame = draw_panels('title', sample, maps, 2.0, NYU)  # 2 m, scaled by 2, is 4 m
    pictures = dict(frame.panels)
    assert list(pictures) == [
        'input',
        'structure map',
        'attention map',
        'depth, median-scaled',
        'true depth',
        'relative error, 0 to 0.5',
    ]
    assert {picture.shape for picture in pictures.values()} == {(48, 480, 3)}
    assert (pictures['input'] == (200, 100, 50)).all()
    assert (pictures['structure map'] == 128).all()
    assert (pictures['attention map'] == 255).all()
    depth, true = pictures['depth, median-scaled'], pictures['true depth']
    assert (depth[40, 100] == true[40, 100]).all()  # 4 m in one colour in both
    assert (depth[40, 400] != true[40, 400]).any()
    error = pictures['relative error, 0 to 0.5']
    black, yellow = cv2.applyColorMap(np.array([[0], [255]], np.uint8), cv2.COLORMAP_INFERNO)[
        :, 0, ::-1
    ]
    assert (error[40, 100] == black).all()
    assert (error[40, 400] == yellow).all()  # off by a factor of 2
    assert (error[10] == 90).all()  # not measured


def test_sparse_truth_stays_visible_when_shrunk():
    sample, maps = sample_and_maps()
    sparse = np.full_like(sample.depth_m, np.nan)
    sparse[51, 333] = 4
    true = dict(draw_panels('t', sample._replace(depth_m=sparse), maps, 2.0, NYU).panels)[
        'true depth'
    ]
    assert np.argwhere(true.any(axis=2)).tolist() == [[25, 166]]


def test_the_page_needs_nothing_but_itself(tmp_path):
    picture = np.full((32, 64, 3), (200, 100, 50), np.uint8)
    write_page(tmp_path / 'page.html', results(), [FramePanels('t', [('input', picture)])])
    page = (tmp_path / 'page.html').read_text()
    assert not re.search(r'https?:|<script|<link|@import|url\(', page)
    (source,) = re.findall(r'src="([^"]+)"', page)
    head, data = source.split(',')
    assert head == 'data:image/jpeg;base64'
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded[..., ::-1].astype(int) == pytest.approx(picture.astype(int), abs=3)


def test_the_page_shows_names_as_text(tmp_path):
    write_page(tmp_path / 'page.html', results(skipped=['<b>.png: bad']), [])
    page = (tmp_path / 'page.html').read_text()
    assert '&lt;b&gt;.png: bad' in page
    assert '1 frames could not be scored' in page
    assert page.count('<h2>By scene') == 1
