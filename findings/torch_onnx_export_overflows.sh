#!/bin/bash
# Models that PyTorch exports to ONNX give infinite numbers for logsigmoid and logaddexp, and lose
#   the divisor_override of average pooling.
# Guess (2026-11-30, before the first run): torch.onnx.export(dynamo=True) gives the results of
#   PyTorch within 0.0002 for each function that it exports.
# Seen: the log sigmoid of -20 is -inf. It is exported as the logarithm of a sigmoid, which ONNX
#   Runtime rounds to 0 there. logaddexp is exported as the logarithm of a sum of exponentials,
#   and is infinite at 150. avg_pool2d divides by the number of pixels instead of
#   divisor_override. Nothing warns of it. logsumexp and softplus are right.
# Matters: log probabilities of a confident network become infinite in the exported model only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.13.0 \
    onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import warnings

import numpy as np
import onnxruntime
import onnxscript
import torch
from torch.nn import functional

warnings.simplefilter('ignore', DeprecationWarning)
print('torch', torch.__version__, 'onnxscript', onnxscript.__version__, 'onnxruntime',
      onnxruntime.__version__)


class Model(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


x = torch.tensor([[[[-150.0, -20, 0], [1, 20, 150]]]])
functions = {
    'logsigmoid': functional.logsigmoid,
    'logaddexp': lambda x: torch.logaddexp(x, x - 1),
    'avg_pool2d, divisor 2': lambda x: functional.avg_pool2d(x, (1, 3), divisor_override=2),
    'logsumexp': lambda x: torch.logsumexp(x, 3),
    'softplus': functional.softplus,
    'avg_pool2d': lambda x: functional.avg_pool2d(x, (1, 3)),
}
for name, function in functions.items():
    truth = function(x).numpy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        program = torch.onnx.export(Model(function).eval(), (x,), dynamo=True, verbose=False)
    told = [str(w.message) for w in caught if any(
        word in str(w.message) for word in ('divisor', 'overflow', 'sigmoid', 'addexp'))]
    model = program.model_proto
    session = onnxruntime.InferenceSession(model.SerializeToString())
    exported = session.run(None, {model.graph.input[0].name: x.numpy()})[0]
    print(f'{name}: PyTorch {truth.ravel()}, exported {exported.ravel()}, '
          f'nodes {[node.op_type for node in model.graph.node]}')
    assert np.isfinite(truth).all() and not told
    if name == 'logsigmoid':
        assert (exported.ravel()[:2] == -np.inf).all()
        assert np.allclose(exported.ravel()[2:], truth.ravel()[2:], atol=1e-4)
    elif name == 'logaddexp':
        assert exported.ravel()[0] == -np.inf and exported.ravel()[5] == np.inf
        assert np.allclose(exported.ravel()[1:5], truth.ravel()[1:5], atol=1e-4)
    elif 'divisor' in name:
        assert np.allclose(exported * 3, truth * 2)
    else:
        assert np.allclose(exported, truth, atol=1e-4)
END
