"""Read the images of a folder, a video or a webcam in sequence, with the known intrinsics."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
import math
from pathlib import Path
import re
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np

from ..depth.camera_model import CameraModel
from ..encoded_images import is_cut_off
from .manifest import MANIFEST, ManifestError, read_manifest

IMAGE_SUFFIXES = (
    *('.bmp', '.jfif', '.jpe', '.jpeg', '.jpg', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff'),
    '.webp',
)
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ts', '.webm', '.wmv')
# Images that not every OpenCV can read.
_OTHER_SUFFIXES = (
    *('.arw', '.avif', '.cr2', '.cr3', '.dng', '.exr', '.gif', '.hdr', '.heic', '.heif', '.jp2'),
    *('.jxl', '.nef', '.orf', '.raf', '.rw2'),
)
# A higher rate in a header is often the clock of the stamps, not the rate of the images.
_CREDIBLE_RATE_HZ = 240.0
_TIMED_IMAGES = 30
_SQUARE = 0.01
_MOST_ANAMORPHIC = 10.0
_WEBCAM = re.compile(r'webcam(?::(\d+))?')
_LATEST_S = 1e9  # OpenCV 4.6 returns arbitrary times for a video without times
# The header of a complete video may exceed its content by this much.
_MISSING_FRACTION = 0.02
_MISSING_S = 0.2
_MOST_UNREAD = 100  # images in a row, where their number is unknown
_SAME_ASPECT = 0.01


_CODECS = {
    'AV01': 'AV1',
    'HEV1': 'HEVC',
    'HVC1': 'HEVC',
    'HEVC': 'HEVC',
    'VP90': 'VP9',
    'VP09': 'VP9',
    'VP80': 'VP8',
    'VVC1': 'VVC',
    'VVI1': 'VVC',
    'AVC1': 'H.264',
    'H264': 'H.264',
}
# Element IDs of Matroska (RFC 9559).
_EBML, _SEGMENT = bytes.fromhex('1A45DFA3'), bytes.fromhex('18538067')
_INFO, _TICK = bytes.fromhex('1549A966'), bytes.fromhex('2AD7B1')
_CLUSTER, _CLUSTER_TICKS = bytes.fromhex('1F43B675'), bytes.fromhex('E7')
# MPEG: each packet of a transport stream begins with the same byte.
_PROGRAM_STREAM, _TS_SYNC, _TS_PACKET_BYTES = bytes.fromhex('000001BA'), b'G', 188
# QuickTime begins with any of these boxes, MP4 with the file type box.
_FIRST_BOXES = (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip')
_FLASH, _FLASH_TAGS, _FLASH_TAG_BYTES = b'FLV', (8, 9, 18), 11
_ASF, _ASF_OBJECT_BYTES = bytes.fromhex('3026B2758E66CF11'), 24  # of Windows Media
_TAIL_BYTES = 512


class FrameError(ValueError):
    """A path has no images; the text names the path."""


class Frame(NamedTuple):
    """
    One image.

    ``name`` is the file's name without its suffix, or the number in a video. ``rgb`` is (H, W, 3)
    uint8 with square pixels. ``intrinsics`` is the (3, 3) camera matrix in pixels, or None if
    unknown. ``stamp_s`` is the time in a video in seconds, or None if unknown. ``pixel_aspect``
    is the ratio of width to height of the pixels that a video stores.
    """

    name: str
    rgb: np.ndarray
    intrinsics: np.ndarray | None
    stamp_s: float | None = None
    pixel_aspect: float = 1.0


class _Film(NamedTuple):
    """
    Metadata of a video.

    ``images`` is the expected number of images, 0 if unknown. ``end_s`` is the time of the end of
    the last image, counted from ``begin_s``. ``is_whole`` is the result of :func:`_is_whole`.
    """

    images: int
    rate_hz: float | None
    begin_s: float
    end_s: float | None
    is_whole: bool | None


class FrameSource:
    """
    The frames of a folder, an image, a video or a webcam; each iteration starts from the first.

    A folder plays in the natural order of its names (``2.png`` before ``10.png``). A
    ``manifest.json`` in the folder replaces that order: only its images play, in its order. It is
    a list of objects with ``rgb`` (file name) and optionally ``K`` (``[fx, fy, cx, cy]``).

    :param path: folder, image file, video file, ``webcam`` or ``webcam:1`` for the second.
    :param on_skipped: called with a sentence for each unreadable image, which is skipped. It is
        also called if a video ends before the end that its header gives.
    :raises FrameError: if there is nothing to play at the path, or the manifest is wrong.
    """

    def __init__(self, path: str | Path, on_skipped: Callable[[str], None]) -> None:
        self._path = Path(path).expanduser()
        self._on_skipped = on_skipped
        self._images: list[tuple[Path, np.ndarray | None]] = []
        self._others: list[str] = []
        webcam = _WEBCAM.fullmatch(str(path))
        self.is_live = webcam is not None
        """Whether the source is a webcam, which has no end."""
        # Absolute: FFmpeg takes the text before a colon for a protocol.
        self._video = int(webcam[1] or 0) if webcam else str(self._path.absolute())
        if webcam:
            if not _opens_as_video(self._video):
                raise FrameError(f'there is no webcam {self._video}, or another program uses it')
        elif self._path.is_dir():
            self._images = _images_of_folder(self._path)
            if not (self._path / MANIFEST).is_file():
                self._others = _other_images(self._path)
        elif not self._path.is_file():
            raise FrameError(f'{self._path} is neither a folder nor a file')
        elif self._path.suffix.lower() in IMAGE_SUFFIXES:
            self._images = [(self._path, None)]
        elif not _opens_as_video(self._video):
            if self._path.suffix.lower() in _OTHER_SUFFIXES:
                raise FrameError(
                    f'{self._path} is an image in a format that is not supported: convert it to '
                    'PNG or JPEG'
                )
            raise FrameError(
                f'{self._path} is no image, and OpenCV cannot open it as a video; a truncated '
                'video may lack the index at its end'
            )

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames in sequence."""
        return self._read_images() if self._images else self._read_video()

    def __len__(self) -> int:
        """Return the expected number of frames; for a video, that of its header, or 0."""
        if self._images:
            return len(self._images)
        return 0 if self.is_live else self._film.images

    @property
    def is_film(self) -> bool:
        """Whether the images follow each other in time."""
        return not self._images

    @property
    def rate_hz(self) -> float | None:
        """Images per second of a video; of its first images if it varies; None if unknown."""
        return None if self._images else self._film.rate_hz

    @cached_property
    def _film(self) -> _Film:
        video = cv2.VideoCapture(self._video)
        try:
            count = video.get(cv2.CAP_PROP_FRAME_COUNT)
            header_rate_hz = video.get(cv2.CAP_PROP_FPS)
            rate_hz: float | None = header_rate_hz
            if not self.is_live and header_rate_hz > _CREDIBLE_RATE_HZ:
                rate_hz = _measured_rate_hz(video)
        finally:
            video.release()
        if not math.isfinite(header_rate_hz) or header_rate_hz <= 0:
            return _Film(max(0, int(count)), None, 0.0, None, None)
        begin_s, is_whole = 0.0, None
        if not self.is_live:
            if count > self._path.stat().st_size:  # a placeholder, since each has a byte
                return _Film(0, rate_hz, 0.0, None, None)
            begin_s, is_whole = _matroska_begin_s(self._path), _is_whole(self._path)
        end_s = max(0.0, count / header_rate_hz)
        if rate_hz is None:
            return _Film(0, None, begin_s, end_s, is_whole)
        expected = (
            count if rate_hz == header_rate_hz and not begin_s else ((end_s - begin_s) * rate_hz)
        )
        return _Film(max(0, round(expected)), rate_hz, begin_s, end_s, is_whole)

    def _read_images(self) -> Iterator[Frame]:
        if self._others:
            self._on_skipped(
                f'{self._path} has {len(self._others)} images in formats that are not supported, '
                f'such as {self._others[0]}: convert them to PNG or JPEG'
            )
        for file, intrinsics in self._images:
            try:
                data = file.read_bytes()
                bgr = _decoded(data)
            except (OSError, cv2.error) as error:
                self._on_skipped(f'{file} cannot be read: {error}')
                continue
            if bgr is None:
                reason = 'is not an image that OpenCV can read'
                if is_cut_off(data):
                    reason = 'is cut off: its end is missing' if data else 'is empty'
                self._on_skipped(f'{file} {reason}')
                continue
            if (pages := cv2.imcount(str(file))) > 1:
                self._on_skipped(
                    f'{file} contains {pages} images, of which only the first is used: store each '
                    'in its own file'
                )
            if intrinsics is not None and _is_turned(data, bgr):
                self._on_skipped(
                    f'{file} is stored rotated, so "K" of {MANIFEST} is ambiguous: rotate its '
                    'pixels and remove its EXIF orientation'
                )
                continue
            yield Frame(file.stem, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), intrinsics)

    def _read_video(self) -> Iterator[Frame]:
        film = self._film
        video = cv2.VideoCapture(self._video)
        pixel_aspect = _pixel_aspect(video)
        codec = _codec(video)
        number, stamp_s, spacing_s = 0, 0.0, 1 / (film.rate_hz or math.inf)
        damaged = unread = 0
        try:
            while True:
                is_read, bgr = video.read()
                if not is_read:
                    # The end, or an image that cannot be decoded. Others may follow.
                    unread += 1
                    rest = film.images - number - damaged if number else 0
                    if self.is_live or unread > max(_MOST_UNREAD, rest):
                        break
                    continue
                damaged, unread = damaged + unread, 0
                if not self.is_live:
                    read_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1e3
                    if not 0 <= read_s < _LATEST_S or number and not read_s > stamp_s:
                        # OpenCV 4.6 has no times for the last images.
                        read_s = stamp_s + spacing_s if number else 0.0
                    elif number:
                        spacing_s = read_s - stamp_s
                    stamp_s = read_s
                rgb = _with_square_pixels(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), pixel_aspect)
                yield Frame(
                    f'{number:06d}', rgb, None, None if self.is_live else stamp_s, pixel_aspect
                )
                number += 1
        finally:
            video.release()
        if self.is_live:
            self._on_skipped(f'webcam {self._video} gives no more images')
        elif number == 0:
            self._on_skipped(
                f'OpenCV cannot decode {codec}, the codec of {self._path}: no image of it could '
                'be read; convert it, for example: ffmpeg -i IN -c:v libx264 OUT.mp4'
            )
        self._report_damage(number, damaged, stamp_s)

    def _report_damage(self, images: int, damaged: int, stamp_s: float) -> None:
        """Report what a film lacks, after its last image, which was at ``stamp_s``."""
        film = self._film
        if damaged:
            self._on_skipped(f'{self._path} is damaged: {damaged} of its images cannot be decoded')
        if not images:
            return
        read = images + damaged
        is_short = film.images - read > max(1, film.images * _MISSING_FRACTION)
        if not film.images and film.is_whole is False:
            self._on_skipped(f'{self._path} is broken: its end is missing after {read} images')
        elif is_short and not film.is_whole and not _is_at_end(stamp_s, film):
            self._on_skipped(
                f'{self._path} is broken: it ends after {read} of the {film.images} images that '
                'its header announces'
            )


