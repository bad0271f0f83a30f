"""Local contrast: what it changes, what it leaves, and that both engines and training see it."""

import cv2
import numpy as np
import pytest
from tiny_network import tiny_network
import torch

from s2r_depth_ros import DepthPredictor, weights
from s2r_depth_ros.engine import pixels, Settings
from s2r_depth_ros.engine.contrast import equalize
from s2r_depth_ros.engine.letterbox import Letterbox
from s2r_depth_ros.engine.onnx_engine import OnnxEngine
from s2r_depth_ros.engine.onnx_model import network_model
from s2r_depth_ros.engine.torch_engine import TorchEngine

LIMIT = 4.0
SIZE_PX = (96, 128)


@pytest.fixture
def picture():
    """A photo-like image (H, W, 3) with a dim and a bright half, both of low contrast."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(*SIZE_PX, 3)).astype(np.float32), (0, 0), 3)
    level = np.where(np.arange(SIZE_PX[1]) < SIZE_PX[1] // 2, 60.0, 180.0)[None, :, None]
    return np.clip(level + 8 * noise / noise.std(), 0, 255).astype(np.uint8)


def luminance(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[..., 0].astype(float)


def test_contrast_grows_in_each_half_and_colours_stay(picture):
    equalized = equalize(picture, LIMIT)
    assert equalized.shape == picture.shape
    assert equalized.dtype == np.uint8
    for half in (np.s_[:, :50], np.s_[:, -50:]):
        assert luminance(equalized)[half].std() > 1.5 * luminance(picture)[half].std()
    before, after = (
        cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(int)
        for image in (picture, equalized)
    )
    assert np.percentile(np.abs(before - after), 99) <= 2


def test_a_greater_limit_gives_more_contrast(picture):
    left = np.s_[:, :50]
    contrasts = [luminance(equalize(picture, limit))[left].std() for limit in (0, 1, 2, 4)]
    assert contrasts == sorted(contrasts)
    assert contrasts[-1] > 1.1 * contrasts[0]


def test_a_limit_of_0_changes_nothing(picture):
    assert equalize(picture, 0.0) is picture


@pytest.mark.parametrize('size_px', [(1, 96), (96, 1), (3, 5), (97, 131), (8, 8)])
def test_any_size_can_be_equalized(size_px):
    image = np.random.default_rng(0).integers(0, 256, (*size_px, 3), np.uint8)
    assert equalize(image, LIMIT).shape == image.shape


def test_a_plain_image_stays_plain():
    for level in (0, 128, 255):
        equalized = equalize(np.full((*SIZE_PX, 3), level, np.uint8), LIMIT)
        assert np.ptp(equalized) <= 1


def test_the_border_repeats_the_equalized_image(picture):
    letterbox = Letterbox.fixed(SIZE_PX, (128, 160))
    values = pixels.to_input(picture, letterbox, LIMIT)
    left, right, top, bottom = letterbox.padding
    assert top + bottom
    inner = values[:, top : 128 - bottom, left : 160 - right]
    whole = np.pad(inner, ((0, 0), (top, bottom), (left, right)), mode='edge')
    np.testing.assert_array_equal(values, whole)


@pytest.mark.parametrize('engine', ['torch', 'onnxruntime'])
def test_the_network_sees_the_image_with_the_contrast_of_its_training(picture, engine):
    network = tiny_network(0)
    plain = weights.WeightsInfo(80.0, 100.0, *SIZE_PX)
    limited = weights.WeightsInfo(80.0, 100.0, *SIZE_PX, contrast_limit=LIMIT)

    def predict(info, image):
        if engine == 'torch':
            return DepthPredictor(network, info, 'cpu').predict([image])[0]
        model = network_model(network, info).SerializeToString()
        loaded = OnnxEngine(model, 'model', Settings('cpu', 'float32', 1, False))
        assert loaded.info == info
        return DepthPredictor(loaded).predict([image])[0]

    seen = predict(limited, picture)
    np.testing.assert_array_equal(seen, predict(plain, equalize(picture, LIMIT)))
    assert np.abs(seen - predict(plain, picture)).max() > 1e-4


def test_a_file_keeps_the_limit(tmp_path):
    info = weights.WeightsInfo(80.0, 100.0, *SIZE_PX, contrast_limit=2.5)
    weights.save(tmp_path / 'w.safetensors', tiny_network(0), info)
    assert weights.load_with_info(tmp_path / 'w.safetensors')[1] == info


def test_what_a_gpu_has_resized_is_equalized_on_the_cpu(picture):
    # There is no GPU here; the same lines run with tensors of the CPU.
    info = weights.WeightsInfo(80.0, 100.0, *SIZE_PX, contrast_limit=LIMIT)
    engine = TorchEngine(tiny_network(0), info, Settings('cpu', 'float32', 1, False))
    resized = torch.from_numpy(picture).permute(2, 0, 1)[None].float() + 0.3
    equalized = engine._equalized(resized)
    assert equalized.dtype == torch.float32
    expected = torch.from_numpy(equalize(picture, LIMIT)).permute(2, 0, 1)[None]
    assert torch.equal(equalized, expected.float())
