"""Light and weather of a scene: the style variations share its geometry and change only these."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

VARIATIONS = ('clone', 'fog', 'morning', 'overcast', 'rain', 'sunset')  # vKITTI's names


@dataclass(frozen=True)
class Light:
    """
    What shines on a scene. Colours are linear RGB (3,), in units of the camera's own exposure.

    ``key`` is the one light that casts shadows: with ``key_is_lamp`` a position in the room
    (metres), else a unit vector towards the sun. ``lamps`` are further (position, colour) pairs
    without shadows.
    """

    key: np.ndarray
    key_colour: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    key_is_lamp: bool = False
    lamps: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    cloud_layer: int = 0
    cloud_cover: float = 0.0
    fog_per_m: float = 0.0
    wetness: float = 0.0


@dataclass(frozen=True)
class Sensor:
    """
    How a camera turns light into bytes.

    ``brightness`` is the linear level to which auto-exposure brings the scene without its sky;
    ``contrast`` steepens the tone curve; ``noise`` is a standard deviation at mid grey, in [0, 1];
    ``rain_streaks`` a count of drops drawn; beyond ``1 - margin`` of the half-diagonal, where the
    lens lets no light through, the picture is dark.
    """

    brightness: float
    contrast: float
    white_balance: np.ndarray
    blur_px: float
    noise: float
    vignette: float
    rain_streaks: int = 0
    margin: float = 0.0


def _unit(azimuth_rad: float, elevation_rad: float) -> np.ndarray:
    return np.array(
        [
            np.cos(azimuth_rad) * np.cos(elevation_rad),
            np.sin(azimuth_rad) * np.cos(elevation_rad),
            np.sin(elevation_rad),
        ]
    )


def outdoor(variation: str, rng: Generator, cloud_layer: int) -> tuple[Light, Sensor]:
    """
    Draw the light and the camera's response of one style variation of an outdoor scene.

    :param variation: one of ``VARIATIONS``.
    :param cloud_layer: texture of the clouds.
    """
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation = np.radians(rng.uniform(20, 65))
    sun = np.array([1.0, 0.95, 0.85]) * rng.uniform(2.0, 4.5)
    zenith = np.array([0.35, 0.55, 0.95]) * rng.uniform(0.5, 1.2)
    horizon = np.array([1.0, 1.04, 1.08]) * rng.uniform(0.8, 3.5)
    cover, fog, wetness, streaks = rng.uniform(0, 0.8), rng.uniform(0, 0.0015), 0.0, 0
    if variation == 'fog':
        grey = np.array([1.0, 1.0, 1.02]) * rng.uniform(0.8, 1.3)
        sun, zenith, horizon, fog = sun * 0.05, grey, grey, 10 ** rng.uniform(-2.0, -1.3)
    elif variation == 'morning':
        elevation = np.radians(rng.uniform(10, 30))
        sun = np.array([1.0, 0.86, 0.66]) * rng.uniform(1.5, 3.0)
        horizon = np.array([1.15, 1.05, 0.95]) * rng.uniform(0.8, 1.5)
        fog = rng.uniform(0, 0.004)
    elif variation == 'overcast':
        grey = np.array([0.95, 1.0, 1.06]) * rng.uniform(0.8, 1.6)
        sun, zenith, horizon, cover = sun * 0.03, grey, grey * 1.1, rng.uniform(0.5, 1)
        fog = rng.uniform(0, 0.003)
    elif variation == 'rain':
        grey = np.array([0.9, 0.97, 1.05]) * rng.uniform(0.5, 1.0)
        sun, zenith, horizon, cover = sun * 0.01, grey * 0.8, grey, rng.uniform(0.6, 1)
        fog, wetness, streaks = (
            rng.uniform(0.002, 0.012),
            rng.uniform(0.4, 1),
            int(rng.integers(0, 250)),
        )
    elif variation == 'sunset':
        elevation = np.radians(rng.uniform(4, 16))
        sun = np.array([1.0, 0.55, 0.25]) * rng.uniform(1.5, 3.0)
        zenith = np.array([0.35, 0.42, 0.7]) * rng.uniform(0.4, 0.9)
        horizon = np.array([1.3, 0.85, 0.5]) * rng.uniform(0.7, 1.4)
    light = Light(
        key=_unit(azimuth, elevation),
        key_colour=sun,
        zenith=zenith,
        horizon=horizon,
        ground=0.25 * (zenith + 0.5 * sun * np.sin(elevation)),
        cloud_layer=cloud_layer,
        cloud_cover=float(cover),
        fog_per_m=float(fog),
        wetness=float(wetness),
    )
    return light, sensor(rng, (0.08, 0.4), streaks)


def indoor(variation: str, rng: Generator, lamps: list[np.ndarray]) -> tuple[Light, Sensor]:
    """
    Draw the light of one style variation of a room: the same names, other lamps and haze.

    :param lamps: positions (metres); the first casts the shadows.
    """
    warmth = {
        'clone': 0.2,
        'fog': 0.0,
        'morning': 0.1,
        'overcast': -0.1,
        'rain': -0.2,
        'sunset': 0.45,
    }[variation] + rng.uniform(-0.1, 0.1)
    tone = np.array([1 + warmth, 1.0, 1 - warmth])
    share = {'overcast': 0.15, 'rain': 0.3, 'fog': 0.3}.get(variation, 1.0)
    strength = share * 10 ** rng.uniform(-0.4, 0.2)
    ambient = np.array([1.0, 1.0, 1.05]) * rng.uniform(0.25, 0.7)
    light = Light(
        key=lamps[0],
        key_colour=8 * strength * tone,
        key_is_lamp=True,
        zenith=ambient * tone,
        horizon=ambient,
        ground=ambient * 0.6,
        lamps=[(lamp, 4 * strength * tone * rng.uniform(0.2, 1)) for lamp in lamps[1:4]],
        fog_per_m=float(rng.uniform(0.03, 0.12)) if variation == 'fog' else 0.0,
    )
    return light, sensor(rng, (0.12, 0.4))


def sensor(rng: Generator, brightness: tuple[float, float], rain_streaks: int = 0) -> Sensor:
    """Draw the response of a camera whose brightness lies in a range."""
    return Sensor(
        brightness=float(np.exp(rng.uniform(*np.log(brightness)))),
        contrast=float(rng.uniform(1.0, 1.6)),
        white_balance=np.exp(rng.normal(0, [0.06, 0.02, 0.06])),
        blur_px=float(rng.uniform(0.0, 0.8)),
        noise=float(rng.uniform(0.003, 0.025)),
        vignette=float(rng.uniform(0.0, 0.35)),
        rain_streaks=rain_streaks,
    )
