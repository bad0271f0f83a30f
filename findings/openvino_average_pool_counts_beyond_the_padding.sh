#!/bin/bash
# With ceil_mode and count_include_pad, OpenVINO divides by pixels that are beyond the padding.
# Guess (2026-11-29, before the first run): AveragePool with both attributes is the same in ONNX
#   Runtime, OpenVINO and the reference of ONNX.
# Seen: in the last row and column OpenVINO divides by the whole window, and the others by the
#   part of it in the padded image. With only one of the attributes all three agree.
# Matters: the border of a pooled map is too small by a third or more in one engine only.
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
from onnx.reference import ReferenceEvaluator
import onnxruntime
import openvino

print('onnxruntime', onnxruntime.__version__, 'openvino', openvino.__version__)
x = np.ones((1, 1, 8, 8), np.float32)
for ceil_mode, count_include_pad in ((0, 1), (1, 0), (1, 1)):
    node = helper.make_node(
        'AveragePool', ['x'], ['y'], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
        ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 1, None, None])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 19)], ir_version=9)
    onnx.checker.check_model(model)
    blob = model.SerializeToString()
    reference = ReferenceEvaluator(model).run(None, {'x': x})[0]
    by_onnxruntime = onnxruntime.InferenceSession(
        blob, providers=['CPUExecutionProvider']).run(None, {'x': x})[0]
    core = openvino.Core()
    by_openvino = core.compile_model(
        core.read_model(blob), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})([x])[0]
    print(f'ceil_mode={ceil_mode} count_include_pad={count_include_pad}: third row of the '
          f'reference {reference[0, 0, 2].round(3)}, ONNX Runtime '
          f'{by_onnxruntime[0, 0, 2].round(3)}, OpenVINO {by_openvino[0, 0, 2].round(3)}')
    np.testing.assert_allclose(by_onnxruntime, reference, atol=1e-6)
    if ceil_mode and count_include_pad:
        np.testing.assert_allclose(by_openvino[..., :-1, :-1], reference[..., :-1, :-1], atol=1e-6)
        assert abs(by_openvino[0, 0, 2, 4] - 1 / 3) < 1e-6
        assert abs(reference[0, 0, 2, 4] - 1 / 2) < 1e-6
    else:
        np.testing.assert_allclose(by_openvino, reference, atol=1e-6)
END
