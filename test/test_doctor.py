"""`s2r doctor`: transports in force, variables without effect, and images that arrive."""

import os
from pathlib import Path
import re
import subprocess
import sys

import pytest
from ros_graph import PATIENCE_S

from s2r_depth_ros.cli.doctor import (
    BUILTIN,
    FastDds,
    profile_transports,
    PROFILES,
    transport_lines,
)

PROFILE = Path(__file__).parents[1] / 's2r_depth_ros' / 'fastdds_large_images.xml'
JAZZY = FastDds('2.14.5', (PROFILES[0], BUILTIN))
KILTED = FastDds('3.2.2', (PROFILES[1], BUILTIN, PROFILES[0]))  # ROS's part takes the older, too
LATER = FastDds('3.6.0', (PROFILES[1], BUILTIN))
RUN_S2R = 'import sys; from s2r_depth_ros.cli import main; sys.exit(main())'
WITHOUT_ROS = f'import sys; sys.modules["rclpy"] = None; {RUN_S2R}'


def doctor(*words, code=RUN_S2R, **variables):
    done = subprocess.run(
        [sys.executable, '-c', code, 'doctor', *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * PATIENCE_S,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_shipped_profile_is_read():
    assert profile_transports(PROFILE) == ['SHM of 65536 KiB', 'UDPv4']


@pytest.mark.parametrize(
    ('fast_dds', 'read', 'ignored'), [(JAZZY, *PROFILES), (LATER, *reversed(PROFILES))]
)
def test_a_profile_variable_of_another_version_has_no_effect(fast_dds, read, ignored):
    lines = [*transport_lines({ignored: str(PROFILE)}, fast_dds)]
    assert (
        f'no effect: {ignored} is ignored by Fast DDS {fast_dds.version}, which reads {read}'
        in lines
    )
    assert lines[-1].startswith('transports: UDPv4, SHM of 512 KiB (the default)')
    both = [*transport_lines(dict.fromkeys(PROFILES, str(PROFILE)), fast_dds)]
    assert both[-1] == f'transports: SHM of 65536 KiB, UDPv4 ({PROFILE})'


def test_the_older_profile_variable_counts_where_ros_passes_it_on():
    assert [*transport_lines({PROFILES[0]: str(PROFILE)}, KILTED)][1:] == [
        f'transports: SHM of 65536 KiB, UDPv4 ({PROFILE})'
    ]


@pytest.mark.parametrize(
    'local', [{'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, {'ROS_LOCALHOST_ONLY': '1'}]
)
def test_builtin_transports_have_no_effect_on_this_machine_alone(local):
    chosen = {BUILTIN: 'LARGE_DATA'}
    assert [*transport_lines(chosen, JAZZY)][1:] == [f'transports: LARGE_DATA ({BUILTIN})']
    lines = [*transport_lines({**chosen, **local}, JAZZY)]
    assert (
        f'no effect: {BUILTIN} does nothing beside ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST'
        in lines
    )
    assert 'the default' in lines[-1]


def test_a_profile_that_cannot_be_read_is_named(tmp_path):
    for content in (None, 'no XML'):
        file = tmp_path / 'profile.xml'
        if content:
            file.write_text(content)
        lines = [*transport_lines({PROFILES[0]: str(file)}, JAZZY)]
        assert any(f'the profile {file} cannot be read' in line for line in lines)
        assert 'the default' in lines[-1]


def test_another_middleware_has_no_profiles():
    assert 'not of Fast DDS' in ' '.join(transport_lines({}, None))


def test_it_looks_at_the_middleware_and_counts_images_of_another_process():
    said = doctor(
        '--images',
        '5',
        FASTDDS_DEFAULT_PROFILES_FILE='new.xml',
        FASTRTPS_DEFAULT_PROFILES_FILE=str(PROFILE),
    )
    assert re.search(r'^Fast DDS: \d+\.\d+', said, re.M)
    assert len(re.findall('DEFAULT_PROFILES_FILE is ignored by Fast DDS', said)) == 1
    for size in ('VGA', 'Full HD'):
        counted = re.search(rf'^{size}, best effort, 30 Hz: (\d) of 5 images arrived', said, re.M)
        assert 0 <= int(counted[1]) <= 5
    for name in ('Python', 's2r_depth_ros', 'numpy', 'cv2', 'torch'):
        assert re.search(rf'^{name}: \d', said, re.M)


def test_without_ros_it_says_so_and_prints_the_rest():
    said = doctor(code=WITHOUT_ROS)
    assert re.search(r'^torch: \d', said, re.M)
    assert 'ROS 2: not installed here, or its setup.bash is not sourced' in said
    assert 'images arrived' not in said
