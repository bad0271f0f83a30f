"""Evaluation from files on disk to results on disk, with the real network at a small size."""

from functools import partial
import json
from pathlib import Path

import cv2
from needed import SHARED
import numpy as np
import pytest
from tiny_network import write_tiny_weights
import torch

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_training.data import DataError, VKitti
from s2r_depth_training.data.readers.manifest import Manifest
from s2r_depth_training.evaluation import panels, report
from s2r_depth_training.evaluation.attention_override import with_attention
from s2r_depth_training.evaluation.evaluate import evaluate
from s2r_depth_training.evaluation.frames import group_by_geometry, read_geometries, SkippedFrames
from s2r_depth_training.evaluation.methods import TRIVIAL_METHODS
from s2r_depth_training.evaluation.metrics import depth_errors, median_ratio, style_change
from s2r_depth_training.evaluation.protocols import fit_to_truth, PROTOCOLS
from s2r_depth_training.evaluation.scoring import MethodScores, score, Scorer
from s2r_depth_training.evaluation.summary import difference, mean, scenes_by, summary

HEIGHT, WIDTH = 96, 128
KITTI = PROTOCOLS['kitti']
REAL_FRAMES = Path(__file__).parents[3] / 'shared' / 'real'


@pytest.fixture(scope='module')
def weight_file(tmp_path_factory):
    info = weights.WeightsInfo(80.0, 725.0, HEIGHT, WIDTH)
    return write_tiny_weights(tmp_path_factory.mktemp('weights'), info=info)


def write_frame(root, world, variation, number, depth_m, seed=0):
    """Add a frame of noise to a tree in the layout of Virtual KITTI; depth_m NaN is sky."""
    centimetres = np.where(np.isnan(depth_m), 65535, np.round(depth_m * 100)).astype(np.uint16)
    image = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    for kind, picture in (('rgb', image), ('depthgt', centimetres)):
        folder = root / f'vkitti_1.3.1_{kind}' / world / variation
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f'{number:05}.png'), picture)


def slope(near_m=4.0, far_m=40.0):
    """Depth that falls from the top row to the bottom."""
    return np.repeat(np.linspace(far_m, near_m, HEIGHT)[:, None], WIDTH, axis=1)


@pytest.fixture
def styled(tmp_path):
    """Three geometries in two worlds; the first world has two styles, one frame equal in both."""
    root = tmp_path / 'styled'
    for variation, seed in (('clone', 1), ('fog', 2)):
        write_frame(root, '0001', variation, 0, slope(), seed)
        write_frame(root, '0001', variation, 1, slope(5, 50), seed=9)
    write_frame(root, '0002', 'clone', 0, slope(2, 20), seed=5)
    return root


def run(weight_file, root, out, **settings):
    return evaluate(
        **{
            'weights': str(weight_file),
            'dataset': 'vkitti',
            'root': root,
            'out': out,
            'device': 'cpu',
            **settings,
        }
    )


def constants(tmp_path, *depths_m):
    for number, depth_m in enumerate(depths_m):
        write_frame(tmp_path, '0001', 'clone', number, np.full((HEIGHT, WIDTH), depth_m))
    return VKitti(tmp_path)


def scored(reader, methods, most_skipped=0):
    skipped = SkippedFrames(most_skipped)
    geometries = read_geometries(reader, None, KITTI, skipped)
    make = partial(Scorer, reader, geometries, methods, KITTI, Path('/'))
    return score(make, list(methods), len(geometries), skipped), skipped


def test_figures_are_those_of_the_predictor_with_the_camera(weight_file, styled, tmp_path):
    results = run(weight_file, styled, tmp_path / 'out')
    sample = VKitti(styled)[4]
    depth_m = DepthPredictor(weight_file, 'cpu').predict([sample.image], [sample.intrinsics])[0]
    counted = KITTI.valid_mask(sample.depth_m)
    predicted = fit_to_truth(depth_m, (HEIGHT, WIDTH), KITTI)[counted]
    frame = results['methods'][0]['frames'][4]
    assert frame['name'] == 'vkitti_1.3.1_rgb/0002/clone/00000.png'
    assert frame['unscaled'] == pytest.approx(
        depth_errors(predicted, sample.depth_m[counted])._asdict(), rel=1e-4
    )
    assert frame['median_ratio'] == pytest.approx(
        median_ratio(predicted, sample.depth_m[counted]), rel=1e-4
    )
    assert 0 < frame['tilted_abs_rel'] < frame['median_scaled']['abs_rel']


