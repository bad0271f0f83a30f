#!/bin/bash
# ONNX Runtime computes outputs that a call does not ask for, also if told to run only the path to
# those that it does.
# Guess (2026-11-30, before the first run): with RunOptions.only_execute_path_to_fetches, a call for
#   the first of two outputs runs only the nodes of the first.
# Seen: the profile lists the nodes of both, with and without this option. A branch (If) whose
#   condition is false is not run.
# Matters: an extra output of a network costs its time in every call. It took 12 % here, until it
#   lay in a branch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
"$folder/env/bin/python" - <<'END'
import json

import numpy as np
from onnx import helper, numpy_helper, TensorProto
import onnxruntime

print('onnxruntime', onnxruntime.__version__)


def info(name, kind=TensorProto.FLOAT, shape=('n', 'n')):
    return helper.make_tensor_value_info(name, kind, shape)


def model(in_branch):
    """Return a model with y = x @ x, and z = cos(sin(x)), which can lie in a branch."""
    extra = [
        helper.make_node('Sin', ['x'], ['s'], 'extra_sin'),
        helper.make_node('Cos', ['s'], ['z'], 'extra_cos'),
    ]
    inputs = [info('x')]
    if in_branch:
        zero = numpy_helper.from_array(np.zeros((1, 1), np.float32))
        otherwise = [helper.make_node('Constant', [], ['nothing'], 'nothing', value=zero)]
        extra = [
            helper.make_node(
                'If',
                ['wanted'],
                ['z'],
                'choice',
                then_branch=helper.make_graph(extra, 'then', [], [info('z')]),
                else_branch=helper.make_graph(otherwise, 'else', [], [info('nothing')]),
            )
        ]
        inputs.append(info('wanted', TensorProto.BOOL, ()))
    nodes = [helper.make_node('MatMul', ['x', 'x'], ['y'], 'wanted_matmul'), *extra]
    graph = helper.make_graph(nodes, 'graph', inputs, [info('y'), info('z')])
    opset = [helper.make_opsetid('', 18)]
    return helper.make_model(graph, ir_version=8, opset_imports=opset).SerializeToString()


def ran(in_branch, only_path):
    """Return the names of the nodes that ran in a call for y."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    session = onnxruntime.InferenceSession(model(in_branch), options)
    run = onnxruntime.RunOptions()
    run.only_execute_path_to_fetches = only_path
    feed = {'x': np.eye(4, dtype=np.float32)}
    if in_branch:
        feed['wanted'] = np.array(False)
    session.run(['y'], feed, run)
    with open(session.end_profiling()) as profile:
        names = {event['name'] for event in json.load(profile) if event.get('cat') == 'Node'}
    return sorted(name.removesuffix('_kernel_time') for name in names if 'kernel_time' in name)


for in_branch in (False, True):
    for only_path in (False, True):
        names = ran(in_branch, only_path)
        print(f'in a branch: {in_branch}, only the path to y: {only_path}: ran {names}')
        assert 'wanted_matmul' in names
        assert ('extra_cos' in names) == (not in_branch)
END
