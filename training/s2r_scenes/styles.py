"""Abstract style images for stage 1, in place of a collection of paintings."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from scipy.spatial import cKDTree

from s2r_depth_ros.jobs.run import run_jobs

from . import write


def render_styles(
    out: Path, count: int = 2000, size_px: int = 256, seed: int = 0, workers: int | None = None
) -> None:
    """
    Paint abstract style images (strokes, cells, noise, glass, dabs, gradients, hatching) as JPEG.

    The same settings give the same files, with any number of workers. The same command continues
    an interrupted run.

    :param out: output folder, without subfolders; new, or begun with the same settings.
    :param count: number of images.
    :param size_px: width and height.
    :param seed: seed of all random numbers.
    :param workers: processes; all cores by default.
    :raises ValueError: if settings are invalid, or the folder was begun with other settings.
    """
    for name, value, least in (
        ('count', count, 1),
        ('size_px', size_px, 32),
        ('seed', seed, 0),
        ('workers', 1 if workers is None else workers, 1),
    ):
        if value < least:
            raise ValueError(f'{name} must be at least {least}, not {value}')
    if size_px > 8192:
        raise ValueError(f'size_px must be at most 8192, not {size_px}')
    out = Path(out)
    write.claim_folder(out, {'size_px': size_px, 'seed': seed}, 'styles.json', '*.jpg')
    run_jobs(
        functools.partial(_write_style, out, size_px, seed),
        [f'{number:05d}.jpg' for number in range(count)],
        lambda name: (out / name).exists(),
        workers,
        unit='image',
        desc='styles',
    )


def _write_style(out: Path, size_px: int, seed: int, name: str) -> None:
    picture = paint_style(np.random.default_rng([seed, int(Path(name).stem)]), size_px)
    jpeg = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    write.write_atomically(out / name, jpeg.tobytes())


def paint_style(rng: Generator, size_px: int) -> np.ndarray:
    """
    Paint one style image.

    :returns: (size_px, size_px, 3) uint8 RGB.
    """
    palette = _palette(rng)
    painters = [_strokes, _cells, _marbling, _glass, _dabs, _gradient, _hatching]
    picture = painters[rng.integers(len(painters))](rng, size_px, palette)
    if rng.random() < 0.4:  # a second hand on the same canvas
        other = painters[rng.integers(len(painters))](rng, size_px, palette)
        share = np.clip(4 * (_noise(rng, size_px, 2) - 0.5) + 0.5, 0, 1)[..., None]
        picture = picture * share + other * (1 - share)
    if rng.random() < 0.5:  # the weave of the canvas
        weave = rng.normal(0, rng.uniform(0.01, 0.06), (size_px, size_px, 1))
        picture = picture * (1 + cv2.GaussianBlur(weave, (0, 0), 0.7)[..., None])
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _palette(rng: Generator) -> np.ndarray:
    """Draw three to eight colours that go together, (K, 3) float32."""
    count = int(rng.integers(3, 9))
    centre, spread = rng.random(), rng.choice([0.03, 0.12, 0.5])
    hue = (centre + spread * rng.uniform(-1, 1, count)) % 1
    if rng.random() < 0.3:
        hue[::2] = (hue[::2] + 0.5) % 1  # complementary
    low, high = ((0, 0.3), (0.2, 0.7), (0.5, 1))[rng.integers(3)]
    saturation = rng.uniform(low, high, count)
    low, high = ((0.05, 0.6), (0.2, 1), (0.5, 1))[rng.integers(3)]
    value = rng.uniform(low, high, count)
    hsv = np.stack([360 * hue, saturation, value], -1).astype(np.float32)[None]
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]


def _noise(rng: Generator, size_px: int, cells: int) -> np.ndarray:
    """Sum octaves of smooth noise, the coarsest with ``cells`` cells across; about [0, 1]."""
    total = np.zeros((size_px, size_px), np.float32)
    for octave in range(5):
        grid = rng.random((min(size_px, cells * 2**octave) + 1,) * 2).astype(np.float32)
        total += cv2.resize(grid, (size_px, size_px), interpolation=cv2.INTER_CUBIC) / 2**octave
    return (total - total.min()) / max(float(np.ptp(total)), 1e-6)


def _ramp(palette: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Map [0, 1] smoothly onto the colours of the palette."""
    place = np.clip(share, 0, 1) * (len(palette) - 1)
    low = np.minimum(place.astype(int), len(palette) - 2)
    rest = (place - low)[..., None]
    return palette[low] * (1 - rest) + palette[low + 1] * rest