@dataclass(frozen=True)
class IntrinsicsOverride:
    """
    Intrinsics from the user, which supplement those of the images.

    :param calibration: a calibration, which is scaled to each image; it overrides the rest.
    :param focal_px: focal length in pixels, with the principal point in the middle of the image; 0
        if unknown. It overrides the intrinsics of the frame.
    :param hfov_deg: horizontal field of view in degrees, with the same principal point; 0 if
        unknown. It is used only if the frame has no intrinsics.
    """

    calibration: CameraModel | None = None
    focal_px: float = 0.0
    hfov_deg: float = 0.0

    def camera_of(self, frame: Frame) -> CameraModel | None:
        """
        Return the camera of a frame, None if it is unknown.

        :raises CameraError: if the intrinsics do not fit this image.
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
        return CameraModel.from_intrinsics(
            width_px,
            height_px,
            np.array(
                [
                    [focal_px, 0.0, (width_px - 1) / 2],
                    [0.0, focal_px, (height_px - 1) / 2],
                    [0.0, 0.0, 1.0],
                ]
            ),
        )

    def shape_fault(self, frame: Frame) -> str:
        """Return why the calibration does not fit the shape of this image, or an empty text."""
        known, (height_px, width_px) = self.calibration, frame.rgb.shape[:2]
        # The calibration may count the pixels of a video as stored or as shown.
        if known is None or any(
            abs(aspect / (known.width_px / known.height_px) - 1) < _SAME_ASPECT
            for aspect in (width_px / height_px, width_px / height_px / frame.pixel_aspect)
        ):
            return ''
        return (
            f'the calibration is for {known.width_px} x {known.height_px} pixels, images of '
            f'{width_px} x {height_px} have another aspect ratio; it is valid only if they were '
            'stretched'
        )


def _images_of_folder(folder: Path) -> list[tuple[Path, np.ndarray | None]]:
    """
    Return the image files of a folder with their intrinsics, which only a manifest has.

    :raises FrameError: if there are no images, or the manifest is wrong.
    """
    manifest = folder / MANIFEST
    if manifest.is_file():
        images = _manifest_images(manifest)
    else:
        images = [(file, None) for file in _image_files(folder)]
    if not images:
        films = _image_files(folder, VIDEO_SUFFIXES)
        raise FrameError(
            f'{folder} has no images; looked for {", ".join(IMAGE_SUFFIXES)}'
            + (f'; give its videos one by one, such as {films[0]}' if films else '')
        )
    return images


def _image_files(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the files of a folder with these suffixes in natural order."""
    # macOS adds ._a.jpg to a.jpg on disks of other systems.
    files = (
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not file.name.startswith('._')
    )
    return sorted(files, key=_natural_order)


