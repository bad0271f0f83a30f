"""The line that a road follows: positions by arc length along it and distance to its left."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Material, Mesh, surface

START_M, END_M = -30.0, 290.0


class Course:
    """
    A curved line through the world, from ``START_M`` to ``END_M`` of arc length s.

    :param curvature_per_m: (N,) at equally spaced s, counter-clockwise positive.
    :param slope: (N,) rise per metre at the same places.
    """

    def __init__(self, curvature_per_m: np.ndarray, slope: np.ndarray) -> None:
        self._s = np.linspace(START_M, END_M, len(curvature_per_m))
        step = self._s[1] - self._s[0]
        zero = int(np.argmin(np.abs(self._s)))
        self._heading = self._from_zero(curvature_per_m * step, zero)
        self._x = self._from_zero(np.cos(self._heading) * step, zero)
        self._y = self._from_zero(np.sin(self._heading) * step, zero)
        self._z = self._from_zero(slope * step, zero)
        #: no ground strip may reach farther to the side, or a bend would fold it over
        self.reach_m = float(min(90.0, 0.8 / max(np.abs(curvature_per_m).max(), 1e-6)))
        self.lowest_m = float(self._z.min())

    @staticmethod
    def _from_zero(steps: np.ndarray, zero: int) -> np.ndarray:
        total = np.cumsum(steps) - steps
        return total - total[zero]

    def at(
        self, s_m: np.ndarray | float, t_m: np.ndarray | float, z_m: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """
        Return world positions (..., 3).

        :param s_m: arc length along the course.
        :param t_m: distance to the left of it.
        :param z_m: height above it.
        """
        heading = self.heading(s_m)
        return np.stack(
            np.broadcast_arrays(
                np.interp(s_m, self._s, self._x) - t_m * np.sin(heading),
                np.interp(s_m, self._s, self._y) + t_m * np.cos(heading),
                np.interp(s_m, self._s, self._z) + z_m,
            ),
            -1,
        )

    def heading(self, s_m: np.ndarray | float) -> np.ndarray:
        """Return the direction of travel at s, radians counter-clockwise from x."""
        return np.interp(s_m, self._s, self._heading)

    def strip(
        self,
        s_m: tuple[float, float],
        t_m: np.ndarray,
        z_m: np.ndarray | float,
        material: Material,
        fit_across: bool = False,
    ) -> Mesh:
        """
        Sweep a cross-section along the course.

        :param s_m: from where to where.
        :param t_m: (K,) places of the section's points, left to right.
        :param z_m: (K,) their heights.
        :param fit_across: show the texture once across instead of in repeats.
        """
        count = max(2, int((s_m[1] - s_m[0]) / 4) + 1)
        s = np.linspace(*s_m, count)
        t = np.broadcast_to(t_m, (count, len(t_m)))
        z = np.broadcast_to(z_m, t.shape)
        points = self.at(s[:, None], t, z)
        walk = np.append(0, np.hypot(np.diff(t[0]), np.diff(z[0])).cumsum())
        v = walk / walk[-1] if fit_across else walk / material.size_m
        uv = np.stack(np.meshgrid(s / material.size_m, v, indexing='ij'), -1)
        return surface(points, material, uv)


def draw_course(rng: Generator, straight: float) -> Course:
    """
    Draw a straight road, a gentle curve, an S or a sharp bend, level or sloping.

    :param straight: probability of a straight one.
    """
    s = np.linspace(START_M, END_M, 641)
    curvature = np.zeros_like(s)
    kind = rng.random()
    sign = rng.choice([-1, 1])
    if kind > straight:
        share = (kind - straight) / (1 - straight)
        if share < 0.45:
            curvature += sign / rng.uniform(120, 600)
        elif share < 0.7:
            curvature += np.sin(
                2 * np.pi * (s / rng.uniform(150, 400) + rng.random())
            ) / rng.uniform(80, 300)
        else:
            start = rng.uniform(15, 90)
            radius = rng.uniform(20, 70)
            length = radius * rng.uniform(0.4, 1.5)
            curvature += (
                sign
                / radius
                * np.interp(
                    s, [start, start + 5, start + length, start + length + 5], [0, 1, 1, 0]
                )
            )
    slope = rng.normal(0, 0.015) + rng.normal(0, 0.02) * np.sin(
        2 * np.pi * (s / rng.uniform(100, 400) + rng.random())
    )
    return Course(curvature, slope)