def test_pictures_show_the_depth_with_the_scale_that_was_measured(
    weight_file, styled, tmp_path, monkeypatch
):
    shown = []

    def draw(title, sample, maps, ratio, protocol):
        counted = protocol.valid_mask(sample.depth_m)
        shown.append(
            median_ratio(
                ratio * fit_to_truth(maps.depth_m, counted.shape, protocol)[counted],
                sample.depth_m[counted],
            )
        )
        return draw_panels(title, sample, maps, ratio, protocol)

    draw_panels = panels.draw_panels
    monkeypatch.setattr(panels, 'draw_panels', draw)
    results = run(weight_file, styled, tmp_path / 'out', scale_source='reference', pictures=2)
    assert results['methods'][0]['mean']['unscaled']['abs_rel'] > 0
    assert shown == pytest.approx([1.0, 1.0], rel=1e-4)


def test_another_attention_is_put_in_the_place_of_the_weights_own(weight_file):
    network, _ = weights.load_with_info(weight_file)
    image = torch.rand(1, 3, 96, 128) * 2 - 1
    with torch.no_grad():
        own = network(image, return_maps=True)
        maps = {
            kind: with_attention(weights.load_with_info(weight_file)[0], kind)(
                image, return_maps=True
            )
            for kind in ('own', 'even', 'mirrored')
        }
    torch.testing.assert_close(maps['own'].depth, own.depth)
    torch.testing.assert_close(maps['mirrored'].attention, own.attention.flip(3))
    torch.testing.assert_close(
        maps['even'].attention, own.attention.mean() * torch.ones_like(own.attention)
    )
    for kind in ('even', 'mirrored'):
        torch.testing.assert_close(maps[kind].structure, own.structure)
        torch.testing.assert_close(
            maps[kind].depth_specific_structure, maps[kind].attention * own.structure
        )


def test_evaluate_runs_weights_with_another_attention(weight_file, styled, tmp_path):
    own = run(weight_file, styled, tmp_path / 'own')
    mirrored = run(weight_file, styled, tmp_path / 'mirrored', attention='mirrored')
    assert mirrored['attention'] == 'mirrored'
    assert (
        own['methods'][0]['frames'][0]['unscaled']
        != mirrored['methods'][0]['frames'][0]['unscaled']
    )
    with pytest.raises(ValueError, match='attention must be own for .*result.pt, which has none'):
        run(tmp_path / 'result.pt', styled, tmp_path / 'rgb', attention='even')


def test_an_unknown_camera_is_taken_for_that_of_the_training(weight_file, tmp_path):
    write_frame(tmp_path, '0001', 'clone', 0, slope())
    entry = {
        'rgb': 'vkitti_1.3.1_rgb/0001/clone/00000.png',
        'depth': 'vkitti_1.3.1_depthgt/0001/clone/00000.png',
        'depth_scale': 100,
    }
    ratios = {}
    for focal_px in (None, 725.0, 1450.0):
        camera = focal_px and [focal_px, focal_px, 64.0, 48.0]
        (tmp_path / 'manifest.json').write_text(json.dumps([{**entry, 'K': camera}]))
        results = run(weight_file, tmp_path, tmp_path / f'out{focal_px}', dataset='manifest')
        ratios[focal_px] = results['methods'][0]['mean']['median_ratio']
    assert ratios[None] == pytest.approx(ratios[725.0], rel=1e-6)
    assert ratios[1450.0] == pytest.approx(ratios[725.0] / 2, rel=0.05)  # 80 m clamps a little


def test_results_on_disk_are_those_returned(weight_file, styled, tmp_path, capsys):
    results = run(weight_file, styled, tmp_path / 'out', weights_baseline=str(weight_file))
    assert json.loads((tmp_path / 'out/results.json').read_text()) == json.loads(
        json.dumps(results)
    )
    network, baseline, *trivial = results['methods']
    assert baseline['mean'] == network['mean']
    assert [method['name'] for method in trivial] == ['depth by row', 'one constant']
    printed = capsys.readouterr().out
    assert f'{network["mean"]["unscaled"]["abs_rel"]:.3f}' in printed
    page = (tmp_path / 'out/report.html').read_text()
    assert page.count('<img src="data:image/jpeg;base64,') == 5 * 6


def test_results_do_not_depend_on_the_number_of_workers(weight_file, styled, tmp_path):
    one, two = (
        run(weight_file, styled, tmp_path / str(workers), workers=workers) for workers in (1, 2)
    )
    assert one == two
    here = run(weight_file, styled, tmp_path / 'here')
    for each, other in zip(one['methods'], here['methods']):
        assert [frame['name'] for frame in each['frames']] == [
            frame['name'] for frame in other['frames']
        ]
        mean, other_mean = (method['mean']['unscaled'] for method in (each, other))
        assert mean == pytest.approx(other_mean, rel=1e-3)


