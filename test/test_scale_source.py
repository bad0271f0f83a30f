"""Tests of the source of the scale: which data counts, and what the user is told."""

import math

import pytest

from s2r_depth_ros.depth.ground import GroundPlane, GroundReading
from s2r_depth_ros.depth.parameters import Parameters
from s2r_depth_ros.depth.scale_source import select

TF = GroundReading(GroundPlane(0.8, math.radians(10)))
NONE = GroundReading(fault='no transform from base_footprint: it does not exist')
MOUNTED = {'camera_height': 0.75, 'camera_pitch': 12.0}
GIVEN = GroundPlane(0.75, math.radians(12))


@pytest.mark.parametrize(
    ('values', 'from_tf', 'has_reference', 'name', 'ground'),
    [
        ({}, NONE, False, 'fixed', None),  # who gave nothing sees no change
        ({}, NONE, True, 'reference', None),
        ({}, TF, True, 'tf', TF.plane),
        (MOUNTED, TF, True, 'tf', TF.plane),
        (MOUNTED, NONE, True, 'camera_height', GIVEN),
        ({'depth_scale': 1.1}, TF, True, 'fixed', TF.plane),
        ({'scale_source': 'fixed', **MOUNTED}, NONE, False, 'fixed', GIVEN),
        ({'scale_source': 'reference'}, TF, False, 'reference', TF.plane),
        ({'scale_source': 'ground_plane', **MOUNTED}, TF, False, 'tf', TF.plane),
        ({'scale_source': 'ground_plane', **MOUNTED}, NONE, False, 'camera_height', GIVEN),
        ({'scale_source': 'ground_plane', 'depth_scale': 2.0}, TF, False, 'tf', TF.plane),
    ],
)
def test_the_first_source_with_data_counts(values, from_tf, has_reference, name, ground):
    source = select(Parameters(**values), from_tf, has_reference)
    assert source == (name, ground, '')


@pytest.mark.parametrize(
    ('values', 'from_tf', 'fault'),
    [
        ({'scale_source': 'ground_plane'}, NONE, NONE.fault),
        ({'base_frame': 'base_link'}, NONE, NONE.fault),
        ({'base_frame': 'base_link', **MOUNTED}, NONE, NONE.fault),
        ({'base_frame': '', **MOUNTED}, GroundReading(fault='base_frame is empty'), ''),
        *(
            (values, TF._replace(fault='it jumps'), 'the ground plane is held: it jumps')
            for values in ({}, {'scale_source': 'fixed'}, {'depth_scale': 1.1})
        ),
        (
            {'camera_height': 1.2},
            TF,
            'camera_height is 1.2 m, but TF from base_footprint says 0.8 m, which is used; '
            "correct one, or set base_frame to ''",
        ),
        (
            {'camera_height': 0.8},
            TF,
            'camera_pitch is 0 degrees, but TF from base_footprint says height 0.8 m, pitch 10.0 '
            'degrees, roll 0.0 degrees, which is used; correct one',
        ),
        (
            MOUNTED,
            GroundReading(TF.plane._replace(roll_rad=math.pi)),  # mounted upside down
            'camera_pitch is 12 degrees, but TF from base_footprint says height 0.8 m, pitch 10.0 '
            'degrees, roll 180.0 degrees, which is used; correct one',
        ),
    ],
)
def test_who_asked_for_the_ground_is_told_why_it_is_unknown_or_doubtful(values, from_tf, fault):
    assert select(Parameters(**values), from_tf).fault == fault
