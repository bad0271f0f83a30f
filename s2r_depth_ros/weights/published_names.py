"""Tensor names of the published reference checkpoints, and their names in this package."""

import re

from torch import Tensor

_UP_PROJECTION = [
    (r'conv1', 'main.conv'),
    (r'bn1', 'main.norm'),
    (r'conv1_2', 'main2.conv'),
    (r'bn1_2', 'main2.norm'),
    (r'conv2', 'residual.conv'),
    (r'bn2', 'residual.norm'),
]
_UP_PROJECTIONS = [(rf'(up\d)\.{published}', rf'\1.{own}') for published, own in _UP_PROJECTION]

_DECODER_BLOCKS = {
    'center.3': 'decoder8',
    'deconv4': 'decoder4',
    'deconv3': 'decoder2',
    'deconv2': 'decoder1',
}
_OUTPUTS = {'output4': 'depth8', 'output3': 'depth4', 'output2': 'depth2', 'output1': 'depth1'}

# For each part of the network: module names of the reference, and of this package.
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
        *((rf'D\.{published}', own) for published, own in _UP_PROJECTIONS),
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
        *(
            (rf'{re.escape(published)}\.model\.{index}', f'{own}.{layer}')
            for published, own in _DECODER_BLOCKS.items()
            for index, layer in ((1, 'conv'), (2, 'norm1'), (4, 'enlarge'), (5, 'norm2'))
        ),
        *((rf'{published}\.model\.1', own) for published, own in _OUTPUTS.items()),
        # The reference stores its one PReLU slope under the name of each layer that uses it.
        (r'conv1\.3|conv[234]\.model\.[25]|center\.[012]\.nonlinearity', 'activation'),
        (r'(?:center\.3|deconv[234])\.model\.[36]', 'activation'),
    ],
}

PARTS = tuple(_RULES)


def to_own_name(part: str, published: str) -> str:
    """
    Return the name in this package of a tensor of a reference checkpoint.

    :param part: one of :data:`PARTS`, an attribute of ``S2RDepthNet``.
    :param published: name in the checkpoint, without the prefix ``module.``.
    :returns: name in the state dict of that part; an unknown name stays as it is.
    """
    module, _, tensor = published.rpartition('.')
    for pattern, own in _RULES[part]:
        match = re.fullmatch(pattern, module)
        if match:
            return f'{match.expand(own)}.{tensor}'
    return published


def recognise(names: set[str], own_names: dict[str, set[str]]) -> str | None:
    """
    Return the part of the network that a reference checkpoint with these tensor names holds.

    :param names: tensor names of the checkpoint, without the prefix ``module.``.
    :param own_names: for each part, the names in its state dict.
    :returns: the part with most of the names, None if no part has any.
    """
    matches = {
        part: len(own_names[part].intersection(to_own_name(part, name) for name in names))
        for part in PARTS
    }
    best = max(matches, key=lambda part: matches[part])
    return best if matches[best] else None


def without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefix ``module.``, which a multi-GPU training adds to the names."""
    return {name.removeprefix('module.'): tensor for name, tensor in tensors.items()}