def _strokes(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """Brush strokes that follow a flow."""
    canvas = np.ascontiguousarray(np.broadcast_to(palette[0], (size_px, size_px, 3)))
    flow = _noise(rng, size_px, int(rng.integers(1, 5))) * 4 * np.pi
    length, width = (
        rng.uniform(0.04, 0.3) * size_px,
        max(1, int(rng.uniform(0.004, 0.05) * size_px)),
    )
    for x, y in rng.uniform(0, size_px, (int(rng.integers(300, 1500)), 2)):
        angle = flow[int(y), int(x)] + rng.normal(0, 0.2)
        tip = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        shade = palette[rng.integers(len(palette))] * rng.uniform(0.8, 1.15)
        cv2.line(canvas, (int(x), int(y)), tip, shade.tolist(), width, cv2.LINE_AA)
    return canvas


def _seeds(rng: Generator, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel its nearest seed and the distance to the border between seeds."""
    count = int(rng.integers(20, 250))
    spots = rng.random((count, 2)) * size_px
    grid = np.indices((size_px, size_px)).reshape(2, -1).T
    distance, nearest = cKDTree(spots).query(grid, k=2)
    border = distance[:, 1] - distance[:, 0]
    return nearest[:, 0].reshape(size_px, size_px), border.reshape(size_px, size_px)


def _cells(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    nearest, border = _seeds(rng, size_px)
    colours = palette[rng.integers(len(palette), size=nearest.max() + 1)]
    shade = 1 - rng.uniform(0, 0.6) * np.exp(-border / (0.02 * size_px))
    return colours[nearest] * shade[..., None]


def _glass(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """Stained glass: bright panes between leads."""
    nearest, border = _seeds(rng, size_px)
    colours = palette[rng.integers(len(palette), size=nearest.max() + 1)] * 1.3
    picture = colours[nearest] * (0.6 + 0.6 * _noise(rng, size_px, 4))[..., None]
    picture[border < rng.uniform(1.5, 5)] = rng.choice([0.03, 0.95])
    return picture


def _marbling(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """Noise bent by noise, mapped onto the palette, smooth or in flat bands."""
    base = _noise(rng, size_px, int(rng.integers(2, 7)))
    bend = rng.uniform(0, 0.3) * size_px
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    bent = cv2.remap(
        base,
        x + bend * _noise(rng, size_px, 3),
        y + bend * _noise(rng, size_px, 3),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    if rng.random() < 0.5:
        bent = np.floor(bent * 7) / 7
    return _ramp(palette, bent)


def _dabs(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """Dots of paint over broad areas, as pointillists set them."""
    areas = _noise(rng, size_px, int(rng.integers(1, 5)))
    canvas = np.ascontiguousarray(_ramp(palette, areas), np.float32)
    radius = max(1, int(rng.uniform(0.006, 0.03) * size_px))
    for x, y in rng.integers(0, size_px, (int(rng.integers(800, 3000)), 2)):
        place = areas[y, x] + rng.normal(0, 0.15)
        shade = palette[int(np.clip(place, 0, 0.999) * len(palette))] * rng.uniform(0.8, 1.2)
        cv2.circle(canvas, (int(x), int(y)), radius, shade.tolist(), -1, cv2.LINE_AA)
    return canvas


def _gradient(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """A gradient with flat shapes over it."""
    y, x = np.mgrid[0:size_px, 0:size_px] / size_px
    angle = rng.uniform(0, 2 * np.pi)
    share = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5
    canvas = np.ascontiguousarray(_ramp(palette, share), np.float32)
    for _ in range(rng.integers(0, 25)):
        shade = palette[rng.integers(len(palette))].tolist()
        if rng.random() < 0.5:
            corners = rng.integers(0, size_px, (int(rng.integers(3, 6)), 2)).astype(np.int32)
            cv2.fillPoly(canvas, [corners], shade, cv2.LINE_AA)
        else:
            centre = tuple(int(v) for v in rng.integers(0, size_px, 2))
            cv2.circle(
                canvas, centre, int(rng.uniform(0.02, 0.25) * size_px), shade, -1, cv2.LINE_AA
            )
    return canvas


def _hatching(rng: Generator, size_px: int, palette: np.ndarray) -> np.ndarray:
    """Pen lines in a few directions, denser where a drawing would be darker."""
    tone = _noise(rng, size_px, int(rng.integers(2, 6)))
    picture = np.broadcast_to(palette.max(0), (size_px, size_px, 3)).astype(np.float32)
    ink = palette[palette.sum(1).argmin()] * 0.6
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    period = rng.uniform(0.012, 0.05) * size_px
    for level in (0.75, 0.55, 0.35):
        angle = rng.uniform(0, np.pi)
        wobble = 0.02 * size_px * _noise(rng, size_px, 4)
        line = np.abs(((x * np.cos(angle) + y * np.sin(angle) + wobble) / period) % 1 - 0.5) < 0.13
        picture = np.where((line & (tone < level))[..., None], ink, picture)
    return picture
