"""Images of a folder, a video or a webcam, one after the other, and what is known of the lens."""
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
import math
from pathlib import Path
import re
from typing import Any, NamedTuple

import cv2
import numpy as np

from .camera import CameraModel

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
MANIFEST = 'manifest.json'
_WEBCAM = re.compile(r'webcam(?::(\d+))?')
# Headers of whole videos promise up to so much more than there is.
_MISSING_FRACTION = 0.02
_MISSING_S = 0.2
_SAME_ASPECT = 0.01


class FrameError(ValueError):
    """A path that holds no images; the text names it."""


class Frame(NamedTuple):
    """
    One image.

    ``name`` is the file's name without its suffix, or the number in a video; ``rgb`` is (H, W, 3)
    uint8; ``intrinsics`` is its (3, 3) camera matrix in pixels, None where nothing is known;
    ``stamp_s`` its time in a video, None where nothing says it.
    """

    name: str
    rgb: np.ndarray
    intrinsics: np.ndarray | None
    stamp_s: float | None = None


class FrameSource:
    """
    The frames of a folder, an image, a video or a webcam; each iteration starts from the first.

    A folder is played in the natural order of its names (``2.png`` before ``10.png``). If it has
    a ``manifest.json``, a list of objects with ``rgb`` (file name) and optionally ``K``
    (``[fx, fy, cx, cy]``), these are its images, in that order, and other files are left alone.

    :param path: folder, image file, video file, ``webcam`` or ``webcam:1`` for the second.
    :param on_skipped: called with a sentence for each image that cannot be read, which is left
        out, and if a video ends before the end that its header promises.
    :raises FrameError: if there is nothing to play at the path, or the manifest is wrong.
    """

    def __init__(self, path: str | Path, on_skipped: Callable[[str], None]) -> None:
        self._path = Path(path).expanduser()
        self._on_skipped = on_skipped
        self._images: list[tuple[Path, np.ndarray | None]] = []
        webcam = _WEBCAM.fullmatch(str(path))
        self.is_live = webcam is not None
        """Whether it goes on until somebody stops it."""
        self._video = int(webcam[1] or 0) if webcam else str(self._path)
        if webcam:
            if not _opens_as_video(self._video):
                raise FrameError(f'there is no webcam {self._video}, or another program uses it')
        elif self._path.is_dir():
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
            if not _opens_as_video(self._video):
                raise FrameError(f'{self._path} is no image, and OpenCV cannot open it as a video')

    def __iter__(self) -> Iterator[Frame]:
        """Read frame after frame."""
        return self._read_images() if self._images else self._read_video()

    def __len__(self) -> int:
        """Return how many frames there should be; for a video, what its header says, or 0."""
        if self._images:
            return len(self._images)
        return 0 if self.is_live else max(0, int(self._property(cv2.CAP_PROP_FRAME_COUNT)))

    @property
    def is_film(self) -> bool:
        """Whether the images follow each other in time."""
        return not self._images

    @property
    def rate_hz(self) -> float | None:
        """Images a second of a video; None where nothing says it."""
        rate_hz = 0.0 if self._images else self._property(cv2.CAP_PROP_FPS)
        return rate_hz if 0 < rate_hz < 1000 else None

    def _property(self, which: int) -> float:
        video = cv2.VideoCapture(self._video)
        try:
            return video.get(which)
        finally:
            video.release()

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
        video = cv2.VideoCapture(self._video)
        promised = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
        rate_hz = self.rate_hz
        number, stamp_s = 0, 0.0
        try:
            while True:
                is_read, bgr = video.read()
                if not is_read:
                    break
                if not self.is_live:
                    stamp_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1e3
                yield Frame(
                    f'{number:06d}', cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), None,
                    None if self.is_live else stamp_s)
                number += 1
        finally:
            video.release()
        if self.is_live:
            self._on_skipped(f'webcam {self._video} gives no more images')
        elif (promised - number > max(1, promised * _MISSING_FRACTION)
              and not _is_at_end(stamp_s, promised, rate_hz)):
            self._on_skipped(
                f'{self._path} is broken: it ends after {number} of the {promised} images that '
                'its header promises')


@dataclass(frozen=True)
class Lens:
    """
    What is known of the lens beside the images.

    :param calibration: scaled to each image.
    :param focal_px: focal length in pixels, with the centre in the middle of the image, where
        there is no calibration; 0 if not known.
    :param hfov_deg: horizontal field of view in degrees, likewise, where the frame does not have
        its own intrinsics either; 0 if not known.
    """

    calibration: CameraModel | None = None
    focal_px: float = 0.0
    hfov_deg: float = 0.0

    def camera_of(self, frame: Frame) -> CameraModel | None:
        """
        Return the camera of a frame, None if nothing is known of it.

        :raises s2r_depth_ros.camera.CameraError: if that cannot be a camera of this image.
        """
        height_px, width_px = frame.rgb.shape[:2]
        if self.calibration is not None:
            return self.calibration.resized(width_px, height_px)
        if frame.intrinsics is not None and not self.focal_px:
            return CameraModel.from_intrinsics(width_px, height_px, frame.intrinsics)
        focal_px = self.focal_px
        if self.hfov_deg and not focal_px:
            focal_px = width_px / 2 / math.tan(math.radians(self.hfov_deg) / 2)
        if not focal_px:
            return None
        return CameraModel.from_intrinsics(width_px, height_px, np.array([
            [focal_px, 0.0, (width_px - 1) / 2], [0.0, focal_px, (height_px - 1) / 2],
            [0.0, 0.0, 1.0]]))

    def shape_fault(self, frame: Frame) -> str:
        """Return why the calibration can hardly be of this image, empty if it can."""
        known, (height_px, width_px) = self.calibration, frame.rgb.shape[:2]
        if known is None or abs(
                width_px / height_px / (known.width_px / known.height_px) - 1) < _SAME_ASPECT:
            return ''
        return (
            f'the calibration is for {known.width_px} x {known.height_px} pixels, images of '
            f'{width_px} x {height_px} have another shape; it is right only if they were '
            'stretched to it')


def _image_files(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(files, key=_natural_order)


def _natural_order(file: Path) -> list[Any]:
    """Return text and numbers of the name in turn, so that 2 comes before 10."""
    return [int(part) if place % 2 else part  # re.split puts what it splits at in odd places
            for place, part in enumerate(re.split(r'([0-9]+)', file.name.lower()))]


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


def _is_at_end(stamp_s: float, promised: int, rate_hz: float | None) -> bool:
    """
    Return whether the time of the last image is the end of the film.

    Where the rate varies, as in films of a screen, a header's count is that time in other words.
    """
    if rate_hz is None:
        return False
    end_s = promised / rate_hz
    return end_s - stamp_s <= max(_MISSING_S, 4 / rate_hz, end_s * _MISSING_FRACTION)


def _opens_as_video(path: str | int) -> bool:
    video = cv2.VideoCapture(path)
    try:
        return video.isOpened()
    finally:
        video.release()
