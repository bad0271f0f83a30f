"""Weight files: round trip, and every way in which a file can be wrong."""

import errno
import json
from pathlib import Path
import pickle

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_network import TINY, tiny_network
import torch

from s2r_depth_ros import weights
from s2r_depth_ros.cli import main as s2r
from s2r_depth_ros.network import Architecture
from s2r_depth_ros.weights.info import content_hash

INFO = weights.WeightsInfo(8.0, 210.5, 192, 256, {'data': 'rendered rooms', 'seed': '3'})


@pytest.fixture
def network():
    return tiny_network(seed=1).eval()


@pytest.fixture
def file(network, tmp_path):
    path = tmp_path / 'tiny.safetensors'
    weights.save(path, network, INFO)
    return path


def rewrite(file, change_tensors=None, **metadata):
    """Write the file anew with some of it changed, as a damaged or hostile one would be."""
    with safe_open(file, framework='pt') as opened:
        old = opened.metadata()
    tensors = load_file(file)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, file, {k: v for k, v in {**old, **metadata}.items() if v is not None})


def test_a_file_is_enough_to_rebuild_the_network(network, file):
    loaded, info = weights.load_with_info(file)
    image = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))
    assert loaded.architecture == TINY
    assert info == INFO
    assert not loaded.training


def test_nothing_of_a_loaded_network_lies_in_its_file(file):
    network = weights.load(file)
    # Truncated in place, a file that is still mapped would kill the process by SIGBUS.
    assert str(file) not in Path('/proc/self/maps').read_text()
    assert network is not None


def test_saving_replaces_a_file_and_leaves_no_other(network, file):
    weights.save(file, network, INFO)
    assert [path.name for path in file.parent.iterdir()] == ['tiny.safetensors']


def test_others_may_read_the_file(file):
    (file.parent / 'ordinary').touch()
    assert file.stat().st_mode == (file.parent / 'ordinary').stat().st_mode


def test_half_precision_files_become_float32(network, file):
    rewrite(
        file,
        lambda tensors: tensors.update(
            {k: v.half() for k, v in tensors.items() if v.is_floating_point()}
        ),
    )
    loaded = weights.load(file)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_a_missing_file_is_named_with_what_to_give(tmp_path):
    with pytest.raises(weights.WeightsError, match=r'nothing\.safetensors.*outdoor, indoor'):
        weights.load(tmp_path / 'nothing.safetensors')


@pytest.mark.parametrize('dtype', [torch.float8_e4m3fn, torch.complex64, torch.int32])
def test_tensors_of_other_types_are_refused(file, dtype):
    rewrite(
        file,
        lambda tensors: tensors.update({'depth.activation.weight': torch.zeros(1, dtype=dtype)}),
    )
    with pytest.raises(weights.WeightsError, match=f'{dtype}, expected torch.float32'):
        weights.load(file)


def test_values_that_float32_does_not_hold_are_refused(file):
    rewrite(
        file,
        lambda tensors: tensors.update(
            {'depth.activation.weight': torch.tensor([1e300], dtype=torch.float64)}
        ),
    )
    with pytest.raises(weights.WeightsError, match='not finite'):
        weights.load(file)


def test_every_wrong_tensor_is_named(file):
    def spoil(tensors):
        del tensors['structure_encoder.stem.bias']
        tensors['attention.extra'] = torch.zeros(1)
        tensors['depth.stem.weight'] = torch.zeros(2, 2)
        tensors['depth.activation.weight'] = torch.tensor([float('nan')])

    rewrite(file, spoil)
    with pytest.raises(weights.WeightsError) as error:
        weights.load(file)
    text = str(error.value)
    assert str(file) in text
    assert 'missing structure_encoder.stem.bias' in text
    assert 'unexpected attention.extra' in text
    assert 'depth.stem.weight is (2, 2), expected (2, 1, 7, 7)' in text
    assert 'depth.activation.weight has values that are not finite' in text


def test_of_many_wrong_tensors_the_first_are_named(file):
    rewrite(file, lambda tensors: tensors.update({f'x{i}': torch.zeros(1) for i in range(500)}))
    with pytest.raises(weights.WeightsError, match='unexpected x0; .*; and 490 more') as error:
        weights.load(file)
    assert len(str(error.value)) < 1000


def test_weights_that_may_not_be_read_are_told_from_damaged_ones(tmp_path, monkeypatch):
    def deny(path, *_):
        raise PermissionError(errno.EACCES, 'Permission denied', str(path))

    file = tmp_path / 'a.safetensors'
    file.touch()
    monkeypatch.setattr(Path, 'open', deny)
    with pytest.raises(weights.WeightsError, match=r'cannot read .*a\.safetensors: Permission'):
        weights.load_with_info(file)


