"""S2R-DepthNet for ROS 2: metric depth from any camera."""
import os
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from .network import S2RDepthNet
    from .predictor import DepthPredictor

__all__ = ['DepthPredictor', 'S2RDepthNet']

# ONNX Runtime 1.32 reports to its makers as soon as it is imported, and leaves an identifier in
# the user's cache. A robot does not, unless its user says so.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')


def __getattr__(name: str) -> Any:
    """Import only for who asks: torch takes seconds, and nothing but the network needs it."""
    if name == 'DepthPredictor':
        from .predictor import DepthPredictor
        return DepthPredictor
    if name == 'S2RDepthNet':
        from .openmp import sleep_while_waiting

        sleep_while_waiting()
        from .network import S2RDepthNet
        return S2RDepthNet
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
