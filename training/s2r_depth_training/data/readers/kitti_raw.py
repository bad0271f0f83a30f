"""KITTI raw: images of camera 2 with the Velodyne points projected onto them."""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..sample import checked_sample, CorruptSampleError, DataError, Sample
from . import files

LAYOUT = (
    'the layout of KITTI raw: DATE/DATE_drive_0001_sync/image_02/data/0000000000.png, '
    'DATE/DATE_drive_0001_sync/velodyne_points/data/0000000000.bin, DATE/calib_cam_to_cam.txt and '
    'DATE/calib_velo_to_cam.txt'
)
SPLIT_LAYOUT = (
    'a split list, a line per image: either paths, the first of them '
    'DATE/DATE_drive_0001_sync/image_02/data/0000000000.png, or "DATE/DATE_drive_0001_sync '
    '0000000000 l"'
)


class KittiCalibration(NamedTuple):
    """
    The calibration of one date.

    ``intrinsics`` is the (3, 3) matrix of the rectified camera 2 in pixels; ``velodyne_to_image``
    the (3, 4) projection of Velodyne coordinates in metres onto its image. ``size_px`` is (height,
    width) of that image.
    """

    intrinsics: np.ndarray
    velodyne_to_image: np.ndarray
    size_px: tuple[int, int]


class KittiRaw:
    """
    KITTI raw with sparse depth, the data of the published evaluation.

    :param root: the folder with the dates ``2011_09_26`` and so on.
    :param split_file: the list of images, such as the 697 test images of Eigen: the lists of
        S2R-DepthNet, of Monodepth and of Monodepth2 are understood.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike, split_file: str | PathLike):
        root = files.require_folder(Path(root), LAYOUT)
        self._pairs = []
        for line in files.read_lines(split_file, SPLIT_LAYOUT):
            drive, number = _parse_split_line(line, split_file)
            self._pairs.append(
                (
                    find_image(root, drive, number),
                    files.require_file(
                        root / drive / 'velodyne_points' / 'data' / f'{number}.bin', LAYOUT
                    ),
                )
            )
        self._calibrations = {
            date: read_calibration(date) for date in {_date(image) for image, _ in self._pairs}
        }

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        image_file, points_file = self._pairs[index]
        calibration = self._calibrations[_date(image_file)]
        image = files.read_rgb(image_file)
        depth_m = project_velodyne(
            _read_points(points_file), calibration.velodyne_to_image, image.shape[:2]
        )
        return checked_sample(
            image, depth_m, calibration.intrinsics, str(image_file), calibration.size_px
        )


def read_calibration(date_folder: Path) -> KittiCalibration:
    """
    Read the calibration of one date.

    :param date_folder: the folder with ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt``.
    :returns: the calibration of camera 2: ``P_rect_02 R_rect_00 [R T]``, as the KITTI development
        kit has it.
    :raises DataError: if a file or a value is missing.
    """
    cameras = date_folder / 'calib_cam_to_cam.txt'
    velodyne = date_folder / 'calib_velo_to_cam.txt'
    projection = _calibration_matrix(cameras, 'P_rect_02', 3, 4)
    rectification = np.eye(4)
    rectification[:3, :3] = _calibration_matrix(cameras, 'R_rect_00', 3, 3)
    pose = np.eye(4)
    pose[:3, :3] = _calibration_matrix(velodyne, 'R', 3, 3)
    pose[:3, 3:] = _calibration_matrix(velodyne, 'T', 3, 1)
    width_px, height_px = _calibration_matrix(cameras, 'S_rect_02', 2, 1).ravel()
    return KittiCalibration(
        projection[:, :3], projection @ rectification @ pose, (int(height_px), int(width_px))
    )


def project_velodyne(
    points_m: np.ndarray, velodyne_to_image: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """
    Project Velodyne points onto the image, as the published evaluation does.

    Points with x < 0 lie behind the car and are dropped. The pixel is the rounded projection minus
    one, because the development kit is written in MATLAB and counts from one. Where several points
    fall into a pixel, the nearest counts.

    :param points_m: (N, 3) metres: forward, left, up.
    :param velodyne_to_image: (3, 4) projection.
    :param size_px: (height, width) of the image.
    :returns: (H, W) float32 metres along the optical axis, NaN where no point falls.
    """
    ahead = points_m[points_m[:, 0] >= 0].astype(np.float64)
    projected = ahead @ velodyne_to_image[:, :3].T + velodyne_to_image[:, 3]
    projected = projected[projected[:, 2] > 0]
    depth_m = projected[:, 2]
    column, row = np.round(projected[:, :2] / depth_m[:, None]).T - 1
    height, width = size_px
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixel = row[inside].astype(np.intp) * width + column[inside].astype(np.intp)
    image = np.full(height * width, np.inf)
    np.minimum.at(image, pixel, depth_m[inside])
    image[np.isinf(image)] = np.nan
    return image.reshape(size_px).astype(np.float32)


def find_image(root: Path, drive: str, number: str) -> Path:
    """
    Find an image of camera 2; many keep KITTI as JPEG, so any kind will do.

    :param root: the folder with the dates.
    :param drive: ``DATE/DATE_drive_0001_sync``.
    :param number: the ten digits of the frame.
    :returns: its file.
    :raises DataError: if there is none.
    """
    stem = root / drive / 'image_02' / 'data' / number
    for suffix in files.IMAGE_SUFFIXES:
        file = stem.with_suffix(suffix)
        if file.is_file():
            return file
    raise DataError(f'there is no image {stem}.png or .jpg; expected {LAYOUT}')


def _parse_split_line(line: str, split_file: str | PathLike) -> tuple[str, str]:
    """Return DATE/DRIVE and the ten digits of the frame."""
    words = line.split()
    parts = Path(words[0]).parts
    if len(parts) == 5 and parts[2:4] == ('image_02', 'data'):
        return f'{parts[0]}/{parts[1]}', Path(parts[4]).stem
    if len(parts) == 2 and len(words) == 3 and words[1].isdecimal() and words[2] == 'l':
        return words[0], f'{int(words[1]):010d}'
    raise DataError(f'{split_file}: cannot use the line "{line}"; expected {SPLIT_LAYOUT}')


def _date(image_file: Path) -> Path:
    return image_file.parents[3]


def _read_points(file: Path) -> np.ndarray:
    values = np.fromfile(file, '<f4')
    if not values.size or values.size % 4:
        raise CorruptSampleError(
            f'{file} holds {values.size} floats; expected x, y, z, reflectance of each point'
        )
    return values.reshape(-1, 4)[:, :3]


def _calibration_matrix(file: Path, key: str, rows: int, columns: int) -> np.ndarray:
    for line in files.read_lines(file, LAYOUT):
        name, _, text = line.partition(':')
        if name.strip() != key:
            continue
        try:
            numbers = [float(word) for word in text.split()]
        except ValueError:
            numbers = []
        if len(numbers) != rows * columns or not np.isfinite(numbers).all():
            raise DataError(f'{file}: {key} has {rows * columns} numbers, got "{text.strip()}"')
        return np.reshape(numbers, (rows, columns))
    raise DataError(f'{file} has no line "{key}:"; expected a calibration of KITTI raw')
