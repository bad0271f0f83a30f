"""Conversion between messages and arrays, QoS, and the parts common to all node processes."""
