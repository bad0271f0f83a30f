"""Isolates the tests: a domain id of their own, this machine alone, checked message fields."""
import os
import sys

os.environ['ROS_DOMAIN_ID'] = str(20 + os.getpid() % 200)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)
