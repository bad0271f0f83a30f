#!/bin/bash
# A mean of scattered points, which PyTorch exports to ONNX, is the last point of each cell.
# Guess (2026-11-30, before the first run): torch.onnx.export(dynamo=True) gives the results of
#   PyTorch within 0.0002 for each function that it exports.
# Seen: scatter_reduce with "mean" is exported as ScatterElements with the reduction "none", which
#   overwrites, with and without include_self. "sum", "prod", "amax" and "amin" are right. Nothing
#   warns of it.
# Matters: networks for point clouds average the points of a pillar or voxel in this way. With one
#   point in each cell, as in a small test, include_self=False is right.
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

print('torch', torch.__version__, 'onnxscript', onnxscript.__version__, 'onnxruntime',
      onnxruntime.__version__)
height_m = torch.tensor([1.0, 2, 6, 8, 11])


class Cells(torch.nn.Module):
    """Reduce the heights of points to one height for each of four cells."""

    def __init__(self, cell, reduction, include_self):
        super().__init__()
        self.cell = torch.tensor(cell)
        self.settings = {'reduce': reduction, 'include_self': include_self}

    def forward(self, height_m):
        return torch.zeros(4).scatter_reduce(0, self.cell, height_m, **self.settings)


for cell in ([0, 0, 1, 3, 3], [0, 1, 2, 3]):
    points_m = height_m[:len(cell)]
    for reduction in ('mean', 'sum', 'prod', 'amax', 'amin'):
        for include_self in (False, True):
            model = Cells(cell, reduction, include_self).eval()
            truth_m = model(points_m).numpy()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                exported = torch.onnx.export(
                    model, (points_m,), dynamo=True, verbose=False).model_proto
            assert not [w for w in caught if 'scatter' in str(w.message)]
            session = onnxruntime.InferenceSession(exported.SerializeToString())
            (by_onnx_m,) = session.run(None, {exported.graph.input[0].name: points_m.numpy()})
            print(f'cells {cell}, {reduction}, include_self={include_self}: PyTorch {truth_m}, '
                  f'exported {by_onnx_m}')
            if reduction == 'mean' and len(cell) == 5:
                assert by_onnx_m.tolist() == [2, 6, 0, 11]
                assert include_self or truth_m.tolist() == [1.5, 6, 0, 9.5]
            elif not (reduction == 'mean' and include_self):
                assert np.allclose(by_onnx_m, truth_m)
END
