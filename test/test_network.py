"""The network: shapes, ranges, presets, and blocks against values worked out by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_ros.network.depth import DepthNet
from s2r_depth_ros.network.layers import enlarge, LightUpProjection, SharedPReLU, UpProjection


@pytest.fixture(scope='module')
def compact():
    torch.manual_seed(0)
    return S2RDepthNet(Architecture.preset('compact')).eval()


def test_every_map_has_its_shape_and_range(compact):
    with torch.inference_mode():
        maps = compact(torch.rand(2, 3, 96, 128) * 2 - 1, return_maps=True)
    assert maps.structure_code.shape == (2, 32, 24, 32)
    for each in (maps.structure, maps.attention, maps.depth_specific_structure):
        assert each.shape == (2, 1, 96, 128)
        assert each.min() >= 0
        assert each.max() <= 1
    assert torch.equal(maps.depth_specific_structure, maps.attention * maps.structure)
    depths = (maps.depth_8th, maps.depth_4th, maps.depth_half, maps.depth)
    assert [tuple(d.shape[2:]) for d in depths] == [(12, 16), (24, 32), (48, 64), (96, 128)]
    assert all(d.abs().max() <= 1 for d in depths)


def test_depth_alone_is_the_last_of_the_maps(compact):
    image = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(compact(image), compact(image, return_maps=True).depth)


def test_a_judge_changes_nothing_and_answers_only_when_asked(compact):
    judged = S2RDepthNet(replace(compact.architecture, judge_channels=7)).eval()
    judged.load_state_dict(compact.state_dict(), strict=False)
    image = torch.rand(2, 3, 96, 128) * 2 - 1
    with torch.inference_mode():
        maps = judged(image, return_maps=True, judged=True)
        assert torch.equal(maps.depth, compact(image))
        assert judged(image, return_maps=True).judgement is None
        assert compact(image, return_maps=True, judged=True).judgement is None
    assert maps.judgement.log_error.shape == maps.judgement.ground.shape == (2, 1, 96, 128)
    assert torch.isfinite(maps.judgement.log_error).all()
    assert maps.judgement.ground.min() >= 0
    assert maps.judgement.ground.max() <= 1
    assert maps.judgement.ground.std() > 0  # it depends on the pixel


@pytest.mark.parametrize('name', ['width', 'channel_multiple', 'judge_channels'])
def test_a_setting_of_hundreds_of_digits_gives_a_short_message(name):
    with pytest.raises(ValueError, match=f'{name} must be') as error:
        Architecture(**{name: -(10**400)})
    assert len(str(error.value)) < 120


def test_settings_without_a_judge_are_those_of_versions_that_had_none(compact):
    assert 'judge_channels' not in compact.architecture.as_dict()
    with_judge = replace(compact.architecture, judge_channels=7)
    assert Architecture(**with_judge.as_dict()) == with_judge
    assert with_judge.without_judge() == compact.architecture


def test_in_bfloat16_depth_is_rounded_before_tanh_but_not_after(compact):
    image = torch.rand(1, 3, 96, 96) * 2 - 1
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
        maps = compact(image, return_maps=True)
    for depth in (maps.depth_8th, maps.depth_4th, maps.depth_half, maps.depth):
        assert depth.dtype == torch.float32
        assert not torch.equal(depth, depth.bfloat16().float())


@pytest.mark.parametrize('shape', [(3, 96, 96), (1, 1, 96, 96), (1, 3, 96, 100), (1, 3, 80, 96)])
def test_an_image_of_another_shape_is_refused_with_the_shape_named(compact, shape):
    with pytest.raises(ValueError, match=r'expected an image'):
        compact(torch.zeros(shape))


def test_paper_has_the_published_numbers_of_parameters():
    with torch.device('meta'):
        network = S2RDepthNet(Architecture.preset('paper'))

    def millions(module):
        return round(sum(p.numel() for p in module.parameters()) / 1e6, 1)

    assert millions(network.structure_encoder) == 5.4
    assert millions(network.structure_decoder) == 2.2
    assert millions(network.attention) == 25.3
    assert millions(network.depth) == 54.6


@pytest.mark.parametrize(
    ('preset', 'least', 'most'), [('compact', 5.0, 6.0), ('paper', 815.0, 825.0)]
)
def test_operations_at_the_training_size(preset, least, most):
    with torch.device('meta'):
        network = S2RDepthNet(Architecture.preset(preset)).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            network(torch.empty(1, 3, 192, 640))
    assert least <= counter.get_total_flops() / 1e9 <= most


def test_weights_begin_as_published_and_wider_where_channels_are_fewer():
    stem, merge = (
        {
            preset: torch.cat(
                [module(DepthNet(Architecture.preset(preset))).weight.flatten() for _ in range(3)]
            )
            .std()
            .item()
            for preset in ('paper', 'compact')
        }
        for module in (lambda net: net.encoder3.layer1.conv, lambda net: net.centre[0].merge)
    )
    assert stem['paper'] == pytest.approx(0.02, rel=0.05)
    assert merge['paper'] == pytest.approx(0.02, rel=0.05)
    # He: the root of 2 over the products in one sum, of 16 and of 3 * 64 channels.
    assert stem['compact'] == pytest.approx((2 / (16 * 9)) ** 0.5, rel=0.05)
    assert merge['compact'] == pytest.approx((2 / (192 * 9)) ** 0.5, rel=0.05)


def test_channels_are_scaled_and_rounded_up():
    architecture = Architecture(width=1 / 8, channel_multiple=4)
    assert architecture.channels(512) == 64
    assert architecture.channels(16) == 4  # 2, rounded up to a multiple of 4
    assert Architecture(width=0.3).channels(16) == 5  # 4.8


@pytest.mark.parametrize(
    'settings', [{'width': 0.0}, {'width': 1.5}, {'width': float('nan')}, {'channel_multiple': 0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Architecture(**settings)


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match='paper, compact'):
        Architecture.preset('huge')


def test_enlarging_keeps_the_corners():
    small = torch.tensor([[[[0.0, 3.0], [6.0, 9.0]]]])
    # Aligned corners: 4 samples over the same span are a third of it apart.
    assert torch.allclose(enlarge(small)[0, 0, 0], torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert torch.allclose(enlarge(small)[0, 0, :, 0], torch.tensor([0.0, 2.0, 4.0, 6.0]))


@pytest.mark.parametrize('kind', [UpProjection, LightUpProjection])
def test_an_up_projection_adds_its_branches(kind):
    block = kind(2, 1).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.ndim == 4:
                parameter.zero_()
        centre = block.residual.conv.kernel_size[0] // 2
        block.residual.conv.weight[0, 1, centre, centre] = 1.0  # copies channel 1
        image = torch.zeros(1, 2, 4, 4)
        image[:, 1] = 5.0
        out = block(image)
    # Batch norm at rest divides by sqrt(1 + 1e-5).
    assert out.shape == (1, 1, 8, 8)
    assert torch.allclose(out, torch.full_like(out, 5.0), atol=1e-3)


def test_the_depth_net_shares_one_slope(compact):
    slopes = [name for name, p in compact.depth.named_parameters() if p.shape == (1,)]
    assert slopes == ['activation.weight']


def test_the_shared_slope_has_the_gradients_of_prelu():
    x = torch.tensor([[-2.0, -0.5, 0.0, 3.0]], dtype=torch.float64)
    wanted = torch.tensor([[1.0, 10.0, 100.0, 1000.0]], dtype=torch.float64)
    seen = []
    for activation in (nn.PReLU(init=0.5), SharedPReLU(init=0.5)):
        activation.double()
        inputs = x.clone().requires_grad_()
        out = activation(inputs)
        out.backward(wanted)
        seen.append((out.detach(), inputs.grad, activation.weight.grad))
    for plain, shared in zip(*seen):
        assert torch.equal(plain, shared)
    assert seen[1][2].tolist() == [1.0 * -2.0 + 10.0 * -0.5]


def test_an_image_of_one_colour_gives_the_encoder_no_structure(compact):
    with torch.inference_mode():
        dark = compact.structure_encoder(torch.full((1, 3, 96, 96), -0.5))
        light = compact.structure_encoder(torch.full((1, 3, 96, 96), 0.5))
    assert dark.abs().max() < 1e-2  # instance norm removes what is constant
    assert torch.allclose(dark, light, atol=1e-2)
