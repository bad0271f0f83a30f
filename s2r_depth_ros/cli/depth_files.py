"""The files of `s2r depth`: what of an image goes where."""
from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from ..colors import color_depth
from ..geometry import back_project, subsample
from ..messages import depth_to_mm
from ..pipeline import View
from ..predictor import PredictedMaps
from . import ToolError
from .cloud_view import write_ply
from .contact_sheet import contact_sheet

PLACES = {
    'png': 'depth_mm', 'npy': 'depth_m', 'color': 'color', 'mp4': 'color.mp4', 'ply': 'cloud',
    'sheet': 'contact_sheet.png'}
"""What can be written, and the folder or file that it goes to."""

_SHEET_ROWS = 5
_WAITING_IMAGES = 4


@dataclass(frozen=True)
class _SheetRow:
    """Fulfils contact_sheet.Maps."""

    rgb: np.ndarray
    structure: np.ndarray
    attention: np.ndarray
    depth_m: np.ndarray


class DepthFiles:
    """
    Writes what is wanted of each image, in a thread of its own; a context manager.

    Each file appears whole or not at all, except the video. At the end of the context the video
    is closed and the sheet drawn, after an exception too; a folder that was made for nothing is
    removed.

    :param folder: is made if it is not there.
    :param kinds: of :data:`PLACES`.
    :param title: of the sheet.
    :param color_range_m: depth of the reddest and the bluest colour.
    :param point_stride: a point of the cloud for every how many pixels.
    :param rate_hz: images a second of the video.
    :param expected: how many images there will be, 0 if nobody knows; the rows of the sheet are
        spread over them.
    :raises ToolError: if the folder cannot be written.
    """

    def __init__(
        self, folder: Path, kinds: Collection[str], title: str,
        color_range_m: tuple[float, float], point_stride: int, rate_hz: float, expected: int,
    ) -> None:
        self.done = 0
        """Images of which everything is written."""
        self._folder = folder
        self._kinds = kinds
        self._title = title
        self._color_range_m = color_range_m
        self._point_stride = point_stride
        self._rate_hz = _writable_rate_hz(rate_hz)
        self._rows: list[_SheetRow] = []
        self._images_per_row = expected / _SHEET_ROWS
        self._given = 0
        self._names: set[str] = set()
        self._video: cv2.VideoWriter | None = None
        self._video_size_px = (0, 0)
        self._video_images = 0
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future] = deque()
        self._made: list[Path] = []
        for kind in kinds:
            place = folder / PLACES[kind]
            needed = place.parent if place.suffix else place
            self._made += [path for path in (needed, *needed.parents) if not path.exists()]
            with _told(place):
                needed.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> DepthFiles:
        return self

    def __exit__(self, kind, *_) -> None:
        has_failed = kind is not None and issubclass(kind, Exception)
        with suppress(ToolError) if has_failed else nullcontext():  # the first error is told
            try:
                self._wait(0)
            finally:
                self._thread.shutdown(cancel_futures=True)
                self._close_video()
                self._draw_sheet()
                for path in sorted(self._made, reverse=True):  # what is inside comes first
                    with suppress(OSError):  # it is not empty
                        path.rmdir()

    @property
    def wants_maps(self) -> bool:
        """Whether the next image should go into the sheet."""
        return ('sheet' in self._kinds and len(self._rows) < _SHEET_ROWS
                and self._given >= len(self._rows) * self._images_per_row)

    def write(
        self, name: str, view: View, depth_m: np.ndarray, maps: PredictedMaps | None,
    ) -> None:
        """
        Write what is wanted of an image, now or soon.

        :param name: of the image; another of the same name gets a number.
        :param view: the image; a cloud needs its intrinsics.
        :param depth_m: (H, W) float32 metres; NaN, -inf and inf where there is none.
        :param maps: for the sheet, None if the image does not go there.
        :raises ToolError: if this or an earlier image cannot be written.
        """
        self._given += 1
        free_name, number = name, 1
        while free_name in self._names:
            number += 1
            free_name = f'{name}-{number}'
        self._names.add(free_name)
        if maps is not None:
            structure, attention = (
                (each * 255).round().astype(np.uint8) for each in (maps.structure, maps.attention))
            self._rows.append(_SheetRow(view.rgb, structure, attention, depth_m))
        self._waiting.append(self._thread.submit(self._write, free_name, view, depth_m))
        self._wait(_WAITING_IMAGES)

    def _wait(self, images: int) -> None:
        """Wait until only so many images are not yet written."""
        while len(self._waiting) > images:
            self._waiting.popleft().result()
            self.done += 1

    def _write(self, name: str, view: View, depth_m: np.ndarray) -> None:
        if 'png' in self._kinds:
            _write_png(self._folder / PLACES['png'] / f'{name}.png', depth_to_mm(depth_m))
        if 'npy' in self._kinds:
            data = BytesIO()
            np.save(data, depth_m)
            with _whole(self._folder / PLACES['npy'] / f'{name}.npy') as file:
                file.write_bytes(data.getbuffer())
        if 'color' in self._kinds or 'mp4' in self._kinds:
            colored = color_depth(depth_m, *self._color_range_m)
            if 'color' in self._kinds:
                _write_png(self._folder / PLACES['color'] / f'{name}.png', colored)
            if 'mp4' in self._kinds:
                self._add_to_video(colored)
        if 'ply' in self._kinds and view.model is not None:
            depth, intrinsics = subsample(depth_m, view.model.k, self._point_stride)
            colors, _ = subsample(view.rgb, view.model.k, self._point_stride)
            points_m = back_project(depth, intrinsics)
            with _whole(self._folder / PLACES['ply'] / f'{name}.ply') as file:
                write_ply(
                    file, points_m, colors, [name, 'metres; x right, y down, z forward'])

    def _add_to_video(self, bgr: np.ndarray) -> None:
        path = self._folder / PLACES['mp4']
        if self._video is None:
            self._video_size_px = bgr.shape[1], bgr.shape[0]
            self._video = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*'mp4v'), self._rate_hz, self._video_size_px)
            if not self._video.isOpened():
                raise ToolError(f'cannot write {path}')
        if (bgr.shape[1], bgr.shape[0]) != self._video_size_px:
            bgr = cv2.resize(bgr, self._video_size_px)
        self._video.write(bgr)
        self._video_images += 1

    def _close_video(self) -> None:
        """:raises ToolError: if less is in the file than was written; OpenCV does not tell."""
        if self._video is None:
            return
        self._video.release()
        path = self._folder / PLACES['mp4']
        video = cv2.VideoCapture(str(path))
        images = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        video.release()
        if images != self._video_images:
            raise ToolError(
                f'{path} has only {max(0, images)} of {self._video_images} images: is the disk '
                'full?')

    def _draw_sheet(self) -> None:
        if self._rows:
            with _whole(self._folder / PLACES['sheet']) as file:
                contact_sheet(self._rows, self._title, self._color_range_m).savefig(file)


def _writable_rate_hz(rate_hz: float) -> float:
    """Return the next rate that MPEG-4 has: a fraction of whole numbers up to 65535."""
    return max(0.1, round(rate_hz, 2 if rate_hz < 600 else 0))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    with _whole(path) as file:
        file.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of ``path`` when it is whole."""
    part = path.with_name(f'.{path.name}')  # keeps the suffix
    with _told(path):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one sentence."""
    try:
        yield
    except OSError as error:
        raise ToolError(f'cannot write {path}: {error.strerror or error}') from error
