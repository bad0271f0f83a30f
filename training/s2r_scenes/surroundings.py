"""The kinds of surroundings of a road: the probability of each object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """Probabilities of objects in one kind of surroundings; ranges are (low, high)."""

    lanes: tuple[int, int]
    lane_m: tuple[float, float] = (3.2, 6.0)  # width of a road of one lane
    surface: tuple[str, ...] = ()  # of a path without paint; empty is a road
    grown: float = 0.0  # grass between the ruts of a path
    traffic: float = 1.0
    parking: float = 0.0
    sidewalk: float = 0.0
    verge: float = 0.0
    track: float = 0.0
    boundaries: tuple[str, ...] = ('none',)
    boundary: float = 0.0
    setback_m: tuple[float, float] = (3.0, 10.0)
    houses: float = 0.0
    floors: tuple[int, int] = (1, 3)
    trees: float = 0.3
    gap_m: tuple[float, float] = (15.0, 80.0)  # between vehicles of one lane
    ahead_m: tuple[float, float] = (7.0, 70.0)  # from the last camera to the next vehicle
    stride_m: tuple[float, float] = (2.0, 12.0)  # from one camera to the next
    one_way: float = 0.2
    straight: float = 0.5
    bridge: float = 0.03
    people: float = 0.3
    lorries: float = 0.0  # share of the vehicles that are tall whatever the usual mix
    looking_round: float = 0.1  # share of the views far from the direction of travel
    thicket: float = 0.0  # trees and bushes that crowd each side of the road
    bays: tuple[int, int] = (0, 0)  # rows of vehicles on each side, parked across the road
    cover: float = 0.0  # a tunnel, or a deck on pillars, over a part of the road
    closed_off: bool = False  # by houses across the view, over a paved court


SETTINGS = {
    'residential': Setting(
        (1, 2),
        parking=0.75,
        sidewalk=0.8,
        verge=0.3,
        boundaries=('wall', 'hedge', 'fence'),
        boundary=0.6,
        setback_m=(2, 9),
        houses=0.75,
        trees=0.5,
    ),
    'city': Setting(
        (2, 4),
        parking=0.5,
        sidewalk=1.0,
        setback_m=(0, 1.5),
        houses=0.95,
        floors=(2, 6),
        trees=0.35,
        gap_m=(6, 40),
        people=0.8,
    ),
    'avenue': Setting(
        (2, 4),
        parking=0.25,
        sidewalk=0.6,
        verge=0.8,
        track=0.4,
        boundaries=('hedge', 'wall', 'fence'),
        boundary=0.3,
        setback_m=(8, 25),
        houses=0.3,
        floors=(2, 5),
        trees=0.95,
        gap_m=(8, 60),
        bridge=0.1,
    ),
    'highway': Setting(
        (2, 4),
        verge=0.7,
        boundaries=('rail', 'rail', 'wall', 'hedge'),
        boundary=0.8,
        setback_m=(15, 30),
        houses=0.1,
        trees=0.7,
        gap_m=(12, 90),
        one_way=0.6,
        straight=0.4,
        bridge=0.3,
        people=0.0,
    ),
    'alley': Setting(
        (1, 1),
        sidewalk=0.3,
        boundaries=('wall', 'wall', 'fence', 'hedge'),
        boundary=0.7,
        setback_m=(0, 3),
        houses=0.7,
        trees=0.4,
        gap_m=(25, 120),
    ),
    'rural': Setting(
        (1, 2),
        verge=0.9,
        boundaries=('hedge', 'fence', 'rail'),
        boundary=0.3,
        setback_m=(6, 25),
        houses=0.12,
        trees=0.55,
        straight=0.25,
        people=0.05,
    ),
    'queue': Setting(
        (2, 4),
        parking=0.2,
        sidewalk=0.5,
        verge=0.5,
        track=0.2,
        boundaries=('rail', 'hedge', 'wall'),
        boundary=0.4,
        setback_m=(3, 20),
        houses=0.4,
        floors=(2, 5),
        trees=0.6,
        gap_m=(1.5, 5.0),
        ahead_m=(4.0, 9.0),
        stride_m=(0.5, 2.0),
        straight=0.8,
        bridge=0.3,
    ),
    'lorries': Setting(
        (2, 4),
        parking=0.3,
        sidewalk=0.4,
        verge=0.5,
        track=0.2,
        boundaries=('rail', 'hedge', 'wall', 'fence'),
        boundary=0.5,
        setback_m=(3, 20),
        houses=0.4,
        floors=(1, 4),
        trees=0.7,
        gap_m=(1.5, 9.0),
        ahead_m=(4.0, 9.0),
        stride_m=(0.5, 2.0),
        straight=0.6,
        bridge=0.2,
        lorries=0.7,
    ),
    'plaza': Setting(
        (2, 3),
        sidewalk=0.5,
        boundaries=('none', 'hedge', 'fence'),
        boundary=0.3,
        setback_m=(4, 14),
        houses=0.9,
        floors=(1, 4),
        trees=0.6,
        gap_m=(25, 90),
        people=1.0,
        looking_round=0.8,
        closed_off=True,
    ),
    'woods': Setting(
        (1, 2),
        verge=0.4,
        boundaries=('fence', 'rail', 'hedge'),
        boundary=0.15,
        trees=0.9,
        gap_m=(20, 120),
        straight=0.2,
        people=0.3,
        looking_round=0.25,
        thicket=0.9,
    ),
    'underpass': Setting(
        (1, 4),
        sidewalk=0.5,
        boundaries=('wall', 'rail', 'fence'),
        boundary=0.4,
        setback_m=(6, 25),
        houses=0.4,
        floors=(1, 5),
        gap_m=(6, 60),
        one_way=0.4,
        lorries=0.15,
        cover=1.0,
    ),
    'carpark': Setting(
        (1, 2),
        sidewalk=0.3,
        boundaries=('hedge', 'fence', 'wall'),
        boundary=0.5,
        setback_m=(2, 20),
        houses=0.5,
        floors=(1, 4),
        trees=0.5,
        gap_m=(15, 80),
        straight=0.9,
        people=1.0,
        looking_round=0.7,
        bays=(1, 3),
    ),
    'yard': Setting(
        (2, 3),
        boundaries=('wall', 'fence'),
        boundary=0.5,
        setback_m=(2, 15),
        houses=0.7,
        floors=(1, 2),
        trees=0.2,
        gap_m=(10, 60),
        straight=0.9,
        people=0.5,
        lorries=0.75,
        looking_round=0.6,
        bays=(0, 2),
    ),
    'park': Setting(
        (1, 1),
        lane_m=(1.5, 4.0),
        surface=('soil', 'paving', 'asphalt', 'concrete'),
        traffic=0.05,
        verge=0.8,
        boundaries=('hedge', 'fence', 'none'),
        boundary=0.25,
        setback_m=(15, 40),
        houses=0.05,
        trees=0.9,
        straight=0.2,
        bridge=0.0,
        people=1.0,
        looking_round=0.5,
        thicket=0.2,
    ),
    'track': Setting(
        (1, 1),
        lane_m=(2.2, 3.5),
        surface=('soil', 'soil', 'asphalt', 'grass'),
        grown=0.6,
        traffic=0.15,
        verge=0.9,
        boundaries=('fence', 'hedge'),
        boundary=0.2,
        setback_m=(20, 40),
        houses=0.02,
        trees=0.5,
        straight=0.15,
        bridge=0.0,
        people=0.1,
        looking_round=0.3,
        thicket=0.3,
    ),
}
#: how often each is drawn where none is named; those without a share only come when named
SHARES = {
    'residential': 0.24,
    'city': 0.13,
    'avenue': 0.18,
    'highway': 0.1,
    'alley': 0.12,
    'rural': 0.09,
    'queue': 0.1,
    'plaza': 0.04,
}
