"""S2R-DepthNet for ROS 2: metric depth from any camera."""
import os
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from .network import S2RDepthNet
    from .predictor import DepthPredictor

# Before torch is loaded: threads that wait by spinning take the CPU from whoever has work, those
# that sleep wake late. A short spin, some microseconds, has neither cost (docs/performance.md).
if 'OMP_WAIT_POLICY' not in os.environ:
    os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'
    os.environ.setdefault('GOMP_SPINCOUNT', '1000')

__all__ = ['DepthPredictor', 'S2RDepthNet']


def __getattr__(name: str) -> Any:
    """Import torch only for who asks for the network; camera_player starts without it."""
    if name == 'DepthPredictor':
        from .predictor import DepthPredictor
        return DepthPredictor
    if name == 'S2RDepthNet':
        from .network import S2RDepthNet
        return S2RDepthNet
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
