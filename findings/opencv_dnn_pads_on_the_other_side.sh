#!/bin/bash
# OpenCV 5 pads with auto_pad=SAME_UPPER before the image where ONNX pads after it.
# Guess (2026-11-30, before the first run): SAME_UPPER and SAME_LOWER give the same in OpenCV, ONNX
#   Runtime and OpenVINO; written down for ConvTranspose, and assumed of Conv and the pools.
# Seen: with stride 2, OpenCV computes SAME_UPPER as if it were SAME_LOWER, in Conv, MaxPool and
#   AveragePool. ConvTranspose gives 15 columns instead of 16. The other engines agree.
# Matters: it is the padding SAME of TensorFlow. Each such layer with an even input moves the image
#   by a pixel of its input, and depth edges leave those of the colour image.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime
import openvino

print('opencv', cv2.__version__, 'onnxruntime', onnxruntime.__version__, 'openvino',
      openvino.__version__)
x = np.tile(np.arange(1, 9, dtype=np.float32), (1, 1, 6, 1))
weights = np.zeros((1, 1, 3, 3), np.float32)
weights[..., 1, 1] = 1


def run(kind, padding):
    """Return the third row of a layer with stride 2, by engine."""
    pool = kind.endswith('Pool')
    node = helper.make_node(
        kind, ['x'] if pool else ['x', 'w'], ['y'], strides=[2, 2], auto_pad=padding,
        kernel_shape=[3, 3])
    shape = [1, 1, 12, 16] if kind == 'ConvTranspose' else [1, 1, 3, 4]
    model = helper.make_model(helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, shape)],
        [] if pool else [numpy_helper.from_array(weights, 'w')]),
        opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    onnx.checker.check_model(model)
    blob = model.SerializeToString()
    core = openvino.Core()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(blob, np.uint8))
    net.setInput(x)
    answers = {
        'ONNX Runtime': onnxruntime.InferenceSession(
            blob, providers=['CPUExecutionProvider']).run(None, {'x': x})[0],
        'OpenVINO': core.compile_model(
            core.read_model(blob), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})([x])[0],
        'OpenCV': net.forward()}
    return {engine: answer[0, 0, 1] for engine, answer in answers.items()}


for kind in ('Conv', 'MaxPool', 'AveragePool', 'ConvTranspose'):
    upper, lower = run(kind, 'SAME_UPPER'), run(kind, 'SAME_LOWER')
    for name, rows in (('SAME_UPPER', upper), ('SAME_LOWER', lower)):
        for engine, row in rows.items():
            print(f'{kind} {name} {engine}: {row.size} columns,', row[:4].round(2))
    assert np.allclose(upper['ONNX Runtime'], upper['OpenVINO'])
    assert np.allclose(lower['ONNX Runtime'], lower['OpenVINO'])
    if kind == 'ConvTranspose':
        assert upper['OpenCV'].size == lower['OpenCV'].size == 15
        assert upper['OpenVINO'].size == lower['OpenVINO'].size == 16
    else:
        assert np.allclose(upper['OpenCV'], lower['OpenVINO'])
        assert not np.allclose(upper['OpenVINO'], lower['OpenVINO'])
END
