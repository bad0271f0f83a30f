"""Convert linear light to the pixels of a camera: exposure, lens, noise, tone curve."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .light import Sensor


def expose(light: np.ndarray, sky: np.ndarray, sensor: Sensor, rng: Generator) -> np.ndarray:
    """
    Convert light to the image that a camera takes of it.

    :param light: (H, W, 3) float32 linear RGB.
    :param sky: (H, W) bool. The auto-exposure ignores these pixels, so they may be overexposed, as
        with real cameras.
    :param sensor: the properties of the camera.
    :param rng: the random numbers of rain and noise.
    :returns: (H, W, 3) uint8 RGB.
    """
    height, width = sky.shape
    ground = light[~sky] if np.count_nonzero(~sky) > 100 else light.reshape(-1, 3)
    gain = sensor.brightness / max(float(ground.mean()), 1e-6)
    picture = light * (gain * sensor.white_balance).astype(np.float32)
    if sensor.blur_px > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sensor.blur_px)
    if sensor.rain_streaks:
        picture = _rain(picture, sensor.rain_streaks, rng)
    y = (np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2) / (width / 2)
    x = (np.arange(width, dtype=np.float32)[None] - (width - 1) / 2) / (width / 2)
    picture *= (1 - sensor.vignette * (x * x + y * y) / (1 + (height / width) ** 2))[..., None]
    if sensor.margin:
        radius = np.sqrt((x * x + y * y) / (1 + (height / width) ** 2))
        picture *= np.clip((1 - sensor.margin - radius) / 0.03, 0, 1)[..., None]
    picture = np.sqrt(np.clip(picture, 0, 1))  # gamma 2
    picture += sensor.noise * rng.standard_normal(picture.shape, dtype=np.float32)
    np.clip(picture, 0, 1, out=picture)
    return _tone_table(sensor.contrast)[(picture * 1023 + 0.5).astype(np.uint16)]


def _tone_table(contrast: float) -> np.ndarray:
    """Return an S-curve through (0, 0), (1/2, 1/2) and (1, 1): (1024,) uint8."""
    x = np.linspace(0, 1, 1024)
    curve = np.where(x < 0.5, 0.5 * (2 * x) ** contrast, 1 - 0.5 * (2 - 2 * x) ** contrast)
    return (255 * curve + 0.5).astype(np.uint8)


def _rain(picture: np.ndarray, count: int, rng: Generator) -> np.ndarray:
    """Draw streaks of falling rain, slightly brighter than what lies behind them."""
    height, width = picture.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-0.2, 0.2)
    for x, y, length in zip(
        rng.uniform(0, width, count),
        rng.uniform(-20, height, count),
        rng.uniform(0.03, 0.15, count) * height,
    ):
        cv2.line(
            streaks,
            (int(x), int(y)),
            (int(x + slant * length), int(y + length)),
            1.0,
            1,
            cv2.LINE_AA,
        )
    level = 0.3 * float(picture.mean())
    return picture + level * cv2.GaussianBlur(streaks, (0, 0), 0.7)[..., None]
