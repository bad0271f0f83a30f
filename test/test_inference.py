"""The inference form: the same maps as the training form, for every preset and every layer."""
import pytest
import torch
from torch import nn
import torch.nn.functional as F

from s2r_depth_ros.network import Architecture, inference_form, S2RDepthNet
from s2r_depth_ros.network.layers import UpProjection
from s2r_depth_ros.network.winograd import WinogradConv

TOLERANCE = 1e-4
CPU = torch.device('cpu')
NO_CPU = torch.device('meta')  # takes the form of other devices; there is no GPU in CI


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


@pytest.mark.parametrize(('preset', 'size_px'), [
    ('compact', (96, 112)), ('compact', (128, 208)), ('paper', (96, 112))])
def test_every_map_equals_that_of_the_training_form(preset, size_px):
    torch.manual_seed(0)
    network = trained(S2RDepthNet(Architecture.preset(preset)))
    image = torch.rand(2, 3, *size_px) * 2 - 1
    with torch.inference_mode():
        expected = network(image, return_maps=True)
        maps = inference_form(network, CPU)(image, return_maps=True)
    for name, one, other in zip(maps._fields, maps, expected):
        assert one.shape == other.shape, name
        assert (one - other).abs().max() < TOLERANCE, name
    assert expected.depth.std() > 1e-3  # there is something to differ


def test_no_batch_norm_is_left_and_the_network_stays_as_it_was():
    network = trained(S2RDepthNet(Architecture.preset('compact')))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    form = inference_form(network, CPU)
    assert not [m for m in form.modules() if isinstance(m, (nn.BatchNorm2d, nn.InstanceNorm2d))]
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_up_projection_reads_its_input_once():
    block = trained(UpProjection(8, 4))
    form = inference_form(block, NO_CPU)
    convolutions = [m for m in form.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(8, 8), (4, 4)]


@pytest.mark.parametrize('padding_mode', ['zeros', 'reflect'])
@pytest.mark.parametrize(('channels', 'kernel', 'stride', 'padding'), [
    ((5, 1), 7, 1, 3), ((3, 8), 7, 1, 3), ((4, 4), 3, 2, 1), ((8, 6), 4, 2, 1), ((16, 8), 1, 1, 0),
    ((2, 32), 3, 1, 1)])
@pytest.mark.parametrize('width', [16, 24, 26, 34])
def test_a_convolution_of_several_columns_at_once_is_that_convolution(
        padding_mode, channels, kernel, stride, padding, width):
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, kernel, stride, padding, padding_mode=padding_mode)
    image = torch.randn(2, channels[0], 12, width)
    with torch.inference_mode():
        found = inference_form(conv, CPU)(image)
        assert torch.allclose(found, conv(image), atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('size_px', [(12, 20), (13, 7), (3, 3), (40, 64)])
def test_winograd_is_that_convolution(kernel, size_px):
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 24, kernel, padding=kernel // 2)
    image = torch.randn(2, 64, *size_px).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = conv(image)
        found = WinogradConv(conv)(image)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-4 * expected.std()


def test_the_wide_up_projections_of_the_paper_run_by_winograd_in_float32_alone():
    block = trained(UpProjection(128, 64))

    def kinds(*arguments):
        return [m for m in inference_form(block, *arguments).modules()
                if isinstance(m, WinogradConv)]

    assert len(kinds(CPU)) == 1
    assert not kinds(CPU, torch.bfloat16)
    assert not kinds(NO_CPU)


def test_a_dilated_convolution_keeps_its_dilation():
    conv = nn.Conv2d(3, 4, 3, padding=5, dilation=5, padding_mode='reflect')
    image = torch.randn(1, 3, 12, 16)
    with torch.inference_mode():
        assert torch.allclose(inference_form(conv, CPU)(image), conv(image), atol=1e-5)


def test_an_instance_norm_is_the_group_norm_of_single_channels():
    image = torch.randn(2, 4, 6, 8)
    form = inference_form(nn.InstanceNorm2d(4), CPU)
    assert torch.allclose(form(image), F.instance_norm(image), atol=1e-5)
