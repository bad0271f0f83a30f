#!/bin/bash
# On the CPU, torch.optim.SGD(fused=True) does not change parameters in bfloat16 and float16.
# Guess (2026-11-30, before the first run): fused, foreach and the plain loop agree after 20
#   steps, up to rounding.
# Seen: in a tensor of 16 numbers or more, whole blocks never change. Only the numbers after the
#   last whole block learn. Float32 is right, and so are Adam and AdamW in bfloat16. Issue 191763
#   of PyTorch reports the same; it was opened for 2.13.0.
# Matters: the loss does not fall, as with a bad learning rate. Biases of 5 numbers learn, so that
#   a test with a tiny network passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.13.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import torch

print('torch', torch.__version__)


def train(optimizer, dtype, count, **settings):
    """Return `count` parameters after three steps from 1 with a gradient of 1."""
    parameter = torch.ones(count, dtype=dtype, requires_grad=True)
    steps = optimizer([parameter], lr=0.125, **settings)
    for _ in range(3):
        parameter.grad = torch.ones_like(parameter)
        steps.step()
    return parameter.detach()


for dtype in (torch.float32, torch.bfloat16, torch.float16):
    for count in (5, 64, 67):
        fused = train(torch.optim.SGD, dtype, count, fused=True)
        loop = train(torch.optim.SGD, dtype, count, foreach=False)
        unchanged = int((fused == 1).sum())
        print(f'{dtype}, {count} parameters: {unchanged} unchanged by fused SGD, '
              f'loop gives {loop.unique().tolist()}')
        assert (loop == 0.625).all()
        assert unchanged == (0 if dtype == torch.float32 or count == 5 else 64)
for optimizer in (torch.optim.Adam, torch.optim.AdamW):
    fused = train(optimizer, torch.bfloat16, 64, fused=True)
    loop = train(optimizer, torch.bfloat16, 64, foreach=False)
    print(f'{optimizer.__name__}, bfloat16: fused {fused.unique().tolist()}, '
          f'loop {loop.unique().tolist()}')
    assert (fused - loop).abs().max() < 0.01
END
