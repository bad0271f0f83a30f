"""Isolates the tests: this machine only, message fields checked; sums up what they lacked."""

from collections import Counter
from functools import partial
import os
from pathlib import Path
import sys
import tempfile
from unittest import mock

from golden_files import Golden
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for the benchmarks, which are not installed

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


def pytest_addoption(parser):
    parser.addoption(
        '--write-golden',
        action='store_true',
        help='replace the golden results by those of now, a knowing change; compare nothing',
    )


@pytest.fixture
def golden(pytestconfig):
    """Return what opens a part of a golden file, by the names of both."""
    return partial(Golden, is_written=pytestconfig.getoption('--write-golden'))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Say in one line what was not tested for lack of something, and what to do about it."""
    reasons = Counter(
        report.longrepr[2].removeprefix('Skipped: ')
        for report in terminalreporter.stats.get('skipped', ())
    )
    if reasons:
        terminalreporter.write_line(
            'not tested here: '
            + '; '.join(f'{count} ({reason})' for reason, count in sorted(reasons.items()))
        )
