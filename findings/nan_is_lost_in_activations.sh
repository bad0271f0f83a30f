#!/bin/bash
# Relu, Clip and HardSigmoid of an ONNX file keep a NaN in one engine and turn it into a number
#   in another.
# Guess (2026-11-28, before the first run): a NaN stays a NaN through Relu, Clip and HardSigmoid
#   in ONNX Runtime, OpenVINO and OpenCV.
# Seen: ONNX Runtime keeps all three; OpenVINO makes 0, 0 and 1 of them; OpenCV keeps Relu and
#   HardSigmoid, and makes 0 in Clip.
# Matters: a pixel without depth, or a diverged network, looks like a valid number after the
#   first Relu.
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


def by_opencv(m, x):
    network = cv2.dnn.readNetFromONNX(np.frombuffer(m, np.uint8))
    network.setInput(x)
    return network.forward()


print('onnxruntime', onnxruntime.__version__, 'openvino', openvino.__version__,
      'opencv', cv2.__version__)
x = np.array([[[[1, np.nan, -1, 3], [0, 2, -2, 5]]]], np.float32)
limits = [helper.make_tensor(name, TensorProto.FLOAT, [], [value])
          for name, value in (('low', 0.0), ('high', 2.0))]
cases = {
    'Relu': (['x'], [], {'by_onnxruntime': np.nan, 'by_openvino': 0, 'by_opencv': np.nan}),
    'Clip': (['x', 'low', 'high'], limits,
             {'by_onnxruntime': np.nan, 'by_openvino': 0, 'by_opencv': 0}),
    'HardSigmoid': (['x'], [],
                    {'by_onnxruntime': np.nan, 'by_openvino': 1, 'by_opencv': np.nan}),
}
for kind, (names, constants, expected) in cases.items():
    m = model(helper.make_node(kind, names, ['y']), constants, x.shape, shape=x.shape)
    became = {f.__name__: float(f(m, x)[0, 0, 0, 1])
              for f in (by_onnxruntime, by_openvino, by_opencv)}
    print(kind, 'of NaN:', became)
    for name, value in expected.items():
        np.testing.assert_equal(became[name], float(value))
END
