"""The predictor: sizes, batches, metres and focal correction, and what it refuses."""

import math
import os
from pathlib import Path
import subprocess
import sys
import warnings

from needed import GPU
import numpy as np
import pytest
from tiny_network import TINY, write_tiny_weights
import torch

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.depth.predictor import Letterbox
from s2r_depth_ros.engine import Settings, torch_engine
from s2r_depth_ros.network import DepthMaps, S2RDepthNet

INFO = weights.WeightsInfo(80.0, 100.0, 96, 128)


@pytest.fixture(scope='module')
def tiny_file(tmp_path_factory):
    return write_tiny_weights(tmp_path_factory.mktemp('weights'), seed=2, info=INFO)


@pytest.fixture(scope='module')
def predictor(tiny_file):
    return DepthPredictor(tiny_file, device='cpu')


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def pinhole(focal_px):
    return np.array([[focal_px, 0, 10.0], [0, focal_px, 10.0], [0, 0, 1]])


def test_depth_has_the_size_of_each_image_in_metres(predictor):
    depths_m = predictor.predict([picture(120, 160), picture(75, 248), picture(60, 80)])
    assert [d.shape for d in depths_m] == [(120, 160), (75, 248), (60, 80)]
    for depth_m in depths_m:
        assert depth_m.dtype == np.float32
        assert depth_m.min() >= 0
        assert depth_m.max() <= 80


def test_a_batch_equals_its_images_one_by_one(predictor):
    images = [picture(96, 128, seed) for seed in range(3)]
    for alone, together in zip(
        (predictor.predict([image])[0] for image in images), predictor.predict(images)
    ):
        assert np.allclose(alone, together, atol=1e-3)


def test_the_network_runs_once_for_images_of_equal_size(predictor, monkeypatch):
    batches = []
    infer = predictor.engine.infer
    monkeypatch.setattr(
        predictor.engine,
        'infer',
        lambda batch, *options: batches.append(len(batch)) or infer(batch, *options),
    )
    predictor.predict([picture(96, 128), picture(75, 248), picture(192, 256)])
    # The first and the last meet the network at one size.
    assert sorted(batches) == [1, 2]


def test_the_predictor_gives_what_the_network_gives(tiny_file, predictor):
    image = picture(96, 128)  # the network's own size: nothing is resized or padded
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        depth = weights.load(tiny_file)((tensor - 0.5) / 0.5)[0, 0]
    expected_m = (depth.numpy() + 1) / 2 * 80
    (raw,) = predictor.run([image], sharp_edges=False)
    assert np.allclose(raw.depth_m, expected_m, atol=1e-3)


def test_another_network_can_take_the_place(predictor):
    class Constant(torch.nn.Module):
        def forward(self, image, return_maps):
            middle = torch.zeros_like(image[:, :1])
            return DepthMaps(image, *[middle] * 7)

    info = weights.WeightsInfo(10.0, 100.0, 96, 96)
    (depth_m,) = DepthPredictor(Constant(), info, 'cpu').predict([np.zeros((96, 96, 3), np.uint8)])
    assert (depth_m == 5.0).all()  # the middle of [-1, 1] is half of 10 m


def test_depth_scales_with_the_focal_length_at_network_size(predictor):
    image = picture(192, 256)  # twice the network's 96 x 128
    (plain,) = predictor.predict([image])
    # 300 px at image size are 150 px at network size, 1.5 times the 100 px of the training.
    (corrected,) = predictor.predict([image], [pinhole(300.0)])
    assert np.allclose(corrected, 1.5 * plain, rtol=1e-5)
    assert predictor.far_m((192, 256), pinhole(300.0)) == pytest.approx(0.95 * 80 * 1.5)


def test_intrinsics_may_be_known_of_some_images_alone(predictor):
    image = picture(96, 128)
    unknown, known = predictor.predict([image, image], [None, pinhole(200.0)])
    assert np.allclose(known, 2 * unknown, rtol=1e-5)


def test_maps_come_at_image_size_with_the_same_depth(predictor):
    image = picture(75, 248)
    (maps,) = predictor.predict_maps([image])
    assert np.array_equal(maps.depth_m, predictor.predict([image])[0])
    for values in (maps.structure, maps.attention):
        assert values.shape == (75, 248)
        assert 0 <= values.min()
        assert values.max() <= 1


def test_no_images_give_no_depths(predictor):
    assert predictor.predict([]) == []


