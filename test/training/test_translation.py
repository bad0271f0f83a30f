"""Networks of stage 1: shapes, ranges, and where style and structure can travel."""

import pytest
import torch

from s2r_depth_ros.network import Architecture
from s2r_depth_training.stages.translation import (
    Discriminator,
    Discriminators,
    Generator,
    StyleEncoder,
    Translator,
)

ARCHITECTURE = Architecture.preset('compact')


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.rand(2, 3, 64, 64) * 2 - 1


def test_translator_makes_images_and_codes_of_both_domains(images):
    translator = Translator(ARCHITECTURE, style_size=8)
    styles = torch.randn(2, 2, 8)
    made = translator(images, images.flip(0), *styles)
    for image in (*made.redrawn, *made.restyled):
        assert image.shape == images.shape
        assert image.abs().max() <= 1
    for code, again in zip(made.structure, made.structure_again):
        assert code.shape == again.shape == (2, ARCHITECTURE.channels(256), 16, 16)
    assert all(style.shape == (2, 8) for style in made.style_again)


def test_both_domains_share_the_structure_encoder(images):
    translator = Translator(ARCHITECTURE, style_size=8)
    made = translator(images, images, *torch.randn(2, 2, 8))
    torch.testing.assert_close(*made.structure)


def test_a_style_code_does_not_tell_where_things_are():
    encoder = StyleEncoder(ARCHITECTURE, style_size=8)
    image = torch.full((1, 3, 128, 128), -1.0)
    there = image.clone()
    image[..., 32:48, 32:48] = 1.0
    there[..., 64:80, 64:80] = 1.0  # further by a whole step of the coarsest features
    torch.testing.assert_close(encoder(image), encoder(there), rtol=1e-4, atol=1e-5)


def test_the_same_structure_is_drawn_differently_in_another_style():
    torch.manual_seed(0)
    generator = Generator(ARCHITECTURE, style_size=8)
    code = torch.randn(1, ARCHITECTURE.channels(256), 16, 16)
    one, same, other = (generator(code, torch.full((1, 8), style)) for style in (0.0, 0.0, 3.0))
    assert torch.equal(one, same)
    assert (one - other).abs().mean() > 0.01


def test_discriminator_judges_at_halved_sizes(images):
    judgements = Discriminator(ARCHITECTURE, scales=2)(images)
    assert [tuple(judgement.shape) for judgement in judgements] == [(2, 1, 4, 4), (2, 1, 2, 2)]


def test_each_domain_has_its_own_discriminator(images):
    discriminators = Discriminators(ARCHITECTURE, scales=1)
    synthetic, painted = discriminators(images, images)
    assert not torch.allclose(synthetic, painted)
