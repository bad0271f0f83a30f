#!/bin/bash
# OpenCV, ONNX Runtime, OpenVINO and ncnn take NumPy arrays in big-endian order and read their
#   bytes in the wrong order.
# Guess (2026-11-30, before the first run): each of them reads such an array rightly or refuses
#   it.
# Seen: all take it without a word, and every value is another one. PyTorch and PyArrow refuse it.
#   They look at the kind and the size of the numbers only. OpenVINO is right in the call of a
#   model, and wrong in openvino.Tensor.
# Matters: Pillow gives such an array for a big-endian TIFF file. So do PGM files, camera messages
#   and PLY files that are read with the type they state. Depth of 1500 mm becomes 56325 mm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 \
    onnxruntime==1.32.0 openvino==2026.4.1 opencv-python-headless==5.0.0.93 \
    pillow==13.0.0 tifffile==2026.3.3 ncnn==1.0.20261020
cd "$folder"
"$folder/env/bin/python" - <<'END'
import cv2
import ncnn
import numpy as np
from onnx import helper, TensorProto
import onnxruntime
import openvino
import PIL
from PIL import Image
import tifffile

print('opencv', cv2.__version__, 'onnxruntime', onnxruntime.__version__, 'openvino',
      openvino.__version__, 'ncnn', ncnn.__version__, 'pillow', PIL.__version__)
KINDS = {'u2': TensorProto.UINT16, 'f4': TensorProto.FLOAT}


def model(kind):
    """Return a model that gives its input back."""
    x, y = (helper.make_tensor_value_info(name, KINDS[kind], [8, 8]) for name in 'xy')
    graph = helper.make_graph([helper.make_node('Identity', ['x'], ['y'])], 'g', [x], [y])
    opset = [helper.make_opsetid('', 18)]
    return helper.make_model(graph, ir_version=8, opset_imports=opset).SerializeToString()


sessions = {kind: onnxruntime.InferenceSession(model(kind)) for kind in KINDS}
core = openvino.Core()
compiled = {kind: core.compile_model(core.read_model(model(kind)), 'CPU') for kind in KINDS}
readers = {
    'cv2.medianBlur': lambda x, kind: cv2.medianBlur(x, 3),
    'cv2.imencode': lambda x, kind: cv2.imdecode(cv2.imencode('.tiff', x)[1], -1),
    'onnxruntime': lambda x, kind: sessions[kind].run(None, {'x': x})[0],
    'openvino.Tensor': lambda x, kind: openvino.Tensor(x).data.copy(),
    'openvino, call': lambda x, kind: compiled[kind]([x])[0].copy(),
    'ncnn.Mat': lambda x, kind: np.array(ncnn.Mat(x)),
}
tifffile.imwrite('depth.tif', np.full((8, 8), 1500, np.uint16), byteorder='>')
depth_mm = np.asarray(Image.open('depth.tif'))
print('Pillow reads', depth_mm.dtype.str, np.unique(depth_mm))
assert depth_mm.dtype == np.dtype('>u2') and (depth_mm == 1500).all()
for kind, depth in (('u2', depth_mm), ('f4', depth_mm.astype('>f4'))):
    swapped = np.array(1500, '>' + kind).view('<' + kind)
    for name, reader in readers.items():
        if name == 'ncnn.Mat' and kind == 'u2':
            continue
        (seen,) = np.unique(reader(depth, kind))
        print(f'{name}: 1500 in big-endian {kind} becomes {seen:.6g}')
        assert seen == (1500 if name == 'openvino, call' else swapped)
        assert (reader(depth.astype(kind), kind) == 1500).all()
END
