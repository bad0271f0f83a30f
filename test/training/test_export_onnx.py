"""The exported file: the same depth as PyTorch for any batch size, and nothing left behind."""

import numpy as np
import onnxruntime
import pytest
import torch

from s2r_depth_ros import weights
from s2r_depth_ros.engine.depth_range import to_metres
from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_training.errors import TrainingError
from s2r_depth_training.export_onnx import export_onnx
from s2r_depth_training.stages.judge import with_new_judge


@pytest.fixture(scope='module')
def weights_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('onnx') / 'weights.safetensors'
    weights.save(
        path, S2RDepthNet(Architecture.preset('compact')), weights.WeightsInfo(80.0, 90.0, 96, 112)
    )
    return path


def test_the_file_gives_the_metres_that_pytorch_gives(weights_file, tmp_path):
    out = tmp_path / 'new folder' / 'network.onnx'
    assert export_onnx(str(weights_file), out) < 0.001
    session = onnxruntime.InferenceSession(out, providers=['CPUExecutionProvider'])
    image = np.random.default_rng(1).uniform(-1, 1, (5, 3, 96, 112)).astype(np.float32)
    (found,) = session.run(['depth_m'], {'image': image})
    with torch.inference_mode():
        expected = to_metres(weights.load(weights_file)(torch.from_numpy(image)), 80.0).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert session.get_modelmeta().custom_metadata_map['training_focal_px'] == '90.0'
    assert [file.name for file in out.parent.iterdir()] == ['network.onnx']


def test_a_file_that_differs_too_much_is_not_kept(weights_file, tmp_path):
    with pytest.raises(TrainingError, match='differs from PyTorch'):
        export_onnx(str(weights_file), tmp_path / 'network.onnx', tolerance_m=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_the_network_cannot_take_is_refused(weights_file, tmp_path):
    for height_px in (100, 0, 16 * 10**9):
        with pytest.raises(TrainingError, match='multiples of 16'):
            export_onnx(str(weights_file), tmp_path / 'network.onnx', height_px=height_px)


def test_the_weights_are_not_written_over(weights_file):
    content = weights_file.read_bytes()
    with pytest.raises(TrainingError, match='is the weights themselves: give another place'):
        export_onnx(str(weights_file), weights_file)
    assert weights_file.read_bytes() == content


def test_a_network_whose_depth_is_not_finite_is_not_exported(weights_file, tmp_path):
    network, info = weights.load_with_info(weights_file)
    for parameter in network.parameters():
        parameter.mul_(1e30)
    weights.save(tmp_path / 'huge.safetensors', network, info)
    with pytest.raises(TrainingError, match='differs from PyTorch by nan m'):
        export_onnx(str(tmp_path / 'huge.safetensors'), tmp_path / 'network.onnx')
    assert not (tmp_path / 'network.onnx').exists()


def test_a_judge_is_compared_too_and_the_comparison_advises_nothing(weights_file, tmp_path, capfd):
    network, info = weights.load_with_info(weights_file)
    judged = with_new_judge(network, channels=4).eval()
    weights.save(tmp_path / 'judged.safetensors', judged, info)
    export_onnx(str(tmp_path / 'judged.safetensors'), tmp_path / 'judged.onnx')
    assert 'Initializer judged' not in capfd.readouterr().err
    with torch.no_grad():
        for name, parameter in judged.judge.named_parameters():
            parameter.mul_(1e30 if name.endswith('conv.weight') else 1)
    weights.save(tmp_path / 'huge.safetensors', judged, info)
    with pytest.raises(TrainingError, match='log_error of the exported judge differs'):
        export_onnx(str(tmp_path / 'huge.safetensors'), tmp_path / 'huge.onnx')
    assert not (tmp_path / 'huge.onnx').exists()
