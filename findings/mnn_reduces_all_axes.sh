#!/bin/bash
# MNN reduces a map to one number for ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum and
#   ReduceLogSumExp, if their axes are an input.
# Guess (2026-11-30, before the first run): MNN computes the operators that its converter accepts
#   within 0.001 of ONNX Runtime.
# Seen: since opset 18, the axes are an input. Five reductions ignore it and reduce all axes, and
#   five are right. In opset 11, with axes as an attribute, the same five lose the reduced axis,
#   which keepdims=1 keeps by default. Mod with fmod=1 has the sign of the divisor, as without it.
#   The converter warns of nothing.
# Matters: a norm of each pixel over its channels becomes one number, which broadcasts later on
#   without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 \
    onnxruntime==1.32.0 MNN==3.6.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
import os

import _tools  # the command mnnconvert calls this, too
import MNN
import MNN.expr
import MNN.nn
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime

print('MNN', MNN.version(), 'onnxruntime', onnxruntime.__version__)
random = np.random.default_rng(0)
image = random.uniform(1, 5, (1, 2, 12, 16)).astype(np.float32)


def both(kind, feeds, constants=None, opset=20, **attributes):
    """Return what MNN and ONNX Runtime compute with one node."""
    constants = {n: np.array(v, np.int64) for n, v in (constants or {}).items()}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape)
              for n, v in feeds.items()]
    output = helper.make_tensor_value_info('y', TensorProto.FLOAT, None)
    node = helper.make_node(kind, [*feeds, *constants], ['y'], **attributes)
    tensors = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph([node], 'g', inputs, [output], tensors)
    onnx.save(helper.make_model(
        graph, ir_version=9, opset_imports=[helper.make_opsetid('', opset)]), 'm.onnx')
    if os.path.exists('m.mnn'):
        os.remove('m.mnn')
    _tools.mnnconvert(
        ['', '-f', 'ONNX', '--modelFile', 'm.onnx', '--MNNModel', 'm.mnn', '--bizCode', 'x'])
    module = MNN.nn.load_module_from_file('m.mnn', list(feeds), ['y'])
    tensors = [MNN.expr.placeholder(list(v.shape), MNN.expr.NCHW) for v in feeds.values()]
    for tensor, value in zip(tensors, feeds.values()):
        tensor.write(value)
    result = module.forward(tensors)[0]
    if result.data_format == MNN.expr.NC4HW4:
        result = MNN.expr.convert(result, MNN.expr.NCHW)
    return np.array(result.read()), onnxruntime.InferenceSession('m.onnx').run(None, feeds)[0]


WRONG = ('ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp')
RIGHT = ('ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd')
for kind in WRONG + RIGHT:
    by_mnn, truth = both(kind, {'x': image}, {'axes': [1]})
    print(f'{kind} over axis 1 of {image.shape}: MNN {by_mnn.shape}, ONNX Runtime {truth.shape}')
    assert truth.shape == (1, 1, 12, 16)
    assert by_mnn.size == 1 if kind in WRONG else np.allclose(by_mnn, truth, rtol=1e-4)
    by_mnn, truth = both(kind, {'x': image}, opset=11, axes=[1])
    print(f'{kind} of opset 11: MNN {by_mnn.shape}, ONNX Runtime {truth.shape}')
    assert by_mnn.shape == ((1, 12, 16) if kind in WRONG else truth.shape)
    assert np.allclose(by_mnn.reshape(truth.shape), truth, rtol=1e-4)
divide = {'x': np.array([[-4, -1, 1, 4]], np.float32), 'z': np.full((1, 4), 1.5, np.float32)}
by_mnn, truth = both('Mod', divide, fmod=1)
print(f'Mod with fmod=1 of -4, -1, 1 and 4 by 1.5: MNN {by_mnn[0]}, ONNX Runtime {truth[0]}')
assert np.allclose(by_mnn[0], [0.5, 0.5, 1, 1]) and np.allclose(truth[0], [-1, -1, 1, 1])
END
