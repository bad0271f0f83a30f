"""Isolates the tests: this machine only, message fields checked; sums up what they lacked."""
from collections import Counter
import os
import sys
import tempfile
from unittest import mock

import pytest

_logs = tempfile.TemporaryDirectory(prefix='s2r-test-logs-')
os.environ['ROS_LOG_DIR'] = _logs.name
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)


@pytest.fixture(autouse=True)
def _environment_stays():
    """Take back what tools that run in the process of the tests set for their own nodes."""
    with mock.patch.dict(os.environ):
        yield


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Say in one line what was not tested for lack of something, and what to do about it."""
    reasons = Counter(
        report.longrepr[2].removeprefix('Skipped: ')
        for report in terminalreporter.stats.get('skipped', ()))
    if reasons:
        terminalreporter.write_line('not tested here: ' + '; '.join(
            f'{count} ({reason})' for reason, count in sorted(reasons.items())))
