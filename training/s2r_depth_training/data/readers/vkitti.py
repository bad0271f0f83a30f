"""Virtual KITTI 1.3.1 (and scenes rendered in its layout) and Virtual KITTI 2."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..sample import camera_matrix, checked_sample, DataError, Sample
from . import files

LAYOUT = (
    'the layout of Virtual KITTI 1.3.1: vkitti_1.3.1_rgb/WORLD/VARIATION/00000.png and '
    'vkitti_1.3.1_depthgt/WORLD/VARIATION/00000.png'
)
LAYOUT_2 = (
    'the layout of Virtual KITTI 2: Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg, '
    'Scene01/clone/frames/depth/Camera_0/depth_00000.png and Scene01/clone/intrinsic.txt'
)

_METRES_PER_UNIT = 0.01
_FAR = 65535


class VKittiFrame(NamedTuple):
    """
    Where one frame of a virtual world is; equal world, camera and number mean equal geometry.

    ``world`` is ``'0001'`` or ``'Scene01'``, ``variation`` ``'clone'``, ``'fog'`` and so on,
    ``camera`` the camera's number and ``number`` the frame's.
    """

    world: str
    variation: str
    camera: int
    number: int
    image_file: Path
    depth_file: Path


class VKitti:
    """
    Virtual KITTI 1.3.1, and the scenes of ``s2r_train render-scenes``.

    Depth is a 16-bit PNG in centimetres, 65535 is sky. Where there is a folder
    ``vkitti_1.3.1_intrinsicsgt`` with ``WORLD.txt`` (a header, then ``frame fx fy cx cy`` a line),
    each frame has its own camera; else all have the published one, resized with the image.

    :param root: the folder that holds ``vkitti_1.3.1_rgb``.
    :param worlds: names of the worlds to use; None uses all.
    :param variations: names of the variations to use; None uses all.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(
        self,
        root: str | PathLike,
        worlds: Sequence[str] | None = None,
        variations: Sequence[str] | None = None,
    ):
        rgb = files.require_folder(Path(root) / 'vkitti_1.3.1_rgb', LAYOUT)
        depth = files.require_folder(Path(root) / 'vkitti_1.3.1_depthgt', LAYOUT)
        self.frames: list[VKittiFrame] = []
        for folder in _chosen(rgb, worlds, variations, LAYOUT):
            world, variation = folder.parent.name, folder.name
            depth_folder = files.require_folder(depth / world / variation, LAYOUT)
            self.frames += [
                VKittiFrame(world, variation, 0, int(file.stem), file, depth_folder / file.name)
                for file in files.image_files(folder)
                if file.stem.isdecimal()
            ]
        files.require_any(self.frames, rgb, LAYOUT)
        _require_depth(self.frames)
        self._intrinsics = self._read_intrinsics(Path(root) / 'vkitti_1.3.1_intrinsicsgt')
        if self._intrinsics is None and (Path(root) / 'render.json').exists():
            raise DataError(
                f'{root} was rendered, and lacks vkitti_1.3.1_intrinsicsgt: copy that, too'
            )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        table = self._intrinsics
        return _read(frame, None if table is None else table[frame.world, frame.number])

    def _read_intrinsics(self, folder: Path) -> dict[tuple[str, int], np.ndarray] | None:
        if not folder.is_dir():
            return None
        layout = 'a header, then lines of "frame K[0,0] K[1,1] K[0,2] K[1,2]"'
        table = {}
        for world in sorted({frame.world for frame in self.frames}):
            file = folder / f'{world}.txt'
            for number, *k in _number_lines(file, 5, layout):
                table[world, int(number)] = camera_matrix(*k)
        for frame in self.frames:
            if (frame.world, frame.number) not in table:
                raise DataError(
                    f'{folder / frame.world}.txt has no line for frame {frame.number} of '
                    f'{frame.image_file}; expected {layout}'
                )
        return table


