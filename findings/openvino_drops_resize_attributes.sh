#!/bin/bash
# OpenVINO loads a Resize of opset 18 and drops antialias and keep_aspect_ratio_policy without a
#   word.
# Guess (2026-11-28, before the first run): OpenVINO computes what ONNX Runtime does: an
#   antialiased resize, and 480 x 640 fitted into 384 x 384 as 288 x 384.
# Seen: antialias=1 changes nothing in OpenVINO, and the fitted image is stretched to 384 x 384.
# Matters: images that are shrunk in the graph alias, and depth comes out with the wrong shape.
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


def resized(x, sizes, out_shape, by, **attributes):
    node = helper.make_node('Resize', ['x', '', '', 'sizes'], ['y'], mode='linear', **attributes)
    constant = helper.make_tensor('sizes', TensorProto.INT64, [len(sizes)], sizes)
    return by(model(node, [constant], out_shape, shape=x.shape), x)


x = np.random.default_rng(0).random((1, 1, 480, 640), np.float32)
shapes = {by.__name__: resized(
    x, [384, 384], [1, 1, 'height', 'width'], by, axes=[2, 3],
    keep_aspect_ratio_policy='not_larger').shape for by in (by_onnxruntime, by_openvino)}
print('480 x 640, not larger than 384 x 384:', shapes)
assert shapes == {'by_onnxruntime': (1, 1, 288, 384), 'by_openvino': (1, 1, 384, 384)}
small = [1, 1, 120, 160]
changes = {by.__name__: float(np.abs(
    resized(x, small, small, by, antialias=1) - resized(x, small, small, by)).max())
    for by in (by_onnxruntime, by_openvino)}
print('antialias=1 changes at most', changes)
assert changes['by_onnxruntime'] > 0.1 and changes['by_openvino'] == 0
END
