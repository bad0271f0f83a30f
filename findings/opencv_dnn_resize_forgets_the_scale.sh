#!/bin/bash
# A Resize by a factor that leaves a fraction of a pixel samples elsewhere in OpenCV 5 than in
#   ONNX Runtime.
# Guess (2026-11-28, before the first run): seven pixels times 0.6 give the same four values in
#   ONNX Runtime, OpenVINO and OpenCV, since ONNX has the given factor place the samples.
# Seen: the first two place them by 0.6; OpenCV places them by 4/7, the rounded size, and is off
#   by up to 0.29 pixels.
# Matters: depth edges move by a part of a pixel that grows with the column.
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
x = np.tile(np.arange(7, dtype=np.float32), (1, 1, 7, 1))
node = helper.make_node('Resize', ['x', '', 'scales'], ['y'], mode='linear',
                        coordinate_transformation_mode='half_pixel')
m = model(node, [helper.make_tensor('scales', TensorProto.FLOAT, [4], [1, 1, 0.6, 0.6])],
          [1, 1, 4, 4], shape=x.shape)
rows = {f.__name__: f(m, x)[0, 0, 0] for f in (by_onnxruntime, by_openvino, by_opencv)}
for name, row in rows.items():
    print(name, row)
target = np.arange(4) + 0.5
by_factor, by_size = target / 0.6 - 0.5, target * 7 / 4 - 0.5
np.testing.assert_allclose(rows['by_onnxruntime'], by_factor, atol=1e-4)
np.testing.assert_allclose(rows['by_openvino'], by_factor, atol=1e-4)
np.testing.assert_allclose(rows['by_opencv'], by_size, atol=1e-4)
END