def test_an_image_fits_by_its_own_shape_and_area():
    # KITTI: 375 x 1242 to the area of 192 x 640; 192 / 375 = 0.512, 640 / 1242 = 0.515.
    fit = Letterbox.automatic((375, 1242), 192 * 640)
    assert fit.input_size_px == (192, 640)
    assert fit.inner_size_px == (192, 636)
    assert fit.padding == (2, 2, 0, 0)
    assert fit.scale == pytest.approx(636 / 1242)


def test_a_fixed_size_takes_the_whole_image_and_repeats_its_border():
    fit = Letterbox.fixed((480, 640), (192, 640))
    assert fit.inner_size_px == (192, 256)
    assert fit.padding == (192, 192, 0, 0)


@pytest.mark.parametrize(
    'size_px', [(1, 1), (1, 50_000_000), (50_000_000, 1), (3, 9999), (480, 640), (9999, 9999)]
)
def test_however_slim_the_image_the_work_is_bounded(size_px):
    height, width = Letterbox.automatic(size_px, 192 * 640).input_size_px
    assert height * width <= 2.1 * 192 * 640
    assert min(height, width) >= 96


@pytest.mark.parametrize('size_px', [(1, 1), (1, 5000), (5000, 1), (2, 3), (4000, 6000)])
def test_images_of_extreme_shape_get_depth_too(predictor, size_px):
    (depth_m,) = predictor.predict([np.zeros((*size_px, 3), np.uint8)])
    assert depth_m.shape == size_px
    assert np.isfinite(depth_m).all()


def test_an_image_that_must_not_be_written_to_is_taken_without_a_warning(predictor):
    image = np.full((96, 96, 3), 100, np.uint8)
    image.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        (depth_m,) = predictor.predict([image])
    assert np.isfinite(depth_m).all()
    assert (image == 100).all()


def test_views_that_are_not_contiguous_are_taken(predictor):
    image = picture(96, 128)
    mirrored = image[:, ::-1]
    assert np.allclose(predictor.predict([mirrored])[0], predictor.predict([mirrored.copy()])[0])


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((96, 96), np.uint8),
        np.zeros((96, 96, 4), np.uint8),
        np.zeros((96, 96, 3), np.float32),
        np.zeros((0, 96, 3), np.uint8),
        [[1]],
        None,
    ],
)
def test_another_form_of_image_is_refused(predictor, image):
    with pytest.raises(ValueError, match=r'expected each image as a \(H, W, 3\) uint8'):
        predictor.predict([image])


@pytest.mark.parametrize(
    'matrix', [np.eye(2), np.zeros((3, 3)), np.full((3, 3), math.nan), -np.eye(3)]
)
def test_intrinsics_that_cannot_be_are_refused(predictor, matrix):
    with pytest.raises(ValueError, match='expected 3x3 intrinsics'):
        predictor.predict([picture(96, 96)], [matrix])


def test_lists_of_different_length_are_refused(predictor):
    with pytest.raises(ValueError, match='got 1 images but 2 intrinsics'):
        predictor.predict([picture(96, 96)], [pinhole(1.0), pinhole(1.0)])


def test_bfloat16_stays_near_float32(tiny_file, predictor):
    image = picture(96, 128)
    reduced = DepthPredictor(tiny_file, 'cpu', 'bfloat16').predict([image])[0]
    assert reduced.dtype == np.float32
    assert np.abs(reduced - predictor.predict([image])[0]).mean() < 2.0


@pytest.mark.parametrize(
    ('arguments', 'fault'),
    [
        ({'device': 'tpu'}, 'device must be'),
        ({'device': 'cuda:'}, 'device must be'),
        ({'device': 'cpu:x'}, 'device must be'),
        ({'device': 'cuda:99'}, 'PyTorch sees'),
        ({'precision': 'float8'}, 'precision must be'),
        ({'device': 'cpu', 'precision': 'float16'}, 'needs a CUDA device'),
        ({'network_size_px': (100, 640)}, 'multiples of 16'),
        ({'network_size_px': (80, 640)}, 'at least 96'),
    ],
)
def test_settings_that_cannot_be_are_refused(tiny_file, arguments, fault):
    with pytest.raises(ValueError, match=fault):
        DepthPredictor(tiny_file, **arguments)