def _other_images(folder: Path) -> list[str]:
    """Return the names of images that are not read, except raw forms of those that are."""
    read = {file.stem for file in _image_files(folder)}
    return [file.name for file in _image_files(folder, _OTHER_SUFFIXES) if file.stem not in read]


def _is_turned(data: bytes, bgr: np.ndarray) -> bool:
    """Return whether the EXIF orientation of an image file changed its pixels."""
    stored = _decoded(data, cv2.IMREAD_IGNORE_ORIENTATION)
    return stored is None or not np.array_equal(stored, bgr)


def _decoded(data: bytes, flags: int = 0) -> np.ndarray | None:
    """
    Return the pixels of an image file as BGR; None if it is no image, or not whole.

    :param data: the content of the file.
    :param flags: the flags of OpenCV, besides those for colours.
    :raises cv2.error: if OpenCV refuses it.
    """
    if is_cut_off(data):
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | flags)


def _natural_order(file: Path) -> list[Any]:
    """Return the texts and numbers of a name alternately, so that 2 comes before 10."""
    return [
        int(part) if place % 2 else part  # re.split puts the separators in odd places
        for place, part in enumerate(re.split(r'([0-9]+)', file.name.lower()))
    ]


def _manifest_images(file: Path) -> list[tuple[Path, np.ndarray | None]]:
    try:
        return [(entry.rgb, entry.intrinsics) for entry in read_manifest(file)]
    except ManifestError as error:
        raise FrameError(str(error)) from error


