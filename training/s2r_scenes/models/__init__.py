"""Models of real objects from libraries on disk, in metres, stored in a cache."""

from .collection import available, Collection, gather
from .files import ModelError

__all__ = ['available', 'Collection', 'gather', 'ModelError']
