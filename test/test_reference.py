"""Parity with the published reference implementation, in its own tensor names."""

import json
from pathlib import Path
import sys

from needed import SHARED
import numpy as np
import pytest
import torch

from s2r_depth_ros import weights
from s2r_depth_ros.engine.fusion import optimize_for_inference
from s2r_depth_ros.weights import published_names

REFERENCE = Path(__file__).parents[2] / 'shared' / 'reference'
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason=SHARED)
TOLERANCE = 1e-4


def reference_checkpoints():
    sys.path.insert(0, str(REFERENCE))
    try:
        import formula
    finally:
        sys.path.remove(str(REFERENCE))
    shapes = json.loads((REFERENCE / 'state_dict_shapes.json').read_text())
    slope = 'depth_net/conv1.3.weight'

    def value(checkpoint, name, shape):
        is_slope = checkpoint == 'depth_net' and shape == [1]
        full_name = slope if is_slope else f'{checkpoint}/{name}'
        return torch.from_numpy(np.asarray(formula.tensor(full_name, tuple(shape))))

    return formula, {
        checkpoint: {name: value(checkpoint, name, shape) for name, shape in tensors.items()}
        for checkpoint, tensors in shapes.items()
    }


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    formula, checkpoints = reference_checkpoints()
    folder = tmp_path_factory.mktemp('published')
    # Names as published for several trainings; all but the encoder carry the prefix.
    files = {
        'struct_encoder': 'struct_encoder_vkitti.pth',
        'struct_decoder': 'decoder.pth',
        'dsa_module': 'dsamodels_suncg.pth',
        'depth_net': 'depthnet_suncg.pth',
    }
    for checkpoint, tensors in checkpoints.items():
        prefix = '' if checkpoint == 'struct_encoder' else 'module.'
        torch.save({prefix + k: v for k, v in tensors.items()}, folder / files[checkpoint])
    return formula, folder


@pytest.fixture(scope='module')
def network(reference):
    return weights.load(reference[1])


@pytest.mark.parametrize('form', ['training', 'inference'])
@pytest.mark.parametrize(('height', 'width'), [(128, 160), (112, 208)])
def test_every_map_equals_the_reference(reference, network, form, height, width):
    if form == 'inference':
        network = optimize_for_inference(network, torch.device('cpu'))
    expected = np.load(REFERENCE / 'outputs.npz')
    image = torch.from_numpy(reference[0].image(height, width))
    with torch.inference_mode():
        maps = network(image, return_maps=True)
    ours = {
        'structure': maps.structure,
        'attention': maps.attention,
        'depth4': maps.depth_8th,
        'depth3': maps.depth_4th,
        'depth2': maps.depth_half,
        'depth1': maps.depth,
    }
    for name, tensor in ours.items():
        wanted = expected[f'{name}_{height}x{width}']
        difference = np.abs(tensor.numpy() - wanted.reshape(tensor.shape)).max()
        assert difference < TOLERANCE, f'{name}: {difference}'


def test_every_published_name_is_known():
    shapes = json.loads((REFERENCE / 'state_dict_shapes.json').read_text())
    parts = dict(
        zip(('struct_encoder', 'struct_decoder', 'dsa_module', 'depth_net'), published_names.PARTS)
    )
    network, _ = weights.load_with_info('random')
    for checkpoint, tensors in shapes.items():
        part = parts[checkpoint]
        own = set(getattr(network, part).state_dict())
        assert {published_names.to_own_name(part, name) for name in tensors} == own


def test_published_files_have_the_outdoor_range_unless_told(reference):
    _, info = weights.load_with_info(reference[1])
    assert info.max_depth_m == 80.0
    indoor = weights.WeightsInfo(8.0, 200.0, 192, 256)
    assert weights.load_with_info(reference[1], published=indoor)[1].max_depth_m == 8.0
