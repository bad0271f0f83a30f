"""
Weight files: metadata, reading, writing and the bundled weights.

Functions that read tensors are imported at first use, since names and metadata need no torch.
"""

from typing import Any, TYPE_CHECKING

from .info import BUNDLED, FORMAT, PUBLISHED, RANDOM, source_of, WeightsError, WeightsInfo

if TYPE_CHECKING:
    from .files import load, load_published, load_with_info, save

__all__ = [
    'BUNDLED',
    'FORMAT',
    'PUBLISHED',
    'RANDOM',
    'WeightsError',
    'WeightsInfo',
    'load',
    'load_published',
    'load_with_info',
    'save',
    'source_of',
]


def __getattr__(name: str) -> Any:
    if name in ('load', 'load_published', 'load_with_info', 'save'):
        from . import files

        return getattr(files, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