def test_a_predictor_takes_a_network_an_engine_or_weights_with_the_same_depth(tiny_file):
    image = np.random.default_rng(1).integers(0, 256, (80, 110, 3), np.uint8)
    network, info = weights.load_with_info(tiny_file)
    loaded = DepthPredictor.from_weights(tiny_file, 'cpu', engine='torch')
    (expected_m,) = loaded.predict([image])
    for predictor in (
        DepthPredictor(network, info, 'cpu'),
        DepthPredictor(network=network, info=info, device='cpu'),
        DepthPredictor(loaded.engine),
        DepthPredictor(tiny_file, 'cpu', engine='torch'),
        DepthPredictor(weights=str(tiny_file), device='cpu', engine='torch'),
    ):
        assert np.array_equal(predictor.predict([image])[0], expected_m)
        assert predictor.info == info


def test_the_bundled_weights_are_loaded_by_default_and_by_name():
    assert DepthPredictor().info == DepthPredictor.from_weights('outdoor').info
    assert DepthPredictor(weights='indoor').info == DepthPredictor.from_weights('indoor').info
    assert DepthPredictor().info != DepthPredictor('indoor').info


@pytest.mark.parametrize('arguments', [(3,), (S2RDepthNet(TINY),)])
def test_a_network_without_what_it_was_trained_for_is_refused(arguments):
    with pytest.raises(TypeError, match='or a network with its WeightsInfo, got'):
        DepthPredictor(*arguments)


@pytest.mark.parametrize(
    ('given', 'used'),
    [(None, 'PASSIVE 1000'), ('ACTIVE', 'ACTIVE None'), ('PASSIVE', 'PASSIVE None')],
)
def test_waiting_threads_leave_the_cpu_to_others_unless_told_otherwise(given, used):
    environment = {
        k: v for k, v in os.environ.items() if k not in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')
    }
    if given:
        environment['OMP_WAIT_POLICY'] = given
    code = (
        'import os, sys\n'
        'from s2r_depth_ros.environment import set_up_process\n'
        'set_up_process()\n'
        'assert "torch" not in sys.modules\n'
        'print(os.environ["OMP_WAIT_POLICY"], os.environ.get("GOMP_SPINCOUNT"))'
    )
    printed = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == used


def test_the_predictor_runs_where_ros_cannot_be_imported(tiny_file):
    code = (
        'import sys\n'
        'for name in ("rclpy", "sensor_msgs", "std_msgs", "diagnostic_msgs"):\n'
        '    sys.modules[name] = None\n'
        'import numpy as np\n'
        'from s2r_depth_ros import DepthPredictor, S2RDepthNet\n'
        f'predictor = DepthPredictor({str(tiny_file)!r})\n'
        'print(predictor.predict([np.zeros((50, 60, 3), np.uint8)])[0].shape)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == '(50, 60)', done.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason=GPU)
@pytest.mark.parametrize('cuda_graphs', [False, True])
def test_a_gpu_gives_the_depth_of_the_cpu(cuda_graphs):
    image = np.random.default_rng(0).integers(0, 256, (100, 140, 3), np.uint8)
    (expected,) = DepthPredictor('outdoor', 'cpu').predict([image])
    predictor = DepthPredictor('outdoor', 'cuda', cuda_graphs=cuda_graphs)
    for _ in range(2):
        (depth_m,) = predictor.predict([image])
        assert np.abs(depth_m - expected).mean() < 0.01 * expected.mean()


@pytest.mark.parametrize(
    ('precision', 'has_instructions', 'is_told'),
    [('bfloat16', False, True), ('bfloat16', True, False), ('float32', False, False)],
)
def test_bfloat16_on_a_cpu_without_the_instructions_is_told_as_slow(
    monkeypatch, precision, has_instructions, is_told
):
    monkeypatch.setattr(torch_engine, '_cpu_computes_in_bfloat16', lambda: has_instructions)
    engine = torch_engine.TorchEngine(S2RDepthNet(TINY), INFO, Settings('cpu', precision))
    told = engine.warning
    assert ('slower than float32' in told and 'use float32' in told) if is_told else told == ''


def test_pytorch_says_whether_the_cpu_computes_in_bfloat16():
    capable = torch_engine._cpu_computes_in_bfloat16()
    cpu_info = Path('/proc/cpuinfo')
    flags = cpu_info.read_text().split() if cpu_info.exists() else []
    assert isinstance(capable, bool)
    if 'avx512_bf16' in flags:
        assert capable
