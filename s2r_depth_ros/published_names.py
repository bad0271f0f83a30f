"""Tensor names of the published reference checkpoints, and what they are called here."""
import re

from torch import Tensor

_UP_PROJECTION = [
    (r'conv1', 'main.conv'), (r'bn1', 'main.norm'),
    (r'conv1_2', 'main2.conv'), (r'bn1_2', 'main2.norm'),
    (r'conv2', 'residual.conv'), (r'bn2', 'residual.norm'),
]
_UP_PROJECTIONS = [(rf'(up\d)\.{there}', rf'\1.{here}') for there, here in _UP_PROJECTION]

_DECODER_BLOCKS = {
    'center.3': 'decoder8', 'deconv4': 'decoder4', 'deconv3': 'decoder2', 'deconv2': 'decoder1'}
_OUTPUTS = {'output4': 'depth8', 'output3': 'depth4', 'output2': 'depth2', 'output1': 'depth1'}

# Of each part of the network: what a module is called in the reference, and here.
_RULES: dict[str, list[tuple[str, str]]] = {
    'structure_encoder': [
        (r'conv\.conv', 'stem'),
        (r'conv(\d)\.conv', r'down\1'),
        (r'resblock\.model\.(\d)\.(conv\d)', r'residual.\1.\2'),
    ],
    'structure_decoder': [*_UP_PROJECTIONS, (r'conv', 'head.conv')],
    'attention': [
        (r'E\.(base\.\d)\.0', r'trunk.\1.layer.conv'),
        (r'E\.(base\.\d)\.1', r'trunk.\1.layer.norm'),
        (r'E\.(base\.\d\.\d)\.conv(\d)', r'trunk.\1.layer\2.conv'),
        (r'E\.(base\.\d\.\d)\.bn(\d)', r'trunk.\1.layer\2.norm'),
        (r'E\.(base\.\d\.\d)\.downsample\.0', r'trunk.\1.shortcut.conv'),
        (r'E\.(base\.\d\.\d)\.downsample\.1', r'trunk.\1.shortcut.norm'),
        *((rf'D\.{there}', here) for there, here in _UP_PROJECTIONS),
        (r'D\.conv', 'head.conv'),
    ],
    'depth': [
        (r'conv1\.1', 'stem'),
        (r'conv1\.2', 'stem_norm'),
        (r'conv([234])\.model\.0', r'encoder\1.layer1.conv'),
        (r'conv([234])\.model\.1', r'encoder\1.layer1.norm'),
        (r'conv([234])\.model\.3', r'encoder\1.layer2.conv'),
        (r'conv([234])\.model\.4', r'encoder\1.layer2.norm'),
        (r'center\.([012])\.layer(\d)\.1', r'centre.\1.branches.\2'),
        (r'center\.([012])\.(norm\d)', r'centre.\1.\2'),
        (r'center\.([012])\.branch1x1\.1', r'centre.\1.merge'),
        *((rf'{re.escape(there)}\.model\.{index}', f'{here}.{layer}')
          for there, here in _DECODER_BLOCKS.items()
          for index, layer in ((1, 'conv'), (2, 'norm1'), (4, 'enlarge'), (5, 'norm2'))),
        *((rf'{there}\.model\.1', here) for there, here in _OUTPUTS.items()),
        # The reference stores its one PReLU slope under the name of each place that uses it.
        (r'conv1\.3|conv[234]\.model\.[25]|center\.[012]\.nonlinearity', 'activation'),
        (r'(?:center\.3|deconv[234])\.model\.[36]', 'activation'),
    ],
}

PARTS = tuple(_RULES)


def to_own_name(part: str, published: str) -> str:
    """
    Return what the tensor ``published`` of a reference checkpoint is called in this package.

    :param part: one of :data:`PARTS`, an attribute of ``S2RDepthNet``.
    :param published: its name there, without the prefix ``module.``.
    :returns: its name in that part's state dict, or ``published`` itself where it is unknown.
    """
    module, _, tensor = published.rpartition('.')
    for pattern, own in _RULES[part]:
        match = re.fullmatch(pattern, module)
        if match:
            return f'{match.expand(own)}.{tensor}'
    return published


def recognise(names: set[str], own_names: dict[str, set[str]]) -> str | None:
    """
    Return which part of the network a reference checkpoint with these tensor names holds.

    :param names: its tensor names, without the prefix ``module.``.
    :param own_names: of each part, the names in its state dict.
    :returns: the part that knows most of the names, None if no part knows any.
    """
    known = {
        part: len(own_names[part].intersection(to_own_name(part, name) for name in names))
        for part in PARTS}
    best = max(known, key=lambda part: known[part])
    return best if known[best] else None


def without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix ``module.`` that a multi-GPU training leaves."""
    return {name.removeprefix('module.'): tensor for name, tensor in tensors.items()}
