"""How long and how hard the fuzz tests look: short in `make test`, longer by `make fuzz`."""

from contextlib import contextmanager
import os
import resource

from hypothesis import HealthCheck, settings


def budget(examples: int) -> settings:
    """
    Return the settings of a fuzz test.

    ``FUZZ_FACTOR=50`` looks at fifty times as many examples, new ones each time.

    :param examples: of a short run, which are the same each time.
    """
    factor = int(os.environ.get('FUZZ_FACTOR', '0'))
    return settings(
        max_examples=examples * max(1, factor),
        derandomize=not factor,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def at_most(more_bytes: int):
    """Let allocations fail that would make this process so much larger than it is now."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open('/proc/self/statm') as statm:
        used_bytes = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + more_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