def test_averages_are_over_images_not_over_pixels(tmp_path):
    # Errors 1 and 0; the first frame has one pixel that counts, the second has thousands.
    one_pixel = np.full((HEIGHT, WIDTH), np.nan)
    one_pixel[60, 60] = 5
    write_frame(tmp_path, '0001', 'clone', 0, one_pixel)
    write_frame(tmp_path, '0001', 'clone', 1, np.full((HEIGHT, WIDTH), 10.0))
    scores, _ = scored(
        VKitti(tmp_path), {'ten': lambda sample, others: np.full((HEIGHT, WIDTH), 10, np.float32)}
    )
    errors = summary('ten', scores['ten'], scenes_by(None))['mean']['unscaled']
    assert errors['abs_rel'] == pytest.approx(0.5)


def test_scenes_weigh_the_same_in_the_mean_over_scenes():
    def frame(name, error):
        errors = {'abs_rel': error}
        return {
            'name': name,
            'median_ratio': error,
            'tilted_abs_rel': 2 * error,
            'median_scaled': errors,
            'unscaled': errors,
            'by_distance': {'median_scaled': [errors, None], 'unscaled': [None, errors]},
            'boundary': None,
        }

    result = summary(
        'any',
        MethodScores([frame('a/1', 1), frame('a/2', 2), frame('b/1', 6)], []),
        scenes_by(None),
    )
    assert result['mean']['unscaled'] == {'abs_rel': 3}
    assert result['mean']['by_distance']['unscaled'] == [None, {'abs_rel': 3}]
    assert result['mean']['boundary'] is None
    assert result['mean']['tilted_abs_rel'] == 6
    assert result['scenes']['a']['unscaled'] == {'abs_rel': 1.5}
    assert result['mean_over_scenes']['unscaled'] == {'abs_rel': 3.75}  # (1.5 + 6) / 2


@pytest.mark.parametrize(
    ('pattern', 'scenes'),
    [
        (None, ['kitti', 'kitti', 'kitti']),
        ('drive_[0-9]+', ['drive_07', 'drive_07', 'kitti/street.png']),
        ('x*', ['kitti/drive_07_1.png', 'kitti/drive_07_2.png', 'kitti/street.png']),
    ],
)
def test_a_pattern_tells_which_frames_are_one_scene(pattern, scenes):
    names = ['kitti/drive_07_1.png', 'kitti/drive_07_2.png', 'kitti/street.png']
    assert [scenes_by(pattern)(name) for name in names] == scenes


def test_evaluate_takes_frames_of_one_pattern_for_one_scene(weight_file, styled, tmp_path):
    results = run(weight_file, styled, tmp_path / 'results', scene_pattern=r'\d+(?=\.png)')
    assert results['scene_pattern'] == r'\d+(?=\.png)'
    frames = {scene: mean['frames'] for scene, mean in results['methods'][0]['scenes'].items()}
    assert frames == {'00000': 3, '00001': 2}


def test_a_pattern_that_is_none_is_refused(tmp_path, weight_file):
    with pytest.raises(ValueError, match=r"regular expression, got 'a\('"):
        run(weight_file, tmp_path, tmp_path / 'results', scene_pattern='a(')


def test_differences_are_paired_by_frame():
    def frames(*errors):
        return [
            {kind: {'abs_rel': error} for kind in ('median_scaled', 'unscaled')}
            for error in errors
        ]

    # Differences -0.1, -0.2, -0.3: mean -0.2, deviation 0.1 of three.
    less = difference(frames(0.1, 0.5, 0.2), frames(0.2, 0.7, 0.5))
    assert less['unscaled']['abs_rel'] == pytest.approx([-0.2, 0.1 / 3**0.5])
    assert difference(frames(0.1), frames(0.2)) is None


def test_what_was_not_measured_is_not_in_the_mean():
    assert mean([{'x': 1.0}, None, {'x': 4.0}]) == {'x': 2.5}
    assert mean([None, None]) is None


def test_trivial_predictors_know_the_other_frames_alone(tmp_path):
    # Frames of 10, 20 and 30 m everywhere; the medians of the others are 25, 20 and 15:
    # Abs Rel 1.5, 0 and 0.5.
    scores, _ = scored(constants(tmp_path, 10, 20, 30), TRIVIAL_METHODS)
    for name in TRIVIAL_METHODS:
        assert [frame['unscaled']['abs_rel'] for frame in scores[name].frames] == pytest.approx(
            [1.5, 0, 0.5]
        )


