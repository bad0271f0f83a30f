"""Procedural textures: one array of layers that every scene of a library shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import functools
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

SIZE_PX = 256
PLAIN = 0  # the layer of plain white, the same in every library
SCENES_PER_LIBRARY = 200  # then the next library: new textures at little cost


class Library(NamedTuple):
    """
    Texture layers and what each of them shows.

    ``images`` is (L, SIZE_PX, SIZE_PX, 4) uint8 RGBA, row 0 at v = 0; alpha below one half is a
    hole.
    ``kinds`` maps a kind of surface ('brick', 'leaves'...) to its layer numbers.
    """

    images: np.ndarray
    kinds: dict[str, list[int]]

    def pick(self, rng: Generator, *kinds: str) -> int:
        """Draw the number of one layer of one of the kinds."""
        layers = self.kinds[kinds[rng.integers(len(kinds))]]
        return layers[rng.integers(len(layers))]


def fractal(rng: Generator, slope: float, stretch: float = 1.0) -> np.ndarray:
    """
    Tileable noise whose amplitude spectrum falls as 1 / frequency ** slope.

    :param slope: 0 is white noise, 1 to 1.5 stains and clouds, 2 soft hills.
    :param stretch: above 1 the grain runs along v, below 1 along u.
    :returns: (SIZE_PX, SIZE_PX) float32 in [0, 1], mean about 0.5.
    """
    fy = np.fft.fftfreq(SIZE_PX)[:, None] * SIZE_PX * np.sqrt(stretch)
    fx = np.fft.rfftfreq(SIZE_PX)[None] * SIZE_PX / np.sqrt(stretch)
    radius = np.maximum(np.hypot(fy, fx), 1.0)
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE_PX, SIZE_PX))) / radius**slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum)
    return np.clip(0.5 + noise / (5 * noise.std()), 0, 1).astype(np.float32)


def colour(
    rng: Generator,
    saturation: tuple[float, float],
    value: tuple[float, float],
    hue: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Draw an RGB colour, (3,) float32 in [0, 1], from ranges of HSV, each in shares of one."""
    hsv = np.array(
        [[[360 * (rng.uniform(*hue) % 1), rng.uniform(*saturation), rng.uniform(*value)]]],
        np.float32,
    )
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def _grained(base: np.ndarray, *layers: tuple[np.ndarray, float]) -> np.ndarray:
    """Multiply a colour or picture by noise layers, each with its strength."""
    picture = np.array(np.broadcast_to(base, (SIZE_PX, SIZE_PX, 3)), np.float32, order='C')
    for noise, strength in layers:
        picture *= 1 + strength * (2 * noise[..., None] - 1)
    return picture


def _stained(rng: Generator, picture: np.ndarray, strength: float = 0.3) -> np.ndarray:
    """Add rain streaks and blotches, as on outdoor walls."""
    streaks = fractal(rng, 1.2, stretch=rng.uniform(1, 30))
    blotches = fractal(rng, 1.6)
    return _grained(picture, (streaks, strength * rng.random()), (blotches, strength))


def _blocks(
    rng: Generator,
    rows: int,
    columns: int,
    base: np.ndarray,
    *,
    shift: float,
    joint: np.ndarray,
    joint_px: float,
    spread: float,
) -> np.ndarray:
    """
    Lay rows of blocks (bricks, tiles, planks, paving) of varying shade between joints.

    :param shift: offset of every second row as a share of a block.
    :param spread: relative difference of brightness from block to block.
    """
    v, u = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32) / SIZE_PX
    row = np.floor(v * rows).astype(int)
    across = u * columns + shift * (row % 2)
    column = np.floor(across).astype(int) % columns
    shades = 1 + spread * rng.standard_normal((rows, columns, 1)).astype(np.float32)
    tints = 1 + 0.3 * spread * rng.standard_normal((rows, columns, 3)).astype(np.float32)
    picture = base * (shades * tints)[row, column]
    edge_v = np.abs(v * rows - np.round(v * rows)) * SIZE_PX / rows
    edge_u = np.abs(across - np.round(across)) * SIZE_PX / columns
    in_joint = np.minimum(edge_u, edge_v) < joint_px
    picture = np.where(in_joint[..., None], joint, picture)
    return _grained(picture, (fractal(rng, 0.4), 0.15), (fractal(rng, 1.2), 0.15))


