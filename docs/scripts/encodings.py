"""
Write docs/reference/encodings.md: `python docs/scripts/encodings.py`.

Each reader gets the same four colours in each encoding, without and with padded rows. Without ROS
the column of cv_bridge is left out. OpenCV reads only compressed images.
"""

from array import array
from collections.abc import Callable
from importlib.metadata import version
import importlib.util
from pathlib import Path

import cv2
import numpy as np

from s2r_depth_ros.ros.message_types import CompressedImage, Image
from s2r_depth_ros.ros.messages import compressed_to_rgb, image_to_rgb, MessageError

TARGET = Path(__file__).parents[1] / 'reference' / 'encodings.md'
SIDE_PX = 8
RGB = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
RGB[:4, :4], RGB[:4, 4:], RGB[4:, :4], RGB[4:, 4:] = (
    (200, 30, 40),
    (30, 180, 50),
    (40, 60, 210),
    (128, 128, 128),
)
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
TOLERANCE = 6  # of 255; inside the four fields
INSIDE = np.s_[[1, 1, 6, 6], [1, 6, 1, 6]]
PADDING = 5  # bytes, no multiple of a pixel


def yuv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W) Y and (H, W, 2) U and V, ITU-R BT.601 in video range."""
    planes = (
        rgb.astype(float)
        / 255
        @ np.array(
            [[65.481, -37.797, 112.0], [128.553, -74.203, -93.786], [24.966, 112.0, -18.214]]
        )
    )
    planes = (planes + (16, 128, 128)).round().astype(np.uint8)
    return planes[..., 0], planes[..., 1:]


def packed(luma_first: bool) -> np.ndarray:
    """Return 4:2:2 rows, (H, 2 W)."""
    luma, chroma = yuv(RGB)
    pair = np.where(np.arange(SIDE_PX) % 2, chroma[..., 1], chroma[..., 0])
    order = (luma, pair) if luma_first else (pair, luma)
    return np.dstack(order).reshape(SIDE_PX, -1)


def bayer(pattern: str) -> np.ndarray:
    """Return a mosaic, (H, W)."""
    channels = ['rgb'.index(letter) for letter in pattern]
    rows, columns = np.indices((SIDE_PX, SIDE_PX))
    channel = np.array(channels)[rows % 2 * 2 + columns % 2]
    return np.take_along_axis(RGB, channel[..., None], axis=2)[..., 0]


def planar(kind: str) -> np.ndarray:
    """Return Y, and below it interleaved chroma, as rows of W bytes."""
    luma, chroma = yuv(RGB)
    if kind != 'nv24':
        chroma = chroma[::2, ::2]
    if kind == 'nv21':
        chroma = chroma[..., ::-1]
    return np.vstack((luma, chroma.reshape(-1, SIDE_PX)))


def wide(pixels: np.ndarray) -> np.ndarray:
    """Return 8-bit values as 16-bit ones of the same meaning."""
    return pixels.astype(np.uint16) * 257


def raw_images() -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Return of each encoding its rows, (rows, bytes) uint8, and the colours that they mean."""
    alpha = np.full((SIDE_PX, SIDE_PX, 1), 255, np.uint8)
    grey_rgb = np.dstack([GREY] * 3)
    bgr = RGB[..., ::-1]
    colors = {
        'rgb8': RGB,
        'bgr8': bgr,
        'rgba8': np.dstack((RGB, alpha)),
        'bgra8': np.dstack((bgr, alpha)),
        '8UC3': bgr,
        '8UC4': np.dstack((bgr, alpha)),
        'rgb16': wide(RGB),
        'bgr16': wide(bgr),
        '16UC3': wide(bgr),
        'yuv422': packed(False),
        'uyvy': packed(False),
        'yuv422_yuy2': packed(True),
        'yuyv': packed(True),
        'nv12': planar('nv12'),
        'nv21': planar('nv21'),
        'nv24': planar('nv24'),
        **{f'bayer_{pattern}8': bayer(pattern) for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
        **{
            f'bayer_{pattern}16': wide(bayer(pattern))
            for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')
        },
    }
    grey = {
        'mono8': GREY,
        '8UC1': GREY,
        'mono16': wide(GREY),
        '16UC1': wide(GREY),
        '32FC1': GREY.astype(np.float32),
    }
    depth = ('16UC1', '32FC1')
    return {
        **{name: (as_rows(pixels), RGB) for name, pixels in colors.items()},
        **{
            name: (as_rows(pixels), None if name in depth else grey_rgb)
            for name, pixels in grey.items()
        },
    }


def as_rows(pixels: np.ndarray) -> np.ndarray:
    """Return the bytes of each row."""
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)


def message(encoding: str, rows: np.ndarray, padding: int) -> Image:
    """Return an image message whose rows have so many bytes more than they need."""
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    if encoding == 'nv24' and padding:  # a row of chroma is as long as two steps
        luma, chroma = rows[:SIDE_PX], rows[SIDE_PX:].reshape(SIDE_PX, -1)
        padded = np.vstack(
            (
                np.pad(luma, ((0, 0), (0, padding)), constant_values=255),
                np.pad(chroma, ((0, 0), (0, 2 * padding)), constant_values=255).reshape(
                    2 * SIDE_PX, -1
                ),
            )
        )
    image = Image(height=SIDE_PX, width=SIDE_PX, encoding=encoding, step=padded.shape[1])
    image.data = array('B', padded.tobytes())
    return image


