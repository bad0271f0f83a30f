"""Tools that some tests need and some machines lack; conftest.py lists the skipped tests."""

import os
from typing import NoReturn

import pytest

REQUIRED = bool(os.environ.get('S2R_REQUIRE_TOOLS'))
"""Whether a tool that apt-get installs must be there, as in CI; its lack fails the test there."""

GPU = 'needs a GPU: run the tests where PyTorch finds one'
SHARED = "needs the developers' files: they lie in ../shared beside a developer's checkout"
ROS = 'needs ROS: source an installation, its {} is no wheel'


def skip_without(tool: str, packages: str) -> NoReturn:
    """
    Skip the test for lack of a tool, or fail where the tool is required.

    :param tool: what is missing.
    :param packages: of Debian and Ubuntu, which have it.
    """
    reason = f'needs {tool}: apt-get install {packages}'
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
