"""Counters, and the level and reason that they give on /diagnostics."""
from diagnostic_msgs.msg import DiagnosticStatus
import pytest

from s2r_depth_ros.health import Health, MissingInputs

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE)
NEVER_STALE_S = 1e6


@pytest.fixture
def health():
    health = Health()
    health.watch(['left', 'right'])
    return health


def status_of(health, camera='left', stale_after_s=NEVER_STALE_S):
    return next(
        s for s in health.camera_statuses('/depth', stale_after_s) if s.hardware_id == camera)


def values(status):
    return {each.key: each.value for each in status.values}


def test_received_is_published_plus_dropped(health):
    for number in range(6):
        health.received('left')
        if number < 3:
            health.published('left', 0.05)
    health.dropped('left', 'superseded')
    health.dropped('left', 'bad_step', 'step 3')
    health.dropped('left', 'bad_step', 'step 4')
    found = values(status_of(health))
    assert found['received'] == '6'
    assert found['published'] == '3'
    assert found['dropped superseded'] == '1'
    assert found['dropped bad_step'] == '2'
    assert values(status_of(health, 'right'))['received'] == '0'


def test_latencies_by_hand(health):
    for latency_ms in (10, 20, 30, 40, 50):
        health.published('left', latency_ms / 1e3)
    found = values(status_of(health))
    assert found['latency median (ms)'] == '30.0'
    assert found['latency p95 (ms)'] == '48.0'  # 40 + 0.8 * (50 - 40)


def test_a_fault_warns_once_with_its_reason(health):
    health.received('left')
    health.dropped('left', 'bad_step', 'step 3 of 640 pixels')
    status = status_of(health)
    assert status.level == WARN
    assert 'bad_step: step 3 of 640 pixels' in status.message
    assert status_of(health).level == OK


@pytest.mark.parametrize('cause', ['superseded', 'no_subscriber'])
def test_drops_that_are_meant_do_not_warn(health, cause):
    health.received('left')
    health.dropped('left', cause)
    assert status_of(health).level == OK


def test_a_missing_cloud_warns_as_long_as_it_is_missing(health):
    health.published('left', 0.1, remark='no camera_info')
    assert [status_of(health).level for _ in range(2)] == [WARN, WARN]
    health.published('left', 0.1)
    assert status_of(health).level == OK


def test_silence_is_stale_from_the_start(health):
    status = status_of(health, stale_after_s=0.0)
    assert status.level == STALE
    assert 'no image for' in status.message


def test_what_does_not_come_is_named_and_counted(health):
    stale, _ = health.camera_statuses('/depth', 0.0, {'left': MissingInputs(
        '/left/image has 0 publishers', '/left/info has 2 publishers')})
    assert stale.level == STALE
    assert stale.message.endswith('s: /left/image has 0 publishers; /left/info has 2 publishers')
    health.received('left')
    health.published('left', 0.1, remark='no camera_info: depth without cloud')
    warned, right = health.camera_statuses(
        '/depth', NEVER_STALE_S, {'left': MissingInputs(info='/left/info has 2 publishers')})
    assert warned.level == WARN
    assert warned.message == (
        'no camera_info: depth without cloud; /left/info has 2 publishers')
    assert right.level == OK


def test_the_network_says_error_then_warning_then_ok(health):
    health.network_failed('out of memory')
    failed = health.network_status('/depth', 'active', {'device': 'cpu'}, 'untrained')
    assert (failed.level, failed.message) == (ERROR, 'out of memory')
    health.network_ran(2)
    assert health.network_status('/depth', 'active', {}, 'untrained').level == WARN
    good = health.network_status('/depth', 'active', {'device': 'cpu'}, '')
    assert (good.level, good.message) == (OK, 'active')
    assert values(good) == {
        'state': 'active', 'device': 'cpu', 'batches': '1', 'images': '2'}
    assert good.name == '/depth: network'
