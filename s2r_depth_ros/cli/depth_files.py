"""Write the files of `s2r depth`."""

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

from ..atomic_files import atomic_file
from ..depth.colors import color_depth
from ..depth.pipeline import DepthResult, project
from ..ros.messages import depth_to_mm
from . import ToolError
from .cloud_view import write_ply
from .contact_sheet import contact_sheet
from .options import DEPTH_FILES

_SHEET_ROWS = 5
_WAITING_IMAGES = 4
_MOST_VIDEO_PX = 8190


@dataclass(frozen=True)
class _SheetRow:
    """Implements contact_sheet.Maps."""

    rgb: np.ndarray
    structure: np.ndarray
    attention: np.ndarray
    depth_m: np.ndarray


class DepthFiles:
    """
    Writes the requested files of each image in a separate thread; a context manager.

    Each file except the video appears complete or not at all. The end of the context closes the
    video and draws the sheet, also after an exception. It removes new folders that are empty.

    :param folder: is created if it does not exist.
    :param kinds: names in :data:`DEPTH_FILES`.
    :param title: the title of the sheet.
    :param color_range_m: depth of the reddest and the bluest colour.
    :param point_stride: step in pixels between the points of the cloud.
    :param rate_hz: images per second of the video.
    :param expected: expected number of images, 0 if unknown; the rows of the sheet are spread
        over them.
    :raises ToolError: if the folder is not writable.
    """

    def __init__(
        self,
        folder: Path,
        kinds: Collection[str],
        title: str,
        color_range_m: tuple[float, float],
        point_stride: int,
        rate_hz: float,
        expected: int,
    ) -> None:
        self.done = 0
        """The number of images whose files are all written."""
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
        self._new_folders: list[Path] = []
        for kind in kinds:
            place = folder / DEPTH_FILES[kind]
            needed = place.parent if place.suffix else place
            self._new_folders += [path for path in (needed, *needed.parents) if not path.exists()]
            with _one_sentence(place):
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
                for path in sorted(self._new_folders, reverse=True):  # inner folders come first
                    with suppress(OSError):  # the folder is not empty
                        path.rmdir()

    @property
    def wants_maps(self) -> bool:
        """Whether the next image goes into the sheet."""
        return (
            'sheet' in self._kinds
            and len(self._rows) < _SHEET_ROWS
            and self._given >= len(self._rows) * self._images_per_row
        )

    def write(self, name: str, result: DepthResult) -> None:
        """
        Write the requested files of an image, possibly after the return of this call.

        :param name: the name of the image; a second image of the same name gets a number.
        :param result: after postprocessing. A cloud needs the intrinsics; a row of the sheet needs
            the maps.
        :raises ToolError: if this or an earlier image cannot be written.
        """
        self._given += 1
        free_name, number = name, 1
        while free_name in self._names:
            number += 1
            free_name = f'{name}-{number}'
        self._names.add(free_name)
        if result.structure is not None and result.attention is not None:
            structure, attention = (
                (levels * 255).round().astype(np.uint8)
                for levels in (result.structure, result.attention)
            )
            self._rows.append(_SheetRow(result.image.rgb, structure, attention, result.depth_m))
        self._waiting.append(self._thread.submit(self._write, free_name, result))
        self._wait(_WAITING_IMAGES)

    def _wait(self, images: int) -> None:
        """Wait until at most ``images`` images are unwritten."""
        while len(self._waiting) > images:
            self._waiting.popleft().result()
            self.done += 1

    def _write(self, name: str, result: DepthResult) -> None:
        depth_m = result.depth_m
        if 'png' in self._kinds:
            _write_png(self._folder / DEPTH_FILES['png'] / f'{name}.png', depth_to_mm(depth_m))
        if 'npy' in self._kinds:
            data = BytesIO()
            np.save(data, depth_m)
            with _whole(self._folder / DEPTH_FILES['npy'] / f'{name}.npy') as file:
                file.write_bytes(data.getbuffer())
        if 'color' in self._kinds or 'mp4' in self._kinds:
            colored = color_depth(depth_m, *self._color_range_m)
            if 'color' in self._kinds:
                _write_png(self._folder / DEPTH_FILES['color'] / f'{name}.png', colored)
            if 'mp4' in self._kinds:
                self._add_to_video(colored)
        if 'ply' in self._kinds and result.image.camera is not None:
            points_m, colors = project(result, self._point_stride)
            with _whole(self._folder / DEPTH_FILES['ply'] / f'{name}.ply') as file:
                write_ply(file, points_m, colors, [name, 'metres; x right, y down, z forward'])

    def _add_to_video(self, bgr: np.ndarray) -> None:
        path = self._folder / DEPTH_FILES['mp4']
        if self._video is None:
            self._video_size_px = _writable_size_px(bgr.shape[1], bgr.shape[0])
            self._video = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*'mp4v'), self._rate_hz, self._video_size_px
            )
            if not self._video.isOpened():
                raise ToolError(f'cannot write {path}')
        if (bgr.shape[1], bgr.shape[0]) != self._video_size_px:
            bgr = _fitted(bgr, self._video_size_px)
        self._video.write(bgr)
        self._video_images += 1

    def _close_video(self) -> None:
        """:raises ToolError: if the file lacks written images; OpenCV does not report that."""
        if self._video is None:
            return
        self._video.release()
        path = self._folder / DEPTH_FILES['mp4']
        video = cv2.VideoCapture(str(path))
        images = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        video.release()
        if images != self._video_images:
            raise ToolError(
                f'{path} has only {max(0, images)} of {self._video_images} images: is the disk '
                'full?'
            )

    def _draw_sheet(self) -> None:
        if self._rows:
            with _whole(self._folder / DEPTH_FILES['sheet']) as file:
                contact_sheet(self._rows, self._title, self._color_range_m).savefig(file)


def _writable_rate_hz(rate_hz: float) -> float:
    """Return the nearest rate that MPEG-4 can store: a ratio of integers up to 65535."""
    return max(0.1, round(rate_hz, 2 if rate_hz < 600 else 0))


def _writable_size_px(width_px: int, height_px: int) -> tuple[int, int]:
    """Return the nearest size of this shape that OpenCV's MPEG-4 encoder can store."""
    scale = min(1.0, _MOST_VIDEO_PX / max(width_px, height_px))
    return max(2, int(width_px * scale)), max(2, int(height_px * scale))


def _fitted(bgr: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return a picture of another (width, height): resized in its own shape, on black."""
    scale = min(size_px[0] / bgr.shape[1], size_px[1] / bgr.shape[0])
    width_px, height_px = (max(1, round(side * scale)) for side in bgr.shape[1::-1])
    fitted = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    left_px, top_px = (size_px[0] - width_px) // 2, (size_px[1] - height_px) // 2
    fitted[top_px : top_px + height_px, left_px : left_px + width_px] = cv2.resize(
        bgr, (width_px, height_px)
    )
    return fitted


def _write_png(path: Path, pixels: np.ndarray) -> None:
    with _whole(path) as file:
        file.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a file to write that replaces ``path`` once it is complete."""
    with _one_sentence(path), atomic_file(path) as part:
        yield part


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """Convert an error of the file system into one sentence."""
    try:
        yield
    except OSError as error:
        raise ToolError(f'cannot write {path}: {error.strerror or error}') from error
