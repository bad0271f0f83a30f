"""Counters, and the level and reason that they give on /diagnostics."""

from diagnostic_msgs.msg import DiagnosticStatus
import pytest

from s2r_depth_ros.node.diagnostics import (
    CameraCounters,
    MissingInputs,
    NetworkCounters,
    NOTHING_MISSING,
)

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
NEVER_STALE_S = 1e6


@pytest.fixture
def left():
    return CameraCounters()


def status_of(counters, stale_after_s=NEVER_STALE_S, missing=NOTHING_MISSING):
    return counters.status('/depth', 'left', stale_after_s, missing)


def values(status):
    return {each.key: each.value for each in status.values}


def test_received_is_published_plus_dropped(left):
    for number in range(6):
        left.count_received()
        if number < 3:
            left.count_published(0.05)
    left.count_dropped('superseded')
    left.count_dropped('bad_step', 'step 3')
    left.count_dropped('bad_step', 'step 4')
    found = values(status_of(left))
    assert found['received'] == '6'
    assert found['published'] == '3'
    assert found['dropped superseded'] == '1'
    assert found['dropped bad_step'] == '2'
    assert values(status_of(CameraCounters()))['received'] == '0'


def test_latencies_by_hand(left):
    for latency_ms in (10, 20, 30, 40, 50):
        left.count_published(latency_ms / 1e3)
    found = values(status_of(left))
    assert found['latency median (ms)'] == '30.0'
    assert found['latency p95 (ms)'] == '48.0'  # 40 + 0.8 * (50 - 40)


def test_a_fault_warns_once_with_its_reason(left):
    left.count_received()
    left.count_dropped('bad_step', 'step 3 of 640 pixels')
    status = status_of(left)
    assert status.level == WARN
    assert 'bad_step: step 3 of 640 pixels' in status.message
    assert status_of(left).level == OK


@pytest.mark.parametrize('cause', ['superseded', 'no_subscriber'])
def test_drops_that_are_meant_do_not_warn(left, cause):
    left.count_received()
    left.count_dropped(cause)
    assert status_of(left).level == OK


def test_a_missing_cloud_warns_as_long_as_it_is_missing(left):
    left.count_published(0.1, remark='no camera_info')
    assert [status_of(left).level for _ in range(2)] == [WARN, WARN]
    left.count_published(0.1)
    assert status_of(left).level == OK


def test_silence_is_stale_from_the_start(left):
    status = status_of(left, stale_after_s=0.0)
    assert status.level == STALE
    assert 'no image for' in status.message


def test_what_does_not_come_is_named_and_counted(left):
    stale = status_of(
        left, 0.0, MissingInputs('/left/image has 0 publishers', '/left/info has 2 publishers')
    )
    assert stale.level == STALE
    assert stale.message.endswith('s: /left/image has 0 publishers; /left/info has 2 publishers')
    left.count_received()
    left.count_published(0.1, remark='no camera_info: depth without cloud')
    warned = status_of(left, missing=MissingInputs(info='/left/info has 2 publishers'))
    assert warned.level == WARN
    assert warned.message == ('no camera_info: depth without cloud; /left/info has 2 publishers')
    assert status_of(CameraCounters()).level == OK


def test_what_several_publishers_send_warns_beside_the_remark(left):
    left.count_received()
    mixed = MissingInputs(mixed='/left/image has 2 publishers')
    assert status_of(left, missing=mixed).message == '/left/image has 2 publishers'
    left.count_published(0.1, remark='too dark')
    assert status_of(left, missing=mixed).message == 'too dark; /left/image has 2 publishers'
    assert status_of(left, missing=mixed).level == WARN


def test_the_network_says_error_then_warning_then_ok():
    network = NetworkCounters()
    network.failed('out of memory')
    failed = network.status('/depth', 'active', {'device': 'cpu'}, 'untrained')
    assert (failed.level, failed.message) == (ERROR, 'out of memory')
    network.ran(2)
    assert network.status('/depth', 'active', {}, 'untrained').level == WARN
    good = network.status('/depth', 'active', {'device': 'cpu'}, '')
    assert (good.level, good.message) == (OK, 'active')
    assert values(good) == {'state': 'active', 'device': 'cpu', 'batches': '1', 'images': '2'}
    assert good.name == '/depth: network'
