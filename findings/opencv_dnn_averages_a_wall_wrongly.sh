#!/bin/bash
# In OpenCV 5, the global average of a constant map is another number.
# Guess (2026-11-30, before the first run): GlobalAveragePool of a map of 1000 x 1000 around 1000.5
#   is right within 0.01 in OpenCV, although ONNX Runtime had just given 1003.7.
# Seen: it adds up in one float32. A full HD wall of 3000.7 mm has a mean of 3038, and 5000 x 5000
#   ones have 0.67, since 16,777,216 + 1 is 16,777,216. ReduceMean gives 3005 and 1. ONNX Runtime
#   gives 2987 and 1.
# Matters: a graph that divides depth by its mean, or finds its scale, is wrong by 1 % in full HD.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import numpy as np
import onnx
from onnx import helper, TensorProto
import onnxruntime

print('opencv', cv2.__version__, 'onnxruntime', onnxruntime.__version__)


def mean(kind, x):
    """Return the mean of a map by OpenCV and by ONNX Runtime."""
    axes = {'axes': [2, 3]} if kind == 'ReduceMean' else {}
    model = helper.make_model(helper.make_graph(
        [helper.make_node(kind, ['x'], ['y'], **axes)], 'g',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 1, 1, 1])]),
        opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model)
    blob = model.SerializeToString()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(blob, np.uint8))
    net.setInput(x)
    other = onnxruntime.InferenceSession(blob, providers=['CPUExecutionProvider'])
    return net.forward().item(), other.run(None, {'x': x})[0].item()


for height, width, value in ((1000, 1000, 1000.3), (1080, 1920, 3000.7), (5000, 5000, 1)):
    x = np.full((1, 1, height, width), value, np.float32)
    wrong = {}
    for kind in ('GlobalAveragePool', 'ReduceMean'):
        by_opencv, by_onnxruntime = mean(kind, x)
        wrong[kind] = by_opencv - value, by_onnxruntime - value
        print(f'{height} x {width} times {value}: {kind} of OpenCV {by_opencv:.4f}, of ONNX '
              f'Runtime {by_onnxruntime:.4f}, NumPy {x.mean():.4f}')
    if value == 1:
        assert abs(wrong['GlobalAveragePool'][0] + 1 - 2 ** 24 / 5000 ** 2) < 1e-6
        assert abs(wrong['ReduceMean'][0]) < 1e-6
    else:
        assert abs(wrong['GlobalAveragePool'][0]) > 5 and abs(wrong['GlobalAveragePool'][1]) > 0.1
END
