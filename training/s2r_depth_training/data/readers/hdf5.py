"""HDF5 access; h5py is imported only here and only when such a file is opened."""

from os import PathLike
from typing import Any

import numpy as np

from ..sample import CorruptSampleError, DataError


def open_hdf5(path: str | PathLike) -> Any:
    """
    Open an HDF5 file for reading.

    :param path: the file.
    :returns: the ``h5py.File``.
    :raises DataError: if h5py is not installed.
    :raises CorruptSampleError: if the file can not be opened.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f'{path} is an HDF5 file: install h5py to read it') from error
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise CorruptSampleError(f'{path} is not a readable HDF5 file: {error}') from error


def read_hdf5(path: str | PathLike, name: str) -> np.ndarray:
    """
    Read one array of an HDF5 file.

    :param path: the file.
    :param name: the array's name in it.
    :returns: the array.
    :raises CorruptSampleError: if the file, or the array in it, can not be read.
    """
    with open_hdf5(path) as file:
        try:
            return file[name][()]
        except (KeyError, OSError) as error:
            raise CorruptSampleError(f'{path} has no readable array "{name}": {error}') from error
