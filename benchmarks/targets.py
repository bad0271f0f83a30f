"""Compare this build with the one before it, against the targets of the light engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from s2r_depth_ros.ros.outputs import DEPTH

from . import busy, install
from .timing import Measurement

SECTION = 'targets, this build over the other'


class Target(NamedTuple):
    """
    A figure, and the greatest acceptable ratio of this build's figure to the other build's.

    ``section`` and ``name`` are those of the row.
    """

    text: str
    section: str
    name: str
    at_most: float


TARGETS = (
    Target('start of the node to configured', busy.NODE, busy.CONFIGURED, 0.35),
    Target('resident memory of the node', busy.NODE, busy.MEMORY, 0.5),
    Target('end after SIGINT', busy.NODE, busy.END, 0.3),
    Target('network, 416 x 128', busy.network_section(0), '416 x 128', 1 / 1.3),
    Target('network, 400 x 304', busy.network_section(0), '400 x 304', 1 / 1.4),
    Target('network, 640 x 192', busy.network_section(0), '640 x 192', 1.0),
    Target(
        'age of depth at 10 Hz, 4 busy processes', busy.node_section(4), busy.age_name(DEPTH), 0.6
    ),
    Target('size of what pip adds on a CPU robot', install.SECTION, install.ROBOT, 0.25),
    Target('size of all wheels but ROS', install.SECTION, install.ALL, 0.25),
    Target('time of make demo', install.SECTION, install.DEMO, 0.4),
    Target('size of make demo', install.SECTION, install.DEMO_SIZE, 0.4),
)


def target_rows(measured: Sequence[Measurement]) -> list[Measurement]:
    """
    Return a row for each target: the ratio, the target, and whether the ratio meets it.

    :param measured: the rows of :mod:`busy` and :mod:`install`, of two builds.
    """
    ratios = {(row.section, row.name): row.values['ratio'] for row in measured}
    return [
        Measurement(
            SECTION,
            target.text,
            values={
                'ratio': ratios[target.section, target.name],
                'at most': target.at_most,
                'is': 'met' if ratios[target.section, target.name] <= target.at_most else 'missed',
            },
        )
        for target in TARGETS
    ]