@pytest.mark.parametrize('share', [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(weights.WeightsError, match='not a whole safetensors file'):
        weights.load(file)


@pytest.mark.parametrize(
    'architecture',
    [
        '{',
        '[]',
        '{"width": 2}',
        '{"widht": 1}',
        '{"width": "1"}',
        '{"channel_multiple": 1e400}',
        '{"width": null}',
        '{"channel_multiple": true}',
        '{"channel_multiple": 1.5}',
        '{"light_decoders": "no"}',
        '{"faint_skips": null}',
    ],
)
def test_damaged_metadata_is_refused(file, architecture):
    rewrite(file, architecture=architecture)
    with pytest.raises(weights.WeightsError, match='damaged metadata'):
        weights.load(file)


def test_metadata_that_promise_a_huge_network_cost_no_memory(file):
    rewrite(file, architecture=json.dumps({'width': 1.0, 'channel_multiple': 100_000}))
    with pytest.raises(weights.WeightsError, match=r'expected \(100000, 3, 7, 7\)'):
        weights.load(file)


@pytest.mark.parametrize(
    'info',
    [
        {'max_depth_m': -1.0},
        {'max_depth_m': float('inf')},
        {'max_depth_m': 10**400},
        {'max_depth_m': 1e300},
        {'training_focal_px': 1e-300},
        {'training_focal_px': '500'},
        {'training_width_px': True},
        {'training_height_px': 100.5},
        {'training_width_px': 4096},
        {'provenance': 5},
        {'contrast_limit': -1.0},
        {'contrast_limit': 100.0},
        {'contrast_limit': float('nan')},
        {'contrast_limit': True},
        {'contrast_limit': '4'},
    ],
)
def test_an_info_that_cannot_be_is_refused(info):
    good = {
        'max_depth_m': 80.0,
        'training_focal_px': 370.0,
        'training_height_px': 192,
        'training_width_px': 640,
    }
    with pytest.raises(ValueError, match=next(iter(info))):
        weights.WeightsInfo(**{**good, **info})


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({'x': torch.zeros(1)}, tmp_path / 'x.safetensors')
    with pytest.raises(weights.WeightsError, match='does not say how to rebuild'):
        weights.load(tmp_path / 'x.safetensors')


def test_a_pickle_that_runs_code_does_not_run(tmp_path):
    ran = tmp_path / 'ran'

    class Hostile:
        def __reduce__(self):
            return open, (str(ran), 'w')

    (tmp_path / 'struct_encoder.pth').write_bytes(pickle.dumps(Hostile()))
    torch.save({'conv.conv.weight': Hostile()}, tmp_path / 'struct_decoder.pth')
    with pytest.raises(weights.WeightsError, match='not a readable PyTorch weight file'):
        weights.load(tmp_path)
    assert not ran.exists()


def test_an_empty_folder_is_told_what_is_missing(tmp_path):
    with pytest.raises(weights.WeightsError, match='structure_encoder, structure_decoder, atten'):
        weights.load(tmp_path)


def test_a_file_of_something_else_in_the_folder_is_named(tmp_path):
    torch.save({'layer.weight': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(weights.WeightsError, match=r'other\.pth is no checkpoint'):
        weights.load(tmp_path)


def test_one_published_file_alone_is_answered_with_the_folder(tmp_path):
    torch.save({}, tmp_path / 'one.pth')
    with pytest.raises(weights.WeightsError, match='give the folder'):
        weights.load(tmp_path / 'one.pth')


def test_random_weights_are_the_same_each_time_and_say_so():
    first, info = weights.load_with_info('random')
    second = weights.load('random')
    assert info.provenance == {'source': 'random'}
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))


@pytest.mark.parametrize('name', weights.BUNDLED)
def test_bundled_weights_load_or_are_said_to_be_missing(name):
    try:
        network = weights.load(name)
    except weights.WeightsError as error:
        assert f'bundles no trained {name} weights' in str(error)  # noqa: PT017
    else:
        assert network.architecture.without_judge() == Architecture.preset('compact')


def test_a_folder_has_no_hash_and_is_told_what_to_give(tmp_path):
    with pytest.raises(weights.WeightsError, match=r'is a folder: give a \.safetensors file'):
        content_hash(tmp_path)


def test_the_hash_is_of_tensors_and_metadata_in_whatever_order(tmp_path, capsys):
    tensors = {'b': torch.arange(6.0).reshape(2, 3), 'a': torch.tensor(3)}
    metadata = {'x': '1', 'y': '2', 'z': '3'}
    contents = set()
    for _ in range(20):  # safetensors writes metadata in any order
        save_file(tensors, tmp_path / 'a.safetensors', metadata)
        contents.add((tmp_path / 'a.safetensors').read_bytes())
    hashes = set()
    for index, content in enumerate(contents):
        (tmp_path / f'{index}.safetensors').write_bytes(content)
        hashes.add(content_hash(tmp_path / f'{index}.safetensors'))
    save_file(
        dict(reversed(tensors.items())),
        tmp_path / 'r.safetensors',
        dict(reversed(metadata.items())),
    )
    hashes.add(content_hash(tmp_path / 'r.safetensors'))
    assert len(hashes) == 1
    for other, facts in (
        ({**tensors, 'a': torch.tensor(4)}, metadata),
        ({**tensors, 'b': tensors['b'].reshape(3, 2)}, metadata),
        ({**tensors, 'b': tensors['b'].double()}, metadata),
        (tensors, {**metadata, 'x': '2'}),
    ):
        save_file(other, tmp_path / 'o.safetensors', facts)
        assert content_hash(tmp_path / 'o.safetensors') not in hashes
    assert s2r(['weights', str(tmp_path / 'r.safetensors')]) == 0
    assert capsys.readouterr().out == f'{hashes.pop()}  {tmp_path / "r.safetensors"}\n'
    assert s2r(['weights', str(tmp_path / 'none')]) == 1
    assert 'no weights at' in capsys.readouterr().err
    assert s2r(['weights']) == 0
    assert [line.split('  ')[1] for line in capsys.readouterr().out.splitlines()] == [
        'outdoor',
        'indoor',
    ]
