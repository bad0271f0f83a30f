"""Damaged and hostile weight files: a WeightsError or a network, and nothing in them ever runs."""

import io
import json
import os
import pickle
import struct
import sys
import zipfile

from fuzzing import at_most, budget
from hypothesis import given
from hypothesis import strategies as st
import pytest
from tiny_network import write_tiny_weights
import torch

from s2r_depth_ros import DepthPredictor, weights

MOST_BYTES = 256 * 2**20
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.text(max_size=5),
        st.integers(),
        st.sampled_from([0, -1, 1, 100.5, 1e-300, 8192, 2**31, 10**400, 1e9]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(['width', 'channel_multiple', 'light_decoders', 'max_depth_m', 'x']),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """The bytes of a whole file: header size, header, tensors."""
    content = write_tiny_weights(tmp_path_factory.mktemp('good'), seed=1).read_bytes()
    end = 8 + struct.unpack('<Q', content[:8])[0]
    return json.loads(content[8:end]), content[end:]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('hostile')


def joined(header, tensors):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack('<Q', len(text)) + text + tensors


def loads_or_is_refused(path):
    """Load as the node would, and run what was accepted."""
    with at_most(MOST_BYTES):
        try:
            predictor = DepthPredictor(path, 'cpu', threads=1)  # there is no room for threads
        except weights.WeightsError:
            return
        predictor.warm_up()


@given(data=st.data())
@budget(300)
def test_damaged_bytes_are_refused_or_harmless(good, folder, data):
    content = bytearray(joined(*good))
    header_end = 8 + struct.unpack('<Q', content[:8])[0]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(
            st.one_of(
                st.integers(0, 7), st.integers(8, header_end), st.integers(0, len(content) - 1)
            )
        )
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    (folder / 'damaged.safetensors').write_bytes(content)
    loads_or_is_refused(folder / 'damaged.safetensors')


@given(data=st.data())
@budget(300)
def test_lying_headers_are_refused_or_harmless(good, folder, data):
    header = json.loads(json.dumps(good[0]))
    names = sorted(header.keys() - {'__metadata__'})
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        entry = header.get(name, dict(good[0][name]))
        change = data.draw(
            st.sampled_from(
                ['rename', 'dtype', 'shape', 'offsets', 'architecture', 'info', 'info', 'format']
            )
        )
        if change == 'rename':
            header.pop(name, None)
            header[data.draw(st.one_of(st.text(max_size=200), st.sampled_from(names)))] = entry
        elif change == 'dtype':
            entry['dtype'] = data.draw(
                st.sampled_from(
                    ['F64', 'F16', 'BF16', 'I64', 'I32', 'U8', 'BOOL', 'F8_E4M3', 'C64', '', 'F4']
                )
            )
        elif change == 'shape':
            entry['shape'] = data.draw(
                st.lists(
                    st.one_of(st.integers(0, 8), st.sampled_from([2**63, -1, 2**32])), max_size=4
                )
            )
        elif change == 'offsets':
            entry['data_offsets'] = data.draw(
                st.lists(st.one_of(st.integers(0, 500), st.just(2**63)), min_size=2, max_size=2)
            )
        else:
            metadata = header['__metadata__']
            value = json.loads(good[0]['__metadata__'][change]) if change != 'format' else {}
            if value and data.draw(st.integers(0, 3)):
                value[data.draw(st.sampled_from(sorted(value)))] = data.draw(JSON)
            else:
                value = data.draw(JSON)
            metadata[change] = data.draw(
                st.sampled_from([json.dumps(value), json.dumps(value), '[' * 5_000, ''])
            )
    (folder / 'lying.safetensors').write_bytes(joined(header, good[1]))
    loads_or_is_refused(folder / 'lying.safetensors')


class Hostile:
    """Unpickled, it would call a function."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def hostile_calls(marker):
    yield os.system, f'touch {marker}'
    yield exec, f'open({str(marker)!r}, "w")'
    yield eval, f'open({str(marker)!r}, "w")'
    yield open, str(marker), 'w'
    yield os.mkdir, str(marker)
    yield __import__, 'antigravity'
    yield getattr, 'os', 'system'


def pth_files(tensors, marker):
    """Yield files in both formats of PyTorch that hold tensors and try to run something."""
    for call in hostile_calls(marker):
        content = {'a': Hostile(*call), **tensors}
        for zipped in (True, False):
            file = io.BytesIO()
            torch.save(content, file, _use_new_zipfile_serialization=zipped)
            yield file.getvalue()
        yield pickle.dumps(content)


# What code in a file could do; reading the file itself and its imports are other events.
FORBIDDEN = frozenset(
    {
        'os.system',
        'os.exec',
        'os.posix_spawn',
        'os.fork',
        'subprocess.Popen',
        'os.mkdir',
        'os.remove',
        'os.rename',
        'socket.connect',
        'webbrowser.open',
        'ctypes.dlopen',
    }
)
seen: list[str] | None = None


def listen(event, arguments):
    if seen is not None and event in FORBIDDEN:
        seen.append(event)


sys.addaudithook(listen)  # for good: there is no way to remove one


def nothing_runs(path, marker):
    global seen
    seen = []
    try:
        with pytest.raises(weights.WeightsError):
            weights.load(path)
    finally:
        events, seen = seen, None
    assert events == []
    assert not marker.exists()


def test_a_pickle_that_calls_something_is_refused(folder):
    marker = folder / 'ran'
    hostile = folder / 'published'
    hostile.mkdir()
    for content in pth_files({'conv.conv.weight': torch.zeros(1)}, marker):
        (hostile / 'one.pth').write_bytes(content)
        nothing_runs(hostile, marker)


@given(data=st.data())
@budget(150)
def test_damaged_pickles_run_nothing(folder, data):
    marker = folder / 'ran'
    file = io.BytesIO()
    torch.save({'conv.conv.weight': torch.zeros(2, 2), 'x': torch.zeros(1)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = [name for name in parts if name.endswith('data.pkl')]
    content = bytearray(parts[pickled])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [b'cos\nsystem\n', b'c__builtin__\neval\n', b'R', b'b', b'\x93', b'i']
                ),
            )
        )
    parts[pickled] = bytes(content)
    hostile = folder / 'damaged'
    hostile.mkdir(exist_ok=True)
    with zipfile.ZipFile(hostile / 'one.pth', 'w') as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    nothing_runs(hostile, marker)
