#!/bin/bash
# In OpenCV 5, Softplus of 89 is infinite, and so is ReduceLogSumExp.
# Guess (2026-11-30, before the first run): Softplus at 100 and ReduceLogSumExp around 1000 are
#   finite, and the same in OpenCV, ONNX Runtime and OpenVINO.
# Seen: OpenCV gives inf from 89 on, and -inf for ReduceLogSumExp around -200: it takes the plain
#   exponential of float32. Mish, which contains a Softplus, is right there.
# Matters: Softplus keeps depth and variance of a network above 0. Depth of more than 88 m is
#   infinite in one engine only.
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
for kind, values, right, wrong in (
        ('Softplus', [20, 88, 89, 100], [20, 88, 89, 100], [20, 88, np.inf, np.inf]),
        ('Mish', [20, 88, 89, 100], [20, 88, 89, 100], [20, 88, 89, 100]),
        ('ReduceLogSumExp', [80, 81, 79], [81.4076], [81.4076]),
        ('ReduceLogSumExp', [1000, 1001, 999], [1001.4076], [np.inf]),
        ('ReduceLogSumExp', [-200, -201, -199], [-198.5924], [-np.inf])):
    x = np.array([values], np.float32)
    reduces = kind.startswith('Reduce')
    node = helper.make_node(kind, ['x', 'axes'] if reduces else ['x'], ['y'])
    model = helper.make_model(helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, len(right)])],
        [numpy_helper.from_array(np.array([1]), 'axes')] if reduces else []),
        opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    onnx.checker.check_model(model)
    blob = model.SerializeToString()
    core = openvino.Core()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(blob, np.uint8))
    net.setInput(x)
    for engine, answer in (
            ('ONNX Runtime', onnxruntime.InferenceSession(
                blob, providers=['CPUExecutionProvider']).run(None, {'x': x})[0]),
            ('OpenVINO', core.compile_model(
                core.read_model(blob), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})([x])[0]),
            ('OpenCV', net.forward())):
        print(kind, values, engine, answer.ravel())
        np.testing.assert_allclose(
            answer.ravel(), wrong if engine == 'OpenCV' else right, rtol=1e-5)
END
