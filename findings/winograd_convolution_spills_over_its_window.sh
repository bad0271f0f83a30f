#!/bin/bash
# In MNN and ncnn, a pixel changes results of a 3 x 3 convolution whose windows do not contain it.
# Guess (2026-11-30, before the first run): a NaN or a very large pixel changes the 3 x 3 results
#   around it only. All others stay equal bit for bit in MNN, ncnn, ONNX Runtime and OpenVINO.
# Seen: in MNN and ncnn, 33 more pixels change. In MNN, a pixel of 65535 changes them by 10, where
#   14 is the largest usual result. A NaN makes them 3.4e38. In ncnn, a NaN makes them NaN. Both
#   use the Winograd method, which works in tiles of 6 x 6. The other two engines are exact.
# Matters: 65535 marks "no depth" in some sensors. One such pixel in the input breaks its
#   neighbours, and a mask that is grown by the kernel does not cover them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 \
    onnxruntime==1.32.0 openvino==2026.4.1 MNN==3.6.1 ncnn==1.0.20261020
cd "$folder"
"$folder/env/bin/python" - <<'END'
import _tools  # the command mnnconvert calls this, too
import MNN
import MNN.expr
import MNN.nn
import ncnn
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime
import openvino

print('MNN', MNN.version(), 'ncnn', ncnn.__version__, 'onnxruntime', onnxruntime.__version__,
      'openvino', openvino.__version__)
random = np.random.default_rng(0)
weights = (random.standard_normal((16, 16, 3, 3)) * 0.1).astype(np.float32)
x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 16, 48, 64]) for n in 'xy')
node = helper.make_node('Conv', ['x', 'w'], ['y'], pads=[1, 1, 1, 1])
graph = helper.make_graph([node], 'g', [x], [y], [numpy_helper.from_array(weights, 'w')])
opset = [helper.make_opsetid('', 18)]
onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opset), 'c.onnx')
_tools.mnnconvert(
    ['', '-f', 'ONNX', '--modelFile', 'c.onnx', '--MNNModel', 'c.mnn', '--bizCode', 'x'])
module = MNN.nn.load_module_from_file('c.mnn', ['x'], ['y'])
session = onnxruntime.InferenceSession('c.onnx')
compiled = openvino.compile_model('c.onnx', 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
with open('c.param', 'w') as file:
    file.write('7767517\n2 2\nInput x 0 1 x\n'
               f'Convolution c 1 1 x y 0=16 1=3 4=1 5=0 6={weights.size}\n')
with open('c.bin', 'wb') as file:
    file.write(bytes(4) + weights.tobytes())
net = ncnn.Net()
net.load_param('c.param')
net.load_model('c.bin')


def by_mnn(image):
    tensor = MNN.expr.placeholder(list(image.shape), MNN.expr.NCHW)
    tensor.write(image)
    return np.array(MNN.expr.convert(module.forward([tensor])[0], MNN.expr.NCHW).read())


def by_ncnn(image):
    extractor = net.create_extractor()
    extractor.input('x', ncnn.Mat(image[0]))
    return np.array(extractor.extract('y')[1])[None]


engines = {'MNN': by_mnn, 'ncnn': by_ncnn, 'onnxruntime': lambda i: session.run(None, {'x': i})[0],
           'openvino': lambda i: compiled([i])[0].copy()}
usual = random.uniform(1, 5, (1, 16, 48, 64)).astype(np.float32)
for value in (65535, np.nan):
    image = usual.copy()
    image[0, 0, 20, 30] = value
    for name, run in engines.items():
        before, after = run(usual)[0], run(image)[0]
        before[:, 19:22, 29:32] = after[:, 19:22, 29:32] = 0  # the nine windows with the pixel
        changed = int((before != after).any(0).sum())
        largest = float(np.abs(after - before).max())
        print(f'{name}: pixel of {value} changes {changed} windows without it by up to '
              f'{largest:.4g}; largest usual result {np.abs(before).max():.3g}')
        assert (changed >= 20) == (name in ('MNN', 'ncnn')) and (changed == 0 or largest != 0)
        if name == 'MNN':
            assert np.isfinite(after).all() and largest > 5
        if name == 'ncnn' and np.isnan(value):
            assert np.isnan(after).any()
END
