"""NYU Depth v2: the labelled images, 654 of them for testing."""

from os import PathLike
from pathlib import Path

import numpy as np

from ..sample import camera_matrix, checked_sample, DataError, Sample
from . import files
from .hdf5 import open_hdf5, read_hdf5

LAYOUT = (
    'the two official files nyu_depth_v2_labeled.mat (images, depths, rawDepths) and splits.mat '
    '(testNdxs, trainNdxs) in one folder'
)
# Colour camera of the official toolbox (camera_params.m), 640 x 480.
INTRINSICS = camera_matrix(518.85790117, 519.46961112, 325.58244941, 253.73616633)

_SPLITS = {'test': 'testNdxs', 'train': 'trainNdxs'}


class Nyu:
    """
    The labelled images of NYU Depth v2.

    ``nyu_depth_v2_labeled.mat`` is HDF5 and was written by MATLAB, so arrays are seen with their
    axes reversed: images are (N, 3, W, H), depths (N, W, H).

    :param root: the folder with ``nyu_depth_v2_labeled.mat`` and ``splits.mat``.
    :param split: ``'test'``, the 654 images of the published protocol, or ``'train'``, the 795.
    :param raw: take ``rawDepths``, with the sensor's holes as not measured, instead of ``depths``,
        the filled ones that the published protocol measures against.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike, split: str = 'test', raw: bool = False):
        if split not in _SPLITS:
            raise DataError(f'split must be one of {", ".join(_SPLITS)}, got "{split}"')
        self._file = files.require_file(Path(root) / 'nyu_depth_v2_labeled.mat', LAYOUT)
        self._depths = 'rawDepths' if raw else 'depths'
        self._indices = _read_split(
            files.require_file(Path(root) / 'splits.mat', LAYOUT), _SPLITS[split]
        )
        with open_hdf5(self._file) as file:
            for name in ('images', self._depths):
                if name not in file:
                    raise DataError(f'{self._file} has no array "{name}"; expected {LAYOUT}')
            arrays = file['images'], file[self._depths]
            shapes: list[tuple[int, ...]] = [getattr(array, 'shape', ()) for array in arrays]
        if [len(shape) for shape in shapes] != [4, 3] or shapes[0][1] != 3:
            raise DataError(
                f'{self._file} has images and {self._depths} of shapes {shapes}, expected '
                '(N, 3, W, H) and (N, W, H)'
            )
        count = min(shape[0] for shape in shapes)
        if self._indices.max() >= count:
            raise DataError(
                f'{root}/splits.mat counts up to {self._indices.max() + 1} images, {self._file} '
                f'has {count}; expected {LAYOUT}'
            )

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        number = int(self._indices[index])
        name = f'{self._file}[{number}]'
        # Opened per image: an open HDF5 file cannot cross into the loader's processes.
        with open_hdf5(self._file, name) as file:
            image, depth_m = file['images'][number], file[self._depths][number]
        depth_m = depth_m.T.astype(np.float32)
        depth_m[~(depth_m > 0)] = np.nan
        return checked_sample(
            np.ascontiguousarray(image.transpose(2, 1, 0)), depth_m, INTRINSICS, name
        )


def _read_split(file: Path, name: str) -> np.ndarray:
    """Return the images of a split, counted from 0; MATLAB counts from 1."""
    import scipy.io

    try:
        indices = scipy.io.loadmat(file)[name]
    except NotImplementedError:  # MATLAB 7.3 files are HDF5
        indices = read_hdf5(file, name)
    except (KeyError, ValueError, OSError, scipy.io.matlab.MatReadError) as error:
        raise DataError(f'{file} has no readable "{name}"; expected {LAYOUT}') from error
    indices = indices.ravel()
    if indices.dtype.kind not in 'iuf' or not indices.size or not (indices >= 1).all():
        raise DataError(f'{file} must list the images as numbers from 1 under "{name}"')
    return indices.astype(np.int64) - 1
