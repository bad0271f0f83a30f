"""Isolates the tests: this machine alone, message fields checked; ros_graph has the domains."""
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
