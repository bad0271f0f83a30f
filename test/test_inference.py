"""The inference form: the same maps as the training form, for every preset and every layer."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from s2r_depth_ros.engine.fusion import optimize_for_inference
from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_ros.network.layers import UpProjection

TOLERANCE = 1e-4
CPU = torch.device('cpu')


def trained(network):
    """Give every batch norm statistics and every slope a value, as a training would."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network.eval()


@pytest.mark.parametrize(
    ('preset', 'size_px'), [('compact', (96, 112)), ('compact', (128, 208)), ('paper', (96, 112))]
)
def test_every_map_equals_that_of_the_training_form(preset, size_px):
    torch.manual_seed(0)
    architecture = replace(Architecture.preset(preset), judge_channels=6)
    network = trained(S2RDepthNet(architecture))
    image = torch.rand(2, 3, *size_px) * 2 - 1
    with torch.inference_mode():
        expected = network(image, return_maps=True, judged=True)
        maps = optimize_for_inference(network, CPU)(image, return_maps=True, judged=True)
    names = [*maps._fields[:-1], *maps.judgement._fields]
    for name, one, other in zip(
        names, [*maps[:-1], *maps.judgement], [*expected[:-1], *expected.judgement], strict=True
    ):
        assert one.shape == other.shape, name
        assert (one - other).abs().max() < TOLERANCE, name
    assert expected.depth.std() > 1e-3  # there is something to differ


def test_no_batch_norm_is_left_and_the_network_stays_as_it_was():
    network = trained(S2RDepthNet(Architecture.preset('compact')))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    form = optimize_for_inference(network, CPU)
    assert not [m for m in form.modules() if isinstance(m, (nn.BatchNorm2d, nn.PReLU))]
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_up_projection_reads_its_input_once():
    block = trained(UpProjection(8, 4))
    form = optimize_for_inference(block, CPU)
    convolutions = [m for m in form.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(8, 8), (4, 4)]
