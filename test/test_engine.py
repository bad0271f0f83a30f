"""Both engines give the same maps; choice of the engine, its cache, and its refusals."""

from dataclasses import replace
import json
import math
import os
from pathlib import Path
import signal
import subprocess
import sys

import cv2
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime
import pytest
from tiny_network import TINY
import torch
from torch import nn
import torch.nn.functional as F

from s2r_depth_ros import DepthPredictor, engine, weights
from s2r_depth_ros.depth.confidence import confidence_of_error
from s2r_depth_ros.engine import choose_engine, conversion, load_engine, OUTPUTS, pixels, Settings
from s2r_depth_ros.engine.letterbox import Letterbox
from s2r_depth_ros.engine.onnx_engine import OnnxEngine
from s2r_depth_ros.engine.onnx_model import network_model, to_onnx
from s2r_depth_ros.engine.torch_engine import TorchEngine
from s2r_depth_ros.network import Architecture, Judgement, S2RDepthNet

PACKAGE = Path(weights.__file__).parents[1]
INFO = weights.WeightsInfo(80.0, 100.0, 96, 128, {'source': 'test'})
PATIENCE_S = 240


def trained(preset, seed=0):
    """Return a network whose norms and slopes have values, as after a training."""
    torch.manual_seed(seed)
    network = S2RDepthNet(
        preset if isinstance(preset, Architecture) else Architecture.preset(preset)
    ).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network


@pytest.fixture(scope='module')
def model():
    """The content of a good, small file."""
    return network_model(trained(TINY), INFO).SerializeToString()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the cache, for this test only."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 's2r_depth_ros'


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / 'tiny.safetensors'
    weights.save(path, trained(TINY), INFO)
    return path


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# The same maps


@pytest.mark.parametrize(
    ('preset', 'sizes_px'),
    [
        ('compact', ((96, 112), (128, 416), (304, 400))),
        ('paper', ((96, 96), (96, 128), (112, 96))),
    ],
)
def test_one_graph_gives_the_maps_of_the_network_at_every_size_and_batch(preset, sizes_px):
    network = trained(preset)
    session = onnxruntime.InferenceSession(
        network_model(network, INFO).SerializeToString(), providers=['CPUExecutionProvider']
    )
    for height, width in sizes_px:
        images = torch.rand(3, 3, height, width) * 2 - 1
        with torch.inference_mode():
            expected = network(images, return_maps=True)
        assert expected.depth.std() > 1e-3  # there is something to differ
        for count in (1, 3):
            maps = session.run(OUTPUTS, {'image': images[:count].numpy()})
            for name, values in zip(OUTPUTS, maps):
                difference = np.abs(values - getattr(expected, name)[:count].numpy()).max()
                assert difference < 1e-4, (name, height, width, count)


def test_the_engines_judge_alike_and_only_when_asked():
    network = trained(replace(TINY, judge_channels=5))
    onnx_engine = OnnxEngine(network_model(network, INFO).SerializeToString(), 'a', Settings())
    torch_engine = TorchEngine(network, INFO, Settings('cpu'))
    results = []
    for each in (torch_engine, onnx_engine):
        assert each.has_judge
        predictor = DepthPredictor(each)
        images = [picture(90, 170), picture(96, 128, seed=1)]
        assert predictor.run(images)[0].log_error is None
        assert predictor.run(images, with_maps=True)[0].ground is None
        (wide, exact) = predictor.run(images, with_maps=True, judged=True)
        assert wide.ground.shape == wide.log_error.shape == (90, 170)
        assert 0 <= wide.ground.min() < wide.ground.max() <= 1
        results.append([*wide, *exact])
    for one, other in zip(*results):
        assert one == pytest.approx(other, abs=1e-4)


def test_without_a_judge_nothing_is_judged(model):
    predictor = DepthPredictor(OnnxEngine(model, 'a', Settings()))
    assert not predictor.has_judge
    (prediction,) = predictor.run([picture(90, 170)], judged=True)
    assert prediction.ground is prediction.log_error is None
    assert prediction.depth_m.shape == (90, 170)


