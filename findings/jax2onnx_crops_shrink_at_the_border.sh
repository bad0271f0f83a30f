#!/bin/bash
# A crop of JAX, exported by jax2onnx, gets smaller at the border of the image.
# Guess (2026-12-01, before the first run): jax2onnx exports dynamic_slice with the clamp of JAX,
#   so that the ONNX model and JAX agree for each start of the crop.
# Seen: JAX moves a crop that begins too far right back into the image. It keeps its size. The
#   exported model cuts it off: 32x20 in place of 32x32, with other pixels. The model declares
#   32x32. dynamic_update_slice is exported with the clamp.
# Cause: dynamic_slice becomes Slice of ONNX, which stops at the end of the image.
# Matters: networks crop around detections or key points. In the middle of the image, where a test
#   looks, both agree. A mean or maximum after the crop hides the size, and is another number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jax==0.10.2 \
    jax2onnx==0.17.1 onnxruntime==1.32.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import importlib.metadata

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
from jax import lax
from jax2onnx import to_onnx

print('jax2onnx', importlib.metadata.version('jax2onnx'), 'jax', jax.__version__, 'onnxruntime',
      onnxruntime.__version__)
depth_mm = np.arange(480 * 640, dtype=np.float32).reshape(480, 640)


def crop(depth_mm, row, column):
    return lax.dynamic_slice(depth_mm, (row, column), (32, 32))


def mean_of_crop(depth_mm, row, column):
    return jnp.mean(crop(depth_mm, row, column))


def insert(depth_mm, row, column):
    return lax.dynamic_update_slice(depth_mm, jnp.full((32, 32), -1.0), (row, column))


options = onnxruntime.SessionOptions()
options.log_severity_level = 4
index = jax.ShapeDtypeStruct((), np.int32)
for function in (crop, mean_of_crop, insert):
    model = to_onnx(function, [jax.ShapeDtypeStruct(depth_mm.shape, np.float32), index, index])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [i.name for i in session.get_inputs()]
    print(function.__name__, 'declares', session.get_outputs()[0].shape)
    for row, column in ((10, 10), (10, 620), (470, 630)):
        start = np.array(row, np.int32), np.array(column, np.int32)
        by_jax = np.asarray(function(jnp.asarray(depth_mm), *start))
        (by_onnx,) = session.run(None, dict(zip(names, (depth_mm, *start), strict=True)))
        print(f'  start {row}, {column}: JAX {by_jax.shape} {by_jax.ravel()[0]}, '
              f'exported {by_onnx.shape} {by_onnx.ravel()[0]}')
        same = by_onnx.shape == by_jax.shape and np.allclose(by_onnx, by_jax, rtol=1e-5)
        assert same == (column == 10 or function is insert)
        if function is crop:
            assert session.get_outputs()[0].shape == [32, 32]
            assert by_jax.shape == (32, 32)
            assert np.array_equal(by_onnx, depth_mm[row:row + 32, column:column + 32])
END
