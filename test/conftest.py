"""Isolates the tests: this machine alone, message fields checked; ros_graph has the domains."""
import os
import sys

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)
