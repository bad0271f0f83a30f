#!/bin/bash
# tract runs a reverse LSTM, GRU or RNN forwards.
# Guess (2026-12-01, before the first run): tract gives the results of the ONNX node tests, or
#   refuses the model.
# Seen: with direction "reverse", Y and Y_h are those of the same layer with "forward", and differ
#   from ONNX Runtime. "bidirectional" is right. There is no message.
# Matters: the output has the right shape and range. A test with one step, with a symmetric
#   sequence or with a bidirectional layer passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 \
    onnxruntime==1.32.0 tract==0.23.9
cd "$folder"
"$folder/env/bin/python" - <<'END'
import numpy as np
import onnx
import onnxruntime
import tract
from onnx import helper, numpy_helper

print('tract', tract.version(), 'onnxruntime', onnxruntime.__version__)
rng = np.random.default_rng(0)
images = rng.standard_normal((4, 1, 2)).astype(np.float32)


def run(operator, gates, direction, sequence):
    """Return Y and Y_h by ONNX Runtime, and both by tract."""
    node = helper.make_node(operator, ['X', 'W', 'R'], ['Y', 'Y_h'], hidden_size=3,
                            direction=direction)
    sides = 2 if direction == 'bidirectional' else 1
    weights = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array(
            weights.standard_normal((sides, gates * 3, width)).astype(np.float32), name)
        for name, width in (('W', 2), ('R', 3))
    ]
    shapes = {'X': sequence.shape, 'Y': (len(sequence), sides, 1, 3), 'Y_h': (sides, 1, 3)}
    x, y, last = (helper.make_tensor_value_info(n, 1, s) for n, s in shapes.items())
    graph = helper.make_graph([node], 'sequence', [x], [y, last], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, 'model.onnx')
    by_tract = tract.onnx().load('model.onnx').into_model().into_runnable().run([sequence])
    session = onnxruntime.InferenceSession('model.onnx')
    return session.run(None, {'X': sequence}), [t.to_numpy() for t in by_tract]


for operator, gates in (('RNN', 1), ('GRU', 3), ('LSTM', 4)):
    truth, seen = {}, {}
    for direction in ('forward', 'bidirectional', 'reverse'):
        truth[direction], seen[direction] = run(operator, gates, direction, images)
        print(operator, direction, 'Y_h by ONNX Runtime', truth[direction][1].ravel()[:3],
              'by tract', seen[direction][1].ravel()[:3])
    for i in range(2):
        assert np.allclose(seen['forward'][i], truth['forward'][i], atol=1e-5)
        assert np.allclose(seen['bidirectional'][i], truth['bidirectional'][i], atol=1e-5)
        assert np.abs(seen['reverse'][i] - truth['reverse'][i]).max() > 0.01
        assert np.allclose(seen['reverse'][i], truth['forward'][i], atol=1e-5)
    # ONNX Runtime agrees with a forward layer over the reversed sequence
    (y, last), _ = run(operator, gates, 'forward', images[::-1].copy())
    assert np.allclose(truth['reverse'][0], y[::-1], atol=1e-5)
    assert np.allclose(truth['reverse'][1], last, atol=1e-5)
END