def _is_at_end(stamp_s: float, film: _Film) -> bool:
    """
    Return whether the time of the last image is the end of the video.

    The rate may vary, as in a recording of a screen. Then a header's image count only expresses
    the end time. That time may count from 0 although the first image comes later.
    """
    if film.end_s is None:
        return False
    missing_s = film.end_s - stamp_s - film.begin_s
    spacing_s = 4 / film.rate_hz if film.rate_hz else 0.0
    return missing_s <= max(_MISSING_S, spacing_s, film.end_s * _MISSING_FRACTION)


def _measured_rate_hz(video: cv2.VideoCapture) -> float | None:
    """Return the rate of the next images from their stamps; None if there are too few."""
    stamps_s: list[float] = []
    while len(stamps_s) < _TIMED_IMAGES and video.grab():
        stamps_s.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
    spacings_s = np.diff(stamps_s)
    spacings_s = spacings_s[spacings_s > 0]
    return float(1 / np.median(spacings_s)) if spacings_s.size else None


def _pixel_aspect(video: cv2.VideoCapture) -> float:
    """Return the ratio of width to height of the pixels, after the rotation of the images."""
    across, down = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    if not (across > 0 and down > 0 and 1 / _MOST_ANAMORPHIC < across / down < _MOST_ANAMORPHIC):
        return 1.0
    aspect = across / down
    if (
        video.get(cv2.CAP_PROP_ORIENTATION_AUTO)
        and video.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
    ):
        aspect = 1 / aspect
    return aspect if abs(aspect - 1) > _SQUARE else 1.0


def _with_square_pixels(rgb: np.ndarray, pixel_aspect: float) -> np.ndarray:
    """Stretch the shorter side of the pixels, as video players do."""
    if pixel_aspect == 1:
        return rgb
    height_px, width_px = rgb.shape[:2]
    return cv2.resize(
        rgb,
        (round(width_px * max(1.0, pixel_aspect)), round(height_px * max(1.0, 1 / pixel_aspect))),
    )


def _codec(video: cv2.VideoCapture) -> str:
    """Return the code of the codec together with its common name."""
    code = int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, 'little', signed=True)
    name = code.decode('latin-1').strip('\0 ')
    if not (name.isascii() and name.isprintable() and name):
        return 'an unnamed codec'
    return _CODECS.get(name.upper(), name)


