"""KITTI's annotated depth maps: denser than one scan, for fine-tuning."""

from os import PathLike
from pathlib import Path

from ..sample import checked_sample, Sample
from . import files, kitti_raw

LAYOUT = (
    "the layout of KITTI's annotated depth: "
    'train/DATE_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png, and val/ likewise'
)


class KittiDepth:
    """
    KITTI's annotated depth (value / 256 metres, 0 where none) with the images of KITTI raw.

    :param root: the folder that holds ``train`` and ``val``.
    :param raw_root: the folder of KITTI raw, for images and calibrations.
    :param split: ``'train'`` or ``'val'``.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(self, root: str | PathLike, raw_root: str | PathLike, split: str = 'train'):
        folder = files.require_folder(Path(root) / split, LAYOUT)
        raw = files.require_folder(Path(raw_root), kitti_raw.LAYOUT)
        self._items: list[tuple[Path, Path, Path]] = []
        for depth_folder in files.matching(folder, '*/proj_depth/groundtruth/image_02'):
            drive = depth_folder.parents[2].name
            date = drive[: len('2011_09_26')]
            self._items += [
                (kitti_raw.find_image(raw, f'{date}/{drive}', file.stem), file, raw / date)
                for file in files.image_files(depth_folder)
            ]
        files.require_any(self._items, folder, LAYOUT)
        self._calibrations = {
            date: kitti_raw.read_calibration(date) for date in {date for _, _, date in self._items}
        }

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        image_file, depth_file, date = self._items[index]
        calibration = self._calibrations[date]
        return checked_sample(
            files.read_rgb(image_file),
            files.read_depth(depth_file, 1 / 256),
            calibration.intrinsics,
            str(image_file),
            calibration.size_px,
        )
