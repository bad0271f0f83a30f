"""Measure the cost of the package on a machine; `python -m benchmarks` in the checkout."""