def _is_whole(path: Path) -> bool | None:
    """
    Return whether a video is complete, independent of the image count in its header.

    That count often comes from the duration of the longest track, which may be sound. It also
    counts images that an edit list of MP4 hides. A video trimmed without encoding has such a list.

    :param path: a video file.
    :returns: None for a format that does not show it.
    """
    with path.open('rb') as file:
        file_bytes = file.seek(0, 2)
        file.seek(max(0, file_bytes - _TAIL_BYTES))
        has_end = any(file.read(_TAIL_BYTES))  # else the end is reserved but unwritten
        file.seek(0)
        begin = file.read(_TS_PACKET_BYTES + 1)
        if begin.startswith(_PROGRAM_STREAM) or (
            begin[:1] == begin[_TS_PACKET_BYTES:] == _TS_SYNC
        ):
            return has_end  # the duration is that of the last packet
        file.seek(0)
        if begin.startswith(_EBML):
            for identity, content_bytes in _ebml_elements(file):
                if identity == _SEGMENT:
                    return (
                        None
                        if content_bytes is None
                        else (has_end and file.tell() + content_bytes <= file_bytes)
                    )
        elif begin.startswith(_FLASH):
            file.seek(max(0, file_bytes - 4))  # the size of the last tag, with its header
            tag_bytes = int.from_bytes(file.read(4), 'big')
            file.seek(max(0, file_bytes - 4 - tag_bytes))
            kind, size = int.from_bytes(file.read(1), 'big'), int.from_bytes(file.read(3), 'big')
            return kind in _FLASH_TAGS and size + _FLASH_TAG_BYTES == tag_bytes
        elif begin.startswith(_ASF):
            return _end_of_objects(file) == file_bytes and has_end
        elif begin[4:8] in _FIRST_BOXES:
            return _end_of_boxes(file) == file_bytes and has_end
    return None


def _end_of_objects(file: BinaryIO) -> int:
    """Return the end offset of the sequence of ASF objects from here, by their sizes."""
    end, object_bytes = 0, _ASF_OBJECT_BYTES
    while object_bytes >= _ASF_OBJECT_BYTES:
        file.seek(end + _ASF_OBJECT_BYTES - 8)  # after the GUID
        object_bytes = int.from_bytes(file.read(8), 'little')
        end += object_bytes
    return end


def _end_of_boxes(file: BinaryIO) -> int:
    """Return the end offset of the sequence of MP4 boxes from here, by their sizes."""
    end, file_bytes = 0, file.seek(0, 2)
    while end < file_bytes:
        file.seek(end)
        header = file.read(16)
        box_bytes = int.from_bytes(header[:4], 'big')
        if box_bytes == 1:
            box_bytes = int.from_bytes(header[8:], 'big')
        elif box_bytes == 0:  # to the end of the file
            return file_bytes
        end += max(8, box_bytes)
    return end


def _matroska_begin_s(path: Path) -> float:
    """
    Return the time of the first cluster of a Matroska file or WebM.

    OpenCV counts the time of an image from the first one, and the duration from 0.

    :param path: a video file.
    :returns: seconds; 0 for another format, or if the file does not give the time.
    """
    tick_ns = 1_000_000
    with path.open('rb') as file:
        if file.read(4) != _EBML:
            return 0.0
        file.seek(0)
        for identity, content_bytes in _ebml_elements(file):
            if identity in (_TICK, _CLUSTER_TICKS):
                value = int.from_bytes(file.read(min(8, content_bytes or 0)), 'big')
                if identity == _CLUSTER_TICKS:
                    return value * tick_ns * 1e-9
                tick_ns = value
    return 0.0


def _ebml_elements(file: BinaryIO) -> Iterator[tuple[bytes, int | None]]:
    """Yield the ID and size of elements and of elements inside; size None if unknown."""
    while (identity := _ebml_bytes(file)) and (size := _ebml_bytes(file)):
        # The first set bit of a size gives its length. All ones mean an unknown size.
        mask = (1 << 7 * len(size)) - 1
        content_bytes = int.from_bytes(size, 'big') & mask
        begin = file.tell()
        yield identity, None if content_bytes == mask else content_bytes
        if identity not in (_SEGMENT, _INFO, _CLUSTER):
            file.seek(begin + content_bytes)


def _ebml_bytes(file: BinaryIO) -> bytes:
    """
    Read a number of variable length; empty if there is none.

    The count of leading zeros in its first byte is the count of the bytes that follow.
    """
    first = file.read(1)
    return first + file.read(8 - first[0].bit_length()) if first and first[0] else b''


def _opens_as_video(path: str | int) -> bool:
    video = cv2.VideoCapture(path)
    try:
        # This backend would open similarly named images as a sequence.
        return video.isOpened() and video.getBackendName() != 'CV_IMAGES'
    finally:
        video.release()