class VKitti2:
    """
    Virtual KITTI 2 (any 2.x: the archives rgb, depth and textgt unpacked into one folder).

    Depth is a 16-bit PNG in centimetres, 65535 is sky.

    :param root: the folder that holds ``Scene01`` and so on.
    :param worlds: names such as ``'Scene01'``; None uses all.
    :param variations: names such as ``'clone'``; None uses all.
    :param cameras: 0 is the left, 1 the right camera.
    :raises DataError: if something is missing; it names the path and the layout.
    """

    def __init__(
        self,
        root: str | PathLike,
        worlds: Sequence[str] | None = None,
        variations: Sequence[str] | None = None,
        cameras: Sequence[int] = (0, 1),
    ):
        files.require_folder(Path(root), LAYOUT_2)
        self.frames: list[VKittiFrame] = []
        self._intrinsics: dict[tuple[str, str, int, int], np.ndarray] = {}
        for folder in _chosen(Path(root), worlds, variations, LAYOUT_2, 'Scene*'):
            world, variation = folder.parent.name, folder.name
            for number, camera, *k in _number_lines(folder / 'intrinsic.txt', 6, LAYOUT_2):
                key = world, variation, int(camera), int(number)
                self._intrinsics[key] = camera_matrix(*k)
            for camera in cameras:
                rgb, depth = (
                    files.require_folder(folder / 'frames' / kind / f'Camera_{camera}', LAYOUT_2)
                    for kind in ('rgb', 'depth')
                )
                self.frames += [
                    VKittiFrame(
                        world,
                        variation,
                        camera,
                        int(file.stem[len('rgb_') :]),
                        file,
                        depth / f'depth_{file.stem[len("rgb_") :]}.png',
                    )
                    for file in files.image_files(rgb)
                    if file.stem[len('rgb_') :].isdecimal()
                ]
        files.require_any(self.frames, Path(root), LAYOUT_2)
        _require_depth(self.frames)
        for frame in self.frames:
            if frame[:4] not in self._intrinsics:
                raise DataError(
                    f'{root}/{frame.world}/{frame.variation}/intrinsic.txt has no line for frame '
                    f'{frame.number} of camera {frame.camera}; expected {LAYOUT_2}'
                )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        return _read(frame, self._intrinsics[frame[:4]])


def published_intrinsics(height_px: int, width_px: int) -> np.ndarray:
    """Return the (3, 3) camera matrix of Virtual KITTI 1.3.1, its images resized to this size."""
    x, y = width_px / 1242, height_px / 375
    return camera_matrix(725 * x, 725 * y, 621 * x - 0.5, 187.5 * y - 0.5)


def _read(frame: VKittiFrame, intrinsics: np.ndarray | None) -> Sample:
    image = files.read_rgb(frame.image_file)
    if intrinsics is None:
        intrinsics = published_intrinsics(*image.shape[:2])
    depth_m = files.read_depth(frame.depth_file, _METRES_PER_UNIT, far=_FAR)
    return checked_sample(image, depth_m, intrinsics, str(frame.image_file))


def _chosen(
    root: Path,
    worlds: Sequence[str] | None,
    variations: Sequence[str] | None,
    layout: str,
    pattern: str = '*',
) -> list[Path]:
    """Return the folders WORLD/VARIATION of ``root`` that were asked for, sorted."""
    folders = [path for path in files.matching(root, f'{pattern}/*') if path.is_dir()]
    for kind, choice, names in (
        ('world', worlds, {path.parent.name for path in folders}),
        ('variation', variations, {path.name for path in folders}),
    ):
        unknown = sorted(set(choice or ()) - names)
        if unknown:
            raise DataError(
                f'{root} has no {kind} {", ".join(unknown)}, it has {", ".join(sorted(names))}; '
                f'expected {layout}'
            )
    return [
        path
        for path in folders
        if (worlds is None or path.parent.name in worlds)
        and (variations is None or path.name in variations)
    ]


def _require_depth(frames: list[VKittiFrame]) -> None:
    files_of_depth: set[Path] = set()
    for folder in {frame.depth_file.parent for frame in frames}:
        files_of_depth.update(folder.iterdir())
    missing = [frame for frame in frames if frame.depth_file not in files_of_depth]
    if missing:
        raise DataError(
            f'{len(missing)} images have no depth; the first is {missing[0].image_file}, whose '
            f'depth is expected at {missing[0].depth_file}'
        )


def _number_lines(file: Path, columns: int, layout: str) -> list[list[float]]:
    """Read a table of numbers that has one line of header."""
    rows = []
    for line in files.read_lines(file, layout)[1:]:
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != columns or not np.isfinite(row).all():
            raise DataError(f'{file}: expected {columns} numbers, got "{line}"; {layout}')
        rows.append(row)
    return rows
