"""HDF5 access; h5py is imported only here and only when such a file is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np

from ..sample import CorruptSampleError, DataError


@contextmanager
def open_hdf5(path: str | PathLike, name: str = '') -> Iterator[Any]:
    """
    Open an HDF5 file for reading; a context manager, which yields the ``h5py.File``.

    :param path: the file.
    :param name: the name of what is read, for the message; the path if empty.
    :raises DataError: if h5py is not installed.
    :raises CorruptSampleError: if the file, or what the context reads of it, is damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f'{path} is an HDF5 file: install h5py to read it') from error
    try:
        with h5py.File(path, 'r') as file:
            yield file
    except (KeyError, OSError, RuntimeError) as error:  # h5py has no error of its own
        raise CorruptSampleError(f'{name or path} is not readable HDF5: {error}') from error


def read_hdf5(path: str | PathLike, name: str) -> np.ndarray:
    """
    Read one array of an HDF5 file.

    :param path: the file.
    :param name: the array's name in it.
    :returns: the array.
    :raises CorruptSampleError: if the file, or the array in it, cannot be read.
    """
    with open_hdf5(path) as file:
        return file[name][()]