def _asphalt(rng: Generator) -> np.ndarray:
    picture = _grained(
        colour(rng, (0, 0.1), (0.32, 0.62), (0.05, 0.7)),
        (fractal(rng, 0), 0.25),
        (fractal(rng, 0.5), 0.15),
        (fractal(rng, 1.5), 0.15),
    )
    if rng.random() < 0.5:  # cracks, sealed with tar
        crack = np.abs(fractal(rng, 1.7) - 0.5) < rng.uniform(0.002, 0.006)
        picture[crack] *= 0.6
    for _ in range(rng.integers(0, 3)):  # repaired trenches
        x, y = rng.integers(0, SIZE_PX - 60, 2)
        width, height = rng.integers(20, 120, 2)
        picture[y : y + height, x : x + width] *= rng.uniform(0.7, 1.1)
    return picture


def _plaster(rng: Generator) -> np.ndarray:
    base = (
        colour(rng, (0, 0.3), (0.6, 1.0), (0.03, 0.17))
        if rng.random() < 0.75
        else colour(rng, (0, 0.25), (0.5, 1.0))
    )
    return _stained(rng, _grained(base, (fractal(rng, 0.3), 0.08)), rng.uniform(0.05, 0.35))


def _concrete(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.12), (0.45, 0.8), (0.05, 0.2))
    return _stained(rng, _grained(base, (fractal(rng, 0.3), 0.15)), 0.4)


def _brick(rng: Generator) -> np.ndarray:
    columns = int(rng.integers(4, 9))
    base = colour(rng, (0.15, 0.65), (0.3, 0.75), (0.0, 0.1))
    joint = colour(rng, (0, 0.15), (0.3, 0.8), (0.05, 0.15))
    return _stained(
        rng,
        _blocks(
            rng,
            2 * int(rng.integers(4, 10)),
            columns,
            base,
            shift=0.5,
            joint=joint,
            joint_px=1.5,
            spread=rng.uniform(0.05, 0.2),
        ),
        0.2,
    )


def _stone(rng: Generator) -> np.ndarray:
    count = int(rng.integers(30, 120))
    centres = rng.random((count, 2)) * SIZE_PX
    v, u = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32)
    wrap = SIZE_PX / 2 - np.abs(SIZE_PX / 2 - np.abs(np.stack([v, u], -1)[:, :, None] - centres))
    distance = np.hypot(wrap[..., 0], wrap[..., 1])
    nearest_two = np.partition(distance, 1, axis=-1)
    stones = (1 + 0.2 * rng.standard_normal((count, 1)))[distance.argmin(-1)]
    base = colour(rng, (0, 0.25), (0.35, 0.75), (0.05, 0.15))
    picture = _grained(base * stones, (fractal(rng, 0.8), 0.3))
    picture[nearest_two[..., 1] - nearest_two[..., 0] < 2.5] *= rng.uniform(0.4, 0.8)
    return picture


def _tiles(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.2) if rng.random() < 0.6 else (0.2, 0.7), (0.4, 0.95))
    rows = int(rng.choice([2, 4, 8, 16]))
    return _blocks(
        rng,
        rows,
        int(rng.choice([2, 4, 8, 16])),
        base,
        shift=0,
        joint=base * rng.uniform(0.5, 1.1),
        joint_px=1.2,
        spread=rng.uniform(0.01, 0.25),
    )


def _paving(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.2), (0.4, 0.75), (0.0, 0.15))
    picture = _blocks(
        rng,
        2 * int(rng.integers(2, 7)),
        int(rng.integers(3, 9)),
        base,
        shift=rng.choice([0, 0.5]),
        joint=base * 0.55,
        joint_px=1.2,
        spread=rng.uniform(0.02, 0.12),
    )
    return _grained(picture, (fractal(rng, 1.3), 0.2))