def test_trivial_predictors_do_not_know_the_same_geometry_in_another_style(styled):
    reader = VKitti(styled)
    assert group_by_geometry(reader) == [[0, 2], [1, 3], [4]]
    known = []

    def spy(sample, others):
        known.append(len(others))
        return sample.depth_m

    scored(reader, {'spy': spy})
    assert known == [2] * 5


def test_style_change_compares_the_variants_of_each_geometry(weight_file, styled, tmp_path):
    results = run(weight_file, styled, tmp_path / 'out', pictures=0)
    reader, predictor = VKitti(styled), DepthPredictor(weight_file, 'cpu')
    depths_m = [
        fit_to_truth(
            predictor.predict([reader[i].image], [reader[i].intrinsics])[0], (HEIGHT, WIDTH), KITTI
        )
        for i in (0, 2)
    ]
    first = style_change(depths_m, KITTI.valid_mask(reader[0].depth_m))
    assert first > 0
    # The second geometry's two pictures are equal, the third has one style.
    assert results['methods'][0]['style_change'] == pytest.approx((first + 0) / 2, rel=1e-4)


def test_a_limit_takes_geometries_evenly_with_all_their_styles(weight_file, styled, tmp_path):
    results = run(weight_file, styled, tmp_path / 'out', limit=2, pictures=1)
    names = [frame['name'] for frame in results['methods'][0]['frames']]
    assert [Path(name).relative_to('vkitti_1.3.1_rgb').as_posix() for name in names] == [
        '0001/clone/00000.png',
        '0001/fog/00000.png',
        '0002/clone/00000.png',
    ]


def test_one_frame_has_no_other_to_learn_from(weight_file, styled, tmp_path):
    results = run(weight_file, styled, tmp_path / 'out', limit=1, pictures=0)
    assert [method['name'] for method in results['methods']] == ['network']


def test_what_cannot_be_scored_is_named_everywhere(weight_file, styled, tmp_path, capsys):
    corrupt = styled / 'vkitti_1.3.1_rgb/0001/fog/00001.png'
    corrupt.write_bytes(b'no picture')
    write_frame(styled, '0002', 'clone', 1, np.full((HEIGHT, WIDTH), np.nan))
    results = run(weight_file, styled, tmp_path / 'out', pictures=0)
    assert len(results['methods'][0]['frames']) == 4
    first, second = results['skipped']
    assert str(corrupt) in first
    assert '0002/clone/00001.png: no true depth between 0.001 and 80 m' in second
    assert capsys.readouterr().out.count('not scored: ') == 2
    page = (tmp_path / 'out/report.html').read_text()
    assert '2 frames could not be scored' in page
    assert str(corrupt) in page


def test_too_many_that_cannot_be_scored_fail_the_run(weight_file, styled, tmp_path):
    corrupt = styled / 'vkitti_1.3.1_rgb/0001/fog/00001.png'
    corrupt.write_bytes(b'no picture')
    with pytest.raises(DataError, match=r'1 frames .* more than the 0 allowed .*fog/00001\.png'):
        run(weight_file, styled, tmp_path / 'out', max_skipped=0)
    assert not (tmp_path / 'out/results.json').exists()


def test_nothing_but_sky_is_an_error(weight_file, tmp_path):
    write_frame(tmp_path / 'sky', '0001', 'clone', 0, np.full((HEIGHT, WIDTH), np.nan))
    with pytest.raises(DataError, match='no frame can be scored; the last: .*no true depth'):
        run(weight_file, tmp_path / 'sky', tmp_path / 'out')


def test_a_frame_with_a_prediction_that_is_not_finite_is_scored_for_no_method(tmp_path):
    def broken(sample, others):
        bad = sample.depth_m[0, 0] == 20
        return np.where(bad, np.float32(np.nan), sample.depth_m)

    reader = constants(tmp_path, 10, 20, 30)
    scores, skipped = scored(
        reader, {'broken': broken, 'right': lambda sample, others: sample.depth_m}, most_skipped=1
    )
    assert [len(scores[name].frames) for name in ('broken', 'right')] == [2, 2]
    assert len(skipped.reasons) == 1
    assert '00001.png: 12288 of 12288 predicted depths are NaN' in skipped.reasons[0]


def test_results_are_not_overwritten_unless_told(weight_file, styled, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'results.json').write_text('precious')
    with pytest.raises(FileExistsError, match=r'results\.json is there already'):
        run(weight_file, styled, out)
    assert [path.name for path in out.iterdir()] == ['results.json']
    assert (out / 'results.json').read_text() == 'precious'
    run(weight_file, styled, out, overwrite=True, pictures=0, limit=1)
    assert json.loads((out / 'results.json').read_text())['protocol']['name'] == 'kitti'


