"""Models of real things from libraries on disk: read as data, in metres, kept in a cache."""

from .collection import available, Collection, gather
from .files import ModelError

__all__ = ['available', 'Collection', 'gather', 'ModelError']