def _roof(rng: Generator) -> np.ndarray:
    base = colour(rng, (0.1, 0.6), (0.25, 0.65), (0.0, 0.07))
    picture = _blocks(rng, 16, 16, base, shift=0.5, joint=base * 0.5, joint_px=1, spread=0.1)
    return _stained(rng, picture, 0.3)


def _siding(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.15) if rng.random() < 0.6 else (0.1, 0.5), (0.35, 0.95))
    picture = _blocks(
        rng,
        int(rng.integers(6, 20)),
        1,
        base,
        shift=0,
        joint=base * 0.6,
        joint_px=1.2,
        spread=0.03,
    )
    picture = np.swapaxes(picture, 0, 1) if rng.random() < 0.5 else picture
    return _stained(rng, picture, 0.2)


def _wood(rng: Generator) -> np.ndarray:
    base = colour(rng, (0.25, 0.65), (0.3, 0.85), (0.04, 0.11))
    grain = fractal(rng, 1.2, stretch=1 / rng.uniform(20, 80))
    rings = 0.5 + 0.5 * np.sin(40 * fractal(rng, 2.0, stretch=0.1))
    return _grained(base, (grain, 0.35), (rings, 0.1), (fractal(rng, 1.5), 0.1))


def _parquet(rng: Generator) -> np.ndarray:
    base = colour(rng, (0.2, 0.65), (0.3, 0.85), (0.04, 0.11))
    picture = _blocks(
        rng,
        int(rng.integers(4, 14)),
        int(rng.integers(1, 4)),
        base,
        shift=0.4,
        joint=base * 0.6,
        joint_px=0.8,
        spread=rng.uniform(0.04, 0.15),
    )
    return _grained(picture, (fractal(rng, 1.1, stretch=0.02), 0.3))


def _grass(rng: Generator) -> np.ndarray:
    fresh = colour(rng, (0.25, 0.6), (0.3, 0.55), (0.18, 0.3))
    dry = colour(rng, (0.2, 0.5), (0.4, 0.65), (0.1, 0.16))
    share = fractal(rng, 1.2)[..., None] * rng.uniform(0.3, 1.4)
    return _grained(
        fresh * (1 - share) + dry * share, (fractal(rng, 0.1), 0.5), (fractal(rng, 0.8), 0.3)
    )


def _soil(rng: Generator) -> np.ndarray:
    base = colour(rng, (0.1, 0.4), (0.35, 0.65), (0.05, 0.12))
    return _grained(base, (fractal(rng, 0.4), 0.4), (fractal(rng, 1.3), 0.3))