def compressed_images() -> dict[str, tuple[CompressedImage, np.ndarray | None]]:
    """Return messages of the plugins compressed and compressedDepth, and what they mean."""
    bgr, grey_rgb = RGB[..., ::-1], np.dstack([GREY] * 3)
    made = {}
    for form, suffix, pixels, meaning in (
        ('bgr8; jpeg compressed bgr8', '.jpg', np.repeat(np.repeat(bgr, 8, 0), 8, 1), RGB),
        ('bgr8; png compressed bgr8', '.png', bgr, RGB),
        ('mono8; png compressed ', '.png', GREY, grey_rgb),
        ('mono16; png compressed ', '.png', wide(GREY), grey_rgb),
        ('16UC1; png compressed ', '.png', wide(GREY), None),
        ('16UC1; compressedDepth png', '.png', wide(GREY), None),
    ):
        data = cv2.imencode(suffix, pixels)[1]
        if 'compressedDepth' in form:  # which puts twelve bytes before the file
            data = np.concatenate((np.zeros(12, np.uint8), data))
        image = CompressedImage(format=form)
        image.data = array('B', data.tobytes())
        made[form.strip()] = image, meaning
    return made


def verdict(read: Callable | None, image: Image | CompressedImage, meaning) -> str:
    """
    Return in a word or two what a reader makes of an image.

    :param read: the reader, None if it does not read this kind of message.
    :param image: the message.
    :param meaning: (H, W, 3) uint8 RGB; None if it is depth, which is no picture.
    """
    if read is None:
        return ''
    try:
        pixels = np.asarray(read(image))
    except MessageError as error:
        return f'refused: {error.cause}'
    except Exception as error:  # whatever a reader raises is its answer
        return f'refused ({type(error).__name__})'
    if meaning is None:
        return f'**read as a picture** of {8 * pixels.dtype.itemsize} bits'
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        return f'another shape, {pixels.shape}'
    scale = len(pixels) // SIDE_PX
    fields = pixels[::scale, ::scale][:SIDE_PX, :SIDE_PX][INSIDE].astype(int)
    off = int(np.abs(fields - meaning[INSIDE]).max())
    swapped = int(np.abs(fields[:, ::-1] - meaning[INSIDE]).max())
    if off <= TOLERANCE:
        return 'right'
    return 'red and blue swapped' if swapped <= TOLERANCE else '**wrong**'


def readers() -> dict[str, tuple[Callable | None, Callable | None]]:
    """Return how each reader makes RGB of a raw and of a compressed message; None if it cannot."""
    found: dict[str, tuple[Callable | None, Callable | None]] = {
        'this package': (image_to_rgb, compressed_to_rgb)
    }
    if importlib.util.find_spec('cv_bridge'):
        from cv_bridge import CvBridge

        bridge = CvBridge()
        found['cv_bridge'] = (
            lambda msg: bridge.imgmsg_to_cv2(msg, 'rgb8'),
            lambda msg: bridge.compressed_imgmsg_to_cv2(msg, 'rgb8'),
        )
    from rosbags.image import compressed_image_to_cvimage, image_to_cvimage

    found[f'rosbags-image {version("rosbags-image")}'] = (
        lambda msg: image_to_cvimage(msg, 'rgb8'),
        lambda msg: compressed_image_to_cvimage(msg, 'rgb8'),
    )
    found[f'OpenCV {cv2.__version__}'] = (
        None,
        lambda msg: cv2.imdecode(np.frombuffer(msg.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1],
    )
    return found


def table() -> list[list[str]]:
    """Return the rows of the table; the first has the names of the readers."""
    columns = readers()
    rows = [['encoding', *columns]]
    for encoding, (pixels, meaning) in raw_images().items():
        answers = [
            [
                verdict(read, message(encoding, pixels, padding), meaning)
                for padding in (0, PADDING)
            ]
            for read, _ in columns.values()
        ]
        rows.append([f'`{encoding}`', *(' / '.join(dict.fromkeys(each)) for each in answers)])
    for form, (image, meaning) in compressed_images().items():
        rows.append(
            [f'`{form}`', *(verdict(read, image, meaning) for _, read in columns.values())]
        )
    return rows


def grouped(rows: list[list[str]]) -> list[list[str]]:
    """Return one row for all encodings with the same answers."""
    encodings: dict[tuple[str, ...], list[str]] = {}
    for encoding, *answers in rows:
        encodings.setdefault(tuple(answers), []).append(encoding)
    return [[', '.join(names), *answers] for answers, names in encodings.items()]


def main() -> None:
    """Write the page."""
    head, *rows = table()
    lines = [
        '# Image encodings',
        '',
        'The table shows which encodings this package reads, and what other readers make of them. '
        'Each reader\nconverts a test image of four colours to RGB. A result after a slash is for '
        'rows with padding, if it\ndiffers. For a refused image, the cell names the cause or the '
        'exception.',
        '',
        '`8UC3`, `8UC4` and `16UC3` count as BGR. `16UC1` and `32FC1` are depth, not colour.',
        '',
        f'| {" | ".join(head)} |',
        '| -- ' * len(head) + '|',
        *(f'| {" | ".join(row)} |' for row in grouped(rows)),
        '',
        '`python docs/scripts/encodings.py` writes this page. With a ROS installation, it adds a '
        'column for\ncv_bridge.',
    ]
    TARGET.write_text('\n'.join(lines) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