def test_earlier_results_stay_if_the_new_ones_cannot_be_written(
    weight_file, styled, tmp_path, monkeypatch
):
    out = tmp_path / 'out'
    run(weight_file, styled, out, pictures=0, limit=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(path, *_):
        path.write_text('half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(report, 'write_page', full)
    with pytest.raises(OSError, match="No space left on device: '.*/out'"):
        run(weight_file, styled, out, overwrite=True, pictures=0)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_frame_whose_camera_is_not_that_of_its_size_is_skipped_by_name(weight_file, tmp_path):
    entries = []
    for name, cx in (('a', 63.5), ('b', 1e7)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / f'{name}_depth.png'), np.full((HEIGHT, WIDTH), 5, np.uint16))
        entries.append(
            {'rgb': f'{name}.png', 'depth': f'{name}_depth.png', 'depth_scale': 1}
            | {'K': [100, 100, cx, 47.5]}
        )
    (tmp_path / 'manifest.json').write_text(json.dumps(entries))
    results = run(weight_file, tmp_path, tmp_path / 'out', dataset='manifest', pictures=0)
    assert len(results['methods'][0]['frames']) == 1
    (reason,) = results['skipped']
    assert 'b.png: K of the calibration is not that of an image of 128 x 96' in reason


def test_a_file_in_the_place_of_the_folder_is_refused_before_computing(
    weight_file, styled, tmp_path
):
    (tmp_path / 'out').write_text('')
    with pytest.raises(FileExistsError, match='out'):
        run(weight_file, styled, tmp_path / 'out')


@pytest.mark.parametrize(
    'wrong',
    [
        {'limit': 0},
        {'pictures': -1},
        {'max_skipped': -1},
        {'edge_filter': 101.0},
        {'camera_height_m': 1e9},
    ],
)
def test_numbers_that_make_no_sense_are_refused(weight_file, styled, tmp_path, wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))} must be at (least|most)'):
        run(weight_file, styled, tmp_path / 'out', **wrong)


def test_a_height_that_nothing_uses_is_refused(weight_file, styled, tmp_path):
    with pytest.raises(ValueError, match='camera_height_m 1.5 has no effect'):
        run(weight_file, styled, tmp_path / 'out', camera_height_m=1.5)


def test_a_wrong_data_set_leaves_no_trace(weight_file, styled, tmp_path):
    with pytest.raises(DataError, match='variatons'):
        run(weight_file, styled, tmp_path / 'out', dataset_options={'variatons': ['fog']})
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(not REAL_FRAMES.is_dir(), reason=SHARED)
@pytest.mark.parametrize(
    ('folder', 'protocol', 'method', 'abs_rel', 'rmse_m', 'delta_1'),
    [
        ('outdoor', 'kitti', 'one constant', 0.410, 10.9, 0.333),
        ('outdoor', 'kitti', 'depth by row', 0.314, 10.2, 0.444),
        ('indoor', 'nyu', 'one constant', 0.306, 1.03, 0.499),
        ('indoor', 'nyu', 'depth by row', 0.244, 0.86, 0.563),
    ],
)
def test_trivial_predictors_reach_the_known_errors_on_real_frames(
    folder, protocol, method, abs_rel, rmse_m, delta_1
):
    reader, rules = Manifest(REAL_FRAMES / folder), PROTOCOLS[protocol]
    skipped = SkippedFrames(0)
    geometries = read_geometries(reader, None, rules, skipped)
    methods = {method: TRIVIAL_METHODS[method]}
    make = partial(Scorer, reader, geometries, methods, rules, REAL_FRAMES)
    scores = score(make, list(methods), len(geometries), skipped)
    errors = summary(method, scores[method], scenes_by(None))['mean']['median_scaled']
    assert errors['abs_rel'] == pytest.approx(abs_rel, abs=1.5e-3)
    assert errors['rmse_m'] == pytest.approx(rmse_m, rel=5e-3)
    assert errors['delta_1'] == pytest.approx(delta_1, abs=1.5e-3)


def test_obstacles_are_counted_if_asked_for(weight_file, styled, tmp_path, capsys):
    results = run(weight_file, styled, tmp_path / 'out', obstacles=True)
    written = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert written['obstacles']['variants'] == results['obstacles']['variants']
    frames = results['obstacles']['variants']['no filter']['frames']
    assert frames + len(results['obstacles']['skipped']) == len(results['methods'][0]['frames'])
    assert 'obstacle cells found' in capsys.readouterr().out
    assert 'obstacles' not in run(weight_file, styled, tmp_path / 'without')