def _ballast(rng: Generator) -> np.ndarray:
    """Draw a railway track from above: sleepers across, two rails along u."""
    picture = _soil(rng) * 0.7
    for start in range(0, SIZE_PX, SIZE_PX // 8):
        picture[40:216, start : start + 12] = colour(rng, (0.05, 0.3), (0.3, 0.5), (0.05, 0.1))
    for row in (72, 178):
        picture[row - 5 : row + 6] = picture[row - 5 : row + 6] * 0.3
        picture[row - 1 : row + 2] = (0.7, 0.68, 0.66)
    return picture


def _leaf_picture(rng: Generator, count: int, spread_px: float) -> np.ndarray:
    """Draw leaves scattered about the middle; RGBA uint8, transparent elsewhere."""
    hue = (0.17, 0.32) if rng.random() < 0.8 else (0.0, 0.17)
    base = colour(rng, (0.2, 0.55), (0.25, 0.6), hue)
    picture = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
    picture[..., :3] = base * 0.7 * 255
    length_px = rng.uniform(5, 16)
    slim = rng.uniform(0.25, 0.6)
    centres = np.clip(SIZE_PX / 2 + spread_px * rng.standard_normal((count, 2)), 12, SIZE_PX - 13)
    for centre, shade, angle in zip(
        centres, rng.uniform(0.45, 1.3, count), rng.uniform(0, 360, count)
    ):
        rgb = np.clip(base * shade * (1, 1, rng.uniform(0.6, 1.1)), 0, 1) * 255
        cv2.ellipse(
            picture,
            (int(centre[0]), int(centre[1])),
            (int(length_px), max(2, int(length_px * slim))),
            angle,
            0,
            360,
            (*rgb.tolist(), 255),
            -1,
        )
    return picture


def _leaves(rng: Generator) -> np.ndarray:
    return _leaf_picture(rng, int(rng.integers(250, 650)), rng.uniform(48, 66))


def _hedge(rng: Generator) -> np.ndarray:
    picture = _leaf_picture(rng, 900, 200)[..., :3] / np.float32(255)
    return np.roll(_grained(picture, (fractal(rng, 0.8), 0.3)), SIZE_PX // 2, (0, 1))


def _metal(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.1), (0.45, 0.85), (0.5, 0.7))
    return _grained(base, (fractal(rng, 0.7, stretch=0.02), 0.15), (fractal(rng, 1.4), 0.2))


def _scribble(rng: Generator, picture: np.ndarray, count: int) -> np.ndarray:
    """Draw random flat shapes and words on a picture (float RGB), in place of a photograph."""
    for _ in range(count):
        rgb = colour(rng, (0, 1), (0.05, 1)).tolist()
        a, b = (tuple(int(x) for x in rng.integers(0, SIZE_PX, 2)) for _ in range(2))
        thickness = int(rng.integers(1, 14))
        form = rng.integers(6)
        if form == 0:
            cv2.rectangle(picture, a, b, rgb, -1)
        elif form == 1:
            cv2.circle(picture, a, int(rng.integers(5, 70)), rgb, -1, cv2.LINE_AA)
        elif form == 2:
            cv2.line(picture, a, b, rgb, thickness, cv2.LINE_AA)
        elif form == 3:
            cv2.ellipse(
                picture,
                a,
                (int(rng.integers(8, 90)), int(rng.integers(8, 90))),
                float(rng.uniform(0, 180)),
                0,
                float(rng.uniform(90, 360)),
                rgb,
                thickness,
                cv2.LINE_AA,
            )
        elif form == 4:
            corners = rng.integers(0, SIZE_PX, (int(rng.integers(3, 6)), 2)).astype(np.int32)
            cv2.fillPoly(picture, [corners], rgb, cv2.LINE_AA)
        else:
            word = ''.join(
                rng.choice(list('ABCDEFGHIKLMNOPRSTUVWXZ0123456789'), rng.integers(2, 8))
            )
            _write(
                picture,
                word,
                (a[0] // 2, max(20, a[1])),
                cv2.FONT_HERSHEY_DUPLEX,
                float(rng.uniform(0.5, 3)),
                rgb,
                max(1, thickness // 2),
            )
    return picture


def _write(
    picture: np.ndarray,
    text: str,
    at: tuple[int, int],
    font: int,
    size: float,
    rgb: Sequence[float],
    thickness: int,
) -> None:
    """Write on a picture of floats, which OpenCV 5 itself does only on one of bytes."""
    letters = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(letters, text, at, font, size, 255, thickness)
    picture[letters > 0] = rgb


def _poster(rng: Generator) -> np.ndarray:
    """Draw a flat picture: a landscape, a text page or shapes."""
    v = np.linspace(0, 1, SIZE_PX, dtype=np.float32)[:, None, None]
    top, bottom = colour(rng, (0, 0.8), (0.2, 1)), colour(rng, (0, 0.8), (0.1, 1))
    picture = np.ascontiguousarray(
        np.broadcast_to(top * (1 - v) + bottom * v, (SIZE_PX, SIZE_PX, 3)), np.float32
    )
    style = rng.integers(3)
    if style == 0:  # ridges, one before the other
        for share in np.sort(rng.uniform(0.2, 0.9, rng.integers(2, 5))):
            ridge = (share + 0.4 * (fractal(rng, 1.8)[0] - 0.5)) * SIZE_PX
            picture[np.arange(SIZE_PX)[:, None] > ridge] = colour(rng, (0, 0.7), (0.1, 0.9))
        return _scribble(rng, picture, int(rng.integers(0, 4)))
    if style == 1:  # lines of print
        picture[:] = colour(rng, (0, 0.1), (0.8, 1))
        ink = colour(rng, (0, 1), (0, 0.4))
        for row in range(60, SIZE_PX - 20, int(rng.integers(9, 18))):
            picture[row : row + 4, 20 : int(rng.integers(120, 240))] = ink
        return _scribble(rng, picture, int(rng.integers(1, 4)))
    return _scribble(rng, picture, int(rng.integers(4, 16)))


def _graffiti(rng: Generator) -> np.ndarray:
    return _scribble(rng, _plaster(rng), int(rng.integers(3, 10)))


def _sign(rng: Generator) -> np.ndarray:
    picture = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
    rim, face = (
        [(200, 20, 30, 255), (250, 250, 250, 255)],
        [(20, 70, 170, 255), (245, 205, 30, 255)],
    )
    back, front = (rim, face)[rng.integers(2)]
    form = rng.integers(3)
    for shrink, fill in ((1.0, back), (0.72, front)):
        radius = int(120 * shrink)
        if form == 0:
            cv2.circle(picture, (128, 128), radius, fill, -1)
        else:
            corners = 3 if form == 1 else 4
            angles = 2 * np.pi * np.arange(corners) / corners - np.pi / (2 if form == 1 else 4)
            points = 128 + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
            cv2.fillPoly(picture, [points.astype(np.int32)], fill)
    cv2.putText(
        picture,
        str(rng.integers(3, 90)),
        (75, 160),
        cv2.FONT_HERSHEY_DUPLEX,
        2.6,
        (20, 20, 20, 255),
        8,
    )
    return picture


def _window(rng: Generator) -> np.ndarray:
    """Draw a window seen from outside: frame, panes, perhaps curtains or a blind."""
    frame = colour(rng, (0, 0.4), (0.2, 1.0))
    picture = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    picture[:] = frame
    glass = _grained(colour(rng, (0.05, 0.3), (0.06, 0.45), (0.5, 0.65)), (fractal(rng, 1.6), 0.6))
    if rng.random() < 0.4:
        edge = int(rng.integers(20, 100))
        glass[:, :edge] = glass[:, -edge:] = colour(rng, (0, 0.2), (0.5, 0.95))
    if rng.random() < 0.25:
        glass[: int(rng.integers(30, 250))] = colour(rng, (0, 0.2), (0.4, 0.9))
    border = int(rng.integers(8, 22))
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    for u in np.linspace(0, SIZE_PX, columns + 1)[:-1].astype(int):
        for v in np.linspace(0, SIZE_PX, rows + 1)[:-1].astype(int):
            pane = np.s_[
                v + border : v + SIZE_PX // rows - border // 2,
                u + border : u + SIZE_PX // columns - border // 2,
            ]
            picture[pane] = glass[pane]
    return picture


def _shopfront(rng: Generator) -> np.ndarray:
    picture = (
        _scribble(
            rng,
            _grained(colour(rng, (0, 0.4), (0.1, 0.5)), (fractal(rng, 1.5), 0.5)),
            int(rng.integers(5, 14)),
        )
        * 0.6
    )
    picture[:50] = colour(rng, (0.1, 0.9), (0.2, 0.95))
    word = ''.join(rng.choice(list('AEIKLMNORSTU'), rng.integers(4, 8)))
    _write(picture, word, (20, 40), cv2.FONT_HERSHEY_TRIPLEX, 1.4, (1.0, 1.0, 1.0), 3)
    for u in range(0, SIZE_PX, SIZE_PX // int(rng.integers(2, 5))):
        picture[50:, u : u + 7] = 0.25
    return picture


def _door(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.7), (0.2, 0.95), (0.0, 0.7))
    picture = _grained(base, (fractal(rng, 1.0, stretch=20), 0.15))
    for v in np.linspace(20, 236, int(rng.integers(2, 5))).astype(int)[:-1]:
        panel = (30, int(v)), (226, int(v) + int(rng.integers(40, 70)))
        cv2.rectangle(
            picture,
            *panel,
            (base * rng.uniform(0.4, 0.85)).tolist(),
            -1 if rng.random() < 0.4 else 4,
        )
    cv2.circle(picture, (28, 134), 8, (0.8, 0.75, 0.6), -1)
    return picture


def _shutter(rng: Generator) -> np.ndarray:
    """Draw a garage door or a container wall: ribs, one colour."""
    base = colour(rng, (0, 0.4), (0.25, 0.95))
    wave = 0.5 + 0.5 * np.sin(np.arange(SIZE_PX) * 2 * np.pi * rng.integers(5, 40) / SIZE_PX)
    ribs = np.broadcast_to(
        wave[:, None] if rng.random() < 0.6 else wave[None], (SIZE_PX, SIZE_PX)
    ).astype(np.float32)
    return _stained(rng, _grained(base, (ribs, 0.2)), 0.15)


def _fence(rng: Generator) -> np.ndarray:
    """Draw a fence of bars, mesh or slats; RGBA with holes."""
    picture = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
    paint = (*(colour(rng, (0, 0.5), (0.1, 0.9)) * 255).tolist(), 255)
    style = rng.integers(3)
    step, bar = int(rng.choice([16, 32, 64])), int(rng.integers(5, 12))
    if style == 0:  # chain link
        for offset in range(-SIZE_PX, 2 * SIZE_PX, 32):
            cv2.line(picture, (offset, 0), (offset + SIZE_PX, SIZE_PX), paint, 4)
            cv2.line(picture, (offset, SIZE_PX), (offset + SIZE_PX, 0), paint, 4)
    else:
        width = bar if style == 1 else int(step * 0.75)
        for u in range(0, SIZE_PX, step):
            cv2.rectangle(picture, (u, 0), (u + width, SIZE_PX), paint, -1)
    for v in (20, 225):
        cv2.rectangle(picture, (0, v), (SIZE_PX, v + 12), paint, -1)
    return picture


def _skyline(rng: Generator) -> np.ndarray:
    """Draw a distant row of trees or roofs, RGBA, the upper part a hole."""
    if rng.random() < 0.7:
        ridge = 120 + 160 * (fractal(rng, 1.1)[0] - 0.5)
        picture: np.ndarray = _hedge(rng) * rng.uniform(0.5, 0.9)
    else:
        ridge = np.repeat(rng.uniform(40, 200, 16), SIZE_PX // 16)
        facade = np.tile(_window(rng) * 0.4 + 0.3, (16, 16, 1))
        picture = cv2.resize(facade, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    solid = np.arange(SIZE_PX)[:, None] > ridge
    return np.dstack([np.clip(picture, 0, 1) * 255, 255 * solid]).astype(np.uint8)


def _vehicle_front(rng: Generator, lamp: tuple[float, float, float]) -> np.ndarray:
    picture = np.ones((SIZE_PX, SIZE_PX, 3), np.float32)
    height = int(rng.integers(70, 120))
    for u in (18, 186):
        cv2.rectangle(picture, (u, height), (u + 52, height + int(rng.integers(25, 60))), lamp, -1)
    cv2.rectangle(picture, (86, height + 10), (170, height + 45), (0.1, 0.1, 0.1), -1)
    cv2.rectangle(picture, (88, 170), (168, 190), (0.95, 0.95, 0.9), -1)
    _write(
        picture,
        str(rng.integers(1000, 9999)),
        (96, 188),
        cv2.FONT_HERSHEY_PLAIN,
        1.5,
        (0.05, 0.05, 0.1),
        2,
    )
    picture[205:] = 0.12
    return picture


def _front(rng: Generator) -> np.ndarray:
    return _vehicle_front(rng, (1.0, 1.0, 0.95))


def _rear(rng: Generator) -> np.ndarray:
    return _vehicle_front(rng, (0.75, 0.03, 0.03))


def _body(rng: Generator) -> np.ndarray:
    """Draw the lower body of a car, u along it and v around it: doors, sills."""
    picture = np.ones((SIZE_PX, SIZE_PX, 3), np.float32)
    for u in (80, 128, 175):
        picture[:, u : u + 2] = 0.3
    picture[118:122, 132:142] = picture[118:122, 84:94] = 0.2
    return _grained(picture, (fractal(rng, 1.5), rng.uniform(0, 0.08)))


def _greenhouse(rng: Generator) -> np.ndarray:
    """Draw the upper body of a car, u from rear to front and v from roof to belt line."""
    picture = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    picture[:] = _grained(np.array([0.10, 0.11, 0.12]), (fractal(rng, 1.4), 0.6))
    picture[: int(rng.integers(24, 42))] = 1
    pillar = int(rng.integers(6, 12))
    for share in (0.2, rng.uniform(0.45, 0.55), 0.77):
        picture[:, int(share * SIZE_PX) - pillar // 2 : int(share * SIZE_PX) + pillar // 2] = (
            1.0 if rng.random() < 0.6 else 0.08
        )
    return picture


def _coach(rng: Generator) -> np.ndarray:
    """Draw the side of a bus or tram: a band of windows on paint."""
    picture = np.ones((SIZE_PX, SIZE_PX, 3), np.float32)
    picture[int(rng.integers(150, 200)) :] *= colour(rng, (0, 0.8), (0.3, 1))
    top = int(rng.integers(30, 60))
    bottom = top + int(rng.integers(60, 90))
    for u in range(6, SIZE_PX, 42):
        cv2.rectangle(picture, (u, top), (u + 36, bottom), (0.1, 0.11, 0.13), -1)
    return picture


def _wheel(rng: Generator) -> np.ndarray:
    picture = np.full((SIZE_PX, SIZE_PX, 3), 0.07, np.float32)
    rim = colour(rng, (0, 0.1), (0.4, 0.85)).tolist()
    cv2.circle(picture, (128, 128), 84, rim, -1)
    for angle in np.arange(0, 2 * np.pi, 2 * np.pi / rng.integers(5, 9)):
        at = (int(128 + 55 * np.cos(angle)), int(128 + 55 * np.sin(angle)))
        cv2.circle(picture, at, int(rng.integers(10, 22)), (0.08, 0.08, 0.08), -1)
    return picture


def _fabric(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.8), (0.1, 0.9))
    weave = 0.5 + 0.5 * np.sin(np.arange(SIZE_PX) * np.pi / 2)
    picture = _grained(
        base,
        ((weave[:, None] * weave[None]).astype(np.float32), 0.1),
        (fractal(rng, 0.5), 0.15),
        (fractal(rng, 1.5), 0.15),
    )
    style = rng.integers(4)
    if style == 0:
        stripes = np.sin(np.arange(SIZE_PX) * 2 * np.pi * rng.integers(2, 20) / SIZE_PX) > 0
        picture[:, stripes] = picture[:, stripes] * 0.5 + 0.5 * colour(rng, (0, 0.8), (0.1, 0.9))
    elif style == 1:
        blobs = fractal(rng, rng.uniform(0.8, 1.6)) > 0.55
        picture[blobs] = picture[blobs] * 0.4 + 0.6 * colour(rng, (0, 0.8), (0.1, 0.9))
    return picture


def _carpet(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.25) if rng.random() < 0.6 else (0.2, 0.7), (0.2, 0.8))
    stretch = float(rng.choice([0.05, 1, 1, 20]))
    return _grained(base, (fractal(rng, 0.1), 0.25), (fractal(rng, 1, stretch), 0.3))


def _rug(rng: Generator) -> np.ndarray:
    picture = _fabric(rng)
    for inset in np.cumsum(rng.integers(6, 30, 4)):
        cv2.rectangle(
            picture,
            (int(inset), int(inset)),
            (SIZE_PX - int(inset), SIZE_PX - int(inset)),
            colour(rng, (0, 0.9), (0.1, 0.9)).tolist(),
            int(rng.integers(2, 12)),
        )
    return picture


def _wallpaper(rng: Generator) -> np.ndarray:
    base = colour(rng, (0, 0.3), (0.5, 1.0))
    picture = _grained(base, (fractal(rng, 0.2), 0.05), (fractal(rng, 1.5), 0.08))
    if rng.random() < 0.3:
        small = cv2.resize(
            _fabric(rng), (SIZE_PX // 4, SIZE_PX // 4), interpolation=cv2.INTER_AREA
        )
        picture = picture * (0.8 + 0.2 * np.tile(small, (4, 4, 1)))
    return picture


def _books(rng: Generator) -> np.ndarray:
    """Draw a row of book spines."""
    picture = np.full((SIZE_PX, SIZE_PX, 3), 0.06, np.float32)
    u = 0
    while u < SIZE_PX:
        width = int(rng.integers(8, 30))
        top = int(rng.integers(0, 90))
        picture[top:, u : u + width - 1] = colour(rng, (0, 0.9), (0.1, 0.95))
        label = top + int(rng.integers(15, 60))
        picture[label : label + int(rng.integers(5, 40)), u + 2 : u + width - 3] = colour(
            rng, (0, 0.6), (0.3, 1)
        )
        u += width
    return picture


def _screen(rng: Generator) -> np.ndarray:
    if rng.random() < 0.4:
        return np.full((SIZE_PX, SIZE_PX, 3), 0.04, np.float32)
    return _poster(rng)


def _outlook(rng: Generator) -> np.ndarray:
    """Draw a window seen from a room: frame, and a bright blurred view."""
    picture = cv2.GaussianBlur(_poster(rng), (0, 0), 12) * 0.5 + 0.5
    width = int(rng.integers(8, 20))
    frame = colour(rng, (0, 0.3), (0.3, 1))
    for edge in (0, SIZE_PX - width, int(rng.choice([SIZE_PX // 2, SIZE_PX // 3, 0]))):
        picture[:, edge : edge + width] = frame
    picture[:width] = picture[-width:] = frame
    return picture


def _cloud(rng: Generator) -> np.ndarray:
    return np.repeat(fractal(rng, rng.uniform(1.2, 1.8))[..., None], 3, -1)


def _plain(rng: Generator) -> np.ndarray:
    return _grained(np.ones(3), (fractal(rng, 1.5), 0.03))


_RECIPES: dict[str, tuple[Callable[[Generator], np.ndarray], int]] = {
    'plain': (_plain, 1),
    'cloud': (_cloud, 3),
    'asphalt': (_asphalt, 6),
    'concrete': (_concrete, 4),
    'plaster': (_plaster, 6),
    'brick': (_brick, 5),
    'stone': (_stone, 3),
    'tiles': (_tiles, 5),
    'paving': (_paving, 4),
    'roof': (_roof, 3),
    'siding': (_siding, 4),
    'wood': (_wood, 5),
    'parquet': (_parquet, 4),
    'grass': (_grass, 4),
    'soil': (_soil, 3),
    'ballast': (_ballast, 1),
    'leaves': (_leaves, 8),
    'hedge': (_hedge, 3),
    'metal': (_metal, 3),
    'poster': (_poster, 12),
    'graffiti': (_graffiti, 3),
    'sign': (_sign, 4),
    'window': (_window, 8),
    'shopfront': (_shopfront, 3),
    'door': (_door, 4),
    'shutter': (_shutter, 3),
    'fence': (_fence, 4),
    'skyline': (_skyline, 3),
    'front': (_front, 2),
    'rear': (_rear, 3),
    'body': (_body, 1),
    'greenhouse': (_greenhouse, 3),
    'coach': (_coach, 2),
    'wheel': (_wheel, 2),
    'fabric': (_fabric, 8),
    'carpet': (_carpet, 4),
    'rug': (_rug, 2),
    'wallpaper': (_wallpaper, 5),
    'books': (_books, 3),
    'screen': (_screen, 2),
    'outlook': (_outlook, 3),
}


def _rgba(picture: np.ndarray) -> np.ndarray:
    if picture.shape[-1] == 4:
        return picture
    bytes_ = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.dstack([bytes_, np.full((SIZE_PX, SIZE_PX), 255, np.uint8)])


@functools.lru_cache(maxsize=2)
def make_library(seed: int, number: int) -> Library:
    """
    Paint every texture layer; the same numbers give the same pictures.

    :param seed: the data set's seed.
    :param number: which library of that data set, ``scene // SCENES_PER_LIBRARY``.
    """
    rng = np.random.default_rng([seed, number])
    kinds: dict[str, list[int]] = {}
    images: list[np.ndarray] = []
    for kind, (recipe, count) in _RECIPES.items():
        kinds[kind] = list(range(len(images), len(images) + count))
        images += [_rgba(recipe(rng)) for _ in range(count)]
    return Library(np.stack(images), kinds)
