"""Images of a folder or a video, one after the other, with their intrinsics where a file says."""
from collections.abc import Callable, Iterator
import json
from pathlib import Path
import re
from typing import Any, NamedTuple

import cv2
import numpy as np

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
MANIFEST = 'manifest.json'


class FrameError(ValueError):
    """A path that holds no images; the text names it."""


class Frame(NamedTuple):
    """
    One image.

    ``name`` is the file's name without its suffix, or the number in a video; ``rgb`` is (H, W, 3)
    uint8; ``intrinsics`` is its (3, 3) camera matrix in pixels, None where nothing is known.
    """

    name: str
    rgb: np.ndarray
    intrinsics: np.ndarray | None


class FrameSource:
    """
    The frames of a folder, an image or a video; each iteration starts from the first one.

    A folder is played in the natural order of its names (``2.png`` before ``10.png``). If it has
    a ``manifest.json``, a list of objects with ``rgb`` (file name) and optionally ``K``
    (``[fx, fy, cx, cy]``), these are its images, in that order, and other files are left alone.

    :param path: folder, image file or video file.
    :param on_skipped: called with a sentence for each image that cannot be read; it is left out.
    :raises FrameError: if there is nothing to play at the path, or the manifest is wrong.
    """

    def __init__(self, path: str | Path, on_skipped: Callable[[str], None]) -> None:
        self._path = Path(path).expanduser()
        self._on_skipped = on_skipped
        if self._path.is_dir():
            manifest = self._path / MANIFEST
            self._images = (
                _manifest_images(manifest) if manifest.is_file() else
                [(file, None) for file in _image_files(self._path)])
            if not self._images:
                raise FrameError(
                    f'{self._path} has no images; looked for {", ".join(IMAGE_SUFFIXES)}')
        elif not self._path.is_file():
            raise FrameError(f'{self._path} is neither a folder nor a file')
        elif self._path.suffix.lower() in IMAGE_SUFFIXES:
            self._images = [(self._path, None)]
        else:
            self._images = []
            if not _opens_as_video(self._path):
                raise FrameError(f'{self._path} is no image, and OpenCV cannot open it as a video')

    def __iter__(self) -> Iterator[Frame]:
        """Read frame after frame."""
        return self._read_images() if self._images else self._read_video()

    def __len__(self) -> int:
        """Return how many frames there should be; for a video, what its header says."""
        if self._images:
            return len(self._images)
        video = cv2.VideoCapture(str(self._path))
        return max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))

    def _read_images(self) -> Iterator[Frame]:
        for file, intrinsics in self._images:
            try:
                bgr = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
            except (OSError, cv2.error) as error:
                self._on_skipped(f'{file} cannot be read: {error}')
                continue
            if bgr is None:
                self._on_skipped(f'{file} is not an image that OpenCV can read')
                continue
            yield Frame(file.stem, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), intrinsics)

    def _read_video(self) -> Iterator[Frame]:
        video = cv2.VideoCapture(str(self._path))
        number = 0
        try:
            while True:
                is_read, bgr = video.read()
                if not is_read:
                    return
                yield Frame(f'{number:06d}', cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), None)
                number += 1
        finally:
            video.release()


def _image_files(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(files, key=_natural_order)


def _natural_order(file: Path) -> list[Any]:
    """Return text and numbers of the name in turn, so that 2 comes before 10."""
    return [int(part) if part.isdigit() else part
            for part in re.split(r'([0-9]+)', file.name.lower())]


def _manifest_images(manifest: Path) -> list[tuple[Path, np.ndarray | None]]:
    try:
        entries = json.loads(manifest.read_text(encoding='utf-8'))
        return [
            (manifest.parent / entry['rgb'], _camera_matrix(entry.get('K'))) for entry in entries]
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FrameError(
            f'{manifest} must be a list of objects with "rgb" (a file name) and optionally '
            f'"K" ([fx, fy, cx, cy]): {error!r}') from error


def _camera_matrix(intrinsics: Any) -> np.ndarray | None:
    if intrinsics is None:
        return None
    fx, fy, cx, cy = map(float, intrinsics)
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def _opens_as_video(path: Path) -> bool:
    video = cv2.VideoCapture(str(path))
    try:
        return video.isOpened()
    finally:
        video.release()
