"""
The data sets: one reader per published layout, by the name that configurations use.

A new data set takes four steps:

1. Write ``readers/NAME.py`` with one class. Its constructor takes the root folder, and options
   as further arguments. It checks the layout, and raises :class:`~..sample.DataError` with the
   path and the layout if something is missing. ``__len__`` counts the images.
   ``__getitem__(index)`` returns a :class:`~..sample.Sample`: RGB, depth in metres with NaN where
   not measured and +inf for sky, and the camera matrix.
2. Read files with :mod:`.files`: ``read_rgb``, ``read_depth``, ``read_lines``. They name a
   damaged file in a :class:`~..sample.CorruptSampleError`, and the loader leaves that image out.
   End with :func:`~..sample.checked_sample`.
3. Add the class to :data:`DATASETS`. Then ``data.dataset: NAME`` works in configurations, and
   ``--dataset NAME`` in ``s2r_train evaluate``. The options are ``data.options``.
4. Write a few pixels of the layout in ``test/training/test_data_readers.py``, and describe the
   layout in ``docs/reference/datasets.md``.

The shortest example is :mod:`.kitti_depth`. Style images have no depth, so :class:`.styles.Styles`
is not in :data:`DATASETS`.
"""

from collections.abc import Sequence
import inspect
from os import PathLike
import reprlib
from types import UnionType
from typing import Any, get_args, get_origin

from torch.utils.data import ConcatDataset

from ..sample import DataError, SampleReader
from .folder import Folder
from .hypersim import Hypersim
from .kitti_depth import KittiDepth
from .kitti_raw import KittiRaw
from .manifest import Manifest
from .nyu import Nyu
from .suncg import Suncg
from .vkitti import VKitti, VKitti2

DATASETS: dict[str, type] = {
    'vkitti': VKitti,
    'vkitti2': VKitti2,
    'suncg': Suncg,
    'hypersim': Hypersim,
    'kitti_raw': KittiRaw,
    'kitti_depth': KittiDepth,
    'nyu': Nyu,
    'folder': Folder,
    'manifest': Manifest,
}
"""The readers of images with depth, by name."""


def open_dataset(
    name: str, root: str | PathLike | Sequence[str | PathLike], **options: Any
) -> SampleReader:
    """
    Open a data set by its name.

    :param name: one of :data:`DATASETS`.
    :param root: its folder, or several folders of the same kind, which are joined.
    :param options: the options of the reader, such as ``variations`` of :class:`VKitti`.
    :returns: the reader.
    :raises DataError: if the name or an option is not known, or the folder is not as expected.
    """
    if name not in DATASETS:
        raise DataError(f'there is no data set "{name}"; known are {", ".join(DATASETS)}')
    reader = DATASETS[name]
    roots = [root] if isinstance(root, (str, PathLike)) else list(root)
    if not roots:
        raise DataError(f'the data set "{name}" needs at least one folder')
    try:
        inspect.signature(reader).bind(roots[0], **options)
    except TypeError as error:
        names = ', '.join(list(inspect.signature(reader).parameters)[1:]) or 'none'
        raise DataError(f'data set "{name}": {error}; its options are: {names}') from error
    for option, value in options.items():
        kind = inspect.signature(reader).parameters[option].annotation
        if not _is_of(value, kind):
            raise DataError(
                f'data set "{name}": its option {option} must be {_in_words(kind)}, '
                f'got {reprlib.repr(value)}'
            )
    readers = [reader(folder, **options) for folder in roots]
    return readers[0] if len(readers) == 1 else ConcatDataset(readers)


_WORDS = {float: 'a number', int: 'a whole number', bool: 'true or false', str: 'a text'}


def _is_of(value: Any, kind: Any) -> bool:
    if isinstance(kind, UnionType):
        return any(_is_of(value, part) for part in get_args(kind))
    if get_origin(kind) is Sequence:
        return isinstance(value, (list, tuple)) and all(
            _is_of(item, get_args(kind)[0]) for item in value
        )
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _in_words(kind: Any) -> str:
    if isinstance(kind, UnionType):
        return _in_words(get_args(kind)[0])
    if get_origin(kind) is Sequence:
        return f'a list, each item {_in_words(get_args(kind)[0])}'
    return _WORDS[kind]
