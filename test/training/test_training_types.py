"""Number types in which a training computes and writes."""

from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric
import numpy as np
import pytest
from tiny_run import tiny_config, write_data
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from s2r_depth_training.engine.checkpoints import save_whole
from s2r_depth_training.settings.fabric import FabricSettings
from s2r_depth_training.stages import (
    attention,
    dsa,
    fine_tune,
    judge,
    rgb_baseline,
    ste_decoder,
    ste_encoder,
)

STAGES = (ste_encoder, ste_decoder, attention, dsa, rgb_baseline, fine_tune, judge)
PLAIN = (bool, int, float, str, bytes, type(None))


@pytest.fixture(scope='module')
def computed(tmp_path_factory):
    """Run every stage in mixed precision with a picture of each step; return what it computed."""
    root = tmp_path_factory.mktemp('types')
    write_data(root)
    config = replace(
        tiny_config(root), fabric=FabricSettings('cpu', threads=1, precision='bf16-mixed')
    )
    by_stage = {}
    for stage in STAGES:
        types = set()

        def note(module, _, output, types=types):
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                types.add(output.dtype)

        settings = replace(getattr(config, stage.NAME), pictures_every_steps=1)
        hook = register_module_forward_hook(note)
        try:
            result = stage.train(replace(config, **{stage.NAME: settings}))
        finally:
            hook.remove()
        by_stage[stage.NAME] = types, result
    return by_stage


@pytest.mark.parametrize('stage', STAGES, ids=lambda stage: stage.NAME)
def test_every_layer_of_a_stage_computes_in_the_mixed_precision(computed, stage):
    types, _ = computed[stage.NAME]
    assert types == {torch.bfloat16}


def not_plain(value):
    """Return the types of a file's content other than tensors and plain values."""
    if isinstance(value, dict):
        return {kind for part in (*value, *value.values()) for kind in not_plain(part)}
    if isinstance(value, (list, tuple)):
        return {kind for part in value for kind in not_plain(part)}
    return set() if isinstance(value, torch.Tensor) or type(value) in PLAIN else {type(value)}


@pytest.mark.parametrize('stage', STAGES, ids=lambda stage: stage.NAME)
def test_files_of_a_stage_load_with_the_defaults_and_hold_plain_values(computed, stage):
    _, result = computed[stage.NAME]
    for file in (result, result.with_name('checkpoint.pt')):
        assert not_plain(torch.load(file)) == set()
        assert Fabric(accelerator='cpu').load(file).keys() == torch.load(file).keys()
    types = {
        tensor.dtype
        for part in torch.load(result)['modules'].values()
        for tensor in part.values()
        if tensor.is_floating_point()
    }
    assert types == {torch.float32}


@pytest.mark.parametrize(
    ('value', 'named'),
    [
        (np.float64(0.5), 'float64'),
        (Path('a'), 'PosixPath'),
        (np.zeros(2), 'ndarray'),
        (np.int64(3), 'int64'),
    ],
)
def test_what_would_not_load_again_is_not_written(tmp_path, value, named):
    save_whole({'step': 1, 'rates': [1.0, (2, None)]}, tmp_path / 'a.pt')
    before = (tmp_path / 'a.pt').read_bytes()
    for state in ({'step': value}, {'settings': {'rates': [1, value]}}):
        with pytest.raises(TypeError, match=f'is a {named}; a checkpoint holds tensors and plain'):
            save_whole(state, tmp_path / 'a.pt')
    assert (tmp_path / 'a.pt').read_bytes() == before
