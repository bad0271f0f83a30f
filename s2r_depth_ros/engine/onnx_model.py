"""
A torch network as an ONNX model: one graph for every height, width and batch size.

PyTorch's exporter needs onnxscript, and half a minute of CPU for a free height and width. The
network has two dozen kinds of operations. This module has one function for each kind, and takes a
second or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import copy
from dataclasses import asdict
import json
import operator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import torch
from torch import nn
import torch.fx
from torch.fx.passes.shape_prop import ShapeProp
import torch.nn.functional as F

from ..network import S2RDepthNet
from ..weights.info import FORMAT, WeightsInfo
from . import IS_JUDGED, JUDGED, OUTPUTS
from .depth_range import to_metres
from .fusion import optimize_for_inference
from .letterbox import SIZE_MULTIPLE

OPSET = 18
_TRACED = (2, 3, 96, 160)  # shape of an image whose sides all differ
_IR_VERSION = 8  # of ONNX 1.13, the first with opset 18; older runtimes read it


class _Maps(nn.Module):
    """The network with the maps that the predictor returns; also in metres if set so."""

    def __init__(self, network: nn.Module, max_depth_m: float | None):
        super().__init__()
        self.network = network
        self.max_depth_m = max_depth_m

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.network(image, return_maps=True, judged=True)
        results = [getattr(maps, name) for name in OUTPUTS]
        if maps.judgement is not None:
            results += [getattr(maps.judgement, name) for name in JUDGED]
        if self.max_depth_m is not None:
            results.append(to_metres(maps.depth, self.max_depth_m))
        return tuple(results)


def network_model(
    network: S2RDepthNet, info: WeightsInfo, in_metres: bool = False
) -> onnx.ModelProto:
    """
    Return the model that :class:`~s2r_depth_ros.engine.onnx_engine.OnnxEngine` runs.

    :param network: :class:`S2RDepthNet`, float32, on the CPU; not changed.
    :param info: goes into the metadata.
    :param in_metres: add the output ``depth_m`` for other programs; the engine ignores it.
    """
    judged = JUDGED if network.judge is not None else ()
    outputs = (*OUTPUTS, *judged, *(['depth_m'] if in_metres else []))
    form = optimize_for_inference(network, torch.device('cpu'))
    return to_onnx(
        _Maps(form, info.max_depth_m if in_metres else None),
        outputs,
        {
            'format': FORMAT,
            'info': json.dumps(asdict(info)),
            'architecture': json.dumps(network.architecture.as_dict()),
        },
        optional=judged,
    )


def to_onnx(
    network: nn.Module,
    outputs: Sequence[str],
    metadata: Mapping[str, str],
    optional: Sequence[str] = (),
) -> onnx.ModelProto:
    """
    Return a network in its inference form as an ONNX model.

    :param network: maps an image (B, 3, H, W) to a tuple of maps (B, 1, H, W).
    :param outputs: names of the maps.
    :param metadata: goes into the model.
    :param optional: names of outputs that are computed only if the input :data:`IS_JUDGED` is
        true; by default it is false, and they are 0. ONNX Runtime computes all other outputs, also
        those that nobody asks for.
    :raises NotImplementedError: if the network has an operation that this module lacks.
    """
    network = network.eval()
    graph = _graph(network)
    modules = dict(network.named_modules())
    writer = _Writer()
    values: dict[torch.fx.Node, Any] = {}

    def value(argument: Any) -> Any:
        return torch.fx.node.map_arg(argument, lambda node: values[node])

    for node in graph.nodes:
        writer.shape = getattr(node.meta.get('tensor_meta'), 'shape', ())
        arguments, options = value(node.args), value(node.kwargs)
        if node.op == 'placeholder':
            values[node] = 'image'
        elif node.op == 'call_module':
            module = modules[str(node.target)]
            write = _writer_of(_MODULES, type(module))
            values[node] = write(writer, str(node.target), module, *arguments)
        elif node.op == 'output':
            results = arguments[0]
        elif node.users:  # an operation without users is a check
            values[node] = _writer_of(_FUNCTIONS, node.target)(writer, *arguments, **options)
        if node.op != 'placeholder' and isinstance(values.get(node), str):
            writer.record_shape(values[node])
    for name, result in zip(outputs, results):
        writer.nodes.append(helper.make_node('Identity', [result], [name], name))
    inputs = [_map_info('image', 3)]
    nodes, initializers = writer.nodes, writer.initializers
    if optional:
        nodes = _with_choice(nodes, [n for n in outputs if n not in optional], optional)
        inputs.append(helper.make_tensor_value_info(IS_JUDGED, TensorProto.BOOL, ()))
        initializers = [*initializers, numpy_helper.from_array(np.array(False), IS_JUDGED)]
    known = {value for each in nodes for value in each.output}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            's2r_depthnet',
            inputs,
            [_map_info(n, 1) for n in outputs],
            initializers,
            value_info=[shape for name, shape in writer.shapes.items() if name in known],
        ),
        producer_name='s2r_depth_ros',
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid('', OPSET)],
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return model


def _map_info(name: str, channels: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, TensorProto.FLOAT, ('batch', channels, 'height', 'width')
    )


def _with_choice(
    nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], optional: Sequence[str]
) -> list[onnx.NodeProto]:
    """
    Move the nodes that only the optional outputs need into a branch.

    :param nodes: in order.
    :param outputs: that are always computed.
    :param optional: other outputs; without the branch, each is a single 0.
    :returns: the nodes of ``outputs`` in order, and the choice.
    """
    needed = set(outputs)
    always: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            always.insert(0, node)
    judge = [node for node in nodes if node not in always]
    nothing = numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32))
    branches = {
        'then_branch': helper.make_graph(judge, 'judge', [], [_map_info(n, 1) for n in optional]),
        'else_branch': helper.make_graph(
            [helper.make_node('Constant', [], [f'no_{n}'], value=nothing) for n in optional],
            'no_judge',
            [],
            [_map_info(f'no_{n}', 1) for n in optional],
        ),
    }
    return [*always, helper.make_node('If', [IS_JUDGED], list(optional), 'choice', **branches)]


def _graph(network: nn.Module) -> torch.fx.Graph:
    """Return the operations of a network in order, with their shapes for _TRACED."""
    graph = _Tracer().trace(network)
    without_memory = torch.fx.GraphModule(copy.deepcopy(network).to('meta'), graph)
    ShapeProp(without_memory).propagate(torch.empty(_TRACED, device='meta'))
    return without_memory.graph


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in _MODULES


class _Writer:
    """Collects the nodes and tensors of a graph, and identifies values by name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shapes: dict[str, onnx.ValueInfoProto] = {}
        self.shape: tuple[int, ...] = ()  # of the current operation, for an image of _TRACED

    def record_shape(self, name: str) -> None:
        """Record the shape of a map, so that ONNX Runtime fuses more operations."""
        if len(self.shape) == 4:
            self.shapes[name] = helper.make_tensor_value_info(
                name,
                TensorProto.FLOAT,
                (
                    'batch',
                    self.shape[1],
                    *(
                        side if full == part else f'{side}/{full // part}'
                        for side, full, part in zip(
                            ('height', 'width'), _TRACED[2:], self.shape[2:]
                        )
                    ),
                ),
            )

    def tensor(self, name: str, values: Any) -> str:
        """Add a tensor and return its name."""
        array = (
            values.detach().contiguous().numpy()
            if isinstance(values, torch.Tensor)
            else np.asarray(values)
        )
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return the name of its output; return a list for several outputs."""
        name = f'{kind.lower()}_{len(self.nodes)}'
        names = [name] if outputs == 1 else [f'{name}_{i}' for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any) -> str:
        """Add a tensor under a generated name and return that name."""
        return self.tensor(f'constant_{len(self.initializers)}', values)


def _writer_of(table: Mapping[Any, Callable], kind: Any) -> Callable:
    if kind not in table:
        raise NotImplementedError(f'{kind} is not written as ONNX')
    return table[kind]


def _convolution(writer: _Writer, name: str, conv: Any, x: str) -> str:
    if (
        conv.out_channels == 1
        and conv.padding_mode == 'reflect'
        and conv.stride == (1, 1)
        and writer.shape[3] == _TRACED[3]
    ):  # the map has the full width, a multiple of 16
        return _single_map(writer, name, conv, x)
    is_transposed = isinstance(conv, nn.ConvTranspose2d)
    pads = [*conv.padding, *conv.padding]
    if conv.padding_mode == 'reflect':
        x = _mirrored(writer, conv, x)
        pads = [0] * 4
    inputs = [x, writer.tensor(f'{name}.weight', conv.weight)]
    if conv.bias is not None:
        inputs.append(writer.tensor(f'{name}.bias', conv.bias))
    attributes = {
        'kernel_shape': conv.kernel_size,
        'strides': conv.stride,
        'pads': pads,
        'dilations': conv.dilation,
        'group': conv.groups,
    }
    if is_transposed:
        attributes['output_padding'] = conv.output_padding
    return writer.node('ConvTranspose' if is_transposed else 'Conv', *inputs, **attributes)


def _single_map(writer: _Writer, name: str, conv: nn.Conv2d, x: str) -> str:
    """
    Write a convolution with one output channel for all 16 lanes of a vector unit.

    16 copies of the kernel, shifted by one column each, compute 16 neighbouring columns as
    channels. A transpose then lays the columns side by side.
    """
    columns = SIZE_MULTIPLE
    weight = torch.cat(
        [F.pad(conv.weight, (column, columns - 1 - column)) for column in range(columns)]
    )
    inputs = [_mirrored(writer, conv, x), writer.tensor(f'{name}.weight', weight)]
    if conv.bias is not None:
        inputs.append(writer.tensor(f'{name}.bias', conv.bias.repeat(columns)))
    maps = writer.node('Conv', *inputs, kernel_shape=weight.shape[2:], strides=(1, columns))
    rows = writer.node(
        'Reshape',
        writer.node('Transpose', maps, perm=(0, 2, 3, 1)),
        writer.constant(np.array([0, 0, -1], np.int64)),
    )
    return writer.node('Unsqueeze', rows, writer.constant(np.array([1], np.int64)))


def _mirrored(writer: _Writer, conv: Any, x: str) -> str:
    return writer.node(
        'Pad', x, writer.constant(np.array([0, 0, *conv.padding] * 2, np.int64)), mode='reflect'
    )


def _instance_norm(writer: _Writer, name: str, norm: Any, x: str) -> str:
    return writer.node(
        'InstanceNormalization',
        x,
        writer.constant(np.ones(norm.num_features, np.float32)),
        writer.constant(np.zeros(norm.num_features, np.float32)),
        epsilon=norm.eps,
    )


_MODULES: dict[Any, Callable[..., Any]] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.InstanceNorm2d: _instance_norm,
    nn.LeakyReLU: lambda writer, name, module, x: writer.node(
        'LeakyRelu', x, alpha=module.negative_slope
    ),
    nn.Identity: lambda writer, name, module, x: x,
}


def _resized(
    writer: _Writer,
    x: str,
    size: None = None,
    scale_factor: float = 1.0,
    mode: str = 'nearest',
    align_corners: bool | None = None,
    **_unused: Any,
) -> str:
    attributes: dict[str, Any] = (
        {'mode': 'linear', 'coordinate_transformation_mode': 'align_corners'}
        if mode == 'bilinear' and align_corners
        else {
            'mode': 'nearest',
            'coordinate_transformation_mode': 'asymmetric',
            'nearest_mode': 'floor',
        }
    )
    scales = writer.constant(np.array([1, 1, scale_factor, scale_factor], np.float32))
    return writer.node('Resize', x, '', scales, **attributes)


def _arithmetic(kind: str) -> Callable[..., str]:
    def write(writer: _Writer, x: Any, y: Any) -> str:
        if kind == 'Mul' and 1.0 in (x, y):
            return x if y == 1.0 else y
        return writer.node(
            kind,
            *(
                operand if isinstance(operand, str) else writer.constant(np.float32(operand))
                for operand in (x, y)
            ),
        )

    return write


def _item(writer: _Writer, x: Any, index: Any) -> Any:
    if not isinstance(x, str):  # one of several results
        return x[index]
    steps = {axis: part.step for axis, part in enumerate(index) if part.step not in (None, 1)}
    if any((part.start, part.stop) != (None, None) for part in index):
        raise NotImplementedError(f'{index} is not written as ONNX')
    if not steps:
        return x
    return writer.node(
        'Slice',
        x,
        *(
            writer.constant(np.array(values, np.int64))
            for values in (
                [0] * len(steps),
                [2**31 - 1] * len(steps),
                list(steps),
                list(steps.values()),
            )
        ),
    )


def _pooled(writer: _Writer, x: str, size: int) -> str:
    return writer.node('AveragePool', x, kernel_shape=[size] * 2, strides=[size] * 2)


def _leaky(writer: _Writer, x: str, slope: float = 0.01, inplace: bool = False) -> str:
    return writer.node('LeakyRelu', x, alpha=slope)


def _simple(kind: str) -> Callable[..., str]:
    return lambda writer, x, inplace=False: writer.node(kind, x)


def _unchanged(writer: _Writer, x: str, *_dtype: Any) -> str:
    return x


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((operator.add, 'add', 'add_'), _arithmetic('Add')),
    **dict.fromkeys((operator.mul, 'mul', 'mul_'), _arithmetic('Mul')),
    **dict.fromkeys((F.relu, F.relu_, torch.relu, torch.relu_), _simple('Relu')),
    **dict.fromkeys((F.leaky_relu, F.leaky_relu_), _leaky),
    torch.sigmoid: _simple('Sigmoid'),
    torch.tanh: _simple('Tanh'),
    torch.log: _simple('Log'),
    F.avg_pool2d: _pooled,
    F.interpolate: _resized,
    operator.getitem: _item,
    torch.cat: lambda writer, parts, dim: writer.node('Concat', *parts, axis=dim),
    'chunk': lambda writer, x, count, dim: writer.node(
        'Split', x, outputs=count, axis=dim, num_outputs=count
    ),
    **dict.fromkeys(('float', 'to'), _unchanged),
    getattr: lambda writer, x, name: name,  # only for the dtype, which is float32 throughout
}


if __name__ == '__main__':  # writes the ONNX models beside the bundled weights
    import sys

    from .. import weights

    for bundled in sys.argv[1:]:
        weights.source_of(bundled).with_suffix('.onnx').write_bytes(
            network_model(*weights.load_with_info(bundled)).SerializeToString()
        )
