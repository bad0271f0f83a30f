#!/bin/bash
# tract divides by the alpha of Celu, but does not multiply by it.
# Guess (2026-12-01, before the first run): tract gives the results of the ONNX node tests, or
#   refuses the model.
# Seen: Celu tends to -alpha far below 0. In tract it tends to -1 for each alpha: at -3 and alpha 2
#   it is -0.78 in place of -1.55. Float32, float16 and float64 agree. Elu is right.
# Cause: tract computes min(0, exp(x / alpha) - 1). The float32 node test of ONNX has alpha 2, but
#   no negative input, so that tract passes it. With the default alpha 1, both formulas agree.
# Matters: a network with CELU of another alpha runs in tract and gives other depth, without a
#   message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 \
    onnxruntime==1.32.0 tract==0.23.9
cd "$folder"
"$folder/env/bin/python" - <<'END'
import warnings

import numpy as np
import onnx
import onnxruntime
import tract
from onnx import helper
from onnx.backend.test.case.node import collect_testcases

print('tract', tract.version(), 'onnxruntime', onnxruntime.__version__)
x = np.array([-30, -3, -1, 0, 2], np.float32)
for operator in ('Celu', 'Elu'):
    for alpha in (0.5, 1.0, 2.0):
        node = helper.make_node(operator, ['x'], ['y'], alpha=alpha)
        values = [helper.make_tensor_value_info(name, 1, [5]) for name in 'xy']
        graph = helper.make_graph([node], operator, values[:1], values[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)],
                                  ir_version=8)
        onnx.save(model, 'model.onnx')
        by_tract = tract.onnx().load('model.onnx').into_model().into_runnable().run([x])
        by_tract = by_tract[0].to_numpy()
        (by_ort,) = onnxruntime.InferenceSession('model.onnx').run(None, {'x': x})
        print(operator, 'alpha', alpha, 'of', x, ': ONNX Runtime', by_ort, 'tract', by_tract)
        inner = x / alpha if operator == 'Celu' else x
        truth = np.where(x > 0, x, alpha * np.expm1(inner))
        assert np.allclose(by_ort, truth, atol=1e-5)
        factor = alpha if operator == 'Celu' else 1
        assert np.allclose(by_tract, np.where(x > 0, x, truth / factor), atol=1e-5)
warnings.simplefilter('ignore')
(case,) = [c for c in collect_testcases(None) if c.name == 'test_celu']
smallest = min(np.min(inputs[0]) for inputs, _ in case.data_sets)
print('smallest input of the node test in float32:', smallest)
assert smallest >= 0
END
