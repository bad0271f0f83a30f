#!/bin/bash
# ONNX Runtime cuts the fraction off when it resizes uint8, and OpenVINO rounds.
# Guess (2026-11-28, before the first run): both round to the nearest level: enlarging 0 1 2 5
#   twice gives 0 0 1 1 2 3 4 5.
# Seen: ONNX Runtime gives 0 0 0 1 1 2 4 5; a noisy image loses half a level on average.
# Matters: an image that is resized inside the graph is darker than in training, and differs
#   between engines.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import onnx
from onnx import helper, TensorProto
import onnxruntime
import openvino


def model(node, constants, out_shape, kind=TensorProto.FLOAT, shape=None, opset=18):
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', kind, shape)],
        [helper.make_tensor_value_info('y', kind, out_shape)], constants)
    whole = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=9)
    onnx.checker.check_model(whole)
    return whole.SerializeToString()


def by_onnxruntime(m, x):
    return onnxruntime.InferenceSession(
        m, providers=['CPUExecutionProvider']).run(None, {'x': x})[0]


def by_openvino(m, x):
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(m), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    return compiled([x])[0].copy()


print('onnxruntime', onnxruntime.__version__, 'openvino', openvino.__version__)


def doubled(x):
    shape = [*x.shape[:3], 2 * x.shape[3]]
    node = helper.make_node('Resize', ['x', '', '', 'sizes'], ['y'], mode='linear')
    m = model(node, [helper.make_tensor('sizes', TensorProto.INT64, [4], shape)],
              shape, TensorProto.UINT8, x.shape)
    return by_onnxruntime(m, x), by_openvino(m, x)


few = doubled(np.array([[[[0, 1, 2, 5]]]], np.uint8))
print('onnxruntime', few[0].ravel(), 'openvino', few[1].ravel())
assert few[0].ravel().tolist() == [0, 0, 0, 1, 1, 2, 4, 5]
assert few[1].ravel().tolist() == [0, 0, 1, 1, 2, 3, 4, 5]
noise = np.random.default_rng(0).integers(0, 256, (1, 1, 64, 64), np.uint8)
darker = [float(noise.mean() - made.mean()) for made in doubled(noise)]
print('mean of a noisy image falls by', darker)
assert 0.25 < darker[0] < 0.75 and abs(darker[1]) < 0.15
END