@pytest.mark.parametrize('name', ['outdoor', 'indoor'])
def test_a_bundled_model_is_the_conversion_of_the_bundled_weights(name):
    bundled = onnx.load(PACKAGE / 'weights' / 'models' / f'{weights.BUNDLED[name]}.onnx')
    converted = network_model(*weights.load_with_info(name))
    assert bundled.graph.node == converted.graph.node
    assert bundled.metadata_props == converted.metadata_props
    for one, other in zip(bundled.graph.initializer, converted.graph.initializer, strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(
            numpy_helper.to_array(one), numpy_helper.to_array(other), rtol=1e-5, atol=1e-7
        )


@pytest.mark.parametrize('name', ['outdoor', 'indoor'])
def test_the_engines_predict_the_same_depth_and_maps(name):
    images = [picture(120, 160), picture(75, 248), picture(121, 163)]
    one, other = (
        DepthPredictor(name, 'cpu', engine=engine).predict_maps(images)
        for engine in ('torch', 'onnxruntime')
    )
    for maps, others in zip(one, other):
        assert np.abs(maps.depth_m - others.depth_m).max() < 80 * 1e-4
        assert np.abs(maps.structure - others.structure).max() < 1e-3
        assert np.abs(maps.attention - others.attention).max() < 1e-3


@pytest.mark.parametrize(
    ('size_px', 'network_size_px'),
    [
        ((375, 1242), (128, 416)),
        ((480, 640), (192, 272)),
        ((480, 640), (304, 400)),
        ((60, 80), (96, 112)),
        ((1080, 1920), (176, 304)),
        ((1, 300), (96, 96)),
    ],
)
def test_images_reach_the_network_nearly_as_torch_would_resize_them(size_px, network_size_px):
    street = cv2.imread(str(PACKAGE / 'demo_frames' / 'street_0.jpg'))
    rgb = cv2.resize(street, size_px[::-1], interpolation=cv2.INTER_AREA)
    letterbox = Letterbox.fixed(size_px, network_size_px)
    resized = F.interpolate(
        torch.from_numpy(rgb).permute(2, 0, 1)[None],
        letterbox.inner_size_px,
        mode='bilinear',
        antialias=True,
        align_corners=False,
    ).float()
    expected = F.pad(resized * (2 / 255) - 1, letterbox.padding, mode='replicate')[0].numpy()
    values = pixels.to_input(rgb, letterbox)
    assert values.shape == (3, *network_size_px)
    differences = np.abs(values - expected) * 255 / 2
    assert differences.mean() < 0.7
    assert np.percentile(differences, 99) < 5
    assert differences.max() < 30
    # Without its filter, OpenCV's resize is farther away, unless the image grows.
    plain = cv2.resize(rgb, letterbox.inner_size_px[::-1]).transpose(2, 0, 1)
    if size_px[0] > network_size_px[0]:
        assert np.abs(plain - resized[0].numpy()).mean() > 2 * differences.mean()


def test_an_operation_that_is_not_written_is_named():
    class Other(nn.Module):
        def forward(self, image):
            return (torch.cumsum(image, 1),)

    with pytest.raises(NotImplementedError, match='cumsum'):
        to_onnx(Other(), ['depth'], {})


# Without torch

HIDDEN = 'import sys\nsys.modules["torch"] = None\n'
REFUSED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torch':
            raise ImportError(f'{name} is not for this robot')
sys.meta_path.insert(0, Finder())
"""
BROKEN = """
import os, sys, tempfile
folder = tempfile.mkdtemp()
os.mkdir(f'{folder}/torch')
with open(f'{folder}/torch/__init__.py', 'w') as module:
    module.write('raise OSError("libcudart.so.12: cannot open shared object file")')
sys.path.insert(0, folder)
"""
ONE_IMAGE = """
import numpy as np
from s2r_depth_ros import DepthPredictor
try:
    predictor = DepthPredictor(sys.argv[2] or None, sys.argv[3], engine=sys.argv[1])
    predictor.predict([np.zeros((96, 112, 3), np.uint8)])
    print(predictor.engine.name)
except ValueError as error:
    print(error)
"""
TOOL = 'from s2r_depth_ros.cli import main\nsys.exit(main())'
BENCHMARKS = 'sys.path.insert(0, "")\nfrom benchmarks.cli import main\nsys.exit(main())'


def without_torch(code, *arguments, blocked=HIDDEN, returncode=0, **options):
    done = subprocess.run(
        [sys.executable, '-c', blocked + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        **options,
    )
    assert done.returncode == returncode, done.stderr
    return done.stdout if returncode == 0 else done.stderr


@pytest.mark.parametrize(
    ('blocked', 'engine', 'weights', 'device', 'said'),
    [
        (HIDDEN, 'auto', '', 'auto', 'onnxruntime'),
        (REFUSED, 'auto', '', 'auto', 'onnxruntime'),
        (BROKEN, 'auto', '', 'auto', 'onnxruntime'),
        (REFUSED, 'onnxruntime', '', 'cpu', 'onnxruntime'),
        (REFUSED, 'torch', '', 'cpu', 'engine torch is not installed'),
        (BROKEN, 'torch', '', 'cpu', 'engine torch is installed and cannot be loaded: libcudart'),
        (REFUSED, 'auto', 'random', 'cpu', 'random has to be converted once'),
        (BROKEN, 'onnxruntime', 'random', 'cpu', 'random has to be converted once'),
        (BROKEN, 'auto', 'random', 'cpu', 'engine torch is installed and cannot be loaded'),
    ],
)
def test_torch_that_is_missing_refused_or_broken_is_done_without_or_said(
    blocked, engine, weights, device, said
):
    lines = without_torch(ONE_IMAGE, engine, weights, device, blocked=blocked).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(said)


def test_a_broken_onnxruntime_leaves_the_network_to_torch_and_is_said(monkeypatch, tiny_file):
    monkeypatch.delitem(sys.modules, 's2r_depth_ros.engine.onnx_engine')
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    monkeypatch.setattr(engine, 'is_installed', lambda module: True)
    said = []
    predictor = DepthPredictor(tiny_file, 'cpu', log=said.append)
    assert predictor.engine.name == 'torch'
    assert 'engine onnxruntime is installed and cannot be loaded' in said[0]
    with pytest.raises(ValueError, match='engine onnxruntime is installed and cannot be loaded'):
        DepthPredictor(tiny_file, 'cpu', engine='onnxruntime')


def test_the_benchmark_says_which_sections_need_torch():
    said = without_torch(BENCHMARKS, 'around', blocked=REFUSED, returncode=1, cwd=PACKAGE.parent)
    assert said.startswith('python -m benchmarks: torch is not installed, which around measures')
    assert said.count('\n') == 1


def test_onnxruntime_reports_to_nobody_and_leaves_no_identifier(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if name != 'ORT_DISABLE_TELEMETRY'
    }
    home = tmp_path / 'home'
    home.mkdir()
    done = subprocess.run(
        [sys.executable, '-c', 'import sys\n' + ONE_IMAGE, 'onnxruntime', '', 'cpu'],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        env={**environment, 'HOME': str(home), 'XDG_CACHE_HOME': str(home)},
    )
    assert (done.stdout, done.stderr) == ('onnxruntime\n', '')
    assert not [*home.iterdir()]


def test_the_tools_write_depth_where_torch_is_not_installed(tmp_path):
    without_torch(
        TOOL,
        'depth',
        PACKAGE / 'demo_frames' / 'street_0.jpg',
        '--save',
        'npy',
        'color',
        'ply',
        'sheet',
        '--hfov-deg',
        '80',
        '--out',
        'out',
        cwd=tmp_path,
    )
    depth_m = np.load(tmp_path / 'out' / 'depth_m' / 'street_0.npy')
    assert np.isfinite(depth_m).any()


def test_the_node_and_the_other_tools_load_where_torch_is_not_installed():
    without_torch(
        'import s2r_depth_ros.node.depth_node, s2r_depth_ros.sources.camera_player\n'
        'import s2r_depth_ros.cli.bag, s2r_depth_ros.cli.demo, s2r_depth_ros.cli.view.live\n'
        'assert not [name for name in sys.modules if name.split(".")[0] == "safetensors"]'
    )


def test_a_cpu_predicts_with_the_bundled_weights_and_never_imports_torch():
    code = (
        'import sys, numpy as np\n'
        'from s2r_depth_ros import DepthPredictor\n'
        'predictor = DepthPredictor(device="cpu")\n'
        'predictor.predict([np.zeros((50, 60, 3), np.uint8)])\n'
        'print(predictor.engine.name, "torch" in sys.modules)\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['onnxruntime', 'False']


def test_other_weights_are_said_to_need_torch_once(tiny_file):
    said = without_torch(
        'from s2r_depth_ros import DepthPredictor\n'
        'try:\n    DepthPredictor(sys.argv[1])\nexcept ValueError as error:\n    print(error)\n',
        tiny_file,
    )
    assert 'has to be converted once for ONNX Runtime, which needs torch and onnx' in said
    assert said.count('\n') == 1


def test_weights_that_were_converted_once_need_torch_no_more(tiny_file):
    DepthPredictor(tiny_file, 'cpu')
    assert (
        without_torch(
            'from s2r_depth_ros import DepthPredictor as Predictor\n'
            'print(Predictor(sys.argv[1]).engine.name)',
            tiny_file,
        ).strip()
        == 'onnxruntime'
    )


# Conversions are kept


def test_weights_are_converted_once_and_it_is_said(tiny_file, cache):
    said = []
    for _ in range(2):
        DepthPredictor(tiny_file, 'cpu', log=said.append)
    assert len(said) == 1
    assert 'tiny.safetensors' in said[0]
    assert len(list(cache.glob('*.onnx'))) == 1
    weights.save(tiny_file, trained(TINY, seed=5), INFO)  # another content, the same name
    DepthPredictor(tiny_file, 'cpu', log=said.append)
    assert len(said) == 2


@pytest.mark.parametrize(
    'damage',
    [
        lambda content: b'',
        lambda content: content[: len(content) // 2],
        lambda content: content[:-100] + bytes(100),
    ],
)
def test_a_damaged_entry_is_made_anew(tiny_file, cache, damage):
    DepthPredictor(tiny_file, 'cpu')
    (entry,) = cache.glob('*.onnx')
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    DepthPredictor(tiny_file, 'cpu')
    (entry,) = cache.glob('*.onnx')
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(tiny_file, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    said = []
    predictor = DepthPredictor(tiny_file, 'cpu', log=said.append)
    assert predictor.engine.name == 'onnxruntime'
    assert any('cannot be kept' in each for each in said)


def test_two_processes_make_an_entry_once(tmp_path):
    code = (
        'import sys, time\n'
        'from pathlib import Path\n'
        'from s2r_depth_ros.engine.conversion import cached\n'
        'folder = Path(sys.argv[1])\n'
        'def make():\n'
        '    print("made", flush=True)\n'
        '    while not (folder / "go").exists(): time.sleep(0.01)\n'
        '    return b"content"\n'
        'print(cached(folder, "key", make, print))\n'
    )

    def start():
        return subprocess.Popen(
            [sys.executable, '-c', code, tmp_path], stdout=subprocess.PIPE, text=True
        )

    first = start()
    assert first.stdout.readline() == 'made\n'
    others = [start(), start()]
    (tmp_path / 'go').touch()
    outputs = [each.communicate(timeout=PATIENCE_S)[0] for each in (first, *others)]
    assert outputs == ["b'content'\n"] * 3  # only the first one made it


def test_a_process_that_dies_while_it_converts_holds_up_nobody(tmp_path):
    code = (
        'import sys, time\n'
        'from pathlib import Path\n'
        'from s2r_depth_ros.engine.conversion import cached\n'
        'def make():\n'
        '    Path(sys.argv[1], "key.part").write_bytes(b"half")\n'
        '    print("made", flush=True)\n'
        '    time.sleep(1000)\n'
        'cached(Path(sys.argv[1]), "key", make, print)\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'made\n'
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    assert conversion.cached(tmp_path, 'key', lambda: b'whole', print) == b'whole'
    assert not list(tmp_path.glob('*.part*'))


def test_the_cache_does_not_grow_for_ever(tmp_path):
    for number in range(30):
        conversion.cached(tmp_path, f'key{number}', lambda: b'x' * 100, print)
    assert len(list(tmp_path.glob('*.onnx'))) < 10
    assert conversion.cached(tmp_path, 'key29', lambda: b'', print) == b'x' * 100


def test_the_range_of_published_weights_is_part_of_what_is_kept(tmp_path):
    (tmp_path / 'one.pth').write_bytes(b'1')
    keys = {
        conversion._fingerprint(tmp_path, weights.WeightsInfo(m, 300.0, 192, 640))
        for m in (8.0, 80.0)
    }
    assert len(keys) == 2


# Which engine


def choice(monkeypatch, installed, providers=('CPUExecutionProvider',), **settings):
    monkeypatch.setattr(engine, 'is_installed', lambda module: module in installed)
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: list(providers))
    return choose_engine('auto', Settings(**settings))


BOTH = ('torch', 'onnxruntime')
TENSORRT = ('TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider')


@pytest.mark.parametrize(
    ('installed', 'providers', 'settings', 'expected'),
    [
        (BOTH, TENSORRT, {'device': 'cpu'}, 'onnxruntime'),
        (BOTH, TENSORRT[2:], {'device': 'cpu', 'precision': 'bfloat16'}, 'torch'),
        (('torch',), (), {'device': 'cpu'}, 'torch'),
        (('onnxruntime',), TENSORRT, {'device': 'cuda'}, 'onnxruntime'),
        (BOTH, TENSORRT, {'device': 'cuda'}, 'onnxruntime'),
        (BOTH, TENSORRT[1:], {'device': 'cuda'}, 'torch'),
        (BOTH, TENSORRT, {'device': 'cuda', 'precision': 'float16'}, 'onnxruntime'),
        (BOTH, TENSORRT, {'device': 'cuda', 'precision': 'bfloat16'}, 'torch'),
    ],
)
def test_auto_takes_what_suits_the_device(monkeypatch, installed, providers, settings, expected):
    assert choice(monkeypatch, installed, providers, **settings) == expected


@pytest.mark.parametrize(('sees_gpu', 'expected'), [(True, 'torch'), (False, 'onnxruntime')])
def test_auto_asks_torch_for_a_gpu_only_where_there_may_be_one(monkeypatch, sees_gpu, expected):
    from s2r_depth_ros.engine import torch_engine

    monkeypatch.setattr(torch_engine, 'sees_gpu', lambda: sees_gpu)
    monkeypatch.setattr(engine, 'may_have_gpu', lambda: False)
    assert choice(monkeypatch, BOTH) == 'onnxruntime'
    monkeypatch.setattr(engine, 'may_have_gpu', lambda: True)
    assert choice(monkeypatch, BOTH) == expected


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ({'engine': 'tensorflow'}, 'engine must be one of auto, torch, onnxruntime'),
        (
            {'engine': 'onnxruntime', 'device': 'cuda'},
            "no provider for device 'cuda'.*needs Tensorrt or CUDA, and this build offers",
        ),
        ({'engine': 'onnxruntime', 'device': 'cpu', 'precision': 'bfloat16'}, 'engine torch'),
        ({'engine': 'torch', 'device': 'cuda:99'}, 'PyTorch sees'),
        ({'device': 'cpu', 'precision': 'float16'}, 'needs a CUDA device'),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(monkeypatch, arguments, sentence):
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CPUExecutionProvider'])
    with pytest.raises(ValueError, match=sentence) as error:
        DepthPredictor(**arguments)
    assert '\n' not in str(error.value)


def test_an_engine_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(engine, 'is_installed', lambda module: False)
    for name, sentence in (
        ('onnxruntime', 'pip install onnxruntime'),
        ('auto', 'no engine is installed'),
    ):
        with pytest.raises(ValueError, match=sentence):
            choose_engine(name, Settings())


def test_torch_runs_what_cannot_be_converted(tiny_file, monkeypatch):
    def fail(*_):
        raise conversion.ConversionError('onnx is not installed')

    monkeypatch.setattr(conversion, '_converted', fail)
    said = []
    assert DepthPredictor(tiny_file, 'cpu', log=said.append).engine.name == 'torch'
    assert 'onnx is not installed' in said[-1]
    with pytest.raises(ValueError, match='onnx is not installed'):
        DepthPredictor(tiny_file, 'cpu', engine='onnxruntime')


def test_threads_are_those_asked_for_and_do_not_spin(model):
    own = OnnxEngine(model, 'x', Settings('cpu', threads=3))
    options = own._session.get_session_options()
    assert own.threads == options.intra_op_num_threads == 3
    assert options.get_session_config_entry('session.intra_op.allow_spinning') == '0'
    assert OnnxEngine(model, 'x', Settings('cpu')).threads == len(os.sched_getaffinity(0))


def test_tensorrt_keeps_its_engines_and_takes_the_precision(monkeypatch):
    from s2r_depth_ros.engine import onnx_engine

    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: list(TENSORRT))
    (first, options), *others = onnx_engine._providers(Settings('cuda:1', 'float16'))
    assert first == 'TensorrtExecutionProvider'
    assert not others  # CUDA would run float32
    assert options['device_id'] == 1
    assert options['trt_fp16_enable'] is options['trt_engine_cache_enable'] is True
    names = [name for name, _ in onnx_engine._providers(Settings('cuda'))]
    assert names == list(TENSORRT[:2])


def test_the_time_that_tensorrt_takes_to_build_is_said(model, monkeypatch):
    from s2r_depth_ros.engine import onnx_engine

    said = []
    own = OnnxEngine(model, 'x', Settings('cpu', threads=1, log=said.append))
    own._builds_engines = True  # as with TensorRT, which needs a GPU
    monkeypatch.setattr(onnx_engine, '_LONG_S', 0.0)
    for _ in range(2):
        own.infer(np.zeros((1, 3, 96, 128), np.float32))
    assert len(said) == 1
    assert '1 x 128 x 96' in said[0]


# Files that are not good


def changed(model, change):
    parsed = onnx.load_from_string(model)
    change(parsed)
    return parsed.SerializeToString()


def set_metadata(**values):
    def change(parsed):
        old = {each.key: each.value for each in parsed.metadata_props}
        new = {key: value for key, value in {**old, **values}.items() if value is not None}
        del parsed.metadata_props[:]
        helper.set_model_props(parsed, new)

    return change


def without_info(name):
    info = {
        'max_depth_m': 80.0,
        'training_focal_px': 100.0,
        'training_height_px': 96,
        'training_width_px': 128,
    }
    del info[name]
    return set_metadata(info=json.dumps(info))


def foreign_operator(parsed):
    parsed.opset_import.append(helper.make_opsetid('evil', 1))
    parsed.graph.node[0].domain, parsed.graph.node[0].op_type = 'evil', 'Run'


def rename_input(parsed):
    parsed.graph.input[0].name = 'picture'
    for node in parsed.graph.node:
        node.input[:] = ['picture' if name == 'image' else name for name in node.input]


def drop_output(parsed):
    del parsed.graph.output[1]


def not_a_number(parsed):
    tensor = next(t for t in parsed.graph.initializer if t.name.endswith('stem.weight'))
    values = numpy_helper.to_array(tensor).copy()
    values[:] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def external(parsed):
    tensor = parsed.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = 'location', '/etc/passwd'


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (set_metadata(format=None), 'not a model of this package'),
        (set_metadata(format='other/1'), "got 'other/1'"),
        (set_metadata(info=None), 'does not say its range'),
        (set_metadata(info='{'), 'does not say its range'),
        (set_metadata(info='[' * 100_000), 'does not say its range'),
        (without_info('max_depth_m'), 'max_depth_m'),
        (without_info('training_focal_px'), 'training_focal_px'),
        (foreign_operator, 'not a model that ONNX Runtime can run.*evil'),
        (rename_input, r"has inputs \['picture'\]"),
        (drop_output, r"outputs \['depth', 'attention'\]"),
        (not_a_number, 'it is damaged'),
        (external, 'keeps tensors in other files'),
    ],
    ids=lambda value: getattr(value, '__name__', str(value)[:20]),
)
def test_a_model_that_is_not_ours_is_refused_in_one_sentence(
    model, tmp_path, change, sentence, capfd
):
    path = tmp_path / 'bad.onnx'
    path.write_bytes(changed(model, change))
    with pytest.raises(weights.WeightsError, match=sentence) as error:
        load_engine(path)
    assert str(path) in str(error.value)
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name', ['torch', 'onnxruntime'])
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_a_judge_that_overflows_costs_no_depth_and_is_not_believed(name, value, monkeypatch):
    said = []
    settings = Settings('cpu', log=said.append)
    network = trained(replace(TINY, judge_channels=5))
    rgb = picture(96, 128)
    if name == 'torch':
        each = TorchEngine(network, INFO, settings)
        (expected_m,) = DepthPredictor(each).predict([rgb])
        forward = each.network.forward

        def overflowing(batch, **options):
            maps = forward(batch, **options)
            if maps.judgement is None:
                return maps
            spoilt = [torch.full_like(values, value) for values in maps.judgement]
            return maps._replace(judgement=Judgement(*spoilt))

        monkeypatch.setattr(each.network, 'forward', overflowing)
    else:
        each = OnnxEngine(network_model(network, INFO).SerializeToString(), 'a', settings)
        (expected_m,) = DepthPredictor(each).predict([rgb])
        infer = each.infer

        def overflowing(*request):
            maps = infer(*request)
            return [*maps[:-2], *(np.full_like(values, value) for values in maps[-2:])]

        monkeypatch.setattr(each, 'infer', overflowing)
    for _ in range(2):
        (prediction,) = DepthPredictor(each).run([rgb], judged=True)
        np.testing.assert_array_equal(prediction.depth_m, expected_m)
        assert confidence_of_error(prediction.log_error).max() < 1e-6
        assert prediction.ground.max() == 0
    (line,) = said
    assert 'judge' in line


@pytest.mark.parametrize('lost', [['ground'], ['judged'], ['log_error', 'ground', 'judged']])
def test_a_model_that_lost_a_part_of_its_judge_is_refused(lost):
    def lose(parsed):
        for places in (parsed.graph.output, parsed.graph.input):
            kept = [place for place in places if place.name not in lost]
            del places[:]
            places.extend(kept)

    judged = network_model(trained(replace(TINY, judge_channels=5)), INFO).SerializeToString()
    with pytest.raises(weights.WeightsError, match=f'lost {", ".join(lost)} of its judge'):
        OnnxEngine(changed(judged, lose), 'simplified.onnx', Settings())


@pytest.mark.parametrize('settings', [None, '[]', '{', '[' * 100_000])
def test_a_model_without_a_judge_need_not_say_so(model, settings):
    named = changed(model, set_metadata(architecture=settings))
    assert not OnnxEngine(named, 'of another program', Settings()).has_judge


@pytest.mark.parametrize('share', [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_model_is_refused(model, tmp_path, share):
    path = tmp_path / 'bad.onnx'
    path.write_bytes(model[: int(len(model) * share)])
    with pytest.raises(weights.WeightsError, match=r'bad\.onnx'):
        load_engine(path)


def test_a_model_that_is_missing_is_named(tmp_path):
    with pytest.raises(weights.WeightsError, match=r'no weights at .*none\.onnx'):
        load_engine(tmp_path / 'none.onnx')


def test_torch_says_that_it_does_not_read_a_model(model, tmp_path):
    path = tmp_path / 'good.onnx'
    path.write_bytes(model)
    assert load_engine(path).name == 'onnxruntime'
    with pytest.raises(weights.WeightsError, match='is for engine onnxruntime'):
        load_engine(path, engine='torch')
