"""`s2r weights`: print a hash of weights that is independent of the order in the file."""

from __future__ import annotations

from ..weights.info import BUNDLED, content_hash, WeightsError
from . import ToolError
from .options import WeightsOptions


def run(options: WeightsOptions) -> int:
    """Print a line for each file, and return the exit code."""
    for file in options.files or BUNDLED:
        try:
            print(content_hash(file), file, sep='  ')
        except WeightsError as error:
            raise ToolError(str(error)) from error
    return 0
